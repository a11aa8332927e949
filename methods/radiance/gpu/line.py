"""How the person of a pack is learned, and saved by force from the last checkpoint."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import cast

from torch import Tensor

from bench.train.loop import read_checkpoint
from methods.radiance.gpu.packed_person import read_person
from methods.radiance.learning import CHECKPOINT, learned
from methods.radiance.person_file import save_person
from methods.radiance.person_method import PersonMethod
from methods.wav2lip.gpu.line import Line
from methods.wav2lip.gpu.plan import Plan

DESCRIBED = "described.json"  # the file's metadata, for a rescue


def person_line(method: type[PersonMethod]) -> Line:
    """The line of a method."""
    return Line(partial(learn_person, method=method), partial(rescue_person, method=method))


def learn_person(
    pack: Path, plan: Plan, folder: Path, device: str, *, method: type[PersonMethod]
) -> Path:
    """The person's file. folder: for all that is written."""
    own, packed = _method(plan, method), read_person(pack)
    log = logging.getLogger("line")
    log.info("%s: %d frames", packed.person, len(packed.recording))
    folder.mkdir(parents=True, exist_ok=True)
    described = own.described(packed.person, packed.said, packed.landmarks)
    (folder / DESCRIBED).write_text(json.dumps(described), encoding="utf-8")
    portrait = learned(
        lambda: own.new(clips=packed.clips),
        packed.recording,
        own.learning,
        folder=folder,
        seed=plan.seed,
        device=device,
        log=log,
    )
    path = folder / f"{method.name}.safetensors"
    save_person(portrait, path, described)
    return path


def rescue_person(plan: Plan, folder: Path, *, method: type[PersonMethod]) -> Path:
    """The person's file from the last checkpoint."""
    own = _method(plan, method)
    state = cast("dict[str, Tensor]", read_checkpoint(folder / CHECKPOINT).state["portrait"])
    codes = [len(value) for name, value in state.items() if "individual_codes" in name]
    portrait = own.new(clips=codes[0] if codes else 1)
    portrait.load_state_dict(state)
    portrait.finish()
    path = folder / f"{method.name}.safetensors"
    described = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
    save_person(portrait, path, described)
    return path


def _method(plan: Plan, method: type[PersonMethod]) -> PersonMethod:
    settings = method.Settings.model_validate(plan.settings)
    return method(method.Options.model_validate(settings.options))
