"""Trains the sync expert, which then judges the generator and stays frozen.

Sources: doi 10.11896/jsjkx.241200067, section 3.2.1 and eq. 11 (pairs, binary cross-entropy);
van den Oord, Li, Vinyals 2018, "Representation learning with contrastive predictive coding" (the
loss of `matching`: each window finds its sound among those of its clip, and vice versa).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError
from bench.networks import audio
from bench.networks.audio import AudioKind
from bench.networks.checkpoints import read_state
from bench.networks.face_crops import SIZE
from bench.networks.folding import folded
from bench.networks.sync_expert import WINDOW, Expert, load_expert, save_expert, sync_loss
from bench.train import loop as training
from bench.train.expert_batches import MatchingBatch, MatchingBatches
from bench.train.expert_settings import ExpertSettings
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip
from bench.train.held_out import means_by_dataset
from bench.train.pacing import paced
from bench.train.processes import ALONE, Processes
from bench.train.trainable import TrainJob

EXPERT = "expert.safetensors"
EXPERT_VERSION = "1"  # raise it when the same settings give another expert
REACH = 15  # frames by which validation shifts the sound, either way


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
        self.kind: AudioKind = kind
        self.device = torch.device(device)
        self.expert = settings.laid_out(Expert(audio=kind, width=settings.width).to(self.device))
        self.processes = processes
        self.run_expert = processes.prepare(settings.compiled(self.expert))
        self.log_scale = nn.Parameter(torch.tensor(10.0, device=self.device).log())
        self.optimiser = torch.optim.AdamW(
            [*self.expert.parameters(), self.log_scale],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def advance(self, step: int, batch: MatchingBatch) -> dict[str, float]:
        """One step; returns its loss and the share of windows whose own sound ranks first."""
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

    def run_uncompiled(self) -> None:
        """From now on the expert runs uncompiled."""
        self.run_expert = self.processes.prepare(self.expert)

    def state_dict(self) -> dict[str, object]:
        """Expert, temperature, optimiser."""
        return {
            "expert": self.expert.state_dict(),
            "log_scale": self.log_scale.detach(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self.expert.load_state_dict(state["expert"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        with torch.no_grad():
            self.log_scale.copy_(state["log_scale"])  # type: ignore[arg-type]

    def save(self, path: Path) -> Path:
        """Writes the expert with its kind of features and its temperature."""
        settings = self.settings
        scale = float(self.log_scale.detach().exp()) if settings.loss == "matching" else 0.0
        save_expert(self.expert, path, audio=self.kind, width=settings.width, scale=scale)
        return path

    def _cosines(self, step: int, batch: MatchingBatch) -> Tensor:
        """The cosine of each window's frames with each sound of its clip, (C, W, W)."""
        settings = self.settings
        frames = batch.frames.to(self.device).permute(0, 3, 1, 2).float() / 255  # (F, 3, 48, 96)
        if settings.augmentation:
            random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
            frames = augmented(frames, batch.owners.to(self.device), random)
        count, windows = batch.places.shape
        index = batch.windows.flatten()[:, None] + torch.arange(WINDOW)  # (C W, 5)
        mouths = frames[index.to(self.device)].flatten(1, 2)  # (C W, 15, 48, 96)
        heard = batch.heard.flatten(0, 1).to(self.device)  # (C W, 1, D, 16)
        with settings.autocast(self.device.type):
            sound, picture = self.run_expert(
                heard, mouths.contiguous(memory_format=torch.channels_last)
            )
        cosines: Tensor = picture.view(count, windows, -1) @ sound.view(
            count, windows, -1
        ).transpose(1, 2)
        return cosines


