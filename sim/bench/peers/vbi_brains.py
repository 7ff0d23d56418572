"""vbi's side of the whole-brain benchmark, in an interpreter of its own.

It runs from the beginning every time. What it does not offer it does not do: without delays by numba, with delays in
C++, which keeps the past of all variables in memory and returns every step.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from answering import serve, timed

DRIVE = 0.16
"""Of every region, 1/ms: it takes no other."""
KICK = 3.25 * 0.1 * 1e-3
"""What noise of 1 Hz adds to the slope of the potential, mV/ms, in a millisecond."""

prepared: dict[str, Callable[[float], Any]] = {}


def delayed(brain: dict[str, np.ndarray]) -> Callable[[float], Any]:
    """Return what runs Jansen-Rit masses with delays: the compiled module itself, whose Python half wheels lack."""
    import vbi.models.cpp as cpp

    where = next((Path(cpp.__file__).parent / "_src").glob("_jr_sdde.*"))
    found = importlib.util.spec_from_file_location("_jr_sdde", where)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    weights, dt = brain["weights"], float(brain["dt_ms"])
    n = len(weights)
    delays = np.where(weights > 0, brain["lengths_mm"] / brain["speed_m_s"], 0.0).tolist()
    contacts = [[share * 135.0] * n for share in (1.0, 0.8, 0.25, 0.25)]
    sd = KICK * float(brain["noise_hz"])

    def run(ms: float) -> Any:
        made = module.new_JR_sdde(
            dt, [0.0] * (6 * n), weights.tolist(), delays, float(brain["gain"]), 6, 3.25, 22.0, 0.1, 0.05, 0.56, 6.0,
            0.005, *contacts, [0.0] * n, 0.0, 0.0, 0.0, DRIVE, sd, 0.0, ms, 1,
        )  # fmt: skip
        module.JR_sdde_integrate(made, "heun")
        shown = np.asarray(module.JR_sdde_get_y(made))
        module.delete_JR_sdde(made)
        return shown

    return run


def instant(brain: dict[str, np.ndarray]) -> Callable[[float], Any]:
    """Return what runs Jansen-Rit masses without delays, by numba; a row each millisecond."""
    from vbi.models.numba.jansen_rit import JR_sde

    weights, dt = brain["weights"], float(brain["dt_ms"])
    made = JR_sde(
        {"weights": weights, "dt": dt, "G": float(brain["gain"]), "mu": DRIVE,
         "noise_amp": KICK * float(brain["noise_hz"]), "t_cut": 0.0, "decimate": round(1.0 / dt), "seed": 1}
    )  # fmt: skip
    return lambda ms: made.run({"t_end": ms}, x0=np.zeros(6 * len(weights)))["x"]


def vep(brain: dict[str, np.ndarray]) -> Callable[[float], Any]:
    """Return what runs Epileptors reduced to two variables, without delays, by numba; a row each unit."""
    from vbi.models.numba.vep import VEP_sde

    dt = float(brain["dt_ms"])
    made = VEP_sde(
        {"weights": brain["weights"], "dt": dt, "G": -float(brain["gain"]), "tau": 2857.0, "eta": brain["x0"],
         "iext": 3.1, "sigma": float(brain["noise"]), "t_cut": 0.0, "record_step": round(1.0 / dt),
         "method": "heun", "seed": 1}
    )  # fmt: skip
    return lambda ms: made.run({"t_end": ms}, x0=brain["start"][[0, 2]].ravel())["x"]


def prepare(kind: str, path: str) -> dict[str, Any]:
    """Build the brain in ``path`` and run it for some milliseconds, until all is compiled; tell how long that took."""
    with np.load(path, allow_pickle=False) as file:
        brain = dict(file)

    def make() -> None:
        prepared["now"] = {"delayed": delayed, "instant": instant, "vep": vep}[kind](brain)
        prepared["now"](5.0)

    return {"prepared_s": timed(make)["wall_s"]}


def run(ms: float) -> dict[str, Any]:
    """Run ``ms`` from the beginning; return what it took, and whether all is finite."""
    found: dict[str, Any] = {}
    took = timed(lambda: found.update(x=prepared["now"](ms)))
    return took | {"finite": bool(np.isfinite(found["x"]).all())}


if __name__ == "__main__":
    serve(f"vbi {version('vbi')}", {"prepare": prepare, "run": run})
