"""What the Wav2Lip family hears: equal to the reference, to librosa, scipy and hand computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.networks import audio


def speech_like(seconds: float = 0.5) -> NDArray[np.int16]:
    """A buzz of wandering pitch and loudness, int16."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    buzz = np.sin(2 * np.pi * (140 * t + 3 * np.sin(9 * t))) ** 15 * (1.2 + np.sin(25 * t))
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(t))
    return ((buzz + noise) * 9000).astype(np.int16)


@pytest.mark.shared
def test_mel_spectrogram_and_windows_equal_the_references(shared: Path) -> None:
    golden = np.load(shared / "golden" / "wav2lip.npz")
    mel = audio.mel_spectrogram(np.load(shared / "golden" / "clip.npz")["audio_int16"])
    assert mel.shape == golden["mel"].shape
    assert np.abs(mel - golden["mel"]).max() < 1e-4 * 4.0
    starts = audio.first_columns(60, mel.shape[1])[10:15]
    windows = audio.windows(mel, starts)
    assert np.abs(windows - golden["mel_windows"][0]).max() < 1e-4 * 4.0


def test_mel_spectrogram_equals_scipys_spectrum_in_librosas_bands() -> None:
    """The bands alone are librosa's: its own spectrum makes numba compile for many seconds."""
    from librosa.filters import mel as mel_bands
    from scipy.signal import stft
    from scipy.signal.windows import hann

    sound = speech_like()
    signal = sound / 32768.0
    emphasised = np.append(signal[0], signal[1:] - 0.97 * signal[:-1])
    window = hann(800, sym=False)
    _, _, scaled = stft(emphasised, window=window, nperseg=800, noverlap=600, padded=False)
    spectrum = np.abs(scaled) * window.sum()
    filters = mel_bands(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    decibels = 20 * np.log10(np.maximum(1e-5, filters @ spectrum)) - 20
    expected = np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)
    assert np.abs(audio.mel_spectrogram(sound) - expected).max() < 1e-4 * 4.0


def test_cepstra_are_scipys_orthonormal_transform_times_a_constant_per_row() -> None:
    from scipy.fft import dct

    mel = audio.mel_spectrogram(speech_like())
    expected = dct(mel.astype(np.float64), type=2, norm="ortho", axis=0)[:13]
    scales = np.array([1 / np.sqrt(80)] + [k**0.75 / 3 for k in range(1, 13)])[:, None]
    rows = audio.cepstra(mel)
    assert np.allclose(rows[:13], np.clip(expected * scales, -4, 4), atol=1e-5)
    assert np.allclose(rows[0], mel.mean(axis=0), atol=1e-5)


def test_differences_are_slopes_with_repeated_edges() -> None:
    """A mel spectrogram that rises by 0.1 a column in all rows has the slope 0.1 in its mean."""
    mel = np.tile(0.1 * np.arange(20, dtype=np.float32), (80, 1))
    rows = audio.cepstra(mel)
    first, second = rows[13] / 4, rows[26] / 10
    assert np.allclose(first[2:-2], 0.1)
    # At column 0: (1 (0.1 - 0) + 2 (0.2 - 0)) / 10; at column 1: (1 (0.2 - 0) + 2 (0.3 - 0)) / 10.
    assert np.allclose(first[:2], [0.05, 0.08])
    assert np.allclose(second[4:-4], 0.0, atol=1e-6)
    # (1 (0.08 - 0.05) + 2 (0.1 - 0.05)) / 10
    assert second[0] == pytest.approx(0.013, abs=1e-6)
    assert np.allclose(rows[1:13], 0.0, atol=1e-5)


@pytest.mark.parametrize(("kind", "height"), [("mel", 80), ("mfcc", 39), ("fused", 119)])
def test_features_have_the_kinds_height_and_lie_in_the_mels_range(
    kind: audio.AudioKind, height: int
) -> None:
    sound = speech_like()
    features = audio.features(sound, kind)
    assert features.shape == (height, 1 + len(sound) // 200)
    assert audio.HEIGHTS[kind] == height
    assert features.dtype == np.float32
    assert np.abs(features).max() <= 4.0
    assert (features.std(axis=1) > 0.05).all()  # no row drowns


def test_fused_features_are_mel_above_cepstra() -> None:
    sound = speech_like()
    fused = audio.features(sound, "fused")
    assert np.array_equal(fused[:80], audio.features(sound, "mel"))
    assert np.array_equal(fused[80:], audio.features(sound, "mfcc"))


def test_digital_silence_is_finite_and_at_the_floor() -> None:
    features = audio.features(np.zeros(4000, np.int16), "fused")
    assert (features[:80] == -4.0).all()
    assert np.isfinite(features).all()


@pytest.mark.parametrize("sound", [np.zeros(0, np.int16), np.zeros((2, 9), np.int16), np.ones(900)])
def test_what_is_no_sound_is_refused(sound: NDArray[np.int16]) -> None:
    with pytest.raises(ValueError, match="sound must be"):
        audio.mel_spectrogram(sound)


def test_frames_hear_the_columns_that_the_reference_cuts() -> None:
    # 12 frames are 7680 samples, 39 columns; the last whole window begins at column 23.
    starts = audio.first_columns(12, 39)
    assert starts.tolist() == [0, 3, 6, 9, 12, 16, 19, 22, 23, 23, 23, 23]
    earlier = audio.first_columns(12, 39, lead=1)
    assert earlier.tolist() == [0, 0, 3, 6, 9, 12, 16, 19, 22, 23, 23, 23]


def test_reference_frames_count_as_its_loops_do() -> None:
    for columns in range(16, 400):
        frame = 0
        while int(frame * 80.0 / 25) + 16 <= columns:
            frame += 1
        assert audio.reference_frames(columns, is_partial_window_kept=False) == frame
        assert audio.reference_frames(columns, is_partial_window_kept=True) == frame + 1


def test_windows_hold_the_columns_from_each_start() -> None:
    features = np.arange(2 * 40, dtype=np.float32).reshape(2, 40)
    windows = audio.windows(features, np.array([0, 3, 24]))
    assert windows.shape == (3, 1, 2, 16)
    assert windows[1, 0, 0].tolist() == list(range(3, 19))
    assert windows[2, 0, 1].tolist() == list(range(64, 80))


def test_too_few_columns_for_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match="15 columns"):
        audio.first_columns(3, 15)
