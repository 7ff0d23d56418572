"""tvboptim's side of the whole-brain benchmark, in an interpreter of its own: compiled by JAX, one thread.

Heun's rule, additive noise, delays; what is shown is kept at every step. It runs from the beginning every time, and
compiles for a length of time, which is told apart.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np
from answering import serve, timed

prepared: dict[str, Any] = {}


def prepare(kind: str, path: str, double: bool, ms: float) -> dict[str, Any]:
    """Build the brain in ``path``, its tracts a full matrix or a list, compile and run it; tell how long that took."""
    import jax

    jax.config.update("jax_enable_x64", double)
    import jax.numpy as jnp
    from tvboptim.experimental import network_dynamics as nd
    from tvboptim.experimental.network_dynamics.coupling import DelayedSigmoidalJansenRit
    from tvboptim.experimental.network_dynamics.dynamics.tvb import JansenRit
    from tvboptim.experimental.network_dynamics.noise import AdditiveNoise
    from tvboptim.experimental.network_dynamics.solvers import Heun

    with np.load(path, allow_pickle=False) as file:
        brain = dict(file)
    weights, dt = brain["weights"], float(brain["dt_ms"])
    delays = np.where(weights > 0, brain["lengths_mm"] / brain["speed_m_s"], 0.0)
    graph = {"full": nd.DenseDelayGraph, "listed": nd.SparseDelayGraph}[kind](jnp.array(weights), jnp.array(delays))
    mass = JansenRit(v0=6.0, mu=jnp.array(brain["drive_hz"] * 1e-3), VARIABLES_OF_INTEREST=("y1", "y2"))
    how = DelayedSigmoidalJansenRit(incoming_states=("y1", "y2"), G=float(brain["gain"]), buffer_strategy="circular")
    sd = 3.25 * 0.1 * float(brain["noise_hz"]) * 1e-3
    net = nd.Network(mass, {"delayed": how}, graph, noise=AdditiveNoise(sigma=sd, apply_to="y4"))
    solve, config = nd.prepare(net, Heun(), t0=0.0, t1=ms, dt=dt)
    compiled = jax.jit(solve)

    def go() -> Any:
        return jax.block_until_ready(compiled(config).ys)

    prepared["now"] = go
    return {"prepared_s": timed(go)["wall_s"]}


def run(ms: float) -> dict[str, Any]:
    """Run again; return what it took."""
    found: dict[str, Any] = {}
    took = timed(lambda: found.update(x=prepared["now"]()))
    x = np.asarray(found["x"])
    return took | {"finite": bool(np.isfinite(x).all())}


if __name__ == "__main__":
    serve(f"tvboptim {version('tvboptim')}", {"prepare": prepare, "run": run})
