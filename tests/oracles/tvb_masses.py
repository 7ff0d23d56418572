"""Networks of Jansen-Rit masses and of Epileptors by The Virtual Brain, on a connectome made up here."""

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

N, SPEED = 8, 4.0
SHOWN = (0, 3, 5, 7)


# The simulator keeps the past and the weights in single precision; in double what is compared is the model alone.
history.BaseHistory.__dict__["weights"].dtype = "d"
history.SparseHistory.__dict__["nnz_weights"].dtype = "d"
for name in ("buffer", "current_state", "delayed_state"):
    history.DenseHistory.__dict__[name].dtype = "d"


def connectome() -> tuple[np.ndarray, np.ndarray]:
    """Return weights and lengths, mm: some tracts without delay, some of a step or two, a self-loop, no symmetry."""
    rng = np.random.default_rng(20)
    there = rng.random((N, N)) < 0.6
    np.fill_diagonal(there, False)
    there[2, 2] = True
    weights = np.where(there, rng.integers(6, 65, (N, N)) / 64.0, 0.0)
    lengths = rng.uniform(0.3, 120.0, (N, N)).round(1) + 0.03  # no delay of half a step, which rounding may split
    lengths[rng.random((N, N)) < 0.15] = 0.0
    return weights, lengths


def run(model: object, how: object, heun: bool, dt: float, start: np.ndarray, n_steps: int) -> np.ndarray:
    """Return every state variable of every region, (n_steps, n_variables, n), from a constant past."""
    weights, lengths = connectome()
    net = connectivity.Connectivity(
        weights=weights, tract_lengths=lengths, region_labels=np.array([f"r{k}" for k in range(N)]),
        centres=np.zeros((N, 3)), speed=np.array([SPEED]),
    )  # fmt: skip
    net.configure()
    scheme = integrators.HeunDeterministic if heun else integrators.EulerDeterministic
    model.variables_of_interest = tuple(model.state_variables)
    sim = simulator.Simulator(
        model=model, connectivity=net, coupling=how, integrator=scheme(dt=dt), monitors=(monitors.Raw(),),
        initial_conditions=np.tile(start[None, :, None, None], (2000, 1, N, 1)),
    )  # fmt: skip
    sim.configure()
    ((_, data),) = sim.run(simulation_length=n_steps * dt)
    return data[:n_steps, :, :, 0]


def main() -> None:
    """Run four networks and keep a row a millisecond, or each ten units, of a few regions."""
    weights, lengths = connectome()
    drive = np.linspace(120.0, 300.0, N)
    x0 = np.linspace(-2.3, -1.5, N)
    kept = {"weights": weights, "lengths_mm": lengths, "speed_m_s": SPEED, "drive_hz": drive, "x0": x0}
    kept["shown"] = np.array(SHOWN)
    for scheme in ("heun", "euler"):
        model = models.JansenRit(mu=drive * 1e-3, v0=np.array([6.0]))
        how = coupling.SigmoidalJansenRit(a=np.array([10.0]))
        data = run(model, how, scheme == "heun", 0.1, np.zeros(6), 4000)
        kept[f"jansen_rit_{scheme}_psp_mv"] = (data[:, 1] - data[:, 2])[19::20, SHOWN]
        start = np.array([-1.5, -10.0, 3.0, -0.8, 0.0, 0.0])
        model = models.Epileptor(x0=x0, Ks=np.array([-0.5]), Kvf=np.array([0.1]))
        data = run(model, coupling.Difference(a=np.array([1.0])), scheme == "heun", 0.05, start, 8000)
        kept[f"epileptor_{scheme}_lfp"] = (data[:, 3] - data[:, 0])[39::40, SHOWN]
        kept[f"epileptor_{scheme}_z"] = data[39::40, 2][:, SHOWN]
    kept["epileptor_start"] = start
    about = "past in double precision; 8 regions; Jansen-Rit dt 0.1 ms, gain 10, every 2 ms; "
    about += "Epileptor dt 0.05, Ks -0.5, Kvf 0.1, every 2 units"
    save("tvb_masses", f"tvb-library {version('tvb-library')}", about, **kept)


if __name__ == "__main__":
    main()
