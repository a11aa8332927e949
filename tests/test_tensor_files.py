"""Weights of unknown origin: nothing in them runs, and a small file stays small."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.files.tensor_files import named_tensors, unpacked
from bench.ground.errors import BenchError
from bench.networks.checkpoints import load_weights, save_described
from bench.networks.sync_expert import Expert
from bench.train import loop as training
from bench.train.sync_expert import load_expert
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.variants import VARIANTS
from metrics.lse.sync_small.scorer import SmallSync
from tests.conftest import ROOT, shared_folder

HUGE = 3_000_000_000
ONE = torch.ones(1, dtype=torch.float16)


def in_itself() -> list[object]:
    items: list[object] = []
    items.append([items] * 9)
    return items


def many_times(depth: int) -> list[object]:
    items: list[object] = [1]
    for _ in range(depth):
        items = [items] * 9
    return items


def quantised() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.quint8)


HOSTILE: dict[str, tuple[Callable[[], object], str]] = {
    "stride 0": (lambda: {"a": ONE.expand(HUGE)}, r"more than the file holds"),
    "stride 0 within": (lambda: {"state_dict": {"a": ONE.expand(HUGE)}}, "more than the file"),
    "overlapping rows": (
        lambda: {"a": torch.ones(2000).as_strided((1000, 1000), (1, 1))},
        "more than the file",
    ),
    "a dimension of stride 0": (
        lambda: {"a": torch.ones(3, 1).expand(3, 10**9)},
        "more than the file",
    ),
    "one storage under many names": (
        lambda: {f"a{n}": SHARED[:] for n in range(1000)},
        "more than the file",
    ),
    "sparse": (lambda: {"a": torch.sparse_coo_tensor(size=(10**5, 10**5))}, "found a sparse_coo"),
    "no numbers": (lambda: {"a": torch.empty(HUGE, device="meta")}, "found a meta tensor"),
    "quantised": (lambda: {"a": quantised()}, "found a quantised tensor"),
    "deep": (lambda: {"a": {"b": {"c": {}}}}, "found dict under 'a'"),
    "in itself": (in_itself, "found list"),
    "many times the same": (lambda: many_times(15), "found list"),
    "no tensors": (lambda: {"a": 1.0}, "found float under 'a'"),
}  # fmt: skip
SHARED = torch.ones(50_000)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("case", HOSTILE)
def test_tensors_that_grow_or_are_not_plain_are_refused_before_use(
    case: str, is_zip: bool, tmp_path: Path
) -> None:
    make, said = HOSTILE[case]
    path = tmp_path / "odd.pth"
    torch.save(make(), path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(BenchError, match=said) as caught:
        load_weights(Expert(width=1 / 32), path)
    assert str(caught.value).startswith(f"{path}: ")


def test_endlessly_nested_containers_are_refused(tmp_path: Path) -> None:
    found: object = 1
    for _ in range(30):
        found = [found]
    torch.save(found, tmp_path / "deep.pt")
    with pytest.raises(BenchError, match="nested more than 20 deep"):
        unpacked(tmp_path / "deep.pt")


def rewritten(path: Path, change: Callable[[str, bytes], bytes], *, compression: int) -> None:
    """A copy of the archive with changed parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    path.write_bytes(made.getvalue())


