"""The paper's ablation as a table: one model, seven settings.

Source: doi 10.11896/jsjkx.241200067, table 2. The paper does not give the features of CAT, SAT and
CSA; their names lack the leading M, so they get only the mel spectrogram. A variant's sync expert
uses the same features as its generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.networks.audio import AudioKind

AttentionKind: TypeAlias = Literal["none", "channel", "spatial", "both"]


@dataclass(frozen=True)
class Variant:
    """One setting of the family.

    audio: speech features of generator and expert. attention: the generator's, at the paper's three
    places. audio_channel: whether the audio features are one more input channel of the generator
    (section 3.1.1 mentions it without details; off by default). instance_norm: whether the
    discriminator is normalised, as section 3.2.2 says of the paper's method. The ablation compares
    generators, so train its seven rows with the same setting.
    """

    name: str
    title: str
    audio: AudioKind = "mel"
    attention: AttentionKind = "none"
    audio_channel: bool = False
    instance_norm: bool = False


# LPIPS-AttnWav2Lip (residual attention in every block, LPIPS loss) would need one more line here
# and one more AttentionKind.
VARIANTS = (
    Variant("wav2lip", "Wav2Lip"),
    Variant("mfcc_wav2lip", "MFCC-Wav2Lip", audio="mfcc"),
    Variant("m_wav2lip", "M-Wav2Lip", audio="fused"),
    Variant("cat_wav2lip", "CAT-Wav2Lip", attention="channel"),
    Variant("sat_wav2lip", "SAT-Wav2Lip", attention="spatial"),
    Variant("csa_wav2lip", "CSA-Wav2Lip", attention="both"),
    Variant("m_csawav2lip", "M-CSAWav2Lip", audio="fused", attention="both", instance_norm=True),
)
