"""The command group `bench study`: make a study, ask raters, score their answers."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bench.command.study_scores import COMMANDS as SCORE_COMMANDS
from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from bench.study.blinding import Design
    from bench.study.questionnaire import Language, Layout

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_DIFFERENCE = click.FloatRange(0.01, 4.0)
_SPREAD = click.FloatRange(0.0, 4.0)
_LANGUAGES: dict[str, tuple[Language, ...]] = {
    "en": ("en",),
    "zh": ("zh",),
    "en,zh": ("en", "zh"),
    "zh,en": ("zh", "en"),
}


class _InOrderOfUse(click.Group):
    """Lists the commands in the order in which a study uses them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrderOfUse)
def study() -> None:
    """User studies: from the videos of finished runs to a table of mean opinion scores.

    \b
    Example:
      bench study new runs/clr -o studies/clr     select videos, draw who sees which
      bench study serve studies/clr               collect ratings: prints a link for every rater
      bench study score studies/clr               mean opinion scores with intervals and tests
    """


# ---- make -----------------------------------------------------------------------------------


@study.command()
@click.argument("runs", type=_FOLDER, nargs=-1, required=True)
@click.option("-o", "--output", type=_PATH, required=True, help="The study's new folder.")
@click.option("--methods", help="Labels, separated by commas. Default: all except controls.")
@click.option("--cases", help="Number, or ids separated by commas. Default: 20, or all if fewer.")
@click.option(
    "--kind",
    type=click.Choice(["reconstruct", "cross"]),
    default="reconstruct",
    show_default=True,
    help="Kind of cases.",
)
@click.option("--questions", type=_FILE, help="A yaml of questions. Default: the paper's three.")
@click.option("--raters", type=click.IntRange(1, 5000), default=20, show_default=True)
@click.option(
    "--per-rater", type=click.IntRange(1), help="Rated videos per rater. Default: about 40."
)
@click.option(
    "--layout",
    type=click.Choice(["single", "side_by_side"]),
    default="single",
    show_default=True,
    help="One video at a time, or several methods side by side.",
)
@click.option("--per-page", type=click.IntRange(2, 12), help="Videos side by side. Default: 4.")
@click.option(
    "--checks",
    type=click.IntRange(0, 20),
    default=2,
    show_default=True,
    help="Hidden references, and as many low anchors, per rater; at most one per rated case.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--tell",
    type=_DIFFERENCE,
    default=0.3,
    show_default=True,
    help="A difference of mean opinion scores; the command prints the probability of finding it.",
)
@click.option(
    "--lang",
    type=click.Choice(list(_LANGUAGES)),
    default="en,zh",
    show_default=True,
    help="Languages; pages open in the first.",
)
def new(
    runs: tuple[Path, ...],
    output: Path,
    methods: str | None,
    cases: str | None,
    kind: str,
    questions: Path | None,
    raters: int,
    per_rater: int | None,
    layout: Layout,
    per_page: int | None,
    checks: int,
    seed: int,
    tell: float,
    lang: str,
) -> None:
    """Make a study from finished RUNS: copy their videos blindly and draw who sees which.

    Every rater gets a balanced share of the videos in random order, mixed with hidden references
    and low anchors. You can then edit questions and texts in the study's study.yaml.

    \b
    Example: bench study new runs/clr --cases 12 --raters 20 -o studies/clr
    """
    from bench.command.terminal import progress
    from bench.study.make.new_study import new_study
    from bench.study.make.selection import StudyOptions

    options = StudyOptions(
        methods=_names(methods),
        cases=int(cases) if cases and cases.isdecimal() else _names(cases) or None,
        kind=kind,
        questions=questions,
        raters=raters,
        per_rater=per_rater,
        layout=layout,
        per_page=per_page,
        checks=checks,
        seed=seed,
        tell=tell,
        languages=_LANGUAGES[lang],
    )
    with progress("encoding the videos alike") as step:
        made = new_study(runs, output, options, progress=step)
    for note in made.notes:
        click.echo(note)
    click.echo(f"{output}: edit {output / 'study.yaml'}, then: bench study serve {output}")


