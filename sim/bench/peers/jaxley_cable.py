"""Jaxley's side of the cable benchmark, in an interpreter of its own: one JSON line.

The squid's cable, 100 compartments, dt 0.025 ms, single precision (Jaxley's default), compiled, one thread: a cell
alone, and sixteen by ``vmap``. For sixteen each solver that can be mapped is measured, and the network of sixteen
unconnected cells; currents differ by a part in a million, because a potential of exactly -40 or -55 mV makes Jaxley's
rates not a number. What gives other spikes than the cell alone is reported but not to be compared with.

Arguments: simulated seconds of the cell alone, and of the sixteen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OMP_NUM_THREADS"] = "1"

COMPARTMENTS, DT_MS, CELLS = 100, 0.025, 16


def cell() -> Any:
    """Return 2 mm of axon, 2 µm thick."""
    import jaxley as jx
    from jaxley.channels import HH

    made = jx.Cell(jx.Branch(jx.Compartment(), COMPARTMENTS), parents=[-1])
    made.set("length", 2000 / COMPARTMENTS)
    made.set("radius", 1.0)
    made.set("axial_resistivity", 100.0)
    made.set("v", -65.0)
    made.insert(HH())
    made.init_states()
    return made


def measured(run: Any, argument: Any, cells: int, bio_s: float) -> dict[str, Any]:
    """Return cell-seconds a second, best of three, and the spikes at the far end."""
    import numpy as np

    v = np.asarray(run(argument)).reshape(cells, -1)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        run(argument).block_until_ready()
        best = min(best, time.perf_counter() - began)
    spikes = ((v[:, 1:] > 0) & (v[:, :-1] <= 0)).sum(1)
    return {
        "speed": cells * bio_s / best, "spikes": [int(k) for k in spikes], "finite": bool(np.isfinite(v).all())
    }  # fmt: skip


def main(single_s: float, many_s: float) -> dict[str, Any]:
    """Return every way's speed, spikes and whether all was finite."""
    import jax

    jax.config.update("jax_platform_name", "cpu")
    import jax.numpy as jnp
    import jaxley as jx

    one = cell()
    one.branch(0).loc(1.0).record(verbose=False)

    def run(current: Any, solver: str) -> Any:
        stimuli = one.branch(0).loc(0.0).data_stimulate(current, None)
        return jx.integrate(one, delta_t=DT_MS, data_stimuli=stimuli, voltage_solver=solver)

    steps = round(many_s * 1e3 / DT_MS)
    many = jnp.full((CELLS, steps), 0.3) * (1 + 1e-6 * jnp.arange(CELLS)[:, None])
    found: dict[str, Any] = {"version": jx.__version__, "jax": jax.__version__}
    long = jnp.full((round(single_s * 1e3 / DT_MS),), 0.3)
    for solver in ("jaxley.dhs", "jaxley.stone"):
        found[f"one {solver}"] = measured(jax.jit(lambda i, s=solver: run(i, s)), long, 1, single_s)
        mapped = jax.jit(jax.vmap(lambda i, s=solver: run(i, s)))
        found[f"vmap {solver}"] = measured(mapped, many, CELLS, many_s)
    cells = jx.Network([cell() for _ in range(CELLS)])
    for k in range(CELLS):
        cells.cell(k).branch(0).loc(1.0).record(verbose=False)

    def together(currents: Any) -> Any:
        stimuli = None
        for k in range(CELLS):
            stimuli = cells.cell(k).branch(0).loc(0.0).data_stimulate(currents[k], stimuli)
        return jx.integrate(cells, delta_t=DT_MS, data_stimuli=stimuli)

    found["network"] = measured(jax.jit(together), many, CELLS, many_s)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(float(sys.argv[1]), float(sys.argv[2]))) + "\n")
