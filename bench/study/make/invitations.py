"""Invitation links: their tokens cannot be guessed, and can be computed again at any time.

A token is the HMAC-SHA256 of its holder's name, keyed with the study's secret of 32 random bytes
and cut to 32 characters (192 bits). Only the secret is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.ground.errors import BenchError

SECRET_FILE = "secret"
CHARACTERS = 32
ORGANISER = "organiser"


def write_secret(folder: Path) -> None:
    """Writes a random secret; only the file's owner may read it."""
    descriptor = os.open(folder / SECRET_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


class Tokens:
    """The tokens of one study."""

    def __init__(self, folder: Path) -> None:
        path = folder / SECRET_FILE
        try:
            self._secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise BenchError(
                f"{path}: cannot be read: {error}. The links that were given out depend on it; "
                "restore it from a copy."
            ) from error

    def of(self, name: str) -> str:
        """The token of a rater or of the organiser."""
        digest = hmac.new(self._secret, name.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()[:CHARACTERS]

    def by_digest(self, names: Iterable[str]) -> Mapping[bytes, str]:
        """The names by the digests of their tokens; see `holder`."""
        return {_digest(self.of(name)): name for name in names}


def holder(token: str, known: Mapping[bytes, str]) -> str | None:
    """The name of the token's holder, or None.

    The lookup uses digests, so its duration reveals nothing about existing tokens.
    """
    return known.get(_digest(token))


def rater_link(url: str, token: str) -> str:
    """The link to a rater's start page."""
    return f"{url.rstrip('/')}/r/{token}"


def organiser_link(url: str, token: str) -> str:
    """The link to the organiser's page."""
    return f"{url.rstrip('/')}/o/{token}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
