"""Closed-loop adaptation on simulated participants: does ReFIT help, does a random decoder become a good one,
and does a poisoned learner do no harm?

Every participant is a seed: own neurons, own noise, own order of targets. What is compared shares the seed, and
intervals are bootstrapped over seeds. Everything runs in lock-step simulation of ordinary recipes.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from bmi.bench.participants import RAW, Poisoned, keep, observed, random_params, recipe, times
from bmi.bootstrap import Estimate, interval, ratio_interval
from bmi.learner import ADOPTED, ROLLED_BACK
from bmi.signals import F64
from bmi.simulate import Simulated, simulate

OBSERVED = {"default": (150.0, 4.0), "gentle": (80.0, 2.0)}
"""How the cursor moves in observation: largest speed, mm/s, and speed per distance near the target, 1/s. The
first is the assist's default, close to how the simulated participant moves by itself (200 mm/s, 4/s)."""
LEARNERS: dict[str, dict[str, Any]] = {
    "smoothbatch": {"use": "smoothbatch", "batch_s": 20.0, "half_life_s": 30.0},
    "rml": {"use": "rml", "half_life_s": 30.0, "update_s": 4.0},
}
NO_CHECKS = {
    "label_agreement": -1, "tolerance": 1e9, "error_tolerance": 1e9, "norm_limit": 1e9, "step_limit": 1e9,
    "overconfidence": 1e9,
}  # fmt: skip
GUARDS: dict[str, dict[str, float]] = {
    "all": {},
    "labels unseen": {"label_agreement": -1},
    "none": {**NO_CHECKS, "fall": 2},
}
POISONS = [
    ("flipped", "all"), ("permuted", "all"), ("constant", "all"), ("nan", "all"),
    ("flipped", "labels unseen"), ("permuted", "labels unseen"), ("flipped", "none"),
]  # fmt: skip
"""Which lie is told under which guards; without any, to see that it would have done harm."""
MINUTES, LAST_MINUTES, WINDOW_S = 7, 3, 60.0
TRIALS = 20
BARS = {"refit": 1.2, "random_s": 300.0}


def refit(seed: int, shown: str) -> dict[str, float]:
    """Run the same session with and without the learner: 48 targets, then 40 that are scored.

    With it, the decoder is refitted at the end of the first block; up to there both sessions are the same.
    """
    params, lag_s, r2 = observed(seed, *OBSERVED[shown])
    use = {"name": "use", "trials": 48}
    scored = {"name": "scored", "trials": 40, "scored": True, "rest_s": 0.5}
    with tempfile.TemporaryDirectory() as folder:
        path = keep(folder, params)
        before = simulate(recipe(seed, [use, scored], path))
        after = simulate(recipe(seed, [use | {"learn": True}, scored], path, learner={"use": "refit"}))
    out = {"lag_s": lag_s, "r2": r2, "adopted": float(after.summary["learner_updates"])}
    for name, run in (("kalman", before), ("refit", after)):
        results = run.score.results()
        won = [r.success for r in results]
        out |= {f"{name}_s": float(times(results).mean()), f"{name}_success": float(np.mean(won))}
    return out


def from_random(seed: int, learner: str) -> dict[str, Any]:
    """Let a participant use a random decoder that learns, without assist, for seven minutes.

    Returns
    -------
    dict
        ``rate``: targets acquired a minute, in the minute up to each 10 s, from the first whole minute on;
        ``asymptote``: in the last three minutes; ``to_80_s``: end of the first minute with 80 % of it.
    """
    block = {"name": "learn", "seconds": 60 * MINUTES, "learn": True, "scored": True}
    with tempfile.TemporaryDirectory() as folder:
        run = simulate(recipe(seed, [block], keep(folder, random_params(seed)), learner=LEARNERS[learner]))
    first = float(run.score.scored_steps()["now"][0])
    ends = np.array([r.t_start_s + r.acquire_s - first for r in run.score.results() if r.success])
    at = np.arange(WINDOW_S, 60.0 * MINUTES + 1.0, 10.0)
    rate = np.array([((ends > t - WINDOW_S) & (ends <= t)).sum() for t in at]) * 60.0 / WINDOW_S
    asymptote = float((ends > 60.0 * (MINUTES - LAST_MINUTES)).sum()) / LAST_MINUTES
    reached = at[rate >= 0.8 * asymptote] if asymptote else [math.inf]
    counts = {k: run.summary[k] for k in ("learner_updates", "learner_refused", "learner_rolled_back")}
    return {"rate": rate.tolist(), "asymptote": asymptote, "to_80_s": float(reached[0]), **counts}


