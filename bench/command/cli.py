"""The command line: `bench run` and the other commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from bench.command.score import score
from bench.command.study import study
from bench.ground.cores import cores
from bench.ground.errors import BenchError, MachineFault
from bench.machine.devices import present_device
from bench.machine.faults import fault_message, machine_fault
from bench.machine.stopping import signal_of, stoppable

if TYPE_CHECKING:
    from bench.ground.types import Clip
    from bench.run.config import Loaded

_F = TypeVar("_F", bound=Callable[..., object])
_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

_COUNT = click.IntRange(min=1)
_SCORERS = ("sync_small", "sync_wide", "syncnet_v2")  # of the metric lse, by name

NOTHING_DONE = 2  # exit code: nothing ran, because config, plugin or data is wrong
INTERRUPTED = 130  # exit code after Ctrl-C, as in shells
SOME_FAILED = 1  # exit code: finished, with failed cells


class _Config(click.ParamType):  # type: ignore[type-arg]  # generic in some releases only
    """A config file, or the name of a shipped config."""

    name = "config"

    def __init__(self, *, trainings: bool = False) -> None:
        self.trainings = trainings

    def convert(
        self, value: object, _parameter: click.Parameter | None, _context: click.Context | None
    ) -> Path:
        """The file; raises BenchError, with the known names, if there is none."""
        from bench.config import shipped

        return shipped.find_config(
            str(value), shipped.TRAININGS if self.trainings else shipped.FOLDER
        )


class _Commands(click.Group):
    """Shows only the message of a BenchError, and lists commands in the order of use."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> object:
        from bench.command.shadowed import refuse_shadows

        try:
            refuse_shadows()
            return super().invoke(context)
        except KeyboardInterrupt as error:
            click.echo(
                "\nstopped; all records are kept, and the same command goes on from there.",
                err=True,
            )
            raise SystemExit(128 + signal_of(error)) from error
        except Exception as error:
            said = _said(error)
            if said is None:
                raise  # a bug, or click's own
            click.echo(click.style("error: ", fg="red", bold=True, reset=True) + said, err=True)
            raise SystemExit(NOTHING_DONE) from error


def _said(error: Exception) -> str | None:
    """The message to show instead of a traceback; None for a bug."""
    fault = str(error) if isinstance(error, MachineFault) else machine_fault(error)
    if fault is not None and not isinstance(error, click.ClickException):
        return str(fault_message(fault))
    return str(error) if isinstance(error, BenchError) else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="talking-face-bench")
def main() -> None:
    """Compare audio-driven talking-face methods.

    \b
    Start here:
      bench score made.mp4             the values of a finished video
      bench run smoke                  a small benchmark on synthetic faces, in a minute
      bench run clr                    the paper's comparison, with a report to open from disk
      bench config                     the names of all shipped configs
      bench list                       all plugins; details of one: bench list lse
      bench doctor MANIFEST            checks your clips before a run

    \b
    Your own clips, method or metric:
      bench new config mine            a commented config for your own manifest
      bench new metric flicker         a complete plugin, ready to install
      bench check flicker              the contract checks that every plugin must pass

    \b
    Environment:
      BENCH_CACHE                      folder for corpora, features and pulled weights
      BENCH_FEATURES_GIB               the most GiB that features may take there; default 20
      BENCH_WEIGHTS                    folders with weights that you already have
      BENCH_DISABLE_PLUGINS            installed plugins to leave out, separated by commas
    """


# ---- run, plan, report ----------------------------------------------------------------------


