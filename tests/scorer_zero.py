"""Where the zero is: a rendered clip, in step by construction, through the codecs in use.

For each container, by how many milliseconds its sound is read later than its frames, and the
offsets that a shipped scorer finds. `python -m tests.scorer_zero [CLIPS [SCORER]]` prints a table.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.audio.stream
import av.video.stream
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, resample_poly

from bench import media
from bench.data import synth
from bench.data.manifest import read_manifest
from bench.features.faces import given_track
from bench.ground.types import SAMPLE_RATE, SAMPLES_PER_FRAME, Frames, Sound
from metrics.lse import core, sync_small
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.evaluation import fine_offset


@dataclass(frozen=True)
class Form:
    """A container with its codecs: of frames, with so many B-frames; of sound, at a rate."""

    ending: str
    frames: str
    b_frames: int
    sound: str
    rate: int


FORMS = {
    "mp4: H.264, AAC 16 kHz": Form("mp4", "libx264", 0, "aac", 16_000),
    "mp4: H.264 with B-frames, AAC 44.1 kHz": Form("mp4", "libx264", 2, "aac", 44_100),
    "mp4: H.264, MP3 44.1 kHz": Form("mp4", "libx264", 2, "libmp3lame", 44_100),
    "mov: MPEG-4, PCM": Form("mov", "mpeg4", 0, "pcm_s16le", 44_100),
    "mpg: MPEG-1, MP2 44.1 kHz (as GRID)": Form("mpg", "mpeg1video", 2, "mp2", 44_100),
    "mkv: H.264 with B-frames, AAC 48 kHz": Form("mkv", "libx264", 2, "aac", 48_000),
    "mkv: H.264, MP3 44.1 kHz": Form("mkv", "libx264", 0, "libmp3lame", 44_100),
    "webm: VP9, Opus 48 kHz": Form("webm", "libvpx-vp9", 0, "libopus", 48_000),
    "avi: MPEG-4, PCM": Form("avi", "mpeg4", 0, "pcm_s16le", 16_000),
    "avi: MPEG-4, MP3 44.1 kHz": Form("avi", "mpeg4", 0, "libmp3lame", 44_100),
    "ts: H.264, AAC 44.1 kHz": Form("ts", "libx264", 2, "aac", 44_100),
    "flv: H.264, AAC 44.1 kHz": Form("flv", "libx264", 0, "aac", 44_100),
    "flv: Sorenson, MP3 44.1 kHz (as CREMA-D)": Form("flv", "flv", 0, "libmp3lame", 44_100),
}


def write(path: Path, frames: Frames, sound: Sound, form: Form) -> Path:
    """Writes frames (T, H, W, 3) at 25 fps and sound (S,) at 16 kHz, both from time 0."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream(form.frames, rate=25)
        assert isinstance(picture, av.video.stream.VideoStream)
        picture.height, picture.width = frames.shape[1:3]
        picture.pix_fmt = "yuv420p"
        picture.codec_context.max_b_frames = form.b_frames
        picture.bit_rate = 2_000_000
        speech = container.add_stream(form.sound, rate=form.rate)
        assert isinstance(speech, av.audio.stream.AudioStream)
        speech.codec_context.layout = "mono"
        for number, frame in enumerate(frames):
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24")
            shown.pts, shown.time_base = number, Fraction(1, 25)
            container.mux(picture.encode(shown))
        container.mux(picture.encode(None))
        at_rate = resample_poly(sound.astype(np.float64), form.rate, SAMPLE_RATE)
        samples = np.clip(np.round(at_rate), -32768, 32767).astype(np.int16)
        heard = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = form.rate, 0, Fraction(1, form.rate)
        container.mux(speech.encode(heard))
        container.mux(speech.encode(None))
    return path


def sound_late(original: Sound, read: Sound) -> float:
    """By how many milliseconds a read sound is later than the original, to a tenth of a sample."""
    count = min(len(original), len(read))
    one, other = original[:count].astype(np.float64), read[:count].astype(np.float64)
    matches = fftconvolve(other, one[::-1])
    best = int(matches.argmax())
    before, most, after = matches[best - 1 : best + 2]
    fine = 0.5 * (before - after) / (before - 2 * most + after)
    return float((best + fine - (count - 1)) / SAMPLE_RATE * 1000)


def frames_late(original: Frames, read: Frames) -> int:
    """By how many frames read frames are later: the shift with the least mean difference."""
    small, found = _small(original), _small(read)

    def difference(shift: int) -> float:
        one = small[max(0, -shift) :][: len(found) - max(0, shift)]
        other = found[max(0, shift) :][: len(one)]
        return float(np.abs(one[: len(other)] - other).mean())

    return min(range(-5, 6), key=difference)


def _small(frames: Frames) -> NDArray[np.float64]:
    return frames[:, ::4, ::4].astype(np.float64)


def main() -> None:
    """Prints a row for each form."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    name = sys.argv[2] if len(sys.argv) > 2 else "sync_small"
    scorer = sync_small.load("cpu", weights=sync_small.SHIPPED[name])
    clips = read_manifest(synth.build("synth-en", "test"))[:wanted]
    sys.stdout.write(
        "| form | frames late | sound late, ms | offset (median) |\n|---|---|---|---|\n"
    )
    for name, form in FORMS.items():
        frames_by, sound_by, offsets = [], [], []
        for clip in clips:
            frames, sound = media.read_frames(clip.video), media.read_sound(clip.video)
            assert sound is not None
            assert clip.box is not None
            with tempfile.TemporaryDirectory() as folder:
                path = write(Path(folder) / f"clip.{form.ending}", frames, sound, form)
                read, _ = media.read_frames_at(path)
                heard = media.read_sound(path)
            assert heard is not None
            frames_by.append(frames_late(frames, read))
            sound_by.append(sound_late(sound, heard))
            crops = tracked(read, given_track(clip.box, len(read)))
            offsets.append(fine_offset(core.score(crops, heard, scorer)))
        frame_ms = 1000 * SAMPLES_PER_FRAME / SAMPLE_RATE
        late = np.median(sound_by) - frame_ms * np.median(frames_by)
        sys.stdout.write(
            f"| {name} | {np.median(frames_by):.0f} | {late:+.1f} | {np.median(offsets):+.2f} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
