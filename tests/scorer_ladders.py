"""Mean LSE-C of a scorer along the contract ladders, on clips of the test splits.

GRID_ROOT=... python -m tests.scorer_ladders [SCORER]
"""

from __future__ import annotations

import sys

import numpy as np

from bench.checks.ladders import LADDERS, Specimen, specimen
from bench.contract.video import Video
from bench.data.conform import conform_clip
from bench.data.pairs import partner
from bench.features import faces
from bench.features.store import FeatureStore
from bench.files.paths import cache_dir
from bench.ground.types import SAMPLES_PER_FRAME, Clip, Sound
from metrics.lse import Lse
from tests.scorer_report import corpora

CLIPS = 8  # of each corpus, evenly spaced


def main() -> None:
    """Prints a row for each ladder, a column for each corpus: clean, then each step."""
    metric = Lse(Lse.Options(scorer=sys.argv[1] if len(sys.argv) > 1 else "sync_small"))
    metric.load("cpu")
    names, rows = [], {name: [] for name in LADDERS}
    for name, clips in corpora("test"):
        names.append(name)
        others = partner(clips, 0)
        places = np.linspace(0, len(clips) - 1, CLIPS).astype(int)
        specimens = [_specimen(clips[place], others[clips[place].id]) for place in places]
        for ladder in LADDERS.values():
            output = "lse_c_at_0" if ladder.name == "shifted" else "lse_c"
            steps = [[one.sample for one in specimens]]  # clean
            steps += [[ladder.apply(one, step) for one in specimens] for step in ladder.steps]
            means = [np.mean([metric.measure(one)[output] for one in step]) for step in steps]
            rows[ladder.name].append(" ".join(f"{mean:.2f}".replace("0.", ".") for mean in means))
            sys.stderr.write(f"{name} {ladder.name}: {rows[ladder.name][-1]}\n")
    sys.stdout.write(f"| ladder | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}\n")
    for name, cells in rows.items():
        steps = " ".join(f"{step:g}" for step in LADDERS[name].steps)
        sys.stdout.write(f"| {name}, {LADDERS[name].unit}: {steps} | {' | '.join(cells)} |\n")


def _specimen(clip: Clip, other: Clip) -> Specimen:
    video = _opened(clip)
    frames, sound = video.read(), _heard(video)
    samples = min(len(frames) * SAMPLES_PER_FRAME, len(sound))
    return specimen(
        clip.id,
        frames=frames,
        sound=sound[:samples],
        other_speech=np.resize(_heard(_opened(other)), samples),
        track=video.faces(),
    )


def _opened(clip: Clip) -> Video:
    conformed = conform_clip(clip, cache=cache_dir())
    features = faces.finding_faces("haar", store=FeatureStore(cache_dir() / "features"))
    return Video(conformed.path, features=features, sha256=conformed.sha256)


def _heard(video: Video) -> Sound:
    sound = video.sound()
    assert sound is not None
    return sound


if __name__ == "__main__":
    main()
