"""Brian2's side of the network benchmark, in an interpreter of its own: a line of JSON for every line it is given.

Built once as a C++ program without Python ("standalone"), default flags (-O3 -ffast-math -march=native), one thread;
then every line on standard input runs it for a simulated second with new connections and initial values. The time is
what Brian2 itself reports: the run alone, without start, connecting and writing results.

Arguments: cuba or cobahh; double or single.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

N, N_E, P = 4000, 3200, 0.02


def cuba(b2: Any) -> Any:
    """Return the current-based network: neurons, increments of excitation and inhibition."""
    names = {
        "taum": 20 * b2.ms, "taue": 5 * b2.ms, "taui": 10 * b2.ms, "Vt": -50 * b2.mV, "Vr": -60 * b2.mV,
        "El": -49 * b2.mV, "we": 1.62 * b2.mV, "wi": -9 * b2.mV,
    }  # fmt: skip
    group = b2.NeuronGroup(
        N,
        """dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * b2.ms,
        method="exact",
        namespace=names,
    )
    group.v = "Vr + rand()*(Vt - Vr)"
    return group, names


def cobahh(b2: Any) -> Any:
    """Return the conductance-based network."""
    area = 20000 * b2.um**2
    siemens, cm, mv = b2.siemens, b2.cm, b2.mV
    names = {
        "Cm": 1 * b2.ufarad * cm**-2 * area, "gl": 5e-5 * siemens * cm**-2 * area, "El": -65 * mv, "EK": -90 * mv,
        "ENa": 50 * mv, "VT": -63 * mv, "g_na": 0.1 * siemens * cm**-2 * area, "g_kd": 0.03 * siemens * cm**-2 * area,
        "taue": 5 * b2.ms, "taui": 10 * b2.ms, "Ee": 0 * mv, "Ei": -80 * mv, "we": 6 * b2.nS, "wi": 67 * b2.nS,
    }  # fmt: skip
    group = b2.NeuronGroup(
        N,
        """dv/dt = (gl*(El-v)+ge*(Ee-v)+gi*(Ei-v)-g_na*(m*m*m)*h*(v-ENa)-g_kd*(n*n*n*n)*(v-EK))/Cm : volt
        dm/dt = alpha_m*(1-m)-beta_m*m : 1
        dn/dt = alpha_n*(1-n)-beta_n*n : 1
        dh/dt = alpha_h*(1-h)-beta_h*h : 1
        dge/dt = -ge/taue : siemens
        dgi/dt = -gi/taui : siemens
        alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV-v+VT)/(4*mV))/ms : Hz
        beta_m = 0.28*(mV**-1)*5*mV/exprel((v-VT-40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV-v+VT)/(18*mV))/ms : Hz
        beta_h = 4./(1+exp((40*mV-v+VT)/(5*mV)))/ms : Hz
        alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV-v+VT)/(5*mV))/ms : Hz
        beta_n = .5*exp((10*mV-v+VT)/(40*mV))/ms : Hz""",
        threshold="v > -20*mV",
        refractory=3 * b2.ms,
        method="exponential_euler",
        namespace=names,
    )
    group.v = "El + (randn()*5 - 5)*mV"
    group.ge = "(randn()*1.5 + 4)*10.*nS"
    group.gi = "(randn()*12 + 20)*10.*nS"
    return group, names


def main(workload: str, precision: str) -> None:
    """Build, say so, then run once a line until the lines end."""
    import brian2 as b2
    import numpy as np

    if precision == "single":
        b2.prefs.core.default_float_dtype = np.float32
    with tempfile.TemporaryDirectory(prefix="brian2_") as folder:
        b2.set_device("cpp_standalone", directory=folder, build_on_run=False)
        b2.defaultclock.dt = 0.1 * b2.ms
        group, names = {"cuba": cuba, "cobahh": cobahh}[workload](b2)
        e = b2.Synapses(group[:N_E], group, on_pre="ge += we", namespace=names)
        i = b2.Synapses(group[N_E:], group, on_pre="gi += wi", namespace=names)
        e.connect(p=P)
        i.connect(p=P)
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, e, i, spikes).run(1 * b2.second)
        b2.device.build(directory=folder, compile=True, run=False)
        say({"peer": f"Brian2 {b2.__version__}", "precision": precision})
        for _ in sys.stdin:
            b2.device.run(directory=folder, with_output=False)
            times = next(Path(folder, "results").glob(f"_dynamic_array_{spikes.name}_t_*"))
            say({"wall_s": b2.device._last_run_time, "rate_hz": times.stat().st_size / 8 / N})


def say(what: dict[str, Any]) -> None:
    """Write a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
