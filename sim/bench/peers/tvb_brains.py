"""The Virtual Brain's side of the whole-brain benchmark, in an interpreter of its own.

Heun's rule, the model's own slopes compiled by numba, the loop as it comes. What it keeps of the past is in single
precision as it comes, and in double where trajectories are compared. With noise it is additive and white; a monitor
takes what a region shows each millisecond.

A brain is a file of arrays: weights, lengths_mm, speed_m_s, dt_ms, start (6, n) and the parameters of its model.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import numpy as np
from answering import serve, timed

if not hasattr(np, "product"):
    setattr(np, "product", np.prod)  # noqa: B010 - what this version of the simulator calls is gone from NumPy
logging.disable(logging.CRITICAL)

from tvb.simulator import history  # noqa: E402
from tvb.simulator.lab import connectivity, coupling, integrators, models, monitors, noise, simulator  # noqa: E402

prepared: dict[str, Any] = {}


def connectome(path: str) -> dict[str, Any]:
    """Write the connectome that comes with it to ``path``, for the one that asks, and tell its size."""
    told = connectivity.Connectivity.from_file("connectivity_76.zip")
    np.savez(path, weights=told.weights, lengths_mm=told.tract_lengths)
    return {"what": f"connectivity_76 of tvb-data {version('tvb-data')}", "regions": len(told.weights)}


def precision(double: bool) -> None:
    """Let what is kept of the past, and its weights, be double or single, as it comes."""
    kind = "d" if double else "f"
    history.BaseHistory.__dict__["weights"].dtype = kind
    history.SparseHistory.__dict__["nnz_weights"].dtype = kind
    for name in ("buffer", "current_state", "delayed_state"):
        history.DenseHistory.__dict__[name].dtype = kind


def jansen_rit(brain: dict[str, np.ndarray]) -> tuple[Any, Any, np.ndarray]:
    """Return the model, how it is coupled, and the strength of noise on each variable."""
    model = models.JansenRit(mu=brain["drive_hz"] * 1e-3, v0=np.array([6.0]))
    model.variables_of_interest = ("y1", "y2")
    kick = model.A[0] * model.a[0] * float(brain["noise_hz"]) * 1e-3
    return model, coupling.SigmoidalJansenRit(a=brain["gain"].reshape(1)), kick * np.array([0, 0, 0, 0, 1.0, 0])


def epileptor(brain: dict[str, np.ndarray]) -> tuple[Any, Any, np.ndarray]:
    """Return the same of this model, of which z is shown too."""
    model = models.Epileptor(
        x0=brain["x0"], Ks=-brain["gain"].reshape(1), Kvf=brain["fast_gain"].reshape(1), Kf=np.zeros(1)
    )
    model.variables_of_interest = ("x2 - x1", "z")
    return model, coupling.Difference(a=np.ones(1)), float(brain["noise"]) * np.array([0, 0, 0, 1.0, 1.0, 0])


def build(model: str, path: str, noisy: bool, monitor: Any) -> Any:
    """Return a simulator of the brain in ``path``, configured."""
    with np.load(path, allow_pickle=False) as file:
        brain = dict(file)
    what, how, sd = {"jansen_rit": jansen_rit, "epileptor": epileptor}[model](brain)
    n, dt = len(brain["weights"]), float(brain["dt_ms"])
    net = connectivity.Connectivity(
        weights=brain["weights"], tract_lengths=brain["lengths_mm"], centres=np.zeros((n, 3)),
        region_labels=np.array([f"r{k}" for k in range(n)]), speed=brain["speed_m_s"].reshape(1),
    )  # fmt: skip
    net.configure()
    scheme = integrators.HeunDeterministic(dt=dt)
    if noisy:
        scheme = integrators.HeunStochastic(dt=dt, noise=noise.Additive(nsig=0.5 * sd**2))
    past = int(np.rint(net.delays / dt).max()) + 1
    made = simulator.Simulator(
        model=what, connectivity=net, coupling=how, integrator=scheme, monitors=(monitor,),
        initial_conditions=np.tile(brain["start"][None, :, :, None], (past, 1, 1, 1)),
    )  # fmt: skip
    made.configure()
    return made


def prepare(model: str, path: str) -> dict[str, Any]:
    """Build a brain with noise and run it for some milliseconds, until all is compiled."""
    prepared["now"] = build(model, path, True, monitors.SubSample(period=1.0))
    prepared["now"].run(simulation_length=3.0)
    return {}


def run(ms: float) -> dict[str, Any]:
    """Go on by ``ms``; return what it took."""
    return timed(lambda: prepared["now"].run(simulation_length=ms))


def follow(model: str, path: str, ms: float, noisy: bool, double: bool, to: str) -> dict[str, Any]:
    """Run a brain from its beginning; write what it shows, (shown, ms, n), and its last state, (6, n), to ``to``."""
    precision(double)
    made = build(model, path, noisy, monitors.Raw())
    precision(False)
    ((_, data),) = made.run(simulation_length=ms)
    each = round(1.0 / made.integrator.dt)
    shown = np.moveaxis(data[each - 1 :: each, ..., 0], 1, 0)
    if model == "jansen_rit":
        shown = shown[:1] - shown[1:]
    np.savez(to, shown=shown, state=made.current_state[..., 0])
    return {}


if __name__ == "__main__":
    tasks = {"connectome": connectome, "prepare": prepare, "run": run, "follow": follow}
    serve(f"TVB {version('tvb-library')}", tasks)
