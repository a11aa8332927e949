"""What PC-AVS hears: equal to the reference, evenly loud, a window for every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from methods.pcavs import mel


@pytest.mark.shared
def test_mel_and_windows_equal_the_reference(shared: Path) -> None:
    with np.load(shared / "golden" / "clip.npz") as arrays:
        sound = arrays["audio_int16"]
    with np.load(shared / "golden" / "pcavs.npz") as arrays:
        golden = {name: arrays[name] for name in ("audio_gain", "mel", "mel_windows")}
    assert mel.gain(sound) == pytest.approx(float(golden["audio_gain"]), rel=1e-6)
    found = mel.mel_spectrogram(sound)
    assert np.abs(found.T - golden["mel"]).max() < 1e-4 * np.abs(golden["mel"]).max()
    heard = mel.windows(found, np.array([30, 31]))
    assert np.abs(heard - golden["mel_windows"]).max() < 1e-4
    assert mel.official_frames(found.shape[1]) == range(2, 59)


def test_loudness_does_not_matter_and_silence_is_all_zero() -> None:
    time = np.arange(16000) / 16000
    loud = np.rint(16000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    soft = np.rint(1600 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    # 1e-5, the least magnitude, is relative to full scale, so only rounding differs.
    found = mel.mel_spectrogram(loud)
    assert found.shape == (80, 107)
    assert np.abs(found - mel.mel_spectrogram(soft))[found > 0.5].max() < 0.01
    assert found.mean(axis=1).argmax() in range(7, 12)  # 440 Hz: the mels are spaced by 37 Hz
    assert not mel.mel_spectrogram(np.zeros(1000, dtype=np.int16)).any()
    with pytest.raises(ValueError, match="int16"):
        mel.mel_spectrogram(time)  # type: ignore[arg-type]


def test_every_frame_hears_as_if_the_sound_were_padded() -> None:
    draw = np.random.default_rng(0)
    sound = np.rint(3000 * draw.standard_normal(640 * 12)).astype(np.int16)
    found = mel.mel_spectrogram(sound)
    heard = mel.windows(found, np.arange(12))
    assert heard.shape == (12, 1, 80, 20)
    # Frames of the official program, untouched by padding
    for frame in mel.official_frames(found.shape[1]):
        assert np.array_equal(heard[frame, 0], found[:, 4 * (frame - 2) : 4 * (frame - 2) + 20])
    # The others: as with two frames of zeros before and three after, but for the loudness, which is
    # that of the bare sound.
    padded = np.concatenate([np.zeros(1280, np.int16), sound, np.zeros(1920, np.int16)])
    whole = mel.windows(mel.mel_spectrogram(padded), np.arange(2, 14))
    louder = 0.2 * np.log10(mel.gain(sound) / mel.gain(padded))
    assert np.array_equal(heard == 0, whole == 0)
    assert (heard == 0)[0, 0, :, :8].all()
    is_within = (heard > 0) & (heard < 1) & (whole > 0) & (whole < 1)
    assert is_within.mean() > 0.5
    assert np.allclose(heard[is_within], whole[is_within] + louder, atol=1e-5)


def test_short_sounds_have_no_official_frames() -> None:
    assert list(mel.official_frames(7)) == []
    assert list(mel.official_frames(20)) == [2]
