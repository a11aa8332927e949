"""Preprocessed clips, packed small for transfer: faces as H.264, speech as 8-bit mel columns.

Reading needs only OpenCV, NumPy and the standard library: the machine that trains may have nothing
else. The cepstra are computed again from the mel spectrogram.
"""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.files.digests import file_sha256
from bench.ground.errors import BenchError
from bench.networks.audio import LIMIT, MELS, cepstra
from bench.networks.face_crops import SIZE
from bench.train.face_clips import FaceClip

INDEX = "clips.json"
FORM = 1  # version of a packed folder; raise it when older code cannot read it
LEVELS = 255
SPLITS = ("train", "val")
FINEST, COARSEST = 8, 34  # range of x264's constant rate factor
SAMPLED = 20  # clips from which the size at a rate factor is estimated
PRESET = "medium"
LEAST_PSNR = 30.0  # dB; below, the crops no longer show mouth shapes


@dataclass(frozen=True)
class PackedClip(FaceClip):
    """A clip read from a pack, with its arrays in memory."""

    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict, repr=False)

    def array(self, name: str) -> NDArray[np.generic]:
        """One of its arrays."""
        return self.arrays[name]


@dataclass(frozen=True)
class Packed:
    """A finished pack. bytes: of all files. psnr: mean over the frames of val, dB."""

    crf: int
    bytes: int
    psnr: float
    frames: int


def pack_clips(ready: Mapping[str, Sequence[FaceClip]], folder: Path, *, limit: int) -> Packed:
    """Writes the clips of `train` and `val` into an empty folder, at most `limit` bytes.

    Faces are encoded at the best quality that fits. Raises BenchError if even the lowest quality
    does not fit, or if it has less than 30 dB.
    """
    from bench import media

    described = {
        split: [
            {**_named(clip), "frames": len(clip.faces()), "columns": clip.features("mel").shape[1]}
            for clip in ready[split]
        ]
        for split in SPLITS
    }
    for split in SPLITS:
        (folder / f"{split}.mel.xz").write_bytes(_coded_mels(ready[split]))
    heard = sum((folder / f"{split}.mel.xz").stat().st_size for split in SPLITS)
    room = limit - heard - 300 * sum(map(len, ready.values())) - 4096  # the index beside them
    everything = [clip for split in SPLITS for clip in ready[split]]
    crf = _finest(everything, folder / "sample.mp4", room)
    while True:
        for split in SPLITS:
            media.write_video(
                folder / f"{split}.mp4", _frames(ready[split]), crf=crf, preset=PRESET
            )
        if sum((folder / f"{split}.mp4").stat().st_size for split in SPLITS) <= room:
            break
        crf = _coarser(crf)
    psnr = float(np.mean(list(_psnrs(ready["val"], folder / "val.mp4"))))
    if psnr < LEAST_PSNR:
        raise BenchError(
            f"{folder}: in {limit / 2**20:.0f} MiB the crops have only {psnr:.1f} dB, but 30 are "
            "needed. Take fewer clips (`clips:` of the config's data)."
        )
    names = [f"{split}.{end}" for split in SPLITS for end in ("mp4", "mel.xz")]
    files = {name: file_sha256(folder / name) for name in names}
    index = {"form": FORM, "crf": crf, "psnr": psnr, "files": files, "splits": described}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Packed(crf, size, psnr, sum(len(clip.faces()) for clip in everything))


