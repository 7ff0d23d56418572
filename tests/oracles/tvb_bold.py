"""BOLD in TVB's balloon model (Heun, 1 ms): a pulse of 1 s, with the constants of Stephan 2007 at 1.5 T and at 3 T.

    <env>/bin/python tests/oracles/tvb_bold.py
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

if not hasattr(np, "product"):
    np.product = np.prod  # noqa: NPY003, NPY201
from store import save
from tvb.analyzers.fmri_balloon import BalloonModel
from tvb.datatypes.time_series import TimeSeries

SECONDS = 30
activity = np.zeros((1000 * SECONDS + 1, 1, 1, 1))
activity[1:1001] = 1.0
time = np.arange(len(activity)) / 1000.0
found = {}
for name, nu, r, te, epsilon in (("t15", 40.3, 25.0, 0.04, 1.43), ("t3", 80.6, 110.0, 0.03, 0.47)):
    series = TimeSeries(data=activity, time=time, sample_period=0.001, sample_period_unit="s")
    model = BalloonModel(
        time_series=series, RBM=True, tau_s=1 / 0.64, tau_f=1 / 0.32, tau_o=2.0, alpha=0.32, TE=te, V0=0.04, E0=0.4,
        epsilon=np.array([epsilon]), nu_0=nu, r_0=r,
    )  # fmt: skip
    found[name] = np.asarray(model.evaluate().data).reshape(-1)[100::100]
save(
    "tvb_bold", f"TVB {version('tvb-library')}", "BOLD every 0.1 s after a pulse of 1 s, share of the signal at rest",
    t15=found["t15"], t3=found["t3"], seconds=SECONDS,
)  # fmt: skip
print({k: (v.max(), v.argmax()) for k, v in found.items()})
