"""What methods share that learn a person first: how they stop, go on, and take known persons."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bench.checks import run_checks
from bench.networks.checkpoints import metadata
from methods.adnerf.method import ADNeRF
from methods.radiance import learning
from methods.radiance.learning import CHECKPOINT
from methods.radiance.person_method import PERSON, PersonMethod
from methods.saliency_portrait.method import RegionSaliency
from tests.test_adnerf_method import QUICK, Placed, few, opened, person

METHODS = pytest.mark.parametrize("method", [ADNeRF, RegionSaliency], ids=lambda one: one.name)


def quick(method: type[PersonMethod], **changes: object) -> PersonMethod:
    field = {"field": "mlp"} if method is ADNeRF else {}
    made = method(method.Options.model_validate({**QUICK, **field, **changes}))
    made.load("cpu")
    return made


@METHODS
def test_the_contract_is_kept(method: type[PersonMethod]) -> None:
    options = method.Options.model_validate(QUICK)
    results = run_checks(method, options, sample=few, features=[Placed])
    assert {each.name: each.detail for each in results if each.status != "passed"} == {}
    assert {"learns a person", "learns on where it was stopped"} <= {each.name for each in results}


@METHODS
def test_a_stopped_preparation_ends_with_the_same_weights(
    method: type[PersonMethod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    quick(method).prepare(person(tmp_path / "whole"))
    step = learning._Attempt._step

    def interrupted(self: learning._Attempt, number: int) -> object:
        if number == 5:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(learning._Attempt, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(method).prepare(person(tmp_path / "stopped"))
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == [CHECKPOINT]
    steps: list[int] = []
    monkeypatch.setattr(
        learning._Attempt, "_step", lambda self, at: steps.append(at) or step(self, at)
    )
    quick(method).prepare(person(tmp_path / "stopped"))
    assert steps == [4, 5]
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == [PERSON]
    whole, stopped = (tmp_path / name / PERSON for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()


@METHODS
def test_a_person_learned_ahead_is_taken_only_where_none_of_its_clips_can_be_tested(
    method: type[PersonMethod], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("first", "again", "tested", "other", "mesh")
    first, again, tested, other, mesh = (tmp_path / name for name in names)
    for folder in (first, again, tested, other, mesh):
        folder.mkdir()
    clips = [opened(few()[0]), opened(few()[1])]
    for clip, digest in zip(clips, ("a", "b"), strict=True):
        clip.sha256 = 64 * digest
    quick(method, steps=2).prepare(person(first, *clips))
    with caplog.at_level(logging.INFO):
        quick(method, steps=2, persons=first).prepare(person(again, *reversed(clips)))
    assert "ann was learned before: person.safetensors" in caplog.text
    assert (again / PERSON).read_bytes() == (first / PERSON).read_bytes()
    quick(method, steps=2, persons=first).prepare(
        person(tested, clips[0])
    )  # the other clip is tested
    quick(method, steps=3, persons=first).prepare(person(other, *clips))
    found = person(mesh, *clips, landmarks="mesh:track")
    with caplog.at_level(logging.INFO):
        quick(method, steps=2, persons=first).prepare(found)
    assert "is not taken: it was learned with landmarks small, not mesh:track" in caplog.text
    assert caplog.text.count("was learned before") == 1
    assert metadata(tested / PERSON)["clips"] == 16 * "a"
    assert metadata(mesh / PERSON)["landmarks"] == "mesh:track"
