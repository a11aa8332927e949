"""PC-AVS's five files: what is read, what may be missing, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bench.ground.errors import BenchError
from methods.pcavs.checkpoints import FILES, load_known, load_official
from methods.pcavs.generator import Generator
from methods.pcavs.networks import Networks


def small() -> Generator:
    return Generator(channels=(8, 4), style=6, start=3)


def test_a_file_may_lack_names_and_hold_others(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stored, network = small(), small()
    state = stored.state_dict()
    before = network.get_parameter("style.3.bias").clone()
    del state["style.3.bias"]
    state["another"] = torch.zeros(1)
    torch.save(state, tmp_path / "g.pth")
    assert load_known(network, tmp_path / "g.pth") == ("style.3.bias",)
    assert not network.training
    assert torch.equal(network.get_parameter("style.3.bias"), before)
    style = torch.randn(1, 6)
    assert torch.equal(network(style), stored(style))


def test_other_files_are_refused_and_change_nothing(tmp_path: Path) -> None:
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path / "g.pth"
    name = "to_rgb1.bias"
    for state, words in (
        ({"head.weight": torch.zeros(2)}, "none of which"),
        ({name: torch.zeros(1, 4, 1, 1)}, r"to_rgb1.bias: expected \(1, 3, 1, 1\), found"),
        ({name: torch.full((1, 3, 1, 1), torch.nan)}, "not finite"),
        ({"conv1.noise.weight": torch.ones(1), name: torch.zeros(2)}, "expected"),
    ):
        torch.save(state, path)
        with pytest.raises(BenchError, match=words):
            load_known(network, path)
    path.write_bytes(b"no weights")
    with pytest.raises(BenchError, match=r"g\.pth"):
        load_known(network, path)
    assert all(torch.equal(before[name], x) for name, x in network.state_dict().items())


class Tiny(nn.Module):
    """Stands for a network of many parameters: the names that matter here."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2)
        self.fc = nn.Linear(2, 2)


def test_a_folder_is_read_and_what_it_lacks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = Networks(*(Tiny() for _ in FILES))  # type: ignore[arg-type]
    monkeypatch.setattr(Networks, "new", lambda: networks)
    stored = {part: Tiny() for part in FILES}
    for part, file in FILES.items():
        torch.save(stored[part].state_dict(), tmp_path / file)
    loaded = load_official(tmp_path)
    assert loaded.missing == loaded.harmful == ()
    for part in FILES:
        found = getattr(loaded.networks, part).state_dict()
        assert all(torch.equal(x, found[name]) for name, x in stored[part].state_dict().items())
    state = stored["speech"].state_dict()
    del state["fc.bias"], state["model.weight"]
    torch.save(state, tmp_path / FILES["speech"])
    loaded = load_official(tmp_path)
    assert loaded.missing == (
        "latest_net_A_sync.pth: model.weight",
        "latest_net_A_sync.pth: fc.bias",
    )
    assert loaded.harmful == ("latest_net_A_sync.pth: model.weight",)
    (tmp_path / FILES["face"]).unlink()
    with pytest.raises(BenchError, match=r"latest_net_E\.pth"):
        load_official(tmp_path)
