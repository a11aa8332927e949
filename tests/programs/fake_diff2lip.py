"""A stand-in for Diff2Lip's generate.py with a file list: names without .mp4, temp folder, output.

Like the original it prints errors and ends with exit code 0, deletes <sample_path>/temp, makes no
frame without a whole window of 16 mel columns, and none beyond the end of the video.
"""

import argparse
import shutil
import traceback
from pathlib import Path

import av

parser = argparse.ArgumentParser()
for name in ("--test_video_dir", "--filelist", "--model_path"):
    parser.add_argument(name, required=True)
parser.add_argument("--sample_path", default="d2l_gen")
parser.add_argument("--generate_from_filelist", type=int)
options, _ = parser.parse_known_args()


def generate(sound, video, target):
    temp = Path(options.sample_path) / "temp"
    temp.mkdir()
    with av.open(video) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(sound) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    if any(frame.std() < 5 for frame in frames):
        raise ValueError("Face not detected!")
    columns, windows = 1 + samples // 200, 0
    while int(80 * max(windows - 1, 0) / 25) + 16 <= columns:
        windows += 1
    shutil.rmtree(temp)
    with av.open(target, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        for frame in frames[:windows]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


Path(options.model_path).read_bytes()
Path(options.sample_path).mkdir(exist_ok=True)
for line in Path(options.filelist).read_text().splitlines():
    try:
        audio, video = line.strip().split()
        folder = Path(options.test_video_dir)
        made = f"{audio.replace('/', '.')}_{video.replace('/', '.')}.mp4"
        target = str(Path(options.sample_path) / made)
        generate(str(folder / f"{audio}.mp4"), str(folder / f"{video}.mp4"), target)
    except Exception as error:  # noqa: PERF203 (as the original)
        print("Error:", error)
        print(traceback.format_exc())
