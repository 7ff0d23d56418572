"""A plug-in for tests: a participant with a deep lead, whose beta oscillation wanes while it is stimulated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi.signals import F32, StreamSpec
from bmi.stimulus import StimulusProgram
from sim.world import PopulationWorld

RELIEF_MA, TAU_S = 1.0, 0.2


@dataclass(kw_only=True)
class BetaWorld(PopulationWorld):
    """Neurons of motor cortex, and a field ``bg`` of one 20 Hz oscillation in noise; one site, ``stn``.

    The oscillation has 20 µV, and ``exp(-mA)`` of that under current, which it approaches with 0.2 s.
    """

    beta_uv: float = 20.0
    """Its amplitude without stimulation."""

    @property
    def specs(self) -> tuple[StreamSpec, ...]:
        field = StreamSpec(name="bg", type="lfp", n_channels=1, rate_hz=500.0, unit="µV", max_samples=5)
        return self.spec, field

    @property
    def sites(self) -> tuple[str, ...]:
        return ("stn",)

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        super().bind(rng, t0)
        self.noise = np.random.default_rng(5)
        self.k, self.share, self.ma = 0, 1.0, 0.0
        self.felt: list[tuple[float, str, float, StimulusProgram]] = []

    def stimulate(self, t: float, site: str, amplitude_ma: float, program: StimulusProgram) -> None:
        if amplitude_ma != self.ma:
            self.felt.append((t, site, amplitude_ma, program))
        self.ma = amplitude_ma

    def draw_from(self, stream: int, n_samples: int) -> F32:
        if stream == 0:
            return self.draw(n_samples)
        out = np.empty((n_samples, 1), np.float32)
        for i in range(n_samples):
            self.share += (np.exp(-self.ma / RELIEF_MA) - self.share) / (500.0 * TAU_S)
            self.k += 1
            out[i] = self.share * self.beta_uv * np.sin(2 * np.pi * 20.0 * self.k / 500.0) + self.noise.normal()
        return out


def install(place: Path) -> str:
    """Write what an installed plug-in leaves behind; return the PYTHONPATH that makes it one."""
    info = place / "beta-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[bmi.worlds]\nbeta = beta_world:BetaWorld\n\n[bmi.controllers]\nfollow = therapy_rig:Follow\n"
    )
    return f"{place}:{Path(__file__).parent}"
