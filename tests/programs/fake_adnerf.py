"""A stand-in for AD-NeRF's run_nerf.py: a person's config, features as npy, result.avi in its log.

The original renders one frame for each window of features, and only as many as it has poses.
"""

import argparse
from pathlib import Path

import av
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--aud_file", required=True)
parser.add_argument("--test_size", type=int)
options = parser.parse_args()
poses = int(Path(options.config).read_text())  # in place of the person's poses
features = np.load(options.aud_file)
assert features.shape[1:] == (16, 29)
person = Path(options.config).parent
folder = person / "logs" / f"{person.name}_com" / "test_aud_rst"
folder.mkdir(parents=True, exist_ok=True)
with av.open(str(folder / "result.avi"), "w") as container:
    stream = container.add_stream("mjpeg", rate=25)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p"
    for index in range(min(poses, len(features))):
        frame = np.full((64, 64, 3), 40 + index, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
    container.mux(stream.encode())
