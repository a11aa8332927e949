"""Diff2Lip's input: a folder of mp4 files, and a list of pairs of a sound and a video in it.

Facts: generate.py of soumik-kanad/diff2lip, which we have read, not copied.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

import bench
from methods.wave_file import write_wave

TAIL = 3  # frames of silence behind the sound, without which the program makes three frames less


def write_file_list(job: bench.Job, folder: Path, shown: Callable[[Path], str]) -> tuple[str, str]:
    """Writes `speech.mp4`, `face.mp4` and `list.txt`; returns `folder` and the list, as shown.

    A line has two names, sound then video, relative to the folder and without their extension: the
    program adds `.mp4` to both. The sound is a wave file under such a name: FFmpeg, with which the
    program reads it, goes by the content, and nothing is lost as in AAC.

    The program makes a frame for each window of 0.2 s of speech that is whole, and none beyond the
    end of the video: silence behind the speech makes the last windows whole, and a face clip that
    is shorter than the speech goes forth and back.

    Raises BenchError if a path has a blank: the program puts it into a shell's command unquoted.
    """
    if len(shown(folder).split()) != 1:
        raise bench.BenchError(
            "command: Diff2Lip passes paths to a shell without quotes, and this one has a blank: "
            f"{shown(folder)!r}; set `relative: true`"
        )
    folder.mkdir()
    write_wave(folder / "speech.mp4", np.pad(job.speech, (0, TAIL * bench.SAMPLES_PER_FRAME)))
    frames = job.face.read()
    if job.face.path is not None and len(frames) >= job.frames:
        shutil.copyfile(job.face.path, folder / "face.mp4")
    else:
        from bench import media

        order = np.pad(np.arange(len(frames)), (0, max(0, job.frames - len(frames))), "symmetric")
        media.write_video(folder / "face.mp4", (frames[index] for index in order))
    (folder / "list.txt").write_text("speech face\n", encoding="utf-8")
    return shown(folder), shown(folder / "list.txt")
