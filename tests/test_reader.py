"""The lip readers: what they are asked for, how they read, what they cannot, their training."""

from __future__ import annotations

import csv
import logging
import re
from dataclasses import replace
from itertools import pairwise, permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench import media
from bench.data import grid, synth
from bench.data.conform import conform_clip
from bench.data.manifest import read_manifest
from bench.data.synth.timings import phonemes_of
from bench.features.faces import finding_faces, given_track
from bench.train.trainable import TrainJob
from metrics.error_rates import errors
from metrics.reader import Reader
from metrics.reader.batches import UNKNOWN, Batches, ReaderClip, labels_at, put_together, timeline
from metrics.reader.network import STEPS, ReaderNetwork
from metrics.reader.reading import CHANGE, best_sentence, calm_path, read
from metrics.reader.settings import Settings
from metrics.reader.training import train
from metrics.reader.units import (
    REST,
    SLOTS,
    VISEMES,
    WORDS,
    Spoken,
    collapsed,
    said,
    spoken_in,
    visemes_of,
)

SENTENCE = "bin blue at f two now"


@pytest.fixture(scope="module")
def corpus(corpora: Path) -> list[bench.Clip]:
    """Clips of two speakers whom no reader saw."""
    folder = corpora / f"synth-en-{synth.CORPORA['synth-en']}"
    manifest = synth.build("synth-en", "test", folder=folder, clips=2, workers=1)
    return read_manifest(manifest)


def opened(clip: bench.Clip) -> bench.Video:
    assert clip.box is not None
    frames = media.read_frames(clip.video)
    return bench.Video.of(
        frames, media.read_sound(clip.video), track=given_track(clip.box, len(frames))
    )


def case_of(clip: bench.Clip, speech: bench.Clip | None = None) -> bench.Case:
    return bench.Case("synth", "reconstruct", clip, speech or clip)


@pytest.mark.parametrize(
    ("phoneme", "expected"),
    [
        *(("p", "P"), ("m", "P"), ("v", "F"), ("ð", "D"), ("n", "T"), ("ŋ", "K"), ("s", "S")),
        *(("ʃ", "C"), ("tɕh", "S"), ("ts.h", "C"), ("w", "U"), ("j", "I"), ("ɹ", "C")),
        *(("iː", "I"), ("ɑː", "A"), ("ə", "E"), ("ɔ", "O"), ("uː", "U"), ("aɪ", "AI")),
        *(("", ""), ("?", "")),
    ],
)
def test_phonemes_that_look_alike_are_one_viseme(phoneme: str, expected: str) -> None:
    assert "".join(VISEMES[unit] for unit in visemes_of(phoneme)) == expected


def test_a_text_is_said_in_every_accent_of_its_language() -> None:
    (mandarin,) = said("北京", "zh", "visemes")
    assert VISEMES[mandarin[0]] == "P"
    english = said("better", "en", "visemes")
    assert all("".join(VISEMES[unit] for unit in way).startswith("PET") for way in english)


def test_grids_sentences_are_six_words() -> None:
    ((*units,),) = said(SENTENCE, "en", "words")
    assert [WORDS[unit] for unit in units] == SENTENCE.split()
    assert len(WORDS) == 52
    assert [len(words) for words in SLOTS] == [4, 4, 4, 25, 10, 4]


@pytest.mark.parametrize(
    ("text", "language", "units", "reason"),
    [
        ("", "en", "words", "gives no text"),
        ("", "en", "visemes", "gives no text"),
        ("hello there", "en", "words", "no sentence of GRID"),
        ("bin blue at f two", "en", "words", "no sentence of GRID"),
        ("bonjour", "fr", "visemes", "zh and en only"),
    ],
)
def test_what_cannot_be_asked_for_is_undefined(
    text: str, language: str, units: str, reason: str
) -> None:
    with pytest.raises(bench.Undefined, match=re.escape(reason)):
        said(text, language, units)  # type: ignore[arg-type]


