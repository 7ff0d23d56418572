"""What a stimulator's pulses are: everything about a stimulus but its amplitude, and the charge that follows.

A pulse has two phases of opposite sign; the second takes back the charge of the first. With amplitude *I* and phase
width *w*, a phase carries :math:`Q = I w`; on an electrode of area *A* that is a density :math:`D = Q / A`. Tissue is
hurt by both together: Shannon's line [1]_ is :math:`k = \\log_{10} D + \\log_{10} Q` with *D* in µC/cm² and *Q* in µC
a phase. It was drawn through electrodes of 0.2 mm² and more [2]_; below, tissue is hurt by other rules [3]_.

References
----------
.. [1] Shannon (1992) A model of safe levels for electrical stimulation. IEEE Trans Biomed Eng 39:424.
.. [2] McCreery, Agnew, Yuen & Bullara (1990) IEEE Trans Biomed Eng 37:996.
.. [3] Cogan, Ludwig, Welle & Takmakov (2016) J Neural Eng 13:021001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bmi.errors import ContractError

MACRO_MM2 = 0.2
"""Smallest electrode to which Shannon's line applies, mm²: the smallest it was drawn through."""
MM2_PER_CM2 = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusProgram:
    """The pulses a stimulator gives; fixed while it is open. Only their amplitude is commanded.

    Raises
    ------
    ContractError
        If a value is not finite or out of range, or pulses would overlap.
    """

    frequency_hz: float
    """Pulses a second."""
    pulse_us: float
    """Duration of the first phase, µs."""
    electrode_area_mm2: float | None = None
    """Geometric area of the contact, mm²; None if it is not known."""
    gap_us: float = 0.0
    """Time between the phases, µs."""
    recharge_us: float | None = None
    """Duration of the second phase, µs, whose amplitude follows from the charge; None: the first phase mirrored."""
    polarity: Literal["cathodic", "anodic"] = "cathodic"
    """Sign of the first phase: cathodic takes current out of the tissue."""
    imbalance: float = 0.0
    """Share of the first phase's charge that the second does not take back, as the stimulator's maker states it."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("frequency_hz", self.frequency_hz, 0.0),
            ("pulse_us", self.pulse_us, 0.0),
            ("electrode_area_mm2", self.electrode_area_mm2, 0.0),
            ("recharge_us", self.recharge_us, 0.0),
            ("gap_us", self.gap_us, -1.0),
        ):
            if value is not None and not (math.isfinite(value) and value > least and value >= 0.0):
                above = "above 0" if least == 0.0 else "from 0 up"
                raise ContractError(f"stimulus program: {name}: expected a finite number {above}, given {value!r}")
        if not 0.0 <= self.imbalance <= 1.0:
            raise ContractError(f"stimulus program: imbalance is a share, 0 to 1, given {self.imbalance!r}")
        if self.polarity not in ("cathodic", "anodic"):
            raise ContractError(f"stimulus program: polarity is 'cathodic' or 'anodic', given {self.polarity!r}")
        if self.duration_us * self.frequency_hz > 1e6:
            raise ContractError(
                f"stimulus program: a pulse of {self.duration_us:g} µs does not fit {self.frequency_hz:g} times into a "
                "second; lower frequency_hz or shorten the phases"
            )

    @property
    def duration_us(self) -> float:
        """From the beginning of the first phase to the end of the second, µs."""
        return self.pulse_us + self.gap_us + (self.pulse_us if self.recharge_us is None else self.recharge_us)

    @property
    def duty(self) -> float:
        """Share of the time under current while it is on."""
        return (self.duration_us - self.gap_us) * self.frequency_hz * 1e-6

    @property
    def macro(self) -> bool:
        """Whether Shannon's line applies to the contact."""
        return self.electrode_area_mm2 is not None and self.electrode_area_mm2 >= MACRO_MM2

    def charge_uc(self, amplitude_ma: float) -> float:
        """Return the charge of a phase, µC."""
        return amplitude_ma * self.pulse_us * 1e-3

    def density_uc_cm2(self, amplitude_ma: float) -> float:
        """Return the charge of a phase on the contact's area, µC/cm²; NaN if the area is not known."""
        area = self.electrode_area_mm2
        return math.nan if area is None else self.charge_uc(amplitude_ma) * MM2_PER_CM2 / area

    def shannon_k(self, amplitude_ma: float) -> float:
        """Return Shannon's k; minus infinity without current, NaN if the area is not known."""
        charge, density = self.charge_uc(amplitude_ma), self.density_uc_cm2(amplitude_ma)
        if charge <= 0.0 or density <= 0.0:  # also where an amplitude is too small for its charge to be a number
            return -math.inf
        return math.log10(density) + math.log10(charge)

    def power_uw(self, amplitude_ma: float, impedance_ohm: float) -> float:
        """Return the mean electrical power of both phases, µW: :math:`I^2 R w f (1 + w / w_2)`.

        The first phase alone is the total electrical energy delivered per second of Koss et al. (2005) Mov Disord
        20:1651.
        """
        second = self.pulse_us if self.recharge_us is None else self.recharge_us
        widths_us = self.pulse_us * (1.0 + self.pulse_us / second)
        return amplitude_ma * amplitude_ma * impedance_ohm * widths_us * 1e-6 * self.frequency_hz
