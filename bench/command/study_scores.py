"""`bench study import`, `score`, `correlate` and `simulate`: answers, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import click

from bench.ground.errors import BenchError

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_ANY = click.Path(path_type=Path, exists=True)
_RATING = click.IntRange(1, 5)
_SHARE = click.FloatRange(0.0, 1.0)
_SPREAD = click.FloatRange(0.0, 10.0)


@click.command("import")
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=_PATH, help="The csv of answers.")
@click.option("--mapping", type=_FILE, help="A yaml that explains the columns.")
@click.option(
    "--mapping-template",
    type=_PATH,
    help="Instead, write a proposed mapping for the first of FILES to this path.",
)
@click.option("--study", type=_FOLDER, help="The study that was rated.")
def import_command(
    files: tuple[Path, ...],
    output: Path | None,
    mapping: Path | None,
    mapping_template: Path | None,
    study: Path | None,
) -> None:
    """Import answers from FILES: csv or xlsx of Google Forms, Wenjuanxing or a hand-made table, or
    csv files that raters saved from the static pages.

    --mapping-template proposes a mapping from the table's content: columns, ratings, blanks, times.
    Check it. The import itself guesses nothing and lists every bad cell. It leaves out personal
    columns.

    \b
    Example:
      bench study import form.csv --mapping-template mapping.yaml --study studies/clr
      bench study import form.csv --mapping mapping.yaml --study studies/clr -o answers.csv
    """
    from bench.study.answers import write_answers
    from bench.study.folder import open_study
    from bench.study.question_titles import write_questions
    from bench.study.read.importing import import_answers, template_for
    from bench.study.read.mapping import read_mapping

    opened = None if study is None else open_study(study)
    if mapping_template is not None:
        if mapping_template.exists():
            raise BenchError(f"{mapping_template} already exists; choose another name.")
        proposal = template_for(files[0], opened)
        mapping_template.write_text(proposal.text, encoding="utf-8")
        for line in proposal.seen:
            click.echo(f"{files[0]}: {line}")
        click.echo(f"{mapping_template}: check it, then give it with --mapping")
        return
    if output is None:
        raise BenchError("no output: name the csv of answers with -o answers.csv.")
    if output.resolve() in [file.resolve() for file in files]:
        raise BenchError(f"{output}: is one of the tables to read; choose another name with -o.")
    found = import_answers(
        files, mapping=None if mapping is None else read_mapping(mapping), study=opened
    )
    write_answers(output, found.answers)
    if found.questions:
        write_questions(output, found.questions)
    for note in found.notes:
        click.echo(note)
    raters = len({answer.rater for answer in found.answers})
    click.echo(
        f"{output}: {len(found.answers)} answers of {raters} raters. "
        f"Next: bench study score {output}"
    )


@click.command("score")
@click.argument("source", type=_ANY, metavar="STUDY|ANSWERS.CSV")
@click.option("--run", "runs", type=_FOLDER, multiple=True, help="A run of the rated videos.")
@click.option(
    "-o", "--output", type=_PATH, help="The json; a csv goes beside it. Default: beside SOURCE."
)
@click.option("--into-runs", is_flag=True, help="Also write into each run, for `bench report`.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--truth-least",
    type=_RATING,
    default=3,
    show_default=True,
    help="A rating of a hidden reference below this fails a check.",
)
@click.option(
    "--low-most",
    type=_RATING,
    default=3,
    show_default=True,
    help="A rating of a low anchor above this fails a check.",
)
@click.option(
    "--failures-most",
    type=_SHARE,
    default=0.25,
    show_default=True,
    help="Share of failed checks that is tolerated.",
)
@click.option(
    "--low-question",
    "low_questions",
    multiple=True,
    help="A question on which the low anchor is bad. Default: sync_accuracy, or all.",
)
@click.option("--checks/--no-checks", default=True, help="Exclude raters by attention checks.")
@click.option("--bt500/--no-bt500", default=True, help="Exclude raters by ITU-R BT.500.")
def score_command(
    source: Path,
    runs: tuple[Path, ...],
    output: Path | None,
    into_runs: bool,
    seed: int,
    truth_least: int,
    low_most: int,
    failures_most: float,
    low_questions: tuple[str, ...],
    checks: bool,
    bt500: bool,
) -> None:
    """Score a study or a csv of answers: mean opinion scores with 95 % intervals, inter-rater
    agreement, excluded raters, differences between methods, correlations with metrics.

    Writes scores.json and scores.csv into the study's folder, or beside the csv. Runs are only read
    for the metric values of the rated videos; with --into-runs each run also gets a file from which
    `bench report` makes Table 3.

    \b
    Example: bench study score studies/clr --into-runs
    """
    from bench.command.score_table import show_scores
    from bench.study.answers import is_simulated
    from bench.study.score.compute_scores import ScoringSettings, compute_scores
    from bench.study.score.metric_values import metric_columns
    from bench.study.score.score_files import write_all
    from bench.study.score.score_inputs import (
        find_inputs,
        find_runs,
        known_titles,
        match_to_runs,
        run_names,
        shown_methods,
        titled_questions,
    )
    from bench.study.score.screening import ScreeningRules

    found = find_inputs(source)
    simulated = is_simulated(found.answers, source)
    folders, missing = find_runs(found, runs)
    rules = ScreeningRules(
        truth_least=truth_least,
        low_most=low_most,
        failures_most=failures_most,
        low_questions=low_questions,
        bt500=bt500,
        checks=checks,
    )
    study = found.study
    title, title_zh = known_titles(study)
    scores = compute_scores(
        match_to_runs(found.answers, folders),
        name=found.name,
        title=title,
        title_zh=title_zh,
        simulated=simulated,
        questions=titled_questions(found, source),
        methods=() if study is None else sorted(study.design.plan.methods),
        columns={name: metric_columns(run) for run, name in run_names(folders).items()},
        settings=ScoringSettings(seed=seed, rules=rules),
    )
    target = output or found.target
    if target.suffix != ".json":
        raise BenchError(f"-o {target}: name a .json file; the csv is written beside it.")
    written = write_all(scores, target, folders if into_runs else ())
    show_scores(scores, shown_methods(folders))
    for line in missing:
        click.echo(line)
    for path in written:
        click.echo(path)
    if folders and into_runs:
        click.echo(f"Next: bench report {' '.join(map(str, folders))}")
    elif folders:
        click.echo("Nothing was written into the runs. For a table in their reports: --into-runs")


@click.command("simulate")
@click.argument("folder", metavar="STUDY", type=_FOLDER)
@click.option("-o", "--output", type=_PATH, help="The csv. Default: STUDY/simulated.csv.")
@click.option(
    "--raters", type=click.IntRange(1, 5000), help="Number of raters. Default: the study's."
)
@click.option(
    "--means",
    type=_FILE,
    help="A csv `method,QUESTION,...` of expected ratings, like the paper's Table 3. "
    "Default: evenly spaced from 2 to 4.",
)
@click.option("--bias", type=_SPREAD, default=0.4, show_default=True, help="Sd of raters' levels.")
@click.option("--clip", type=_SPREAD, default=0.3, show_default=True, help="Sd of clips' levels.")
@click.option("--noise", type=_SPREAD, default=0.7, show_default=True, help="Sd of the residual.")
@click.option(
    "--careless", type=_SHARE, default=0.0, show_default=True, help="Share who answer at random."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def simulate_command(
    folder: Path,
    output: Path | None,
    raters: int | None,
    means: Path | None,
    bias: float,
    clip: float,
    noise: float,
    careless: float,
    seed: int,
) -> None:
    """Answer STUDY with simulated raters of known means, to test what scoring recovers.

    The answers are marked as simulated, and so are all results from them.

    \b
    Example:
      bench study simulate studies/clr --careless 0.1
      bench study score studies/clr/simulated.csv
    """
    from bench.study.answers import write_answers
    from bench.study.folder import open_study
    from bench.study.make.simulation import (
        Crowd,
        even_means,
        presentations_of,
        read_means,
        simulate,
    )

    study = open_study(folder)
    methods = sorted(study.design.plan.methods)
    chosen = even_means(methods, study.questions) if means is None else read_means(means)
    crowd = Crowd(bias=bias, clip=clip, noise=noise, careless=careless, seed=seed)
    answers, random = simulate(
        presentations_of(study.design, raters), study.questions, chosen, crowd
    )
    target = output or folder / "simulated.csv"
    write_answers(target, answers)
    if means is None:
        for method in methods:
            click.echo(f"{method}: expected rating {chosen[method, study.questions[0]]:.2f}")
    click.echo(f"careless: {', '.join(random) or 'nobody'}")
    click.echo(
        f"{target}: {len(answers)} simulated answers of {len({a.rater for a in answers})} raters. "
        f"Next: bench study score {target}"
    )


@click.command("correlate")
@click.argument("table", type=_FILE)
@click.option("--run", type=_FOLDER, help="The run whose videos were rated.")
@click.option("--values", type=_FILE, help="Instead: a csv that `bench score -o` wrote.")
@click.option(
    "--columns",
    help="Columns that have other names: file=Video,mos=Score,method=System,spread=SD.",
)
@click.option("--names", help="How file names are made: '{case}_{method}.mp4'.")
@click.option("-o", "--output", type=_PATH, help="Also write all coefficients as csv.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def correlate_command(
    table: Path,
    run: Path | None,
    values: Path | None,
    columns: str | None,
    names: str | None,
    output: Path | None,
    seed: int,
) -> None:
    """Correlate mean opinion scores collected elsewhere with every metric of a run.

    TABLE is a csv, tsv or xlsx with one row for each video: file, mos and, if you have them, method
    and spread. Prints Spearman's, Pearson's and Kendall's coefficient (SRCC, PLCC, KRCC) by clip
    and by method, with 95 % intervals. docs/study.md shows the forms of public tables.

    \b
    Examples:
      bench study correlate mos.csv --run runs/clr
      bench study correlate mos.csv --values values.csv --names '{case}_{method}.mp4'
    """
    from bench.command.correlation_table import correlations_csv, show_correlations
    from bench.files.one_move import in_one_move
    from bench.study.read.opinion_table import read_opinions
    from bench.study.score.outside_opinions import (
        correlate_outside,
        match_run,
        match_values,
        run_columns,
    )

    if (run is None) == (values is None):
        raise BenchError("name the rated videos: --run RUN, or --values FILE.csv.")
    pairs = [text.partition("=") for text in (columns or "").split(",") if text.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise BenchError(f"--columns {columns}: expected file=COLUMN,mos=COLUMN.")
    named = {key.strip(): value.strip() for key, _, value in pairs}
    opinions = read_opinions(table, columns=named, names=names)
    if run is not None:
        (videos, unmatched), found = match_run(opinions, run), run_columns(run)
    else:
        assert values is not None
        videos, found, unmatched = match_values(opinions, values)
    if not videos:
        file, why = unmatched[0]
        raise BenchError(f"{table}: none of {len(opinions)} rows is a known video. {file}: {why}.")
    correlations = correlate_outside(videos, found, seed=seed)
    show_correlations(correlations, rated=len(videos), unmatched=unmatched)
    if output is not None:
        with in_one_move(output) as part:
            part.write_text(correlations_csv(correlations), encoding="utf-8", newline="")
        click.echo(output)


COMMANDS = (import_command, score_command, correlate_command, simulate_command)