@main.command()
@click.argument("config", type=_Config())
@click.option(
    "-o", "--output", type=_PATH, help="The run folder. Default: runs/<name of the config>."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option(
    "--workers",
    type=_COUNT,
    help="Number of workers. Default: one; on a cluster, as many as it has room for.",
)
@click.option(
    "--engine",
    help="The engine: here, processes, ray, or a plugin's. Default: by --workers.",
)
@click.option(
    "--address", help="Address of a Ray cluster: auto, or host:port. Default: this machine alone."
)
@click.option("--share-device", is_flag=True, help="Let several workers use one GPU.")
@click.option(
    "--limit",
    type=_COUNT,
    help="Only the first cases of each data set: a trial, into the run folder NAME-limit-N.",
)
@click.option("--retry", is_flag=True, help="Try failed cells again.")
@click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="The report's language.",
)
def run(
    config: Path,
    output: Path | None,
    device: str,
    workers: int | None,
    engine: str | None,
    address: str | None,
    share_device: bool,
    limit: int | None,
    retry: bool,
    lang: str,
) -> None:
    """Generate and measure the videos that CONFIG asks for, then write the report.

    CONFIG is a file, or the name of a shipped config (`bench config` lists them).

    You can stop it at any time; the same command goes on where it stopped. Nothing is done twice.

    \b
    Exit code: 0 all cells have values or are undefined by definition, 1 some cells failed,
    2 nothing ran, because config, plugin or data is wrong.

    \b
    Examples:
      bench run clr -o runs/clr
      bench run clr --workers 4
      bench run clr --limit 4                        (a trial on the first cases)
      bench run clr --engine ray --address auto      (docs/clusters.md)
    """
    import reports
    from bench.command import terminal
    from bench.contract.engine import Crew
    from bench.records.store import Store
    from bench.run import runner
    from bench.run.engines import make_engine
    from bench.run.lacking import measurable
    from bench.run.plan import make_plan

    terminal.quiet_libraries()
    loaded, folder = _loaded(config, output, limit)
    crew = Crew(workers, device, share_device, address)
    chosen = make_engine(engine, crew, loaded.registry.engines)
    with terminal.progress("building the embedded corpus") as corpus:
        plan = make_plan(loaded, progress=corpus)
    with stoppable(), Store(folder) as store:
        plan, missing = measurable(plan, store, retry=retry)
        terminal.show_plan(plan, missing, folder)
        with terminal.cells(missing) as notify:
            summary = runner.run(plan, store, missing, engine=chosen, notify=notify)
        target = folder / "report"
        if not reports.is_current(folder, target, lang=lang):
            reports.build([folder], target, lang=lang)
    closing = reports.closing([folder], lang=lang)
    terminal.show_summary(
        summary,
        closing.tables,
        closing.styles,
        closing.notes,
        closing.footnotes,
        closing.causes,
        target / "index.html",
        folder,
        worked=bool(missing.tasks),
    )
    sys.exit(summary.exit_code)


@main.command()
@click.argument("config", type=_Config())
@click.option(
    "-o", "--output", type=_PATH, help="The run folder. Default: runs/<name of the config>."
)
@click.option(
    "--cases",
    type=_PATH,
    help="Also write a csv: each case, the files of its clips, the video to supply, its length.",
)
def plan(config: Path, output: Path | None, cases: Path | None) -> None:
    """Show what CONFIG would run, what is done already, and how much is missing.

    No method or metric runs (embedded corpora are built, half a minute each the first time), but
    all mistakes in CONFIG and its data are reported, each with its line. If your method runs
    elsewhere, --cases lists the videos to supply: each shows the face of one clip saying the speech
    of another (method `recorded`, docs/plugins.md).

    \b
    Example: bench plan configs/clr.yaml --cases cases.csv
    """
    from bench.command import terminal
    from bench.files.paths import cache_dir
    from bench.records.store import Store
    from bench.run.cases import answer_frames, write_cases
    from bench.run.lacking import measurable
    from bench.run.plan import expected_files, make_plan

    loaded, folder = _loaded(config, output)
    with terminal.progress("building the embedded corpus") as corpus:
        whole = make_plan(loaded, progress=corpus)
    store = Store(folder)
    store.read()
    whole, missing = measurable(whole, store)
    terminal.show_plan(whole, missing, folder)
    if cases is not None:
        every = [planned.case for planned in whole.cases]
        frames = []
        with terminal.progress("conforming the clips") as step:
            for case in every:
                frames.append(answer_frames(case, cache_dir()))
                step(len(frames), len(every))
        write_cases(cases, every, files=expected_files(whole), frames=frames)
        click.echo(f"{cases}: {len(every)} cases")


