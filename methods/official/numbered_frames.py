"""PC-AVS's input: folders of numbered frames, and a csv line of eight fields that names them.

Facts: data/voxtest_dataset.py and scripts/prepare_testing_files.py of
Hangz-nju-cuhk/Talking-Face_PC-AVS, which we have read, not copied.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import bench
from methods.wave_file import write_wave

SIZE = 224  # the program cuts rows and columns of a frame of this size
LEAD, TAIL = 2, 1  # frames that it leaves out at the begin and at the end of the sound


def write_frames_csv(job: bench.Job, folder: Path, shown: Callable[[Path], str]) -> str:
    """Writes frames, sound and csv to `folder`; returns the csv's path as `shown` gives it.

    The fields, with blanks between them: folder of the identity and its number of pictures, folder
    of the pose and its number of frames, sound, folder of the mouth and its number, spectrogram.
    The identity's folder holds one picture, the face's first frame: of several the program takes
    any, in the order in which the file system lists them. There is no mouth folder ("None"), as for
    a sound without a video; the program would need a frame there for each frame of the speech.

    The program makes frames 2 .. T - 2 of a sound of T frames (57 of 60). Two frames of silence in
    front and one behind, and the first pose twice more, let it make all T of them, each with its
    own sound and pose. The program scales a sound to one loudness: the silence makes the speech
    louder by the factor sqrt((T + 3) / T).

    Raises BenchError if the frames are not square, or if a path has a blank.
    """
    frames = job.face.read()
    height, width = frames.shape[1:3]
    if height != width:
        raise bench.BenchError(
            f"command: {{frames_csv}} is for square crops of an aligned face, and the face clip is "
            f"{width}x{height}; align and cut the clips first (scripts/align_68.py of PC-AVS)"
        )
    identity, pose = folder / "face", folder / "pose"
    identity.mkdir(parents=True)
    pose.mkdir()
    _write_jpeg(identity / "000000.jpg", frames[0])
    for index, frame in enumerate([frames[0]] * LEAD + list(frames)):
        _write_jpeg(pose / f"{index:06d}.jpg", frame)
    speech = folder / "speech.wav"
    padded = np.pad(job.speech, (LEAD * bench.SAMPLES_PER_FRAME, TAIL * bench.SAMPLES_PER_FRAME))
    write_wave(speech, padded)
    fields = (shown(identity), "1", shown(pose), str(LEAD + len(frames)), shown(speech))
    if any(len(field.split()) != 1 for field in fields):
        raise bench.BenchError(
            f"command: the list for PC-AVS separates its fields by blanks, and a path has one: "
            f"{shown(folder)!r}; set `relative: true`"
        )
    target = folder / "list.csv"
    target.write_text(" ".join((*fields, "None", "0", "None")) + "\n", encoding="utf-8")
    return shown(target)


def _write_jpeg(path: Path, frame: bench.Frame) -> None:
    import cv2

    if frame.shape[0] != SIZE:
        smaller = frame.shape[0] > SIZE
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        frame = np.asarray(cv2.resize(frame, (SIZE, SIZE), interpolation=way))
    settings = [cv2.IMWRITE_JPEG_QUALITY, 100]
    cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), settings)
