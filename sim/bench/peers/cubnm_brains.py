"""cuBNM's side of the whole-brain benchmark, in an interpreter of its own: its CPU code, one simulation at a time.

Euler's rule in double precision; noise that it has drawn before, for one second, and shuffles after; and BOLD, which
it cannot leave out. It runs from the beginning every time.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from answering import serve, timed

prepared: dict[str, Any] = {}


def prepare(kind: str, path: str, delays: bool, dt_ms: str, ms: float) -> dict[str, Any]:
    """Build the brain in ``path`` and run it once; tell how long that took."""
    from cubnm import sim

    with np.load(path, allow_pickle=False) as file:
        brain = dict(file)
    weights = np.ascontiguousarray(brain["weights"].T)
    np.fill_diagonal(weights, 0.0)
    more: dict[str, Any] = {"do_fic": False} if kind == "rWW" else {}
    if delays:
        more["sc_dist"] = np.ascontiguousarray(np.where(weights > 0, brain["lengths_mm"].T, 0.0))
    made = getattr(sim, f"{kind}SimGroup")(
        duration=ms / 1e3, TR=0.5, sc=weights, dt=dt_ms, bw_dt="1.0", states_ts=True, states_sampling=0.001,
        do_fc=False, do_fcd=False, gof_terms=[], force_cpu=True, noise_segment_length=1, bold_remove_s=0, **more,
    )  # fmt: skip
    made.N = 1
    made.param_lists["G"] = np.array([float(brain["gain"])])
    if delays:
        made.param_lists["v"] = np.array([float(brain["speed_m_s"])])
    made._set_default_params()
    prepared["now"] = made
    return {"prepared_s": timed(made.run)["wall_s"]}


def run(ms: float) -> dict[str, Any]:
    """Run again; return what it took."""
    made = prepared["now"]
    took = timed(made.run)
    shown = made.sim_states[made.sel_state_var]
    return took | {"finite": bool(np.isfinite(shown).all())}


if __name__ == "__main__":
    serve(f"cuBNM {version('cubnm')}", {"prepare": prepare, "run": run})
