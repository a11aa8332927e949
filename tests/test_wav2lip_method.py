"""The Wav2Lip family as methods: weights, protocol, frames, references, seams, bad input."""

from __future__ import annotations

import json
import logging
import wave
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pydantic
import pytest
import torch
from click.testing import CliRunner

import bench
from bench.checks.ladders import talking_patterns
from bench.command.cli import main
from bench.config.shipped import TRAININGS, find_config
from bench.data.manifest import write_manifest
from bench.files.digests import file_sha256
from bench.ground.errors import NoFace
from bench.ground.types import Case, Clip, Track
from bench.networks import audio
from bench.networks.pasting import Enlarge, enlarged, pasted
from bench.networks.references import reference_frames
from bench.records.schema import GENERATIONS
from bench.train.config import load_train_config
from methods.wav2lip.checkpoints import LoadedGenerator
from methods.wav2lip.inference import Talker
from methods.wav2lip.method import (
    METHODS,
    SHIPPED,
    Talking,
    register_methods,
)
from methods.wav2lip.settings import Settings
from methods.wav2lip.variants import ABLATION, LPIPS_ATTNWAV2LIP, VARIANTS
from tests.small_data import make_config
from tests.small_records import read_records
from tests.small_talkers import small_generator, small_weights

BY_NAME = {method.name: method for method in METHODS}
FRAMES, SIDE = 11, 120
BOX = (20.0, 10.0, 100.0, 110.0)  # x0 y0 x1 y1


class Echo:
    """A talker that gives the reference back and remembers what it was asked."""

    def __init__(self, lead: int = 0) -> None:
        self.lead = lead
        self.targets: list[bench.Frames] = []
        self.references: list[bench.Frames] = []
        self.heard: list[audio.Features] = []

    def faces(
        self,
        targets: bench.Frames,
        references: bench.Frames,
        heard: audio.Features,
        *,
        is_lower: bool,
    ) -> bench.Frames:
        self.is_lower = is_lower
        self.targets.append(targets)
        self.references.append(references)
        self.heard.append(heard)
        return references


def job_of(tmp_path: Path, *, recorded: int = FRAMES, frames: int = FRAMES) -> bench.Job:
    """A recording whose frame t has the level 10 t + 20 throughout, and a noisy speech."""
    levels = np.arange(recorded, dtype=np.uint8)[:, None, None, None] * 10 + 20
    pictures = np.broadcast_to(levels, (recorded, SIDE, SIDE, 3)).copy()  # (T, H, W, 3)
    boxes = np.tile(np.array(BOX, np.float32), (recorded, 1))
    track = Track(boxes, boxes, np.ones(recorded, np.bool_), "given")
    clip = Clip(id="someone", video=tmp_path / "someone.mp4")
    return bench.Job(
        case=Case("tiny", "cross", face=clip, speech=clip),
        face=bench.Video.of(pictures, track=track),
        speech=np.random.default_rng(0).integers(-9000, 9000, 640 * frames).astype(np.int16),
        frames=frames,
        workdir=tmp_path,
        seed=0,
        log=logging.getLogger("test"),
    )


def asked(job: bench.Job, talker: Echo, **options: object) -> bench.Frames:
    """What wav2lip makes of a job with that talker, (T, H, W, 3)."""
    method = BY_NAME["wav2lip"](Talking.Options(**options))
    method._talker = talker
    made = method.generate(job).video
    assert not isinstance(made, Path)
    return np.stack(list(made))


