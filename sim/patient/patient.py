"""VP-01: one seed, one set of slow parameters, one clock, from ion channels to what sensors record.

What is intended drives the tissue as far as the thalamus relays; the tissue's spikes stand for one region of the
brain; what that brain sends there drives the tissue. Sodium channels of fast-spiking neurons set how the tissue
answers, and with it how easily the focus seizes. Electrodes, scalp and lead see their part of all this, and nothing
else leaves the patient but by a port that says it is privileged.

=================  =========================================================================================
from               to, once in 10 ms
=================  =========================================================================================
basal ganglia      fidelity of the thalamic relay: scales what is intended before it reaches the tissue
whole brain        tissue: what its region is sent, against its usual
tissue             whole brain: rate of its region, and by its balance the excitability of the focus
intention          rhythms: movement quiets the hands' mu
stimulator         subthalamus (mA to current density), focus (mA to the Epileptor's stimulus), artefacts
=================  =========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, AnyArray
from sim import GRID_S
from sim.basal_ganglia import BasalGanglia
from sim.circuits.anatomy import Tuning
from sim.circuits.tissue import Tissue
from sim.component import Port, checked, mean
from sim.patient import theta
from sim.patient.fidelity import Fidelity
from sim.patient.implants import Implants
from sim.patient.probes import Probes
from sim.patient.pulses import Pulses
from sim.patient.whole_brain import WholeBrain
from sim.plasticity import Homeostasis

UA_CM2_PER_MA = 100.0
"""Current density at the subthalamic membranes for each mA of the lead: 3 mA are the model's 300 µA/cm²."""
PUSH_PER_MA = 1.0
"""Stimulus of the focus's Epileptor for each mA, against the seizure where the first phase is cathodic."""
FOCAL_HZ = 100.0
"""Pulses at the focus a second, of which the artefacts tell."""
TOLERANCE = 0.15
"""Logarithm of the ratio of rates that does nothing: chance and movement change it by less."""
ACTIVE_HZ = 1.0
"""A neuron that fires less at rest is not found by an electrode."""
SCALING = Homeostasis(target_hz=1.0, tau_scaling_s=6 * 3600.0)
"""Synapses scale within hours, as in culture. Within minutes, as where the tissue is alone on the bench, they would
undo the tuning of a person who moves a lot, and a frozen decoder would fail within ten minutes."""
TISSUE = ("nav11", "ampa", "nmda", "gaba", "gaba_decay")
BRAIN = ("amyloid", "tau", "lesion", "mu_amplitude")
IMPLANT = ("survival", "snr", "impedance", "dead", "turnover")
N_MS = 10


