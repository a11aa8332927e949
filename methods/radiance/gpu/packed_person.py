"""A person's recording, packed small for transfer: faces as H.264, what is heard in 8 bits.

Reading needs only OpenCV, NumPy and the standard library: the machine that learns may have nothing
else.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.files.digests import file_sha256
from bench.ground.errors import BenchError
from bench.train.packed_clips import COARSEST, FINEST, LEAST_PSNR, LEVELS, PRESET, Packed, decoded
from methods.radiance.recording import Cameras, Recording

INDEX, FACES, ARRAYS = "person.json", "faces.mp4", "frames.npz"
FORM = 2  # version of a packed person; raise it when older code cannot read it


@dataclass(frozen=True)
class PackedPerson:
    """A person read from a pack. said, landmarks: as a person's file names clips and landmarks."""

    person: str
    said: str
    landmarks: str
    recording: Recording

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return int(self.recording.clip[-1]) + 1


def pack_person(person: PackedPerson, folder: Path, *, limit: int) -> Packed:
    """Writes a person into an empty folder, at most `limit` bytes.

    Faces are encoded at the best quality that fits. Raises BenchError if even the lowest quality
    does not fit, or if it has less than 30 dB.
    """
    from bench import media

    recording = person.recording
    heard = np.round((recording.heard + 1) * (LEVELS / 2)).clip(0, LEVELS).astype(np.uint8)
    np.savez_compressed(
        folder / ARRAYS,
        heard=heard,
        mouths=recording.mouths,
        opening=recording.opening,
        lids=recording.lids,
        clip=recording.clip,
        **asdict(recording.cameras),
    )
    room = limit - (folder / ARRAYS).stat().st_size - 64 * 1024
    for crf in range(FINEST, COARSEST + 1):
        media.write_video(folder / FACES, iter(recording.faces), crf=crf, preset=PRESET)
        if (folder / FACES).stat().st_size <= room:
            break
    else:
        raise BenchError(
            f"{folder}: {len(recording)} faces do not fit into {limit / 2**20:.0f} MiB even at the "
            "lowest quality; take fewer clips (`settings.options.clips`)"
        )
    errors = [
        np.square(face.astype(np.float32) - coded).mean()
        for face, coded in zip(recording.faces, decoded(folder / FACES), strict=True)
    ]
    psnr = 20 * np.log10(255) - 10 * float(np.mean(np.log10(np.maximum(errors, 1e-3))))
    if psnr < LEAST_PSNR:
        raise BenchError(f"{folder}: the faces have only {psnr:.1f} dB, but 30 are needed")
    files = {name: file_sha256(folder / name) for name in (FACES, ARRAYS)}
    told = {"person": person.person, "said": person.said, "landmarks": person.landmarks}
    index = {"form": FORM, **told, "files": files}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Packed(crf, size, psnr, len(recording))


def read_person(folder: Path) -> PackedPerson:
    """The person of a pack; raises BenchError if the folder is incomplete or damaged."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["form"] != FORM:
            raise BenchError(f"{folder / INDEX}: has form {index['form']}, expected {FORM}")
        for name in (FACES, ARRAYS):
            if file_sha256(folder / name) != index["files"][name]:
                raise BenchError(f"{folder / name}: is damaged; pack it again")
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        person, said, landmarks = (str(index[name]) for name in ("person", "said", "landmarks"))
        cameras = Cameras(*(found[name] for name in ("poses", "boxes", "optics")))
        recording = Recording(
            cameras,
            np.stack(list(decoded(folder / FACES))),
            found["mouths"],
            found["opening"],
            found["heard"].astype(np.float32) * np.float32(2 / LEVELS) - np.float32(1),
            found["lids"],
            found["clip"],
        )
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise BenchError(f"{folder}: is no packed person ({error}); pack it again") from error
    if len({len(recording.faces), *map(len, found.values())}) != 1:
        raise BenchError(f"{folder}: its arrays differ in length; pack it again")
    return PackedPerson(person, said, landmarks, recording)