@main.command()
@click.argument("runs", type=_FOLDER, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=_PATH,
    help="The report's folder. Default: RUN/report, or RUN+RUN beside the first of several runs.",
)
@click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="The report's language.",
)
@click.option(
    "--eval-results",
    type=_PATH,
    help="Also write FOLDER/METHOD/.eval_results/*.yaml, for the methods' pages on the Hugging "
    "Face Hub.",
)
@click.option("--hub", multiple=True, metavar="NAME=ID", help="A data set's id on the Hub.")
@click.option("--url", default="", help="Where the report is published; results link to it.")
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    lang: str,
    eval_results: Path | None,
    hub: tuple[str, ...],
    url: str,
) -> None:
    """Write the report of one run folder, or one joint report of several.

    \b
    Examples:
      bench report runs/clr runs/lrs2 -o runs/joint
      bench report runs/grid --eval-results hub --hub GRID=owner/grid-test
    """
    import reports

    ids = dict(_named_id(text) for text in hub)

    joint = runs[0].absolute().parent / "+".join(run.absolute().name for run in runs)
    usual = joint if len(runs) > 1 else runs[0] / "report"
    index = reports.build(list(runs), output or usual, lang=lang)
    click.echo(index)
    if eval_results is not None:
        files, notes = reports.write_eval_results(runs, eval_results, hub=ids, url=url)
        for line in (*notes, *files):
            click.echo(line)


main.add_command(score)


# ---- plugins --------------------------------------------------------------------------------


@main.command("list")
@click.argument("names", nargs=-1)
@click.option("--plugin", "files", type=_FILE, multiple=True, help="Also load this plugin file.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: outputs, units, ranges, options."
)
def list_plugins(names: tuple[str, ...], files: tuple[Path, ...], as_json: bool) -> None:
    """List all plugins, one per line, or show the details of those in NAMES.

    \b
    Examples:
      bench list
      bench list lse command
      bench list --json
    """
    from bench.command import terminal
    from bench.command.plugins_json import plugins_json
    from bench.contract.registry import load_registry

    registry = load_registry(files)
    for name in names:
        registry.plugin(name)  # raises for an unknown one, before anything is shown
    if as_json:
        click.echo(plugins_json(registry, names))
        return
    for name in names:
        terminal.show_plugin(registry, name)
    if not names:
        terminal.show_plugins(registry)


@main.command()
@click.argument("name")
@click.option("--plugin", "files", type=_FILE, multiple=True, help="Also load this plugin file.")
@click.option("--checkout", type=_PATH, help="Of official/NAME: the folder of its checkout.")
@click.option("--python", default="python", show_default=True, help="Of official/NAME: its own.")
def check(name: str, files: tuple[Path, ...], checkout: Path | None, python: str) -> None:
    """Run the contract checks on the plugin NAME: a method, metric, feature or importer.

    For official/NAME, a published program: what its checkout and its interpreter lack, then two
    seconds as a test (docs/official.md).

    Exit code: 0 no check failed (skipped checks say why), 1 some failed. docs/plugins.md explains
    each check.

    \b
    Examples:
      bench check psnr
      bench check flicker --plugin flicker.py
      bench check official/wav2lip --checkout ~/Wav2Lip --python ~/wav2lip-env/bin/python
    """
    if name.startswith("official/"):
        _check_official(name.removeprefix("official/"), checkout, python)
        return
    from bench import checks
    from bench.command import terminal
    from bench.contract.registry import load_registry

    registry = load_registry(files)
    features = [one.plugin for one in registry.features.values()]
    results = checks.run_checks(registry.plugin(name), features=features)
    terminal.show_checks(name, results)
    sys.exit(SOME_FAILED if any(result.status == "failed" for result in results) else 0)


