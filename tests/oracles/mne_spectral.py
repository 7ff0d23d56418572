"""Functional connectivity of six coupled signals by MNE-Connectivity.

    python3 -m venv <env> && <env>/bin/pip install mne==1.13.0 mne-connectivity==0.9.0 scipy
    <env>/bin/python tests/oracles/mne_spectral.py

Samples are whole 1 024ths, so that the stored ones are the very ones that were measured. The amplitudes' correlation is
of the analytic signal (scipy.signal.hilbert) of the whole recording.
"""

from __future__ import annotations

import importlib.metadata
import warnings

import mne
import mne_connectivity as mc
import numpy as np
from scipy.signal import hilbert
from store import save

N_EPOCHS, N_SAMPLES, N, RATE_HZ, SEED = 30, 100, 5, 100.0, 7
METHODS = {"coh": "coherence", "imcoh": "imaginary_coherence", "plv": "plv", "pli": "pli", "wpli": "wpli",
           "wpli2_debiased": "debiased_wpli"}  # fmt: skip
PEERS = " and ".join(f"{p} {importlib.metadata.version(p)}" for p in ("mne-connectivity", "mne"))

mne.set_log_level("ERROR")
rng = np.random.default_rng(SEED)
n = N_EPOCHS * N_SAMPLES
noise = rng.standard_normal((n + 5, N))
x = noise[5:].copy()
x[:, 1] += 0.8 * noise[3:-2, 0]
x[:, 2] += 0.6 * noise[2:-3, 1]
x[:, 3] += 0.7 * x[:, 0]
x += 0.3 * rng.standard_normal((n, 1))
kept = np.round(1024.0 * x).astype(np.int16)
x = kept / 1024.0
epochs = x.reshape(N_EPOCHS, N_SAMPLES, N).transpose(0, 2, 1)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    found = mc.spectral_connectivity_epochs(
        epochs, method=list(METHODS), mode="fourier", sfreq=RATE_HZ, fmin=5.0, fmax=40.0, faverage=False
    )
arrays: dict[str, np.ndarray] = {}
for ours, c in zip(METHODS.values(), found, strict=True):
    arrays[ours] = c.get_data("dense")[np.tril_indices(N, -1)].astype(np.float64)  # (n_pairs, n_freqs), lower
aec = mc.envelope_correlation(hilbert(x, axis=0).T[None], orthogonalize="pairwise").get_data("dense")[0, :, :, 0]
save(
    "mne_spectral", PEERS, f"{N} signals, samples in 1024ths, {N_EPOCHS} epochs of {N_SAMPLES} at {RATE_HZ:g} Hz",
    samples=kept, frequencies_hz=np.array(found[0].freqs), aec=aec, **arrays,
)  # fmt: skip
