"""Drums against closed forms, Bessel's zeros, `propagate`, symmetry and published eigenvalues."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import drumhead as dh
from drumhead import cli, drum
from drumhead.drum.modes import lowest

MASKS = arrays(bool, st.tuples(st.integers(2, 7), st.integers(2, 7))).filter(lambda mask: mask.sum() >= 2)
QUICK = settings(max_examples=25, deadline=None)


# Modes


@pytest.mark.parametrize("side", [5, 12, 30])
@pytest.mark.parametrize("c", [1.0, 2.5])
def test_a_square_has_the_modes_of_the_closed_form(side, c):
    found = drum.modes(drum.shape("square", side), 12, c)
    np.testing.assert_allclose(found.values, drum.square_values(side, 12, c), rtol=1e-11)


def test_a_half_square_has_the_antisymmetric_modes_of_its_square():
    side, count = 24, 20
    one = 4 * np.sin(np.arange(1, side) * np.pi / (2 * side)) ** 2
    m, n = np.triu_indices(side - 1, 1)
    np.testing.assert_allclose(lowest(drum.shape("half-square", side), count), np.sort(one[m] + one[n])[:count])


def test_a_disc_rings_at_the_zeros_of_bessel_functions():
    from scipy.special import jn_zeros

    zeros = np.sort(np.concatenate([np.repeat(jn_zeros(m, 4), 1 + (m > 0)) for m in range(10)]))[:8]
    errors = []
    for radius in (12, 48):
        values = lowest(drum.shape("disc", 2 * radius), 8)
        errors.append(np.abs(np.sqrt(values) * radius / zeros - 1).max())
    assert errors[0] < 0.02
    assert errors[1] < 0.004


def test_an_equilateral_triangle_has_the_modes_of_lame():
    m, n = np.meshgrid(np.arange(1, 9), np.arange(1, 9))
    exact = np.sort(((4 * np.pi / (3 * 60)) ** 2 * (m**2 + m * n + n**2)).ravel())[:10]
    np.testing.assert_allclose(lowest(drum.shape("triangle", 60), 10), exact, rtol=0.015)


def test_modes_are_orthonormal_eigenvectors_and_rest_outside():
    membrane = drum.shape("star", 40)
    found = drum.modes(membrane, 15)
    inside = found.shapes[:, membrane.mask]
    np.testing.assert_allclose(inside @ inside.T, np.eye(15), atol=1e-10)
    np.testing.assert_allclose(drum.laplacian(membrane) @ inside.T, inside.T * found.values, atol=1e-10)
    assert not found.shapes[:, ~membrane.mask].any()


@pytest.mark.parametrize("name", drum.SHAPES)
def test_no_mode_is_missed(name):
    membrane = drum.shape(name, 36)
    values = lowest(membrane, 40)
    gap = int(np.argmax(np.diff(values[20:]))) + 20
    between = (values[gap] + values[gap + 1]) / 2
    assert drum.count_below(membrane, between) == gap + 1


@given(MASKS, st.integers(0, 3), st.booleans())
@QUICK
def test_turning_and_flipping_changes_no_mode(mask, quarter, flip):
    other = np.rot90(mask[:, ::-1] if flip else mask, quarter)
    count = int(mask.sum())
    np.testing.assert_allclose(lowest(other.copy(), count), lowest(mask, count), atol=1e-12)


@given(MASKS, st.data())
@QUICK
def test_clamping_a_pixel_raises_every_mode(mask, data):
    y, x = data.draw(st.sampled_from(np.argwhere(mask).tolist()))
    smaller = mask.copy()
    smaller[y, x] = False
    count = int(smaller.sum())
    assert (lowest(smaller, count) >= lowest(mask, count) - 1e-12).all()


@given(MASKS, MASKS)
@QUICK
def test_two_pieces_have_the_modes_of_both(one, other):
    both = np.zeros((max(len(one), len(other)), one.shape[1] + 1 + other.shape[1]), bool)
    both[: len(one), : one.shape[1]] = one
    both[: len(other), one.shape[1] + 1 :] = other
    apart = np.sort(np.concatenate([lowest(m, int(m.sum())) for m in (one, other)]))
    np.testing.assert_allclose(lowest(both, int(both.sum())), apart, atol=1e-12)


@given(MASKS)
@QUICK
def test_all_modes_lie_between_zero_and_eight_and_are_counted(mask):
    values = lowest(mask, int(mask.sum()))
    assert values[0] > 0
    assert values[-1] < 8
    assert values.sum() == pytest.approx(4 * mask.sum())
    assert drum.count_below(mask, 0.0) == 0
    assert drum.count_below(mask, 8.0) == mask.sum()


@pytest.mark.parametrize("name", drum.SHAPES)
def test_a_drum_of_twice_the_size_is_an_octave_lower(name):
    once, twice = (lowest(drum.shape(name, size), 10) for size in (36, 72))
    np.testing.assert_allclose(4 * twice, once, rtol=0.06)


# Waves


@pytest.mark.parametrize(("c", "dt"), [(1.0, 0.5), (1.7, 0.3)])
def test_a_rectangle_moves_as_propagate_says(rng, c, dt):
    y0 = rng.normal(size=(9, 14))
    mine = drum.strike(np.ones((9, 14), bool), y0, steps=200, dt=dt, c=c)
    kernel = c**2 * dh.laplacian(1).double()
    theirs = dh.propagate(
        torch.tensor(y0)[None, None], 0.0, 0.0, kernel, steps=200, dt=dt, nonlinearity="linear", boundary="fixed"
    )
    np.testing.assert_allclose(mine, theirs[0, :, 0].numpy(), atol=1e-11)


def test_a_star_moves_as_propagate_says_when_it_is_clamped_by_hand_after_each_step(rng):
    mask, dt = drum.shape("star", 24).mask, 0.5
    y = torch.tensor(rng.normal(size=mask.shape) * mask)[None, None]
    z, inside, states = torch.zeros_like(y), torch.tensor(mask), []
    mine = drum.strike(mask, y[0, 0].numpy(), steps=100, dt=dt)
    for _ in range(100):
        after = dh.propagate(y, 0.0, 0.0, dh.laplacian(1).double(), steps=1, dt=dt, z0=z, nonlinearity="linear",
                             boundary="fixed")  # fmt: skip
        z, y = (after[:, 0] - y) / dt * inside, after[:, 0] * inside
        states.append(y[0, 0].numpy())
    np.testing.assert_allclose(mine, states, atol=1e-10)
    assert not mine[:, ~mask].any()


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("stiff", [0.0, 1e4])
def test_no_medium_clamps_a_pixel_in_propagate(integrator, stiff):
    """Why drums are not simulated by `propagate`: omega and alpha multiply zeros beside the rim."""
    y0 = torch.zeros(1, 1, 3, 3)
    y0[..., 1, 1] = 1
    outside = stiff * (1 - y0)
    after = dh.propagate(y0, outside, outside, dh.laplacian(1), steps=1, dt=0.1, nonlinearity="linear",
                         boundary="fixed", integrator=integrator, check_stability=False)  # fmt: skip
    assert after[0, 0, 0, 0, 1] == pytest.approx(0.1**2 / (1 if integrator == "euler" else 2))


def test_a_mode_swings_alone_with_the_frequency_of_euler_steps():
    membrane, dt = drum.shape("gww-2", 30), 0.6
    found = drum.modes(membrane, 4)
    omega = drum.ringing(found.values, dt)
    np.testing.assert_allclose(np.sin(omega * dt / 2), dt / 2 * np.sqrt(found.values))
    series = drum.strike(membrane, found.shapes[3], steps=300, dt=dt)
    n = np.arange(1, 301)
    swing = np.cos((n + 0.5) * omega[3] * dt) / np.cos(omega[3] * dt / 2)
    np.testing.assert_allclose(series, swing[:, None, None] * found.shapes[3], atol=1e-11)


@pytest.mark.parametrize("name", ["disc", "L", "star", "gww-1"])
def test_a_pixel_hears_the_modes_and_nothing_else(name):
    membrane = drum.shape(name, 36)
    found = drum.modes(membrane, 30)
    spot = drum.lively(drum.Modes(found.values[:6], found.shapes[:6]))
    series = drum.strike(membrane, spot, steps=12_000, dt=0.5, listen=[spot])[:, 0]
    lines = drum.lines(series, 0.5, drum.ringing(found.values, 0.5))
    assert lines.farthest <= 0.5
    assert lines.heard >= 0.5 * lines.modes  # a pixel near a nodal line misses that mode
    assert lines.peaks >= 10


def test_recording_less_is_recording_the_same():
    membrane = drum.shape("disc", 16)
    everything = drum.strike(membrane, (8, 6), steps=41)
    part = drum.strike(membrane, (8, 6), steps=41, every=4, listen=[(5, 8), drum.innermost(membrane)])
    np.testing.assert_array_equal(part[:, 0], everything[3::4, 5, 8])
    assert part.shape == (10, 2)


# Area


def test_every_pixel_of_every_square_hears_its_area_within_the_bin():
    for result in drum.squares([3, 5, 9, 14, 20], time=3000):
        true, heard = result.side**2, result.heard
        assert heard.area.shape == (result.side - 1,) * 2
        assert (heard.low <= true).all()
        assert (true <= heard.high).all()
        half = np.pi / (result.steps * result.dt)
        assert np.abs(heard.omega - result.omega).max() <= half
        assert (heard.high / heard.low - 1 < 5 * half / result.omega).all()


@given(st.integers(4, 12), st.floats(0.1, 0.7), st.floats(0.3, 4), st.floats(400, 1500))
@settings(max_examples=12, deadline=None)
def test_the_area_is_within_the_bin_whatever_the_step_and_the_speed(side, dt, c, time):
    (result,) = drum.squares([side], dt=dt, c=c, time=time)
    assert (result.heard.low <= side**2 * (1 + 1e-9)).all()
    assert (result.heard.high >= side**2 * (1 - 1e-9)).all()


def test_the_plain_formula_is_off_by_the_dispersion_of_grid_and_steps():
    (result,) = drum.squares([10], time=20_000)
    exact = 2 * np.pi**2 / result.omega**2
    assert exact / 100 - 1 == pytest.approx(np.pi**2 / 12 * (1 - 2 * 0.5**2) / 100, rel=0.05)  # second order, both
    np.testing.assert_allclose(result.heard.plain, exact, rtol=0.002)


def test_the_time_of_the_segmentation_networks_tells_no_area():
    heard = drum.area_heard(drum.strike(np.ones((20, 20), bool), steps=100, dt=0.1), 0.1)
    assert not (np.abs(heard.area / 441 - 1) < 0.5).any()
    assert np.isnan(heard.area).sum() == 136


# Weyl


@pytest.mark.parametrize("name", drum.SHAPES)
def test_counting_modes_tells_area_and_perimeter(name):
    membrane = drum.shape(name, 48)
    heard = drum.weyl(membrane)
    area, perimeter, constant = heard.smoothed
    assert area == pytest.approx(membrane.area, rel=0.006)
    assert perimeter == pytest.approx(membrane.perimeter, rel=0.025)
    assert constant == pytest.approx(membrane.constant, abs=0.025)
    assert heard.counted[0] == pytest.approx(membrane.area, rel=0.015)
    assert heard.counted[1] == pytest.approx(membrane.perimeter, rel=0.06)
    assert heard.plain[0] > 1.1 * membrane.area  # the grid ignored


def test_the_rim_of_a_disc_sounds_round_although_its_pixels_are_stairs():
    membrane = drum.shape("disc", 60)
    stairs = sum(int(np.abs(np.diff(np.pad(membrane.mask, 1).astype(int), axis=axis)).sum()) for axis in (0, 1))
    assert stairs > 1.2 * membrane.perimeter
    assert drum.weyl(membrane).smoothed[1] == pytest.approx(membrane.perimeter, rel=0.02)


def test_the_speed_of_the_waves_does_not_matter():
    membrane = drum.shape("L", 24)
    values = 9 * lowest(membrane, 30)
    assert drum.weyl(membrane, c=3.0, values=values).smoothed == pytest.approx(drum.weyl(membrane, count=30).smoothed)


def test_the_grid_counts_its_waves_exactly():
    side = 60
    values = drum.square_values(side, 3000)
    values = values[values < 3.9]
    k = len(values)
    law = drum.counted((side**2, 4 * side, 0.25), values)
    assert np.abs(law - np.arange(k) - 0.5).max() < 0.02 * k


@pytest.mark.parametrize("name", drum.SHAPES)
def test_area_and_perimeter_are_estimated_from_pixels(name):
    membrane = drum.shape(name, 60)
    guess = drum.from_mask(membrane.mask)
    assert guess.area == pytest.approx(membrane.area, rel=0.02)
    assert guess.perimeter == pytest.approx(membrane.perimeter, rel=0.03)


def test_a_mask_from_a_file_with_a_hole_is_heard(tmp_path):
    y, x = np.indices((60, 90))
    mask = (np.hypot(y - 30, x - 30) < 26) & (np.hypot(y - 26, x - 34) > 8) | (abs(y - 34) < 9) & (abs(x - 60) < 24)
    Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(tmp_path / "kettle.png")
    membrane = drum.read(tmp_path / "kettle.png")
    assert membrane.name == "kettle"
    np.testing.assert_array_equal(membrane.mask, mask)
    heard = drum.weyl(membrane).smoothed
    assert heard[0] == pytest.approx(membrane.area, rel=0.02)
    assert heard[1] == pytest.approx(membrane.perimeter, rel=0.05)


# Pairs


@pytest.mark.parametrize("unit", [4, 5, 8, 15])
def test_the_isospectral_drums_are_isospectral_on_every_grid_that_carries_them(unit):
    first, second = drum.gww(unit)
    assert first.mask.sum() == second.mask.sum() == 7 * unit**2 // 2 - (6 * unit + 3 * unit) // 2 + 1  # Pick's theorem
    assert (first.area, first.constant) == pytest.approx((second.area, second.constant))
    assert first.area == pytest.approx(3.5 * unit**2)
    assert first.perimeter == pytest.approx(second.perimeter) == pytest.approx((6 + 3 * 2**0.5) * unit)
    count = min(50, int(first.mask.sum()))
    assert drum.differences(first, second, count).max() < 1e-12
    assert not any(np.array_equal(np.rot90(m, k), second.mask) for m in (first.mask, first.mask.T) for k in range(4))


def test_the_isospectral_drums_have_the_published_eigenvalues():
    """Driscoll, SIAM Review 39 (1997): for half-squares of side 2."""
    published = np.array([2.53794399980, 3.65550971352, 5.17555935622])
    for member in drum.gww(32):
        np.testing.assert_allclose(lowest(member, 3) * 32**2 / 4, published, rtol=0.002)


@pytest.mark.parametrize("turn", [20, 33])
def test_off_the_grid_they_approach_each_other(turn):
    largest = [drum.differences(*drum.gww(unit, turn), 30).max() for unit in (6, 36)]
    assert 1e-4 < largest[1] < largest[0] / 2
    assert largest[1] < 0.015


def test_a_quarter_turn_stays_on_the_grid():
    assert drum.differences(*drum.gww(8, 90), 30).max() < 1e-12


def test_two_drums_with_the_same_law_can_be_told_apart():
    first, second = drum.notched(4)
    for quantity in ("area", "perimeter", "constant"):
        assert getattr(first, quantity) == pytest.approx(getattr(second, quantity))
    assert first.mask.sum() == second.mask.sum()
    assert drum.weyl(first).smoothed[:2] == pytest.approx(drum.weyl(second).smoothed[:2], rel=0.025)
    assert drum.differences(first, second, 20).max() > 0.1


# Images


@pytest.mark.parametrize("colour", ["black", "white"])
def test_the_opaque_pixels_of_a_transparent_picture_are_the_drum(colour, tmp_path):
    opacity = np.zeros((9, 12), np.uint8)
    opacity[2:7, 3:9] = 255
    opacity[1, 3:9] = 100  # a soft edge
    picture = Image.new("RGB", (12, 9), colour)
    picture.putalpha(Image.fromarray(opacity))
    picture.save(tmp_path / "figure.png")
    np.testing.assert_array_equal(drum.read(tmp_path / "figure.png").mask, opacity > 127)


def test_one_transparent_colour_of_a_palette_or_a_grey_picture_is_no_drum(tmp_path):
    levels = np.full((6, 6), 200, np.uint8)
    levels[1:4, 1:5] = 3
    picture = Image.fromarray(levels)
    picture.save(tmp_path / "grey.png", transparency=200)
    picture.convert("P").save(tmp_path / "palette.gif", transparency=200)
    for name in ("grey.png", "palette.gif"):
        np.testing.assert_array_equal(drum.read(tmp_path / name).mask, levels == 3)


def test_the_bright_pixels_of_a_wholly_opaque_picture_are_the_drum(tmp_path):
    bright = np.zeros((6, 6), np.uint8)
    bright[1:4, 1:5] = 255
    for least in (255, 250):  # an alpha channel that cuts nothing off tells nothing
        picture = Image.fromarray(bright).convert("RGB")
        picture.putalpha(least)
        picture.save(tmp_path / "opaque.png")
        np.testing.assert_array_equal(drum.read(tmp_path / "opaque.png").mask, bright > 127)


# Shapes and mistakes


def test_a_polygon_may_be_listed_either_way_round_and_lies_on_the_grid():
    corners = [(0, 0), (8, 0), (8, 5), (0, 5)]
    one, other = drum.polygon(corners), drum.polygon(corners[::-1])
    assert one.mask.sum() == 7 * 4
    np.testing.assert_array_equal(one.mask, other.mask)
    assert one.constant == pytest.approx(0.25)
    assert other.constant == pytest.approx(0.25)
    assert drum.shape("L", 20).constant == pytest.approx(5 / 16 - 5 / 144)
    assert drum.shape("disc", 20).constant == pytest.approx(1 / 6, rel=0.005)


SQUARE = np.ones((4, 4), bool)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: drum.shape("pear"), "shape='pear' is not known; choose one of 'square'"),
        (lambda: drum.shape("square", 1), "no pixel moves; raise the size"),
        (lambda: drum.shape("disc", -4), "size=-4"),
        (lambda: drum.shape("disc", 1e9), "at most 5000"),
        (lambda: drum.polygon([(0, 0), (1, 1)]), "at least three finite points"),
        (lambda: drum.polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), "cross or enclose nothing"),
        (lambda: drum.polygon([(0, 0), (4, 4), (9, 9)]), "cross or enclose nothing"),
        (lambda: drum.from_mask(np.zeros((4, 4), bool)), "none of its 16 pixels"),
        (lambda: drum.from_mask(np.zeros((0, 4), bool)), "none of its 0 pixels"),
        (lambda: drum.modes(np.ones((4, 4)), 3), "float64; a boolean array"),
        (lambda: drum.modes([[True]], 1), "got list"),
        (lambda: drum.modes(np.ones(4, bool), 1), "two dimensions"),
        (lambda: drum.modes(SQUARE, 17), "a drum of 16 pixels has 16 modes"),
        (lambda: drum.modes(SQUARE, 0), "count=0"),
        (lambda: drum.modes(SQUARE, 3, c=0.0), "c=0.0"),
        (lambda: drum.strike(SQUARE, (4, 0), steps=5), "not on the drum"),
        (lambda: drum.strike(SQUARE, (1, 1), steps=5, listen=[(9, 9)]), "not on the drum"),
        (lambda: drum.strike(SQUARE, np.ones((3, 3)), steps=5), r"displacement \(4, 4\)"),
        (lambda: drum.strike(SQUARE, (1, 1), steps=0), "steps=0"),
        (lambda: drum.strike(SQUARE, (1, 1), steps=5, dt=0.8), "stable limit 0.7071"),
        (lambda: drum.ringing(np.array([7.0]), 2.0), "stable limit"),
        (lambda: drum.squares([2]), "side=2"),
        (lambda: drum.area_heard(np.zeros((3, 2)), 0.1), "at least 8"),
        (lambda: drum.weyl(SQUARE, count=5), "at least 8, and all below 4"),
        (lambda: drum.weyl(SQUARE, count=16), "at least 8, and all below 4"),
        (lambda: drum.weyl(np.ones((2, 3), bool)), "take a larger drum"),
        (lambda: drum.gww(1), "unit=1"),
    ],
)  # fmt: skip
def test_mistakes_are_named(mistake, message):
    with pytest.raises(dh.DrumheadError, match=message):
        mistake()


def test_files_that_are_no_drums_are_named(tmp_path):
    with pytest.raises(dh.DrumheadError, match="does not exist"):
        drum.read(tmp_path / "none.png")
    Image.new("L", (5, 5), 90).save(tmp_path / "dark.png")
    with pytest.raises(dh.DrumheadError, match="paint the drum white"):
        drum.read(tmp_path / "dark.png")
    Image.new("RGBA", (5, 5), (255, 255, 255, 0)).save(tmp_path / "glass.png")
    with pytest.raises(dh.DrumheadError, match=r"glass\.png is transparent everywhere; paint the drum opaque"):
        drum.read(tmp_path / "glass.png")
    (tmp_path / "text.png").write_text("drum")
    with pytest.raises(dh.DrumheadError, match="not a readable image"):
        drum.read(tmp_path / "text.png")


def test_drums_need_no_torch():
    code = (
        "import sys, numpy as np\nfrom drumhead import drum\n"
        "drum.weyl(drum.shape('L', 12)); drum.strike(drum.shape('star', 12), steps=9); drum.squares([4], time=50)\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The verb


def test_the_verb_writes_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("drumhead.cli.drum_parts.UNITS", (4, 5))
    cli.main(
        ["drum", "L", "--size", "12", "--modes", "12", "--time", "400", "--sides", "5", "7", "--out", str(tmp_path)]
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "membrane.png", "wave.png", "wave.gif", "spectrum.png", "sound.wav", "modes.png", "weyl.png", "area.png",
        "pair.png", "gww-1.wav", "gww-2.wav", "drum.json",
    }  # fmt: skip
    results = json.loads((tmp_path / "drum.json").read_text())
    assert results["drum"]["area"] == 108
    assert [row["inside_bin"] for row in results["area"]["squares"]] == [True, True]
    heard = {row["name"] for row in results["weyl"]["shapes"]}
    assert {"L", "square", "star"} <= heard
    assert "gww-1" not in heard  # too few pixels at this size
    assert max(results["pair"]["aligned"]) < 1e-12
    printed = capsys.readouterr().out
    assert "gww-1 and gww-2" in printed
    assert "perimeter" in printed
    with Image.open(tmp_path / "wave.gif") as movie:
        assert movie.n_frames == 120


def test_the_verb_takes_an_image_in_pieces_and_can_be_brief(tmp_path, capsys):
    image = np.zeros((20, 40), np.uint8)
    image[2:18, 2:18] = image[4:12, 24:38] = 255
    Image.fromarray(image).save(tmp_path / "two.png")
    out = tmp_path / "out"
    cli.main(["drum", str(tmp_path / "two.png"), "--out", str(out), "--no-area", "--no-pair", "--no-shapes",
              "--no-pictures", "--time", "300"])  # fmt: skip
    assert [path.name for path in out.iterdir()] == ["drum.json"]
    assert "in 2 pieces" in capsys.readouterr().out


def test_the_verb_says_so_when_nothing_was_heard(tmp_path):
    cli.main(
        ["drum", "square", "--size", "16", "--time", "8", "--sides", "9", "40", "--out", str(tmp_path), "--no-pair"]
    )
    squares = json.loads((tmp_path / "drum.json").read_text())["area"]["squares"]
    assert squares[1]["heard_least"] is None


def test_the_smallest_drum_is_heard(tmp_path):
    mask = np.zeros((7, 10), np.uint8)
    mask[1:6, 1:9] = 255
    Image.fromarray(mask).save(tmp_path / "forty.png")
    brief = ["--time", "300", "--no-area", "--no-pair", "--no-shapes", "--no-pictures"]
    cli.main(["drum", str(tmp_path / "forty.png"), "--out", str(tmp_path / "out"), *brief])
    assert json.loads((tmp_path / "out" / "drum.json").read_text())["drum"]["pixels"] == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pear"], "'pear' is neither a file nor a shape; the shapes are square"),
        (["square", "--modes", "2"], "--modes 2: at least 8 are needed"),
        (
            ["square", "--size", "3"],
            "square is too small: pixels of it that move: 4, needed: 40 to 40000; raise --size",
        ),
        (["gww-1", "--size", "12"], "gww-1 is too small: pixels of it that move: 39"),
        (
            ["square", "--size", "900"],
            "square is too large: pixels of it that move: 808201, needed: 40 to 40000; lower",
        ),
        (["square", "--sides", "2"], "--sides 2: 3 to 200 are needed"),
        (["square", "--time", "0"], "--time 0: 8 to 1e6 is needed"),
    ],
)
def test_mistakes_at_the_command_line_are_one_sentence(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as leave:
        cli.main(["drum", *arguments, "--out", str(tmp_path / "out")])
    assert leave.value.code == 2
    assert message in capsys.readouterr().err


def test_a_small_drum_in_a_large_image_is_refused_and_an_odd_name_is_drawn(tmp_path, capsys):
    brief = ["--time", "100", "--modes", "8", "--no-area", "--no-pair", "--no-shapes", "--out", str(tmp_path / "out")]
    drawn = np.zeros((700, 700), np.uint8)
    drawn[300:308, 300:310] = 255
    Image.fromarray(drawn).save(tmp_path / "lost.png")
    with pytest.raises(SystemExit):
        cli.main(["drum", str(tmp_path / "lost.png"), *brief])
    assert "lost.png has 490000 pixels, most of them clamped: crop the image" in capsys.readouterr().err
    Image.fromarray(drawn[298:310, 298:312]).save(tmp_path / "Ba$$in $^[b].png")
    cli.main(["drum", str(tmp_path / "Ba$$in $^[b].png"), *brief])
    assert "Ba$$in $^[b]: 80 pixels" in capsys.readouterr().out
    assert (tmp_path / "out" / "weyl.png").exists()


def test_a_drum_in_pieces_is_struck_and_heard_on_one_of_them():
    """Also where the largest piece, a narrow strip, has none of the lowest modes."""
    from drumhead.cli.drum_parts import _spots

    mask = np.zeros((40, 60), bool)
    mask[2, 1:56] = True
    mask[20:27, 30:37] = True
    membrane = drum.from_mask(mask, "two")
    for spot in _spots(membrane, drum.modes(membrane, 8)):
        assert mask[spot]
        assert spot[0] >= 20