def _check_official(name: str, checkout: Path | None, python: str) -> None:
    from bench.command import terminal
    from methods.official import doctor

    if checkout is None:
        raise BenchError(f"official/{name} needs --checkout: the folder of the program's checkout")
    # An interpreter's path stays as it is: a virtual environment's is a link.
    own = str(Path(python).expanduser().absolute()) if "/" in python else python
    results = list(doctor.examine(name, checkout=checkout.expanduser().absolute(), python=own))
    terminal.show_checks(f"official/{name}", results)
    sys.exit(SOME_FAILED if any(result.status == "failed" for result in results) else 0)


@main.command("config")
@click.argument("name", required=False)
def show_config(name: str | None) -> None:
    """Print the shipped config NAME, or list all shipped configs.

    \b
    Example: bench config clr > mine.yaml
    """
    from bench.config import shipped

    if name is not None:
        click.echo(shipped.text_of(name), nl=False)
        return
    for folder, command in ((shipped.FOLDER, "run"), (shipped.TRAININGS, "train")):
        for known, path in shipped.shipped(folder).items():
            click.echo(f"bench {f'{command} {known}':26} {shipped.headline(path)}")


@main.group()
def new() -> None:
    """Write a config for your own clips, or a complete, installable plugin to start from."""


@new.command("config")
@click.argument("name")
@click.option("--manifest", default="mine.csv", show_default=True, help="Manifest of your clips.")
@click.option(
    "--folder", type=_PATH, default=Path(), help="Parent folder. Default: the current one."
)
def new_config(name: str, manifest: str, folder: Path) -> None:
    """Write NAME.yaml: a commented config for the clips in your own manifest.

    \b
    Example: bench new config mine --manifest mine.csv
    """
    from bench.checks import scaffold

    written = scaffold.new_config(name, folder, manifest=manifest)
    click.echo(f"{written}: a complete config. Next: bench plan {written}")


@new.command("method")
@click.argument("name")
@click.option(
    "--folder", type=_PATH, default=Path(), help="Parent folder. Default: the current one."
)
@click.option("--trainable", is_flag=True, help="With a network, and a config that trains it.")
def new_method(name: str, folder: Path, trainable: bool) -> None:
    """Write a method plugin called NAME: the folder bench-NAME, ready to install.

    It holds the plugin (one file), its contract test, pyproject.toml and a README with the next
    steps. It works at once: change what it does.
    """
    _new("method", name, folder, trainable=trainable)


@new.command("metric")
@click.argument("name")
@click.option(
    "--folder", type=_PATH, default=Path(), help="Parent folder. Default: the current one."
)
def new_metric(name: str, folder: Path) -> None:
    """Write a metric plugin called NAME: the folder bench-NAME, ready to install.

    It holds the plugin (one file), its contract test, pyproject.toml and a README with the next
    steps. It works at once: change what it measures.
    """
    _new("metric", name, folder)


@new.command("feature")
@click.argument("name")
@click.option(
    "--folder", type=_PATH, default=Path(), help="Parent folder. Default: the current one."
)
def new_feature(name: str, folder: Path) -> None:
    """Write a feature plugin called NAME: the folder bench-NAME, ready to install.

    It holds the plugin (one file, with a metric that reads the feature), its contract test,
    pyproject.toml and a README that says how to go on. It works as it is: change what it computes.
    """
    _new("feature", name, folder)


