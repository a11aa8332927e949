"""A stand-in for the official Wav2Lip program: the same command line, temp folder and output.

It "speaks" by darkening the mouth with the loudness of the sound. Like the original it has to start
in its checkout (which has a folder `temp`), writes temp/result.avi there without sound, and then
joins it with the sound to --outfile. FAKE_MODE makes it misbehave:
ok | fail | hang | silent | crash | garbage | elsewhere | spoil
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import av
import numpy as np

FPS = 25
SAMPLES = 640  # of sound in a frame's time


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lip-sync a face to a speech")
    parser.add_argument("--checkpoint_path", required=True)
    parser.add_argument("--face", required=True)
    parser.add_argument("--audio", required=True)
    parser.add_argument("--outfile", default="results/result_voice.mp4")
    parser.add_argument("--static", type=bool, default=False)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--pads", nargs="+", type=int, default=[0, 10, 0, 0])
    parser.add_argument("--face_det_batch_size", type=int, default=16)
    parser.add_argument("--wav2lip_batch_size", type=int, default=128)
    parser.add_argument("--resize_factor", type=int, default=1)
    parser.add_argument("--crop", nargs="+", type=int, default=[0, -1, 0, -1])
    parser.add_argument("--box", nargs="+", type=int, default=[-1, -1, -1, -1])
    parser.add_argument("--rotate", action="store_true")
    parser.add_argument("--nosmooth", action="store_true")
    return parser.parse_args()


def read_faces(path: str) -> list[np.ndarray]:
    # As in the original: a dot in a folder's name makes it take the wrong part for the extension.
    extension = path.split(".")[1]
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return frames[:1] if extension in ("jpg", "png", "jpeg") else frames


def read_speech(path: str) -> np.ndarray:
    with wave.open(path) as file:
        if file.getframerate() != 16000 or file.getnchannels() != 1:
            raise SystemExit("this stand-in reads mono sound at 16 kHz only")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def speak(face: np.ndarray, loudness: float) -> np.ndarray:
    spoken = face.copy()
    height, width = face.shape[:2]
    mouth = spoken[int(height * 0.6) : int(height * 0.8), int(width * 0.35) : int(width * 0.65)]
    mouth[:] = np.clip(mouth * (1 - loudness), 0, 255).astype(np.uint8)
    return spoken


def write_avi(path: Path, frames: list[np.ndarray], *, fps: float) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=int(fps))
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def join(picture: Path, speech: np.ndarray, target: Path) -> None:
    from bench import media

    frames = list(media.iter_frames(picture))
    media.write_video(target, frames, sound=speech[: len(frames) * SAMPLES])


def misbehave(mode: str, options: argparse.Namespace) -> None:
    if mode == "fail":
        raise ValueError("Face not detected! Ensure the video contains a face in all the frames.")
    if mode == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["FAKE_CHILD"]).write_text(str(child.pid))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # research code hangs in native code, too
        time.sleep(600)
    if mode == "silent":
        sys.exit(0)
    if mode == "garbage":
        Path(options.outfile).write_text("this is no video")
        sys.exit(0)
    if mode == "spoil":
        Path(options.checkpoint_path).write_bytes(b"spoilt")


def main() -> None:
    options = arguments()
    print(f"Using cpu for inference. {Path.cwd()}")
    mode = os.environ.get("FAKE_MODE", "ok")
    misbehave(mode, options)
    if not Path(options.face).is_file():
        raise ValueError("--face argument must be a valid path to video/image file")
    print(f"Load checkpoint from: {options.checkpoint_path}")
    weight = Path(options.checkpoint_path).read_bytes()[0] / 255
    faces, speech = read_faces(options.face), read_speech(options.audio)
    count = len(speech) // SAMPLES
    blocks = np.abs(speech[: count * SAMPLES].astype(float)).reshape(count, SAMPLES)  # (T, 640)
    loudness = weight * np.clip(blocks.mean(axis=1) / 8000, 0, 1)
    frames = [speak(faces[i % len(faces)], loudness[i]) for i in range(count)]
    write_avi(Path("temp/result.avi"), frames, fps=options.fps)
    target = Path("results/named_by_itself.mp4") if mode == "elsewhere" else Path(options.outfile)
    target.parent.mkdir(exist_ok=True)
    join(Path("temp/result.avi"), speech, target)


if __name__ == "__main__":
    main()
