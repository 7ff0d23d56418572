"""What may leave a stimulator: pulses whose charge returns, trains of them, and the limits of the contact they pass.

A pulse has two phases of opposite sign; the second takes back the charge of the first. What is measured and
refused beyond its limit, before a single sample exists: the charge that does not return, amplitude, charge per phase
Q, charge density D, rate, share of time under current, and for macro-electrodes Shannon's k = log10 D + log10 Q
(D in µC/cm², Q in µC, a phase) [1]_. Shannon's line was drawn through electrodes of 0.002 to 0.5 cm² [2]_; below,
tissue is hurt by other rules [3]_, so a smaller contact brings caps of its own.

A sample is the mean current between its two ends, not the current at an instant: whatever the sampling, the samples of
a pulse hold the charge of the pulse. Positive current leaves the contact; a first phase below zero is cathodic.

References
----------
.. [1] Shannon (1992) A model of safe levels for electrical stimulation. IEEE Trans Biomed Eng 39:424.
.. [2] McCreery, Agnew, Yuen & Bullara (1990) IEEE Trans Biomed Eng 37:996.
.. [3] Cogan, Ludwig, Welle & Takmakov (2016) J Neural Eng 13:021001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64

IMBALANCE = 0.01
"""Share of a phase's charge that may stay in the tissue."""
SHANNON_K = 1.5
MACRO_CM2 = 0.002
"""Smallest contact to which Shannon's line applies, cm²: the smallest it was drawn through."""


