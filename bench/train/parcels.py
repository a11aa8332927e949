"""Splits files into pieces small enough for transfer, and joins them again.

Weights in half precision compress by a sixth if their high bytes, which hold sign and exponent, are
stored together; the low bytes are noise. A list (`parcel.json`) names the files and their digests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np

from bench.files.digests import file_sha256
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError

LIST = "parcel.json"
PIECE = 15 * 2**20 + 2**19  # bytes
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def cut(files: Iterable[Path], folder: Path, *, piece: int = PIECE) -> list[Path]:
    """Writes the files to a folder in pieces of at most `piece` bytes; returns them, list last.

    The files keep their names, which must differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces: list[Path] = []
    listed = {}
    for file in files:
        data = _packed(file.read_bytes())
        names = []
        for place, start in enumerate(range(0, len(data), piece)):
            path = folder / f"{file.name}.{place:02}"
            path.write_bytes(data[start : start + piece])
            names.append(path.name)
            pieces.append(path)
        listed[file.name] = {
            "sha256": [file_sha256(file)],
            "pieces": names,
            "piece_sha256": [file_sha256(folder / name) for name in names],
        }
    (folder / LIST).write_text(json.dumps(listed, indent=1), encoding="utf-8")
    return [*pieces, folder / LIST]


def join(folder: Path, into: Path) -> list[Path]:
    """Joins the pieces in a folder; returns the files that were written.

    Raises BenchError if a piece is missing or damaged, or if the list cannot be read.
    """
    listed = _list(folder)
    into.mkdir(parents=True, exist_ok=True)
    made = []
    for name, told in listed.items():
        data = b""
        for piece, digest in zip(told["pieces"], told["piece_sha256"], strict=True):
            path = folder / piece
            if not path.is_file():
                raise BenchError(f"{path}: is missing; {name} needs it. Fetch it again.")
            if file_sha256(path) != digest:
                raise BenchError(f"{path}: is damaged; fetch it again")
            data += path.read_bytes()
        try:
            whole = _unpacked(data)
        except (zlib.error, ValueError) as error:
            raise BenchError(
                f"{folder}: the pieces of {name} cannot be unpacked: {error}"
            ) from error
        if [hashlib.sha256(whole).hexdigest()] != told["sha256"]:
            raise BenchError(f"{folder}: the joined pieces of {name} differ from the original file")
        with in_one_move(into / name) as part:
            part.write_bytes(whole)
        made.append(into / name)
    return made


def _list(folder: Path) -> dict[str, dict[str, list[str]]]:
    path = folder / LIST
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        names = [name for told in listed.values() for name in told["pieces"]] + list(listed)
        strange = [name for name in names if not _PLAIN.fullmatch(name)]
        if strange:
            raise BenchError(f"{path}: {strange[0]!r} is no plain file name")
        for told in listed.values():
            if len(told["pieces"]) != len(told["piece_sha256"]) or not told["sha256"]:
                raise BenchError(f"{path}: lists pieces without digests")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BenchError(f"{path}: is no list of pieces ({error})") from error
    found: dict[str, dict[str, list[str]]] = listed
    return found


def _packed(data: bytes) -> bytes:
    """The even bytes, then the odd ones, compressed."""
    numbers = np.frombuffer(data, np.uint8)
    planes = np.concatenate([numbers[0::2], numbers[1::2]]).tobytes()
    # Huffman coding only: weights have no repetitions, and it is fast.
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(planes) + packer.flush()


def _unpacked(data: bytes) -> bytes:
    planes = np.frombuffer(zlib.decompress(data), np.uint8)
    numbers = np.empty_like(planes)
    half = (len(planes) + 1) // 2
    numbers[0::2], numbers[1::2] = planes[:half], planes[half:]
    return numbers.tobytes()


def main() -> None:
    """`python -m bench.train.parcels FOLDER... --into FOLDER`."""
    parser = argparse.ArgumentParser(description=join.__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    given = parser.parse_args()
    try:
        for folder in given.folders:
            for path in join(folder, given.into):
                click.echo(path)
    except BenchError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
