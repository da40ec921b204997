"""What waves in cortex are like, as far as it was measured: speeds, bands, wavelengths, with where each number is from.

Ranges are rounded and lie between studies of different animals, states and electrodes, so a factor of two means little.
Wavelengths are computed, lambda = speed / frequency, from the ends of what one study reports.
"""

from dataclasses import dataclass

MULLER, TAKAHASHI, DAVIS, ZHANG = "Muller 2018", "Takahashi 2011", "Davis 2020", "Zhang 2018"
ALEXANDER, CONVENTION = "Alexander 2016", "convention"
SOURCES = {
    MULLER: "Muller, Chavane, Reynolds and Sejnowski, Nature Reviews Neuroscience 19 (2018) 255-268",
    TAKAHASHI: "Takahashi, Saleh, Penn and Hatsopoulos, Frontiers in Human Neuroscience 5 (2011) 40",
    DAVIS: "Davis, Muller, Martinez-Trujillo, Sejnowski and Reynolds, Nature 587 (2020) 432-436",
    ZHANG: "Zhang, Watrous, Patel and Jacobs, Neuron 98 (2018) 1269-1281",
    ALEXANDER: "Alexander et al., PLoS ONE 11 (2016) e0148413",
}


@dataclass(frozen=True)
class Measured:
    """A range that was measured.

    Attributes:
        quantity: "speed", "frequency" or "wavelength".
        low: in SI units.
        high: in SI units.
        where: in which cortex, or which band.
        how: in which signal, or how it was computed.
        source: a key of `SOURCES`, or "convention".
    """

    quantity: str
    low: float
    high: float
    where: str
    how: str
    source: str

    @property
    def unit(self) -> str:
        """Of both ends."""
        return {"speed": "m/s", "frequency": "Hz", "wavelength": "m"}[self.quantity]

    def says(self, value: float) -> str:
        """Say where a value is.

        Example:
            >>> MESOSCOPIC.says(0.3), MESOSCOPIC.says(2.0), MESOSCOPIC.says(0.02)
            ('inside', '2.5 x above', '5 x below')
        """
        if not value > 0:
            return "-"
        if self.low <= value <= self.high:
            return "inside"
        return f"{value / self.high:.2g} x above" if value > self.high else f"{self.low / value:.2g} x below"


MESOSCOPIC = Measured("speed", 0.1, 0.8, "within one area", "review, about; mesoscopic waves", MULLER)
RANGES = (
    MESOSCOPIC,
    Measured("speed", 0.1, 0.35, "motor cortex", "local field potentials of monkeys and a human, 15-30 Hz", TAKAHASHI),
    Measured("speed", 0.1, 0.6, "marmoset area MT", "local field potentials, 5-40 Hz, about", DAVIS),
    Measured("speed", 0.25, 0.75, "human neocortex", "electrocorticography, 2-15 Hz", ZHANG),
    Measured("speed", 1.0, 10.0, "across cortex", "review, about; macroscopic waves", MULLER),
    Measured("speed", 0.06, 4.0, "human, outside", "magnetoencephalography, rising from delta to beta", ALEXANDER),
    Measured("frequency", 8.0, 12.0, "alpha band", "", CONVENTION),
    Measured("frequency", 13.0, 30.0, "beta band", "", CONVENTION),
    Measured("wavelength", 0.1 / 30, 0.35 / 15, "motor cortex", "computed: speed over frequency", TAKAHASHI),
    Measured("wavelength", 0.25 / 15, 0.75 / 2, "human neocortex", "computed: speed over frequency", ZHANG),
)
BANDS_HZ = {"alpha, 10 Hz": 10.0, "beta, 20 Hz": 20.0}  # the frequencies that a network is asked to carry