@main.command()
@click.argument("config", type=_Config(trainings=True))
@click.option("-o", "--output", type=_PATH, help="Checkpoints and curves. Default: runs/<name>.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option(
    "--devices",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Number of GPUs (needs the extra `gpus`).",
)
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint.")
@click.option(
    "--restart",
    is_flag=True,
    help="Start again; earlier results are kept as FOLDER.before-1, -2, ...",
)
@click.option("--plugin", "only", multiple=True, help="Train only this plugin of the config.")
@click.option(
    "--seed", "seeds", multiple=True, type=int, help="Use this seed instead of the config's."
)
@click.option("--part", "parts", multiple=True, help="Train only this part of the plugin.")
def train(
    config: Path,
    output: Path | None,
    device: str,
    devices: int,
    resume: bool,
    restart: bool,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    parts: tuple[str, ...],
) -> None:
    """Train the networks of the plugins in CONFIG: a file, or the name of a shipped config.

    docs/training.md and docs/scorer.md explain the settings. Ctrl-C saves; --resume continues.
    A folder with an earlier training needs --resume or --restart.

    \b
    Examples:
      GRID_ROOT=~/grid bench train sync_scorer
      bench train synth --plugin m_csawav2lip --seed 2
      bench train synth --plugin m_csawav2lip --part expert
    """
    from bench.command import terminal
    from bench.train.config import load_train_config, train_from, trainings
    from bench.train.loop import Stopped
    from bench.train.trained import Begin, after_interrupt, find_trained

    if resume and restart:
        raise BenchError("--resume and --restart: give one of the two.")
    terminal.quiet_libraries()
    loaded = load_train_config(config)
    folder = output or Path("runs") / loaded.config.name
    begin: Begin = "resume" if resume else "restart" if restart else "new"
    try:
        trained = train_from(
            loaded,
            folder,
            device=present_device(device),
            begin=begin,
            say=click.echo,
            only=only,
            seeds=seeds,
            parts=parts,
            devices=devices,
        )
    except (KeyboardInterrupt, Stopped) as error:
        asked = trainings(loaded, folder, only=only, seeds=seeds)
        found = [find_trained(training.folder) for training in asked]
        told = after_interrupt(found, begin, names=[training.name for training in asked])
        click.echo(f"\n{told}", err=True)
        raise SystemExit(INTERRUPTED) from error
    for weights in trained:
        click.echo(weights)


main.add_command(study)


# ---- data and weights -----------------------------------------------------------------------


@main.group()
def data() -> None:
    """Manifests: import a data set from disk, build CLR, build an embedded corpus."""


@data.command("import")
@click.argument("name")
@click.argument("root", type=_FOLDER)
@click.option("-o", "--output", type=_PATH, help="The manifest. Default: <name>.csv here.")
@click.option("--force", is_flag=True, help="Replace an existing manifest.")
@click.option("--videos", metavar="PATH", help="For `folder`: where videos lie, with {fields}.")
@click.option("--sounds", metavar="PATH", help="For `folder`: where their sounds lie, if apart.")
@click.option("--texts", metavar="PATH", help="For `folder`: where their texts lie, if apart.")
@click.option("--plugin", "files", type=_FILE, multiple=True, help="Also a local plugin file.")
def data_import(
    name: str,
    root: Path,
    output: Path | None,
    force: bool,
    videos: str | None,
    sounds: str | None,
    texts: str | None,
    files: tuple[Path, ...],
) -> None:
    """Write the manifest of the data set NAME that lies at ROOT: a csv with a line for each clip.

    `bench list` shows the names; docs/plugins.md, how to add one.

    Nothing is copied; clips left out are listed. docs/data.md shows the columns, and the layout
    that each data set must have. `folder` takes any videos, with the sound (.wav, .m4a, ...) and
    the text (.txt) of the same name beside them, or where --sounds and --texts say.

    \b
    Examples:
      bench data import lrs2 ~/lrs2 -o lrs2.csv
      bench data import folder ~/my_clips -o mine.csv
      bench data import folder ~/voxceleb2 --videos 'mp4/{speaker}/{talk}/{clip}.mp4' \\
        --sounds 'aac/{speaker}/{talk}/{clip}.m4a'
    """
    from bench.command import terminal
    from bench.contract.registry import load_registry
    from bench.data.manifest import write_manifest
    from bench.data.sources import imported_by

    plugin = load_registry(files).importer(name).plugin
    target = output or Path(f"{name}.csv")
    _keep_what_is_there(target, force)
    places = {"videos": videos, "sounds": sounds, "texts": texts}
    given = {option: place for option, place in places.items() if place}
    if given.keys() - plugin.Options.model_fields.keys():
        raise BenchError(
            f"--videos, --sounds and --texts go with `folder`; {name} has its own layout."
        )
    imported = imported_by(plugin(plugin.Options.model_validate(given)), root)
    if not imported.clips:
        first = "".join(f", the first is {clip}: {why}" for clip, why in imported.dropped[:1])
        raise BenchError(f"{root}: no clip is left. {len(imported.dropped)} were dropped{first}.")
    write_manifest(target, imported.clips, root=root)
    terminal.show_import(imported, target)