def poisoned(seed: int, kind: str, guards: str) -> dict[str, Any]:
    """Calibrate, score 20 targets, learn a minute from poisoned labels, score 20 again.

    Returns
    -------
    dict
        ``before_s``, ``after_s``: mean acquisition time; ``adopted``: updates let through since the poison began,
        and ``survived``: how many of them were not taken back before another came (0: the decoder is the one of
        before, to the last bit); ``refused``.
    """
    blocks = [
        {"name": "calibrate", "seconds": 30, "assist": [1.0, 0.0], "learn": True},
        {"name": "free", "seconds": 45, "learn": True},
        {"name": "before", "trials": TRIALS, "scored": True, "rest_s": 0.5},
        {"name": "poisoned", "seconds": 60, "learn": True, "rest_s": 4.5},
        {"name": "after", "trials": TRIALS, "scored": True, "rest_s": 0.5},
    ]
    learner = {"use": "smoothbatch", "batch_s": 12.0, "half_life_s": 12.0, "guards": GUARDS[guards]}
    decoder = RAW["decoder"] | {"prior_speed_mm_s": 75.0, "learner": learner}
    poison = Poisoned(kind, seed)
    run = simulate(recipe(seed, blocks, decoder=decoder), poison.follow, intention=poison)
    steps = run.score.scored_steps()
    adopted, survived = through(run, int(steps["params_version"][steps["block"] == 2][-1]))
    acquired = times(run.score.results())
    return {"before_s": float(acquired[:TRIALS].mean()), "after_s": float(acquired[TRIALS:].mean()),
            "adopted": adopted, "survived": survived, "refused": run.summary["learner_refused"]}  # fmt: skip


def through(run: Simulated, version: int) -> tuple[int, int]:
    """Return how many updates after ``version`` were adopted, and how many of them not taken back before another."""
    later = [e for e in run.decisions if e.data["version"] > version]
    adopted = [i for i, e in enumerate(later) if e.kind == ADOPTED]
    back = [i for i in adopted if i + 1 < len(later) and later[i + 1].kind == ROLLED_BACK]
    return len(adopted), len(adopted) - len(back)


# --- all of it ------------------------------------------------------------------------------------------------------

EXPERIMENTS: dict[str, Callable[..., dict[str, Any]]] = {"refit": refit, "random": from_random, "poison": poisoned}