def test_the_phonemes_of_an_embedded_clip_have_times(corpus: list[bench.Clip]) -> None:
    clip = corpus[0]
    segments = phonemes_of(clip)
    assert [one.start for one in segments] == sorted(one.start for one in segments)
    units = collapsed([one.unit for one in spoken_in(clip, "visemes")])
    # Its speaker's accent is one of those in which the text is said.
    assert min(errors(units, way).rate for way in said(clip.text, "en", "visemes")) < 0.05
    for wrong in (replace(clip, text="another"), replace(clip, id="one")):
        with pytest.raises(bench.BenchError, match="embedded"):
            phonemes_of(wrong)


def test_grids_word_times_are_found_above_the_clip(tmp_path: Path) -> None:
    (tmp_path / "align" / "s1").mkdir(parents=True)
    rows = "0 23750 sil\n23750 29500 bin\n29500 34000 blue\n34000 74500 sil\n"
    (tmp_path / "align" / "s1" / "bbaf2n.align").write_text(rows)
    clip = bench.Clip("s1-bbaf2n", tmp_path / "video" / "s1" / "bbaf2n.mp4")
    assert grid.words_of(clip) == [
        grid.SpokenWord("bin", 0.95, 1.18),
        grid.SpokenWord("blue", 1.18, 1.36),
    ]
    with pytest.raises(bench.BenchError, match=r"expected align/s1/bbaf3n\.align"):
        grid.words_of(replace(clip, id="s1-bbaf3n"))


def test_visemes_are_read_as_runs() -> None:
    answers = np.full((7, len(VISEMES)), -9.0, np.float32)
    answers[np.arange(7), [0, 3, 3, 0, 3, 5, 0]] = 0.0
    assert read(answers, "visemes") == (3, 5)  # a rest amid one mouth shape does not double it
    answers[5, 3] = -1.0  # not sure enough to pay for one change more
    assert read(answers, "visemes") == (3,)


def test_the_calm_path_is_the_best_of_all() -> None:
    answers = np.random.default_rng(1).normal(0, 1.5, (5, 3)).astype(np.float32)

    def score(path: tuple[int, ...]) -> float:
        changes = sum(one != other for one, other in pairwise(path))
        return sum(answers[t, unit] for t, unit in enumerate(path)) - CHANGE * changes

    assert tuple(calm_path(answers)) == max(product(range(3), repeat=5), key=score)


def test_the_likeliest_sentence_is_found() -> None:
    random = np.random.default_rng(0)
    answers = np.log(random.dirichlet(np.ones(len(WORDS)), 7)).astype(np.float32)
    best, found = -np.inf, ()
    # By hand: six of the seven half frames speak, or all seven, one word for two of them.
    for words in product(*(sorted(slot, key=lambda w: -answers[:, w].max())[:6] for slot in SLOTS)):
        for cut in range(7):
            path = list(words)
            for extra in (REST, words[min(cut, 5)]):
                score = sum(
                    answers[t, unit] for t, unit in enumerate([*path[:cut], extra, *path[cut:]])
                )
                if score > best:
                    best, found = score, words
    assert best_sentence(answers) == found


def test_what_is_too_short_for_six_words_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        best_sentence(np.zeros((5, len(WORDS)), np.float32))


def test_labels_follow_the_places_of_a_clip() -> None:
    spoken = [Spoken(4, 0.04, 0.08), Spoken(2, 0.08, 0.12)]
    places = np.array([0.0, 1.0, 2.0, 3.0])
    assert labels_at(places, spoken).tolist() == [0, 0, 4, 4, 2, 2, 0, 0]
    assert labels_at(places[::2], spoken).tolist() == [0, 0, 2, 2]  # twice as fast
    assert labels_at(places, []).tolist() == [0] * 8


def test_a_clip_goes_by_slower_or_faster_and_never_back() -> None:
    random = np.random.default_rng(0)
    counts = set()
    for _ in range(50):
        places = timeline(60, 75, random)
        assert (np.diff(places) > 0).all()
        assert 0 <= places[0] <= places[-1] <= 59
        counts.add(len(places))
    assert min(counts) < 55
    assert max(counts) > 65