@data.command("pull")
@click.argument("name")
@click.option("--speakers", metavar="S1,S2,...", help="Only these; more can come later.")
@click.option("-o", "--output", type=_PATH, help="Into this folder. Default: $BENCH_DATA.")
def data_pull(name: str, speakers: str | None, output: Path | None) -> None:
    """Fetch the corpus NAME from its publisher: grid (CC BY 4.0) or crema-d (ODbL).

    Every file is verified by the publisher's checksum; the same command continues after an
    interruption, and fetches what is missing. BENCH_DATA is a folder of your own, by default the
    user's data folder.

    \b
    Examples:
      bench data pull grid --speakers s1,s2,s3
      bench data pull crema-d -o /data
    """
    from bench.command import terminal
    from bench.data.pull import corpus_named, pull
    from bench.files.paths import data_dir

    corpus = corpus_named(name)
    click.echo(f"{corpus.title}; {corpus.size}; licence: {corpus.licence}; {corpus.page}", err=True)
    asked = tuple(part.strip() for part in speakers.split(",")) if speakers else ()
    with terminal.progress(f"fetching {name}", to_stderr=True) as step:
        root = pull(name, output or data_dir(), speakers=asked, progress=step)
    click.echo(root)
    click.echo(f"next: bench data import {corpus.importer} {root} -o {name}.csv", err=True)


@data.command("faces")
@click.argument("manifest", type=_FILE)
@click.option(
    "--choose",
    type=click.Choice(["speaking", "largest", "central"]),
    default="speaking",
    show_default=True,
    help="Which face to box in a clip with several faces.",
)
@click.option("--faces", type=click.Choice(["haar", "yunet"]), default="haar", show_default=True)
@click.option(
    "--scorer",
    type=click.Choice(_SCORERS),
    default="sync_small",
    show_default=True,
    help="The sync scorer that finds the speaking face.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("-o", "--output", type=_PATH, required=True, help="The new manifest.")
@click.option("--force", is_flag=True, help="Replace an existing manifest.")
def data_faces(
    manifest: Path,
    choose: Literal["speaking", "largest", "central"],
    faces: Literal["haar", "yunet"],
    scorer: str,
    device: str,
    output: Path,
    force: bool,
) -> None:
    """Write a copy of MANIFEST with a box on one face of each clip, for clips that show several.

    With `face: given` in a config, every method's video is measured on that face. By default it is
    the face whose lips follow the clip's sound best (--choose speaking). Doubtful clips are listed:
    look at them and correct the box by hand.

    \b
    Example: bench data faces mine.csv -o mine_faces.csv
    """
    from bench.command import terminal
    from bench.data.manifest import read_manifest, root_of, write_manifest
    from bench.data.speaker_box import choose_boxes
    from bench.files.paths import cache_dir

    _keep_what_is_there(output, force)
    terminal.quiet_libraries()
    clips = read_manifest(manifest)
    with terminal.progress("looking at faces") as step:
        pointed = []
        for one in choose_boxes(
            clips,
            wanted=choose,
            faces=faces,
            scorer=scorer,
            device=present_device(device),
            cache=cache_dir(),
        ):
            pointed.append(one)
            step(len(pointed), len(clips))
    write_manifest(output, [one.clip for one in pointed], root=root_of(manifest))
    terminal.show_pointed(pointed, output)


@data.group("build")
def data_build() -> None:
    """Build a data set by rules: the paper's CLR, or an embedded corpus."""


@data_build.command("clr")
@click.option("--cmlr", type=_FOLDER, required=True, help="CMLR as its authors distribute it.")
@click.option("--extra", type=_FOLDER, help="Further clips (sights of Guilin, in the paper).")
@click.option(
    "--faces",
    type=click.Choice(["haar", "yunet"]),
    help="Also drop clips whose face is not centred, by this detector. Decodes every clip.",
)
@click.option("-o", "--output", type=_PATH, default=Path("clr.csv"), show_default=True)
@click.option("--force", is_flag=True, help="Replace an existing manifest.")
def data_build_clr(
    cmlr: Path,
    extra: Path | None,
    faces: Literal["haar", "yunet"] | None,
    output: Path,
    force: bool,
) -> None:
    """Apply the paper's rules for CLR, and list what was kept and dropped, and why."""
    from bench.command import terminal
    from bench.data.clr import build_clr
    from bench.features.faces import detector

    _keep_what_is_there(output, force)
    look = None if faces is None else detector(faces)
    terminal.show_account(build_clr(cmlr, extra, output, detector=look), output)


@data_build.command("synth")
@click.argument("corpus", type=click.Choice(["synth-zh", "synth-en"]))
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test", "person", "crowd"]),
    default="test",
    show_default=True,
)
@click.option("--clips", type=_COUNT, help="Number of clips. Default: the split's usual number.")
def data_build_synth(corpus: str, split: str, clips: int | None) -> None:
    """Build a split of an embedded corpus and print the path of its manifest."""
    from bench.command import terminal
    from bench.data import synth

    with terminal.progress(f"building {corpus} {split}") as step:
        manifest = synth.build(corpus, split, clips=clips, progress=step)
    click.echo(manifest)


