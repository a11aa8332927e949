"""The embedded corpora: speech, mouth shapes, faces, splits and their files."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bench.data.manifest import read_manifest
from bench.data.synth import CORPORA, build, corpus
from bench.data.synth.clip import MAX_FRAMES, Utterance, points, utter
from bench.data.synth.corpus import (
    CLIPS,
    SEED,
    SPEAKERS,
    ClipPlan,
    clips_of,
    person_of,
    plan_clips,
    plan_of,
    speakers,
    strangers,
)
from bench.data.synth.identity import Identity, identity
from bench.data.synth.mouth import MouthPainter
from bench.data.synth.portrait import MOUTH_Y
from bench.data.synth.sentences import (
    ENGLISH_LIMIT,
    NEWS_LIMIT,
    SIGHTS_LIMIT,
    SPLITS,
    sentences,
    sentences_of,
)
from bench.data.synth.speech import Synthesiser
from bench.data.synth.visemes import REST, Segment, Shape, shapes_of, track
from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLES_PER_FRAME, Clip
from bench.media import probe, read_frames, read_sound

LANGUAGES = ("zh", "en")


def person(language: str, *, woman: bool = False, number: int = 1) -> Identity:
    return identity(language, woman=woman, number=number, seed=SEED[language])


def said(language: str, text: str, *, woman: bool = False) -> Utterance:
    return utter(person(language, woman=woman), [text], np.random.default_rng(3))


def spoken(phonemes: str, *, frames: int = 25, seconds: float = 0.16) -> list[Shape]:
    """The mouth's shapes for phonemes of equal length after 0.2 s of rest."""
    segments = [Segment("", 0.0, 0.2)]
    at = 0.2
    for phoneme in phonemes.split():
        segments.append(Segment(phoneme, at, at + seconds))
        at += seconds
    segments.append(Segment("", at, at + 2.0))
    return track(segments, frames, loudness=np.ones(frames, np.float32))


@pytest.fixture(scope="module")
def painter() -> MouthPainter:
    return MouthPainter(person("zh").look, MOUTH_Y, np.random.default_rng(1))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    build("synth-zh", "test", folder=folder, clips=2, workers=1)
    return folder


@pytest.fixture(scope="module")
def clips(built: Path) -> list[Clip]:
    return read_manifest(built / "test-2" / "manifest.csv")


