"""Downloads a file whose size and digest are published; broken downloads continue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]  # bytes received, bytes in all

BLOCK_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0  # without a single byte from the server


def download(url: str, target: Path, *, total: int, digest: str, progress: Progress) -> Path:
    """Downloads `target`, which appears once its size and digest are verified; returns it.

    digest: `sha256:...` or `md5:...`. Until then it is `<target>.part`, from which the next try
    goes on. Raises OSError where the network or the disk fails, ValueError for other bytes.
    """
    import pooch

    # Pooch reports each file on standard error; only the command line writes to the terminal.
    pooch.get_logger().setLevel("WARNING")
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)

    def to_pooch(address: str, output: str, _: object) -> None:
        _resume(address, part, total, progress)
        part.replace(output)  # pooch checks the digest, then renames; wrong bytes are deleted

    path = pooch.retrieve(url, digest, fname=target.name, path=target.parent, downloader=to_pooch)
    return Path(path)


def in_short(error: Exception) -> str:
    """An error's message; that of a lost connection, which fills a screen, is shortened."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"the server did not answer within {TIMEOUT_SECONDS:g} s"
    lost = isinstance(error, requests.ConnectionError)
    return "the server cannot be reached, or hung up" if lost else str(error)


def no_progress(here: int, total: int) -> None:
    """Ignores the progress of a download."""


def _resume(url: str, part: Path, total: int, progress: Progress) -> None:
    """Continues a download after each lost connection, as long as every try brings some bytes."""
    while (here := part.stat().st_size if part.exists() else 0) != total:
        try:
            _append(url, part, total, progress)
        except OSError:  # noqa: PERF203 (a retry)
            if not part.exists() or part.stat().st_size <= here:
                raise


def _append(url: str, part: Path, total: int, progress: Progress) -> None:
    import requests

    here = part.stat().st_size if part.exists() else 0
    here = here if here < total else 0  # too long: not this file, start from the beginning
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={here}-"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        response.raise_for_status()
        here = here if response.status_code == requests.codes.partial_content else 0
        with part.open("r+b" if here else "wb") as file:
            file.seek(here)
            file.truncate()
            for block in response.iter_content(BLOCK_BYTES):
                here += len(block)
                if here > total:
                    file.truncate(0)
                    raise ValueError(f"the server sends more than this file's {total} bytes")
                file.write(block)
                progress(here, total)
    if here < total:
        raise OSError(f"the connection ended after {here} of {total} bytes")
