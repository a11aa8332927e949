"""A stand-in for ATVGnet's code/demo.py: its command line, working folder, temp folder and output.

It has to start in code/. Like the original it wipes ../temp, leaves the face's landmarks in
../image, makes int(M / 4) - 6 frames of M MFCC rows of the padded sound, 128x128, and writes
NAME.mp4 without sound, then NAME.mov. Without a face its crop is None, which it unpacks.
"""

import argparse
import shutil
import wave
from pathlib import Path

import av
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("-i", "--in_file")
parser.add_argument("-p", "--person")
parser.add_argument("-s", "--save_name", default="results")
for name in ("--device_ids", "--vg_model", "--at_model", "--sample_dir"):
    parser.add_argument(name)
config = parser.parse_args()


def crop_image(path):
    with av.open(path) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    if image.std() > 5:  # no face in a plain picture
        return image[:128, :128], np.zeros((68, 2))
    return None


shutil.rmtree("../temp", ignore_errors=True)
Path("../temp").mkdir()
for path in (config.vg_model, config.at_model):
    Path(path).read_bytes()
roi, landmarks = crop_image(config.person)
np.save(Path("../image") / Path(config.person).name.replace("jpg", "npy"), landmarks)
with wave.open(config.in_file) as file:
    assert file.getframerate() == 16000
    samples = file.getnframes() + 2 * 1920
rows = 1 + int(np.ceil((samples - 400) / 160))
target = Path(config.sample_dir) / f"{config.save_name}.mp4"
with av.open(str(target), "w") as container:
    stream = container.add_stream("mpeg4", rate=25)
    stream.width = stream.height = 128
    shown = np.zeros((128, 128, 3), np.uint8)
    shown[: roi.shape[0], : roi.shape[1]] = roi
    for _ in range(rows // 4 - 6):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
    container.mux(stream.encode())
shutil.copy(target, target.with_suffix(".mov"))
