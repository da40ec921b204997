"""`drumhead listen`: what is in its sounds, and what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import drumhead as dh
from conftest import call
from drumhead.cli import listen as verb
from drumhead.networks.tiles import Tiles
from drumhead.show import sound
from drumhead.show.listen import Heard, peaks

SAMPLES = Path(dh.__file__).parent / "samples"
DT, STEPS = 0.5, 80


def bin_of(k):
    """Angular frequency of a bin of the series below."""
    return 2 * np.pi * k / (STEPS * DT)


def spot(x, size, *parts):
    """An object that hears sines: (bin, amplitude) each, all in one channel; the other one rests."""
    time = DT * np.arange(1, STEPS + 1)
    series = sum((a * np.sin(bin_of(k) * time) for k, a in parts), np.zeros(STEPS))
    return Heard(1, "a", 0, x, size, np.stack([series, np.zeros(STEPS)], 1))


def energy(wave, hertz, rate=sound.RATE_HZ):
    """Energy within 5 Hz of a frequency."""
    f = np.fft.rfftfreq(len(wave), 1 / rate)
    return (np.abs(np.fft.rfft(wave)) ** 2)[np.abs(f - hertz) < 5].sum()


def test_peaks_are_the_sines_that_are_there_the_loudest_first():
    heard = spot(0, 99, (4, 0.5), (9, 1.0), (20, 0.2), (30, 0.15), (35, 0.05))
    np.testing.assert_allclose(peaks(heard.series, DT), [bin_of(k) for k in (9, 4, 20)])
    np.testing.assert_allclose(peaks(heard.series, DT, most=9), [bin_of(k) for k in (9, 4, 20, 30)])
    assert peaks(np.full((37, 3), 0.1), DT) == peaks(np.zeros((37, 3)), DT) == []
    assert peaks(np.ones((1, 1)), DT) == []


def test_a_written_sound_has_its_peaks_where_the_table_says(tmp_path, capsys):
    assert call("listen", SAMPLES / "pieces-3.png", "--out", tmp_path) == 0
    shown = capsys.readouterr().out
    rows = re.findall(r"^ pieces-3 +(\d) +(\S+) +(\d+), (\d+) +(\d+) +([\d.]+)[\d., ]*? {2,}(\d+)", shown, re.MULTILINE)
    assert [row[1] for row in rows] == ["I", "O", "T"]
    for number, word, *_, omega, hertz in rows:
        rate, wave = wavfile.read(tmp_path / f"pieces-3-{number}-{word}.wav")
        assert wave.ndim == 1
        f = np.fft.rfftfreq(4 * len(wave), 1 / rate)
        loudest = f[np.abs(np.fft.rfft(wave, 4 * len(wave))).argmax()]
        assert abs(loudest - float(hertz)) < 1
        assert abs(float(hertz) / 200 - float(omega)) < 0.006


def test_all_together_is_panned_by_place_and_as_loud_as_it_is_large():
    width = 100
    objects = [spot(0, 400, (3, 1.0)), spot(74, 100, (11, 0.01))]
    mixed = sound.together(objects, DT, width)
    assert mixed.shape == (round(1.5 * sound.RATE_HZ), 2)
    assert np.abs(mixed).max() == 1
    found = np.array([[energy(mixed[:, ear], 200 * bin_of(k)) for ear in (0, 1)] for k in (3, 11)])
    angle = np.pi / 2 * (np.array([0, 74]) + 0.5) / width
    np.testing.assert_allclose(found[:, 1] / found[:, 0], np.tan(angle) ** 2, rtol=0.02, atol=1e-3)
    assert found[0, 0] > 1000 * found[0, 1]  # at the left edge it is in the left ear
    assert found[0].sum() / found[1].sum() == pytest.approx(4, rel=0.02)  # power by pixels, whatever the amplitudes
    middle = sound.together([spot(49, 9, (5, 1.0)), spot(50, 9, (5, 1.0))], DT, width)
    np.testing.assert_allclose(middle[:, 0], middle[:, 1], atol=1e-12)
    assert not sound.together([spot(5, 99)], DT, width).any()  # an object that rests is silent, and no division by 0


def test_sounds_are_those_of_segment_and_the_same_each_time(tmp_path):
    image = SAMPLES / "pieces-2.png"
    for verb_, out in (("segment", "s"), ("listen", "a"), ("listen", "b"), ("listen", "b")):
        assert call(verb_, image, "--out", tmp_path / out) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["pieces-2-0-all.wav", "pieces-2-1-T.wav", "pieces-2-2-SZ.wav"]
    for name in names:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        if "all" not in name:
            assert content == (tmp_path / "s" / name).read_bytes()
    rate, wave = wavfile.read(tmp_path / "a" / names[0])
    assert (rate, wave.shape[1], wave.dtype) == (22_050, 2, np.int16)


def test_an_object_sounds_from_its_place_in_the_image(tmp_path):
    assert (
        call("listen", SAMPLES / "pieces-1.png", "--out", tmp_path) == 0
    )  # one I, in the middle of which x = 40 of 64
    left, right = (wavfile.read(tmp_path / "pieces-1-0-all.wav")[1].astype(float) ** 2).sum(0)
    assert right / left == pytest.approx(np.tan(np.pi / 2 * 40.5 / 64) ** 2, rel=1e-3)


def test_a_wav_is_well_formed_to_its_last_byte(tmp_path):
    sound.save_together(tmp_path / "a.wav", [spot(3, 50, (3, 1.0))], DT, 9)
    content = (tmp_path / "a.wav").read_bytes()
    assert content[:4] + content[8:12] == b"RIFFWAVE"
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    at, chunks = 12, {}
    while at < len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        chunks[content[at : at + 4]] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(content)
    assert chunks[b"LIST"] == b"INFOISFT\x09\0\0\0drumhead\0\0"
    assert sound.is_ours(tmp_path / "a.wav")


def test_an_image_in_which_nothing_is_found_is_one_sentence(tmp_path, capsys):
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    assert call("listen", tmp_path / "black.png", "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out == ("black: no object of 20 or more pixels was found, so there is nothing to hear\n")
    assert not (tmp_path / "out").exists()


def test_what_is_named_twice_is_heard_once_and_files_that_are_no_images_say_why(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("black.png")
    assert call("listen", tmp_path, "black.png") == 0
    assert capsys.readouterr().out.count("black: ") == 1
    for content, why in (("", "it is empty"), ("hello", "its content is of no known image format")):
        Path("other.png").write_text(content)
        assert call("listen", "other.png") == 2
        assert capsys.readouterr().err == f"drumhead: other.png is not a readable image: {why}\n"


def test_mistakes_are_one_sentence_and_leave_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dh.save(dh.build("tetrominoes/unet-2"), "unet.safetensors", task="tetrominoes")
    Image.new("RGB", (64, 65)).save("large.png")
    Path("mine").mkdir()
    Path("mine/song-1-pop.wav").write_bytes(b"RIFF")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("drumhead.networks.tiles.WHOLE", Tiles(64, 64 * 64))
    sample = SAMPLES / "pieces-1.png"
    for arguments, message in (
        (["nowhere.png"], "nowhere.png does not exist"),
        (["--model", "nowhere"], "no weights at 'nowhere'"),
        (["--model", "unet.safetensors"], "unet.safetensors is a unet, which has no waves to hear"),
        (["large.png"], "large.png has 64 x 65 pixels (width x height); images of up to 4,096 pixels are heard"),
        ([sample, "--out", "mine"], "mine holds song-1-pop.wav, which drumhead did not write"),
        ([sample, "--play"], "--play needs one of paplay, aplay, afplay, and none is here"),
    ):
        assert call("listen", *arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "unet.safetensors", "large.png"}


def test_play_plays_what_all_objects_sound_like(tmp_path, capsys, monkeypatch):
    player = tmp_path / "bin" / "aplay"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/played\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{player.parent}:/usr/bin:/bin")
    monkeypatch.setattr(verb, "PLAYERS", ("none-of-this-name", "aplay"))
    images = (SAMPLES / "pieces-1.png", SAMPLES / "pieces-2.png")
    assert call("listen", *images, "--out", tmp_path / "out", "--play") == 0
    played = (tmp_path / "played").read_text().split()
    assert played == [str(tmp_path / "out" / f"pieces-{i}-0-all.wav") for i in (1, 2)]
    player.write_text("#!/bin/sh\necho no card here >&2\nexit 1\n")
    assert call("listen", images[0], "--out", tmp_path / "out", "--play") == 2
    assert "could not play" in (error := capsys.readouterr().err)
    assert "no card here; the sounds are written" in error
