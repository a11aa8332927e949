"""Trains the sync expert, which then judges the generator and is trained no more.

Sources: doi 10.11896/jsjkx.241200067, section 3.2.1 and eq. 11 (pairs, binary cross-entropy);
van den Oord, Li, Vinyals 2018, "Representation learning with contrastive predictive coding" (the
loss of `matching`: each window finds its sound among those of its clip, and back).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pydantic
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import BenchError
from bench.files.one_move import in_one_move
from bench.files.tensor_files import UNREADABLE
from bench.machine.processes import ALONE, Processes
from bench.train import loop as training
from methods.wav2lip import audio
from methods.wav2lip.audio import AudioKind
from methods.wav2lip.batches import MatchingBatch, MatchingBatches
from methods.wav2lip.checkpoints import load_weights, save_described
from methods.wav2lip.clips import StoredClip
from methods.wav2lip.expert import WINDOW, Expert
from methods.wav2lip.faces import SIZE
from methods.wav2lip.folding import folded, laid_out

EXPERT_VERSION = "1"  # raise it when the same settings give another expert
REACH = 15  # frames that validation shifts the sound, either way


class ExpertSettings(pydantic.BaseModel):
    """What `settings.expert` of a config may hold."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    weights: Path | None = None  # a trained expert; nothing is trained then
    seed: int = pydantic.Field(default=0, ge=0)  # its own: all seeds of a generator share an expert
    width: float = pydantic.Field(default=1.0, gt=0)
    loss: Literal["pairs", "matching"] = "pairs"
    steps: int = pydantic.Field(default=200_000, ge=1)
    clips: int = pydantic.Field(default=12, ge=1)  # a batch
    windows: int = pydantic.Field(default=20, ge=2)  # a clip
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    augmentation: bool = False  # of the pictures; Wav2Lip has none
    save_every: int = pydantic.Field(default=500, ge=1)