@dataclass(kw_only=True)
class Patient:
    """The whole patient as a component.

    Computes whole blocks of 10 ms and hands out what of them is asked for, so any number of steps may be taken; inputs
    take effect with the next block.

    *Realtime*: ``step`` of 10 ms takes some 3 ms of one core; it allocates what it returns.
    """

    name: str = "vp01"
    subject: int = 1
    """Number of the participant: circuit, connectome and implants are the same in every session."""
    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions of the movement."""
    tissue: Tissue = field(
        default_factory=lambda: Tissue(tuning=Tuning(topography=0.9, topography_um=1200.0), homeostasis=SCALING)
    )
    ganglia: BasalGanglia | None = field(default_factory=BasalGanglia)
    """None: a relay that is always faithful."""
    brain: WholeBrain = field(default_factory=WholeBrain)
    implants: Implants = field(default_factory=Implants)
    probes: Probes | None = field(default_factory=Probes)
    """Cells with dendrites among the tissue's; None leaves them out."""
    heard_mv_per_hz: Annotated[float, Ge(0)] = 0.02
    """How strongly the tissue's region is driven by what it is sent: see ``Tissue.mass_mv_per_hz``."""
    excitable: Annotated[float, Ge(0)] = 0.45
    """Rise of the focus's x0 when excitatory cells of the tissue fire e times more, against the inhibitory, than they
    should. Cells whose sodium is at 0.65 then take a silent focus across the threshold of seizures. A choice of
    scenario."""
    excitable_s: Annotated[float, Gt(0)] = 3.0
    """Time constant with which it follows, s."""
    dt_s: float = 0.001

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """Intention, stimulation, and every slow parameter; settled by ``bind``."""
        regions = (self.brain.n_regions,)
        slow = [Port(k, v.unit, regions if v.per_region else (), about=v.about) for k, v in theta.THETA.items()]
        return (
            Port("velocity", "mm/s", (self.n_dims,), about="intended"),
            Port("click", "", about="1 while one is intended"),
            Port("reward", "", about="better (positive) or worse than expected"),
            Port("stn", "mA, Hz, s", (3,), about="amplitude, rate and width of pulses into the subthalamus"),
            Port("focus", "mA", about="amplitude at the focus; above zero cathodic first"),
            *slow,
        )

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """What sensors measure, then the truth, which is privileged; settled by ``bind``."""
        n = self.implants
        return (
            Port("spikes", "count", (n.n_spikes,), 1000.0, "threshold crossings", sensed=True),
            Port("lfp", "µV", (n.n_lfp,), 1000.0, "field in motor cortex", sensed=True),
            Port("eeg", "µV", (n.n_eeg,), n.eeg_rate_hz, "scalp, average reference", sensed=True),
            Port("field", "µV", (1,), 1000.0, "field at the lead in the basal ganglia", sensed=True),
            Port("fidelity", "", (), 100.0, "of the thalamic relay"),
            Port("vigour", "mm/s", (self.n_dims,), 100.0, "what of the intended velocity reaches the tissue"),
            Port("rates", "Hz", (2,), 100.0, "mean over the tissue's excitatory, over its inhibitory neurons"),
            Port("regions", "Hz", (self.brain.n_regions,), 100.0, "rates of the masses"),
            Port("seizing", "", (1 + self.brain.recruited,), 100.0, "how far the focus and its neighbours seize"),
            Port("x0", "", (), 100.0, "excitability of the focus, as the tissue makes it"),
            Port("probes", "mV", (self._n_probes,), 1000.0, "membrane potential of the cells with dendrites"),
        )

    def labels(self, output: str) -> tuple[str, ...]:
        """Return the channel labels of a sensor's output."""
        return self.implants.labels(output)

    @property
    def _n_probes(self) -> int:
        return 0 if self.probes is None else self.probes.n_cells

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        total = self.tissue.cost + 0.06
        total += 0.0 if self.ganglia is None else self.ganglia.cost
        return total + (0.0 if self.probes is None else self.probes.cost)

    def bind(self, seed: int) -> None:
        """Draw the session's noise from ``seed`` and the body from ``subject``; compile.

        Raises
        ------
        ContractError
            Whatever a part refuses.
        """
        if self.dt_s != 0.001:
            raise ContractError(f"{self.name}: dt_s is {self.dt_s:g} s, expected 0.001: parts have steps of their own")
        for settled in ("inputs", "outputs"):  # what is asked for many times a block is made once
            self.__dict__.pop(settled, None)
        self._tissue = replace(
            self.tissue, name=f"{self.name} tissue", n_dims=self.n_dims, subject=self.subject,
            mass_mv_per_hz=self.heard_mv_per_hz,
        )  # fmt: skip
        self._tissue.bind(seed)
        anatomy = self._tissue.anatomy_
        self._n_exc = anatomy.n_exc
        at_rest = anatomy.baselines_hz
        self._rates_hz: F64 = np.array([at_rest[: anatomy.n_exc].mean(), at_rest[anatomy.n_exc :].mean()])
        self._rest_hz = float(self._rates_hz[0])
        self.brain.subject = self.subject
        self.brain.bind(seed, tissue_rest_hz=self._rest_hz, n_neurons=anatomy.n_exc)
        self.implants.bind(seed, self.subject, anatomy, self.brain.sources, np.flatnonzero(
            anatomy.baselines_hz > ACTIVE_HZ), self.brain.connectome_, self.brain.motor)  # fmt: skip
        self._fidelity = Fidelity()
        self._fidelity.bind()
        if self.ganglia is not None:
            self.ganglia.name = f"{self.name} basal ganglia"
            self.ganglia.bind(seed)
        if self.probes is not None:
            self.probes.bind(seed)
        self._stn, self._focal = Pulses(), Pulses()
        self._given = {p.name: np.zeros(p.shape) for p in self.inputs}
        self._at: AnyArray = np.zeros(1, np.int64)
        self._level: F64 = np.zeros(2)
        self._heard: F64 = np.zeros(1)
        self._rows: dict[str, F32] = {
            p.name: np.zeros((round(p.rate_hz * GRID_S), *p.shape), np.float32) for p in self.outputs
        }
        self.reset()
        self.step(N_MS)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; it counts from the next block on.

        Raises
        ------
        ContractError
            If there is no such input, shape or value do not fit, or a slow parameter is out of its sound range.
        """
        given = checked(self, port, value)
        if port in theta.THETA:
            given = theta.checked(port, given, self.brain.n_regions)
            if not np.array_equal(given, self._given[port]):
                self._turn(port, given)
        elif port == "stn" and self.ganglia is not None:
            density = np.array([UA_CM2_PER_MA * given[0], given[1], given[2]])
            self.ganglia.receive("dbs", density if given[0] else np.zeros(3))
        elif port == "focus":
            self.brain.push(-PUSH_PER_MA * float(given))
        self._given[port][...] = given

    def _turn(self, name: str, value: F64) -> None:
        """Tell the part that a slow parameter belongs to."""
        if name in TISSUE:
            self._tissue.receive(name, value)
            if name == "nav11" and self.probes is not None:
                self.probes.sodium(float(value))
        elif name in BRAIN:
            self.brain.turn(name, value)
        elif name in IMPLANT:
            self.implants.turn(name, value)
        elif name == "dopamine_loss" and self.ganglia is not None:
            self.ganglia.receive(name, value)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` ms; return what every output showed since; borrowed."""
        t = int(self._at[0])
        if n == N_MS and t % N_MS == 0:
            self._block()
            self._at[0] = t + n
            return tuple(self._rows.values())
        shown: dict[str, list[AnyArray]] = {name: [] for name in self._rows}
        end = t + n
        while t < end:
            if t % N_MS == 0:
                self._block()
            until = min(end, t - t % N_MS + N_MS)
            for name, rows in self._rows.items():
                begin, stop = (len(rows) * (k - (t - t % N_MS)) // N_MS for k in (t, until))
                shown[name].append(rows[begin:stop].copy())
            t = until
        self._at[0] = t
        return tuple(np.concatenate(rows) if len(rows) != 1 else rows[0] for rows in shown.values())

    def _block(self) -> None:
        """Compute the next 10 ms of everybody, smallest scale first, and lay it out in rows."""
        given, rows = self._given, self._rows
        wanted = given["velocity"]
        fidelity, activation = self._relay()
        vigour = fidelity * wanted
        tissue = self._tissue
        tissue.receive("velocity", vigour)
        tissue.receive("click", given["click"])
        tissue.receive("reward", given["reward"])
        tissue.receive("m1_hz", self._heard[0])
        _, counts, rates = tissue.step(round(GRID_S / tissue.dt_s))
        fired = mean(rates)
        x0 = self._excite(fired)
        movement = min(1.0, math.hypot(*vigour.tolist()) / tissue.tuning.reference_mm_s)
        shown = self.brain.advance(np.add.reduce(counts[:, : self._n_exc], axis=1), movement)
        self._heard[0] = shown.afferent_hz
        if self.probes is not None:
            rows["probes"][:] = self.probes.advance(float(mean(rates[:, 0])) - self._rest_hz)
        pulses = self._stn.take(float(given["stn"][0]), float(given["stn"][1]))
        pulses = pulses + self._focal.take(abs(float(given["focus"])), FOCAL_HZ)
        recorded = self.implants.take(counts, shown.moments, activation, pulses)
        for name, block in recorded._asdict().items():
            rows[name][:] = block
        truth = (fidelity, vigour, fired, shown.rate_hz, shown.seizing, x0)
        for name, value in zip(("fidelity", "vigour", "rates", "regions", "seizing", "x0"), truth, strict=True):
            rows[name][0] = value

    def _relay(self) -> tuple[float, AnyArray]:
        """Advance the basal ganglia; return the relay's fidelity and the activation next to the lead."""
        if self.ganglia is None:
            return 1.0, np.zeros(N_MS, np.float32)
        spikes, pulses, _, activation = self.ganglia.step(round(GRID_S / self.ganglia.dt_s))
        return self._fidelity.take(spikes, pulses), activation

    def _excite(self, fired: AnyArray) -> float:
        """Let the tissue's balance, its mean rates (2,), set how easily the focus seizes; return its x0."""
        at_rest, before = self._rates_hz.tolist(), self._level.tolist()
        if not any(before):
            before = at_rest
        follow = -math.expm1(-GRID_S / self.excitable_s)
        level = [old + follow * (new - old) for old, new in zip(before, fired.tolist(), strict=True)]
        self._level[:] = level
        exc, inh = (max(now, 1e-3) / usual for now, usual in zip(level, at_rest, strict=True))
        raised = max(0.0, math.log(exc / inh) - TOLERANCE)
        x0 = float(self._given["excitability"]) + self.excitable * raised
        self.brain.excite(x0)
        return x0

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by part and name."""
        own: dict[str, AnyArray] = {"step": self._at, "level": self._level, "heard": self._heard}
        own |= {f"input.{k}": v for k, v in self._given.items()} | {f"rows.{k}": v for k, v in self._rows.items()}
        parts = {
            "tissue": self._tissue, "brain": self.brain, "implants": self.implants, "relay": self._fidelity,
            "stn": self._stn, "focal": self._focal,
        }  # fmt: skip
        if self.ganglia is not None:
            parts["ganglia"] = self.ganglia
        if self.probes is not None:
            parts["probes"] = self.probes
        return own | {f"{p}.{k}": v for p, part in parts.items() for k, v in part.state().items()}

    def reset(self) -> None:
        """Begin anew, healthy, with what was learned forgotten."""
        for part in (self._tissue, self.brain, self.implants, self._fidelity, self._stn, self._focal, self.ganglia,
                     self.probes):  # fmt: skip
            if part is not None:
                part.reset()
        for array in (self._at, self._level, self._heard, *self._given.values(), *self._rows.values()):
            array[...] = 0
        for name, value in theta.baseline(self.brain.n_regions).items():
            self._given[name][...] = value
        self.brain.excite(float(self._given["excitability"]))
