"""The command line: `bench run configs/clr.yaml` and what belongs around it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from bench.command.study import study
from bench.errors import BenchError, MachineFault
from bench.machine.devices import present_device
from bench.machine.faults import machine_fault, told
from bench.machine.stopping import signal_of, stoppable

if TYPE_CHECKING:
    from bench.run.config import Loaded
    from bench.types import Clip

_F = TypeVar("_F", bound=Callable[..., object])
_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

_COUNT = click.IntRange(min=1)

NOTHING_DONE = 2  # exit code: config, plugin or data is wrong, nothing was run
INTERRUPTED = 130  # exit code: Ctrl-C, as shells have it
SOME_FAILED = 1  # exit code: finished, with failed cells


class _Config(click.ParamType):  # type: ignore[type-arg]  # generic in some releases only
    """A config's file, or the name of a shipped one."""

    name = "config"

    def __init__(self, *, trainings: bool = False) -> None:
        self.trainings = trainings

    def convert(
        self, value: object, _parameter: click.Parameter | None, _context: click.Context | None
    ) -> Path:
        """The file; raises BenchError, with the names there are, where there is none."""
        from bench.config import shipped

        return shipped.find_config(
            str(value), shipped.TRAININGS if self.trainings else shipped.FOLDER
        )


class _Commands(click.Group):
    """Shows a BenchError as its message alone, and lists commands in the order of use."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> object:
        from bench.command.shadowed import refuse_shadows

        try:
            refuse_shadows()
            return super().invoke(context)
        except KeyboardInterrupt as error:
            click.echo("\nstopped; what was recorded is kept, the same command goes on.", err=True)
            raise SystemExit(128 + signal_of(error)) from error
        except Exception as error:
            said = _said(error)
            if said is None:
                raise  # a bug, or click's own
            click.echo(click.style("error: ", fg="red", bold=True, reset=True) + said, err=True)
            raise SystemExit(NOTHING_DONE) from error


def _said(error: Exception) -> str | None:
    """What the command line says of an error instead of its traceback; None of a bug."""
    fault = str(error) if isinstance(error, MachineFault) else machine_fault(error)
    if fault is not None and not isinstance(error, click.ClickException):
        return str(told(fault))
    return str(error) if isinstance(error, BenchError) else None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="talking-face-bench")
def main() -> None:
    """Compare audio-driven talking-face methods.

    \b
    Start here:
      bench run smoke                  a small benchmark on made-up faces, in a minute
      bench run clr                    the paper's comparison; the report opens from disk
      bench config                     the other configs that are shipped, by name
      bench list                       every method, metric, feature; all of one: bench list lse
      bench doctor MANIFEST            what is wrong with your clips, before a run

    \b
    Your own clips, method or metric:
      bench new config mine            a commented config for a manifest of your own
      bench new metric flicker         a complete plugin, ready to install
      bench check flicker              the contract tests every plugin must pass

    \b
    Environment:
      BENCH_CACHE                      corpora, features, weights that were pulled
      BENCH_FEATURES_GIB               how much of it features may take; 20 without it
      BENCH_WEIGHTS                    folders with weights that are here already
      BENCH_DISABLE_PLUGINS            installed plugins to leave out, with commas
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
    help="How many share the cases. Default: one; all there is room for on a cluster.",
)
@click.option(
    "--engine",
    help="Who does the work: here, processes, ray, or a plugin's. Default: by --workers.",
)
@click.option(
    "--address", help="Of a Ray cluster: auto, or host:port. Default: this machine alone."
)
@click.option("--share-device", is_flag=True, help="Let several workers use one GPU.")
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
    retry: bool,
    lang: str,
) -> None:
    """Make and measure what CONFIG asks for, then write the report.

    CONFIG is a file, or the name of one that is shipped (`bench config` lists them).

    Can be stopped at any time; the same command goes on where it stopped. Nothing is done twice.

    \b
    Exit code: 0 all cells have values or are undefined by definition, 1 finished with failed
    cells, 2 nothing was run because config, plugin or data is wrong.

    \b
    Examples:
      bench run clr -o runs/clr
      bench run clr --workers 4
      bench run clr --engine ray --address auto      (docs/clusters.md)
    """
    import reports
    from bench.command import terminal
    from bench.contract.engine import Crew
    from bench.records.store import Store
    from bench.run import runner
    from bench.run.engines import make_engine
    from bench.run.plan import find_missing, make_plan

    _quiet_libraries()
    loaded, folder = _loaded(config, output)
    crew = Crew(workers, device, share_device, address)
    chosen = make_engine(engine, crew, loaded.registry.engines)
    with terminal.progress("making the embedded corpus") as corpus:
        plan = make_plan(loaded, progress=corpus)
    with stoppable(), Store(folder) as store:
        missing = find_missing(plan, store, retry=retry)
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
    help="Also write a csv: every case, its two clips' files, the video to make and its length.",
)
def plan(config: Path, output: Path | None, cases: Path | None) -> None:
    """Say what CONFIG would run, what is there already, and how much is missing.

    No method or metric runs (embedded corpora are built, half a minute each the first time), but
    all mistakes in CONFIG and its data are told, each with its line. With
    --cases you know what to make where your method runs elsewhere: the video of CASE shows the face
    of one clip and says the speech of the other (method `recorded`, docs/plugins.md).

    \b
    Example: bench plan configs/clr.yaml --cases cases.csv
    """
    from bench.command import terminal
    from bench.files.paths import cache_dir
    from bench.records.store import Store
    from bench.run.cases import answer_frames, write_cases
    from bench.run.plan import expected_files, find_missing, make_plan

    loaded, folder = _loaded(config, output)
    with terminal.progress("making the embedded corpus") as corpus:
        made = make_plan(loaded, progress=corpus)
    store = Store(folder)
    store.read()
    terminal.show_plan(made, find_missing(made, store), folder)
    if cases is not None:
        every = [planned.case for planned in made.cases]
        frames = []
        with terminal.progress("conforming the clips") as step:
            for case in every:
                frames.append(answer_frames(case, cache_dir()))
                step(len(frames), len(every))
        write_cases(cases, every, files=expected_files(made), frames=frames)
        click.echo(f"{cases}: {len(made.cases)} cases")