class ExpertLearner:
    """The expert under training, its temperature, and the optimiser."""

    def __init__(
        self,
        settings: ExpertSettings,
        kind: AudioKind,
        *,
        device: str,
        processes: Processes = ALONE,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = torch.device(device)
        self.expert = laid_out(Expert(audio=kind, width=settings.width).to(self.device))
        self.run_expert = processes.prepare(self.expert)
        self.log_scale = nn.Parameter(torch.tensor(10.0, device=self.device).log())
        self.optimiser = torch.optim.AdamW(
            [*self.expert.parameters(), self.log_scale],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def advance(self, step: int, batch: MatchingBatch) -> dict[str, float]:
        """One step; returns its loss and the share of windows whose own sound came first."""
        settings = self.settings
        if settings.schedule == "one_cycle":
            rate = training.one_cycle(step, steps=settings.steps, peak=settings.learning_rate)
            self.optimiser.param_groups[0]["lr"] = rate
        self.expert.train()
        cosines = self._cosines(step, batch)  # (C, W, W)
        gaps = (batch.places[:, :, None] - batch.places[:, None, :]).abs().to(self.device)
        if settings.loss == "matching":
            loss = matching_loss(cosines, gaps, self.log_scale.exp().clamp(max=60.0))
        else:
            loss = pairs_loss(cosines, step=step)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.expert.parameters(), 1.0)
        self.optimiser.step()
        own = torch.arange(cosines.shape[1], device=self.device)
        right = (cosines.detach().argmax(dim=2) == own).float().mean()
        return {"sync": float(loss.detach()), "right": float(right)}

    def state_dict(self) -> dict[str, object]:
        """Expert, temperature, optimiser."""
        return {
            "expert": self.expert.state_dict(),
            "log_scale": self.log_scale.detach(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Puts back what `state_dict` gave."""
        self.expert.load_state_dict(state["expert"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])  # type: ignore[arg-type]

    def _cosines(self, step: int, batch: MatchingBatch) -> Tensor:
        """Each window's picture against each sound of its clip, (C, W, W)."""
        frames = batch.frames.to(self.device).permute(0, 3, 1, 2).float() / 255  # (F, 3, 48, 96)
        if self.settings.augmentation:
            random = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
            frames = augmented(frames, batch.owners.to(self.device), random)
        count, windows = batch.places.shape
        index = batch.windows.flatten()[:, None] + torch.arange(WINDOW)  # (C W, 5)
        mouths = frames[index.to(self.device)].flatten(1, 2)  # (C W, 15, 48, 96)
        heard = batch.heard.flatten(0, 1).to(self.device)  # (C W, 1, D, 16)
        with torch.autocast(self.device.type, torch.bfloat16):
            sound, picture = self.run_expert(
                heard, mouths.contiguous(memory_format=torch.channels_last)
            )
        cosines: Tensor = picture.view(count, windows, -1) @ sound.view(
            count, windows, -1
        ).transpose(1, 2)
        return cosines


def matching_loss(cosines: Tensor, gaps: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of each picture over the sounds of its clip, and of each sound, averaged.

    cosines: (C, W, W), pictures by sounds. gaps: (C, W, W) frames between the windows; those one
    frame apart are neither right nor wrong.
    """
    logits = (scale * cosines).masked_fill(gaps == 1, -1e4)
    target = torch.arange(cosines.shape[1], device=cosines.device).repeat(len(cosines))
    forth = functional.cross_entropy(logits.flatten(0, 1), target)
    back = functional.cross_entropy(logits.transpose(1, 2).flatten(0, 1), target)
    return 0.5 * (forth + back)


def pairs_loss(cosines: Tensor, *, step: int) -> Tensor:
    """Binary cross-entropy of the cosine as probability (eq. 11): each true pair, and a false one.

    cosines: (C, W, W). The false pairs are those some windows apart, by a distance that goes round
    with the step.
    """
    windows = cosines.shape[1]
    true = cosines.diagonal(dim1=1, dim2=2)
    false = cosines.roll(1 + step % (windows - 1), dims=2).diagonal(dim1=1, dim2=2)
    edge = 1e-6
    true, false = true.clamp(edge, 1 - edge), false.clamp(edge, 1 - edge)
    return -0.5 * (true.log().mean() + (1 - false).log().mean())


def augmented(frames: Tensor, owners: Tensor, random: torch.Generator) -> Tensor:
    """Mouths in another light, place and quality, alike for all frames of a clip.

    frames: (F, 3, 48, 96) in [0, 1]; owners: (F,). Shifted by up to 4 pixels, scaled in brightness
    and colour, half of them blurred or noised, so that the expert does not hang on single pixels.
    """
    count = int(owners.max()) + 1

    def drawn(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=random).to(frames.device)

    gain = (0.7 + 0.6 * drawn(1)) * (0.9 + 0.2 * drawn(3))  # (C, 3)
    offset = 0.2 * drawn(1) - 0.1  # (C, 1)
    sigma = 0.06 * drawn(1) * (drawn(1) < 0.5)  # (C, 1)
    softness = drawn(1) * (drawn(1) < 0.5)  # (C, 1)
    soft = functional.avg_pool2d(functional.pad(frames, (1, 1, 1, 1), mode="replicate"), 3, 1)
    each = (slice(None), slice(None), None, None)
    frames = frames + softness[owners][each] * (soft - frames)
    frames = frames * gain[owners][each] + offset[owners][each]
    noise = torch.randn(frames.shape, generator=random).to(frames.device)
    frames = frames + sigma[owners][each] * noise
    shift = (8 * drawn(2)).long()  # (C, 2), 0..7 rows and columns
    padded = functional.pad(frames, (4, 4, 4, 4), mode="replicate")
    height, width = frames.shape[2:]
    moved = [
        padded[owners == clip, :, y : y + height, x : x + width]
        for clip, (y, x) in enumerate(shift.tolist())
    ]
    return torch.cat(moved).clamp(0.0, 1.0)


@torch.no_grad()
def sound_embeddings(
    expert: Expert, clip: StoredClip, kind: AudioKind, device: torch.device
) -> Tensor:
    """What the expert hears at each window of a clip, (N, C), each of length 1."""
    spectrum = clip.features(kind)
    first = audio.first_columns(len(clip.faces()) - WINDOW + 1, spectrum.shape[1])
    heard = torch.from_numpy(audio.windows(spectrum, first)).to(device)
    return functional.normalize(expert.audio_encoder(heard).flatten(1).float(), dim=1)


@torch.no_grad()
def picture_embeddings(expert: Expert, clip: StoredClip, device: torch.device) -> Tensor:
    """What the expert sees in each window of a clip, (N, C), each of length 1."""
    lower = torch.from_numpy(clip.faces()[:, SIZE // 2 :].copy()).to(device)
    frames = lower.permute(0, 3, 1, 2).float() / 255  # (T, 3, 48, 96)
    index = torch.arange(len(frames) - WINDOW + 1)[:, None] + torch.arange(WINDOW)
    seen = expert.face_encoder(frames[index.to(device)].flatten(1, 2))
    return functional.normalize(seen.flatten(1).float(), dim=1)


def validation(
    expert: Expert, clips: Sequence[StoredClip], kind: AudioKind, device: torch.device
) -> dict[str, float]:
    """By data set: the share of clips found within a frame of step, and by how much of a cosine.

    The lead is the mean cosine in step less the mean over all other shifts of up to 15 frames.
    """
    ready = folded(expert)
    found: dict[str, list[tuple[bool, float]]] = {}
    for clip in clips:
        sound = sound_embeddings(ready, clip, kind, device)
        cosines = picture_embeddings(ready, clip, device) @ sound.T  # (N, N)
        reach = min(REACH, len(cosines) - 5)
        curve = torch.stack(
            [cosines.diagonal(shift).mean() for shift in range(-reach, reach + 1)]
        )  # (2 R + 1,)
        lead = float((curve[reach] - curve.mean()) * len(curve) / (len(curve) - 1))
        found.setdefault(clip.dataset, []).append(
            (abs(int(curve.argmax()) - reach) <= 1, lead),
        )
    figures: dict[str, float] = {}
    for name, rows in sorted(found.items()):
        in_step, lead = torch.tensor(rows, dtype=torch.float64).mean(dim=0).tolist()
        figures |= {f"{name} in_step": in_step, f"{name} lead": lead}
    return figures


def trained_expert(
    settings: ExpertSettings,
    kind: AudioKind,
    ready: dict[str, list[StoredClip]],
    *,
    folder: Path,
    cache: Path,
    resume: bool,
    device: str,
    processes: Processes,
    log: logging.Logger,
) -> Path:
    """The weights of an expert with these settings: given, trained before, or trained now.

    ready: clips of `train` and `val`. Variants that hear the same and share data and settings share
    an expert, kept in the cache.
    """
    if settings.weights is not None:
        return settings.weights
    shaped_by = [EXPERT_VERSION, kind, settings.model_dump(mode="json")]
    # With the folder above, which says detector and versions: the same clips cut otherwise differ.
    names = [clip.folder.parts[-2:] for split in ("train", "val") for clip in ready[split]]
    key = hashlib.sha256(json.dumps([shaped_by, names]).encode()).hexdigest()
    kept = cache / "experts" / f"{key}.safetensors"
    if kept.is_file():
        log.info("sync expert (%s): trained before with these data and settings", kind)
        return kept
    log.info("sync expert (%s): %d steps", kind, settings.steps)
    learner = ExpertLearner(settings, kind, device=device, processes=processes)
    batches = MatchingBatches(
        ready["train"],
        kind,
        batch=settings.clips,
        windows=settings.windows,
        steps=settings.steps,
        seed=settings.seed,
    )
    loop = training.Loop(
        steps=settings.steps,
        report_every=min(50, settings.save_every),
        save_every=settings.save_every,
        folder=folder,
        resume=resume,
        log=log,
        processes=processes,
    )
    training.run(
        loop,
        learner,
        batches,
        learner.advance,
        validate=lambda _: validation(learner.expert, ready["val"], kind, learner.device),
    )
    if processes.is_first:
        made = save_expert(learner, kind, folder / "expert.safetensors")
        with in_one_move(kept) as part:
            shutil.copyfile(made, part)
    processes.wait()
    return kept


def save_expert(learner: ExpertLearner, kind: AudioKind, path: Path) -> Path:
    """The expert in half precision as safetensors, with what it hears and its temperature."""
    settings = learner.settings
    scale = float(learner.log_scale.detach().exp()) if settings.loss == "matching" else 0.0
    described = {
        "network": "expert",
        "audio": kind,
        "width": repr(settings.width),
        "scale": repr(scale),
    }
    save_described(learner.expert, path, described)
    return path


def load_expert(path: Path, kind: AudioKind) -> tuple[Expert, float]:
    """A frozen expert, folded, and its temperature; 0 where its cosine is a probability itself.

    path: what `save_expert` wrote, or the official `lipsync_expert.pth`. Raises BenchError where it
    hears something else, is truncated, or is no expert.
    """
    width, scale = 1.0, 0.0
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
        except (SafetensorError, *UNREADABLE) as error:
            raise BenchError(f"{path}: cannot be read as weights: {error}") from error
        if metadata.get("network") != "expert" or metadata.get("audio") != kind:
            raise BenchError(
                f"{path}: expected a sync expert that hears {kind}, found "
                f"{metadata.get('network', 'weights without a description')} "
                f"({metadata.get('audio', 'hearing unknown')})"
            )
        width, scale = _described_numbers(path, metadata)
    expert = Expert(audio=kind, width=width)
    load_weights(expert, path)
    return folded(expert), scale


def _described_numbers(path: Path, metadata: dict[str, str]) -> tuple[float, float]:
    try:
        width, scale = float(metadata["width"]), float(metadata["scale"])
    except (KeyError, ValueError):
        width, scale = math.nan, math.nan
    if not (0 < width <= 2 and 0 <= scale < math.inf):
        raise BenchError(
            f"{path}: expected a width up to 2 and a scale from 0, found "
            f"{metadata.get('width')!r} and {metadata.get('scale')!r}. Train it anew."
        )
    return width, scale
