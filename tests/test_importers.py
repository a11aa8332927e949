"""Importers on folders in the exact layouts of the corpora; listed and seeded pairs."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import media
from bench.contract.importer import Imported
from bench.data.folder import Layout, import_folder
from bench.data.grid import import_grid
from bench.data.importers import register_importers
from bench.data.manifest import check_id, read_manifest, write_manifest
from bench.data.pairs import partner, read_pairs, seeded_pairs
from bench.ground.errors import BenchError
from bench.ground.types import Clip
from tests.test_run import bench

IMPORTERS = {importer.name: importer().read for importer in register_importers()}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of five frames with sound, to be copied under the names of a corpus."""
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


def test_a_converted_grid_has_text_speaker_and_split(tiny: Path, tmp_path: Path) -> None:
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
        "s1/gone1a": "listed as train, but has no file",
        "s2/pwij3p": "in none of the split lists",
    }
    assert survives_a_manifest(imported, root, tmp_path)


@pytest.mark.parametrize("place", ["{}", "{}/video", "{}/video/mpg_6000"])
def test_grid_in_its_original_layout_is_split_by_rule(
    tiny: Path, tmp_path: Path, place: str
) -> None:
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


def test_grid_keeps_one_file_of_a_clip_and_reports_the_other(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "video/s1/bbaf2n.mp4", tmp_path / "original/s1/bbaf2n.mpg")
    imported = import_grid(tmp_path)
    assert [clip.video.suffix for clip in imported.clips] == [".mp4"]
    assert imported.dropped == [("original/s1/bbaf2n.mpg", "the same clip as video/s1/bbaf2n.mp4")]


def test_grid_refuses_a_clip_in_two_splits(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "s1/bbaf2n.mpg")
    text(tmp_path / "splits/train.txt", "s1/bbaf2n\n")
    text(tmp_path / "splits/val.txt", "\ns1/bbaf2n\n")
    with pytest.raises(BenchError, match=r"val\.txt:2: s1/bbaf2n is already in train\.txt"):
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
        "s2/20100101/section_1_000.03_001.87": "listed as test, but has no file",
    }
    assert survives_a_manifest(imported, root, tmp_path)


def test_cmlr_lists_may_have_headers_folders_and_more_cells(tiny: Path, tmp_path: Path) -> None:
    name = "s1/20170121/section_2_000.40_002.98"
    put(tiny, tmp_path / f"video/{name}.mp4", tmp_path / f"audio/{name}.wav")
    text(tmp_path / "val.csv", f"path,label\nvideo/{name}.mp4,某某\n")
    assert IMPORTERS["cmlr"](tmp_path).clips[0].split == "val"


