"""The web application of a study: invited raters watch videos, rate them, and may resume later.

Only the token in the path identifies a rater; there are no cookies. An answer that does not match
the questionnaire exactly is refused with a reason, and the refusal is logged.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pydantic
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.ground.errors import BenchError
from bench.study.answers import HIGHEST, LOWEST, TEXT_CHARACTERS, answers_csv
from bench.study.ask.export import collected_answers
from bench.study.ask.ledger import Ledger, LedgerBusyError
from bench.study.ask.pages import ASSETS, Pages
from bench.study.ask.rate_limit import RateLimit
from bench.study.blinding import DESIGN_FILE
from bench.study.folder import VIDEOS, Study, open_study
from bench.study.make.invitations import ORGANISER, Tokens, holder, rater_link

RETRY_SECONDS = 3  # after which a page repeats a request that met a busy ledger
BODY_BYTES = 32_768  # twice the longest valid answer, with every letter escaped
ASSET_NAMES = ("study.css", "rate.js", "keep_on_server.js", "refresh.js")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "media-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # the path contains the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
LOG = logging.getLogger(__name__)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
# Remarks are always escaped in output; markup and control characters are refused nevertheless.
_NO_REMARK = re.compile(r"<[A-Za-z/!?]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Submitted(pydantic.BaseModel):
    """What a rater's browser sends: ratings of one item by question, and optionally a remark."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    item: Annotated[str, pydantic.Field(max_length=64)]
    ratings: dict[str, Annotated[int, pydantic.Field(ge=LOWEST, le=HIGHEST)]]
    comment: Annotated[str, pydantic.Field(max_length=TEXT_CHARACTERS)] | None = None

    @pydantic.field_validator("comment")
    @classmethod
    def _is_plain(cls, comment: str | None) -> str | None:
        if comment is not None and _NO_REMARK.search(comment):
            raise ValueError("a remark must be plain text without tags or control characters")
        return comment


@dataclass(frozen=True)
class _Invited:
    """The study as the server has it in memory.

    tokens: raters by the digest of their token. links, videos: by rater.
    """

    study: Study
    pages: Pages
    tokens: Mapping[bytes, str]
    links: Mapping[str, str]
    videos: Mapping[str, Mapping[str, Path]]


def _invited(study: Study, tokens: Tokens, url: str) -> _Invited:
    design, folder = study.design, study.folder / VIDEOS
    examples = [example.video for example in design.examples]
    videos = {
        rater: [design.items[code].video for code in design.assigned(rater)] + examples
        for rater in design.sessions
    }
    return _Invited(
        study,
        Pages(study, assets="../../assets/", videos="video/"),
        tokens.by_digest(design.sessions),
        {rater: rater_link(url, tokens.of(rater)) for rater in design.sessions},
        {rater: {name: folder / name for name in names} for rater, names in videos.items()},
    )