class UnsafeStimulus(ContractError):
    """A stimulus is beyond a limit; nothing was put out.

    Parameters
    ----------
    where, rule : str
        Whose stimulus, and name of the rule.
    measured, limit : float
        What the stimulus would do against what is allowed, in ``unit``.
    unit, remedy : str
    """

    def __init__(self, where: str, rule: str, measured: float, limit: float, unit: str, remedy: str) -> None:
        self.rule, self.measured, self.limit, self.unit = rule, measured, limit, unit
        super().__init__(
            f"{where}: {rule} is {measured:.6g} {unit}".rstrip()
            + f", limit {limit:.6g} {unit}".rstrip()
            + f"; nothing was put out. {remedy}"
        )


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What a contact may pass; all of it said, none by default."""

    amplitude_ua: Annotated[float, Gt(0)]
    """Largest current of either phase, µA."""
    charge_uc: Annotated[float, Gt(0)]
    """Largest charge of a phase, µC."""
    density_uc_cm2: Annotated[float, Gt(0)]
    """Largest charge of a phase on the area of the contact, µC/cm²."""
    rate_hz: Annotated[float, Gt(0)]
    """Highest rate of pulses, Hz."""
    duty: Annotated[float, Gt(0)]
    """Largest share of time under current, at most 1."""

    def __post_init__(self) -> None:
        for name in ("amplitude_ua", "charge_uc", "density_uc_cm2", "rate_hz", "duty"):
            number(f"Caps.{name}", getattr(self, name), above=0.0)
        if self.duty > 1.0:
            raise ContractError(f"Caps.duty: expected a share of time, at most 1, given {self.duty:g}")


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Two phases of opposite sign with a gap between.

    Without ``second_ua`` and ``second_width_s`` the second phase mirrors the first; with one of them the other
    follows from the charge; with both, the charge that would stay in the tissue is measured.

    Raises
    ------
    ContractError
        If a value is not finite or a width not positive, or both phases have the same sign.
    UnsafeStimulus
        If more than 1 % of the charge of the first phase would not return.
    """

    amplitude_ua: float
    """Current of the first phase, µA; below zero it is cathodic."""
    width_s: Annotated[float, Gt(0)]
    """Duration of the first phase, s."""
    gap_s: Annotated[float, Ge(0)] = 0.0
    """Time between the phases, s."""
    second_ua: float | None = None
    """Current of the second phase, µA, of the other sign."""
    second_width_s: Annotated[float, Gt(0)] | None = None
    """Duration of the second phase, s."""

    def __post_init__(self) -> None:
        number("Pulse.amplitude_ua", self.amplitude_ua)
        number("Pulse.width_s", self.width_s, above=0.0)
        number("Pulse.gap_s", self.gap_s, least=0.0)
        if self.second_width_s is not None:
            number("Pulse.second_width_s", self.second_width_s, above=0.0)
        if self.second_ua is not None:
            number("Pulse.second_ua", self.second_ua)
            if self.second_ua * self.amplitude_ua > 0.0 or (self.second_ua == 0.0) != (self.amplitude_ua == 0.0):
                raise ContractError(
                    f"Pulse.second_ua: expected the sign opposite to amplitude_ua = {self.amplitude_ua:g} µA, "
                    f"given {self.second_ua:g} µA; leave it out, and it follows from the charge"
                )
        if self.imbalance > IMBALANCE * (1.0 + 1e-9):
            raise UnsafeStimulus(
                "Pulse", "charge that does not return", 100.0 * self.imbalance, 100.0 * IMBALANCE, "%",
                "Leave out second_ua or second_width_s, and it follows from the charge.",
            )  # fmt: skip

    @property
    def phases(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(current µA, duration s) of both phases."""
        a, w, second, width = self.amplitude_ua, self.width_s, self.second_ua, self.second_width_s
        if second is None:
            width = w if width is None else width
            second = -a * (w / width)
        elif width is None:
            width = w * abs(a / second) if second else w
        return (a, w), (second, width)

    @property
    def charges_uc(self) -> tuple[float, float]:
        """Charge of both phases, µC."""
        (a, w), (b, v) = self.phases
        return a * w, b * v

    @property
    def imbalance(self) -> float:
        """Share of the first phase's charge that does not return."""
        first, second = self.charges_uc
        return abs(first + second) / abs(first) if first else 0.0

    @property
    def duration_s(self) -> float:
        """From the beginning of the first phase to the end of the second, s."""
        (_, w), (_, v) = self.phases
        return w + self.gap_s + v

    def charge(self, t_s: F64) -> F64:
        """Return the charge that has passed up to ``t_s`` after the onset, µC; any shape."""
        (a, w), (b, v) = self.phases
        return a * np.clip(t_s, 0.0, w) + b * np.clip(t_s - (w + self.gap_s), 0.0, v)


@dataclass(frozen=True, kw_only=True)
class Contact:
    """The surface of an electrode through which current passes.

    Raises
    ------
    ContractError
        If a contact too small for Shannon's line comes without caps.
    """

    area_cm2: Annotated[float, Gt(0)]
    """Geometric area, cm²; 2000 µm² are 2e-5 cm²."""
    caps: Caps | None = None
    """Limits beside Shannon's; required below ``MACRO_CM2``."""

    def __post_init__(self) -> None:
        number("Contact.area_cm2", self.area_cm2, above=0.0)
        if not self.macro and self.caps is None:
            raise ContractError(
                f"Contact: {self.area_cm2:g} cm² is a micro-electrode (below {MACRO_CM2:g} cm², where Shannon's line "
                "says nothing); expected caps of its own, given none: say what tissue and metal bear (Caps)"
            )

    @property
    def macro(self) -> bool:
        """Whether Shannon's line applies."""
        return self.area_cm2 >= MACRO_CM2

    def shannon_k(self, charge_uc: float) -> float:
        """Return k of ``charge_uc`` µC a phase; minus infinity without charge."""
        return math.log10(charge_uc / self.area_cm2) + math.log10(charge_uc) if charge_uc > 0.0 else -math.inf

    def check(self, pulse: Pulse, rate_hz: float, *, where: str = "Contact") -> None:
        """Return if ``pulse`` may pass at ``rate_hz``; ``where`` begins the message if not.

        Raises
        ------
        UnsafeStimulus
            Naming the rule, what was measured and the limit.
        """
        (a, w), (b, v) = pulse.phases
        charge = max(abs(q) for q in pulse.charges_uc)
        less = "Take less current or shorter phases."
        rules = [("duration of a pulse", pulse.duration_s * rate_hz, 1.0, "of the period", "Lower the rate.")]
        if (caps := self.caps) is not None:
            density, duty = charge / self.area_cm2, (w + v) * rate_hz * bool(a)
            rules += [
                ("amplitude", max(abs(a), abs(b)), caps.amplitude_ua, "µA", "Take less current."),
                ("charge per phase", charge, caps.charge_uc, "µC", less),
                ("charge density", density, caps.density_uc_cm2, "µC/cm²", f"{less[:-1]}, or a larger contact."),
                ("rate", rate_hz, caps.rate_hz, "Hz", "Lower the rate."),
                ("duty", duty, caps.duty, "of the time", "Lower the rate or shorten the phases."),
            ]
        if self.macro:
            rules += [("Shannon k", self.shannon_k(charge), SHANNON_K, "", f"{less[:-1]}, or a larger contact.")]
        for rule, measured, limit, unit, remedy in rules:
            if measured > limit + 1e-9 * abs(limit):
                raise UnsafeStimulus(where, rule, measured, limit, unit, remedy)


@dataclass(frozen=True, kw_only=True)
class PulseTrain:
    """Equal pulses at a constant rate through one contact. One that is unsafe cannot be made.

    Raises
    ------
    ContractError
        If a value is not finite or out of range, or not exactly one of ``n_pulses`` and ``duration_s`` is given.
    UnsafeStimulus
        If the contact may not pass it.
    """

    contact: Contact
    pulse: Pulse
    rate_hz: Annotated[float, Gt(0)]
    """Pulses a second."""
    n_pulses: Annotated[int, Ge(1)] | None = None
    duration_s: Annotated[float, Gt(0)] | None = None
    """Instead of their number: as many as end within this time, s."""
    start_s: Annotated[float, Ge(0)] = 0.0
    """Onset of the first, s."""

    def __post_init__(self) -> None:
        number("PulseTrain.rate_hz", self.rate_hz, above=0.0)
        number("PulseTrain.start_s", self.start_s, least=0.0)
        if (self.n_pulses is None) == (self.duration_s is None):
            raise ContractError(
                f"PulseTrain: expected n_pulses or duration_s, given {self.n_pulses} and {self.duration_s}; give one"
            )
        if self.duration_s is not None:
            number("PulseTrain.duration_s", self.duration_s, least=self.pulse.duration_s)
        elif self.n_pulses is not None:
            number("PulseTrain.n_pulses", self.n_pulses, least=1)
            if self.n_pulses != int(self.n_pulses):
                raise ContractError(f"PulseTrain.n_pulses: expected a whole number, given {self.n_pulses:g}")
        self.contact.check(self.pulse, self.rate_hz, where="PulseTrain")

    @property
    def n(self) -> int:
        """How many pulses there are."""
        if self.duration_s is None:
            return int(self.n_pulses or 0)
        return math.floor((self.duration_s - self.pulse.duration_s) * self.rate_hz + 1e-9) + 1

    def charge(self, t_s: F64) -> F64:
        """Return the charge that has passed up to ``t_s``, µC; any shape."""
        k = np.clip(np.floor((t_s - self.start_s) * self.rate_hz), 0.0, self.n - 1.0)
        since = t_s - self.start_s - k / self.rate_hz
        first, second = self.pulse.charges_uc
        return self.pulse.charge(since) + k * (first + second)

    def current(self, t0_s: float, n: int, dt_s: float) -> F64:
        """Return ``n`` samples from ``t0_s`` on, (n,) float64, µA: the mean current of each ``dt_s``.

        The same bits whatever the call they are asked for in, because a sample is known by its number.

        Raises
        ------
        ContractError
            If ``dt_s`` is not positive or ``t0_s`` no whole number of samples.
        """
        number("PulseTrain.current: dt_s", dt_s, above=0.0)
        number("PulseTrain.current: t0_s", t0_s)
        k0 = round(t0_s / dt_s)
        if abs(t0_s / dt_s - k0) > 1e-6:
            raise ContractError(
                f"PulseTrain.current: t0_s is {t0_s:g} s, {t0_s / dt_s:g} samples of {dt_s:g} s; "
                "expected a whole number"
            )
        return np.diff(self.charge(np.arange(k0, k0 + n + 1) * dt_s)) / dt_s


def number(what: str, value: float, *, least: float = -math.inf, above: float = -math.inf) -> None:
    """Raise ContractError unless ``value`` is finite, at least ``least`` and above ``above``."""
    if not (math.isfinite(value) and value >= least and value > above):
        limit = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
        raise ContractError(f"{what}: expected a finite number{limit}, given {value!r}")
