"""The running average of a network's weights, which is calmer than the weights themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim.swa_utils import AveragedModel

    Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def running_average(network: nn.Module, *, decay: float) -> AveragedModel:
    """A copy of `network` that `update_parameters(network)` moves towards it after every step.

    decay: what an update keeps of the average, in the end; the first updates keep less (0.1, 0.18,
    ...). 0 keeps nothing: the average is the network. Running means and variances of batch
    normalisation are averaged, too; counters stay. The copy is `.module`.
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
