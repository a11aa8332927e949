"""Weights: found and verified before use, pulled from a test server on 127.0.0.1."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import BenchError
from bench.files import download as downloads
from bench.files import weights

CONTENT = bytes(range(256)) * 1000  # 256,000 bytes
TOY = weights.Weight(
    name="toy",
    file="toy.bin",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="CC0-1.0",
    source="the-page-of-the-toy",
    urls=(),
    needed_by="this test",
)


class Server:
    """Serves `content`; the next `cuts` answers stop after `cut_after` bytes.

    silent: no answer is sent; stalls: so many answers stop after `cut_after` bytes and stay open.
    """

    def __init__(self) -> None:
        self.content = CONTENT
        self.cuts = 0
        self.stalls = 0
        self.silent = False
        self.awake = threading.Event()
        self.cut_after = 100_000
        self.knows_ranges = True
        self.status = 200
        self.ranges: list[str] = []
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *arguments: object) -> None:
                """Keeps the test's output clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/toy.bin"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.awake.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        if self.silent:
            self.awake.wait(20)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if self.knows_ranges else 0
        rest = self.content[start:]
        request.send_response(self.status if self.status != 200 or not start else 206)
        request.send_header("Content-Length", str(len(rest)))
        request.end_headers()
        if self.cuts:
            self.cuts -= 1
            rest = rest[: self.cut_after]
        if self.stalls:
            self.stalls -= 1
            request.wfile.write(rest[: self.cut_after])
            self.awake.wait(20)
            return
        request.wfile.write(rest)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def toy(server: Server, monkeypatch: pytest.MonkeyPatch) -> weights.Weight:
    """The only weights of the table, served by `server`; no folder has a copy."""
    toy = replace(TOY, urls=(server.url,))
    monkeypatch.setattr(weights, "table", lambda: {"toy": toy})
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    return toy


@pytest.fixture
def target(own_cache: Path) -> Path:
    return own_cache / "weights" / "toy.bin"


def test_every_entry_of_the_table_is_complete() -> None:
    table = weights.table()
    assert {"yunet", "syncnet_v2"} <= set(table)
    for name, entry in table.items():
        assert entry.name == name
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.bytes > 0
        assert Path(entry.file).name == entry.file
        assert all(url.startswith("http") for url in (*entry.urls, entry.source))
        assert entry.licence
        assert entry.needed_by


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(BenchError, match=r"'yunett'; did you mean 'yunet'\? known: .*syncnet_v2"):
        weights.find("yunett")


def test_missing_weights_say_how_to_get_them(toy: weights.Weight, target: Path) -> None:
    with pytest.raises(BenchError) as raised:
        weights.find("toy")
    message = str(raised.value)
    assert "bench weights pull toy" in message
    assert str(target.parent) in message
    assert toy.sha256 in message
    assert toy.source in message


def test_weights_that_no_address_serves_are_not_said_to_be_pulled(
    toy: weights.Weight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "table", lambda: {"toy": TOY})
    with pytest.raises(BenchError) as raised:
        weights.find("toy")
    assert "bench weights pull" not in str(raised.value)
    with pytest.raises(BenchError, match=r"no address.*the-page-of-the-toy"):
        weights.pull("toy")


def test_a_file_copied_by_hand_is_found(toy: weights.Weight, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert weights.find("toy") == target
    assert [state.condition for state in weights.listing()] == ["here"]


def test_folders_of_the_environment_come_first(
    toy: weights.Weight, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path / "own"))
    for path in (target, tmp_path / "own" / "toy.bin"):
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    assert weights.find("toy") == tmp_path / "own" / "toy.bin"


def test_an_intact_copy_is_used_if_another_is_damaged(
    toy: weights.Weight, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "toy.bin").write_bytes(b"no")
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert weights.find("toy") == target


