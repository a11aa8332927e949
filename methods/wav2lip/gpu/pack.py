"""Packs a training for a GPU machine: `python -m methods.wav2lip.gpu.pack CONFIG FOLDER`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import shutil
from pathlib import Path
from typing import Any, Protocol

import click

from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.train.config import LoadedTraining, TrainablePlugin, clips_of, load_train_config
from bench.train.face_clips import make_ready
from bench.train.packed_clips import Packed, pack_clips
from bench.train.settings import StageSettings
from methods.wav2lip.gpu.plan import PLAN, Plan

LIMIT = 33 * 2**20  # bytes: with the repository's 29 MiB less than the 64 that a transfer allows
FROM_FILES = ("other_persons", "other_voices")  # settings that change clips as they are read
COMMAND = """\
#!/bin/sh
# Run from the root of the repository: trains what is packed here and brings the results to $OUT.
pack=$(dirname "$0")
if ! [ -f methods/wav2lip/gpu/run.py ]; then
    echo "run.sh: run it from the root of the repository, which is not $PWD" >&2
    exit 2
fi
exec "${PYTHON:-python3}" -m methods.wav2lip.gpu.run "$pack" "$@"
"""


class Packer(Protocol):
    """Writes the data of a training config into a folder, at most `limit` bytes."""

    def __call__(
        self, loaded: LoadedTraining, folder: Path, *, limit: int, log: logging.Logger
    ) -> Packed: ...


def pack(config: Path, folder: Path, *, limit: int, log: logging.Logger) -> Packed:
    """Writes data, plan and the command `run.sh`; replaces an older pack once it is complete.

    config: a training config of methods with a module `gpu.line`; every stage has `stop_after`.
    The data are faces of all clips, or what the methods' module `gpu.packing` writes. limit: bytes
    in total. Raises BenchError if the clips do not fit, if a stage has no `stop_after` or needs the
    clips' files, or if a method cannot be packed, or not with the others.
    """
    loaded = load_train_config(config)
    lines = {plugin.name: _line_of(plugin) for plugin in loaded.plugins}
    own: Any = next(iter(loaded.plugins.values()))
    endless = [
        name for name, stage in own if isinstance(stage, StageSettings) and stage.stop_after is None
    ]
    if endless:
        raise BenchError(f"{config}: settings: {' and '.join(endless)} need a stop_after")
    from_files = [
        f"{name}.{key}" for name, stage in own for key in FROM_FILES if getattr(stage, key, 0)
    ]
    if from_files:
        raise BenchError(
            f"{config}: settings: {' and '.join(from_files)} cannot be packed: looks and voices "
            "change as files are read; leave them out"
        )
    packers = {_packer_of(line) for line in lines.values()}
    if len(packers) > 1:
        raise BenchError(f"{config}: {' and '.join(lines)} are packed differently; one config each")
    plan = Plan(
        plugins=tuple(lines),
        seed=loaded.config.seed[0],
        settings=own.model_dump(mode="json"),
        lines=lines,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with in_one_move(folder) as part:
        part.mkdir()
        packed = packers.pop()(loaded, part, limit=limit - 64 * 1024, log=log)
        (part / PLAN).write_text(json.dumps(plan.as_json(), indent=1), encoding="utf-8")
        (part / "run.sh").write_text(COMMAND, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
    return packed


def pack_faces(loaded: LoadedTraining, folder: Path, *, limit: int, log: logging.Logger) -> Packed:
    """Writes the faces of all clips into a folder."""
    own: Any = next(iter(loaded.plugins.values()))
    train, val = clips_of(loaded, log.info)
    ready = {
        split: make_ready(clips, split=split, detector=own.faces, cache=cache_dir(), log=log)
        for split, clips in (("train", train), ("val", val))
    }
    return pack_clips(ready, folder, limit=limit)


def _packer_of(line: str) -> Packer:
    """What writes the data: the function `pack_data` of the module beside a line, or the usual."""
    name = f"{line.rpartition('.')[0]}.packing"
    if importlib.util.find_spec(name) is None:
        return pack_faces
    packer: Packer = importlib.import_module(name).pack_data
    return packer


def _line_of(plugin: TrainablePlugin) -> str:
    """The module that trains a plugin from a pack; raises BenchError if it has none."""
    package = plugin.__module__.rpartition(".")[0]
    name = f"{package}.gpu.line"
    if not package or importlib.util.find_spec(f"{package}.gpu") is None:
        raise BenchError(f"{plugin.name}: cannot be packed; there is no module {name}")
    return name


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=LIMIT, help="bytes in all")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        packed = pack(given.config, given.folder, limit=given.limit, log=logging.getLogger("pack"))
    except BenchError as error:
        raise SystemExit(str(error)) from error
    click.echo(
        f"{given.folder}: {packed.frames} faces, {packed.bytes / 2**20:.1f} MiB, crf {packed.crf}, "
        f"{packed.psnr:.1f} dB. On the GPU machine, from the repository's root: "
        f"bash {given.folder}/run.sh"
    )


if __name__ == "__main__":
    main()