def stored(folder: Path, number: int) -> ReaderClip:
    """A clip of six words, 10 frames each; what is seen of it is its number."""
    place = folder / str(number)
    place.mkdir()
    np.save(place / "seen.npy", np.full((2, 60, 256), number, np.float16))
    words = [slot[number] for slot in SLOTS]
    rows = [(word, 0.4 * k, 0.4 * (k + 1)) for k, word in enumerate(words)]
    np.save(place / "spoken.npy", np.array(rows))
    return ReaderClip(str(number), "s1", "grid", place)


def test_sentences_are_put_together_of_several(tmp_path: Path) -> None:
    clips = [stored(tmp_path, number) for number in range(3)]
    sights, spoken = put_together([clips[k] for k in (0, 1, 2, 0, 1, 2)], 1)
    assert sights[:, 0].tolist() == [n for n in (0, 1, 2, 0, 1, 2) for _ in range(10)]
    assert [one.unit for one in spoken] == [SLOTS[k][n] for k, n in enumerate((0, 1, 2, 0, 1, 2))]
    assert [round(one.start, 6) for one in spoken] == [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]


def test_a_batch_is_a_function_of_its_step(tmp_path: Path) -> None:
    clips = [stored(tmp_path, number) for number in range(3)]
    batches = Batches(clips, Settings(units="words", clips=3), seed=1)
    one, again = batches[4], batches[4]
    assert torch.equal(one.seen, again.seen)
    assert torch.equal(one.labels, again.labels)
    assert one.seen.shape[0] == 3
    assert one.labels.shape[1] == STEPS * one.seen.shape[1]
    for row, length in enumerate(one.lengths.tolist()):
        assert (one.labels[row, length:] == UNKNOWN).all()
        assert (one.labels[row, :length] != UNKNOWN).all()
    assert not torch.equal(one.lengths, batches[5].lengths)


def test_a_clip_is_read_alike_alone_and_in_a_batch() -> None:
    torch.manual_seed(0)
    network = ReaderNetwork(len(VISEMES), dropout=0.5).eval()
    sights = torch.randn(2, 9, 256) / 16
    with torch.inference_mode():
        together, alone = network(sights), network(sights[1:])
    assert together.shape == (2, STEPS * 9, len(VISEMES))
    assert torch.allclose(together[1:], alone, atol=1e-4)
    assert torch.allclose(together.exp().sum(dim=2), torch.ones(2, STEPS * 9), atol=1e-5)


@pytest.mark.parametrize("units", ["visemes", "words"])
def test_the_shipped_files_are_small_and_say_what_they_are(units: str) -> None:
    metric = Reader(Reader.Options(units=units))  # type: ignore[arg-type]
    assert metric._path().stat().st_size < 6_000_000
    metric.load("cpu")
    assert metric.protocol.startswith(f"reader[{units}; face 96:{{faces}}; ")


def test_weights_of_other_units_are_refused() -> None:
    words = Reader(Reader.Options(units="words"))._path()
    with pytest.raises(
        bench.BenchError, match="expected a reader of visemes, found a reader of words"
    ):
        Reader(Reader.Options(weights=words)).load("cpu")
    with pytest.raises(bench.BenchError, match="weights are missing"):
        Reader(Reader.Options(weights=Path("nowhere"))).identity()


@pytest.fixture(scope="module")
def reader() -> Reader:
    metric = Reader()
    metric.load("cpu")
    return metric


def test_unseen_speakers_are_read_far_above_chance(
    reader: Reader, corpus: list[bench.Clip]
) -> None:
    lost = []  # evidence, by the text of another speech
    for clip, another in permutations(corpus):
        own = reader.measure(bench.Sample(case_of(clip), opened(clip)))
        other = reader.measure(bench.Sample(case_of(clip, another), opened(clip)))
        assert own["error_rate"] < own["chance"] - 0.25
        assert own["evidence"] > 2.0
        assert other["error_rate"] > own["error_rate"] + 0.25
        lost.append(own["evidence"] - other["evidence"])
    assert np.mean(lost) > 2.0


