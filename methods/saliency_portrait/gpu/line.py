"""Learns the region-saliency portrait of a pack's person, in its own process.

`python -m methods.saliency_portrait.gpu.line PACK FOLDER saliency_portrait DEVICE`, as
`methods.wav2lip.gpu.line`.
"""

from __future__ import annotations

from methods.radiance.gpu.line import person_line
from methods.saliency_portrait.method import RegionSaliency
from methods.wav2lip.gpu.line import command

if __name__ == "__main__":
    command({RegionSaliency.name: person_line(RegionSaliency)})