def test_an_archive_that_unpacks_to_more_than_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(10**6)}, path)
    rewritten(path, lambda _, data: data, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    with pytest.raises(BenchError, match="compressed"):
        named_tensors(path)


def test_a_storage_declared_larger_than_its_bytes_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "short.pth"
    torch.save({"a": torch.zeros(1000)}, path)
    rewritten(
        path,
        lambda name, data: data[:4] if name.endswith("data/0") else data,
        compression=zipfile.ZIP_STORED,
    )
    with pytest.raises(BenchError, match="cannot be read as weights"):
        named_tensors(path)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_a_tiny_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "stride0.pth"
    torch.save({"state_dict": {"a": ONE.expand(HUGE)}}, path)
    code = f"""
from pathlib import Path
from bench.ground.errors import BenchError
from methods.wav2lip.checkpoints import load_generator
from methods.wav2lip.variants import VARIANTS
try:
    load_generator(Path({str(path)!r}), VARIANTS[0])
except BenchError as error:
    # Not ru_maxrss, which starts at the size of the process that started this one.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2_000_000  # kB; without the check 12 GB


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.int(), "should be float32 and is int32"),
        (lambda x: x.to(torch.complex64), "should be float32 and is complex64"),
        (lambda x: x[..., None], "should be .* and is"),
        (lambda x: x * torch.nan, "some values are not finite"),
    ],
)
def test_names_shapes_and_kinds_are_compared_first(
    tmp_path: Path, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    state = Expert(width=1 / 32).state_dict()
    first = next(iter(state))
    path = tmp_path / "odd.pth"
    torch.save({**state, first: change(state[first])}, path)
    with pytest.raises(BenchError, match=f"{first}:? .*{said}|{said}"):
        load_weights(Expert(width=1 / 32), path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_of_any_width_becomes_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    trained, network = Expert(width=1 / 32), Expert(width=1 / 32)
    state = {
        n: x.to(dtype) if x.is_floating_point() else x for n, x in trained.state_dict().items()
    }
    torch.save(state, tmp_path / "other.pth")
    load_weights(network, tmp_path / "other.pth")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name].to(tensor.dtype)), name


def test_changing_a_file_later_does_not_change_its_tensors(tmp_path: Path) -> None:
    network, path = Expert(width=1 / 32), tmp_path / "mine.pth"
    torch.save(Expert(width=1 / 32).state_dict(), path)
    load_weights(network, path)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert all(torch.equal(before[name], x) for name, x in network.state_dict().items())


@pytest.mark.parametrize(
    ("width", "scale"), [("1e9", "0.0"), ("nan", "1"), ("x", "1"), ("0.5", "inf"), ("-1", "1")]
)
def test_an_expert_of_an_absurd_declared_size_is_not_built(
    tmp_path: Path, width: str, scale: str
) -> None:
    path = tmp_path / "expert.safetensors"
    described = {"network": "expert", "audio": "mel", "width": width, "scale": scale}
    save_described(torch.nn.Linear(1, 1), path, described)
    with pytest.raises(BenchError, match="expected a width up to 2 and a scale from 0"):
        load_expert(path, "mel")


def test_a_scorer_with_another_number_type_is_refused(tmp_path: Path) -> None:
    weights = ROOT / "metrics" / "lse" / "sync_small" / "sync_small.safetensors"
    state = named_tensors(weights)
    first = next(iter(state))
    save_file({**state, first: state[first].int()}, tmp_path / "odd.safetensors")
    with pytest.raises(BenchError, match=f"another network than sync_small: {first} should be"):
        SmallSync(tmp_path / "odd.safetensors", device="cpu")


class Learner:
    """A training's state with a copy of its best network, as generator trainings keep it."""

    def __init__(self, size: int = 3) -> None:
        self.network = torch.nn.Linear(size, 1)
        self.optimiser = torch.optim.AdamW(self.network.parameters())

    def state_dict(self) -> dict[str, object]:
        state = self.network.state_dict()
        return {"network": state, "best": state, "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.network.load_state_dict(state["network"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]


def loop_in(folder: Path) -> training.Loop:
    return training.Loop(
        steps=3, report_every=1, save_every=1, folder=folder, resume=True, log=logging.getLogger()
    )


def saved_in(folder: Path, step: int = 2) -> Path:
    learner = Learner()
    learner.network(torch.ones(3)).sum().backward()
    learner.optimiser.step()
    training.save_checkpoint(folder / training.CHECKPOINT, step, learner, steps=3)
    return folder / training.CHECKPOINT


def test_a_checkpoint_with_two_names_for_one_tensor_is_resumed(tmp_path: Path) -> None:
    saved_in(tmp_path)
    assert training._resumed(loop_in(tmp_path), Learner()) == 2
    assert training.read_checkpoint(tmp_path / training.CHECKPOINT).steps == 3


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "cannot be read as weights"),
        (lambda path: path.write_bytes(b""), "cannot be read as weights"),
        (lambda path: torch.save([1], path), "expected the checkpoint of a training"),
        (lambda path: torch.save({"step": "x", "state": {}}, path), "expected the checkpoint"),
        (lambda path: torch.save({"step": 1, "state": {}}, path), "checkpoint of another training"),
        (
            lambda path: torch.save({"step": 1, "state": {"a": ONE.expand(HUGE)}}, path),
            "more than the file holds",
        ),
        (
            lambda path: training.save_checkpoint(path, 1, Learner(9)),
            "checkpoint of another training, or of other settings",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_resumed_is_one_sentence(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    path = saved_in(tmp_path)
    damage(path)
    with pytest.raises(BenchError, match=said) as caught:
        training._resumed(loop_in(tmp_path), Learner())
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.shared
def test_the_shared_hostile_file_is_refused() -> None:
    folder = shared_folder()
    if folder is None or not (folder / "cases" / "hostile").is_dir():
        pytest.skip("development data not here (set BENCH_SHARED)")
    with pytest.raises(BenchError, match="more than the file holds"):
        load_generator(folder / "cases" / "hostile" / "stride0.pth", VARIANTS[0])