def levels(faces: list[bench.Frames]) -> list[int]:
    """The recorded frames that grey faces come from."""
    return [(int(face[0, 0, 0]) - 20) // 10 for face in np.concatenate(faces)]


# ---- what is registered ---------------------------------------------------------------------


def test_all_methods_are_registered_under_the_names_of_the_table() -> None:
    assert [method.name for method in register_methods()] == [each.name for each in VARIANTS]
    assert len(VARIANTS) == 8


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_has_a_card_that_its_source_names(method: type[Talking]) -> None:
    card = Path(bench.__file__).parent.parent / method.source.rpartition("card: ")[2]
    assert card.read_text(encoding="utf-8").startswith(f"# {method.title}")


@pytest.mark.parametrize("reference", ["same", "first", "other"])
def test_reference_is_in_the_protocol(reference: str) -> None:
    method = BY_NAME["m_csawav2lip"](Talking.Options(reference=reference))
    assert method.protocol == f"reference: {reference}"


# ---- weights --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_variant_loads_its_file_and_speaks(method: type[Talking], tmp_path: Path) -> None:
    path = small_weights(tmp_path, method.variant)
    talking = method(method.Options(weights=path))
    assert talking.identity() == {"weights": file_sha256(path)}
    talking.load("cpu")
    made = talking.generate(job_of(tmp_path)).video
    assert not isinstance(made, Path)
    frames = np.stack(list(made))
    assert frames.shape == (FRAMES, SIDE, SIDE, 3)
    assert frames.dtype == np.uint8


def test_unknown_names_of_weights_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        pydantic.ValidationError, match="'grd'; write one of synth, grid, real, wav2lip"
    ):
        Talking.Options(weights="grd")


def test_missing_weights_say_how_to_train_them(tmp_path: Path) -> None:
    method = BY_NAME["sat_wav2lip"](Talking.Options(weights=tmp_path / "no.safetensors"))
    words = r"no\.safetensors: no such file.*train configs/train/synth\.yaml --plugin sat_wav2lip"
    for ask in (method.identity, lambda: method.load("cpu")):
        with pytest.raises(bench.BenchError, match=words):
            ask()


def test_weights_that_are_not_shipped_say_how_to_train_them() -> None:
    method = BY_NAME["sat_wav2lip"](Talking.Options(weights="grid"))
    command = "bench train configs/train/grid_small.yaml --plugin sat_wav2lip"
    words = rf"no such file.*{command}.*options.weights \(shipped .*: synth_sat_wav2lip.*\)"
    for ask in (method.identity, lambda: method.load("cpu")):
        with pytest.raises(bench.BenchError, match=words):
            ask()


def test_official_weights_are_of_the_table_and_for_wav2lip_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    options = Talking.Options(weights="wav2lip_gan")
    assert BY_NAME["wav2lip"](options).weights == ("wav2lip_gan",)
    with pytest.raises(bench.BenchError, match=r"are not here; get wav2lip_gan.pth"):
        BY_NAME["wav2lip"](options).load("cpu")
    with pytest.raises(bench.BenchError, match="expected weights of csa_wav2lip, found 'wav2lip_"):
        BY_NAME["csa_wav2lip"](options).load("cpu")


def test_weights_of_another_variant_are_refused(tmp_path: Path) -> None:
    path = small_weights(tmp_path, BY_NAME["cat_wav2lip"].variant)
    with pytest.raises(bench.BenchError, match=r"variant 'sat_wav2lip', found .*'cat_wav2lip'"):
        BY_NAME["sat_wav2lip"](Talking.Options(weights=path)).load("cpu")


def test_the_audio_rule_comes_from_the_file(tmp_path: Path) -> None:
    for lead in (0, 1):
        path = small_weights(tmp_path, VARIANTS[0], lead=lead)
        method = BY_NAME["wav2lip"](Talking.Options(weights=path))
        method.load("cpu")
        assert method._talker is not None
        assert method._talker.lead == lead


@pytest.mark.parametrize(
    "path", sorted(SHIPPED.glob("*_*.safetensors")), ids=lambda path: path.stem
)
def test_shipped_weights_are_small_and_load_by_their_name(path: Path) -> None:
    assert path.stat().st_size <= 2_500_000
    wanted, _, name = path.stem.partition("_")
    BY_NAME[name](Talking.Options(weights=wanted)).load("cpu")


# ---- frames, references, windows --------------------------------------------------------------


@pytest.mark.parametrize(("recorded", "frames"), [(11, 11), (11, 7), (4, 15), (1, 6), (2, 5)])
def test_every_frame_of_the_speech_gets_a_picture(
    tmp_path: Path, recorded: int, frames: int
) -> None:
    talker = Echo()
    made = asked(job_of(tmp_path, recorded=recorded, frames=frames), talker, batch=4)
    assert made.shape == (frames, SIDE, SIDE, 3)
    assert [len(each) for each in talker.targets[:-1]] == [4] * (len(talker.targets) - 1)
    assert sum(map(len, talker.heard)) == frames