class Application:
    """Handles the requests of one study and stores the answers in its ledger.

    Raters who are invited while it runs can answer at once. url: the study's address as raters see
    it, for the links on the organiser's page.
    """

    def __init__(self, study: Study, ledger: Ledger, tokens: Tokens, *, url: str) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._url = url
        self._now = _invited(study, tokens, url)
        self._design_read = 0  # modification time of the design in `_now`; 0: read it again
        self._organiser = tokens.by_digest([ORGANISER])
        self._by_rater = RateLimit(burst=400, per_second=20)
        self._by_client = RateLimit(burst=1000, per_second=100)  # a class may share one address
        self._strangers = RateLimit(burst=20, per_second=0.5)

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.home),
                Route("/assets/{name}", self.asset),
                Route("/r/{token}", self.to_folder),
                Route("/r/{token}/", self.start),
                Route("/r/{token}/rate", self.rate),
                Route("/r/{token}/answers", self.answer, methods=["POST"]),
                Route("/r/{token}/video/{name}", self.video),
                Route("/o/{token}", self.to_folder),
                Route("/o/{token}/", self.organiser),
                Route("/o/{token}/answers.csv", self.answers),
            ],
            middleware=[Middleware(_Guarded)],
            exception_handlers={
                HTTPException: self.refuse,
                LedgerBusyError: self.wait,
                Exception: self.fail,
            },
        )

    # ---- pages ----

    async def home(self, request: Request) -> Response:
        """The page at the server's root, for visitors without a link."""
        return self._message(request, "home", "home_text", status=200)

    async def asset(self, request: Request) -> Response:
        """A style or script file; only those in ASSET_NAMES are served."""
        self._count_client(request)
        name = request.path_params["name"]
        if name not in ASSET_NAMES:
            raise HTTPException(404, "no such file")
        return FileResponse(ASSETS / name, headers={"Cache-Control": "max-age=600"})

    async def to_folder(self, request: Request) -> Response:
        """Redirects to the same path with a final slash, to which all links are relative."""
        return RedirectResponse(f"{request.path_params['token'][:64]}/")

    async def start(self, request: Request) -> Response:
        """The rater's first page."""
        rater = self._rater(request)
        pages = self._now.pages
        language = pages.language(request.query_params.get("lang"))
        ratings = await run_in_threadpool(self._ledger.of_rater, rater)
        link = f"rate?lang={language}"
        return HTMLResponse(pages.start(rater, ratings, language, rate_link=link))

    async def rate(self, request: Request) -> Response:
        """The first unfinished page, or the thank-you page."""
        rater, pages = self._rater(request), self._now.pages
        language = pages.language(request.query_params.get("lang"))
        ratings = await run_in_threadpool(self._ledger.of_rater, rater)
        number = pages.first_open(rater, ratings)
        if number is None:
            return self._message(request, "done", "done_text", status=200)
        codes = self._now.study.design.sessions[rater][number]
        await run_in_threadpool(self._ledger.hand_out, rater, codes)
        remarks = await run_in_threadpool(self._ledger.remarks_of, rater)
        return HTMLResponse(pages.rate(rater, ratings, language, number=number, remarks=remarks))

    async def video(self, request: Request) -> Response:
        """One of this rater's videos, complete or as the byte ranges that players request."""
        rater = self._rater(request)
        path = self._now.videos[rater].get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, f"no such video for {rater}")
        return FileResponse(
            path, media_type="video/mp4", headers={"Cache-Control": "private, max-age=86400"}
        )

    # ---- answering ----

    async def answer(self, request: Request) -> Response:
        """Stores ratings, and acknowledges them once they are on disk."""
        rater = self._rater(request)
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, f"content type {kind[:40]!r} of {rater}; expected JSON")
        given = _submitted(await _body(request), rater)
        study = self._now.study
        if given.item not in study.design.assigned(rater):
            raise HTTPException(403, f"{rater} was not given the item {given.item!r}")
        unknown = set(given.ratings) - set(study.questions)
        if unknown or not (given.ratings or given.comment is not None):
            named = f"unknown question {sorted(unknown)[0][:40]!r}" if unknown else "no answer"
            raise HTTPException(422, f"{named} from {rater}")
        if given.comment and not study.questionnaire.comments:
            raise HTTPException(422, f"a remark from {rater}; this study does not accept remarks")
        await run_in_threadpool(
            self._ledger.record, rater, given.item, given.ratings, given.comment
        )
        return JSONResponse({"saved": True})

    # ---- the organiser ----

    async def organiser(self, request: Request) -> Response:
        """The organiser's page: progress and means so far."""
        self._is_organiser(request)
        language = request.query_params.get("lang")
        return HTMLResponse(await run_in_threadpool(self._organiser_page, language))

    def _organiser_page(self, language: str | None) -> str:
        pages, links = self._now.pages, self._now.links
        done = {rater: pages.progress(rater, self._ledger.of_rater(rater))[0] for rater in links}
        answers = collected_answers(self._now.study, self._ledger)
        return pages.organiser(answers, done, links, pages.language(language))

    async def answers(self, request: Request) -> Response:
        """The answers as a tidy csv."""
        self._is_organiser(request)
        study = self._now.study
        answers = await run_in_threadpool(collected_answers, study, self._ledger)
        name = f"answers_{study.design.study}.csv"
        return PlainTextResponse(
            answers_csv(answers),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    # ---- refusals ----

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Answers a refused request, and logs the reason."""
        assert isinstance(error, HTTPException)
        LOG.warning(
            "refused %d %s %s from %s: %s",
            error.status_code,
            request.method,
            ascii(_TOKEN.sub("TOKEN", request.url.path)[:120]),
            self._whence(request),
            ascii(error.detail[:200]),
        )
        if request.method == "POST":
            return JSONResponse({"error": error.detail}, error.status_code)
        text = "error_many" if error.status_code == 429 else "error_text"
        return self._message(request, "error", text, status=error.status_code)

    async def wait(self, request: Request, error: Exception) -> Response:
        """Answers 503 when the ledger is busy; scripts and pages then retry by themselves."""
        LOG.warning("busy on %s: %s", _TOKEN.sub("TOKEN", request.url.path)[:120], error)
        headers = {"Retry-After": str(RETRY_SECONDS)}
        if request.method == "POST":
            return JSONResponse({"error": "busy"}, 503, headers)
        answer = self._message(request, "error", "error_busy", status=503)
        answer.headers.update({**headers, "Refresh": str(RETRY_SECONDS)})
        return answer

    async def fail(self, request: Request, error: Exception) -> Response:
        """Answers after a bug: logs the traceback, and shows no details."""
        LOG.error("failed on %s", _TOKEN.sub("TOKEN", request.url.path)[:120], exc_info=error)
        return PlainTextResponse("internal error", 500, headers=HEADERS)

    def _message(self, request: Request, heading: str, text: str, *, status: int) -> Response:
        pages = self._now.pages
        html = pages.message(heading, text, pages.language(request.query_params.get("lang")))
        return HTMLResponse(html, status)

    def _rater(self, request: Request) -> str:
        token = request.path_params["token"]
        rater = holder(token, self._now.tokens)
        if rater is None:
            self._look_for_new_raters()
            rater = holder(token, self._now.tokens)
        if rater is None:
            raise self._stranger(request)
        if not self._by_rater.allows(rater):
            raise HTTPException(429, f"too many requests of {rater}")
        return rater

    def _is_organiser(self, request: Request) -> None:
        if holder(request.path_params["token"], self._organiser) is None:
            raise self._stranger(request)
        self._look_for_new_raters()

    def _look_for_new_raters(self) -> None:
        """Opens the study again if `bench study invite` has rewritten its design."""
        folder = self._now.study.folder
        try:
            written = (folder / DESIGN_FILE).stat().st_mtime_ns
            if written == self._design_read:
                return
            self._now = _invited(open_study(folder), self._tokens, self._url)
        except (OSError, BenchError) as error:
            LOG.warning("the changed study cannot be opened: %s", ascii(str(error)[:500]))
            return
        self._design_read = written

    def _stranger(self, request: Request) -> HTTPException:
        if not self._strangers.allows(_client(request)):
            return HTTPException(429, "too many unknown tokens")
        return HTTPException(404, "unknown token")

    def _whence(self, request: Request) -> str:
        """Whom a refusal concerns: the rater's name without an address, or a stranger's address."""
        return holder(request.path_params.get("token", ""), self._now.tokens) or _client(request)

    def _count_client(self, request: Request) -> None:
        if not self._by_client.allows(_client(request)):
            raise HTTPException(429, "too many requests")


class _Guarded:
    """Adds the security headers to every response; pages are never cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = {"Cache-Control": "no-store", **HEADERS}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in extra.items()
                        if name.lower().encode() not in present
                    ),
                ]
            await send(message)

        await self._app(scope, receive, guarded)


async def _body(request: Request) -> bytes:
    """The request's body; stops reading and raises HTTPException at BODY_BYTES."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES:
                raise HTTPException(413, f"more than {BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended before the request did") from error
    return body


def _submitted(body: bytes, rater: str) -> Submitted:
    try:
        return Submitted.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{rater}: {where[:60]}: {first['msg']}") from error


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"
