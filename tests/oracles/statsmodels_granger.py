"""A vector autoregression of four signals and its Granger tests by statsmodels.

    python3 -m venv <env> && <env>/bin/pip install statsmodels==0.15.0
    <env>/bin/python tests/oracles/statsmodels_granger.py

Samples are whole 1 024ths, so that the stored ones are the very ones that were fitted.
"""

from __future__ import annotations

import numpy as np
import statsmodels
from statsmodels.tsa.api import VAR
from statsmodels.tsa.stattools import grangercausalitytests
from store import save

N, N_SAMPLES, ORDER, SEED = 4, 1200, 3, 11

rng = np.random.default_rng(SEED)
x = np.zeros((N_SAMPLES + 200, N))
for t in range(2, len(x)):
    x[t] = 0.5 * x[t - 1] - 0.3 * x[t - 2] + rng.standard_normal(N)
    x[t, 1] += 0.4 * x[t - 1, 0]
    x[t, 2] += 0.3 * x[t - 2, 1]
kept = np.round(1024.0 * x[200:]).astype(np.int16)
x = kept / 1024.0

fit = VAR(x).fit(ORDER, trend="c")
f = np.zeros((N, N))
for i in range(N):
    for j in range(N):
        if i != j:
            test = fit.test_causality(i, j, kind="f")
            f[i, j] = test.test_statistic
pair = grangercausalitytests(x[:, [1, 0]], [ORDER])[ORDER][0]["ssr_ftest"]
save(
    "statsmodels_granger", f"statsmodels {statsmodels.__version__}",
    f"{N} signals, samples in 1024ths, order {ORDER}; f of each pair given the others, pair_f of 0 to 1 alone",
    samples=kept, order=ORDER, coefficients=fit.coefs, constant=fit.intercept, covariance=np.asarray(fit.sigma_u), f=f,
    pair_f=pair[0], pair_p=pair[1],
)  # fmt: skip
