"""A stand-in for AD-NeRF's extract_ds_features.py: NAME.npy for each NAME.wav of a folder."""

import argparse
import wave
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--input", required=True)
for path in sorted(Path(parser.parse_args().input).glob("*.wav")):
    with wave.open(str(path)) as file:
        frames = file.getnframes() // 640
    np.save(path.with_suffix(".npy"), np.zeros((frames, 16, 29), np.float32))
