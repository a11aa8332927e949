"""Measures the shipped lip readers on test splits and prints the card's tables.

GRID_ROOT=... python -m tests.reader_report [--faces haar] [--units words] [--weights FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.contract.video import Video
from bench.data.conform import conform_clip
from bench.errors import Undefined
from bench.features import faces
from bench.features.store import FeatureStore
from bench.files.paths import cache_dir
from bench.stats import mean_interval, share_interval
from bench.types import Clip
from metrics.error_rates import errors
from metrics.reader import Reader
from metrics.reader.scoring import compared
from metrics.reader.units import SLOT_NAMES, SLOTS, said
from tests.scorer_report import corpora


def main() -> None:
    """Reads the recordings of the test splits, their first frames held, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", default="haar", choices=["given", "haar", "yunet"])
    parser.add_argument("--units", default="visemes", choices=["visemes", "words"])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--split", default="test", choices=["test", "val"])
    parser.add_argument("--only", default="", help="comma-separated names of corpora")
    asked = parser.parse_args()
    reader = Reader(Reader.Options(units=asked.units, weights=asked.weights))
    reader.load("cpu")
    tell = sys.stdout.write
    tell(f"{reader.protocol}, faces: {asked.faces}\n\n")
    tell("| clips | n | truth | the same, read for another clip's speech | still | chance |\n")
    tell("|---|---|---|---|---|---|\n")
    slots: list[str] = []
    for name, clips in corpora(asked.split):
        is_grid = name.startswith("GRID")
        if (asked.units == "words" and not is_grid) or (asked.only and name not in asked.only):
            continue
        read = list(_readings(reader, clips, asked.faces))
        tell(_line(name, read, asked.units))
        for speaker in sorted({clip.speaker for clip, *_ in read}):
            own = [one for one in read if one[0].speaker == speaker]
            if len(own) < len(read):
                tell(_line(speaker, own, asked.units))
        if asked.units == "words":
            slots.append(_by_slot(name, read))
        sys.stdout.flush()
    tell("\n" + "".join(slots))


Readings = list[tuple[Clip, tuple[int, ...], tuple[int, ...]]]  # of the clip, of its first frame


def _readings(
    reader: Reader, clips: list[Clip], detector: str
) -> Iterator[tuple[Clip, tuple[int, ...], tuple[int, ...]]]:
    store = FeatureStore(cache_dir() / "features")
    features = faces.finding_faces(detector, store=store)  # type: ignore[arg-type]
    for clip in clips:
        conformed = conform_clip(clip, cache=cache_dir())
        video = Video(conformed.path, features=features, sha256=conformed.sha256, box=clip.box)
        with contextlib.suppress(Undefined):  # no face: no value, and the table's n says so
            reading = reader.reading(video)
            frames = video.read()
            held = Video.of(np.repeat(frames[:1], len(frames), axis=0), track=video.faces())
            yield clip, reading, reader.reading(held)


def _line(name: str, read: Readings, units: str) -> str:
    """A row: means over clips with 95 % intervals."""
    own, others, still, chance = [], [], [], []
    for place, (clip, reading, held) in enumerate(read):
        ways = said(clip.text, clip.language, units)  # type: ignore[arg-type]
        found = compared(reading, ways, units)  # type: ignore[arg-type]
        own.append(found["error_rate"])
        chance.append(found["chance"])
        still.append(compared(held, ways, units)["error_rate"])  # type: ignore[arg-type]
        for other in (read[place + 1 :] + read[:place])[:3]:
            text, language = other[0].text, other[0].language
            rates = [errors(reading, way).rate for way in said(text, language, units)]  # type: ignore[arg-type]
            others.append(min(rates))
    cells = [f"{np.mean(own):.3f}"]
    if len(own) > 1:
        found_interval = mean_interval(own, [clip.speaker for clip, *_ in read])
        cells[0] += f" ({found_interval.low:.3f} to {found_interval.high:.3f})"
    cells += [f"{np.mean(each):.3f}" if each else "-" for each in (others, still, chance)]
    return f"| {name} | {len(read)} | {' | '.join(cells)} |\n"


def _by_slot(name: str, read: Readings) -> str:
    """A table of the share of words read right, by place in the sentence, with intervals."""
    rows = [
        f"{name}, {len(read)} clips\n\n| word | of | read right | chance |\n|---|---|---|---|\n"
    ]
    right = [
        [
            unit == spoken
            for unit, spoken in zip(reading, said(clip.text, "en", "words")[0], strict=True)
        ]
        for clip, reading, _ in read
    ]
    for slot, words in enumerate(SLOTS):
        hits = [row[slot] for row in right]
        interval = share_interval(hits, [clip.speaker for clip, *_ in read])
        rows.append(
            f"| {SLOT_NAMES[slot]} | {len(words)} | {np.mean(hits):.3f} ({interval.low:.3f} to"
            f" {interval.high:.3f}) | {1 / len(words):.2f} |\n"
        )
    whole = sum(map(all, right))
    rows.append(f"| whole sentence | | {whole / len(right):.3f} | 0.00 |\n\n")
    return "".join(rows)


if __name__ == "__main__":
    main()
