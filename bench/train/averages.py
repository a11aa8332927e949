"""The running average of a network's weights, which fluctuates less than the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim.swa_utils import AveragedModel

    Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def running_average(network: nn.Module, *, decay: float) -> AveragedModel:
    """A copy of `network`; `update_parameters(network)` moves it towards `network` at each step.

    decay: the share of the average that an update keeps; the first updates keep less (0.1, 0.18,
    ...). With 0, the average is the network itself. Running means and variances of batch
    normalisation are averaged, too; counters are not. The copy is `.module`.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel

    def follow(averages: Tensors, values: Tensors, updates: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            return
        done = int(updates) - 1
        keep = min(decay, (1.0 + done) / (10.0 + done))
        torch._foreach_lerp_(averages, values, 1.0 - keep)

    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    average.n_averaged += 1  # at 0 the first update would copy the network instead of averaging it
    return average