def matching_loss(cosines: Tensor, gaps: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of each window over the sounds of its clip, and of each sound over windows.

    Returns the mean of both. cosines: (C, W, W), windows by sounds. gaps: (C, W, W) frames between
    the windows; pairs one frame apart are left out.
    """
    logits = (scale * cosines).masked_fill(gaps == 1, -1e4)
    target = torch.arange(cosines.shape[1], device=cosines.device).repeat(len(cosines))
    forth = functional.cross_entropy(logits.flatten(0, 1), target)
    back = functional.cross_entropy(logits.transpose(1, 2).flatten(0, 1), target)
    return 0.5 * (forth + back)


def pairs_loss(cosines: Tensor, *, step: int) -> Tensor:
    """Binary cross-entropy of the cosine as a probability (eq. 11), for true and false pairs.

    cosines: (C, W, W). Each window has one true pair and one false pair, some windows apart; the
    distance cycles with the step.
    """
    windows = cosines.shape[1]
    true = cosines.diagonal(dim1=1, dim2=2)
    false = cosines.roll(1 + step % (windows - 1), dims=2).diagonal(dim1=1, dim2=2)
    edge = 1e-6
    true, false = true.clamp(edge, 1 - edge), false.clamp(edge, 1 - edge)
    return -0.5 * (true.log().mean() + (1 - false).log().mean())


def lower_windows(faces: Tensor, count: int, random: torch.Generator | None = None) -> Tensor:
    """The expert's input, (B, 15, 48, 96): the first `count` windows among faces (F, 3, 96, 96).

    random: to give each window light, position and quality of its own.
    """
    lower = faces[: count * WINDOW, :, SIZE // 2 :]
    if random is not None:
        owners = torch.arange(count).repeat_interleave(WINDOW)
        lower = augmented(lower, owners.to(lower.device), random)
    return lower.reshape(count, -1, *lower.shape[2:])


def augmented(frames: Tensor, owners: Tensor, random: torch.Generator) -> Tensor:
    """Mouths with random light, position and quality, the same for all frames of a clip.

    frames: (F, 3, 48, 96) in [0, 1]; owners: (F,). Shifts by up to 4 pixels, scales brightness and
    colour, and blurs half and adds noise to half of the clips, so that the expert does not depend
    on single pixels.
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
    noise = torch.randn(frames.shape, generator=_there(random, frames.device), device=frames.device)
    frames = frames + sigma[owners][each] * noise
    shift = (8 * drawn(2)).long()  # (C, 2), 0..7 rows and columns
    padded = functional.pad(frames, (4, 4, 4, 4), mode="replicate")
    height, width = frames.shape[2:]
    moved = [
        padded[owners == clip, :, y : y + height, x : x + width]
        for clip, (y, x) in enumerate(shift.tolist())
    ]
    return torch.cat(moved).clamp(0.0, 1.0)


def _there(random: torch.Generator, device: torch.device) -> torch.Generator:
    """The random generator, or one on the device, for speed: a step needs millions of numbers."""
    if device.type == "cpu":
        return random
    return torch.Generator(device).manual_seed(random.initial_seed())


@torch.no_grad()
def sound_embeddings(
    expert: Expert, clip: FaceClip, kind: AudioKind, device: torch.device
) -> Tensor:
    """The expert's embedding of the sound of each window of a clip, (N, C), each of length 1."""
    spectrum = clip.features(kind)
    first = audio.first_columns(len(clip.faces()) - WINDOW + 1, spectrum.shape[1])
    heard = torch.from_numpy(audio.windows(spectrum, first)).to(device)
    return functional.normalize(expert.audio_encoder(heard).flatten(1).float(), dim=1)


@torch.no_grad()
def picture_embeddings(expert: Expert, clip: FaceClip, device: torch.device) -> Tensor:
    """The expert's embedding of the frames of each window of a clip, (N, C), each of length 1."""
    lower = torch.from_numpy(clip.faces()[:, SIZE // 2 :].copy()).to(device)
    frames = lower.permute(0, 3, 1, 2).float() / 255  # (T, 3, 48, 96)
    index = torch.arange(len(frames) - WINDOW + 1)[:, None] + torch.arange(WINDOW)
    seen = expert.face_encoder(frames[index.to(device)].flatten(1, 2))
    return functional.normalize(seen.flatten(1).float(), dim=1)


def validation(
    expert: Expert, clips: Sequence[FaceClip], kind: AudioKind, device: torch.device
) -> dict[str, float]:
    """By data set: the share of clips whose offset is found within one frame, and the lead.

    The lead is the mean cosine at offset 0 minus the mean over all other shifts up to 15 frames.
    """
    ready = folded(expert)
    rows: list[tuple[str, dict[str, float]]] = []
    for clip in clips:
        sound = sound_embeddings(ready, clip, kind, device)
        cosines = picture_embeddings(ready, clip, device) @ sound.T  # (N, N)
        reach = min(REACH, len(cosines) - 5)
        curve = torch.stack(
            [cosines.diagonal(shift).mean() for shift in range(-reach, reach + 1)]
        )  # (2 R + 1,)
        lead = float((curve[reach] - curve.mean()) * len(curve) / (len(curve) - 1))
        is_in_step = abs(int(curve.argmax()) - reach) <= 1
        rows.append((clip.dataset, {"in_step": float(is_in_step), "lead": lead}))
    return means_by_dataset(rows)


class Judge:
    """A trained expert, frozen, with its embeddings of every training clip's sound.

    expert: with batch normalisation folded. scale: its temperature, 0 for none. kind: of its
    features. state: its weights before folding.
    """

    def __init__(
        self,
        expert: Expert,
        scale: float,
        clips: Sequence[FaceClip],
        kind: AudioKind,
        device: torch.device,
        state: Mapping[str, Tensor],
    ) -> None:
        self.expert = expert.to(device)
        self.state = state
        self.scale = scale
        self.kind: AudioKind = kind
        self.sounds = [sound_embeddings(self.expert, clip, kind, device) for clip in clips]

    @classmethod
    def of(
        cls, path: Path, clips: Sequence[FaceClip], kind: AudioKind, device: torch.device
    ) -> Judge:
        """The expert in a file; raises BenchError if there is none, or one for other features."""
        expert, scale = load_expert(path, kind)
        return cls(expert, scale, clips, kind, device, read_state(path))

    def see(self, mouths: Tensor) -> Tensor:
        """Embeddings (B, C) of windows (B, 15, 48, 96) in [0, 1], from `mouth_windows`."""
        seen = self.expert.face_encoder(mouths.contiguous(memory_format=torch.channels_last))
        return functional.normalize(seen.flatten(1).float(), dim=1)

    def sync(self, seen: Tensor, clips: Tensor, starts: Tensor) -> Tensor:
        """The loss of speech against mouths: seen (B, C), clips and first frames (B,)."""
        sounds = [self.sounds[clip] for clip in clips.tolist()]
        return sync_loss(seen, sounds, starts.tolist(), self.scale)


def own_copy(expert: Path, job: TrainJob[Any]) -> Path:
    """Copies an expert's file, wherever it is, to the job's folder."""
    own = job.folder / "expert" / EXPERT
    if job.processes.is_first and not own.is_file():
        with in_one_move(own) as part:
            shutil.copyfile(expert, part)
    job.processes.wait()
    return own


def trained_expert(
    settings: ExpertSettings,
    kind: AudioKind,
    ready: Mapping[str, Sequence[FaceClip]],
    job: TrainJob[Any],
    *,
    folder: Path,
    cache: Path,
    is_wanted: bool = True,
) -> Path:
    """The weights of an expert with these settings: given, trained before, or trained now.

    ready: clips of `train` and `val`. folder: for its checkpoints and curves. Trainings with the
    same features, data and settings share an expert, kept in the cache. is_wanted: whether to train
    it if there is none; raises BenchError if not.
    """
    if settings.weights is not None:
        return settings.weights
    kept = cache / "experts" / f"{expert_key(settings, kind, ready)}.safetensors"
    if kept.is_file():
        job.log.info("sync expert (%s): trained before with these data and settings", kind)
        return kept
    if not is_wanted:
        raise BenchError(
            f"part: there is no sync expert for {kind} features with these data and settings yet; "
            "train the part `expert` first, or give settings.expert.weights"
        )
    job.log.info("sync expert (%s): %d steps", kind, settings.steps)
    learner = ExpertLearner(settings, kind, device=job.device, processes=job.processes)
    batches = MatchingBatches(
        ready["train"],
        kind,
        batch=settings.clips,
        windows=settings.windows,
        steps=settings.steps,
        seed=settings.seed,
    )
    if settings.paced:
        loop = training.Loop.of(settings, job, folder=folder)
        settings = paced(settings, loop, learner, batches, learner.advance)
        learner.settings, batches.steps = settings, settings.steps
    training.run(
        training.Loop.of(settings, job, folder=folder),
        learner,
        batches,
        learner.advance,
        validate=lambda _: validation(learner.expert, ready["val"], kind, learner.device),
        made_here=isinstance(ready["train"], FaceBank),
    )
    if job.processes.is_first:
        with in_one_move(kept) as part:
            shutil.copyfile(learner.save(folder / EXPERT), part)
    job.processes.wait()
    return kept


# The settings that always enter an expert's name in the cache, in this order. Settings that were
# added later enter only if they differ from their defaults, so that older experts are still found.
_NAMED_BY = (
    *("weights", "seed", "width", "loss", "steps", "clips", "windows", "learning_rate"),
    *("weight_decay", "schedule", "augmentation", "save_every"),
)


def expert_key(
    settings: ExpertSettings, kind: AudioKind, ready: Mapping[str, Sequence[FaceClip]]
) -> str:
    """The digest of everything that affects an expert: its name in the cache."""
    values = settings.model_dump(mode="json")
    usual = ExpertSettings().model_dump(mode="json")
    shaped_by = {name: values[name] for name in _NAMED_BY}
    shaped_by |= {name: value for name, value in values.items() if value != usual[name]}
    # With the parent folder, whose name holds detector and versions: other crops, other clips.
    names = [clip.folder.parts[-2:] for split in ("train", "val") for clip in ready[split]]
    text = json.dumps([[EXPERT_VERSION, kind, shaped_by], names])
    return hashlib.sha256(text.encode()).hexdigest()