@main.command()
@click.argument("manifest", type=_FILE)
@click.option("--split", help="Only the clips of this split.")
@click.option(
    "--faces",
    type=click.Choice(["given", "haar", "yunet"]),
    default="haar",
    show_default=True,
    help="The face detector; given: the manifest's boxes.",
)
@click.option(
    "--face",
    type=click.Choice(["largest", "central", "given"]),
    default="largest",
    show_default=True,
    help="Which of several faces to follow; given: the one in the manifest's box.",
)
@click.option(
    "--workers",
    type=_COUNT,
    default=len(cores()),
    show_default=True,
    help="Number of threads.",
)
@click.option(
    "--scorer",
    is_flag=False,
    flag_value="sync_small",
    type=click.Choice([*_SCORERS, "lip_motion"]),
    help="Also test whether this sync scorer, or the second judge, works on the clips. Default:"
    " sync_small.",
)
def doctor(
    manifest: Path,
    split: str | None,
    faces: Literal["given", "haar", "yunet"],
    face: Literal["largest", "central", "given"],
    workers: int,
    scorer: str | None,
) -> None:
    """Examine every clip of MANIFEST before a run, and mark clips with problems.

    \b
    Checks frame rate, length, sound (missing, silent, not as long as the frames), whether the file
    decodes to its end, faces (how many, how often, how large), flat and frozen frames, cuts.
    Exit code: 0 no problems, 1 some clips are marked, or the scorer does not work on them or could
    not be tested.
    """
    from bench.command import terminal
    from bench.data.doctor import examine_all
    from bench.data.manifest import read_manifest

    clips = read_manifest(manifest, split=split)
    with terminal.progress("examining") as step:
        findings = []
        for found in examine_all(clips, faces=faces, face=face, workers=workers):
            findings.append(found)
            step(len(findings), len(clips))
    terminal.show_findings(findings)
    works = scorer is None or _scorer_works(clips, faces, face, scorer)
    sys.exit(SOME_FAILED if any(found.marks for found in findings) or not works else 0)


@main.group()
def weights() -> None:
    """Weights that are downloaded once: list them, pull one, verify those on this machine."""


