"""A stand-in for PC-AVS's inference.py: its list, its frames by number, its results folder.

It reads a line of eight fields, frames {:06}.jpg from the pose folder forth and back, and any one
picture of the identity's folder. Like the original it makes the frames 2 .. M // 4 - 3 of a sound
of M mel columns. Each made frame is its pose frame, in its left half the identity: tests see both.
"""

import argparse
import wave
from pathlib import Path

import av

parser = argparse.ArgumentParser()
parser.add_argument("--meta_path_vox")
parser.add_argument("--driving_pose", action="store_true")
options, _ = parser.parse_known_args()


def load(path):
    with av.open(str(path)) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    if image.shape != (224, 224, 3):
        raise SystemExit(f"the crop of {image.shape} is not what the networks were trained on")
    return image


def loop(index, count):
    turn, place = divmod(index, count)
    return place if turn % 2 == 0 else count - 1 - place


for line in Path(options.meta_path_vox).read_text().splitlines():
    assert len(line.split()) == 8, line
    face, _, pose, count, sound, mouth, _, spectrogram = line.split()
    (picture,) = sorted(Path(face).glob("*.jpg"))
    assert not Path(mouth).is_dir()
    assert not Path(spectrogram).is_file()
    with wave.open(sound) as file:
        samples = file.getnframes()
    columns = (samples + 1120) // 160  # 247 of 60 frames
    identity = load(picture)
    name = f"id_{Path(face).name}_pose_{Path(pose).name}_audio_{Path(sound).name[:-4]}"
    folder = Path("results") / name
    folder.mkdir(parents=True)
    for each in ("G_Pose_Driven_.mp4", "avconcat.mp4"):
        with av.open(str(folder / each), "w") as container:
            stream = container.add_stream("mpeg4", rate=25, options={"qscale": "1"})
            stream.width = stream.height = 224
            for index in range(2, columns // 4 - 2):
                made = load(Path(pose) / f"{loop(index, int(count)):06d}.jpg")
                made[:, :112] = identity[:, :112]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(made, format="rgb24")))
            container.mux(stream.encode())