@study.command()
@click.option("--methods", type=click.IntRange(2, 100), default=6, show_default=True)
@click.option("--cases", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--raters", type=click.IntRange(1, 5000), default=20, show_default=True)
@click.option(
    "--per-rater", type=click.IntRange(1), help="Rated videos per rater. Default: about 40."
)
@click.option(
    "--tell", type=_DIFFERENCE, default=0.3, show_default=True, help="The difference to find."
)
@click.option("--noise", type=_SPREAD, default=0.7, show_default=True, help="Sd of one rating.")
@click.option("--taste", type=_SPREAD, default=0.25, show_default=True, help="Sd: rater by method.")
@click.option("--fit", type=_SPREAD, default=0.25, show_default=True, help="Sd: clip by method.")
@click.option("--clip", type=_SPREAD, default=0.3, show_default=True, help="Sd of clips' levels.")
def power(
    methods: int,
    cases: int,
    raters: int,
    per_rater: int | None,
    tell: float,
    noise: float,
    taste: float,
    fit: float,
    clip: float,
) -> None:
    """Print the probability of finding a difference between two methods; needs no run.

    \b
    Example: bench study power --methods 3 --cases 12 --raters 30 --tell 0.3
    """
    from bench.study.make.power import Sizes, Spread, power_sentences, power_table
    from bench.study.make.selection import PER_RATER

    usual = max(methods, min(methods * cases, PER_RATER // methods * methods))
    sizes = Sizes(methods, cases, raters, usual if per_rater is None else per_rater)
    spread = Spread(clip=clip, taste=taste, fit=fit, noise=noise)
    click.echo(f"{methods} methods, {cases} cases, {raters} raters, {sizes.per_rater} videos each:")
    for line in (*power_sentences(sizes, tell, spread), "", *power_table(sizes, tell, spread)):
        click.echo(line)


# ---- ask ------------------------------------------------------------------------------------


@study.command()
@click.argument("folder", metavar="STUDY", type=_FOLDER)
@click.argument("count", type=click.IntRange(0, 5000), default=0)
@click.option(
    "--url", default="http://127.0.0.1:8000", show_default=True, help="The server's address."
)
def invite(folder: Path, count: int, url: str) -> None:
    """Add COUNT raters to STUDY and print all links.

    A running server knows the new raters at once.
    """
    from bench.study.blinding import read_design
    from bench.study.make.new_study import invite as add

    _show_links(folder, add(folder, count) if count else read_design(folder), url)


@study.command()
@click.argument("folder", metavar="STUDY", type=_FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: all networks.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--url", help="Address for raters, if it differs: https://study.example.org")
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    callback=lambda _context, _option, given: tuple(map(_network, given)),
    help="Address or network of a reverse proxy whose X-Forwarded-For is trusted. Default: none.",
)
def serve(folder: Path, host: str, port: int, url: str | None, proxies: tuple[str, ...]) -> None:
    """Serve STUDY to its raters, and print all links.

    You can stop or kill the server at any time: no acknowledged answer is lost, and raters resume
    where they stopped. Refused requests are logged in serve.log in the study's folder.
    """
    from bench.study.folder import open_study

    try:
        from bench.study.ask.server_process import serve as run
    except ModuleNotFoundError as error:
        raise BenchError(
            f"`bench study serve` needs {error.name}: pip install 'talking-face-bench[study]'"
        ) from error

    opened = open_study(folder)
    only_here = url is None and _is_here(host)
    run(
        opened,
        host=host,
        port=port,
        url=url,
        proxies=proxies,
        ready=lambda reached: _show_served(
            folder, opened.design, reached, host=host, only_here=only_here
        ),
    )


@study.command()
@click.argument("folder", metavar="STUDY", type=_FOLDER)
@click.option("-o", "--output", type=_PATH, help="The csv. Default: STUDY/answers.csv.")
@click.option("--html", type=_PATH, help="Instead, write static pages that need no server.")
def export(folder: Path, output: Path | None, html: Path | None) -> None:
    """Write the answers of STUDY as a tidy csv, or its questionnaire as static pages.

    The pages work without a server: send each rater's folder, and read the files that raters send
    back with `bench study import`.
    """
    from bench.study.answers import write_answers
    from bench.study.ask import export as exporting
    from bench.study.folder import open_study

    opened = open_study(folder)
    if html is not None:
        folders = exporting.write_static_pages(opened, html)
        click.echo(f"{html}: {len(folders)} folders, one per rater; raters open index.html")
        return
    target = output or folder / "answers.csv"
    answers = exporting.study_answers(opened)
    write_answers(target, answers)
    click.echo(f"{target}: {len(answers)} answers")


# ---- score ----------------------------------------------------------------------------------

for _command in SCORE_COMMANDS:
    study.add_command(_command)


# ---- shared by the commands -----------------------------------------------------------------


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _network(text: str) -> str:
    """The given address or network; raises BenchError if it is neither."""
    try:
        ip_network(text)
    except ValueError as error:
        raise BenchError(
            f"--proxy {text}: {error}. Give the proxy's address (10.0.0.1) or network "
            "(10.0.0.0/24) as seen from this computer."
        ) from error
    return text


def _is_here(host: str) -> bool:
    """Whether only this computer can connect to this host."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _in_the_clear(host: str, url: str) -> bool:
    """Whether links and answers can travel through a network unencrypted."""
    return not _is_here(host) or (
        url.startswith("http:") and not _is_here(urlsplit(url).hostname or "")
    )


def _show_served(folder: Path, design: Design, url: str, *, host: str, only_here: bool) -> None:
    """Prints all links, and warnings for the organiser."""
    _show_links(folder, design, url)
    if only_here:
        click.echo(
            "Only this computer can open these links. For other computers, use --host 0.0.0.0 in "
            "your network, or --url with a reverse proxy.",
            err=True,
        )
    if _in_the_clear(host, url):
        click.echo(
            "Plain HTTP: anyone on the same network can read links and answers, and answer as a "
            "rater. Outside a trusted network, use a reverse proxy with HTTPS: "
            "--host 127.0.0.1 --url https://...",
            err=True,
        )
    click.echo("Ctrl-C stops the server; the same command resumes without loss.", err=True)


def _show_links(folder: Path, design: Design, url: str) -> None:
    from bench.study.make.invitations import ORGANISER, Tokens, organiser_link, rater_link

    tokens = Tokens(folder)
    click.echo(f"organiser  {organiser_link(url, tokens.of(ORGANISER))}")
    for rater in design.sessions:
        click.echo(f"{rater:<10} {rater_link(url, tokens.of(rater))}")
