"""AD-NeRF in small: its ears, and a field of its own class or of dense planes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.adnerf.field import Field, FieldSize
from methods.adnerf.rendering import Rendered, Sampling, rendered
from methods.radiance.codes import octaves, octaves_width
from methods.radiance.learning import Portrait
from methods.radiance.planes import DensePlanes
from methods.radiance.rays import Rays
from methods.radiance.speech_networks import AudioAttNet, AudioNet
from methods.radiance.volume import Integral

HEARD = 32
SMALL = FieldSize(HEARD, depth=5, width=96, again_after=2, views=1, position=7, direction=2)
CELLS, CHANNELS, HIDDEN, DIRECTION = (24, 48, 96), 6, 64, 2
FIRST_DENSITY = 1.0  # before the softplus: a field that starts as fog does not stay transparent
GRID = 32  # cells along an edge, of the survey of where anything is seen
SURVEY_EVERY = 16  # steps
FORGET = 0.6  # a survey keeps this share of what the one before saw
LEAST_SEEN = 0.05  # of a ray, in one of its samples
PLANES_RATE = 5.0  # times the networks' rate

FieldKind = Literal["mlp", "planes"]


class PlaneField(nn.Module):
    """The same as Field, from dense planes, with speech gated channel by channel where a point is.

    ER-NeRF's head in small, without eyes and codes of frames.
    """

    def __init__(self) -> None:
        super().__init__()
        self.planes = DensePlanes(CELLS, CHANNELS)
        width = self.planes.width
        self.gate = nn.Linear(width, HEARD)
        self.density = nn.Sequential(
            nn.Linear(width + HEARD, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        self.alpha_linear = nn.Linear(HIDDEN, 1)
        self.colour = nn.Sequential(
            nn.Linear(HIDDEN + octaves_width(3, DIRECTION), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 3)
        )

    def forward(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        features = self.planes(points)
        heard = signal * self.gate(features)
        hidden = self.density(torch.cat([features, heard], dim=-1))
        seen = torch.cat([hidden, octaves(directions, DIRECTION)], dim=-1)
        return torch.cat([self.colour(seen), self.alpha_linear(hidden)], dim=-1)


class HearingPortrait(Portrait):
    """AudioNet, AudioAttNet, and the guess of the opening; they hear `heard` numbers a window."""

    def __init__(self, heard: int) -> None:
        super().__init__()
        self.audio_net = AudioNet(heard)
        self.audio_att_net = AudioAttNet()
        self.guess = nn.Linear(heard, 1)

    def listen(self, heard: Tensor, *, is_smoothed: bool) -> Tensor:
        count, windows = heard.shape[:2]
        if not is_smoothed:
            return self.audio_net(heard[:, windows // 2])  # type: ignore[no-any-return]
        every = self.audio_net(heard.flatten(0, 1)).view(count, windows, -1)
        return self.audio_att_net(every)  # type: ignore[no-any-return]

    def opening(self, signal: Tensor) -> Tensor:
        return self.guess(signal)[:, 0]  # type: ignore[no-any-return]


class SmallPortrait(HearingPortrait):
    """A person's head. About 110,000 numbers as "mlp", 290,000 as "planes".

    The density is softplus, not ReLU, and 0 outside the coordinates [-1, 1]. While it learns, every
    16th step is a survey: all samples are asked, and the cells of a grid remember what rays saw
    there. In between, and when a face is shown, the field is asked only in and beside such cells.
    """

    seen: Tensor  # (GRID, GRID, GRID), the most that a ray saw, which fades from survey to survey
    looks: Tensor  # (), steps of learning
    there: Tensor  # (GRID, GRID, GRID) bool, of a finished portrait

    def __init__(self, field: FieldKind, samples: int) -> None:
        super().__init__(HEARD)
        self.field: nn.Module = Field(SMALL) if field == "mlp" else PlaneField()
        nn.init.constant_(self.field.alpha_linear.bias, FIRST_DENSITY)
        self.register_buffer("background", torch.zeros(3))
        self.register_buffer("seen", torch.ones(GRID, GRID, GRID))
        self.register_buffer("looks", torch.zeros((), dtype=torch.int64))
        self.samples = samples

    def look(
        self, rays: Rays, signal: Tensor, near: Tensor, far: Tensor, random: torch.Generator | None
    ) -> Integral:
        background = self.background.expand(len(signal), 3)
        sampling = Sampling(near, far, self.samples, 0)
        is_survey = self.training and int(self.looks) % SURVEY_EVERY == 0
        field = self._everywhere if is_survey else self._where_seen
        made = rendered(rays, background, signal, sampling, coarse=field, random=random)
        if self.training:
            self.looks += 1
        if is_survey:
            self._survey(rays, made)
        return made.fine

    def groups(self, rate: float) -> list[dict[str, object]]:
        planes = [each for name, each in self.named_parameters() if ".planes." in name]
        others = [each for name, each in self.named_parameters() if ".planes." not in name]
        groups: list[dict[str, object]] = [{"params": others, "lr": rate}]
        return groups + ([{"params": planes, "lr": PLANES_RATE * rate}] if planes else [])

    def _everywhere(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        """The field at all points, (N, 4); density 0 outside the coordinates."""
        raw = self.field(points, directions, signal)
        is_inside = (points.abs() <= 1).all(-1, keepdim=True)
        return torch.cat([raw[:, :3], functional.softplus(raw[:, 3:]) * is_inside], dim=-1)

    def _where_seen(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        """The same, with density 0 where no survey saw anything: there the field is not asked."""
        at = (self._is_seen()[_cells(points)]).nonzero()[:, 0]
        raw = self._everywhere(points[at], directions[at], signal[at])
        return points.new_zeros(len(points), 4).index_copy(0, at, raw)

    def finish(self) -> None:
        """Keeps of the surveys which cells are seen, as a buffer `there`."""
        there = self._is_seen().view(GRID, GRID, GRID)
        del self.seen, self.looks
        self.register_buffer("there", there)

    def _is_seen(self) -> Tensor:
        """Cells in which, or beside which, a ray saw something, (GRID^3,) bool."""
        if hasattr(self, "there"):
            return self.there.flatten()
        grown = functional.max_pool3d(self.seen[None, None], 3, 1, 1)
        return (grown > LEAST_SEEN).flatten()

    @torch.no_grad()
    def _survey(self, rays: Rays, made: Rendered) -> None:
        cells = _cells(rays.at(made.depths[:, :-1]).reshape(-1, 3))
        self.seen *= FORGET
        self.seen.view(-1).scatter_reduce_(0, cells, made.fine.weights[:, :-1].flatten(), "amax")


def _cells(points: Tensor) -> Tensor:
    """The cell of each point, (N,) int64; points outside are taken to the border."""
    at = ((points + 1) * (GRID / 2)).long().clamp_(0, GRID - 1)
    return (at[:, 2] * GRID + at[:, 1]) * GRID + at[:, 0]
