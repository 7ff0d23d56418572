"""What a session came to, computed from its own journal: the same for live, simulated and replayed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bmi.bitrate import grid_bit_rate_interval
from bmi.contracts import TrialResult
from bmi.dose import Dose
from bmi.latency import Histogram
from bmi.recipe import Recipe
from bmi.score import MOVEMENT, Trajectory, score
from bmi.signals import AnyArray, Event
from bmi.tasks.grid import Grid
from bmi.telemetry import Telemetry, age_ns, first_active, own_ns


class Score:
    """Collects a session's journal and scores the blocks that count.

    Parameters
    ----------
    recipe : Recipe
        Says which blocks are scored and what the targets are.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._scored = [i for i, b in enumerate(recipe.blocks) if b.scored]
        self._results: list[tuple[int, TrialResult]] = []
        self._steps: list[AnyArray] = []
        self._n = {"samples": 0, "lost": 0, "commands": 0, "steps": 0}
        self._streams = np.zeros((2, len(recipe.sources) or 1), np.int64)  # samples and losses of each
        self._began_s: float | None = None  # when the gate first let a command pass
        self._blocks = [_BlockTold(b.name) for b in recipe.blocks]
        self.dose = Dose(recipe.therapy) if recipe.therapy is not None else None

    def take(self, steps: AnyArray, events: Sequence[Event], doses: AnyArray | None = None) -> None:
        """Take new step records and events, in order, and the therapy's records."""
        if self.dose is not None and doses is not None:
            self.dose.take(doses)
        for event in events:
            if event.kind == "trial.end" and "block" in event.data:
                self._blocks[event.data["block"]].won.append(bool(event.data["success"]))
            if event.kind == "trial.end" and event.data.get("block") in self._scored:
                values = {k: event.data[k] for k in TrialResult._fields}
                self._results.append((int(event.data["block"]), TrialResult(**values)))
        if not len(steps):
            return
        self._n["steps"] += len(steps)
        for k in np.unique(steps["block"]):
            if k < len(self._blocks):
                self._blocks[k].take(steps[steps["block"] == k])
        if self._began_s is None and (first := first_active(steps)) is not None:
            self._began_s = float(steps["now"][first])
        n = steps["n_samples"]
        self._streams += n.sum(0), np.where(n > 0, steps["n_lost"], 0).sum(0)
        self._n["samples"], self._n["lost"] = (int(x) for x in self._streams.sum(1))
        self._n["commands"] += int((steps["command_seq"] >= 0).sum())
        keep = np.isin(steps["block"], self._scored) & (steps["command_seq"] >= 0)
        if keep.any():
            self._steps.append(steps[keep])

    def results(self) -> list[TrialResult]:
        """Return the trials of the scored blocks, in order."""
        return [r for _, r in self._results]

    def scored_steps(self) -> AnyArray:
        """Return the step records with a command in the scored blocks."""
        from bmi.journal import step_dtype

        if self._steps:
            return np.concatenate(self._steps)
        return np.zeros(0, step_dtype(len(self._recipe.sources) or 1, len(self._recipe.device.spec.dims)))

    def _trajectories(self, steps: AnyArray) -> list[Trajectory]:
        out = []
        for block, r in self._results:
            end = r.t_start_s + self._recipe_time(r)
            t = steps["now"]
            part = steps[(steps["block"] == block) & (steps["trial"] == r.trial) & (t >= r.t_start_s) & (t <= end)]
            goal = np.array(part["goal"][-1]) if len(part) else np.zeros(len(self._recipe.device.spec.dims))
            out.append(Trajectory(np.array(part["now"]), np.array(part["position"]), goal, r.width_mm / 2))
        return out

    def _elapsed_s(self) -> float:
        """Return the time from first onset to last acquisition, summed over the scored blocks, s."""
        total = 0.0
        for block in self._scored:
            trials = [r for b, r in self._results if b == block]
            if trials:
                total += trials[-1].t_start_s + trials[-1].acquire_s - trials[0].t_start_s
        return total

    def _selections(self, grid: Grid) -> dict[str, Any]:
        """Return what the selections of a grid came to.

        Each took the time since the one before, and is resampled with it. What a block lasted beyond its last
        selection counts as well: it was time to select in.
        """
        right = [r.success for _, r in self._results]
        took = [r.acquire_s for _, r in self._results]
        rest = sum(self._rest_s(block) for block in self._scored)
        rate = grid_bit_rate_interval(grid.n_targets, right, took, self._recipe.session.seed)
        spent = sum(took) / (sum(took) + rest) if took else 1.0
        value, low, high = (float(x) * spent if np.isfinite(x) else None for x in rate)
        return {
            "n_targets": grid.n_targets,
            "n_correct": sum(right),
            "n_wrong": len(right) - sum(right),
            "selections_s": sum(took) + rest,
            "bits_s": value,
            "bits_s_ci": [low, high],
            "chance": 1.0 / grid.n_targets,
            "chance_bits_s": 0.0,
        }

    def _rest_s(self, block: int) -> float:
        """Return how long a block went on after its last selection, s."""
        ends = [r.t_start_s + r.acquire_s for b, r in self._results if b == block]
        return max(self._blocks[block].t_end_s - ends[-1], 0.0) if ends else 0.0

    def _recipe_time(self, result: TrialResult) -> float:
        """Return how long the trial lasted, its hold included, s."""
        hold: float = getattr(self._recipe.task, "hold_s", 0.0)
        return result.acquire_s + (hold if result.success else 0.0)

    def summary(
        self, counters: Mapping[str, float], telemetry: Telemetry | None, out: Path | None
    ) -> dict[str, Any]:
        """Return the figures of the scored blocks and the counts of the whole session.

        Without ``telemetry`` (lock-step simulation) there are no latencies: no time passes in a step.
        """
        recipe, steps, results = self._recipe, self.scored_steps(), self.results()
        s: dict[str, Any] = {
            "name": recipe.session.name,
            "seed": recipe.session.seed,
            "block": ", ".join(recipe.blocks[i].name for i in self._scored),
            "subject": "simulated" if recipe.world is not None else "live",
        }
        reach = score(
            results, n_targets=recipe.task.n_targets, seed=recipe.session.seed, elapsed_s=self._elapsed_s(),
            trajectories=self._trajectories(steps), hold_s=getattr(recipe.task, "hold_s", 0.0),
        )  # fmt: skip
        told = reach.as_dict()
        s |= {
            "n_trials": reach.n_trials,
            "n_success": sum(r.success for r in results),
            "success_rate": told["success"][0],
            "success_ci": told["success"][1:],
            "chance": told["chance_success"],
            "acquisition_s": told["acquire_s"][0],
            "path_efficiency": told["path_efficiency"][0],
            "fitts_bits_s": told["throughput_bit_s"][0],
            "bits_s": told["bit_rate_bit_s"][0],
            "intervals": {k: v[1:] for k, v in told.items() if isinstance(v, list)},
            "overshoots": told["overshoots"][0],
            "dial_in_s": told["dial_in_s"][0],
            "effective_fitts_bits_s": told["effective_throughput_bit_s"][0],
            "movement": {k: told[k][0] for k in MOVEMENT}
            | {"chance_movement_error_mm": told["chance_movement_error_mm"]},
            **self._n,
            "streams": {
                s.label: {"samples": int(n), "lost": int(lost)}
                for s, n, lost in zip(recipe.sources, *self._streams, strict=False)
            },
            "params_version": int(steps["params_version"][-1]) if len(steps) else None,
            "blocks": [b.as_dict() for b in self._blocks if b.seen],
        }
        if isinstance(recipe.task, Grid):
            s |= self._selections(recipe.task)
            s["intervals"]["bit_rate_bit_s"] = s["bits_s_ci"]
        if telemetry is not None and len(steps):
            began = steps["now"] >= (-np.inf if self._began_s is None else self._began_s)
            age = age_ns(steps[began] if began.any() else steps)
            s |= {"age_ms": _percentiles(age / 1e6), "own_us": _percentiles(own_ns(steps) / 1e3)}
            s["stale"] = telemetry.stale_commands
            histogram = Histogram()
            histogram.add(age)
            s["age_histogram"] = histogram.to_dict()
        if self.dose is not None:
            s["therapy"] = self.dose.as_dict(live=telemetry is not None)
        s |= {k: int(v) for k, v in counters.items() if k not in ("armed", "stopped")}
        if out is not None:
            s["recording"] = str(out)
            s["replay"] = f"bmi replay {out} --verify"
        s["notice"] = "research use only; not a medical device"
        return s


class _BlockTold:
    """What one block of a session came to, scored or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.won: list[bool] = []
        self.seen = False
        self._t = (0.0, 0.0)
        self._last = (0.0, 0)

    def take(self, steps: AnyArray) -> None:
        """Take more of the block's step records."""
        first = self._t[0] if self.seen else float(steps["now"][0])
        self.seen = True
        self._t = (first, float(steps["now"][-1]))
        self._last = (float(steps["assist"][-1]), int(steps["params_version"][-1]))

    @property
    def t_end_s(self) -> float:
        """Time of the block's last step, s."""
        return self._t[1]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        seconds, (assist, version) = round(self._t[1] - self._t[0], 3), self._last
        trials = {"trials": len(self.won), "won": [int(w) for w in self.won]}
        return {"name": self.name, "seconds": seconds, **trials, "assist_at_end": assist, "params_version": version}


def _percentiles(x: AnyArray) -> dict[str, float]:
    p50, p99, p999 = np.percentile(x, [50, 99, 99.9])
    return {"p50": float(p50), "p99": float(p99), "p999": float(p999), "max": float(x.max()), "n": len(x)}