@weights.command("list")
def weights_list() -> None:
    """List every weights file: status, size, digest, licence, source, and what needs it."""
    from bench.command import terminal
    from bench.files import weights as table

    terminal.show_weights(table.listing())


@weights.command("pull")
@click.argument("name")
def weights_pull(name: str) -> None:
    """Download the weights NAME (an interrupted download continues) and verify their digest.

    They go to the folder `weights` of the cache (BENCH_CACHE). A file that is in a folder of
    BENCH_WEIGHTS is not downloaded again.
    """
    from bench.command import terminal
    from bench.files import weights as table

    with terminal.progress(f"downloading {name}") as step:
        path = table.pull(name, progress=step)
    click.echo(path)


@weights.command("verify")
def weights_verify() -> None:
    """Check the digests of all weights on this machine; exit code 1 if a file is damaged."""
    from bench.command import terminal
    from bench.files import weights as table

    states = table.listing()
    terminal.show_weights(states)
    sys.exit(SOME_FAILED if any(state.condition == "damaged" for state in states) else 0)


# ---- shared by the commands -----------------------------------------------------------------


def _named_id(text: str) -> tuple[str, str]:
    name, equals, identity = text.partition("=")
    if not equals or not name or not identity:
        raise BenchError(f"--hub {text}: expected NAME=ID, a data set of the run and its id.")
    return name, identity


def _loaded(config: Path, output: Path | None, limit: int | None = None) -> tuple[Loaded, Path]:
    from bench.run.config import load_config

    loaded = load_config(config)
    if limit is not None:
        loaded = loaded.limited(limit)
    # Resolved now, because plugins may change the working folder and programs have their own.
    folder = (output or Path("runs") / loaded.config.name).resolve()
    if limit is not None:
        _keep_whole_run(folder, loaded.config.name)
    return loaded, folder


def _keep_whole_run(folder: Path, name: str) -> None:
    """Raises BenchError where a folder has another run, which a limited one would cut down."""
    from bench.records.reading import read_manifest
    from bench.records.schema import MANIFEST

    if (folder / MANIFEST).exists() and (there := read_manifest(folder).name) != name:
        raise BenchError(
            f"{folder}: has the run {there!r}, which --limit would cut down to its first cases. "
            "Name another folder with -o, or leave -o out."
        )


def _keep_what_is_there(manifest: Path, force: bool) -> None:
    """Raises BenchError if the manifest exists: somebody may have corrected it by hand."""
    if manifest.exists() and not force:
        raise BenchError(
            f"{manifest}: exists already. Give another file as --output, or replace it with "
            "--force."
        )


def _new(kind: str, name: str, folder: Path, *, trainable: bool = False) -> None:
    from bench.checks.scaffold import new_plugin

    made = new_plugin(kind, name, folder, trainable=trainable)
    click.echo(f"{made}: a complete {kind}. Next: pip install -e {made} && bench check {name}")


def _scorer_works(clips: list[Clip], faces: str, face: str, scorer: str) -> bool:
    """Scores the controls on these clips and shows the verdict on the scorer or second judge.

    False if it does not work on them, or if it could not be tested.
    """
    import tempfile

    from bench.checks.scorer import MOST_CLIPS, run_controls
    from bench.command import terminal
    from reports.results import join
    from reports.terminal import scorer_findings, scorer_verdict
    from reports.validity import judge

    with tempfile.TemporaryDirectory() as name, terminal.progress("running the controls") as step:
        folder = Path(name)
        lacking = run_controls(clips, folder, faces=faces, face=face, judge=scorer, progress=step)
        (validity,) = judge(join([folder / "run"]))
    terminal.show_scorer(
        validity.protocol,
        scorer_findings(validity),
        scorer_verdict(validity),
        works=validity.works,
        asked=(min(len(clips), MOST_CLIPS), len(clips)),
        lacking=lacking,
    )
    return validity.state in ("works", "unsure")


if __name__ == "__main__":
    main()
