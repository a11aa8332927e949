"""`bench data pull`: corpora from a publisher, here a test server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bench import BenchError
from bench.data import pull as pulling
from bench.data.crema_d import import_crema_d
from bench.data.grid import import_grid
from bench.data.pull import CORPORA, pull, unpack
from tests.test_run import bench

VIDEO = bytes(range(256)) * 800
CLIP = "1001_DFA_ANG_XX"


class Publisher:
    """Serves `files` by path, with ranges; `cuts` answers stop half way. asked: paths, in order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.asked: list[str] = []
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *arguments: object) -> None:
                """Keeps the test's output clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        start = int(request.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        rest = content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(rest)))
        request.end_headers()
        if self.cuts and len(rest) > 100_000:
            self.cuts -= 1
            rest = rest[: len(rest) // 2]
        request.wfile.write(rest)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Publishes GRID's s1, s2 and word times, and one clip of CREMA-D."""
    server = Publisher()
    archives = {
        "alignments.zip": packed({"alignments/s1/bbaf2n.align": b"0 25000 sil\n25000 50000 bin\n"}),
        "s1.zip": packed({"s1/bbaf2n.mpg": VIDEO}),
        "s2.zip": packed({"s2/lwaz7a.mpg": VIDEO[::-1]}),
    }
    listed = []
    for name, content in archives.items():
        path = f"/api/records/1/files/{name}/content"
        server.files[path] = content
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        link = {"self": server.url + path}
        size = len(content)
        listed.append({"key": name, "size": size, "checksum": f"md5:{md5}", "links": link})
    server.files["/api/records/1"] = json.dumps({"files": listed}).encode()
    digest = hashlib.sha256(VIDEO).hexdigest()
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(VIDEO)}\n"
    )
    names = [CLIP, "1002_IEO_HAP_HI", "../1001_out"]
    rows = "".join(f'{row},"{name}"\n' for row, name in enumerate(names))
    server.files["/raw/crema/SentenceFilenames.csv"] = f'"Number","Filename"\n{rows}'.encode()
    for name in names[:2]:
        server.files[f"/raw/crema/VideoFlash/{name}.flv"] = pointer.encode()
        server.files[f"/media/crema/VideoFlash/{name}.flv"] = VIDEO
    monkeypatch.setattr(pulling, "RAW", f"{server.url}/raw")
    monkeypatch.setattr(pulling, "MEDIA", f"{server.url}/media")
    here = {"grid": f"{server.url}/api/records/1", "crema-d": f"{server.url}/raw/crema"}
    for name, site in here.items():
        monkeypatch.setitem(CORPORA, name, replace(CORPORA[name], site=site))
    yield server
    server.close()


