"""Learns AD-NeRF's person of a pack, in its own process.

`python -m methods.adnerf.gpu.line PACK FOLDER ad_nerf DEVICE`, as `methods.wav2lip.gpu.line`.
"""

from __future__ import annotations

from methods.adnerf.method import ADNeRF
from methods.radiance.gpu.line import person_line
from methods.wav2lip.gpu.line import command

if __name__ == "__main__":
    command({ADNeRF.name: person_line(ADNeRF)})
