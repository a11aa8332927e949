"""The speakers of the embedded corpora: look, voice and manner, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]  # sRGB, each in [0, 255]


@dataclass(frozen=True)
class Look:
    """What the portrait painter needs; lengths are in units of half the face width."""

    woman: bool
    skin: Colour
    redness: float  # of cheeks, nose and ears, 0..1
    hair: Colour
    hair_style: str  # one of HAIR_MEN, HAIR_WOMEN
    hairline: float  # y of the hairline at the middle
    parting: float  # x of the parting
    hair_volume: float
    hair_wave: float
    brow: Colour
    brow_height: float
    brow_thickness: float
    brow_arch: float
    eye: Colour
    eye_distance: float
    eye_width: float
    eye_opening: float
    eye_tilt: float
    lash: float
    nose_width: float
    nose_length: float
    nose_depth: float
    face_length: float
    jaw_width: float
    cheek_width: float
    lip: Colour
    lip_gloss: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    mouth_corner: float  # y of the corners: below 0 they point up
    mouth_tilt: float
    teeth: Colour
    teeth_length: float
    beard: float  # 0 none, up to 0.5 stubble, above that a full beard
    moustache: float
    glasses: int  # 0 none, 1 thin round, 2 dark frame
    freckles: float
    cloth: str  # one of CLOTHES
    cloth_colour: Colour
    shirt_colour: Colour
    tie_colour: Colour
    light_x: float  # place of the key light, -1 left .. 1 right
    light_y: float
    contrast: float  # of key to fill light, 0..1
    warmth: float
    background: int
    background_colour: Colour
    size: float  # face scale in the frame
    blur: float  # of the camera, sigma in pixels
    noise: float  # of the camera, grey levels
    saturation: float
    age: float = 0.0  # lines of the face, 0 none, 1 deep


@dataclass(frozen=True)
class Voice:
    """What the speech synthesiser needs; rates are espeak's words per minute."""

    variant: str  # an espeak voice variant
    pitch: int  # espeak pitch, 0..99
    pitch_range: int
    rate: int
    source_rate: int  # at which espeak's 22050 Hz samples are read: shifts all formants
    tilt: float  # spectral tilt, dB at 4 kHz
    bump_hz: float
    bump_db: float
    reverb: float
    reverb_seconds: float
    noise_db: float  # by which room noise is below the speech
    level_db: float  # RMS of the speech, dBFS
    top_hz: float  # band limit


@dataclass(frozen=True)
class Manner:
    """How a person moves."""

    articulation: float
    spread: float
    rest_open: float
    head_motion: float
    blink_seconds: float
    brow_motion: float