@main.command()
@click.argument("runs", type=_FOLDER, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=_PATH,
    help="The report's folder. Default: RUN/report; of several runs, RUN+RUN beside the first.",
)
@click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="The report's language.",
)
def report(runs: tuple[Path, ...], output: Path | None, lang: str) -> None:
    """Write the report of one run folder, or one joint report of several.

    \b
    Example: bench report runs/clr runs/lrs2 -o runs/joint
    """
    import reports

    joint = runs[0].absolute().parent / "+".join(run.absolute().name for run in runs)
    usual = joint if len(runs) > 1 else runs[0] / "report"
    index = reports.build(list(runs), output or usual, lang=lang)
    click.echo(index)


# ---- plugins --------------------------------------------------------------------------------


@main.command("list")
@click.argument("names", nargs=-1)
@click.option("--plugin", "files", type=_FILE, multiple=True, help="Also a local plugin file.")
def list_plugins(names: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Show every plugin in a line, or all that is to know of those that NAMES name.

    \b
    Examples:
      bench list
      bench list lse command
    """
    from bench.command import terminal
    from bench.contract.registry import load_registry

    registry = load_registry(files)
    for name in names:
        registry.plugin(name)  # raises for an unknown one, before anything is shown
    for name in names:
        terminal.show_plugin(registry, name)
    if not names:
        terminal.show_plugins(registry)


@main.command()
@click.argument("name")
@click.option("--plugin", "files", type=_FILE, multiple=True, help="Also a local plugin file.")
def check(name: str, files: tuple[Path, ...]) -> None:
    """Run the contract checks on the plugin NAME: a method, metric, feature or importer.

    Exit code: 0 none failed (skipped ones say why), 1 some failed. docs/plugins.md explains each.

    \b
    Examples:
      bench check psnr
      bench check flicker --plugin flicker.py
    """
    from bench import checks
    from bench.command import terminal
    from bench.contract.registry import load_registry

    registry = load_registry(files)
    features = [one.plugin for one in registry.features.values()]
    results = checks.run_checks(registry.plugin(name), features=features)
    terminal.show_checks(name, results)
    sys.exit(SOME_FAILED if any(result.status == "failed" for result in results) else 0)


@main.command("config")
@click.argument("name", required=False)
def show_config(name: str | None) -> None:
    """Print the shipped config NAME, or list those there are.

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
    """Write a config for clips of your own, or a complete, installable plugin to start from."""


@new.command("config")
@click.argument("name")
@click.option("--manifest", default="mine.csv", show_default=True, help="Of your clips.")
@click.option("--folder", type=_PATH, default=Path(), help="Where to. Default: here.")
def new_config(name: str, manifest: str, folder: Path) -> None:
    """Write NAME.yaml: a commented benchmark of the clips in a manifest of your own.

    \b
    Example: bench new config mine --manifest mine.csv
    """
    from bench.checks import scaffold

    made = scaffold.new_config(name, folder, manifest=manifest)
    click.echo(f"{made}: a complete config. Next: bench plan {made}")


@new.command("method")
@click.argument("name")
@click.option("--folder", type=_PATH, default=Path(), help="Where to. Default: here.")
def new_method(name: str, folder: Path) -> None:
    """Write a method plugin called NAME: the folder bench-NAME, ready to install.

    It holds the plugin (one file), its contract test, pyproject.toml and a README that says how to
    go on. It works as it is: change what it does.
    """
    _new("method", name, folder)


@new.command("metric")
@click.argument("name")
@click.option("--folder", type=_PATH, default=Path(), help="Where to. Default: here.")
def new_metric(name: str, folder: Path) -> None:
    """Write a metric plugin called NAME: the folder bench-NAME, ready to install.

    It holds the plugin (one file), its contract test, pyproject.toml and a README that says how to
    go on. It works as it is: change what it measures.
    """
    _new("metric", name, folder)


@new.command("feature")
@click.argument("name")
@click.option("--folder", type=_PATH, default=Path(), help="Where to. Default: here.")
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
    help="How many of them (extra `gpus`).",
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option(
    "--restart", is_flag=True, help="Begin anew; what is there is kept as FOLDER.before-1, -2, ..."
)
@click.option("--plugin", "only", multiple=True, help="Of the config's plugins only this one.")
@click.option("--seed", "seeds", multiple=True, type=int, help="This seed, not the config's.")
def train(
    config: Path,
    output: Path | None,
    device: str,
    devices: int,
    resume: bool,
    restart: bool,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
) -> None:
    """Train the networks of the plugins that CONFIG, a file or a shipped config's name, names.

    docs/training.md and docs/scorer.md explain the settings. Ctrl-C saves; --resume goes on.
    Where something is trained already, only --resume or --restart begins.

    \b
    Examples:
      GRID_ROOT=~/grid bench train sync_scorer
      bench train synth --plugin m_csawav2lip --seed 2
    """
    from bench.train.config import load_train_config, train_from, trainings
    from bench.train.loop import Stopped
    from bench.train.trained import Begin, after_interrupt, find_trained

    if resume and restart:
        raise BenchError("--resume and --restart: give one of the two.")
    _quiet_libraries()
    loaded = load_train_config(config)
    folder = output or Path("runs") / loaded.config.name
    begin: Begin = "resume" if resume else "restart" if restart else "new"
    try:
        made = train_from(
            loaded,
            folder,
            device=present_device(device),
            begin=begin,
            say=click.echo,
            only=only,
            seeds=seeds,
            devices=devices,
        )
    except (KeyboardInterrupt, Stopped) as error:
        asked = trainings(loaded, folder, only=only, seeds=seeds)
        found = [find_trained(training.folder) for training in asked]
        told = after_interrupt(found, begin, names=[training.name for training in asked])
        click.echo(f"\n{told}", err=True)
        raise SystemExit(INTERRUPTED) from error
    for weights in made:
        click.echo(weights)


main.add_command(study)


# ---- data and weights -----------------------------------------------------------------------


@main.group()
def data() -> None:
    """Manifests: import a data set from disk, build CLR, make an embedded corpus."""


@data.command("import")
@click.argument("name")
@click.argument("root", type=_FOLDER)
@click.option("-o", "--output", type=_PATH, help="The manifest. Default: <name>.csv here.")
@click.option("--force", is_flag=True, help="Replace a manifest that is there already.")
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

    Nothing is copied; what is left out is told. docs/data.md shows the layout that each data set
    must have, and the columns. `folder` takes any videos, with the sound (.wav, .m4a, ...) and the
    text (.txt) of the same name beside them, or where --sounds and --texts say.

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


@data.command("faces")
@click.argument("manifest", type=_FILE)
@click.option(
    "--choose",
    type=click.Choice(["speaking", "largest", "central"]),
    default="speaking",
    show_default=True,
    help="Whose box is written, where a clip shows several faces.",
)
@click.option("--faces", type=click.Choice(["haar", "yunet"]), default="haar", show_default=True)
@click.option(
    "--scorer",
    type=click.Choice(["sync_small", "syncnet_v2"]),
    default="sync_small",
    show_default=True,
    help="Who hears which lips follow the sound.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("-o", "--output", type=_PATH, required=True, help="The new manifest.")
@click.option("--force", is_flag=True, help="Replace a manifest that is there already.")
def data_faces(
    manifest: Path,
    choose: Literal["speaking", "largest", "central"],
    faces: Literal["haar", "yunet"],
    scorer: str,
    device: str,
    output: Path,
    force: bool,
) -> None:
    """Write MANIFEST anew with a box on one face of each clip, for clips that show several.

    A config follows that face in every method's video with `face: given`. Of several faces, the one
    is taken whose lips follow the clip's sound best (--choose speaking). Doubtful clips are named:
    look at them and put the box right by hand.

    \b
    Example: bench data faces mine.csv -o mine_faces.csv
    """
    from bench.command import terminal
    from bench.data.manifest import read_manifest, root_of, write_manifest
    from bench.data.speaker_box import point
    from bench.files.paths import cache_dir

    _keep_what_is_there(output, force)
    _quiet_libraries()
    clips = read_manifest(manifest)
    with terminal.progress("looking at faces") as step:
        pointed = []
        for one in point(
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
@click.option("--cmlr", type=_FOLDER, required=True, help="CMLR as its authors give it out.")
@click.option("--extra", type=_FOLDER, help="Further clips (sights of Guilin in the paper).")
@click.option(
    "--faces",
    type=click.Choice(["haar", "yunet"]),
    help="Also drop clips whose face is not centred, by this detector. Decodes every clip.",
)
@click.option("-o", "--output", type=_PATH, default=Path("clr.csv"), show_default=True)
@click.option("--force", is_flag=True, help="Replace a manifest that is there already.")
def data_build_clr(
    cmlr: Path,
    extra: Path | None,
    faces: Literal["haar", "yunet"] | None,
    output: Path,
    force: bool,
) -> None:
    """Apply the paper's rules for CLR and say what was kept and dropped, and why."""
    from bench.command import terminal
    from bench.data.clr import build_clr
    from bench.features.faces import detector

    _keep_what_is_there(output, force)
    look = None if faces is None else detector(faces)
    terminal.show_account(build_clr(cmlr, extra, output, detector=look), output)


@data_build.command("synth")
@click.argument("corpus", type=click.Choice(["synth-zh", "synth-en"]))
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True
)
@click.option("--clips", type=_COUNT, help="How many. Default: the split's usual number.")
def data_build_synth(corpus: str, split: str, clips: int | None) -> None:
    """Make a split of an embedded corpus and print where its manifest is."""
    from bench.command import terminal
    from bench.data import synth

    with terminal.progress(f"making {corpus} {split}") as made:
        manifest = synth.build(corpus, split, clips=clips, progress=made)
    click.echo(manifest)


@main.command()
@click.argument("manifest", type=_FILE)
@click.option("--split", help="Only the clips of this split.")
@click.option(
    "--faces",
    type=click.Choice(["given", "haar", "yunet"]),
    default="haar",
    show_default=True,
    help="Who looks for faces; given: the manifest's boxes.",
)
@click.option(
    "--face",
    type=click.Choice(["largest", "central", "given"]),
    default="largest",
    show_default=True,
    help="Which of several faces will be followed; given: the one on the manifest's box.",
)
@click.option(
    "--workers",
    type=_COUNT,
    default=os.cpu_count() or 1,
    show_default=True,
    help="Threads to share the clips.",
)
@click.option(
    "--scorer",
    is_flag=False,
    flag_value="sync_small",
    type=click.Choice(["sync_small", "syncnet_v2"]),
    help="Also: does this sync scorer work on these clips? Default: sync_small.",
)
def doctor(
    manifest: Path,
    split: str | None,
    faces: Literal["given", "haar", "yunet"],
    face: Literal["largest", "central", "given"],
    workers: int,
    scorer: str | None,
) -> None:
    """Examine every clip of MANIFEST before a run: what is wrong with it, if anything.

    \b
    Looks at frame rate, length, sound (there, silent, as long as the picture), whether the file
    decodes to its end, faces (how many, how often, how large), flat and frozen stretches, cuts.
    Exit code: 0 nothing wrong, 1 some clips are marked, or the scorer is known not to work on them
    or could not be asked.
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
    """Weights that are fetched once: list them, pull one, verify what is here."""


@weights.command("list")
def weights_list() -> None:
    """Show every weights file: size, digest, licence, source, what needs it, whether it is here."""
    from bench.command import terminal
    from bench.files import weights as table

    terminal.show_weights(table.listing())


@weights.command("pull")
@click.argument("name")
def weights_pull(name: str) -> None:
    """Download NAME (goes on where it stopped), verify its digest, put it in place.

    Its place is the folder `weights` of the cache (BENCH_CACHE). What already lies in a folder that
    BENCH_WEIGHTS names is not downloaded again.
    """
    from bench.command import terminal
    from bench.files import weights as table

    with terminal.progress(f"downloading {name}") as step:
        path = table.pull(name, progress=step)
    click.echo(path)


@weights.command("verify")
def weights_verify() -> None:
    """Check the digest of every weights file that is here; exit code 1 if one is damaged."""
    from bench.command import terminal
    from bench.files import weights as table

    states = table.listing()
    terminal.show_weights(states)
    sys.exit(SOME_FAILED if any(state.condition == "damaged" for state in states) else 0)


# ---- shared by the commands -----------------------------------------------------------------


def _loaded(config: Path, output: Path | None) -> tuple[Loaded, Path]:
    from bench.run.config import load_config

    loaded = load_config(config)
    # Resolved once, here: plugins may change the working folder, and programs start in their own.
    return loaded, (output or Path("runs") / loaded.config.name).resolve()


def _keep_what_is_there(manifest: Path, force: bool) -> None:
    """Raises BenchError rather than replace a manifest that somebody may have put right by hand."""
    if manifest.exists() and not force:
        raise BenchError(
            f"{manifest}: is there already. Name another file with --output, or replace it with "
            "--force."
        )


def _new(kind: str, name: str, folder: Path) -> None:
    from bench.checks.scaffold import new_plugin

    made = new_plugin(kind, name, folder)
    click.echo(f"{made}: a complete {kind}. Next: pip install -e {made} && bench check {name}")


def _scorer_works(clips: list[Clip], faces: str, face: str, scorer: str) -> bool:
    """Runs the controls and says what the scorer makes of them.

    False where they speak against it, or where nothing could be asked.
    """
    import tempfile

    from bench.checks.scorer import MOST_CLIPS, run_controls
    from bench.command import terminal
    from reports.results import join
    from reports.terminal import scorer_findings, scorer_verdict
    from reports.validity import judge

    with tempfile.TemporaryDirectory() as name, terminal.progress("running the controls") as step:
        folder = Path(name)
        lacking = run_controls(clips, folder, faces=faces, face=face, scorer=scorer, progress=step)
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


def _quiet_libraries() -> None:
    """Keeps native libraries from writing warnings into the progress bar."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    import av

    av.logging.set_level(av.logging.PANIC)


if __name__ == "__main__":
    main()
