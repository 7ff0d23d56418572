"""A thalamic relay cell in NEURON: clamped to -79, -70 or -60 mV for 200 ms, then let go. Run with NEURON 9.0.2.

Not to -80 mV: there the published time constant of inactivation jumps by a fifth, and a clamp is on either side of it.

The mechanisms are written here from Huguenard & McCormick (1992) and Traub & Miles (1991), with NEURON's own
constant-field function, and compiled by ``nrnivmodl`` in a temporary folder (needs g++).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

T_MOD = """
NEURON { SUFFIX tca  USEION ca READ cai, cao WRITE ica  RANGE p }
UNITS {
  (mV) = (millivolt) (mA) = (milliamp) (mM) = (milli/liter)
  FARADAY = (faraday) (coulomb) R = (k-mole) (joule/degC)
}
PARAMETER { p = 1.5e-4 (cm/s) }
ASSIGNED { v (mV) ica (mA/cm2) cai (mM) cao (mM) celsius (degC) minf hinf mtau (ms) htau (ms) }
STATE { m h }
INITIAL { rates(v) m = minf h = hinf }
BREAKPOINT { SOLVE states METHOD cnexp  ica = p * m * m * h * ghkflux(v, cai, cao) }
DERIVATIVE states { rates(v) m' = (minf - m) / mtau  h' = (hinf - h) / htau }
FUNCTION ghkflux(v (mV), ci (mM), co (mM)) (coulombs/cm3) {
  LOCAL f, u
  f = R * (celsius + 273.15) / (2 * FARADAY)
  u = (0.001) * v / f
  ghkflux = (0.001) * 2 * FARADAY * (ci * ef(-u) - co * ef(u))
}
FUNCTION ef(u) { if (fabs(u) < 1e-4) { ef = 1 - u / 2 } else { ef = u / (exp(u) - 1) } }
PROCEDURE rates(v (mV)) {
  minf = 1 / (1 + exp(-(v + 57) / 6.2))
  hinf = 1 / (1 + exp((v + 81) / 4))
  mtau = (0.612 + 1 / (exp(-(v + 132) / 16.7) + exp((v + 16.8) / 18.2))) / 5 ^ ((celsius - 24) / 10)
  if (v < -80) { htau = exp((v + 467) / 66.6) } else { htau = 28 + exp(-(v + 22) / 10.5) }
  htau = htau / 3 ^ ((celsius - 24) / 10)
}
"""
SPIKE_MOD = """
NEURON { SUFFIX spike  USEION na READ ena WRITE ina  USEION k READ ek WRITE ik  RANGE gna, gk, vt }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { gna = 0.09 (S/cm2) gk = 0.01 (S/cm2) vt = -52 (mV) }
ASSIGNED { v (mV) ina (mA/cm2) ik (mA/cm2) ena (mV) ek (mV) am bm ah bh an bn }
STATE { m h n }
INITIAL { rates(v) m = am / (am + bm) h = ah / (ah + bh) n = an / (an + bn) }
BREAKPOINT { SOLVE states METHOD cnexp  ina = gna * m^3 * h * (v - ena)  ik = gk * n^4 * (v - ek) }
DERIVATIVE states {
  rates(v)
  m' = am * (1 - m) - bm * m
  h' = ah * (1 - h) - bh * h
  n' = an * (1 - n) - bn * n
}
FUNCTION lin(x, y) { if (fabs(x / y) < 1e-6) { lin = y * (1 - x / y / 2) } else { lin = x / (exp(x / y) - 1) } }
PROCEDURE rates(v (mV)) {
  LOCAL w
  w = v - vt
  am = 0.32 * lin(13 - w, 4)
  bm = 0.28 * lin(w - 40, 5)
  ah = 0.128 * exp((17 - w) / 18)
  bh = 4 / (1 + exp((40 - w) / 5))
  an = 0.032 * lin(15 - w, 5)
  bn = 0.5 * exp((10 - w) / 40)
}
"""
HOLD_MV = (-79.0, -70.0, -60.0)
DT_MS = 0.002


def released(h, hold_mv):
    """Return the voltage for 100 ms after 200 ms at ``hold_mv``, before which the cell stood at -60 mV."""
    cell = h.Section(name="relay")
    cell.L = cell.diam = np.sqrt(100.0 / np.pi)
    for mechanism in ("pas", "tca", "spike"):
        cell.insert(mechanism)
    cell(0.5).pas.g, cell(0.5).pas.e = 1e-4, -66.0
    cell.ena, cell.ek = 50.0, -100.0
    cell.cai, cell.cao = 2.4e-4, 2.0
    h.celsius, h.dt, h.steps_per_ms, h.secondorder = 36.0, DT_MS, 1.0 / DT_MS, 2
    clamp = h.SEClamp(cell(0.5))
    clamp.rs, clamp.dur1, clamp.amp1 = 1e-3, 200.0, hold_mv
    v = h.Vector().record(cell(0.5)._ref_v)
    h.finitialize(-60.0)
    h.continuerun(300.0)
    return np.array(v)[round(200.0 / DT_MS) :]


def main():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tca.mod").write_text(T_MOD)
        Path(folder, "spike.mod").write_text(SPIKE_MOD)
        here = Path(sys.executable).parent
        environment = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}"}
        subprocess.run([here / "nrnivmodl"], cwd=folder, check=True, capture_output=True, env=environment)
        from neuron import __version__, h

        h.nrn_load_dll(str(next(Path(folder).glob("*/libnrnmech.so"))))
        h.load_file("stdrun.hoc")
        v = [released(h, hold) for hold in HOLD_MV]
        current = np.array([1.5e-4 * h.ghk(x, 2.4e-4, 2.0, 2) * 1e3 for x in np.arange(-100.0, 61.0, 5.0)])
    spikes = [np.flatnonzero((x[:-1] < 0.0) & (x[1:] >= 0.0)) * DT_MS for x in v]
    print([s.round(2) for s in spikes])
    from store import save

    save(
        "neuron_t_current", f"NEURON {__version__}", "relay cell let go after 200 ms of clamp; 100 ms of voltage",
        hold_mv=np.array(HOLD_MV), spikes_ms=spikes[0], n_spikes=np.array([len(s) for s in spikes]),
        v_mv=np.array([x[:: round(0.25 / DT_MS)] for x in v], np.float32), v_step_ms=0.25,
        ghk_mv=np.arange(-100.0, 61.0, 5.0), ghk_ua_cm2=current,
    )  # fmt: skip


main()