CMLR_NAME = "s1/20170121/section_2_000.40_002.98"
FORMS = {
    "as it is given out": "{name}",
    "with an ending": "{name}.mp4",
    "with the text's ending": "{name}.txt",
    "with a large ending": "{name}.MP4",
    "below video": "video/{name}.mp4",
    "below the data set": "CMLR/video/{name}.mp4",
    "below a dot": "./video/{name}",
    "with a full path": "/data/sets/cmlr/video/{name}.mp4",
    "with backslashes": "video\\{windows}.mp4",
    "with backslashes and a drive": "D:\\CMLR\\video\\{windows}.mp4",
    "joined by underscores": "{joined}",
    "joined, with an ending": "{joined}.mp4",
    "as this project's ids": "{ids}",
    "with a transcript behind a blank": "{name} 桂林山水甲天下",
    "with a transcript behind a tab": "{name}\t桂林 山水 甲天下",
    "with a count of frames": "{name},62",
    "with a count of frames in front": "0,{name}.mp4,62",
    "as auto-avsr writes it": "cmlr,cmlr_video_seg24s/{name}.mp4,62,12 7 8",
    "with a bar": "{name}|桂林山水甲天下",
    "with semicolons": "{name};62",
    "in quotes": '"{name}","桂林,山水"',
    "with blanks around": "  {name}  ",
    "with a cell for each part": "{cells}",
    "in json lines": '{{"id": "{name}", "frames": 62}}',
}
WRAPPERS = {
    "plain": lambda lines: "\n".join(lines).encode(),
    "header": lambda lines: "\n".join(["path,label", *lines, ""]).encode(),
    "windows": lambda lines: b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode(),
    "utf-16": lambda lines: "\n".join(lines).encode("utf-16"),
    "blank lines": lambda lines: "\n\n".join(["", *lines, ""]).encode(),
    "gbk": lambda lines: "\n".join(lines).encode("gb18030"),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("form", FORMS)
def test_lists_of_cmlr_are_read_in_every_form(
    tiny: Path, tmp_path: Path, form: str, wrapper: str
) -> None:
    here, gone = CMLR_NAME, "s2/20100101/section_1_000.03_001.87"
    put(tiny, tmp_path / f"video/{here}.mp4", tmp_path / f"audio/{here}.wav")
    lines = [
        FORMS[form].format(
            name=name,
            windows=name.replace("/", "\\"),
            joined=name.replace("/", "_"),
            ids=name.replace("/", "-"),
            cells=name.replace("/", ","),
        )
        for name in (here, gone)
    ]
    (tmp_path / "val.csv").write_bytes(WRAPPERS[wrapper](lines))
    imported = IMPORTERS["cmlr"](tmp_path)
    assert [clip.split for clip in imported.clips] == ["val"]
    assert imported.dropped == [(gone, "listed as val, but has no file")]
    (note,) = imported.notes
    assert note.startswith("no list of train, test: looked in the root, filelists, ")


@pytest.mark.parametrize(
    "place",
    [
        *("train.txt", "train.csv", "train.tsv", "TRAIN.TXT", "train.lst", "training.txt"),
        *(
            "filelists/train.txt",
            "splits/train.csv",
            "lists/train_list.txt",
            "labels/cmlr_train.csv",
        ),
        *("CMLR_train.csv", "train_files.txt", "train-split.csv"),
    ],
)
def test_lists_are_found_under_the_names_that_people_give_them(
    tiny: Path, tmp_path: Path, place: str
) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4", tmp_path / f"audio/{CMLR_NAME}.wav")
    text(tmp_path / place, f"{CMLR_NAME}\n")
    assert IMPORTERS["cmlr"](tmp_path).clips[0].split == "train"


def test_a_relative_root_names_its_lists_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, clip in (("lrs2", f"main/{LRS2_NAME}.mp4"), ("cmlr", f"video/{CMLR_NAME}.mp4")):
        put(tiny, Path(name, clip), Path(f"{name}/audio/{CMLR_NAME}.wav"))
        listed = LRS2_NAME if name == "lrs2" else CMLR_NAME
        for split in ("train", "val", "test"):
            text(Path(name, f"filelists/{split}.txt"), listed if split == "val" else "")
        imported = IMPORTERS[name](Path(name))
        assert [clip.split for clip in imported.clips] == ["val"]
        assert not [note for note in imported.notes if "list" in note]


@pytest.mark.parametrize("place", ["notes.txt", "pretrain.txt", "train.json", "x/train.txt"])
def test_other_files_are_no_lists_and_a_note_says_where_lists_were_searched(
    tiny: Path, tmp_path: Path, place: str
) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4", tmp_path / f"audio/{CMLR_NAME}.wav")
    text(tmp_path / place, f"{CMLR_NAME}\n")
    imported = IMPORTERS["cmlr"](tmp_path)
    assert imported.clips[0].split == ""
    assert imported.notes[0].startswith("no list of train, val, test: looked in the root, ")


def test_lines_that_name_no_clip_are_counted_and_the_first_is_shown(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4", tmp_path / f"audio/{CMLR_NAME}.wav")
    text(tmp_path / "train.csv", f"name\n{CMLR_NAME}\nsection_2_000.40_002.98\n7 clips in all\n")
    notes = IMPORTERS["cmlr"](tmp_path).notes
    assert (
        "train.csv: 2 of 3 lines name no clip, the first is line 3: 'section_2_000.40_002.98'"
        in notes
    )


def test_a_list_that_names_no_clip_is_an_error_but_an_empty_one_is_not(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4", tmp_path / f"audio/{CMLR_NAME}.wav")
    text(tmp_path / "test.txt", "")
    IMPORTERS["cmlr"](tmp_path)
    text(tmp_path / "test.txt", "what I tried in 2021\nand again\n")
    with pytest.raises(BenchError, match=r"none of its 2 lines names a clip, the first is line 1"):
        IMPORTERS["cmlr"](tmp_path)


def test_of_two_lists_of_one_split_the_nearer_is_read_and_the_other_reported(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4", tmp_path / f"audio/{CMLR_NAME}.wav")
    text(tmp_path / "train.csv", f"{CMLR_NAME}\n")
    text(tmp_path / "filelists/train.txt", "s2/20100101/section_1_000.03_001.87\n")
    imported = IMPORTERS["cmlr"](tmp_path)
    assert imported.dropped == []
    assert any("not read" in note and "train.csv is the list" in note for note in imported.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_texts_of_cmlr_are_read_in_chinese_encodings(
    tiny: Path, tmp_path: Path, encoding: str
) -> None:
    root = tmp_path / "CMLR"
    put(tiny, root / f"x/video/{CMLR_NAME}.MP4", root / f"x/audio/{CMLR_NAME}.WAV")
    text(root / f"x/text/{CMLR_NAME}.TXT", "")
    (root / f"x/text/{CMLR_NAME}.TXT").write_bytes("桂林山水\r\n".encode(encoding))
    (clip,) = IMPORTERS["cmlr"](root).clips
    assert (clip.text, clip.audio) == ("桂林山水", root / f"x/audio/{CMLR_NAME}.WAV")


LRS2_NAME = "5535415699068794046/00001"


@pytest.mark.parametrize("place", ["filelists/test.txt", "test.txt", "mvlrs_v1/test.txt"])
@pytest.mark.parametrize(
    "line",
    ["{} NF", "{} MV", "main/{}", "mvlrs_v1/main/{}.mp4", "{}\t17", "lrs2,main/{}.mp4,75,1 2"],
)
def test_lrs2_is_read_as_unpacked(tiny: Path, tmp_path: Path, place: str, line: str) -> None:
    put(
        tiny,
        tmp_path / f"mvlrs_v1/main/{LRS2_NAME}.mp4",
        tmp_path / "mvlrs_v1/pretrain/1/00001.mp4",
    )
    text(tmp_path / f"mvlrs_v1/main/{LRS2_NAME}.txt", "Text:  SO HERE\nConf:  3\n")
    text(tmp_path / place, line.format(LRS2_NAME) + "\n" + line.format("6330311066473698535/00011"))
    imported = IMPORTERS["lrs2"](tmp_path)
    (clip,) = imported.clips
    assert (clip.split, clip.text, clip.speaker) == ("test", "SO HERE", "5535415699068794046")
    assert [name for name, _ in imported.dropped] == ["6330311066473698535/00011", "pretrain"]


def test_the_root_of_lrs2_may_be_its_main_folder(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / f"mvlrs_v1/main/{LRS2_NAME}.mp4")
    text(tmp_path / "mvlrs_v1/val.txt", LRS2_NAME)
    assert IMPORTERS["lrs2"](tmp_path / "mvlrs_v1/main").clips[0].split == "val"


LRS3_TEXT = """Text:  AND SO I THOUGHT
Conf:  4
Ref:   0Fi83BHQsMA

FRAME \tX \tY \tW \tH
000000 \t0.300 \t0.200 \t0.250 \t0.250

WORD START END ASDSCORE
AND 0.10 0.25 5.2
SO 0.25 0.40 4.9
I 0.40 0.45 5.0
THOUGHT 0.45 0.90 6.1
"""


@pytest.mark.parametrize("above", ["", "lrs3_v0.4/", "lrs3/lrs3_v0.4/"])
@pytest.mark.parametrize("test", ["test", "lrs3_test_v0.4"])
def test_lrs3_is_read_part_by_part(tiny: Path, tmp_path: Path, above: str, test: str) -> None:
    root, talk = tmp_path / "data", "0Fi83BHQsMA"
    for part in ("pretrain", "trainval", test):
        put(tiny, root / f"{above}{part}/{talk}/00001.mp4")
        text(root / f"{above}{part}/{talk}/00001.txt", LRS3_TEXT)
    put(tiny, root / f"{above}trainval/{talk}/._00001.mp4", root / "other/a/00001.mp4")
    imported = IMPORTERS["lrs3"](root)
    clips = by_id(imported)
    assert {name: clip.split for name, clip in clips.items()} == {
        f"{part}-{talk}-00001": part for part in ("pretrain", "test", "trainval")
    }
    assert {clip.text for clip in clips.values()} == {"AND SO I THOUGHT"}
    assert {(clip.speaker, clip.language) for clip in clips.values()} == {(talk, "en")}
    reason = "is not in a folder pretrain, trainval or test"
    assert imported.dropped == [("other/a/00001.mp4", reason)]
    assert survives_a_manifest(imported, root, tmp_path)


def test_lrs3_without_a_text_line_has_the_timed_words(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "test/0Fi83BHQsMA/00001.mp4")
    text(tmp_path / "test/0Fi83BHQsMA/00001.txt", LRS3_TEXT.split("\n\n")[2])
    assert IMPORTERS["lrs3"](tmp_path).clips[0].text == "AND SO I THOUGHT"


@pytest.mark.parametrize(
    "line", ["trainval/{}", "{}", "trainval/{} 62", "lrs3,lrs3_video_seg24s/trainval/{}.mp4,62,1 2"]
)
def test_lists_of_lrs3_override_the_split_of_the_clips_that_they_name(
    tiny: Path, tmp_path: Path, line: str
) -> None:
    names = ("0Fi83BHQsMA/00002", "_-HqswU3ab4/00001", "-0cZ_0fzJTc/00003")
    put(tiny, *(tmp_path / f"trainval/{name}.mp4" for name in names))
    put(tiny, tmp_path / "test/0Fi83BHQsMA/00007.mp4")
    text(tmp_path / "train.txt", line.format(names[0]))
    text(tmp_path / "valid.txt", line.format(names[1]))
    imported = IMPORTERS["lrs3"](tmp_path)
    splits = {clip.id: clip.split for clip in imported.clips}
    assert splits == {
        "trainval-0Fi83BHQsMA-00002": "train",
        "trainval-_-HqswU3ab4-00001": "val",
        "trainval--0cZ_0fzJTc-00003": "trainval",
        "test-0Fi83BHQsMA-00007": "test",
    }
    assert imported.dropped == []


def test_an_import_without_clips_gives_the_reason(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / f"video/{CMLR_NAME}.mp4")
    code, output = bench("data", "import", "cmlr", tmp_path, "-o", tmp_path / "m.csv")
    assert code == 2
    assert f"1 were dropped, the first is {CMLR_NAME}: no sound file audio/" in output


def test_the_folder_importers_options_are_refused_by_others(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "mp4/anna/1.mp4", tmp_path / "aac/anna/1.m4a")
    options = ("--videos", "mp4/{speaker}/{clip}.mp4", "--sounds", "aac/{speaker}/{clip}.m4a")
    code, _ = bench("data", "import", "folder", tmp_path, *options, "-o", tmp_path / "m.csv")
    assert code == 0
    (clip,) = read_manifest(tmp_path / "m.csv")
    assert (clip.speaker, clip.audio) == ("anna", tmp_path / "aac/anna/1.m4a")
    code, output = bench("data", "import", "lrs2", tmp_path, *options, "-o", tmp_path / "n.csv")
    assert code == 2
    assert "lrs2 has its own layout" in output


def test_cmlr_in_archives_asks_to_unpack_them(tmp_path: Path) -> None:
    text(tmp_path / "video/s1.zip", "PK")
    with pytest.raises(BenchError, match="Unpack the archives"):
        IMPORTERS["cmlr"](tmp_path)


def test_the_hugging_face_layout_has_texts_splits_and_sounds(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "hub"
    put(tiny, *(root / place for place in ("train/a.mp4", "train/sub/b.mp4", "validation/c.mp4")))
    put(tiny, root / "train/left.mp4", root / "validation/c.wav", root / "outside.mp4")
    table = ["file_name,text,speaker_id", "a.mp4,bin blue,s1", "sub/b.mp4,,s2", "gone.mp4,,s3"]
    text(root / "train/metadata.csv", "\n".join([*table, "../outside.mp4,,s4", "a.mp4,again,s1"]))
    line = '{"file_name": "c.mp4", "transcription": " lay  red ", "language": "en", "n": null}'
    text(root / "validation/metadata.jsonl", line + "\n")
    found = IMPORTERS["huggingface"](root)
    clips = by_id(found)
    assert set(clips) == {"train-a", "train-sub-b", "validation-c"}
    assert (clips["train-a"].text, clips["train-a"].speaker, clips["train-a"].split) == (
        *("bin blue", "s1"),
        "train",
    )
    assert clips["validation-c"].split == "val"
    assert clips["validation-c"].text == "lay red"
    assert clips["validation-c"].audio == root / "validation/c.wav"
    assert {reason for _, reason in found.dropped} == {
        "no file gone.mp4",
        "../outside.mp4 is not a path below the table's folder",
        "names the same video as another line: train-a",
    }
    assert any("no table names: 2 files" in note for note in found.notes)
    assert survives_a_manifest(found, root, tmp_path)


def test_a_hugging_face_table_at_the_root_may_name_sounds_and_splits(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / "data/a.mp4", tmp_path / "sound/a.wav")
    row = {"video_file_name": "data/a.mp4", "audio_file_name": "sound/a.wav", "split": "dev"}
    text(tmp_path / "metadata.jsonl", json.dumps(row))
    (clip,) = IMPORTERS["huggingface"](tmp_path).clips
    assert (clip.id, clip.split) == ("data-a", "val")
    assert clip.audio == tmp_path / "sound/a.wav"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("other.csv", "file_name\na.mp4", "Looked for metadata.csv or metadata.jsonl"),
        ("metadata.parquet", "", "metadata.parquet is not read"),
        ("metadata.csv", "text\nhello", "has no file_name"),
        ("metadata.csv", "file_name\na.txt", "no file a.txt"),
        ("metadata.jsonl", "[1]", "is no JSON object"),
        ("metadata.jsonl", "{", "is not JSON"),
    ],
)
def test_a_folder_that_is_no_hugging_face_layout_says_why(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    text(tmp_path / name, content)
    with pytest.raises(BenchError, match=said):
        IMPORTERS["huggingface"](tmp_path)


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


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".m4a", ".M4A", ".flac", ".mp3"])
def test_folder_takes_sounds_and_texts_in_other_spellings(
    tiny: Path, tmp_path: Path, ending: str
) -> None:
    put(tiny, tmp_path / "a/clip.v1.MP4", tmp_path / f"a/clip.v1{ending}")
    text(tmp_path / "a/clip.v1.TXT", "one")
    (clip,) = IMPORTERS["folder"](tmp_path).clips
    assert (clip.audio, clip.text) == (tmp_path / f"a/clip.v1{ending}", "one")


def test_files_that_the_folder_importer_ignores_are_counted_by_ending(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / "a.mp4", tmp_path / "b.avi.bak", tmp_path / "c.avi.bak")
    put(tiny, tmp_path / "alone.m4a", tmp_path / "a.wav", tmp_path / "take_000.40_002.98")
    text(tmp_path / "a.json", "{}")
    text(tmp_path / "README", "")
    notes = IMPORTERS["folder"](tmp_path).notes
    assert notes[0] == "5 files ignored: .avi.bak 2, .json 1, no ending 2"
    assert notes[1].startswith("sounds that belong to no video: 1 file (alone.m4a)")


JUNK = ("._{}", "__MACOSX/{}", "@eaDir/{}", ".Trashes/{}", "$RECYCLE.BIN/{}")
PLACES = {
    "folder": "{}.mp4",
    "grid": "s1/{}.mpg",
    "lrs2": "main/1234567890/{}.mp4",
    "lrs3": "trainval/0Fi83BHQsMA/{}.mp4",
    "cmlr": "video/s1/20170121/{}.mp4",
    "crema-d": "VideoFlash/1001_DFA_ANG_XX.mp4",
    "huggingface": "train/{}.mp4",
}


@pytest.mark.parametrize("name", sorted(IMPORTERS))
def test_files_of_the_operating_system_never_become_clips(
    tiny: Path, tmp_path: Path, name: str
) -> None:
    wanted = Path(PLACES[name].format("bbaf2n"))
    put(tiny, tmp_path / wanted)
    if name == "cmlr":
        put(tiny, tmp_path / "audio/s1/20170121/bbaf2n.wav")
    if name == "huggingface":
        text(tmp_path / "train/metadata.csv", "file_name\nbbaf2n.mp4")
    for junk in JUNK:
        put(tiny, tmp_path / wanted.parent / junk.format(wanted.name))
    put(
        tiny,
        tmp_path / "__MACOSX" / wanted.parent / f"._{wanted.name}",
        tmp_path / "__MACOSX" / wanted,
    )
    imported = IMPORTERS[name](tmp_path)
    assert [clip.video for clip in imported.clips] == [tmp_path / wanted]
    assert imported.dropped == []
    assert not any("ignored" in note for note in imported.notes)


def test_a_link_to_a_parent_folder_is_not_followed_for_ever(tiny: Path, tmp_path: Path) -> None:
    put(tiny, tmp_path / "a/one.mp4")
    (tmp_path / "a/up").symlink_to(tmp_path)
    assert list(by_id(IMPORTERS["folder"](tmp_path))) == ["a-one"]


def test_voxceleb2_has_its_sounds_in_separate_folders(tiny: Path, tmp_path: Path) -> None:
    names = ("id00012/21Uxsk56VDQ/00001", "id00012/_1aB-k56VDQ/00003", "id00015/0fijmz4vTVU/00001")
    put(tiny, *(tmp_path / f"dev/mp4/{name}.mp4" for name in names))
    put(tiny, *(tmp_path / f"dev/aac/{name}.m4a" for name in names[:2]))
    layout = Layout(
        videos="dev/mp4/{speaker}/{talk}/{clip}.mp4", sounds="dev/aac/{speaker}/{talk}/{clip}.m4a"
    )
    imported = import_folder(tmp_path, layout)
    assert [clip.audio for clip in imported.clips] == [
        tmp_path / f"dev/aac/{name}.m4a" for name in names[:2]
    ]
    assert {clip.speaker for clip in imported.clips} == {"id00012"}
    lost = f"dev/mp4/{names[2]}.mp4"
    assert imported.dropped == [(lost, f"no file dev/aac/{names[2]}.m4a")]


def test_mead_has_one_sound_for_all_views(tiny: Path, tmp_path: Path) -> None:
    put(tiny, *(tmp_path / f"M003/video/{v}/neutral/level_1/001.mp4" for v in ("front", "left_30")))
    put(tiny, tmp_path / "M003/audio/neutral/level_1/001.M4A")
    sounds = "{speaker}/audio/{emotion}/{level}/{clip}.m4a"
    everything = Layout("{speaker}/video/{view}/{emotion}/{level}/{clip}.mp4", sounds)
    imported = import_folder(tmp_path, everything)
    assert len(imported.clips) == 2
    assert {clip.audio.name for clip in imported.clips if clip.audio} == {"001.M4A"}
    front = Layout("{speaker}/video/front/{emotion}/{level}/{clip}.mp4", sounds)
    (clip,) = import_folder(tmp_path, front).clips
    assert (clip.speaker, clip.id) == ("M003", "M003-video-front-neutral-level_1-001")


def test_hdtf_has_its_speakers_in_the_names(tiny: Path, tmp_path: Path) -> None:
    names = ("WDA_BarackObama_000", "WDA_BarackObama_001", "RD_Radio10_000")
    put(tiny, *(tmp_path / f"{name}.mp4" for name in names))
    clips = by_id(import_folder(tmp_path, Layout("{speaker}_{number}.mp4")))
    assert [clips[name].speaker for name in names] == ["WDA_BarackObama"] * 2 + ["RD_Radio10"]


def test_a_layout_may_name_splits_languages_and_leave_endings_open(
    tiny: Path, tmp_path: Path
) -> None:
    put(tiny, tmp_path / "train/en/anna/1.mov", tmp_path / "val/zh/bo/1.webm")
    put(tiny, tmp_path / "wav/anna/1.wav", tmp_path / "wav/bo/1.m4a", tmp_path / "train/notes.xyz")
    layout = Layout("{split}/{language}/{speaker}/{clip}", "wav/{speaker}/{clip}")
    found = [(c.split, c.language, c.speaker) for c in import_folder(tmp_path, layout).clips]
    assert found == [("train", "en", "anna"), ("val", "zh", "bo")]


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        ({"videos": "mp4/clip.mp4"}, "has no field"),
        ({"videos": "/data/{clip}.mp4"}, "is not below ROOT"),
        ({"videos": "../{clip}.mp4"}, "is not below ROOT"),
        ({"videos": "{clip}.mp4", "sounds": "{name}.wav"}, "Its fields: clip"),
        ({"sounds": "aac/{clip}.wav"}, "since --videos is not given"),
    ],
)
def test_invalid_layouts_are_refused(paths: dict[str, str], problem: str) -> None:
    with pytest.raises(BenchError, match=problem):
        Layout(**paths)


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


def test_dots_in_names_are_not_endings(tmp_path: Path) -> None:
    names = ["section_2_000.40_002.98", "section_2_000.40_003.98"]
    clips = [
        Clip(str(n), Path(f"/v/s1/1/{x}.mp4"), Path(f"/a/s1/1/{x}.wav"))
        for n, x in enumerate(names)
    ]
    text(tmp_path / "list.txt", f"s1/1/{names[0]} {names[1]}\n")
    assert [(f.id, s.id) for f, s in read_pairs(tmp_path / "list.txt", clips)] == [("1", "0")]


def test_all_bad_lines_of_a_list_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    text(path, "a/00000 b/00001\nzzz a0\na0\na0 a0\n00000 b1\n")
    with pytest.raises(BenchError) as caught:
        read_pairs(path, people(a=2, b=2))
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == ["2", "3", "4", "5"]
    assert "'zzz' is not a clip" in lines[0]
    assert "fits several clips" in lines[3]


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


def test_pairs_depend_on_ids_and_seed_only() -> None:
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
