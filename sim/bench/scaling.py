"""How time and memory grow with the number of neurons: the current-based network at 80 inputs a neuron.

Each size runs in a process of its own, so that its memory is its own too. The same neurons, unconnected and silent,
tell what a neuron costs a step; what the connected ones take more, spikes and their bookkeeping included, is counted
as the cost of their synaptic events.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sim.circuits.connectivity import InDegree
from sim.circuits.lif import LIF

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
INPUTS = 80
ALONE = """\
import json, sys
from sim.bench.scaling import size
sys.stdout.write(json.dumps(size(int(sys.argv[1]))))
"""


def scaling(quick: bool = False, progress: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """Return a row a size: nanoseconds a neuron and step, and a synaptic event; bytes a neuron and a synapse."""
    rows = []
    for n in SIZES[:3] if quick else SIZES:
        progress(f"scaling: {n} neurons")
        done = subprocess.run([sys.executable, "-c", ALONE, str(n)], capture_output=True, text=True, check=True)
        rows.append(dict(json.loads(done.stdout.splitlines()[-1])))
    return rows


def network(n: int, connected: bool) -> LIF:
    """Return the network, in the state of the benchmark whatever its size."""
    n_e = n * 4 // 5
    return LIF(
        name="scaling",
        n_excitatory=n_e,
        n_inhibitory=n - n_e,
        wiring=InDegree(excitatory=INPUTS * 4 // 5, inhibitory=INPUTS // 5) if connected else None,
        synapses="exponential",
        weight_e_mv=1.62,
        weight_i_mv=-9.0,
        delay_s=0.0,
        rest_mv=-49.0,
        threshold_mv=-50.0,
        reset_mv=-60.0,
        refractory_s=5e-3,
        start_mv=(-60.0, -50.0),
    )


def size(n: int) -> dict[str, Any]:
    """Measure ``n`` neurons."""
    small = network(500, True)
    small.bind(0)
    alone = network(n, False)
    alone.bind(0)
    alone.receive("current_mv", np.full(n, -10.0))
    per_step = _seconds(alone, n)[0] / (n * _steps(n))
    del alone
    before = resident()
    c = network(n, True)
    began = time.perf_counter()
    c.bind(0)
    build = time.perf_counter() - began
    grown = resident() - before
    c.step(1000)
    seconds, spikes = _seconds(c, n)
    events = spikes * INPUTS
    synapses = len(c.graph_.targets)
    graph = c.graph_.start.nbytes + c.graph_.targets.nbytes
    state = sum(a.nbytes for a in c.state().values())
    return {
        "neurons": n,
        "synapses": synapses,
        "times_real": _steps(n) * c.dt_s / seconds,
        "rate_hz": spikes / n / (_steps(n) * c.dt_s),
        "ns_neuron_step": 1e9 * per_step,
        "ns_event": max(0.0, 1e9 * (seconds - per_step * n * _steps(n)) / max(events, 1)),
        "build_ns_synapse": 1e9 * build / synapses,
        "bytes_neuron": state / n,
        "bytes_synapse": graph / synapses,
        "resident_bytes_synapse": grown / synapses,
    }


def _steps(n: int) -> int:
    return max(1000, min(10_000, 100_000_000 // n // 100 * 100))


def _seconds(c: LIF, n: int) -> tuple[float, int]:
    """Return the core's seconds for the steps of this size, best of three, and the spikes of that run."""
    best = (float("inf"), 0)
    for _ in range(3):
        began = time.process_time()
        spikes = len(c.step(_steps(n))[0])
        best = min(best, (time.process_time() - began, spikes))
    return best


def resident() -> int:
    """Return this process's resident memory, bytes."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
