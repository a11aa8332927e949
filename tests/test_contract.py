"""Every built-in plugin keeps to the contract that third parties' plugins are held to."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench import media
from bench.checks import Check, PluginClass, parametrize_with_checks
from bench.checks.ladders import Specimen, synthetic_talkers, talking_patterns
from bench.contract.plugins import Plugin
from bench.contract.registry import load_registry
from methods.adnerf.method import ADNeRF
from methods.command import Command
from methods.diff2lip.method import Diff2Lip
from methods.recorded import Recorded
from methods.saliency_portrait.method import RegionSaliency
from methods.wav2lip.method import METHODS
from metrics.lip_motion import LipMotion
from tests.small_talkers import small_weights, tiny_weights
from tests.test_adnerf_method import QUICK

# The least that makes a plugin work which has no defaults.
PROGRAM = """
import sys
from pathlib import Path
from bench import media
face, output, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
frames = media.read_frames(face)
media.write_video(output, (frames[index % len(frames)] for index in range(int(count))))
"""
ARGUMENTS = (sys.executable, "-c", PROGRAM, "{face}", "{output}", "{frames}")
pytestmark = pytest.mark.usefixtures("shares_corpora")
FOLDER = Path(tempfile.mkdtemp(prefix="bench-recorded-"))  # filled below, when a test runs
OPTIONS: dict[str, bench.Options] = {
    "command": Command.Options(argv=ARGUMENTS),
    "ad_nerf": ADNeRF.Options.model_validate(QUICK),
    "saliency_portrait": RegionSaliency.Options.model_validate(QUICK),
    "recorded": Recorded.Options(folder=FOLDER),
    # Weights as drawn, and few: the contract is the code's affair.
    "diff2lip": Diff2Lip.Options(weights=FOLDER / "diff2lip.safetensors", steps=1),
    **{each.name: each.Options(weights=FOLDER / f"{each.name}.safetensors") for each in METHODS},
}


@pytest.fixture(scope="module", autouse=True)
def made_elsewhere() -> Iterator[None]:
    """Weights of methods, and videos that `recorded` finds, as long as asked for."""
    tiny_weights(FOLDER / "diff2lip.safetensors")
    for method in METHODS:
        small_weights(FOLDER, method.variant)
    for specimen in talking_patterns():
        frames, name = specimen.sample.video.read(), specimen.sample.case.id
        longer = len(specimen.other_speech) // bench.SAMPLES_PER_FRAME
        counts = {name: len(frames), f"{name}+other": longer, f"{name}~other": longer}
        for case, count in counts.items():
            shown = (frames[index % len(frames)] for index in range(count))
            media.write_video(FOLDER / f"{case}.mp4", shown)
    yield
    shutil.rmtree(FOLDER)


def drawn() -> list[Specimen]:
    """Short clips, for methods that make every frame by a network or by a program of its own."""
    return talking_patterns(2, frames=15, size=96)


def talkers() -> list[Specimen]:
    """Short clips, for what looks at every frame of a person but does not listen."""
    return synthetic_talkers(longest=15)


def listened_to() -> list[Specimen]:
    """Whole clips, for what looks at a person and needs a second of speech."""
    return synthetic_talkers()


def group_of(plugin: type[Plugin]) -> str:
    if plugin in (Command, Diff2Lip, *METHODS):
        return "drawn"
    if plugin is LipMotion:
        return "listeners"
    return "talkers" if plugin.tried_on == "talkers" else "usual"


def built_in(group: str) -> list[PluginClass]:
    registry = load_registry()
    ours = Path(bench.__file__).parent.parent
    plugins: list[PluginClass] = []
    for registered in registry.plugins.values():
        plugin = registered.plugin
        file = sys.modules[plugin.__module__].__file__
        if file is not None and Path(file).is_relative_to(ours) and group_of(plugin) == group:
            options = OPTIONS.get(plugin.name)
            plugins.append(plugin if options is None else (plugin, options))
    return plugins


@parametrize_with_checks(built_in("usual"))
def test_contract(check: Check) -> None:
    check()


@parametrize_with_checks(built_in("listeners"), sample=listened_to)
def test_contract_of_what_looks_and_listens(check: Check) -> None:
    check()


@parametrize_with_checks(built_in("talkers"), sample=talkers)
def test_contract_of_what_looks_at_people(check: Check) -> None:
    check()


@parametrize_with_checks(built_in("drawn"), sample=drawn)
def test_contract_of_methods_that_take_their_time(check: Check) -> None:
    check()
