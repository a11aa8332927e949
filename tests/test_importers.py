"""Importers on trees in exactly the layouts of the corpora; frozen and seeded pairs."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.data.grid import import_grid
from bench.data.importers import IMPORTERS
from bench.data.manifest import Imported, check_id, read_manifest, write_manifest
from bench.data.pairs import partner, read_pairs, seeded_pairs
from bench.errors import BenchError
from bench.types import Clip


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of five frames with sound, to be copied under a corpus's names."""
    path = tmp_path_factory.mktemp("media") / "tiny.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), np.uint8)
    sound = np.random.default_rng(1).integers(-999, 999, 5 * 640).astype(np.int16)
    media.write_video(path, frames, sound=sound)
    return path


def put(tiny: Path, *places: Path) -> None:
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny, place)


def text(place: Path, content: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content, encoding="utf-8")


def by_id(imported: Imported) -> dict[str, Clip]:
    return {clip.id: clip for clip in imported.clips}


def survives_a_manifest(imported: Imported, root: Path, folder: Path) -> bool:
    write_manifest(folder / "manifest.csv", imported.clips, root=root)
    return read_manifest(folder / "manifest.csv") == imported.clips


def test_grid_as_converted_has_text_speaker_and_split(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "grid"
    put(tiny, root / "video/s1/bbaf2n.mp4", root / "original/s2/lwwz3s.mpg")
    put(tiny, root / "original/s2/pwij3p.mpg")
    text(
        root / "align/s1/bbaf2n.align", "0 9000 sil\n9000 20000 bin\n20000 21000 sp\n21000 3 blue\n"
    )
    text(root / "splits/train.txt", "s1/bbaf2n\ns1/gone1a\n")
    text(root / "splits/test_unseen.txt", "s2/lwwz3s\n")
    imported = import_grid(root)
    clips = by_id(imported)
    assert list(clips) == ["s1-bbaf2n", "s2-lwwz3s"]
    assert clips["s1-bbaf2n"].text == "bin blue"
    assert clips["s2-lwwz3s"].text == "lay white with z three soon"
    assert (clips["s1-bbaf2n"].speaker, clips["s1-bbaf2n"].split) == ("s1", "train")
    assert (clips["s2-lwwz3s"].speaker, clips["s2-lwwz3s"].split) == ("s2", "test_unseen")
    assert dict(imported.dropped) == {
        "s1/gone1a": "listed as train, but not there",
        "s2/pwij3p": "in none of the split lists",
    }
    assert survives_a_manifest(imported, root, tmp_path)


@pytest.mark.parametrize("place", ["{}", "{}/video", "{}/video/mpg_6000"])
def test_grid_as_the_corpus_lies_is_split_by_rule(tiny: Path, tmp_path: Path, place: str) -> None:
    names = [f"b{c}a{x}{d}n" for c in "bgrw" for x in "ab" for d in "z12345"]
    for speaker in ("s1", "s3"):
        put(tiny, *(tmp_path / place.format(speaker) / f"{name}.mpg" for name in names))
    clips = by_id(import_grid(tmp_path))
    assert len(clips) == 2 * len(names)
    assert {clip.split for clip in clips.values() if clip.speaker == "s1"} == {"test_unseen"}
    seen = Counter(clip.split for clip in clips.values() if clip.speaker == "s3")
    assert set(seen) <= {"train", "val", "test_seen"}
    assert seen["train"] > len(names) / 2
    assert clips["s3-bbaazn"].text == "bin blue at a zero now"


def test_grid_keeps_one_file_of_a_clip_and_says_so(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "video/s1/bbaf2n.mp4", tmp_path / "original/s1/bbaf2n.mpg")
    imported = import_grid(tmp_path)
    assert [clip.video.suffix for clip in imported.clips] == [".mp4"]
    assert imported.dropped == [("original/s1/bbaf2n.mpg", "the same clip as video/s1/bbaf2n.mp4")]


def test_grid_refuses_a_clip_in_two_splits(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "s1/bbaf2n.mpg")
    text(tmp_path / "splits/train.txt", "s1/bbaf2n\n")
    text(tmp_path / "splits/val.txt", "\ns1/bbaf2n\n")
    with pytest.raises(BenchError, match=r"val\.txt:2: s1/bbaf2n stands in train\.txt already"):
        import_grid(tmp_path)


def test_lrs2_main_is_read_and_pretrain_is_not(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "lrs2"
    one, two = "5535415699068794046/00001", "6330311066473698535/00011"
    put(tiny, *(root / f"main/{name}.mp4" for name in (one, two)))
    put(tiny, root / "main/6330311066473698535/00099.mp4", root / "pretrain/553/00001.mp4")
    text(root / f"main/{one}.txt", "Text:  WHEN YOU'RE COOKING CHIPS\nConf:  4\n")
    text(root / "train.txt", f"{one}\n")
    text(root / "val.txt", "")
    text(root / "test.txt", f"{two} MV\n")
    imported = IMPORTERS["lrs2"](root)
    clips = by_id(imported)
    assert set(clips) == {"5535415699068794046-00001", "6330311066473698535-00011"}
    first = clips["5535415699068794046-00001"]
    assert first.text == "WHEN YOU'RE COOKING CHIPS"
    assert (first.speaker, first.split, first.language) == ("5535415699068794046", "train", "en")
    assert clips["6330311066473698535-00011"].split == "test"
    assert {name for name, _ in imported.dropped} == {"6330311066473698535/00099", "pretrain"}
    assert survives_a_manifest(imported, root, tmp_path)


@pytest.mark.parametrize(
    "sentence",
    ["桂林山水甲天下\n", "桂林 山水 甲天下\n", "桂林 0.1 0.4\n山水 0.4 0.8\n甲天下 0.8 1.5\n"],
)
def test_cmlr_joins_video_audio_text_and_lists(tiny: Path, tmp_path: Path, sentence: str) -> None:
    root = tmp_path / "cmlr"
    name = "s1/20170121/section_2_000.40_002.98"
    silent = "s11/20100508/section_3_000.61_002.72"
    put(tiny, root / f"video/{name}.mp4", root / f"video/{silent}.mp4")
    put(tiny, root / f"audio/{name}.wav")
    text(root / f"text/{name}.txt", sentence)
    text(root / "train.csv", f"{name}\n")
    text(root / "test.csv", f"{silent}\ns2/20100101/section_1_000.03_001.87\n")
    imported = IMPORTERS["cmlr"](root)
    (clip,) = imported.clips
    assert clip.id == "s1-20170121-section_2_000.40_002.98"
    assert clip.audio == root / f"audio/{name}.wav"
    assert (clip.text, clip.speaker, clip.language) == ("桂林山水甲天下", "s1", "zh")
    assert clip.split == "train"
    assert dict(imported.dropped) == {
        silent: f"no sound file audio/{silent}.wav",
        "s2/20100101/section_1_000.03_001.87": "listed as test, but not there",
    }
    assert survives_a_manifest(imported, root, tmp_path)


def test_cmlr_lists_may_have_headers_folders_and_more_cells(tiny: Path, tmp_path: Path) -> None:
    name = "s1/20170121/section_2_000.40_002.98"
    put(tiny, tmp_path / f"video/{name}.mp4", tmp_path / f"audio/{name}.wav")
    text(tmp_path / "val.csv", f"path,label\nvideo/{name}.mp4,某某\n")
    assert IMPORTERS["cmlr"](tmp_path).clips[0].split == "val"


def test_cmlr_in_archives_is_told_to_unpack(tmp_path: Path) -> None:
    text(tmp_path / "video/s1.zip", "PK")
    with pytest.raises(BenchError, match="Unpack the archives"):
        IMPORTERS["cmlr"](tmp_path)


def test_folder_takes_texts_sounds_and_awkward_names(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "my clips"
    put(tiny, root / "one.mp4", root / "anna/two words.MOV", root / "anna/桂林+1.mp4")
    put(tiny, root / "anna/桂林~1.mp4", root / ".trash/x.mp4", root / "one.wav")
    text(root / "one.txt", "first line\nsecond line\n")
    (root / "broken.mp4").symlink_to(root / "nowhere.mp4")
    imported = IMPORTERS["folder"](root)
    clips = by_id(imported)
    assert set(clips) == {"one", "anna-two words", "anna-桂林-1"}
    assert clips["one"].audio == root / "one.wav"
    assert clips["one"].text == "first line second line"
    assert (clips["one"].speaker, clips["anna-two words"].speaker) == ("", "anna")
    assert {name for name, _ in imported.dropped} == {"broken.mp4", "anna/桂林~1.mp4"}
    assert all(check_id(name) for name in clips)
    assert survives_a_manifest(imported, root, tmp_path)


@pytest.mark.parametrize("name", sorted(IMPORTERS))
def test_an_empty_folder_is_a_plain_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(BenchError, match="Looked for"):
        IMPORTERS[name](tmp_path)
    with pytest.raises(BenchError):
        IMPORTERS[name](tmp_path / "none")


@pytest.mark.shared
def test_grid_of_the_development_data(shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "grid"
    imported = import_grid(root)
    counts = Counter(clip.split for clip in imported.clips)
    assert counts == {"train": 859, "val": 40, "test_seen": 60, "test_unseen": 27}
    assert imported.dropped == []
    assert sum(not clip.text for clip in imported.clips) == 4  # those of unnamed speakers
    assert survives_a_manifest(imported, root, tmp_path)


def people(**clips: int) -> list[Clip]:
    return [
        Clip(f"{name}{n}", Path(f"/data/{name}/0000{n}.mp4"), speaker=name, text=f"{name} {n}")
        for name, count in clips.items()
        for n in range(count)
    ]


def test_wav2lip_lists_name_the_sound_first(tmp_path: Path) -> None:
    clips = people(a=3, b=2)
    text(tmp_path / "list.txt", "b/00001 a/00000\n\na/00002 b/00000\nb/00001 a/00000\n")
    pairs = read_pairs(tmp_path / "list.txt", clips)
    assert [(face.id, speech.id) for face, speech in pairs] == [("a0", "b1"), ("b0", "a2")]


def test_resynced_lists_name_the_video_first(tmp_path: Path) -> None:
    text(tmp_path / "list.txt", "a/00000.mp4 b/00001.wav\na/00001.mp4\tb1\n")
    pairs = read_pairs(tmp_path / "list.txt", people(a=3, b=2), order="video audio")
    assert [(face.id, speech.id) for face, speech in pairs] == [("a0", "b1"), ("a1", "b1")]


def test_names_with_dots_are_no_endings(tmp_path: Path) -> None:
    names = ["section_2_000.40_002.98", "section_2_000.40_003.98"]
    clips = [
        Clip(str(n), Path(f"/v/s1/1/{x}.mp4"), Path(f"/a/s1/1/{x}.wav"))
        for n, x in enumerate(names)
    ]
    text(tmp_path / "list.txt", f"s1/1/{names[0]} {names[1]}\n")
    assert [(f.id, s.id) for f, s in read_pairs(tmp_path / "list.txt", clips)] == [("1", "0")]


def test_bad_lines_of_a_list_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    text(path, "a/00000 b/00001\nzzz a0\na0\na0 a0\n00000 b1\n")
    with pytest.raises(BenchError) as caught:
        read_pairs(path, people(a=2, b=2))
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == ["2", "3", "4", "5"]
    assert "'zzz' is no clip" in lines[0]
    assert "may be several clips" in lines[3]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe a"])
def test_lists_without_pairs_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(BenchError, match=r"list\.txt"):
        read_pairs(tmp_path / "list.txt", people(a=2))


@pytest.mark.parametrize("sizes", [{"a": 2}, {"a": 7}, {"a": 5, "b": 5}, {"a": 9, "b": 2, "c": 1}])
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_seeded_pairs_give_every_clip_another_ones_speech(sizes: dict[str, int], seed: int) -> None:
    clips = people(**sizes)
    pairs = seeded_pairs(clips, seed)
    ids = sorted(clip.id for clip in clips)
    assert sorted(face.id for face, _ in pairs) == ids
    assert sorted(speech.id for _, speech in pairs) == ids
    assert all(face.id != speech.id for face, speech in pairs)
    most = min(len(clips), 2 * (len(clips) - max(sizes.values())))
    assert sum(face.speaker != speech.speaker for face, speech in pairs) == most


def test_pairs_rest_on_ids_and_seed_only() -> None:
    clips = people(a=6, b=6)
    assert seeded_pairs(clips, 3) == seeded_pairs(clips[::-1], 3)
    assert seeded_pairs(clips, 3) != seeded_pairs(clips, 4)
    assert partner(clips, 3) == partner(clips[::-1], 3)
    assert seeded_pairs(clips, 3, 4) == seeded_pairs(clips, 3)[:4]


def test_pairs_avoid_equal_texts() -> None:
    clips = [Clip(f"c{n}", Path("v"), speaker="x", text=f"text {n % 2}") for n in range(10)]
    assert all(face.text != speech.text for face, speech in seeded_pairs(clips, 1))
    others = partner(clips, 1)
    assert all(others[clip.id].text != clip.text for clip in clips)


def test_partner_is_another_clip_of_the_same_speaker_where_there_is_one() -> None:
    clips = people(a=4, b=2, c=1)
    others = partner(clips, 5)
    assert all(others[clip.id].id != clip.id for clip in clips)
    assert all(others[c.id].speaker == c.speaker for c in clips if c.speaker != "c")
    assert others["c0"].speaker in "ab"


def test_few_clips_give_no_pairs_and_too_many_wanted_is_an_error() -> None:
    assert seeded_pairs(people(a=1), 0) == []
    assert partner(people(a=1), 0) == {}
    with pytest.raises(BenchError, match="count is 3"):
        seeded_pairs(people(a=2), 0, 3)
