"""Transcripts made elsewhere: what a lip reader or a person read in the videos of a run.

`python -m metrics.transcripts RUN > videos.csv` lists the videos of a run with what each is to say;
add a column `text` with what was read, and give the file to the metric `wer`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.files.digests import file_sha256
from bench.files.spreadsheets import csv_text, plain_text
from bench.ground.errors import BenchError
from bench.records.run_folder import read_run

COLUMNS = ("dataset", "case", "method", "file", "sha256", "spoken")


@dataclass(frozen=True)
class Transcript:
    """What was read in a video, and what was spoken where the file says so, else None."""

    text: str
    spoken: str | None


def read_transcripts(path: Path) -> Mapping[str, Transcript]:
    """The transcripts of a csv file by the SHA-256 of the video.

    Columns: `text`, what was read (empty: nothing was); `sha256`, the video's digest, or else
    `file`, its path, relative to the csv; `spoken`, if wanted; others are ignored. Raises
    BenchError that names the line for what is missing or contradicts itself.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path}: cannot be read as csv in UTF-8: {error}") from error
    rows = csv.DictReader(text.splitlines(keepends=True))
    columns = rows.fieldnames or ()
    if "text" not in columns or not {"sha256", "file"} & set(columns):
        raise BenchError(
            f"{path}: expected the columns text, and sha256 or file; found"
            f" {', '.join(columns) or 'none'}"
        )
    found: dict[str, Transcript] = {}
    for row in rows:
        line = f"{path}: line {rows.line_num}"
        cells = {name: plain_text((row.get(name) or "").strip()) for name in columns}
        digest = cells.get("sha256", "").lower() or _digest_of(cells.get("file", ""), path, line)
        spoken = cells["spoken"] if "spoken" in columns else None
        transcript = Transcript(cells["text"], spoken)
        if found.setdefault(digest, transcript) != transcript:
            raise BenchError(f"{line}: the video {digest[:12]} has another transcript above")
    return found


def _digest_of(name: str, path: Path, line: str) -> str:
    if not name:
        raise BenchError(f"{line}: names no video; give its sha256 or its file")
    file = path.parent / name
    if not file.is_file():
        raise BenchError(f"{line}: {file} is not there")
    return file_sha256(file)


def listed(run: Path) -> Iterator[tuple[str, ...]]:
    """A row for each finished video of a run, in the order of COLUMNS."""
    found = read_run(run)
    for method in found.manifest.methods:
        for case in found.manifest.cases:
            video = found.generations.get((method.key, case.key))
            if video is not None and video.status == "ok":
                file = str((run / video.video).resolve())
                yield case.dataset, case.id, method.label, file, video.sha256, case.text


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m metrics.transcripts RUN > videos.csv")
    try:
        sys.stdout.write(csv_text([COLUMNS, *listed(Path(sys.argv[1]))]))
    except BenchError as error:
        sys.exit(str(error))
