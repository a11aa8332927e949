"""Runs `bench study serve` as a separate process, and sends it requests like a browser."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import ROOT


class Server:
    """A served study; `with Server(folder) as server`. links: by rater, and `organiser`.

    options: further ones of the command.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        self.links: dict[str, str] = {}

    def __enter__(self) -> Server:
        command = [sys.executable, "-m", "bench.command.cli", "study", "serve", str(self.folder)]
        self._process = subprocess.Popen(
            [*command, "--port", "0", *self._options], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._process.stdout is not None
        raters = len(json.loads((self.folder / "design.json").read_text())["sessions"])
        for _ in range(raters + 1):
            name, link = self._process.stdout.readline().split()
            self.links[name] = link
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """Kills the process with SIGKILL."""
        self._process.kill()
        self._process.wait(30)

    @property
    def log(self) -> str:
        """The log of refused requests so far."""
        path = self.folder / "serve.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def client(self, name: str) -> Client:
        """A client that uses this link."""
        return Client(self.links[name])


class Client:
    """One kept-alive connection of a client with a link."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        assert parts.hostname is not None
        self.base = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body. path: absolute, sent unchanged."""
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        got = response.read()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, got

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict, bytes]:
        """GET of a path below the link."""
        return self.send("GET", f"{self.base}/{path}", None, headers)

    def answer(self, item: str, ratings: dict[str, int], comment: str | None = None) -> int:
        """Sends ratings like the page's script; returns the status."""
        value = {"item": item, "ratings": ratings}
        body = json.dumps(value if comment is None else {**value, "comment": comment}).encode()
        kind = {"Content-Type": "application/json"}
        return self.send("POST", f"{self.base}/answers", body, kind)[0]
