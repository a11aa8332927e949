"""Boxes on the speaking face, which is found by the drop of the score with shifted sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.data import speaker_box
from bench.data.manifest import read_manifest, write_manifest
from bench.data.speaker_box import BoxedClip, Wanted, choose_boxes
from bench.features.faces import Detection
from bench.ground.errors import BenchError
from bench.ground.types import Box, Clip, Frame, Frames, Sound, Track
from bench.records.run_folder import read_run
from bench.run.config import load_config
from bench.run.plan import make_plan
from bench.run.planned import measurement_key
from tests.test_run import bench

LARGE, SMALL = Detection((4, 8, 52, 64), None, 2.0), Detection((80, 40, 112, 80), None, 2.0)


class _Seer:
    name = "haar"

    def __init__(self, *faces: Detection) -> None:
        self.faces = faces

    def detect(self, frame: Frame) -> list[Detection]:
        return list(self.faces) if frame.mean() > 20 else []


def clip(folder: Path, name: str = "a", *, grey: int = 90, sound: bool = True) -> Clip:
    noise = np.random.default_rng(0)
    frames = np.clip(noise.normal(grey, 4, (30, 128, 128, 3)), 0, 255).astype(np.uint8)
    voice = noise.normal(0, 3000, 30 * 640).astype(np.int16) if sound else None
    media.write_video(folder / f"{name}.mp4", frames, sound=voice)
    return Clip(name, folder / f"{name}.mp4")


def pointed(
    clips: list[Clip],
    monkeypatch: pytest.MonkeyPatch,
    *,
    faces: tuple[Detection, ...] = (LARGE, SMALL),
    leads: tuple[float, float] = (0.0, 0.3),
    wanted: Wanted = "speaking",
) -> list[BoxedClip]:
    """The chosen boxes, where the left face has the first lead and the right one the second."""

    def lead(frames: Frames, sound: Sound, track: Track) -> float:
        assert len(frames) == len(track.boxes)
        assert sound.any()
        return leads[0] if track.boxes[0, 0] < 60 else leads[1]

    monkeypatch.setattr(speaker_box, "detector", lambda _name: _Seer(*faces))
    monkeypatch.setattr(speaker_box, "_leads", lambda _scorer, _device: lead)
    cache = clips[0].video.parent / "cache"
    boxed = choose_boxes(
        clips, wanted=wanted, faces="haar", scorer="any", device="cpu", cache=cache
    )
    return list(boxed)


@pytest.mark.parametrize(
    ("wanted", "leads", "expected"),
    [
        ("speaking", (0.0, 0.3), SMALL),
        ("speaking", (0.3, 0.0), LARGE),
        ("largest", (0.0, 0.3), LARGE),
        ("central", (0.3, 0.0), SMALL),
    ],
)
def test_the_wanted_face_gets_the_box(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: Wanted,
    leads: tuple[float, float],
    expected: Detection,
) -> None:
    (one,) = pointed([clip(tmp_path)], monkeypatch, leads=leads, wanted=wanted)
    x0, y0, x1, y1 = expected.box
    assert one.clip.box == (x0, y0, x1 - x0, y1 - y0)
    assert (one.faces, one.reason) == (2, "")


@pytest.mark.parametrize(
    ("leads", "reason"),
    [
        ((-0.1, -0.2), "the lips of none of 2 faces follow the sound"),
        ((0.2, 0.3), r"the lips of two faces follow the sound \(0.300, 0.200\)"),
    ],
)
def test_a_doubtful_choice_has_a_box_and_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads: tuple[float, float], reason: str
) -> None:
    (one,) = pointed([clip(tmp_path)], monkeypatch, leads=leads)
    assert one.clip.box is not None
    with pytest.raises(BenchError, match=reason):
        raise BenchError(one.reason)


def test_a_clip_whose_faces_cannot_be_compared_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark, silent = clip(tmp_path, "dark", grey=5), clip(tmp_path, "silent", sound=False)
    gone = Clip("gone", tmp_path / "gone.mp4", box=(1.0, 1.0, 5.0, 5.0))
    found = pointed([dark, silent, gone, clip(tmp_path)], monkeypatch)
    assert [one.clip.box is None for one in found] == [True, True, True, False]
    assert found[0].reason == "no face found"
    assert found[1].reason == "2 faces, and no sound to find the speaking one"
    assert "gone.mp4" in found[2].reason


def test_one_face_needs_no_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = pointed([clip(tmp_path, sound=False)], monkeypatch, faces=(SMALL,))
    assert (one.faces, one.leads, one.reason) == (1, (), "")
    assert one.clip.box == (80, 40, 32, 40)


def config(
    folder: Path, *lines: str, method: str = "truth", metric: str = "{name: sharpness}"
) -> Path:
    path = folder / "c.yaml"
    path.write_text(
        "name: c\n"
        "data: [{name: d, manifest: m.csv}]\n"
        "cases: {kinds: [reconstruct]}\n"
        f"methods: [{{name: {method}}}]\n"
        f"metrics: [{metric}, {{name: psnr, options: {{region: frame}}}}]\n" + "\n".join(lines)
    )
    return path


def keys(folder: Path, boxes: list[Box | None], *lines: str) -> tuple[list[str], list[str]]:
    """The keys of the cases, and of the first metric's measurements of the same video."""
    made = clip(folder)
    clips = [Clip(f"c{number}", made.video, box=box) for number, box in enumerate(boxes)]
    write_manifest(folder / "m.csv", clips, root=folder)
    plan = make_plan(load_config(config(folder, *lines)))
    metric = plan.metrics[0]
    measured = [measurement_key(metric, "v", "r", [planned]) for planned in plan.cases]
    return [planned.key for planned in plan.cases], measured


