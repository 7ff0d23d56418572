"""Networks of Wilson-Cowan, Montbrió-Pazó-Roxin and Wong-Wang masses by The Virtual Brain, connectomes made up here.

The second part lets Wong-Wang networks, each region's inhibition given, go from near the balanced state, at gains below
and above the one at which it should be lost.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

import numpy as np

if not hasattr(np, "product"):
    setattr(np, "product", np.prod)  # noqa: B010 - what this version of the simulator calls is gone from NumPy

logging.disable(logging.CRITICAL)
from store import save  # noqa: E402
from tvb.simulator import history  # noqa: E402
from tvb.simulator.lab import connectivity, coupling, integrators, models, monitors, simulator  # noqa: E402

N, MANY, SPEED = 5, 20, 4.0
TAU_MS = 10.0


# The simulator keeps the past and the weights in single precision; in double what is compared is the model alone.
history.BaseHistory.__dict__["weights"].dtype = "d"
history.SparseHistory.__dict__["nnz_weights"].dtype = "d"
for name in ("buffer", "current_state", "delayed_state"):
    history.DenseHistory.__dict__[name].dtype = "d"


def connectome(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and lengths, mm: some tracts without delay, no symmetry."""
    rng = np.random.default_rng(seed)
    weights = np.where(rng.random((n, n)) < 0.7, rng.integers(6, 65, (n, n)) / 64.0, 0.0)
    np.fill_diagonal(weights, 0.0)
    lengths = rng.uniform(0.3, 120.0, (n, n)).round(1) + 0.03
    lengths[rng.random((n, n)) < 0.15] = 0.0
    return weights, lengths


def run(model, wires, gain: float, dt: float, start: np.ndarray, n_steps: int, every: int) -> np.ndarray:
    """Return every state variable (n_rows, n_variables, n), a row each ``every`` steps, from a constant past."""
    weights, lengths = wires
    n = len(weights)
    net = connectivity.Connectivity(
        weights=weights, tract_lengths=lengths, region_labels=np.array([f"r{k}" for k in range(n)]),
        centres=np.zeros((n, 3)), speed=np.array([SPEED]),
    )  # fmt: skip
    net.configure()
    model.variables_of_interest = tuple(model.state_variables)
    sim = simulator.Simulator(
        model=model, connectivity=net, coupling=coupling.Linear(a=np.array([gain])), monitors=(monitors.Raw(),),
        integrator=integrators.HeunDeterministic(dt=dt),
        initial_conditions=np.broadcast_to(start[None, :, None, None], (1000, len(start), n, 1)).copy(),
    )  # fmt: skip
    sim.configure()
    ((_, data),) = sim.run(simulation_length=n_steps * dt)
    return data[every - 1 : n_steps : every, :, :, 0]


def wong_wang(inhibition: np.ndarray) -> models.ReducedWongWangExcInh:
    """Return the masses, coupling left to the tracts."""
    return models.ReducedWongWangExcInh(G=np.array([1.0]), J_i=inhibition)


def main() -> None:
    """Run and keep."""
    wires = connectome(N, 30)
    kept = {"weights": wires[0], "lengths_mm": wires[1], "speed_m_s": SPEED, "start": np.array([0.1, 0.05])}
    drive = np.linspace(0.5, 1.6, N)
    model = models.WilsonCowan(
        c_ee=np.array([16.0]), c_ei=np.array([12.0]), c_ie=np.array([15.0]), c_ii=np.array([3.0]), P=drive,
        a_e=np.array([1.3]), b_e=np.array([4.0]), a_i=np.array([2.0]), b_i=np.array([3.7]),
        tau_e=np.array([TAU_MS]), tau_i=np.array([TAU_MS]),
    )  # fmt: skip
    kept |= {"wilson_cowan_drive": drive, "wilson_cowan_gain": 0.5}
    kept["wilson_cowan"] = run(model, wires, 0.5, 0.2, kept["start"], 1500, 10)
    current = np.linspace(0.0, 1.0, N)
    model = models.MontbrioPazoRoxin(tau=np.array([TAU_MS]), I=current)
    kept |= {"montbrio_drive": current, "montbrio_gain": 1.0}
    data = run(model, wires, TAU_MS, 0.1, np.array([0.1 / TAU_MS, 0.05]), 3000, 20)
    kept["montbrio"] = data * np.array([TAU_MS, 1.0])[None, :, None]
    inhibition = np.linspace(0.9, 1.6, N)
    kept |= {"wong_wang_inhibition": inhibition, "wong_wang_gain": 0.4}
    kept["wong_wang"] = run(wong_wang(inhibition), wires, 0.4, 0.5, kept["start"], 2000, 10)
    rng = np.random.default_rng(31)
    weights = rng.uniform(0.5, 1.5, (MANY, MANY)) * (1.0 - np.eye(MANY))
    weights /= weights.sum(axis=1, keepdims=True)
    weights *= np.linspace(0.6, 1.4, MANY)[:, None]
    many = weights, np.zeros((MANY, MANY))
    kept |= {"many_weights": weights, "many_gains": np.linspace(0.8, 1.6, 17)}
    gate, s_i, current = balanced_state()
    lost = []
    for gain in kept["many_gains"]:
        needed = (0.382 + 0.15 * gate * (1.4 + gain * weights.sum(axis=1)) - current) / s_i
        data = run(wong_wang(needed), many, gain, 1.0, np.array([gate * 1.02, s_i]), 30000, 30000)[-1, 0]
        lost.append(data / (64.1e-3 * (1.0 - data)))
    kept["many_rates_hz"] = np.array(lost)
    about = "past in double precision; Heun; Wilson-Cowan dt 0.2, Montbrió 0.1, every 2 ms; Wong-Wang dt 0.5, every "
    about += "5 ms; rates 30 s after a push of 2 % from the balanced state"
    save("tvb_mean_fields", f"tvb-library {version('tvb-library')}", about, **kept)


def balanced_state() -> tuple[float, float, float]:
    """Return S_E, S_I and the excitatory current, nA, of a region that fires as Deco et al. (2014) want it to."""
    current = 125.0 / 310.0 - 0.026
    x = 310.0 * current - 125.0
    rate = x / (1.0 - np.exp(-0.16 * x))
    gate = 64.1e-3 * rate / (1.0 + 64.1e-3 * rate)
    s_i = 0.04
    for _ in range(2000):
        x = 615.0 * (0.7 * 0.382 + 0.15 * gate - s_i) - 177.0
        s_i += 0.05 * (0.01 * x / (1.0 - np.exp(-0.087 * x)) - s_i)
    return gate, s_i, current


if __name__ == "__main__":
    main()