def read_packed(folder: Path) -> dict[str, list[PackedClip]]:
    """The clips of `train` and `val`; raises BenchError if the folder is incomplete or damaged."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["form"] != FORM:
            raise BenchError(f"{folder / INDEX}: has form {index['form']}, expected {FORM}")
        for split in SPLITS:
            for name in (f"{split}.mp4", f"{split}.mel.xz"):
                if file_sha256(folder / name) != index["files"][name]:
                    raise BenchError(f"{folder / name}: is damaged; pack it again")
        return {split: _read(folder, split, index["splits"][split]) for split in SPLITS}
    except (OSError, ValueError, LookupError, TypeError, lzma.LZMAError) as error:
        raise BenchError(
            f"{folder}: is no folder of packed clips ({error}); pack it again"
        ) from error


def _read(folder: Path, split: str, described: Sequence[Mapping[str, object]]) -> list[PackedClip]:
    lengths = [int(str(each["frames"])) for each in described]
    columns = [int(str(each["columns"])) for each in described]
    faces = np.empty((sum(lengths), SIZE, SIZE, 3), np.uint8)
    count = 0
    for frame in decoded(folder / f"{split}.mp4"):
        faces[count] = frame
        count += 1
    if count != len(faces):
        raise BenchError(f"{folder / split}.mp4: has {count} frames, expected {len(faces)}")
    steps = np.frombuffer(lzma.decompress((folder / f"{split}.mel.xz").read_bytes()), np.uint8)
    levels = steps.reshape(MELS, sum(columns)).cumsum(axis=1, dtype=np.uint8)
    mels = (levels * np.float32(2 * LIMIT / LEVELS) - np.float32(LIMIT)).astype(np.float32)
    clips = []
    at = column = 0
    for each, length, wide in zip(described, lengths, columns, strict=True):
        mel = mels[:, column : column + wide]
        arrays: dict[str, NDArray[np.generic]] = {
            "faces": faces[at : at + length],
            "features": np.concatenate([mel, cepstra(mel)]),
        }
        identity, speaker, dataset = (str(each[name]) for name in ("id", "speaker", "dataset"))
        clips.append(PackedClip(identity, speaker, dataset, folder, arrays))
        at, column = at + length, column + wide
    return clips


def _named(clip: FaceClip) -> dict[str, str]:
    return {"id": clip.id, "speaker": clip.speaker, "dataset": clip.dataset}


def _frames(clips: Sequence[FaceClip]) -> Iterator[NDArray[np.uint8]]:
    for clip in clips:
        yield from clip.faces()


def _coded_mels(clips: Sequence[FaceClip]) -> bytes:
    """All mel spectrograms side by side, (80, M), each level as the difference from the last."""
    mel = np.concatenate([clip.features("mel") for clip in clips], axis=1)
    levels = np.round((mel + LIMIT) * (LEVELS / (2 * LIMIT))).astype(np.uint8)
    steps = np.diff(
        levels, axis=1, prepend=np.uint8(0)
    )  # modulo 256; the reader sums them modulo 256
    return lzma.compress(np.ascontiguousarray(steps).tobytes())


def _finest(clips: Sequence[FaceClip], path: Path, room: int) -> int:
    """The lowest rate factor at which all clips should fit."""
    from bench import media

    sample = clips[:: math.ceil(len(clips) / SAMPLED)]
    share = sum(len(clip.faces()) for clip in sample) / sum(len(clip.faces()) for clip in clips)
    crf = FINEST
    while True:
        media.write_video(path, _frames(sample), crf=crf, preset=PRESET)
        size = path.stat().st_size
        path.unlink()
        if size <= room * share:
            return crf
        crf = _coarser(crf)


def _coarser(crf: int) -> int:
    if crf == COARSEST:
        raise BenchError(
            "the clips do not fit even at the lowest quality; take fewer (`clips:` of the config's "
            "data)"
        )
    return crf + 1


def decoded(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video, RGB, by OpenCV."""
    import cv2

    video = cv2.VideoCapture(str(path))
    try:
        while True:
            is_there, frame = video.read()
            if not is_there:
                return
            yield np.asarray(frame[:, :, ::-1], np.uint8)
    finally:
        video.release()


def _psnrs(clips: Sequence[FaceClip], path: Path) -> Iterator[float]:
    for frame, coded in zip(_frames(clips), decoded(path), strict=True):
        error = np.square(frame.astype(np.float32) - coded).mean()
        yield 20 * math.log10(255) - 10 * math.log10(max(float(error), 1e-3))