LEFT, RIGHT = (4.0, 8.0, 48.0, 56.0), (80.0, 40.0, 32.0, 40.0)


@pytest.mark.parametrize("line", ["face: given", "faces: given"])
def test_boxes_that_select_the_face_enter_the_keys(tmp_path: Path, line: str) -> None:
    cases, measured = keys(tmp_path, [LEFT, RIGHT, LEFT], line)
    assert measured[0] == measured[2] != measured[1]
    assert cases[0] == cases[2] != cases[1]


def test_boxes_that_select_nothing_do_not_enter_the_keys(tmp_path: Path) -> None:
    _, measured = keys(tmp_path, [LEFT, RIGHT, None])
    assert len(set(measured)) == 1


def test_every_choice_of_face_has_its_own_keys_and_protocol(tmp_path: Path) -> None:
    settings = ("", "face: central", "face: given", "faces: given")
    found = [keys(tmp_path, [LEFT], setting) for setting in settings]
    assert len({cases[0] for cases, _ in found}) == len(settings)
    assert len({measured[0] for _, measured in found}) == len(settings)
    protocols = []
    for setting in settings:
        plan = make_plan(load_config(config(tmp_path, setting)))
        protocols.append(plan.metrics[0].protocol)
        assert plan.metrics[1].protocol == "psnr[frame; rgb; native]"
    assert [text.split(";")[0] for text in protocols] == [
        "sharpness[mouth:haar",
        "sharpness[mouth:haar central",
        "sharpness[mouth:haar given",
        "sharpness[mouth:given",
    ]


def test_one_video_with_two_boxes_has_a_value_for_each(tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    frames = np.full((30, 128, 128, 3), 90.0)
    frames[:, 40:80, 80:112] += noise.normal(0, 30, (30, 40, 32, 1))
    frames[:, 8:64, 4:52] += noise.normal(0, 5, (30, 56, 48, 1))
    media.write_video(
        tmp_path / "a.mp4", np.clip(frames, 0, 255).astype(np.uint8), sound=np.ones(19200, np.int16)
    )
    clips = [Clip(name, tmp_path / "a.mp4", box=box) for name, box in (("l", LEFT), ("r", RIGHT))]
    write_manifest(tmp_path / "m.csv", clips, root=tmp_path)
    metric = "{name: psnr, label: face, options: {region: face}}"
    path = config(tmp_path, "faces: given", method="still", metric=metric)
    code, _ = bench("run", path, "-o", tmp_path / "run")
    assert code == 0
    run = read_run(tmp_path / "run")
    (method,) = run.manifest.methods
    values = []
    for case in run.manifest.cases:
        video = run.generations[method.key, case.key]
        for metric in run.manifest.metrics:
            record = run.measured(metric, case, video)
            assert record is not None
            values.append(record.values["psnr"])
    (left, whole), (right, same) = values[:2], values[2:]
    assert left > right + 5  # there it moves less
    assert whole == same


def test_a_config_that_asks_for_the_speaker_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"c.yaml:6: face: .*`bench data faces MANIFEST"):
        load_config(config(tmp_path, "face: speaking"))


@pytest.mark.shared
def test_the_smaller_speaker_is_found_beside_a_larger_listener(
    shared: Path, tmp_path: Path
) -> None:
    place = shared / "cases" / "media"
    write_manifest(tmp_path / "two.csv", [Clip("two", place / "two_faces.mp4")], root=place)
    code, output = bench("data", "faces", tmp_path / "two.csv", "-o", tmp_path / "boxes.csv")
    assert code == 0
    (found,) = read_manifest(tmp_path / "boxes.csv")
    assert found.box is not None
    assert found.box[0] < 100  # the speaker is on the left, at 55; the listener at 290
    assert "1 of 1 clips have a box, 1 of them show several faces" in " ".join(output.split())
