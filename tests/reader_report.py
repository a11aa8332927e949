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
from bench.features import faces
from bench.features.store import FeatureStore
from bench.files.paths import cache_dir
from bench.ground.errors import Undefined
from bench.ground.stats import mean_interval, share_interval
from bench.ground.types import Clip
from metrics.reader import Reader
from metrics.reader.reading import Answers, best_sentence
from metrics.reader.scoring import compared
from metrics.reader.settings import UnitKind
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
    tell("| clips | n | error rate | other speech | still | chance | evidence | other | still |\n")
    tell("|---|---|---|---|---|---|---|---|---|\n")
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


Readings = list[tuple[Clip, Answers, Answers]]  # of the clip, of its first frame


def _readings(
    reader: Reader, clips: list[Clip], detector: str
) -> Iterator[tuple[Clip, Answers, Answers]]:
    store = FeatureStore(cache_dir() / "features")
    features = faces.finding_faces(detector, store=store)  # type: ignore[arg-type]
    for clip in filter(lambda clip: clip.text, clips):  # of some of GRID's no text is known
        conformed = conform_clip(clip, cache=cache_dir())
        video = Video(conformed.path, features=features, sha256=conformed.sha256, box=clip.box)
        with contextlib.suppress(Undefined):  # no face: no value, and the table's n says so
            answers = reader.answers(video)
            frames = video.read()
            held = Video.of(np.repeat(frames[:1], len(frames), axis=0), track=video.faces())
            yield clip, answers, reader.answers(held)


def _line(name: str, read: Readings, units: UnitKind) -> str:
    """A row: means over clips with 95 % intervals; each clip for three others' speech as well."""
    ways = [said(clip.text, clip.language, units) for clip, *_ in read]
    own = [compared(answers, way, units) for (_, answers, _), way in zip(read, ways, strict=True)]
    still = [compared(held, way, units) for (_, _, held), way in zip(read, ways, strict=True)]
    other = [
        compared(answers, ways[(place + step) % len(read)], units)
        for place, (_, answers, _) in enumerate(read)
        for step in range(1, min(4, len(read)))
    ]
    speakers = [clip.speaker for clip, *_ in read]
    cells = []
    for output in ("error_rate", "evidence"):
        found = mean_interval([values[output] for values in own], speakers)
        span = "" if found.low is None else f" ({found.low:.2f} to {found.high:.2f})"
        others, held = (np.mean([v[output] for v in each]) for each in (other, still))
        cells.append(f"{found.mean:.3f}{span} | {others:.3f} | {held:.3f}")
    chance = np.mean([values["chance"] for values in own])
    return f"| {name} | {len(read)} | {cells[0]} | {chance:.3f} | {cells[1]} |\n"


def _by_slot(name: str, read: Readings) -> str:
    """A table of the share of words read right, by place in the sentence, with intervals."""
    rows = [
        f"{name}, {len(read)} clips\n\n| word | of | read right | chance |\n|---|---|---|---|\n"
    ]
    right = [
        np.equal(best_sentence(answers), said(clip.text, "en", "words")[0]).tolist()
        for clip, answers, _ in read
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
