"""Sound: what a pixel hears, slowed or sped up into the range of the ear."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drumhead.files import write_atomic
from drumhead.show.listen import Heard, mean_spectrum

RATE_HZ, HZ_PER_ANGULAR, SECONDS, DECAY_SECONDS = 22_050, 200.0, 1.5, 0.35
MADE_BY = b"LIST" + struct.pack("<I", 22) + b"INFOISFT" + struct.pack("<I", 9) + b"drumhead\0\0"  # ends each WAV


def tone(series: np.ndarray, dt: float) -> np.ndarray:
    """Return a struck tone with the spectrum of a series (t, c), float in [-1, 1] at 22,050 Hz.

    A trained medium is damped within a few periods, too short to hear, so the spectrum is played instead of the
    series: each frequency bin w_k (without the constant one) is a sine of 200 w_k Hz whose amplitude is the
    bin's magnitude, and all of them fade together as a struck drum does.
    """
    magnitude = mean_spectrum(series)[1:]
    angular = 2 * np.pi * np.arange(1, len(magnitude) + 1) / (len(series) * dt)
    time = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    partials = np.sin(2 * np.pi * HZ_PER_ANGULAR * angular[:, None] * time)
    sound = (magnitude[:, None] * partials).sum(0) * np.exp(-time / DECAY_SECONDS)
    sound *= np.minimum(1, time / 0.005)  # no click at the start
    return sound / max(np.abs(sound).max(), 1e-12)


def save_tone(path: Path, series: np.ndarray, dt: float) -> None:
    """Write `tone(series, dt)` as a 16-bit mono WAV."""
    _save(path, tone(series, dt))


def together(heard: Sequence[Heard], dt: float, width: int) -> np.ndarray:
    """Return the tones of all objects at once, float (n, 2) in [-1, 1]: left and right ear.

    Each comes from its place, by the law of equal power: at the left edge it is in the left ear alone, in the middle
    equally in both. Its power is proportional to the object's pixels.

    Args:
        heard: from `listen`.
        dt: model time between two states.
        width: of the image in pixels.
    """
    sound = np.zeros((round(SECONDS * RATE_HZ), 2))
    for spot in heard:
        angle = np.pi / 2 * (spot.x + 0.5) / width
        sound += np.sqrt(spot.size) * tone(spot.series, dt)[:, None] * [np.cos(angle), np.sin(angle)]
    return sound / max(np.abs(sound).max(), 1e-12)


def save_together(path: Path, heard: Sequence[Heard], dt: float, width: int) -> None:
    """Write `together(heard, dt, width)` as a 16-bit stereo WAV."""
    _save(path, together(heard, dt, width))


def is_ours(path: Path) -> bool:
    """Say whether a WAV was written here."""
    return path.read_bytes()[-len(MADE_BY) :] == MADE_BY


def save_ringing(path: Path, series: np.ndarray, dt: float, angular: float, hz: float = 110.0) -> None:
    """Write a series (t,) itself, not its spectrum, as a WAV: sped up so that the frequency `angular` sounds at `hz`.

    For media that ring long enough to be heard as they are. The tone fades over its last half and is resampled
    exactly, by its Fourier transform.
    """
    count = max(2, round(len(series) * dt * angular / (2 * np.pi * hz) * RATE_HZ))
    sound = np.fft.irfft(np.fft.rfft(series), count) * (count / len(series))
    phase = np.linspace(0, 1, count)
    sound *= np.minimum(1, phase * 100) * np.cos(np.pi / 2 * np.clip(2 * phase - 1, 0, 1)) ** 2 * np.exp(-2 * phase)
    _save(path, sound / max(np.abs(sound).max(), 1e-12))


def _save(path: Path, sound: np.ndarray) -> None:
    from scipy.io import wavfile

    content = io.BytesIO()
    wavfile.write(content, RATE_HZ, np.rint(sound * 0.9 * 32767).astype("<i2"))
    chunks = content.getvalue()[8:] + MADE_BY
    write_atomic(path, b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