@dataclass(frozen=True)
class Filming:
    """How a person is filmed.

    yaw, pitch, roll: radians by which the head is turned on average. crf: of the file's H.264.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    crf: int = 12


@dataclass(frozen=True)
class Identity:
    """One speaker: a name such as "zh-m01", a look, a voice, a manner, and how he is filmed."""

    name: str
    look: Look
    voice: Voice
    manner: Manner
    filming: Filming = Filming()


HAIR_MEN = ("crop", "parted", "swept", "buzz", "receding", "tousled")
HAIR_WOMEN = ("bob", "long", "tied", "fringe", "parted_long")
CLOTHES = ("suit", "blouse", "sweater", "round_neck")

_SKIN = {
    "zh": ((238, 204, 180), (230, 192, 164), (221, 180, 150), (209, 164, 132), (194, 148, 116)),
    "en": (
        (241, 208, 190),
        (232, 190, 166),
        (216, 170, 140),
        (186, 134, 100),
        (146, 98, 70),
        (110, 72, 52),
    ),
}
_HAIR = {
    "zh": ((24, 20, 20), (34, 27, 25), (46, 35, 30), (62, 44, 34)),
    "en": (
        (28, 22, 20),
        (62, 42, 30),
        (96, 64, 40),
        (150, 108, 64),
        (188, 150, 98),
        (122, 60, 34),
    ),
}
_GREY = (118.0, 116.0, 114.0)
_EYE = {
    "zh": ((52, 33, 22), (66, 42, 26), (40, 26, 20)),
    "en": ((66, 44, 28), (92, 66, 40), (84, 104, 124), (98, 116, 84), (70, 96, 128)),
}
_LIP_MEN = ((176, 106, 96), (168, 98, 88), (186, 116, 104))
_LIP_WOMEN = ((188, 84, 88), (172, 58, 70), (200, 98, 92), (196, 110, 106), (160, 52, 60))
_CLOTH = (
    (38, 42, 56),
    (60, 62, 68),
    (28, 30, 34),
    (112, 38, 44),
    (46, 84, 96),
    (150, 146, 138),
    (88, 70, 110),
    (196, 172, 140),
    (60, 96, 70),
    (208, 206, 204),
    (176, 96, 104),
    (70, 96, 140),
)
_SUIT = (
    (38, 42, 56),
    (60, 62, 68),
    (28, 30, 34),
    (46, 56, 84),
    (70, 62, 58),
    (96, 100, 108),
    (58, 34, 42),
)
_SHIRT = ((236, 238, 242), (206, 220, 236), (240, 232, 220), (226, 208, 214))
_TIE = ((120, 30, 38), (36, 52, 96), (70, 76, 84), (44, 88, 76), (142, 96, 40))
_BACKGROUND = (
    (52, 86, 132),
    (96, 112, 128),
    (126, 110, 96),
    (44, 58, 78),
    (148, 158, 166),
    (112, 76, 70),
    (74, 104, 96),
    (182, 174, 162),
    (66, 60, 92),
)


def identity(language: str, *, woman: bool, number: int, seed: int) -> Identity:
    """The speaker with this number among the men or women of a corpus ("zh" or "en")."""
    name = f"{language}-{'f' if woman else 'm'}{number:02d}"
    rng = np.random.default_rng([seed, 11, int(language == "en"), int(woman), number])
    return Identity(name, _look(language, woman, number, rng), _voice(woman, rng), _manner(rng))


def _look(language: str, woman: bool, number: int, rng: np.random.Generator) -> Look:
    def near(value: float, spread: float) -> float:
        return float(value * (1.0 + np.clip(rng.normal(0.0, spread), -2.2 * spread, 2.2 * spread)))

    def one(options: tuple[Colour, ...], jitter: float = 5.0) -> Colour:
        colour = options[int(rng.integers(len(options)))]
        red, green, blue = np.clip(np.array(colour) + rng.normal(0, jitter, 3), 6, 250).tolist()
        return float(red), float(green), float(blue)

    zh = language == "zh"
    skins = _SKIN[language]
    skin = one((skins[number % len(skins)],), 3.0)
    # dark skin comes with dark hair and eyes; a tenth of all have grey hair
    is_dark = np.mean(skin) < 150.0
    hairs = _HAIR[language][:2] if is_dark else _HAIR[language]
    hair = one((_GREY,) if rng.random() < 0.1 else hairs, 3.0)
    eyes = _EYE[language][:1] if is_dark else _EYE[language]
    lip = lip_on(skin, one(_LIP_WOMEN if woman else _LIP_MEN))
    styles = HAIR_WOMEN if woman else HAIR_MEN
    grey = max(hair) - min(hair) < 14 and hair[0] > 80
    bearded = (not woman) and rng.random() < (0.12 if zh else 0.35)
    glasses = rng.random()
    cloth = "suit" if rng.random() < (0.6 if not woman else 0.35) else CLOTHES[rng.integers(1, 4)]
    return Look(
        woman=woman,
        skin=skin,
        redness=float(rng.uniform(0.25, 0.9)),
        hair=hair,
        hair_style=styles[(number - 1) % len(styles)],
        hairline=float(rng.uniform(-1.06, -0.92)),
        parting=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.5)),
        hair_volume=float(rng.uniform(0.08, 0.16) + 0.04 * woman),
        hair_wave=float(rng.uniform(0.0, 1.0)),
        brow=(110.0, 106.0, 102.0) if grey else (hair[0] * 0.75, hair[1] * 0.72, hair[2] * 0.7),
        brow_height=near(-0.285, 0.06),
        brow_thickness=near(0.042 if woman else 0.062, 0.16),
        brow_arch=float(rng.uniform(0.02, 0.07) + 0.015 * woman),
        eye=one(eyes, 4.0),
        eye_distance=near(0.445, 0.03),
        eye_width=near(0.205 if zh else 0.21, 0.05),
        eye_opening=near((0.082 if zh else 0.093) + 0.010 * woman, 0.09),
        eye_tilt=float(rng.uniform(-0.01, 0.05) + 0.02 * zh),
        lash=float(rng.uniform(0.6, 1.0) if woman else rng.uniform(0.2, 0.5)),
        nose_width=near(0.205 if zh else 0.19, 0.09) * (0.92 if woman else 1.0),
        nose_length=near(0.66, 0.05),
        nose_depth=near(0.24 if zh else 0.29, 0.12),
        face_length=near(1.0, 0.028) * (0.97 if woman else 1.0),
        jaw_width=near(0.93 if woman else 1.0, 0.05),
        cheek_width=near(1.0, 0.02),
        lip=lip,
        lip_gloss=float(rng.uniform(0.35, 0.8) if woman else rng.uniform(0.05, 0.3)),
        mouth_width=near(0.355 if woman else 0.385, 0.06),
        upper_lip=near(0.088 if woman else 0.074, 0.15),
        lower_lip=near(0.116 if woman else 0.102, 0.13),
        mouth_corner=float(rng.uniform(-0.034, -0.004)),
        mouth_tilt=float(rng.normal(0.0, 0.006)),
        teeth=one(((238, 232, 220), (228, 218, 200), (242, 238, 230)), 3.0),
        teeth_length=float(rng.uniform(0.75, 1.25)),
        beard=float(rng.uniform(0.7, 1.0) if bearded else (0.0 if woman else rng.uniform(0, 0.35))),
        moustache=float(bearded and rng.random() < 0.8),
        glasses=0 if glasses < 0.74 else (1 if glasses < 0.88 else 2),
        freckles=float(rng.uniform(0.2, 0.9) if (not zh and rng.random() < 0.25) else 0.0),
        cloth=cloth,
        cloth_colour=one(_SUIT if cloth == "suit" else _CLOTH),
        shirt_colour=one(_SHIRT, 4.0),
        tie_colour=one(_TIE),
        light_x=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 0.75)),
        light_y=float(rng.uniform(-0.75, -0.35)),
        contrast=float(rng.uniform(0.3, 0.85)),
        warmth=float(rng.normal(0.0, 0.5)),
        background=int(rng.integers(4)),
        background_colour=one(_BACKGROUND, 10.0),
        size=float(rng.uniform(0.92, 1.12)),
        blur=float(rng.uniform(0.0, 0.75)),
        noise=float(rng.uniform(0.6, 3.5)),
        saturation=float(rng.uniform(0.82, 1.1)),
    )


def lip_on(skin: Colour, lip: Colour) -> Colour:
    """The colour of lips on this skin: darker skin has darker lips, else they look painted."""
    depth = float(np.clip((1.0 - np.mean(skin) / 255.0 - 0.30) * 1.1, 0.0, 0.45))
    return (lip[0] * (1 - depth * 0.75), lip[1] * (1 - depth), lip[2] * (1 - depth * 0.9))


def _voice(woman: bool, rng: np.random.Generator) -> Voice:
    women = ("f1", "f2", "f3", "f4", "f5", "linda", "steph", "steph2", "Annie", "belinda", "aunty")
    men = (
        *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
        *("adam", "boris", "edward", "john", "michel", "norbert", "pablo", "benjamin"),
    )
    variants = women if woman else men
    return Voice(
        variant=variants[int(rng.integers(len(variants)))],
        pitch=int(rng.integers(42, 68) if woman else rng.integers(28, 56)),
        pitch_range=int(rng.integers(40, 75)),
        rate=int(rng.integers(150, 185)),
        source_rate=int(rng.integers(0, 7)) * 400 + (21_200 if woman else 20_400),
        tilt=float(rng.uniform(-6.0, 4.0)),
        bump_hz=float(rng.uniform(500.0, 3200.0)),
        bump_db=float(rng.uniform(-5.0, 5.0)),
        reverb=float(rng.uniform(0.0, 0.16)),
        reverb_seconds=float(rng.uniform(0.12, 0.4)),
        noise_db=float(rng.uniform(26.0, 52.0)),
        level_db=float(rng.uniform(-30.0, -18.0)),
        top_hz=float(rng.choice([3800.0, 5500.0, 7600.0, 7600.0, 7600.0])),
    )


def _manner(rng: np.random.Generator) -> Manner:
    return Manner(
        articulation=float(rng.uniform(0.85, 1.2)),
        spread=float(rng.uniform(0.8, 1.2)),
        rest_open=float(rng.choice([0.0, 0.0, 0.0, 0.12])),
        head_motion=float(rng.uniform(0.4, 1.3)),
        blink_seconds=float(rng.uniform(1.6, 4.5)),
        brow_motion=float(rng.uniform(0.3, 1.2)),
    )
