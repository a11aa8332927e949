"""Runs `bench study serve`: one socket, one ledger, and a log of refused requests."""

from __future__ import annotations

import contextlib
import logging
import resource
import socket
import time
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn

from bench.files.lock import locked
from bench.ground.errors import BenchError
from bench.study.ask import connections
from bench.study.ask.application import Application
from bench.study.ask.ledger import Ledger
from bench.study.folder import ANSWERS, LOG, Study
from bench.study.make.invitations import Tokens

BUSY = "another `bench study serve` is already serving this study. Use its links, or stop it first."
OWN_FILES = 200  # open files besides the connections: ledger, videos
LOG_BYTES = 5_000_000  # at this size a new log starts; one old log is kept, so the disk never fills


def serve(
    study: Study,
    *,
    host: str,
    port: int,
    url: str | None,
    ready: Callable[[str], None],
    proxies: Sequence[str] = (),
) -> None:
    """Serves the study until it is stopped; the same command resumes without losing an answer.

    port: 0 takes a free one. url: the study's address as raters see it, if it differs. ready:
    called with that address once the server listens. proxies: addresses or networks whose
    X-Forwarded-For header is trusted. Raises BenchError if the port is in use or another process
    serves the study.
    """
    tokens = Tokens(study.folder)
    with (
        locked(study.folder, busy=f"{study.folder}: {BUSY}"),
        _listening(host, port) as listening,
        Ledger(study.folder / ANSWERS) as ledger,
    ):
        _log_to(study.folder / LOG)
        reached = url or f"http://{_address(host)}:{listening.getsockname()[1]}"
        ready(reached)
        config = uvicorn.Config(
            Application(study, ledger, tokens, url=reached).application(),
            log_config=None,
            access_log=False,  # it would hold the tokens
            server_header=False,
            timeout_keep_alive=20,
            http=connections.Connection,
            ws="none",
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
        )
        _allow_open_files(connections.MOST + OWN_FILES)
        uvicorn.Server(config).run(sockets=[listening])


def _allow_open_files(wanted: int) -> None:
    """Raises the limit of open files to `wanted`, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _address(host: str) -> str:
    """The host name for links; if the server listens on all addresses, one others can reach."""
    if host != "0.0.0.0":
        return f"[{host}]" if ":" in host else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it only selects the outgoing address
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise BenchError(
            f"--host {host} --port {port}: {error.strerror or error}. Choose another --port."
        ) from error


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    line = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    line.converter = time.gmtime
    handler.setFormatter(line)
    logging.getLogger("bench.study").addHandler(handler)
    logging.getLogger("uvicorn").addHandler(handler)
