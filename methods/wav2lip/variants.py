"""The family as a table: one model, eight settings, seven of them the paper's ablation.

Source: doi 10.11896/jsjkx.241200067, table 2. The paper does not give the features of CAT, SAT and
CSA; their names lack the leading M, so they get only the mel spectrogram. A variant's sync expert
uses the same features as its generator. LPIPS-AttnWav2Lip is of others, arXiv:2602.00189, and only
its abstract was to be had: what the abstract does not say is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.networks.audio import AudioKind

AttentionKind: TypeAlias = Literal["none", "channel", "spatial", "both", "residual"]
DEPTH = 7  # blocks of Wav2Lip's identity encoder
RESIDUAL_LAYERS = 3  # at most, of one of its blocks


@dataclass(frozen=True)
class Places:
    """Where a generator has attention.

    audio: after the speech encoder's 256-channel stage. encoder, decoder: after these blocks of the
    identity encoder and of the decoder, counted from 0 as they follow each other.
    """

    audio: bool = False
    encoder: tuple[int, ...] = ()
    decoder: tuple[int, ...] = ()


PAPER = Places(audio=True, encoder=(1, 4))  # section 3.1: the blocks of 32 and of 256 channels
EVERY = Places(encoder=(1, 2, 3, 4), decoder=(1, 2, 3, 4))  # all blocks that change the size


@dataclass(frozen=True)
class Variant:
    """One setting of the family.

    audio: speech features of generator and expert. attention, places: which attention the generator
    has, and where. audio_channel: whether the audio features are one more input channel of the
    generator (section 3.1.1 mentions it without details; off by default). instance_norm: whether
    the discriminator is normalised, as section 3.2.2 says of the paper's method. The ablation
    compares generators, so train its seven rows with the same setting. depth, residual_layers:
    blocks of the identity encoder, and the most residual layers of a block. alignment: whether the
    sound enters by semantic alignment only (`alignment`). recipe: its own small training config,
    empty for those that share one.
    """

    name: str
    title: str
    audio: AudioKind = "mel"
    attention: AttentionKind = "none"
    places: Places = PAPER
    audio_channel: bool = False
    instance_norm: bool = False
    depth: int = DEPTH
    residual_layers: int = RESIDUAL_LAYERS
    alignment: bool = False
    recipe: str = ""


ABLATION = (
    Variant("wav2lip", "Wav2Lip"),
    Variant("mfcc_wav2lip", "MFCC-Wav2Lip", audio="mfcc"),
    Variant("m_wav2lip", "M-Wav2Lip", audio="fused"),
    Variant("cat_wav2lip", "CAT-Wav2Lip", attention="channel"),
    Variant("sat_wav2lip", "SAT-Wav2Lip", attention="spatial"),
    Variant("csa_wav2lip", "CSA-Wav2Lip", attention="both"),
    Variant("m_csawav2lip", "M-CSAWav2Lip", audio="fused", attention="both", instance_norm=True),
)
LPIPS_ATTNWAV2LIP = Variant(
    "lpips_attnwav2lip",
    "LPIPS-AttnWav2Lip",
    attention="residual",
    places=EVERY,
    depth=5,  # down to 6x6
    residual_layers=1,
    alignment=True,
    recipe="lpips_attnwav2lip_small",
)
VARIANTS = (*ABLATION, LPIPS_ATTNWAV2LIP)