def test_a_recording_that_is_too_short_goes_forth_and_back(tmp_path: Path) -> None:
    assert bench.forth_and_back(4, 15).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert bench.forth_and_back(1, 3).tolist() == [0, 0, 0]
    assert bench.forth_and_back(2, 5).tolist() == [0, 1, 0, 1, 0]
    talker = Echo()
    made = asked(job_of(tmp_path, recorded=3, frames=8), talker)
    assert levels(talker.targets) == [0, 1, 2, 1, 0, 1, 2, 1]
    assert (made[:, 0, 0, 0] == [20, 30, 40, 30, 20, 30, 40, 30]).all()


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("same", [0, 1, 2, 3, 2, 1, 0]),
        ("first", [0, 0, 0, 0, 0, 0, 0]),
        ("other", [2, 3, 0, 1, 0, 3, 2]),
    ],
)
def test_references_are_the_frames_that_the_option_names(
    tmp_path: Path, reference: str, wanted: list[int]
) -> None:
    talker = Echo()
    asked(job_of(tmp_path, recorded=4, frames=7), talker, reference=reference, batch=3)
    assert levels(talker.references) == wanted
    assert levels(talker.targets) == [0, 1, 2, 3, 2, 1, 0]


def test_another_reference_is_never_the_frame_itself() -> None:
    for recorded in range(2, 12):
        shown = np.arange(recorded)
        assert (reference_frames(shown, recorded, "other") != shown).all()