@pytest.mark.parametrize(
    ("content", "fault"),
    [(CONTENT[:-1], "255999 bytes instead of 256000"), (CONTENT[::-1], "SHA-256 .* instead of")],
)
def test_damaged_weights_are_never_used(
    toy: weights.Weight, target: Path, content: bytes, fault: str
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    with pytest.raises(BenchError, match=f"damaged: {fault}"):
        weights.find("toy")
    state = weights.verify("toy")
    assert (state.condition, state.path) == ("damaged", target)


def test_a_file_that_changes_is_verified_again(toy: weights.Weight, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    weights.find("toy")
    target.write_bytes(CONTENT[::-1])
    assert weights.verify("toy").condition == "damaged"


def test_pull_downloads_verifies_and_leaves_nothing_else(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    steps: list[tuple[int, int]] = []
    path = weights.pull("toy", progress=lambda here, total: steps.append((here, total)))
    assert path == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["toy.bin"]
    assert steps[-1] == (len(CONTENT), len(CONTENT))


def test_pull_of_weights_that_are_here_asks_no_server(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    weights.pull("toy")
    assert weights.pull("toy") == target
    assert len(server.ranges) == 1


def test_pull_replaces_a_damaged_file(toy: weights.Weight, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"damaged")
    assert weights.pull("toy").read_bytes() == CONTENT


def test_a_broken_download_resumes_where_it_stopped(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.cuts = 2
    assert weights.pull("toy").read_bytes() == CONTENT
    first, second, third = (int(each.removeprefix("bytes=")[:-1]) for each in server.ranges)
    assert first == 0 < second < third


def test_a_download_continues_from_an_earlier_processs_part(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    target.parent.mkdir(parents=True)
    target.with_name("toy.bin.part").write_bytes(CONTENT[:12345])
    assert weights.pull("toy").read_bytes() == CONTENT
    assert server.ranges == ["bytes=12345-"]


def test_a_server_without_ranges_sends_everything_again(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.knows_ranges = False
    target.parent.mkdir(parents=True)
    target.with_name("toy.bin.part").write_bytes(b"x" * 12345)
    assert weights.pull("toy").read_bytes() == CONTENT


def test_a_download_without_progress_ends_with_where_to_put_the_file(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.cuts, server.cut_after = 99, 0
    with pytest.raises(BenchError) as raised:
        weights.pull("toy")
    assert server.url in str(raised.value)
    assert f"put it into {target.parent}" in str(raised.value)
    assert len(server.ranges) == 1


def test_a_server_that_never_answers_is_given_up(
    toy: weights.Weight, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.3)
    server.silent = True
    with pytest.raises(BenchError, match=r"did not answer within 0\.3 s; get toy\.bin"):
        weights.pull("toy")
    assert not target.exists()


def test_a_stalled_download_resumes(
    toy: weights.Weight, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 2.0)
    server.stalls = 1
    assert weights.pull("toy").read_bytes() == CONTENT
    first, second = (int(each.removeprefix("bytes=")[:-1]) for each in server.ranges)
    assert first == 0 < second


def test_a_complete_part_with_wrong_bytes_is_refused_and_removed(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    target.parent.mkdir(parents=True)
    target.with_name("toy.bin.part").write_bytes(CONTENT[::-1])
    with pytest.raises(BenchError, match="hash"):
        weights.pull("toy")
    assert list(target.parent.iterdir()) == []
    assert weights.pull("toy").read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_removed(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(BenchError, match=r"cannot be downloaded: http.*hash"):
        weights.pull("toy")
    assert list(target.parent.iterdir()) == []
    server.content = CONTENT
    assert weights.pull("toy").read_bytes() == CONTENT


def test_a_server_that_sends_too_much_is_refused(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.content = CONTENT + b"more"
    with pytest.raises(BenchError, match="sends more than this file's 256000 bytes"):
        weights.pull("toy")
    assert not target.exists()


def test_an_error_page_is_not_taken_for_weights(
    toy: weights.Weight, server: Server, target: Path
) -> None:
    server.status = 404
    with pytest.raises(BenchError, match="404"):
        weights.pull("toy")
    assert not target.exists()


def test_the_next_address_is_tried_if_one_fails(
    toy: weights.Weight, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = ("http://127.0.0.1:9/toy.bin", server.url)  # port 9: nobody listens
    monkeypatch.setattr(weights, "table", lambda: {"toy": replace(TOY, urls=urls)})
    assert weights.pull("toy").read_bytes() == CONTENT


def test_without_a_network_the_error_is_one_short_line(
    toy: weights.Weight, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:9/toy.bin"  # port 9: nobody listens
    monkeypatch.setattr(weights, "table", lambda: {"toy": replace(TOY, urls=(url,))})
    with pytest.raises(BenchError) as raised:
        weights.pull("toy")
    assert str(raised.value) == (
        f"weights 'toy' cannot be downloaded: {url}: the server cannot be reached, or hung up; "
        f"get toy.bin (256000 bytes, SHA-256 {TOY.sha256}) from the-page-of-the-toy "
        f"and put it into {target.parent}"
    )


def test_a_folder_that_cannot_be_written_is_a_clear_error(
    toy: weights.Weight, own_cache: Path
) -> None:
    own_cache.write_text("a file where the cache folder should be")
    with pytest.raises(BenchError, match="cannot be downloaded"):
        weights.pull("toy")


@pytest.mark.shared
def test_yunet_of_the_development_data_is_the_file_of_the_table(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_WEIGHTS", str(shared / "weights"))
    assert weights.find("yunet").parent == shared / "weights"