def packed(files: dict[str, bytes]) -> bytes:
    """A zip file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_grids_speakers_come_one_after_the_other_and_only_once(
    publisher: Publisher, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    publisher.cuts = 1  # one connection is lost half way
    root = pull(
        "grid", tmp_path, speakers=["s1"], progress=lambda done, all_: steps.append((done, all_))
    )
    assert root == tmp_path / "grid"
    assert (root / "s1" / "bbaf2n.mpg").read_bytes() == VIDEO
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    asked = len(publisher.asked)
    pull("grid", tmp_path, speakers=["s1"])
    assert len(publisher.asked) == asked  # nothing is missing, so nobody is asked
    pull("grid", tmp_path, speakers=["s1", "s2"])
    assert publisher.asked[asked:] == ["/api/records/1", "/api/records/1/files/s2.zip/content"]
    clips = import_grid(root).clips
    assert [(clip.id, clip.text) for clip in clips] == [
        ("s1-bbaf2n", "bin"),
        ("s2-lwaz7a", "lay white at z seven again"),
    ]
    assert not list(root.glob("*.zip*"))


def test_a_download_goes_on_after_the_program_was_stopped(
    publisher: Publisher, tmp_path: Path
) -> None:
    archive = publisher.files["/api/records/1/files/s1.zip/content"]
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "s1.zip.part").write_bytes(archive[:100_000])
    del publisher.files["/api/records/1/files/alignments.zip/content"]
    with pytest.raises(BenchError, match="404"):
        pull("grid", tmp_path, speakers=["s1"])
    (tmp_path / "grid" / "alignments").mkdir()
    root = pull("grid", tmp_path, speakers=["s1"])
    assert (root / "s1" / "bbaf2n.mpg").read_bytes() == VIDEO


def test_other_bytes_than_the_published_ones_are_refused(
    publisher: Publisher, tmp_path: Path
) -> None:
    path = "/api/records/1/files/s1.zip/content"
    publisher.files[path] = packed({"s1/bbaf2n.mpg": VIDEO[::-1]})
    with pytest.raises(BenchError, match=r"GRID .* cannot be fetched.*the same command goes on"):
        pull("grid", tmp_path, speakers=["s1"])
    assert not (tmp_path / "grid" / "s1").exists()
    publisher.files["/api/records/1"] = b'{"files": [{"key": "s1.zip"}]}'
    with pytest.raises(BenchError, match="does not describe its files"):
        pull("grid", tmp_path, speakers=["s1"])


def test_crema_d_comes_clip_by_clip_and_names_stay_in_their_folder(
    publisher: Publisher, tmp_path: Path
) -> None:
    root = pull("crema-d", tmp_path, speakers=["1001"])
    assert [path.name for path in (root / "VideoFlash").iterdir()] == [f"{CLIP}.flv"]
    assert not any("out" in path for path in publisher.asked)
    pull("crema-d", tmp_path)
    fetched = [path for path in publisher.asked if path.startswith("/media")]
    assert sorted(fetched) == sorted(set(fetched))  # each once
    clips = import_crema_d(root).clips
    assert [(clip.id, clip.speaker, clip.text) for clip in clips] == [
        (CLIP, "1001", "don't forget a jacket"),
        ("1002_IEO_HAP_HI", "1002", "it's eleven o'clock"),
    ]
    publisher.files[f"/raw/crema/VideoFlash/{CLIP}.flv"] = b"no pointer"
    (root / "VideoFlash" / f"{CLIP}.flv").unlink()
    with pytest.raises(BenchError, match="is no pointer of Git LFS"):
        pull("crema-d", tmp_path)


def test_crema_ds_actors_are_seen_or_unseen_as_a_whole(tmp_path: Path) -> None:
    for actor in range(1001, 1021):
        for sentence in ("DFA", "IEO", "TSI"):
            (tmp_path / f"{actor}_{sentence}_NEU_XX.mp4").touch()
    clips = import_crema_d(tmp_path).clips
    unseen = {clip.speaker for clip in clips if clip.split == "test_unseen"}
    assert unseen == {"1012"}
    assert not {clip.speaker for clip in clips if clip.split != "test_unseen"} & unseen
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match="has no CREMA-D clips"):
        import_crema_d(tmp_path / "empty")


@pytest.mark.parametrize("name", ["../s1/a.mpg", "/s1/a.mpg", "s1/../../a.mpg", "s1\\a", "C:/a"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(packed({"s1/fine.mpg": b"x", name: b"x"}))
    with pytest.raises(ValueError, match="leads out of its folder"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_and_swelling_archives_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as content:
        link = zipfile.ZipInfo("s1/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        content.writestr(link, "/etc")
    with pytest.raises(ValueError, match="leads out of its folder"):
        unpack(archive, tmp_path / "out")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("s1/zeros", bytes(1_000_000))
    with pytest.raises(ValueError, match="over 20 times its size"):
        unpack(archive, tmp_path / "out")


@pytest.mark.usefixtures("publisher")
def test_the_command_shows_the_licence_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    code, output = bench("data", "pull", "grid", "--speakers", "s1")
    text = " ".join(output.split())
    assert code == 0, output
    assert "licence: CC BY 4.0; https://zenodo.org/records/3625687" in text
    assert f"next: bench data import grid {tmp_path / 'grid'}" in text
    code, output = bench("data", "pull", "grid", "--speakers", "s1,s21")
    assert code == 2
    assert "grid has no speaker 's21'" in output
    code, output = bench("data", "pull", "lrs2")
    assert code == 2
    assert "no corpus 'lrs2' can be pulled" in output


def test_a_disk_that_is_too_small_is_told_before_anything_comes(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(pulling.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BenchError, match="MiB are needed"):
        pull("grid", tmp_path, speakers=["s1"])
    assert publisher.asked == ["/api/records/1"]