def bench_adaptation(
    seeds: Sequence[int], jobs: int = 2, progress: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Run every experiment with every seed, ``jobs`` at a time.

    Returns
    -------
    dict
        ``refit``, ``random``, ``poison``: figures as [mean, low, high] with 95 % bootstrap intervals over seeds;
        ``bars``: what was asked for and whether it was reached; ``seeds``.
    """
    conditions = [
        *(("refit", (shown,)) for shown in OBSERVED),
        *(("random", (learner,)) for learner in LEARNERS),
        *(("poison", lie) for lie in POISONS),
    ]
    work = [(name, seed, condition) for name, condition in conditions for seed in seeds]
    # One thread for linear algebra in each: small matrices, and as many processes as there are processors.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for result in pool.map(_one, work):
            done.append(result)
            progress(len(done) / len(work))
    by: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for (name, _, condition), result in zip(work, done, strict=True):
        by.setdefault((name, *condition), []).append(result)
    out: dict[str, Any] = {
        "seeds": list(seeds),
        "refit": {shown: told_refit(by["refit", shown]) for shown in OBSERVED},
        "random": {learner: told_random(by["random", learner]) for learner in LEARNERS},
        "poison": {f"{kind}, guards: {guards}": told_poison(by["poison", kind, guards]) for kind, guards in POISONS},
    }
    return out | {"bars": bars(out)}


def _one(work: tuple[str, int, tuple[str, ...]]) -> dict[str, Any]:
    name, seed, condition = work
    return EXPERIMENTS[name](seed, *condition)


def told_refit(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of ReFIT against its Kalman filter; the ratio is that of the mean times, paired over seeds."""
    kalman, after = column(runs, "kalman_s"), column(runs, "refit_s")
    names = ("kalman_s", "refit_s", "kalman_success", "refit_success", "lag_s", "r2", "adopted")
    return {"ratio": quotient(kalman, after),
            "ratio_by_seed": (kalman / after).tolist()} | {k: figure(column(runs, k)) for k in names}  # fmt: skip


def told_random(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of a learner that began with a random decoder; ``mean_rate`` over seeds reaches 80 % where it says."""
    rate, asymptote = np.array([r["rate"] for r in runs]), column(runs, "asymptote")
    mean, at = rate.mean(axis=0), WINDOW_S + 10.0 * np.arange(rate.shape[1])
    reached = at[mean >= 0.8 * asymptote.mean()]
    to_80 = column(runs, "to_80_s")
    return {"to_80_s": figure(to_80), "to_80_s_worst": float(to_80.max()),
            "in_time": int((to_80 <= BARS["random_s"]).sum()),
            "mean_to_80_s": float(reached[0]) if len(reached) else math.inf,
            "asymptote_1_min": figure(asymptote), "first_minute_1_min": figure(rate[:, 0]),
            "mean_rate_1_min": np.round(mean, 2).tolist(),
            **{k: figure(column(runs, k)) for k in ("learner_updates", "learner_refused", "learner_rolled_back")},
            }  # fmt: skip


def told_poison(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of one lie; ``unharmed`` counts the seeds whose decoder came out as it went in, to the last bit."""
    before, after = column(runs, "before_s"), column(runs, "after_s")
    survived = column(runs, "survived")
    return {"unharmed": int((survived == 0).sum()), "n": len(runs),
            "after_over_before": quotient(after, before),
            "before_s": figure(before), "after_s": figure(after),
            **{k: figure(column(runs, k)) for k in ("adopted", "survived", "refused")}}  # fmt: skip


def bars(out: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for, what was measured and whether that suffices."""
    n = len(out["seeds"])
    ratio, random = out["refit"]["default"]["ratio"], out["random"]["smoothbatch"]
    lies = {k: v for k, v in out["poison"].items() if k.endswith("all")}
    return {
        "refit_ratio": {"asked": BARS["refit"], "measured": ratio, "reached": ratio[1] >= BARS["refit"]},
        "random_in_time": {"asked": n, "measured": random["in_time"], "reached": random["in_time"] == n},
        "poison_unharmed": {
            "asked": n * len(lies), "measured": sum(v["unharmed"] for v in lies.values()),
            "reached": all(v["unharmed"] == n and v["after_over_before"][1] <= 1.0 for v in lies.values()),
        },
    }  # fmt: skip


def column(runs: list[dict[str, Any]], name: str) -> F64:
    """Return one figure of every run, (n,)."""
    return np.array([float(r[name]) for r in runs])


def figure(values: F64) -> list[float]:
    """Return [mean, low, high] over seeds, with a 95 % bootstrap interval; NaN if a seed never got there."""
    return rounded(interval(values, seed=0, statistic=lambda x: np.asarray(x.mean(-1)), n_bootstrap=4000))


def quotient(a: F64, b: F64) -> list[float]:
    """Return [mean of a over mean of b, low, high]; seeds are resampled in pairs."""
    return rounded(ratio_interval(a, b, seed=0, n_bootstrap=4000))


def rounded(estimate: Estimate) -> list[float]:
    """Return what is written of an estimate."""
    return [round(v, 4) for v in estimate]
