"""The crowd: speakers to train on who differ more than those of the other splits.

Wider in skin, age, beard, glasses, light, camera, distance, pose of the head, shape of mouth and
face, voice, room, and coding. What a mouth does and when it does it stays the renderer's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.data.synth.identity import (
    Colour,
    Filming,
    Identity,
    Look,
    Manner,
    Voice,
    identity,
    lip_on,
)

FIRST_STRANGER = 1001  # their numbers among the men or women of a corpus

# From the darkest skin to the lightest; every mixture of neighbours occurs.
_SKINS = (
    (62, 40, 30),
    (92, 60, 44),
    (124, 82, 58),
    (160, 112, 82),
    (194, 146, 112),
    (216, 172, 140),
    (232, 192, 168),
    (244, 214, 198),
)
_HAIRS = ((20, 18, 18), (40, 30, 26), (74, 50, 34), (120, 84, 50), (176, 140, 92), (120, 58, 32))
_GREY = (138.0, 136.0, 134.0)


def stranger(language: str, *, woman: bool, number: int, seed: int) -> Identity:
    """The speaker with this number among the men or women of a corpus's crowd."""
    usual = identity(language, woman=woman, number=number, seed=seed)
    rng = np.random.default_rng([seed, 71, int(language == "en"), int(woman), number])
    return Identity(
        usual.name,
        _look(usual.look, rng),
        _voice(usual.voice, rng),
        _manner(usual.manner, rng),
        Filming(
            yaw=float(np.clip(rng.normal(0.0, 0.16), -0.4, 0.4)),
            pitch=float(np.clip(rng.normal(0.0, 0.08), -0.2, 0.2)),
            roll=float(np.clip(rng.normal(0.0, 0.06), -0.15, 0.15)),
            crf=int(rng.integers(14, 36)),
        ),
    )


def _look(usual: Look, rng: np.random.Generator) -> Look:
    def times(value: float, spread: float) -> float:
        return float(value * np.exp(rng.uniform(-spread, spread)))

    def mixed(colours: tuple[tuple[int, int, int], ...], jitter: float) -> Colour:
        place = rng.uniform(0, len(colours) - 1)
        low = min(int(place), len(colours) - 2)
        pure = np.array(colours[low]) * (1 - place + low) + np.array(colours[low + 1]) * (
            place - low
        )
        red, green, blue = np.clip(pure + rng.normal(0, jitter, 3), 6, 250).tolist()
        return float(red), float(green), float(blue)

    skin = mixed(_SKINS, 4.0)
    age = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.45 else 0.0
    dark = float(np.mean(skin)) < 150.0
    hair = _GREY if rng.random() < 0.7 * age else mixed(_HAIRS[:2] if dark else _HAIRS, 4.0)
    bearded = not usual.woman and rng.random() < 0.4
    stubble = 0.0 if usual.woman else float(rng.uniform(0.0, 0.5))
    return replace(
        usual,
        age=age,
        skin=skin,
        redness=float(rng.uniform(0.0, 1.2)),
        hair=hair,
        brow=(hair[0] * 0.75, hair[1] * 0.72, hair[2] * 0.7),
        lip=lip_on(skin, _tinted(usual.lip, rng)),
        lip_gloss=float(rng.uniform(0.0, 0.9)),
        mouth_width=times(usual.mouth_width, 0.15),
        upper_lip=times(usual.upper_lip, 0.4),
        lower_lip=times(usual.lower_lip, 0.35),
        mouth_corner=float(rng.uniform(-0.045, 0.01)),
        mouth_tilt=float(rng.normal(0.0, 0.012)),
        teeth=mixed(((206, 186, 150), (230, 220, 204), (244, 242, 236)), 4.0),
        teeth_length=float(rng.uniform(0.5, 1.4)),
        nose_width=times(usual.nose_width, 0.2),
        nose_length=times(usual.nose_length, 0.05),
        nose_depth=times(usual.nose_depth, 0.25),
        face_length=times(usual.face_length, 0.07),
        jaw_width=times(usual.jaw_width, 0.12),
        cheek_width=times(usual.cheek_width, 0.05),
        beard=float(rng.uniform(0.55, 1.0)) if bearded else stubble,
        moustache=float(bearded and rng.random() < 0.6),
        glasses=int(rng.choice([0, 0, 1, 2])),
        freckles=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.2 else 0.0,
        light_x=float(rng.uniform(-1.2, 1.2)),
        light_y=float(rng.uniform(-1.0, 0.3)),
        contrast=float(rng.uniform(0.1, 1.0)),
        warmth=float(rng.normal(0.0, 1.3)),
        size=float(np.exp(rng.uniform(np.log(0.55), np.log(1.25)))),
        blur=float(rng.uniform(0.0, 1.5)),
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(8.0)))),
        saturation=float(rng.uniform(0.4, 1.3)),
    )


def _tinted(lip: Colour, rng: np.random.Generator) -> Colour:
    """Another colour of lips, between pale and painted."""
    red, green, blue = (np.array(lip) * np.exp(rng.normal(0.0, [0.06, 0.15, 0.12]))).tolist()
    return min(red, 235.0), min(green, 200.0), min(blue, 200.0)


def _voice(usual: Voice, rng: np.random.Generator) -> Voice:
    return replace(
        usual,
        pitch=int(np.clip(usual.pitch + rng.integers(-18, 19), 5, 95)),
        pitch_range=int(rng.integers(20, 90)),
        rate=int(rng.integers(135, 205)),
        source_rate=int(np.clip(usual.source_rate + rng.integers(-5, 6) * 400, 18_400, 25_200)),
        tilt=float(rng.uniform(-10.0, 6.0)),
        bump_db=float(rng.uniform(-8.0, 8.0)),
        reverb=float(rng.uniform(0.0, 0.4)),
        reverb_seconds=float(rng.uniform(0.1, 0.8)),
        noise_db=float(rng.uniform(10.0, 50.0)),
        level_db=float(rng.uniform(-36.0, -14.0)),
        top_hz=float(rng.choice([3000.0, 3800.0, 5500.0, 7600.0, 7600.0])),
    )


def _manner(usual: Manner, rng: np.random.Generator) -> Manner:
    return replace(
        usual,
        articulation=float(rng.uniform(0.65, 1.35)),
        spread=float(rng.uniform(0.5, 1.5)),
        rest_open=float(rng.choice([0.0, 0.0, 0.1, 0.2])),
        head_motion=float(rng.uniform(0.2, 2.0)),
    )
