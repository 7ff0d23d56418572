"""Compiles the simulator's kernels beside the tests: most of those wait for real time, and a core is free meanwhile.

A fresh clone has no compiled kernels, and the simulator's take most of a minute. The tests of the simulator, which come
last, then find them in numba's cache.
"""

from __future__ import annotations

from sim.cells import firing_rate
from sim.preparation import Preparation
from sim.validation.exact import SUBJECTS

if __name__ == "__main__":
    firing_rate("pv", [1.0], seconds=0.01, settle_s=0.001)
    for subject in SUBJECTS.values():
        Preparation(subject()[0](), 1).advance_s(0.01)