@pytest.mark.parametrize("lead", [0, 1])
def test_frames_hear_the_windows_of_the_rule_and_the_tail_is_heard(
    tmp_path: Path, lead: int
) -> None:
    job, talker = job_of(tmp_path), Echo(lead)
    asked(job, talker, batch=5)
    heard = np.concatenate(talker.heard)  # (T, 1, 80, 16)
    mel = audio.mel_spectrogram(job.speech)
    assert np.array_equal(heard[3, 0], mel[:, 3 * (3 - lead) + (3 - lead) // 5 :][:, :16])
    assert np.array_equal(heard[-1, 0], mel[:, -16:])


# ---- the network --------------------------------------------------------------------------------


@pytest.fixture
def material() -> tuple[bench.Frames, bench.Frames, audio.Features]:
    random = np.random.default_rng(1)
    targets, references = random.integers(0, 256, (2, 6, 96, 96, 3), dtype=np.uint8)
    return targets, references, random.normal(0, 2, (6, 1, 80, 16)).astype(np.float32)


def plain(
    network: torch.nn.Module, targets: bench.Frames, references: bench.Frames, heard: audio.Features
) -> bench.Frames:
    """The network as it is, fed as inference.py does, levels rounded."""
    masked = targets.copy()
    masked[:, 48:] = 0
    seen = np.concatenate([masked, references], axis=3) / 255.0  # (B, 96, 96, 6)
    with torch.no_grad():
        made = network(torch.FloatTensor(heard), torch.FloatTensor(seen.transpose(0, 3, 1, 2)))
    return np.rint(made.numpy().transpose(0, 2, 3, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["wav2lip", "csa_wav2lip"])
def test_faces_are_the_plain_networks_within_one_level(
    name: str, material: tuple[bench.Frames, bench.Frames, audio.Features]
) -> None:
    network = small_generator(BY_NAME[name].variant)
    wanted = plain(network, *material)
    made = Talker(LoadedGenerator(network, 0, "rgb"), device="cpu").faces(*material)
    assert wanted.std() > 5  # or it would prove little
    assert np.abs(made.astype(int) - wanted).max() <= 1


def test_bgr_weights_see_and_make_bgr(
    material: tuple[bench.Frames, bench.Frames, audio.Features],
) -> None:
    network = small_generator(VARIANTS[0])
    targets, references, heard = material
    wanted = plain(network, targets[..., ::-1], references[..., ::-1], heard)[..., ::-1]
    made = Talker(LoadedGenerator(network, 0, "bgr"), device="cpu").faces(*material)
    assert np.abs(made.astype(int) - wanted).max() <= 1


def test_the_lower_half_of_the_target_is_not_looked_at(
    material: tuple[bench.Frames, bench.Frames, audio.Features],
) -> None:
    targets, references, heard = material
    talker = Talker(LoadedGenerator(small_generator(VARIANTS[0]), 0, "rgb"), device="cpu")
    other = targets.copy()
    other[:, 48:] = 255 - other[:, 48:]
    assert np.array_equal(
        talker.faces(targets, references, heard), talker.faces(other, references, heard)
    )


@pytest.mark.parametrize("name", ["lpips_attnwav2lip", "lpips_attnwav2lip_small"])
def test_trainings_by_a_perceptual_loss_have_no_discriminator(name: str) -> None:
    config = load_train_config(find_config(name, TRAININGS)).config
    assert config.plugin == ("lpips_attnwav2lip",)
    wanted = Settings.model_validate(config.settings).generator
    assert wanted.perceptual == 0.07
    assert wanted.adversarial == wanted.matching == wanted.adversarial_from == 0


def test_lower_halves_are_those_of_whole_faces_where_attention_sees_all_rows(
    material: tuple[bench.Frames, bench.Frames, audio.Features],
) -> None:
    loaded = LoadedGenerator(small_generator(LPIPS_ATTNWAV2LIP), 0, "rgb")
    talker = Talker(loaded, device="cpu")
    whole, lower = (talker.faces(*material, is_lower=each) for each in (False, True))
    assert np.array_equal(lower[:, 48:], whole[:, 48:])
    assert np.array_equal(lower[:, :48], material[0][:, :48])
    rough = Talker(loaded, device="cpu", precision="bfloat16").faces(*material)
    assert 0 < np.abs(rough.astype(int) - whole).mean() < 4  # levels


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_lower_halves_made_alone_are_those_of_whole_faces(
    colour: str, material: tuple[bench.Frames, bench.Frames, audio.Features]
) -> None:
    loaded = LoadedGenerator(small_generator(ABLATION[-1]), 0, colour)
    targets, references, _ = material
    heard = np.random.default_rng(1).normal(size=(len(targets), 1, 119, 16)).astype(np.float32)
    talker = Talker(loaded, device="cpu")
    whole = talker.faces(targets, references, heard)
    lower = talker.faces(targets, references, heard, is_lower=True)
    assert np.array_equal(lower[:, :48], targets[:, :48])
    assert np.abs(lower[:, 48:].astype(int) - whole[:, 48:]).max() <= 1
    assert whole[:, 48:].std() > 2


def test_bfloat16_is_close(material: tuple[bench.Frames, bench.Frames, audio.Features]) -> None:
    loaded = LoadedGenerator(small_generator(VARIANTS[0]), 0, "rgb")
    exact = Talker(loaded, device="cpu").faces(*material)
    rough = Talker(loaded, device="cpu", precision="bfloat16").faces(*material)
    off = np.square(exact.astype(float) - rough).mean()
    assert off > 0
    assert 10 * np.log10(255**2 / off) > 35  # decibels


# ---- pasting ----------------------------------------------------------------------------------


@pytest.fixture
def picture() -> bench.Frame:
    return np.random.default_rng(2).integers(0, 100, (90, 80, 3), dtype=np.uint8)


FACE = np.full((96, 96, 3), 200, np.uint8)
PLACE = np.array([11, 20, 60, 81])  # 49 wide, 61 high


def test_pasting_fills_the_box_and_leaves_the_rest(picture: bench.Frame) -> None:
    before = picture.copy()
    made = pasted(picture, FACE, PLACE, paste="face", feather=0)
    assert (made[20:81, 11:60] == 200).all()
    made[20:81, 11:60] = picture[20:81, 11:60]
    assert np.array_equal(made, before)
    assert np.array_equal(picture, before)


def test_pasting_the_lower_half_keeps_the_upper_one(picture: bench.Frame) -> None:
    made = pasted(picture, FACE, PLACE, paste="lower", feather=0)
    assert np.array_equal(made[:50], picture[:50])
    assert (made[50:81, 11:60] == 200).all()
    assert np.array_equal(made[81:], picture[81:])


def test_a_face_is_enlarged_as_the_reference_enlarges_it(picture: bench.Frame) -> None:
    face = np.random.default_rng(3).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    made = pasted(picture, face, PLACE, paste="face", feather=0)
    assert np.array_equal(made[20:81, 11:60], cv2.resize(face, (49, 61)))


@pytest.mark.parametrize("paste", ["face", "lower"])
def test_enlarging_by_more_pixels_keeps_more_of_a_face(paste: str) -> None:
    """Fine stripes, as of teeth, in a box twice as large as the face that was cut out of it."""
    columns = np.arange(192)
    level = 128 + 100 * np.sin(2 * np.pi * columns / 7)
    picture = np.repeat(np.tile(level, (192, 1))[..., None], 3, axis=2).astype(np.uint8)
    face = cv2.resize(picture, (96, 96))
    whole = np.array([0, 0, 192, 192])
    black = np.zeros_like(picture)
    error = {}
    for enlarge in ("linear", "cubic", "lanczos", "inverse"):
        made = pasted(black, face, whole, paste=paste, feather=0, enlarge=enlarge)[96:]
        error[enlarge] = float(np.abs(made.astype(float) - picture[96:]).mean())
    assert error["inverse"] < error["lanczos"] < error["cubic"] < error["linear"]


@pytest.mark.parametrize("size", [(96, 96), (113, 170), (192, 192), (300, 420)])
def test_an_inversely_enlarged_face_cut_out_again_is_the_same_face(size: tuple[int, int]) -> None:
    made = enlarged(_soft_noise(), *size, "inverse")
    assert made.shape == (size[1], size[0], 3)
    assert made.dtype == np.uint8
    assert _lost(made) < 0.05  # grey levels; lanczos loses 0.5 at 113x170, linear 1.2


@pytest.mark.parametrize("size", [(20, 30), (40, 70), (70, 100)])
def test_a_box_smaller_than_the_face_keeps_as_much_of_it_as_it_can(size: tuple[int, int]) -> None:
    lost = {way: _lost(enlarged(_soft_noise(), *size, way)) for way in get_args(Enlarge)}
    assert lost["inverse"] < min(lost["lanczos"], lost["cubic"])


def _soft_noise() -> bench.Frame:
    noise = np.random.default_rng(4).normal(128, 60, (96, 96, 3))
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2).clip(0, 255), dtype=np.uint8)


def _lost(made: bench.Frame) -> float:
    """The mean error of `_soft_noise` cut out again, away from its edges, in grey levels."""
    again = cv2.resize(made, (96, 96)).astype(float)
    return float(np.abs(again - _soft_noise())[4:-4, 4:-4].mean())


@pytest.mark.parametrize("paste", ["face", "lower"])
def test_a_feathered_seam_rises_from_the_edges(picture: bench.Frame, paste: str) -> None:
    black = np.zeros_like(picture)
    made = pasted(black, FACE, PLACE, paste=paste, feather=4)[:, :, 0].astype(int)
    top = 50 if paste == "lower" else 20
    assert made[65, 10:17].tolist() == [0, 40, 80, 120, 160, 200, 200]  # from the left
    assert made[65, 54:61].tolist() == [200, 200, 160, 120, 80, 40, 0]
    assert made[top - 1 : top + 5, 35].tolist() == [0, 40, 80, 120, 160, 200]
    assert made[76:82, 35].tolist() == [200, 160, 120, 80, 40, 0]


def test_options_of_the_box_and_the_seam_reach_the_picture(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    white = Echo()
    white.faces = lambda targets, _r, _h, **_: np.full_like(targets, 255)  # type: ignore[method-assign]
    official = asked(job, white, weights="wav2lip")
    assert (official[0, 10:SIDE, 20:100] == 255).all()  # ten pixels below the box
    bare = asked(job, white, pads=[0, 0, 5, 0], paste="lower", feather=0)
    assert (bare[0, 60:110, 15:100] == 255).all()
    assert (bare[0, :60] == 20).all()
    assert (bare[0, 110:] == 20).all()


def test_shipped_weights_leave_the_upper_half_alone_and_fade_in(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    white = Echo()
    white.faces = lambda targets, _r, _h, **_: np.full_like(targets, 255)  # type: ignore[method-assign]
    usual = asked(job, white)
    assert (usual[0, :65] == 20).all()  # half of the box, which ends ten pixels below the face
    assert (np.diff(usual[0, 64:74, 60, 0].astype(int)) > 0)[:9].all()
    assert (usual[0, 74:110, 30:90] == 255).all()


def test_only_the_real_weights_undo_the_cutting_out_unasked(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    striped = Echo()
    stripes = 128 + 100 * np.sign(np.sin(np.arange(96)))[None, :, None]
    striped.faces = lambda targets, _r, _h, **_: np.zeros_like(targets) + stripes.astype(np.uint8)  # type: ignore[method-assign]
    for weights, usual in (("real", "inverse"), ("grid", "linear"), ("wav2lip", "linear")):
        made = asked(job, striped, weights=weights)
        for enlarge in get_args(Enlarge):
            named = asked(job, striped, weights=weights, enlarge=enlarge)
            assert np.array_equal(made, named) == (enlarge == usual)


# ---- bad input ----------------------------------------------------------------------------------


def test_silent_speech_is_refused(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    with pytest.raises(bench.BenchError, match=r"'someone' is digitally silent .all 7040 samples"):
        asked(replace(job, speech=np.zeros_like(job.speech)), Echo())


def test_speech_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(bench.BenchError, match="has 4 frames; wav2lip needs at least 5"):
        asked(job_of(tmp_path, frames=4), Echo())


def test_a_recording_without_a_face_is_refused(tmp_path: Path) -> None:
    def nobody(_video: bench.Video, _name: str) -> bench.Arrays:
        raise NoFace("no face found in any of the 11 frames")

    job = job_of(tmp_path)
    face = bench.Video.of(job.face.read())
    face.features = nobody
    with pytest.raises(NoFace, match="no face found"):
        asked(replace(job, face=face), Echo())


def test_generating_without_loading_is_a_bug_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"call load\(device\)"):
        BY_NAME["wav2lip"]().generate(job_of(tmp_path))


# ---- a whole run --------------------------------------------------------------------------------


def write_sound(path: Path, sound: bench.Sound) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, len(sound), "NONE", ""))
        file.writeframes(sound.tobytes())


def test_a_run_makes_videos_from_videos_and_from_an_image(tmp_path: Path) -> None:
    small_weights(tmp_path, VARIANTS[0])
    clips = []
    for specimen in talking_patterns(2, frames=12):
        name, frames = specimen.sample.case.id, specimen.sample.video.read()
        sound = specimen.sample.video.sound()
        assert sound is not None
        box = (39.0, 36.0, 50.0, 70.0)
        if clips:  # the second one is a photograph, with its speech in a file of its own
            video, heard = tmp_path / f"{name}.png", tmp_path / f"{name}.wav"
            cv2.imwrite(str(video), frames[0][:, :, ::-1])
            write_sound(heard, sound[: 640 * 9 - 5])
            clips.append(Clip(id=name, video=video, audio=heard, split="test", box=box))
        else:
            from bench import media

            media.write_video(tmp_path / f"{name}.mp4", frames, sound=sound)
            clips.append(Clip(id=name, video=tmp_path / f"{name}.mp4", split="test", box=box))
    write_manifest(tmp_path / "manifest.csv", clips)
    config = make_config(
        tmp_path,
        data=[{"name": "tiny", "manifest": "manifest.csv", "split": "test"}],
        methods=[
            {"name": "wav2lip", "options": {"weights": "wav2lip.safetensors"}},
            {
                "name": "wav2lip",
                "label": "leak-free",
                "options": {"weights": "wav2lip.safetensors", "reference": "first", "feather": 3},
            },
            {"name": "m_wav2lip", "options": {"weights": "wav2lip.safetensors"}},
        ],
    )
    run = tmp_path / "run"
    result = CliRunner().invoke(main, ["run", str(config), "-o", str(run)])
    assert result.exit_code == 1, result.output
    made = list(read_records(run / GENERATIONS))
    right = [record for record in made if record["method"] != "m_wav2lip"]
    assert {record["status"] for record in right} == {"ok"}, [r["reason"] for r in right]
    lengths = {(record["case"], record["frames"]) for record in right}
    assert lengths == {
        ("pattern-0", 12),
        ("pattern-1", 9),
        ("pattern-0+pattern-1", 9),
        ("pattern-1+pattern-0", 12),
        ("pattern-0~pattern-1", 12),
        ("pattern-1~pattern-0", 9),
    }
    wrong = [record for record in made if record["method"] == "m_wav2lip"]
    assert {record["status"] for record in wrong} == {"failed"}
    assert "variant 'm_wav2lip', found generator" in str(wrong[0]["reason"])
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    protocols = {each["label"]: each["protocol"] for each in manifest["methods"]}
    assert protocols["leak-free"] == "reference: first"
