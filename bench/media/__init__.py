"""Reads and writes video, sound and image files through PyAV; no other module opens such files.

Frames: RGB uint8. The file's own tags decide the matrix and range of the conversion; an untagged
file is read as BT.601, as ffmpeg and OpenCV do. Files written here are BT.601, limited range, and
tagged so: readers that know the tags and readers that ignore them see the same colours. swscale
converts by its accurate path with full chroma interpolation: a flat colour comes back within 1 grey
level and without bias (the default fast path is 1.2 levels too dark on average, and off by up
to 4).

Time: a file's clock starts at its first frame (`bench.media.timing`), whether that decodes or not.
Sound that starts later is padded with silence in front, sound that starts earlier is cut there, so
sample 640 * k belongs to frame k at 25 fps.

Tracks: where there are several, the one that ffmpeg chooses. Formats: those that read no second
file (`bench.media.containers`).

Every function raises BenchError with file and reason where a file cannot be read.
"""

from bench.media.anonymous_copies import copy_anonymous, pad_alike
from bench.media.coded_frames import frames_digest
from bench.media.frames import (
    Decoded,
    Resampled,
    StoredFrames,
    count_frames,
    decode,
    iter_frames,
    pick_frames,
    read_frames,
    read_frames_at,
    read_image,
)
from bench.media.pixels import resize
from bench.media.probing import Probe, probe
from bench.media.sound import read_sound
from bench.media.traits import Traits, traits
from bench.media.writing import remux, replace_sound, write_video

__all__ = [
    "Decoded",
    "Probe",
    "Resampled",
    "StoredFrames",
    "Traits",
    "copy_anonymous",
    "count_frames",
    "decode",
    "frames_digest",
    "iter_frames",
    "pad_alike",
    "pick_frames",
    "probe",
    "read_frames",
    "read_frames_at",
    "read_image",
    "read_sound",
    "remux",
    "replace_sound",
    "resize",
    "traits",
    "write_video",
]