# Sentences and splits


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_in_two_splits(language: str) -> None:
    every = [sentences_of(language, split, SEED[language]) for split in SPLITS[:4]]
    assert len({one.text for split in every for one in split}) == sum(map(len, every))
    assert sum(map(len, every[:3])) == len(sentences(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_speaker_is_in_two_splits(language: str) -> None:
    who = [one for split in SPLITS[:3] for one in speakers(language, split)]
    assert len(set(who)) == len(who)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_person_of_test_says_eight_further_sentences_in_person(language: str) -> None:
    persons = speakers(language, "test")
    plans = plan_clips(language, "person", clips_of(language, "person"))
    assert Counter(plan.speaker for plan in plans) == dict.fromkeys(persons, 8)
    tested = plan_clips(language, "test", CLIPS["test"])
    assert len({plan.id for plan in [*plans, *tested]}) == len(plans) + len(tested)
    assert len({plan.texts[0] for plan in plans}) == len(plans)
    for plan in (plans[9], tested[9]):
        assert plan_of(Clip(id=plan.id, video=Path("none.mp4"), split=plan.split)) == plan


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_clip_of_the_crowd_is_of_another_person_who_says_what_train_says(
    language: str,
) -> None:
    plans = plan_clips(language, "crowd", 60)
    assert plans[:20] == plan_clips(language, "crowd", 20)
    names = {person_of(language, plan.speaker).name for plan in plans}
    known = [one for split in SPLITS[:3] for one in speakers(language, split)]
    assert len(names) == 60
    assert not names & {person_of(language, speaker).name for speaker in known}
    trained = {one.text for one in sentences_of(language, "train", SEED[language])}
    assert {text for plan in plans for text in plan.texts} <= trained
    assert sum(plan.speaker.woman for plan in plans) == 30
    place = Clip(id=plans[7].id, video=Path("none.mp4"), split="crowd")
    assert plan_of(place) == plans[7]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_crowd_differs_more_than_the_speakers_of_train(language: str) -> None:
    crowd = [person_of(language, speaker) for speaker in strangers(60)]
    usual = [person_of(language, speaker) for speaker in speakers(language, "train")]
    values: dict[str, Callable[[Identity], float]] = {
        "skin": lambda one: float(np.mean(one.look.skin)),
        "size": lambda one: float(np.log(one.look.size)),
        "light": lambda one: one.look.light_x,
        "mouth": lambda one: one.look.mouth_width,
        "age": lambda one: one.look.age,
        "pitch": lambda one: one.voice.pitch,
        "reverb": lambda one: one.voice.reverb,
        "articulation": lambda one: one.manner.articulation,
        "yaw": lambda one: one.filming.yaw,
        "crf": lambda one: one.filming.crf,
    }
    for name, of in values.items():
        assert np.std([of(one) for one in crowd]) > 1.1 * np.std([of(one) for one in usual]), name
    assert strangers(3) == strangers(60)[:3]


def test_the_crowd_is_rendered_turned_and_as_coarse_as_its_persons_say(tmp_path: Path) -> None:
    (clip,) = read_manifest(build("synth-en", "crowd", folder=tmp_path, clips=1, workers=1))
    frames, sound = read_frames(clip.video), read_sound(clip.video)
    assert sound is not None
    assert len(sound) == len(frames) * SAMPLES_PER_FRAME
    person = person_of("en", strangers(1)[0])
    straight = replace(person, filming=replace(person.filming, yaw=0.0, pitch=0.0, roll=0.0))
    (plan,) = plan_clips("en", "crowd", 1)
    (_, as_filmed), (_, facing) = (points(one, plan.texts, plan.seed) for one in (person, straight))
    # The tip of the nose is nearer than the jaw, so it moves more as the head turns.
    tip, jaw = ((one.nose[:, 1] - one.jaw.mean(axis=1))[:, 0].mean() for one in (as_filmed, facing))
    assert (tip - jaw) * person.filming.yaw > 0
    x, y, width, height = clip.box or (0.0, 0.0, 0.0, 0.0)
    mouth = as_filmed.mouth.mean(axis=(0, 1))
    assert x < mouth[0] < x + width
    assert y + height / 2 < mouth[1] < y + height


def test_mandarin_test_split_has_the_six_men_and_five_women_of_clr() -> None:
    women = [speaker.woman for speaker in speakers("zh", "test")]
    assert (women.count(False), women.count(True)) == (6, 5)
    assert sum(SPEAKERS["en"]["test"]) >= 8


def test_sentences_keep_the_limits_of_the_corpora() -> None:
    for sentence in sentences("zh"):
        assert len(sentence.text) <= (NEWS_LIMIT if sentence.topic == "news" else SIGHTS_LIMIT)
    assert max(len(sentence.text) for sentence in sentences("en")) <= ENGLISH_LIMIT


def test_two_phrases_of_a_clip_keep_the_limit_too() -> None:
    for split in SPLITS:
        topics = {s.text: s.topic for s in sentences_of("zh", split, SEED["zh"])}
        for plan in plan_clips("zh", split, clips_of("zh", split)):
            topic = {topics[text] for text in plan.texts}
            assert len(topic) == 1
            limit = NEWS_LIMIT if topic == {"news"} else SIGHTS_LIMIT
            assert sum(map(len, plan.texts)) <= limit


@pytest.mark.parametrize("language", LANGUAGES)
def test_more_clips_only_add_clips(language: str) -> None:
    few, many = plan_clips(language, "train", 20), plan_clips(language, "train", 60)
    assert many[:20] == few
    assert len({plan.id for plan in many}) == 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_split_speaks_with_all_its_speakers(language: str) -> None:
    plans: list[ClipPlan] = plan_clips(language, "test", CLIPS["test"])
    assert {plan.speaker for plan in plans} == set(speakers(language, "test"))


# Speech


@pytest.mark.parametrize("variant", ["f1", "f2", "m3"])  # f2 is breathy, which is noise
def test_same_text_and_voice_give_the_same_samples_each_time(variant: str) -> None:
    voice = replace(person("zh", woman=True).voice, variant=variant)

    def speak() -> tuple[list[float], tuple[Segment, ...]]:
        with Synthesiser() as synthesiser:
            result = synthesiser.speak("桂林山水甲天下。", "cmn", voice, rate=220)
        return result.samples.tolist(), result.segments

    before = speak()
    time.sleep(1.1)  # unless seeded, espeak-ng takes its noise from the time in seconds
    assert speak() == before


def test_phonemes_cover_the_speech_in_order() -> None:
    with Synthesiser() as synthesiser:
        result = synthesiser.speak("The mayor met both.", "en", person("en").voice, rate=170)
    starts = [segment.start for segment in result.segments]
    assert starts == sorted(starts)
    assert result.segments[-1].end == pytest.approx(len(result.samples) / 16_000, abs=0.01)


def test_unknown_voice_is_an_error_with_its_name() -> None:
    with Synthesiser() as synthesiser, pytest.raises(BenchError, match="xx\\+"):
        synthesiser.speak("hello", "xx", person("en").voice, rate=170)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phoneme_of_the_corpora_has_a_mouth_shape(language: str) -> None:
    dialects = ("cmn",) if language == "zh" else ("en", "en-us", "en-GB-x-rp", "en-GB-scotland")
    voice, missing = person(language).voice, set()
    texts = [s.text for s in sentences(language)][::3]
    with Synthesiser() as synthesiser:
        for text, dialect in product(texts, dialects):
            for segment in synthesiser.speak(text, dialect, voice, rate=200).segments:
                if segment.phoneme and not shapes_of(segment.phoneme):
                    missing.add(segment.phoneme)
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_utterance_fits_three_seconds_and_whole_frames(language: str) -> None:
    longest = max((s.text for s in sentences(language)), key=len)
    for woman in (False, True):
        result = said(language, longest, woman=woman)
        assert 0 < result.frames <= MAX_FRAMES
        assert len(result.sound) == result.frames * SAMPLES_PER_FRAME
        last = [segment for segment in result.segments if segment.phoneme][-1]
        assert last.end <= result.frames / FPS


# Mouth shapes


@pytest.mark.parametrize("labial", ["p", "b", "m"])
def test_bilabials_close_between_open_vowels(labial: str, painter: MouthPainter) -> None:
    shapes = spoken(f"a {labial} a", seconds=0.12)
    at = int((0.2 + 0.12 + 0.06) * FPS)
    openings = [painter.edges(shape).opening for shape in shapes]
    assert openings[at] < 0.01
    assert max(openings[at - 4 : at]) > 0.1
    assert max(openings[at + 1 : at + 5]) > 0.1


def test_short_closure_is_seen_at_25_frames_a_second(painter: MouthPainter) -> None:
    for shift in np.linspace(0.0, 0.04, 6):
        segments = [Segment("a", 0.0, 0.30 + shift), Segment("m", 0.30 + shift, 0.33 + shift)]
        segments.append(Segment("a", 0.33 + shift, 0.8))
        shapes = track(segments, 18, loudness=np.ones(18, np.float32))
        assert min(painter.edges(shape).opening for shape in shapes[5:12]) < 0.05


def test_vowels_have_different_shapes(painter: MouthPainter) -> None:
    middle = int((0.2 + 0.15) * FPS)
    a, i, u = (spoken(vowel, seconds=0.3)[middle] for vowel in ("a", "i", "u"))
    edges = {name: painter.edges(shape) for name, shape in (("a", a), ("i", i), ("u", u))}
    assert edges["a"].opening > 1.8 * max(edges["i"].opening, edges["u"].opening)
    assert edges["i"].half_width > edges["a"].half_width > 1.15 * edges["u"].half_width


def test_labiodentals_bring_the_lower_lip_to_the_teeth(painter: MouthPainter) -> None:
    shape = spoken("a f a", seconds=0.14)[int((0.2 + 0.14 + 0.07) * FPS)]
    edges = painter.edges(shape)
    middle = len(edges.upper_inner) // 2
    assert shape.tuck > 0.8
    assert edges.upper_inner[middle] < -0.01  # the upper lip leaves the teeth free
    # and the lower lip is where they end, 0.034 below the line on average
    assert 0.0 < edges.lower_inner[middle] < 0.04


def test_rounding_of_a_vowel_reaches_into_the_consonant_before_it() -> None:
    at = int((0.2 + 0.08) * FPS)
    assert spoken("s u")[at].round > spoken("s i")[at].round + 0.05


def test_rest_is_a_closed_mouth() -> None:
    shapes = spoken("a", frames=30)
    assert shapes[0].close == pytest.approx(REST.close)
    assert shapes[-1].close == pytest.approx(REST.close)


@pytest.mark.parametrize("language", LANGUAGES)
def test_mouth_opens_with_the_sound(language: str, painter: MouthPainter) -> None:
    text = "欢迎收看新闻联播。" if language == "zh" else "Maybe both of them are wrong."
    result = said(language, text)
    openings = np.array([painter.edges(shape).opening for shape in result.shapes])
    assert np.corrcoef(openings, result.loudness)[0, 1] > 0.5


# Files


def test_clips_have_the_corpus_format(clips: list[Clip]) -> None:
    assert [clip.id for clip in clips] == [plan.id for plan in plan_clips("zh", "test", 2)]
    for clip in clips:
        facts = probe(clip.video)
        assert (facts.width, facts.height, facts.fps) == (256, 256, 25)
        frames, sound = read_frames(clip.video), read_sound(clip.video)
        assert sound is not None
        assert len(sound) == len(frames) * SAMPLES_PER_FRAME
        assert len(frames) <= MAX_FRAMES
        assert clip.language == "zh"
        assert clip.split == "test"
        assert clip.box is not None
        x, y, width, height = clip.box
        assert 0 < x < x + width < 256
        assert 0 < y < y + height < 256


def test_drawn_mouth_follows_the_shapes(clips: list[Clip]) -> None:
    """The change between the lips grows with the opening that the shapes give."""
    clip = clips[0]
    plan = plan_clips("zh", "test", 1)[0]
    rng = np.random.default_rng([*plan.seed, 41])
    who = person("zh", woman=plan.speaker.woman, number=plan.speaker.number)
    shapes = utter(who, plan.texts, rng).shapes
    painter = MouthPainter(who.look, MOUTH_Y * who.look.face_length, np.random.default_rng(1))
    openings = np.array([painter.edges(shape).opening for shape in shapes])
    frames = read_frames(clip.video).astype(np.float32)
    assert clip.box is not None
    x, y, width, height = clip.box
    left, right = int(x + 0.4 * width), int(x + 0.6 * width)
    top, bottom = int(y + 0.62 * height), int(y + 0.92 * height)
    mouth = frames[:, top:bottom, left:right]
    closed = mouth[openings < 0.01].mean(axis=0)
    change = np.abs(mouth - closed).mean(axis=(1, 2, 3))
    assert np.corrcoef(change, openings)[0, 1] > 0.6


def test_an_existing_split_is_reused(built: Path, clips: list[Clip]) -> None:
    before = clips[0].video.stat().st_mtime_ns
    calls: list[tuple[int, int]] = []
    build("synth-zh", "test", folder=built, clips=2, progress=lambda *done: calls.append(done))
    assert calls == []
    assert clips[0].video.stat().st_mtime_ns == before


def test_only_the_damaged_clip_of_a_split_is_rendered_again(
    built: Path, clips: list[Clip], tmp_path: Path
) -> None:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    first, second = read_manifest(tmp_path / "test-2" / "manifest.csv")
    whole = first.video.read_bytes()
    kept = second.video.stat().st_ino
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    first.video.write_bytes(flipped)
    again = read_manifest(build("synth-zh", "test", folder=tmp_path, clips=2, workers=1))
    assert [clip.sha256 for clip in again] == [clip.sha256 for clip in clips]
    assert first.video.read_bytes() == whole
    assert second.video.stat().st_ino == kept
    assert sorted(path.name for path in (tmp_path / "test-2").iterdir()) == [
        "manifest.csv",
        "videos",
    ]


@pytest.mark.slow
def test_an_interrupted_build_continues_and_gives_the_same_bytes(
    tmp_path: Path, clips: list[Clip]
) -> None:
    def stop(done: int, _count: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build("synth-zh", "test", folder=tmp_path, clips=2, workers=1, progress=stop)
    assert not (tmp_path / "test-2").exists()
    again = read_manifest(build("synth-zh", "test", folder=tmp_path, clips=2, workers=1))
    assert [clip.sha256 for clip in again] == [clip.sha256 for clip in clips]
    assert again[1].video.read_bytes() == clips[1].video.read_bytes()


def _build_one(folder: Path) -> str:
    return str(build("synth-en", "val", folder=folder, clips=1, workers=1))


@pytest.mark.slow
def test_two_processes_can_build_the_same_split(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(_build_one, [tmp_path, tmp_path])
    assert len(set(paths)) == 1
    (clip,) = read_manifest(Path(paths[0]))
    assert len(read_frames(clip.video)) > 10


def test_a_speakers_clips_are_a_part_of_a_split(built: Path, clips: list[Clip]) -> None:
    manifest = build("synth-zh", "test", folder=built, clips=2, speaker="zh-f01")
    (own,) = read_manifest(manifest)
    assert own == replace(clips[1], video=own.video)
    assert own.video.read_bytes() == clips[1].video.read_bytes()
    coming = {clip.id: clip for clip in corpus.unrendered_clips("zh", "test", built)}
    assert len(coming) == CLIPS["test"]
    named = coming["zh-f01-0001"]
    assert (named.speaker, named.language, named.sha256) == ("zh-f01", "zh", "")
    with pytest.raises(BenchError, match="'zh-f09' has no clip in the split 'test'"):
        build("synth-zh", "test", folder=built, clips=2, speaker="zh-f09")


def test_unknown_corpora_splits_and_numbers_are_refused() -> None:
    with pytest.raises(BenchError, match="synth-fr"):
        build("synth-fr")
    with pytest.raises(BenchError, match="dev"):
        build("synth-zh", "dev")
    with pytest.raises(BenchError, match="clips: 0"):
        build("synth-zh", "test", clips=0)
    assert set(CORPORA) == {"synth-zh", "synth-en"}


def test_clips_of_another_number_are_taken_over_and_not_rendered_again(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = built / "test-2" / "manifest.csv"
    shutil.copytree(both.parent, tmp_path / both.parent.name)

    def shoot(*_: object) -> None:
        raise AssertionError("a finished clip is rendered again")

    monkeypatch.setattr(corpus, "shoot", shoot)
    one = build("synth-zh", folder=tmp_path, clips=1, workers=1)
    (clip,), (first, _) = read_manifest(one), read_manifest(both)
    assert one.read_text().splitlines() == both.read_text().splitlines()[:2]
    assert clip.video.read_bytes() == first.video.read_bytes()
    assert not (one.parent / "notes").exists()

    damaged = tmp_path / both.parent.name / "videos" / f"{first.id}.mp4"
    damaged.write_bytes(b"damaged")
    shutil.rmtree(one.parent)
    with pytest.raises(AssertionError, match="rendered again"):
        build("synth-zh", folder=tmp_path, clips=1, workers=1)
