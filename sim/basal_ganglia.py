"""Basal ganglia and thalamus: what the loss of dopamine does to a relay, and what a stimulator gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim import _basal_ganglia_kernels as cells
from sim import _relay_kernels as relay
from sim.component import Noise, Port, checked, whole_steps

N = cells.N
NUCLEI = ("thalamus", "stn", "gpe", "gpi")
"""In the order of the spikes' indices, ten cells each."""
VARIABLES = {
    **{f"thalamus.{k}": cells.TH_V + 12 * i for i, k in enumerate(("v_mv", "h", "r"))},
    **{f"stn.{k}": cells.STN_V + 12 * i for i, k in enumerate(("v_mv", "n", "h", "r", "ca", "c", "s", "z"))},
    **{f"gpe.{k}": cells.GP_V + 20 * i for i, k in enumerate(("v_mv", "n", "h", "r", "ca", "s"))},
    **{f"gpi.{k}": cells.GP_V + 10 + 20 * i for i, k in enumerate(("v_mv", "n", "h", "r", "ca", "s"))},
    "gpi.z": cells.GPI_Z,
}
"""Where the ten values of each variable begin in the state: voltages, gates, calcium, synapses made."""
RESTING = {
    "thalamus": {"h": (-41.0, 4.0), "r": (-84.0, 4.0)},
    "stn": {"n": (-32.0, -8.0), "h": (-39.0, 3.1), "r": (-67.0, 2.0), "c": (-20.0, -8.0)},
    "gpe": {"n": (-50.0, -14.0), "h": (-58.0, 12.0), "r": (-70.0, 2.0)},
    "gpi": {"n": (-50.0, -14.0), "h": (-58.0, 12.0), "r": (-70.0, 2.0)},
}
"""Voltage at which a gate is half open at rest and how steeply it closes, mV."""
DT_LIMIT_S = 25e-6
SMC_HZ, SMC_LIMIT_HZ, SMC_LIMIT_SCALE = 14.0, 40.0, 10.0
"""The cortex's mean rate; above 40 Hz pulses come within the 25 ms in which the last may still be relayed."""


