"""Sound: what a pixel hears, slowed or sped up into the range of the ear."""

import io
from pathlib import Path

import numpy as np

from drumhead.files import write_atomic
from drumhead.show.listen import spectrum

RATE_HZ, HZ_PER_OMEGA, SECONDS, DECAY_SECONDS = 22_050, 200.0, 1.5, 0.35


def tone(series: np.ndarray, dt: float) -> np.ndarray:
    """Return a struck tone with the spectrum of a series (t, c), float in [-1, 1] at 22,050 Hz.

    A trained medium is damped within a few periods, too short to hear, so the spectrum is played instead of the
    series: each frequency bin omega_k (without the constant one) is a sine of 200 omega_k Hz whose amplitude is the
    bin's magnitude, and all of them fade together as a struck drum does.
    """
    magnitude = spectrum(series)[1:]
    omega = 2 * np.pi * np.arange(1, len(magnitude) + 1) / (len(series) * dt)
    time = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    partials = np.sin(2 * np.pi * HZ_PER_OMEGA * omega[:, None] * time)
    sound = (magnitude[:, None] * partials).sum(0) * np.exp(-time / DECAY_SECONDS)
    sound *= np.minimum(1, time / 0.005)  # no click at the start
    return sound / max(np.abs(sound).max(), 1e-12)


def save_tone(path: Path, series: np.ndarray, dt: float) -> None:
    """Write `tone(series, dt)` as a 16-bit mono WAV."""
    _save(path, tone(series, dt))


def save_ringing(path: Path, series: np.ndarray, dt: float, omega: float, hz: float = 110.0) -> None:
    """Write a series (t,) itself, not its spectrum, as a WAV: sped up so that angular frequency `omega` sounds at `hz`.

    For media that ring long enough to be heard as they are. The tone fades over its last half and is resampled
    exactly, by its Fourier transform.
    """
    count = max(2, round(len(series) * dt * omega / (2 * np.pi * hz) * RATE_HZ))
    sound = np.fft.irfft(np.fft.rfft(series), count) * (count / len(series))
    phase = np.linspace(0, 1, count)
    sound *= np.minimum(1, phase * 100) * np.cos(np.pi / 2 * np.clip(2 * phase - 1, 0, 1)) ** 2 * np.exp(-2 * phase)
    _save(path, sound / max(np.abs(sound).max(), 1e-12))


def _save(path: Path, sound: np.ndarray) -> None:
    from scipy.io import wavfile

    content = io.BytesIO()
    wavfile.write(content, RATE_HZ, np.rint(sound * 0.9 * 32767).astype("<i2"))
    write_atomic(path, content.getvalue())
