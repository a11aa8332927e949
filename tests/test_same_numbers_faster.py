"""Short cuts that must not change a number: fused steps, remembered results, equal frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bench.checks.ladders import Specimen, talking_patterns
from bench.contract.jobs import Sample
from bench.contract.video import Video
from bench.features.faces import Detection, track_faces
from bench.ground.types import Frame
from bench.networks.folding import rectified
from metrics.last_of import LastOf
from metrics.lse.front_end import tracked
from metrics.lse.sync_small import network as sync_network
from metrics.perceptual import Perceptual
from metrics.sharpness import Sharpness


def test_a_fused_convolution_gives_the_same_bits() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(24, 24, 3, padding=1)
    x = torch.randn(4, 24, 12, 20).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        plain = convolution(x)
        assert torch.equal(rectified(convolution, x), torch.relu(plain))
        assert torch.equal(rectified(convolution, x, plus=x), torch.relu(plain + x))
        single, small = x[:1], nn.Conv2d(24, 24, 1)  # not fused
        assert torch.equal(rectified(convolution, single), torch.relu(convolution(single)))
        assert torch.equal(rectified(small, x), torch.relu(small(x)))


def test_gradients_go_through_it() -> None:
    convolution = nn.Conv2d(3, 3, 3, padding=1)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    rectified(convolution, x, plus=x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="3 channels does not fit"):
        rectified(nn.Conv2d(3, 4, 3, padding=1), x, plus=x)


def test_windows_are_standardised_as_they_were() -> None:
    frames = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (9, 56, 64, 3), dtype=np.uint8)
    )
    starts = torch.tensor([0, 4, 2])
    pixels = frames.float().mul_(1.0 / 255.0)
    chosen = pixels[starts[:, None] + torch.arange(5)]  # (B, 5, 56, 64, 3)
    mean = pixels.mean(dim=(1, 2))[starts[:, None] + torch.arange(5)].mean(dim=1)
    square = pixels.square().mean(dim=(1, 2))[starts[:, None] + torch.arange(5)].mean(dim=1)
    spread = (square - mean.square()).mean(dim=1).clamp_(min=0.04**2).sqrt_()
    wanted = chosen.permute(0, 1, 4, 2, 3) - mean[:, None, :, None, None]
    wanted = (wanted / spread[:, None, None, None, None]).flatten(1, 2)
    assert torch.equal(sync_network.standardised_windows(frames, starts), wanted)


def test_crops_are_bgr_and_mouths_rgb() -> None:
    sample = talking_patterns(1, frames=6)[0].sample
    frames, track = sample.video.read(), sample.video.faces()
    crops = tracked(frames, track)
    assert np.array_equal(crops[..., ::-1], tracked(frames[..., ::-1].copy(), track))
    mouths = sync_network.mouth_windows(crops)
    assert np.array_equal(mouths[..., ::-1], sync_network.mouth_windows(crops[..., ::-1].copy()))


def test_what_is_known_of_a_video_is_not_computed_again() -> None:
    one, other = (Video.of(np.zeros((1, 8, 8, 3), np.uint8)) for _ in range(2))
    last, computed = LastOf[int](), []

    def compute() -> int:
        computed.append(len(computed))
        return len(computed)

    assert [last.of(video, compute) for video in (one, one, other, one)] == [1, 1, 2, 3]


@pytest.mark.parametrize("metric", [Sharpness, Perceptual])
def test_a_metric_gives_each_reference_its_own_value(
    metric: type[Sharpness] | type[Perceptual],
) -> None:
    first, second = talking_patterns(2, frames=6)
    plugin = metric()
    plugin.load("cpu")
    given = [noisy(first), noisy(first), noisy(second), noisy(first)]
    values = [plugin.measure(sample) for sample in given]
    for sample, value in zip(given, values, strict=True):
        fresh = metric()
        fresh.load("cpu")
        assert fresh.measure(sample) == value
    assert values[0] == values[1] == values[3] != values[2]


def noisy(clean: Specimen) -> Sample:
    frames = clean.sample.video.read().copy()
    frames[::2] = frames[::2] // 2
    return replace(clean.sample, video=Video.of(frames, track=clean.sample.video.faces()))


class Counting:
    """Finds one face, and counts the frames that it looked at."""

    name = "haar"

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, frame: Frame) -> list[Detection]:
        self.looks += 1
        left = float(frame[0, 0, 0])
        return [Detection((left, 10.0, left + 30.0, 40.0), None, 1.0)]


def test_equal_frames_are_searched_once() -> None:
    still = np.full((21, 64, 64, 3), 7, np.uint8)
    detector = Counting()
    track = track_faces(still, detector)
    assert detector.looks == 1
    assert np.allclose(track.boxes, [7, 10, 37, 40])
    still[10:] = 9
    detector = Counting()
    track = track_faces(still, detector)
    assert detector.looks == 2
    assert track.boxes[0, 0] == 7
    assert track.boxes[-1, 0] == 9