@dataclass(kw_only=True)
class BasalGanglia:
    """Ten cells each of thalamus (TH), subthalamus (STN), external and internal pallidum (GPe, GPi) [1]_.

    Cells have the Hodgkin–Huxley-type membranes of Rubin and Terman [2]_: sodium, potassium, T- and high-threshold
    calcium and calcium-activated potassium currents. GPe inhibits STN, itself and GPi, STN excites both pallidal
    segments, each from two neighbours on a ring; each GPi cell inhibits one thalamic cell, which is to relay the pulses
    that sensorimotor cortex sends it: one spike a pulse. Loss of dopamine lowers the applied currents of STN, GPe and
    GPi; the pallidum bursts and the relay fails. Current injected into the STN at 100 Hz and above restores it.

    The stimulus is a monophasic current density into the model cell, as published: a stand-in for what an electrode's
    charge-balanced pulse does to the membrane, not what the electrode delivers. A research model, no dosing advice.

    Parameters
    ----------
    name : str
    dt_s : float
        Step of the explicit Euler method, a whole part of 1 ms; published with 0.01 ms. At 0.025 ms, the most taken,
        every published figure is met as well.
    dbs_limit_ua_cm2, dbs_limit_hz, dbs_limit_s : float
        Caps of the stimulator.

    Notes
    -----
    Inputs: ``dopamine_loss`` 0 (healthy) to 1; ``dbs`` (amplitude, rate, width), all zero at first; ``smc_rate_hz``
    and ``smc_scale`` of the cortex, 14 and 1 at first. The stimulator's phase goes on when rate or amplitude change.

    Outputs: ``spikes``, events whose index is nucleus * 10 + cell (``NUCLEI``), a spike being an upward crossing of
    -10 mV, -40 mV in the thalamus; ``smc``, events of the cortex's pulses; ``thalamus_mv`` (10,) and ``gpi_synapse``,
    the mean synaptic activation GPi gives the thalamus, both at 1 kHz. ``sim.relay`` makes figures of them.

    References
    ----------
    .. [1] So, Kent & Grill (2012) Relative contributions of local cell and passing fiber activation and silencing to
       changes in thalamic fidelity during deep brain stimulation and lesioning. J Comput Neurosci 32: 499-519;
       ModelDB 141699.
    .. [2] Rubin & Terman (2004) High frequency stimulation of the subthalamic nucleus eliminates pathological thalamic
       rhythmicity in a computational model. J Comput Neurosci 16: 211-235.
    """

    name: str = "basal_ganglia"
    """For messages and outputs; its noise depends on it."""
    dt_s: float = DT_LIMIT_S
    """Step, s."""
    dbs_limit_ua_cm2: Annotated[float, Gt(0)] = 300.0
    """Largest amplitude taken, uA/cm²; the published stimulus."""
    dbs_limit_hz: Annotated[float, Gt(0)] = 250.0
    """Highest rate taken, Hz; where implanted stimulators end."""
    dbs_limit_s: Annotated[float, Gt(0)] = 450e-6
    """Longest pulse taken, s; where implanted stimulators end."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Loss of dopamine, stimulator, cortex."""
        return (
            Port("dopamine_loss", "", about="0 healthy, 1 Parkinsonian"),
            Port("dbs", "µA/cm², Hz, s", (3,), about="amplitude, rate and width of the pulses into the subthalamus"),
            Port("smc_rate_hz", "Hz", about="mean rate of the pulses sensorimotor cortex sends to the thalamus"),
            Port("smc_scale", "", about="their amplitude, as a multiple of 3.5 µA/cm²"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Spikes, cortical pulses, thalamic voltage, pallidal output."""
        return (
            Port("spikes", "", about="nucleus * 10 + cell; nuclei: thalamus, STN, GPe, GPi"),
            Port("smc", "", about="beginnings of cortical pulses"),
            Port("thalamus_mv", "mV", (N,), 1000.0, "membrane potential of the relay cells"),
            Port("gpi_synapse", "", (), 1000.0, "mean synaptic activation from GPi to the thalamus"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second; measured."""
        return 0.06 * DT_LIMIT_S / self.dt_s

    def bind(self, seed: int) -> None:
        """Draw initial voltages, the cells' biases and the cortex's rhythm from ``seed``.

        Raises
        ------
        ContractError
            If the step is above 0.025 ms or no whole part of 1 ms.
        """
        self._check_step()
        self._noise = Noise(seed, self.name, 4 * N + N)
        self._x = np.zeros(cells.SIZE)
        self._drive = relay.Drive(*(np.zeros(n) for n in (1, 3, 1, 1, N)))
        self._clocks = relay.Clocks(np.zeros(2, np.int64), np.zeros(2), np.zeros(3))
        self._work = relay.Work(np.zeros(cells.SCRATCH), np.zeros((2, 7), np.uint64), np.zeros((4, 7), np.float32))
        self._advance = direct(relay.advance)
        self._make_room(round(GRID_S / self.dt_s))
        self.reset()
        self.step(1)
        self.reset()

    def _check_step(self) -> None:
        if self.dt_s > DT_LIMIT_S * (1.0 + 1e-9):
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s * 1e3:g} ms, expected at most 0.025 ms; explicit Euler is "
                "wrong beyond it and nothing shows it: at 0.05 ms the pallidum fires three times too fast, all values "
                "finite; give e.g. 2.5e-5"
            )
        whole_steps(self.name, self.dt_s, DT_LIMIT_S)
        n = 1e-3 / self.dt_s
        if abs(n - round(n)) > 1e-6:
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s * 1e3:g} ms, of which {n:g} make up 1 ms, the spacing of its sampled "
                f"outputs; expected a whole number: give e.g. {1e-3 / round(n):g}"
            )

    def _make_room(self, n: int) -> None:
        """Allocate outputs of ``n`` steps; a cell crosses upward in every second step at most."""
        self._room = n
        rows = round(n * self.dt_s * 1e3) + 2
        self._shown = relay.Shown(
            np.empty((4 * N * (n // 2 + 1), 2), np.int64), np.empty((n // 20 + 2, 2), np.int64),
            np.empty((rows, N), np.float32), np.empty(rows, np.float32), np.zeros(3, np.int64),
        )  # fmt: skip

    def receive(self, port: str, value: AnyArray) -> None:
        """Take ``value`` from now on.

        Raises
        ------
        ContractError
            If it is out of range: loss of dopamine outside [0, 1], negative values, stimulation over a cap.
        """
        array: F64 = checked(self, port, value)
        if port == "dopamine_loss":
            self._within(port, "", float(array), 0.0, 1.0)
            self._drive.dopamine_loss[0] = array
        elif port == "smc_rate_hz":
            self._within(port, "Hz", float(array), 0.0, SMC_LIMIT_HZ)
            self._drive.smc_rate_hz[0] = array
        elif port == "smc_scale":
            self._within(port, "", float(array), 0.0, SMC_LIMIT_SCALE)
            self._drive.smc_scale[0] = array
        else:
            limits = (self.dbs_limit_ua_cm2, self.dbs_limit_hz, self.dbs_limit_s)
            names = ("dbs_limit_ua_cm2", "dbs_limit_hz", "dbs_limit_s")
            for v, limit, cap in zip(array.tolist(), limits, names, strict=True):
                if v > limit:
                    raise ContractError(
                        f"{self.name}.dbs: {v:g} is over the cap {cap}, {limit:g}; lower it, or bind with another cap"
                    )
                self._within(port, "", v, 0.0, limit)
            if array[1] * array[2] >= 1.0:
                raise ContractError(f"{self.name}.dbs: pulses of {array[2]:g} s overlap at {array[1]:g} Hz")
            self._drive.dbs[:] = array

    def _within(self, port: str, unit: str, value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            raise ContractError(f"{self.name}.{port}: expected {low:g} to {high:g} {unit}, given {value:g}".rstrip())

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; returns spikes, cortical pulses, thalamic voltage, pallidal output; borrowed."""
        if n > self._room:
            self._make_room(n)
        out = self._shown
        self._advance(
            self._x, self._drive, self._clocks, self._noise.key, 1e3 * self.dt_s, n, self._work, out
        )
        spikes, pulses, rows = (int(k) for k in out.found)
        return out.spikes[:spikes], out.pulses[:pulses], out.thalamus_mv[:rows], out.gpi_synapse[:rows]

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by nucleus and variable."""
        found: dict[str, AnyArray] = {k: self._x[i : i + N] for k, i in VARIABLES.items()}
        for part, group in (("drive", self._drive), ("clock", self._clocks)):
            found |= {f"{part}.{k}": v for k, v in group._asdict().items() if k != "bias"}
        return found

    def reset(self) -> None:
        """Start anew, healthy and unstimulated, from the voltages ``bind`` drew."""
        drawn = self._noise.normal(0, 0).astype(np.float64)
        for array in (*self._clocks, *self._drive):
            array[:] = 0
        self._drive.smc_rate_hz[0], self._drive.smc_scale[0] = SMC_HZ, 1.0
        self._drive.bias[:] = 2.0 * drawn[4 * N :]
        self._x[:] = -62.0
        for k, nucleus in enumerate(NUCLEI):
            start = VARIABLES[f"{nucleus}.v_mv"]
            self._x[start : start + N] += 5.0 * drawn[k * N : (k + 1) * N]
        rest(self._x)
        self._clocks.dbs[0] = 1.0
        self._clocks.smc[1] = relay.cycle(self._noise.key, 0, self._work.words, self._work.four)
        self._clocks.count[1] = 1


def rest(x: F64) -> None:
    """Set gates in the state ``x`` to what they tend to at its voltages, calcium to 0.1, synapses to nothing."""
    for name, start in VARIABLES.items():
        nucleus, variable = name.split(".")
        v = x[VARIABLES[f"{nucleus}.v_mv"] :][:N]
        if variable in RESTING[nucleus]:
            half, slope = RESTING[nucleus][variable]
            x[start : start + N] = 1.0 / (1.0 + np.exp((v - half) / slope))
        elif variable != "v_mv":
            x[start : start + N] = 0.1 if variable == "ca" else 0.0
