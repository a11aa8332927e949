"""The study server: it loses no acknowledged answer, and refuses and logs invalid requests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import json
import re
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from bench import media
from bench.command.cli import main
from bench.command.study import _in_the_clear
from bench.ground.errors import BenchError
from bench.study.answers import Answer, read_answers
from bench.study.ask.export import study_answers, write_static_pages
from bench.study.ask.ledger import Ledger, LedgerBusyError
from bench.study.ask.rate_limit import RateLimit
from bench.study.blinding import Design, read_design
from bench.study.folder import open_study
from bench.study.make.new_study import new_study
from bench.study.make.selection import StudyOptions
from tests.conftest import ROOT
from tests.fixtures_run import FakeRun, build_run
from tests.study_server import Client, Server

uvicorn = pytest.importorskip("uvicorn")
connections = pytest.importorskip("bench.study.ask.connections")

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

QUESTIONS = ("sync_accuracy", "visual_quality", "overall_impression")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three methods and two cases for fifty raters, which tests copy."""
    run = build_run(
        tmp_path_factory.mktemp("runs") / "clr", FakeRun(speakers=2, clips_each=1, videos=True)
    )
    folder = tmp_path_factory.mktemp("studies") / "clr"
    new_study([run], folder, StudyOptions(raters=50, per_rater=3, checks=1))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of that study for one test."""
    return shutil.copytree(made, tmp_path / "study")


@pytest.fixture(scope="module")
def server(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A served copy for tests that change little; each uses its own rater."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("served") / "study")
    with Server(folder) as running:
        yield running


def codes(design: Design, rater: str) -> list[str]:
    return [code for page in design.sessions[rater] for code in page]


def given(answers: tuple[Answer, ...]) -> dict[tuple[str, str, str, str, str], int]:
    return {(a.rater, a.case, a.method, a.role, a.question): a.rating for a in answers}


def expected(
    design: Design, sent: dict[tuple[str, str, str], int]
) -> dict[tuple[str, str, str, str, str], int]:
    """The rows that an export should have for the ratings that were sent."""
    return {
        (rater, item.case, item.method, item.role, question): rating
        for (rater, code, question), rating in sent.items()
        for item in [design.items[code]]
    }


# ---- pages and videos -----------------------------------------------------------------------


def test_pages_carry_security_headers_and_no_inline_script(server: Server) -> None:
    client = server.client("r01")
    for path in ("", "rate", "rate?lang=zh"):
        status, headers, body = client.get(path)
        assert status == 200
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        text = body.decode()
        assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", text)


def test_pages_of_raters_never_name_a_method_case_or_role(server: Server) -> None:
    design = read_design(server.folder)
    names = {item.method for item in design.items.values()}
    names |= {item.case for item in design.items.values()} | {"training", "CLR"}
    client = server.client("r02")
    for code in codes(design, "r02"):
        status, _, body = client.get("rate")
        assert status == 200
        text = body.decode()
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", text)]
        assert client.answer(code, dict.fromkeys(QUESTIONS, 3)) == 200
    assert b"Thank you" in client.get("rate")[2]


def test_videos_are_served_complete_and_in_byte_ranges(server: Server, tmp_path: Path) -> None:
    design = read_design(server.folder)
    client = server.client("r03")
    name = design.items[codes(design, "r03")[0]].video
    status, headers, whole = client.get(f"video/{name}")
    assert (status, headers["content-type"]) == (200, "video/mp4")
    assert whole == (server.folder / "videos" / name).read_bytes()
    (tmp_path / "got.mp4").write_bytes(whole)
    assert len(media.read_frames(tmp_path / "got.mp4")) == 30
    status, headers, part = client.get(f"video/{name}", {"Range": "bytes=100-299"})
    assert (status, part) == (206, whole[100:300])
    assert headers["content-range"] == f"bytes 100-299/{len(whole)}"
    status, _, tail = client.get(f"video/{name}", {"Range": "bytes=-50"})
    assert (status, tail) == (206, whole[-50:])
    assert client.get(f"video/{name}", {"Range": f"bytes={len(whole)}-"})[0] == 416


def test_answers_are_stored_and_the_last_rating_counts(server: Server) -> None:
    design = read_design(server.folder)
    client = server.client("r04")
    first, second = codes(design, "r04")[:2]
    assert client.answer(first, {"sync_accuracy": 2}) == 200
    assert client.answer(first, {"sync_accuracy": 2}) == 200  # sent twice
    assert client.answer(first, {"sync_accuracy": 4}, "on second thoughts: 5 > 4 < 6") == 200
    assert client.answer(second, dict.fromkeys(QUESTIONS, 5)) == 200
    status, _, csv = server.client("organiser").get("answers.csv")
    assert status == 200
    lines = [line for line in csv.decode().splitlines() if line.startswith("r04,")]
    assert len(lines) == 4
    assert "on second thoughts: 5 > 4 < 6" in lines[0]
    with Ledger(server.folder / "answers.sqlite") as ledger:
        rows = ledger._file.execute(
            "SELECT rating FROM ratings WHERE rater='r04' AND item=?", (first,)
        )
        assert [row[0] for row in rows] == [2, 4]  # nothing is edited, nothing is written twice


def test_the_organisers_page_shows_counts_and_needs_its_own_token(server: Server) -> None:
    design = read_design(server.folder)
    client = server.client("r05")
    for code in codes(design, "r05")[:4]:
        assert client.answer(code, dict.fromkeys(QUESTIONS, 3)) == 200
    status, _, body = server.client("organiser").get("")
    text = re.sub(r"<[^>]+>|\s+", " ", body.decode())
    assert status == 200
    assert re.search(r"r05 +4 of 7 ", text)
    rater_token = server.links["r05"].rsplit("/", 1)[1]
    assert client.send("GET", f"/o/{rater_token}/")[0] == 404
    organiser_token = server.links["organiser"].rsplit("/", 1)[1]
    assert client.send("GET", f"/r/{organiser_token}/")[0] == 404


def test_the_link_without_a_slash_leads_to_the_page(server: Server) -> None:
    client = server.client("r01")
    status, headers, _ = client.send("GET", client.base)
    assert (status, headers["location"]) == (307, f"{client.base.rsplit('/', 1)[1]}/")


# ---- what is refused ------------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}


def body(code: str, **changes: object) -> bytes:
    return json.dumps({"item": code, "ratings": {"sync_accuracy": 3}, **changes}).encode()


HOSTILE: dict[str, tuple[int, object]] = {
    "script in the remark": (422, {"comment": "<script>alert(1)</script>"}),
    "picture in the remark": (422, {"comment": "nice <img src=x onerror=alert(1)>"}),
    "control characters in the remark": (422, {"comment": "a\x00b"}),
    "remark too long": (422, {"comment": "a" * 2001}),
    "rating above the scale": (422, {"ratings": {"sync_accuracy": 6}}),
    "rating below the scale": (422, {"ratings": {"sync_accuracy": 0}}),
    "huge rating": (422, {"ratings": {"sync_accuracy": 10**30}}),
    "rating as text": (422, {"ratings": {"sync_accuracy": "5"}}),
    "rating with a fraction": (422, {"ratings": {"sync_accuracy": 4.5}}),
    "rating true": (422, {"ratings": {"sync_accuracy": True}}),
    "rating missing": (422, {"ratings": {"sync_accuracy": None}}),
    "no ratings": (422, {"ratings": {}}),
    "unknown question": (422, {"ratings": {"beauty": 5}}),
    "question like SQL": (422, {"ratings": {"x'; DROP TABLE ratings; --": 5}}),
    "unknown key": (422, {"rater": "r07"}),
    "item that does not exist": (403, {"item": "000000000000"}),
    "item like a path": (403, {"item": "../../design.json"}),
    "item too long": (422, {"item": "a" * 65}),
    "item as a list": (422, {"item": ["a"]}),
    "not JSON": (422, b"{'item': 1}"),
    "nothing": (422, b""),
    "no mapping": (422, b"[]"),
    "not UTF-8": (422, b'{"item": "\xff\xfe"}'),
    "half a surrogate": (422, b'{"item": "a", "ratings": {}, "comment": "\\ud800"}'),
    "deep nesting": (422, b"[" * 10_000),
    "oversized": (413, b'{"item": "' + b"a" * 40_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_refused_and_logged(server: Server, name: str) -> None:
    design = read_design(server.folder)
    status, change = HOSTILE[name]
    code = codes(design, "r06")[0]
    sent = change if isinstance(change, bytes) else body(code, **change)  # type: ignore[arg-type]
    client = server.client("r06")
    before = server.log
    assert client.send("POST", f"{client.base}/answers", sent, JSON)[0] == status
    new = server.log[len(before) :]
    assert len(new.splitlines()) == 1
    assert f"refused {status} POST '/r/TOKEN/answers' from r06: " in new
    assert "127.0.0.1" not in new  # raters are promised that nothing tells who they are
    assert client.base[3:] not in new
    with Ledger(server.folder / "answers.sqlite") as ledger:
        assert ledger.of_rater("r06") == {}


def test_an_item_of_another_rater_is_refused_and_logged(server: Server) -> None:
    design = read_design(server.folder)
    foreign = next(iter(set(codes(design, "r08")) - set(codes(design, "r07"))))
    assert server.client("r07").answer(foreign, {"sync_accuracy": 3}) == 403
    assert f"r07 was not given the item '{foreign}'" in server.log.replace('"', "")
    video = design.items[foreign].video
    assert server.client("r07").get(f"video/{video}")[0] == 404


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_other_content_types_are_refused(server: Server, kind: str) -> None:
    client = server.client("r06")
    code = codes(read_design(server.folder), "r06")[0]
    headers = {"Content-Type": kind} if kind else {}
    assert client.send("POST", f"{client.base}/answers", body(code), headers)[0] == 415


def test_an_oversized_body_without_a_length_is_refused(server: Server) -> None:
    client = server.client("r06")
    chunk = b"400\r\n" + b"a" * 1024 + b"\r\n"
    headers = {**JSON, "Transfer-Encoding": "chunked"}
    status, _, _ = client.send("POST", f"{client.base}/answers", chunk * 40 + b"0\r\n\r\n", headers)
    assert status == 413


@pytest.mark.parametrize(
    "path",
    [
        "/r/{token}/video/..%2f..%2fdesign.json",
        "/r/{token}/video/../../../design.json",
        "/r/{token}/video/%2e%2e/secret",
        "/r/{token}/video/",
        "/r/{token}/video/design.json",
        "/r/{token}/video/..%5c..%5csecret",
        "/r/{token}/video/a%00.mp4",
        "/r/{token}/answers",
        "/assets/",
        "/assets/..%2fserver.py",
        "/assets/../server.py",
        "/assets/%2e%2e%2f%2e%2e%2fcli.py",
        "/videos/",
        "/design.json",
        "/answers.sqlite",
        "/.git/config",
        "//etc/passwd",
    ],
)
def test_path_traversal_is_refused_and_logged(server: Server, path: str) -> None:
    client = server.client("r09")
    path = path.replace("/r/{token}", client.base)
    before = server.log
    status, headers, got = client.send("GET", path)
    assert status in (404, 405)
    assert b"schema" not in got
    assert "content-security-policy" in headers
    new = server.log[len(before) :]
    assert f"refused {status} GET" in new
    assert client.base[3:] not in new


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    client = server.client("r09")
    assert client.send(method, f"{client.base}/answers", b"")[0] == 405


def test_unknown_tokens_are_refused_and_soon_slowed_down(folder: Path) -> None:
    with Server(folder) as running:
        stranger = Client(running.links["r01"][:-1] + "!")
        statuses = [stranger.get("")[0] for _ in range(40)]
        assert statuses[:20] == [404] * 20
        assert statuses.count(429) >= 10  # one more is let through every two seconds
        assert 429 in [stranger.answer("a", {"sync_accuracy": 3}) for _ in range(5)]
        assert running.client("r01").get("")[0] == 200  # those who are invited go on
        assert "from 127.0.0.1: 'unknown token'" in running.log
        assert "too many unknown tokens" in running.log


def test_a_rater_who_asks_too_often_is_slowed_down() -> None:
    now = [0.0]
    limit = RateLimit(burst=3, per_second=2, clock=lambda: now[0])
    assert [limit.allows("r01") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("r02")
    now[0] += 0.5
    assert [limit.allows("r01") for _ in range(2)] == [True, False]
    now[0] += 100.0
    assert [limit.allows("r01") for _ in range(4)] == [True, True, True, False]


# ---- no answer is lost ----------------------------------------------------------------------


@pytest.mark.slow
def test_no_answer_of_fifty_simultaneous_raters_is_lost(folder: Path) -> None:
    design = read_design(folder)
    sent: dict[tuple[str, str, str], int] = {}
    failed: list[object] = []
    everyone_ready = threading.Barrier(50)
    end = time.monotonic() + 120

    def rate(client: Client, rater: str, number: int) -> None:
        everyone_ready.wait(60)
        for place, code in enumerate(codes(design, rater)):
            if client.get("rate")[0] != 200:
                failed.append((rater, code, "page"))
            for step, question in enumerate(QUESTIONS):
                rating = 1 + (number + place + step) % 5
                status = client.answer(code, {question: rating})
                while status == 503 and time.monotonic() < end:  # busy: as the page, ask again
                    time.sleep(1)
                    status = client.answer(code, {question: rating})
                if status != 200:
                    failed.append((rater, code, question, status))
                sent[(rater, code, question)] = rating

    with Server(folder) as running:
        threads = [
            threading.Thread(target=rate, args=(running.client(rater), rater, number))
            for number, rater in enumerate(design.sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        csv = running.client("organiser").get("answers.csv")[2]
    assert failed == []
    assert len(sent) == 50 * 7 * 3
    answers = study_answers(open_study(folder))
    assert given(answers) == expected(design, sent)
    (folder / "downloaded.csv").write_bytes(csv)
    assert given(read_answers(folder / "downloaded.csv")) == expected(design, sent)


@pytest.mark.slow
def test_a_second_server_of_a_study_is_refused_without_side_effects(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "bench.command.cli",
        "study",
        "serve",
        str(folder),
        "--port",
        "0",
    ]
    with Server(folder) as first:
        before = sorted(path.name for path in folder.iterdir())
        second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert second.returncode == 2
        assert "another `bench study serve` is already serving this study" in second.stderr
        assert sorted(path.name for path in folder.iterdir()) == before
        first.kill()
    with Server(folder) as again:  # the killed one holds nothing back
        assert again.links


@pytest.mark.slow
def test_kill_nine_loses_no_acknowledged_answer(folder: Path) -> None:
    design = read_design(folder)
    raters = list(design.sessions)[:10]
    todo = {
        rater: [
            (code, question, 1 + (number + place + step) % 5)
            for place, code in enumerate(codes(design, rater))
            for step, question in enumerate(QUESTIONS)
        ]
        for number, rater in enumerate(raters)
    }
    acknowledged: dict[tuple[str, str, str], int] = {}

    def rate(client: Client, rater: str) -> None:
        try:
            for code, question, rating in todo[rater]:
                if (rater, code, question) in acknowledged:
                    continue
                assert client.answer(code, {question: rating}) == 200
                acknowledged[(rater, code, question)] = rating
        except (OSError, http.client.HTTPException):
            return  # the server is gone: this one was not acknowledged

    for until in (50, 120, 1000):
        with Server(folder) as running:
            threads = [
                threading.Thread(target=rate, args=(running.client(rater), rater))
                for rater in raters
            ]
            for thread in threads:
                thread.start()
            while len(acknowledged) < until and any(thread.is_alive() for thread in threads):
                time.sleep(0.002)
            running.kill()
            for thread in threads:
                thread.join()
        kept = given(study_answers(open_study(folder)))
        assert expected(design, acknowledged).items() <= kept.items()
    assert len(acknowledged) == 210


def test_a_rating_that_comes_sooner_than_the_video_lasts_is_marked_early(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = read_design(folder)
    raters = ("r01", "r02", "r03")
    shown = {rater: codes(design, rater)[0] for rater in raters}
    seconds = design.items[shown["r02"]].seconds
    now = [datetime(2026, 1, 1, tzinfo=timezone.utc)]

    def pass_by(wait: float) -> None:
        now[0] += timedelta(seconds=wait)

    monkeypatch.setattr(
        "bench.study.ask.ledger._now", lambda: now[0].isoformat(timespec="milliseconds")
    )
    everything = dict.fromkeys(QUESTIONS, 3)
    with Ledger(folder / "answers.sqlite") as ledger:
        ledger.hand_out("r01", [shown["r01"]])
        ledger.hand_out("r02", [shown["r02"]])
        pass_by(0.2)
        ledger.record("r01", shown["r01"], everything)
        pass_by(seconds - 0.4)
        ledger.hand_out("r02", [shown["r02"]])  # loaded again: the clock does not start anew
        ledger.record("r02", shown["r02"], everything)
    with Ledger(folder / "answers.sqlite") as ledger:  # the server was started again
        pass_by(60.0)
        ledger.hand_out("r01", [shown["r01"]])
        ledger.record("r01", shown["r01"], dict.fromkeys(QUESTIONS, 4))  # too late to be patient
        ledger.record("r03", shown["r03"], everything)  # without a page of ours
    answers = study_answers(open_study(folder))
    early = {rater: {a.early for a in answers if a.rater == rater} for rater in raters}
    assert early == {"r01": {True}, "r02": {False}, "r03": {False}}


def test_the_server_records_when_it_first_handed_out_a_page(folder: Path) -> None:
    def noted() -> list[tuple[str, str, str]]:
        with Ledger(folder / "answers.sqlite") as ledger:
            rows = ledger._file.execute("SELECT rater, item, at FROM handed_out ORDER BY at")
            return rows.fetchall()

    first, second = codes(read_design(folder), "r01")[:2]
    with Server(folder) as running:
        client = running.client("r01")
        client.get("")
        assert noted() == []  # the first page has no video to rate
        client.get("rate")
        (given,) = noted()
        assert given[:2] == ("r01", first)
        client.get("rate")
    with Server(folder) as running:
        client = running.client("r01")
        client.get("rate")
        assert noted() == [given]
        assert client.answer(first, dict.fromkeys(QUESTIONS, 3)) == 200
        client.get("rate")
        assert [one[1] for one in noted()] == [first, second]


def test_a_running_server_knows_newly_invited_raters_at_once(folder: Path) -> None:
    with Server(folder) as running:
        known = running.client("r01")
        assert known.get("")[0] == 200
        url = running.links["r01"].split("/r/")[0]
        added = CliRunner().invoke(main, ["study", "invite", str(folder), "2", "--url", url])
        running.links |= dict(line.split() for line in added.output.splitlines())
        assert "r52" in running.links
        new = running.client("r52")
        assert new.get("rate")[0] == 200
        code = codes(read_design(folder), "r52")[0]
        assert new.answer(code, {"sync_accuracy": 5}) == 200
        assert new.get(f"video/{read_design(folder).items[code].video}")[0] == 200
        assert b">r52<" in running.client("organiser").get("")[2]
        (folder / "study.yaml").write_text("title: no questions", encoding="utf-8")
        CliRunner().invoke(main, ["study", "invite", str(folder), "1"])
        assert known.get("")[0] == 200  # goes on as it was
        assert b">r53<" not in running.client("organiser").get("")[2]
        assert "the changed study cannot be opened" in running.log


def test_a_remark_is_shown_again_after_a_reload(folder: Path) -> None:
    code = codes(read_design(folder), "r01")[0]
    with Server(folder) as running:
        client = running.client("r01")
        assert client.answer(code, {"sync_accuracy": 3}, "blurred & late") == 200
        text = client.get("rate")[2].decode()
    assert '<details class="remark" open>' in text
    assert ">blurred &amp; late</textarea>" in text


def test_an_answer_sent_twice_at_the_same_time_is_one(folder: Path) -> None:
    with Ledger(folder / "answers.sqlite") as ledger:
        threads = [
            threading.Thread(target=ledger.record, args=("r01", "a", {"sync_accuracy": 4}, "once"))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ledger.entries()) == 1
        assert ledger._file.execute("SELECT count(*) FROM ratings").fetchone() == (1,)
        assert ledger._file.execute("SELECT count(*) FROM comments").fetchone() == (1,)


def test_answers_are_on_the_disk_before_they_are_acknowledged(folder: Path) -> None:
    with Ledger(folder / "answers.sqlite") as ledger:
        assert ledger._file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._file.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


# ---- connections, locks and proxies -----------------------------------------------------------


def half_requests(link: str, count: int) -> list[socket.socket]:
    """Opens connections that begin a request and never finish it."""
    parts = urlsplit(link)
    assert parts.hostname is not None
    assert parts.port is not None
    opened = []
    for _ in range(count):
        one = socket.create_connection((parts.hostname, parts.port), timeout=30)
        one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        opened.append(one)
    return opened


@pytest.mark.slow
def test_a_thousand_incomplete_requests_keep_no_rater_out(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip(f"this user may open {hard} files; the test needs 1500")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    opened: list[socket.socket] = []
    code = codes(read_design(folder), "r01")[0]
    try:
        with Server(folder) as running:
            opened = half_requests(running.links["r01"], 1100)
            for rater in ("r01", "r02"):
                assert running.client(rater).get("rate")[0] == 200
            assert running.client("r01").answer(code, {"sync_accuracy": 4}) == 200
    finally:
        for one in opened:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _answered(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"whole"})


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
    ],
    ids=["nothing", "half a header", "half a body", "half a second request"],
)
def test_a_request_that_never_ends_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)

    async def talk() -> bytes:
        async with served_connections() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            got = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return got

    # Keep what was already received; a reset connection means the same as a closed one.
    with contextlib.suppress(ConnectionResetError):
        got = asyncio.run(talk())
        assert got == b"" or b"whole" in got


def test_a_slow_request_that_ends_in_time_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)

    async def talk() -> list[bytes]:
        async with served_connections() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            got = []
            for _ in range(4):  # together they take longer than one may
                for piece in (b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n"):
                    writer.write(piece)
                    await asyncio.sleep(0.12)
                got.append(await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5))
            writer.close()
            return got

    assert all(b"200" in one and b"whole" in one for one in asyncio.run(talk()))


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 0.2) == b""
    except ConnectionResetError:
        return True
    except asyncio.TimeoutError:
        return False


def test_if_all_connections_are_taken_the_longest_idle_one_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 3)

    async def talk() -> tuple[bytes, list[bool]]:
        async with served_connections() as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await asyncio.sleep(0.1)
            held[0][1].write(b"GET / HTTP/1.1\r\n")  # heard of last
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            got = await asyncio.wait_for(reader.read(), 5)
            ended = [await is_closed(one) for one, _ in held]
            for _, one in held:
                one.close()
            return got, ended

    got, ended = asyncio.run(talk())
    assert b"whole" in got
    assert ended == [False, True, False]


@contextlib.asynccontextmanager
async def served_connections() -> AsyncIterator[int]:
    """Starts a minimal server that uses our connection class; returns its port."""
    config = uvicorn.Config(_answered, log_config=None)
    config.load()
    state = importlib.import_module("uvicorn.server").ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.Connection(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def test_with_a_locked_ledger_the_server_asks_to_retry_and_then_stores_the_answer(
    folder: Path,
) -> None:
    code = codes(read_design(folder), "r01")[0]
    with Server(folder) as running:
        client = running.client("r01")
        assert client.get("rate")[0] == 200
        other = sqlite3.connect(folder / "answers.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        value = json.dumps({"item": code, "ratings": {"sync_accuracy": 4}}).encode()
        status, headers, _ = client.send("POST", f"{client.base}/answers", value, JSON)
        assert status == 503
        assert int(headers["retry-after"]) > 0
        status, headers, page = running.client("r02").get("rate")  # notes when it gave out a page
        assert status == 503
        assert int(headers["refresh"]) == int(headers["retry-after"]) > 0
        assert "content-security-policy" in headers
        assert b"retry by itself" in page
        assert "database is locked" in running.log
        assert "Traceback" not in running.log
        other.execute("ROLLBACK")
        other.close()
        assert client.send("POST", f"{client.base}/answers", value, JSON)[0] == 200
        assert running.client("r02").get("rate")[0] == 200
    (answer,) = study_answers(open_study(folder))
    assert answer.rating == 4


def test_a_full_disk_is_reported_as_busy_and_no_answer_is_lost(folder: Path) -> None:
    with Ledger(folder / "answers.sqlite") as ledger:
        ledger.record("r01", "a", {"sync_accuracy": 3})
        (pages,) = ledger._file.execute("PRAGMA page_count").fetchone()
        ledger._file.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(LedgerBusyError, match="disk is full"):
            ledger.record("r01", "a", {"sync_accuracy": 4}, "long " * 4000)
        ledger._file.execute(f"PRAGMA max_page_count={pages + 100}")
        assert [one.rating for one in ledger.entries()] == [3]
        ledger.record("r01", "a", {"sync_accuracy": 4}, "long " * 4000)
        assert [one.rating for one in ledger.entries()] == [4]


def strangers_address(folder: Path, *options: str) -> str:
    """The address in the log after a stranger's request with an X-Forwarded-For header."""
    with Server(folder, *options) as running:
        stranger = Client(running.links["r01"][:-1] + "!")
        stranger.get(
            "", {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        )  # the last is the proxy's
        return re.findall(r"from (\S+):", running.log)[-1]


def test_only_named_proxies_are_trusted(folder: Path) -> None:
    assert strangers_address(folder) == "127.0.0.1"
    assert strangers_address(folder, "--proxy", "10.0.0.1") == "127.0.0.1"
    assert strangers_address(folder, "--proxy", "127.0.0.0/8") == "203.0.113.9"
    done = CliRunner().invoke(main, ["study", "serve", str(folder), "--proxy", "proxy.example"])
    assert done.exit_code == 2
    assert "--proxy proxy.example" in done.output


@pytest.mark.parametrize(
    ("host", "url", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", False),
        ("localhost", "https://study.example.org", False),
        ("0.0.0.0", "http://10.1.2.3:8000", True),
        ("0.0.0.0", "https://study.example.org", True),
        ("127.0.0.1", "http://study.example.org", True),
        ("::", "http://[::]:8000", True),
    ],
)
def test_plain_http_beyond_this_computer_is_detected(host: str, url: str, told: bool) -> None:
    assert _in_the_clear(host, url) is told


def test_the_command_warns_about_plain_http(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ready(_study: object, **given: object) -> None:
        given["ready"]("http://10.1.2.3:8000")  # type: ignore[operator]

    monkeypatch.setattr("bench.study.ask.server_process.serve", ready)
    open_to_all = CliRunner().invoke(main, ["study", "serve", str(folder), "--host", "0.0.0.0"])
    assert "Plain HTTP" in open_to_all.stderr
    monkeypatch.setattr(
        "bench.study.ask.server_process.serve",
        lambda _study, **given: given["ready"]("http://127.0.0.1:80"),
    )
    assert "Plain HTTP" not in CliRunner().invoke(main, ["study", "serve", str(folder)]).stderr


# ---- the commands ---------------------------------------------------------------------------


def test_export_writes_the_tidy_csv(folder: Path) -> None:
    design = read_design(folder)
    runner = CliRunner()
    nothing = runner.invoke(main, ["study", "export", str(folder)])
    assert nothing.exit_code == 2
    assert "nobody has answered" in nothing.output
    with Ledger(folder / "answers.sqlite") as ledger:
        ledger.record("r01", codes(design, "r01")[2], {"sync_accuracy": 4}, "=SUM(A1)")
    done = runner.invoke(main, ["study", "export", str(folder)])
    assert done.exit_code == 0, done.output
    (answer,) = read_answers(folder / "answers.csv")
    assert (answer.rater, answer.rating, answer.comment) == ("r01", 4, "=SUM(A1)")
    assert "'=SUM(A1)" in (folder / "answers.csv").read_text(encoding="utf-8")


def test_static_pages_need_no_server(folder: Path, tmp_path: Path) -> None:
    design = read_design(folder)
    done = CliRunner().invoke(
        main, ["study", "export", str(folder), "--html", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out").iterdir())) == 50
    own = tmp_path / "out" / "r01"
    for page in (own / "index.html", own / "zh.html"):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r'(?:src|href)="([^"]+)"', text)
        local = [link for link in links if not link.startswith(("#", "data:"))]
        assert local
        assert all((own / link).is_file() for link in local), local
        assert not [i.method for i in design.items.values() if i.method in text]
    study = open_study(folder)
    with pytest.raises(BenchError, match="already exists"):
        write_static_pages(study, tmp_path / "out")


def test_the_error_for_a_port_in_use_names_it(server: Server, folder: Path) -> None:
    port = re.findall(r":(\d+)/", server.links["r01"])[0]
    done = CliRunner().invoke(main, ["study", "serve", str(folder), "--port", port])
    assert done.exit_code == 2
    assert "Choose another --port" in done.output
