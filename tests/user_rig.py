"""A user on a chair and a goal before them, for tests of what they intend."""

from __future__ import annotations

import numpy as np

from bmi.signals import Goal
from sim.user import User

T0 = 1234.5
STEADY = {"noise": 0.0, "aim_noise_rad": 0.0}


def seated(user: User, *, seed=1, n_dims=2) -> User:
    user.bind(np.random.default_rng(seed), n_dims=n_dims, t0=T0)
    return user


def goal_at(*position, trial=0, radius=12.0, active=True, assist=0.0) -> Goal:
    return Goal(np.array(position, float), radius, active, trial, T0, assist)
