"""Invitation links: tokens that cannot be guessed and can be printed again.

A token is the HMAC-SHA256 of who it is for under the study's secret of 32 random bytes; 32 of its
characters carry 192 bits. Nothing else is stored: the same secret prints the same links.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import BenchError

SECRET_FILE = "secret"
CHARACTERS = 32
ORGANISER = "organiser"


def write_secret(folder: Path) -> None:
    """Draws the study's secret; only the owner of the file may read it."""
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
                f"{path}: cannot be read: {error}. Without it the links that were given out "
                "are void; restore it from a copy."
            ) from error

    def of(self, name: str) -> str:
        """The token of a rater or of the organiser."""
        made = hmac.new(self._secret, name.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode()[:CHARACTERS]

    def by_digest(self, names: Iterable[str]) -> Mapping[bytes, str]:
        """Names by the digest of their token; see `holder`."""
        return {_digest(self.of(name)): name for name in names}


def holder(token: str, known: Mapping[bytes, str]) -> str | None:
    """Whose token this is, or None.

    Looked up by digest: how long that takes tells nothing about the tokens that exist.
    """
    return known.get(_digest(token))


def rater_link(url: str, token: str) -> str:
    """Where a rater begins."""
    return f"{url.rstrip('/')}/r/{token}"


def organiser_link(url: str, token: str) -> str:
    """Where the organiser looks."""
    return f"{url.rstrip('/')}/o/{token}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
