"""Pictures and sound carry what they should."""

import numpy as np
from PIL import Image

from drumhead.show import networks
from drumhead.show.listen import Heard, mean_spectrum
from drumhead.show.movies import save_waves
from drumhead.show.palette import class_colours, wave_colours
from drumhead.show.pictures import numbered, save_mask, save_spectrum
from drumhead.show.sound import HZ_PER_ANGULAR, RATE_HZ, tone
from drumhead.show.waves import save_pgd, save_speeds


def test_colours_tell_classes_apart():
    colours = class_colours(30)
    assert len({tuple(c) for c in colours.tolist()}) == 30


def test_waves_are_white_at_rest_and_symmetric():
    low, rest, high = wave_colours(np.array([-1.0, 0.0, 1.0]), 1.0).astype(int)
    assert rest.min() > 240
    assert high[0] > high[2]
    assert low[2] > low[0]


def test_a_spectrum_peaks_where_the_wave_rings():
    t = np.arange(64)
    series = np.stack([np.sin(2 * np.pi * 8 * t / 64), np.zeros(64)], 1)
    assert mean_spectrum(series).argmax() == 8


def test_a_tone_sounds_at_the_frequency_of_the_wave():
    dt, steps, k = 0.5, 64, 10
    omega = 2 * np.pi * k / (steps * dt)
    series = np.cos(omega * dt * np.arange(steps))[:, None]
    sound = tone(series, dt)
    heard = np.abs(np.fft.rfft(sound)).argmax() * RATE_HZ / len(sound)
    assert abs(heard - HZ_PER_ANGULAR * omega) < 2
    assert np.abs(sound).max() <= 1
    assert np.isfinite(tone(np.zeros((8, 2)), dt)).all()


def test_movies_have_a_frame_a_step_and_end_with_the_mask(tmp_path):
    waves = np.random.default_rng(0).normal(size=(7, 1, 6, 9))
    image, labels = np.zeros((6, 9, 1), np.uint8), np.ones((6, 9), np.int64)
    save_waves(tmp_path / "a.gif", image, [waves], labels, 2, dt=0.1)
    with Image.open(tmp_path / "a.gif") as movie:
        assert movie.n_frames == 7
        movie.seek(6)
        last = np.asarray(movie.convert("RGB"))
    assert (np.abs(last.astype(int) - class_colours(2)[1]).sum(-1) < 30).mean() > 0.15


def test_what_stands_still_in_a_movie_keeps_its_colours_and_labels_have_theirs(tmp_path):
    random = np.random.default_rng(0)
    image = random.integers(40, 200, (24, 30, 1), dtype=np.uint8)
    labels = np.arange(24)[:, None] // 8 + np.zeros((1, 30), int)
    layers = [random.normal(size=(6, 2, 6, 8)) for _ in range(2)]
    save_waves(tmp_path / "a.gif", image, layers, labels, 3, dt=0.1)
    with Image.open(tmp_path / "a.gif") as movie:
        frames = []
        for frame in range(movie.n_frames):
            movie.seek(frame)
            frames.append(np.asarray(movie.convert("RGB")))
    panel = np.stack([frame[:170, :220] for frame in frames])
    assert (panel == panel[0]).all()
    assert np.ptp(panel[0].astype(int), axis=-1).max() == 0  # grey stays grey
    seen = {tuple(colour) for colour in frames[-1][:170, -220:].reshape(-1, 3).tolist()}
    assert seen == set(map(tuple, class_colours(3).tolist()))


def test_wide_images_stand_one_below_another_and_tall_ones_have_room_for_titles(tmp_path):
    for shape, wide in (((10, 60), True), ((60, 10), False)):
        image, labels = np.zeros((*shape, 1), np.uint8), np.zeros(shape, int)
        save_waves(tmp_path / "a.gif", image, [np.zeros((2, 2, *shape))], labels, 2, dt=0.1)
        save_mask(tmp_path / "a.png", image, labels, ["background", "cell"], [])
        with Image.open(tmp_path / "a.gif") as movie, Image.open(tmp_path / "a.png") as picture:
            assert (movie.width < 500) is wide
            assert movie.width >= 224 * (1 if wide else 4)
            assert (picture.width > picture.height) is wide


def test_a_spectrum_is_drawn_without_objects(tmp_path):
    save_spectrum(tmp_path / "a.png", [], dt=0.1)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 300


