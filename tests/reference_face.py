"""Step records as a session would journal them: minimum-jerk reaches to eight targets."""

import numpy as np

from bmi.contracts import TrialResult
from bmi.journal import step_dtype
from bmi.signals import GateState

RATE_HZ, TRIAL_S = 50.0, 1.0


def reaches(n_trials: int = 8, *, seed: int = 1, t0: float = 100.0):
    """Return (steps, results): one reach a second, every sample 4 ms old, 100 µs of our own making."""
    rng = np.random.default_rng(seed)
    n = int(n_trials * TRIAL_S * RATE_HZ)
    steps = np.zeros(n, step_dtype(1, 2))
    steps["step"] = steps["command_seq"] = np.arange(n)
    t = t0 + np.arange(n) / RATE_HZ
    trial = (np.arange(n) / (RATE_HZ * TRIAL_S)).astype(np.int64)
    u = (t - t0) / TRIAL_S - trial
    angle = 2 * np.pi * (trial % 8) / 8
    goal = 80.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    along = 10 * u**3 - 15 * u**4 + 6 * u**5
    speed = (30 * u**2 - 60 * u**3 + 30 * u**4) / TRIAL_S
    steps["trial"], steps["now"], steps["goal"] = trial, t, goal
    steps["goal_active"] = steps["has_intent"] = steps["arm_word"] = steps["n_samples"] = 1
    steps["goal_radius"] = 12.0
    steps["position"] = goal * along[:, None]
    steps["velocity"] = steps["intended"] = steps["command"] = steps["applied"] = goal * speed[:, None]
    steps["decoded"] = steps["velocity"] + rng.normal(0.0, 8.0, (n, 2))
    steps["gate_state"] = GateState.ACTIVE
    steps["t"], steps["t_arrival"], steps["t_written"] = t - 0.004, t - 0.001, t
    steps["decode_ns"], steps["gate_ns"], steps["write_ns"] = 60_000, 10_000, 30_000
    results = [
        TrialResult(
            trial=k, success=k % 4 != 3, t_start_s=t0 + k * TRIAL_S, acquire_s=0.98 * TRIAL_S,
            path_mm=84.0, distance_mm=80.0, width_mm=24.0, target=k % 8,
        )
        for k in range(n_trials)
    ]  # fmt: skip
    return steps, results
