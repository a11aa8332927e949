"""The command `bench score`: values of finished videos, without a config or a manifest."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from bench.ground.types import Fit
    from bench.records.record import MeasurementRecord
    from bench.run.one_video import MeasuredVideo, Pair, SoundChoice

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
SOME_FAILED = 1
INTERRUPTED = 130


@click.command()
@click.argument("videos", type=_FILE, nargs=-1)
@click.option("--made", type=_FOLDER, help="Instead of VIDEOS: a folder of them.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path, exists=True),
    help="The real video; with --made, a folder whose files have the same names.",
)
@click.option(
    "--metrics",
    help="Separated by commas, with options as in psnr:region=mouth. Default: all metrics of "
    "single videos whose weights are here.",
)
@click.option("--features", help="Options of features, in the same form: landmarks:model=mesh.")
@click.option(
    "--sound",
    type=click.Choice(["own", "reference"]),
    default="own",
    show_default=True,
    help="What is heard under a video that has a reference.",
)
@click.option(
    "--fit",
    type=click.Choice(["refuse", "pad", "crop", "stretch"]),
    default="refuse",
    show_default=True,
    help="What becomes of a video whose aspect ratio is not the reference's.",
)
@click.option("--faces", type=click.Choice(["haar", "yunet"]), default="haar", show_default=True)
@click.option(
    "--face",
    type=click.Choice(["largest", "central"]),
    default="largest",
    show_default=True,
    help="Which of several faces to follow.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("-o", "--output", type=_PATH, help="Also write a .csv, .json or .parquet file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--plugin", "plugins", type=_FILE, multiple=True, help="Also load this plugin file.")
def score(
    videos: tuple[Path, ...],
    made: Path | None,
    reference: Path | None,
    metrics: str | None,
    features: str | None,
    sound: SoundChoice,
    fit: Fit,
    faces: Literal["haar", "yunet"],
    face: Literal["largest", "central"],
    device: str,
    output: Path | None,
    as_json: bool,
    plugins: tuple[Path, ...],
) -> None:
    """Measure finished VIDEOS; needs no config and no manifest.

    The numbers are those of a run, to the last bit: the same conforming, face tracking and metrics.
    Each has its protocol; only numbers of one protocol can be compared. Metrics that compare with
    the real video need --reference. A video keeps its own sound; a run puts the speech of the case
    under it, and so does --sound reference.

    \b
    Exit code: 0 all values are there or undefined by definition, 1 some failed, 2 nothing was
    measured.

    \b
    Examples:
      bench score made.mp4
      bench score made.mp4 --reference real.mp4 --metrics lse,psnr:region=mouth
      bench score --made results/ --reference real/ -o values.csv
    """
    from bench.command import terminal
    from bench.command.value_rows import check_target, value_rows, values_json, write_rows
    from bench.command.values_table import show_values
    from bench.run.asked_metrics import asked, plan_asked
    from bench.run.one_video import VideoMeter, needs_real_video

    if output is not None:
        check_target(output)
    terminal.quiet_libraries()
    pairs, unmatched = _pairs(videos, made, reference)
    with tempfile.TemporaryDirectory(prefix="bench-score-") as folder:
        wanted = plan_asked(
            None if metrics is None else asked(metrics.split(",")),
            Path(folder),
            features=asked((features or "").split(",")),
            faces=faces,
            face=face,
            plugins=plugins,
        )
        if reference is None and all(map(needs_real_video, wanted.metrics)):
            names = ", ".join(one.label for one in wanted.metrics)
            raise BenchError(f"{names}: compare with the real video; name it: --reference FILE.")
        meter = VideoMeter(wanted, device=device, sound=sound, fit=fit)
        measured: list[MeasuredVideo] = []
        count = sum(
            reference is not None or not needs_real_video(one) for one in meter.clip_metrics
        )
        done, cells = 0, count * len(pairs)
        with terminal.progress("measuring", to_stderr=as_json) as step:

            def notify(_label: str) -> None:
                nonlocal done
                done += 1
                step(done, cells)

            step(0, cells)
            try:
                measured += (meter.measured(pair, notify=notify) for pair in pairs)
                sets = {record.metric: record for record in meter.sets()}
            except KeyboardInterrupt as error:
                click.echo("\nstopped; no values are written.", err=True)
                raise SystemExit(INTERRUPTED) from error
    if output is not None and output.suffix.lower() == ".json":
        output.write_text(values_json(wanted, measured, sets, unmatched) + "\n", encoding="utf-8")
    elif output is not None:
        write_rows(output, value_rows(wanted, measured, sets))
    if as_json:
        click.echo(values_json(wanted, measured, sets, unmatched))
    else:
        show_values(wanted, measured, sets, unmatched, output)
    sys.exit(_exit_code(measured, sets))


def _exit_code(measured: Sequence[MeasuredVideo], sets: Mapping[str, MeasurementRecord]) -> int:
    has_failed = any(one.has_failed for one in measured)
    return SOME_FAILED if has_failed or any(s.status == "failed" for s in sets.values()) else 0


def _pairs(
    videos: Sequence[Path], made: Path | None, reference: Path | None
) -> tuple[list[Pair], list[tuple[str, str]]]:
    """The videos with their references, and the files that are left over, each with the reason.

    Raises BenchError where nothing is left, and for arguments that do not go together.
    """
    from bench.run.one_video import Pair

    if bool(videos) == (made is not None):
        raise BenchError("give videos, or a folder of them: --made DIR.")
    if made is None:
        if reference is not None and (len(videos) > 1 or reference.is_dir()):
            raise BenchError(
                "--reference FILE goes with one video. For several: --made DIR --reference DIR."
            )
        names = _names(videos)
        return [Pair(n, video, reference) for n, video in zip(names, videos, strict=True)], []
    if reference is not None and not reference.is_dir():
        raise BenchError(f"--reference {reference}: with --made, name a folder.")
    own, unmatched = _by_name(made)
    if not own:
        raise BenchError(f"--made {made}: has no videos.")
    if reference is None:
        return [Pair(name, path) for name, path in own.items()], unmatched
    theirs, left = _by_name(reference)
    unmatched += left
    pairs = [Pair(name, path, theirs[name]) for name, path in own.items() if name in theirs]
    unmatched += [
        (str(path), f"no file of this name in {reference}")
        for name, path in own.items()
        if name not in theirs
    ]
    unmatched += [
        (str(path), f"no file of this name in {made}")
        for name, path in theirs.items()
        if name not in own
    ]
    if not pairs:
        raise BenchError(
            f"no file of {made} has the name of one in {reference}; the first are "
            f"{next(iter(own))} and {next(iter(theirs), 'none')}."
        )
    return pairs, unmatched


def _by_name(folder: Path) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """The videos below a folder by their path without its ending; and those that share a name."""
    from bench.data.tree import VIDEOS, Tree, without_ending

    tree = Tree(folder)
    found, dropped = tree.by_name(
        VIDEOS, lambda file: without_ending(file).relative_to(folder).as_posix()
    )
    return dict(sorted(found.items())), [(str(folder / name), why) for name, why in dropped]


def _names(videos: Sequence[Path]) -> list[str]:
    """What results call the videos: their stems, or their paths where these are the same."""
    stems = [video.stem for video in videos]
    if len(set(stems)) == len(stems):
        return stems
    return [os.fspath(video) for video in videos]