def test_a_still_mouth_says_next_to_nothing(reader: Reader, corpus: list[bench.Clip]) -> None:
    video = opened(corpus[0])
    still = np.repeat(video.read()[:1], len(video.read()), axis=0)
    sample = bench.Sample(case_of(corpus[0]), bench.Video.of(still, track=video.faces()))
    found = reader.measure(sample)
    assert found["error_rate"] > 0.85
    assert abs(found["evidence"]) < 0.5


@pytest.mark.parametrize("picture", ["grey", "black", "noise"])
def test_pictures_of_nothing_have_a_finite_rate(
    reader: Reader, corpus: list[bench.Clip], picture: str
) -> None:
    shape = (60, 128, 128, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    frames = {"grey": np.full(shape, 128, np.uint8), "black": np.zeros(shape, np.uint8)}
    track = given_track((30, 30, 60, 60), 60)
    video = bench.Video.of(frames.get(picture, noise), track=track)
    found = reader.measure(bench.Sample(case_of(corpus[0]), video))
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.shared
def test_the_speaker_of_grid_is_read_word_by_word(shared: Path, tmp_path: Path) -> None:
    clips = grid.import_grid(shared / "data" / "grid").clips
    asked = [clip for clip in clips if clip.split == "test_seen"][:2]
    metric = Reader(Reader.Options(units="words"))
    metric.load("cpu")
    for clip in asked:
        conformed = conform_clip(clip, cache=tmp_path)
        video = bench.Video(conformed.path, features=finding_faces("haar"), sha256=conformed.sha256)
        found = metric.measure(bench.Sample(case_of(clip), video))
        assert found["error_rate"] <= 1 / 3
        assert found["chance"] == pytest.approx(0.81)
        assert found["evidence"] > 5.0


def test_too_few_frames_and_no_face_have_no_value(reader: Reader, corpus: list[bench.Clip]) -> None:
    video = opened(corpus[0])
    short = bench.Video.of(video.read()[:4], track=given_track((30, 30, 60, 60), 4))
    with pytest.raises(bench.Undefined, match="4 frames"):
        reader.measure(bench.Sample(case_of(corpus[0]), short))

    def no_face(_video: bench.Video, _name: str) -> bench.Arrays:
        raise bench.Undefined("no face in any frame")

    faceless = bench.Video.of(video.read())
    faceless.features = no_face
    with pytest.raises(bench.Undefined, match="no face"):
        reader.measure(bench.Sample(case_of(corpus[0]), faceless))


def job(
    clips: list[bench.Clip], folder: Path, steps: int, *, resume: bool = False
) -> TrainJob[Settings]:
    settings = Settings(
        steps=steps, clips=2, frames=20, report_every=1, save_every=2, faces=("given",), average=0.5
    )
    named = tuple(replace(clip, speaker=f"synth/{clip.speaker}") for clip in clips)
    return TrainJob(
        train=named,
        val=named,
        settings=settings,
        folder=folder,
        seed=3,
        resume=resume,
        device="cpu",
        log=logging.getLogger("test"),
    )


@pytest.mark.slow
def test_training_goes_on_to_the_same_curve(corpus: list[bench.Clip], tmp_path: Path) -> None:
    whole = train(job(corpus, tmp_path / "whole", 2))
    part = job(corpus, tmp_path / "part", 2)
    train(replace(part, settings=part.settings.model_copy(update={"stop_after": 1e-6})))
    resumed = train(job(corpus, tmp_path / "part", 2, resume=True))
    rows = [list(csv.DictReader((path.parent / "curves.csv").open())) for path in (whole, resumed)]
    assert rows[0][-1] == rows[1][-1]
    assert whole.read_bytes() == resumed.read_bytes()
    metric = Reader(Reader.Options(weights=whole))
    metric.load("cpu")
    assert np.isfinite(metric.answers(opened(corpus[0]))).all()


def test_clips_without_word_times_are_no_data(corpus: list[bench.Clip], tmp_path: Path) -> None:
    asked = job([replace(clip, id=f"x{n}") for n, clip in enumerate(corpus)], tmp_path / "out", 2)
    with pytest.raises(bench.BenchError, match="its phonemes are not known"):
        train(asked)