def test_spectra_of_the_largest_objects_are_drawn_apart(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "drumhead.show.pictures.save_figure", lambda figure, path, note="": drawn.append((figure, note))
    )
    series = np.sin(np.arange(20.0))[:, None]
    heard = [Heard(1, "cell", 0, i, 100 - i % 3, series) for i in range(12)]
    assert numbered(heard) == [1, 2, 4, 5, 7, 8, 10, 11]
    save_spectrum(tmp_path / "a.png", heard, dt=0.1)
    (figure, note), lines = drawn[0], drawn[0][0].axes[0].lines
    assert note == "The 8 largest of 12 objects."
    assert [text.get_text() for text in figure.legends[0].get_texts()][2] == "4 cell (3, 0)"
    assert len({tuple(line.get_color()) for line in lines}) == len(lines) == 8
    assert all(0 <= part <= 1 for line in lines for part in line.get_color())


def test_states_are_drawn_evenly_from_the_first_to_the_last(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(networks, "save_figure", lambda figure, path: drawn.append(figure))
    for count, steps in ((19, range(1, 20, 2)), (6, range(1, 7))):
        strip = networks.Strip("net", 0, np.ones((count, 4, 4)), None)
        networks.save_states(tmp_path / "states.png", np.zeros((4, 4, 1), np.uint8), [strip])
        titles = [axis.get_title() for axis in drawn[-1].axes[1:] if axis.get_title()]
        assert titles == [f"step {step}" for step in steps]


def test_waves_of_no_frames_are_drawn_empty(tmp_path):
    none, some = np.empty(0), np.array([0.3, 0.4])
    for pgd, null in ((none, none), (none, some), (some, none), (some[:1], some)):
        save_pgd(tmp_path / "pgd.png", np.arange(len(pgd)), pgd, null, float("nan"))
        save_speeds(tmp_path / "speeds.png", pgd, pgd, np.zeros(len(pgd), bool), null, null, "m/s")
    assert (tmp_path / "pgd.png").exists()
    assert (tmp_path / "speeds.png").exists()


def test_a_network_has_one_colour_in_every_table():
    from drumhead.show.charts import _kin, colour_numbers

    first, second = colour_numbers(["unet-4", "nwm-linear", "x"]), colour_numbers(["nwm-linear", "y", "unet-4", "y"])
    assert first["unet-4"] == second["unet-4"] != first["nwm-linear"] == second["nwm-linear"]
    assert len({*first.values(), *second.values()}) == 3 or first["x"] == second["y"]
    assert [_kin(name) for name in ("nwm-fast-cut", "cnn-4", "gru-last", "gru-fft")] == [
        "nwm-fast",
        "cnn-8",
        "gru",
        "gru",
    ]


def test_a_dollar_is_a_character_and_logarithms_are_plain(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    from drumhead.show.figures import legend_below, legend_right, new_figure, save_figure
    from drumhead.show.hearing import save_weyl

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    figure = new_figure(4, 3)
    axis = figure.subplots()
    axis.loglog([1, 3000], [1e-5, 2], label="Ba$$in $\\frac$")
    axis.set_title("$ and $\\x$")
    axis.set_xlabel("x $^")
    legend_below(figure, axis.lines)
    legend_right(figure, axis.lines)
    save_figure(figure, tmp_path / "a.png")
    figure.draw_without_rendering()
    ticks = [label.get_text() for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]]
    assert {"1", "1,000", "0.0001"} <= set(ticks)
    assert not [tick for tick in ticks if "$" in tick]
    keys = ("area_error", "perimeter_error", "area_error_counted", "perimeter_error_counted")
    save_weyl(
        tmp_path / "b.png",
        np.arange(1.0, 9),
        np.ones(8),
        np.ones(8),
        "$$",
        [{"name": "$a_$", **dict.fromkeys(keys, 1)}],
    )
    drawn[-1].draw_without_rendering()
    assert [label.get_text() for label in drawn[-1].axes[1].get_yticklabels()] == ["$a_$"]


def test_a_table_is_one_in_markdown_html_and_a_terminal(tmp_path, capsys):
    from drumhead.show.pages import Grid, markdown, webpage
    from drumhead.show.terminal import print_table

    grid = Grid(("name", "n"), [("a|b", "1"), ("[bold]", "2")], "Two & more")
    assert markdown([grid]) == "## Two & more\n\n| name | n |\n| --- | ---: |\n| a\\|b | 1 |\n| [bold] | 2 |\n"
    assert "<h2>Two &amp; more</h2>" in webpage([grid], tmp_path)
    print_table(grid)
    shown = capsys.readouterr().out
    assert shown.startswith("Two & more\n")
    assert "a|b" in shown
    assert "[bold]" in shown
