"""Stimulation drawn: pulses, the potential around a contact, and what it takes to excite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.pictures import COLOURS, grid, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stimulation(figure: Figure, seed: int) -> str:
    """A balanced pulse on two sampling grids, a point source, Weiss curves and the Shannon limit."""
    from sim.excitability import StrengthDuration
    from sim.fields import point_source_mv
    from sim.stimulation import Contact, Pulse, PulseTrain

    axes = grid(figure, 2, 2)
    pulse = Pulse(amplitude_ua=100.0, width_s=2.5e-4, gap_s=1e-4)
    train = PulseTrain(contact=Contact(area_cm2=0.06), pulse=pulse, rate_hz=130.0, duration_s=0.1)
    for dt, colour in ((1e-5, COLOURS[0]), (1e-4, COLOURS[1])):
        n = round(1e-3 / dt)
        t = np.arange(n) * dt * 1e3
        axes[0].step(t, train.current(0.0, n, dt), where="post", color=colour, label=f"{1e3 * dt:g} ms")
    axes[0].legend(frameon=False, fontsize=8, title="sampled each", title_fontsize=8)
    label(axes[0], "a balanced pulse: the charge of every phase is exact", "time, ms", "µA")
    r = np.geomspace(10.0, 5000.0, 100)
    axes[1].loglog(r, [point_source_mv(1.0, float(d)) for d in r], color=COLOURS[0])
    label(axes[1], "potential around a point source of 1 µA, 0.3 S/m", "distance, µm", "mV")
    width = np.geomspace(2e-5, 5e-3, 100)
    for chronaxie, colour in zip((5e-5, 2e-4, 7e-4), COLOURS, strict=False):
        curve = StrengthDuration(1.0, chronaxie, 1.0)
        axes[2].loglog(1e3 * width, curve.threshold(width), color=colour, label=f"chronaxie {1e6 * chronaxie:.0f} µs")
    axes[2].legend(frameon=False, fontsize=8)
    label(axes[2], "strength and duration (Weiss)", "pulse width, ms", "threshold / rheobase")
    charge = np.geomspace(0.01, 100.0, 100)
    for k, colour in ((1.5, COLOURS[1]), (1.0, COLOURS[2])):
        axes[3].loglog(charge, 10**k / charge, color=colour, label=f"k = {k:g}")
    axes[3].legend(frameon=False, fontsize=8)
    label(axes[3], "Shannon limit of macro-electrodes: above 1.5 nothing is put out", "charge a phase, µC", "µC/cm²")
    return "stimulation: balanced pulses, their field, their thresholds and their limit"
