"""How a session is calibrated: watched, then helped less and less, then alone, then judged.

Closed-loop calibration begins with the computer moving the effector while the participant imagines to (open loop),
blends the decoder in as it learns, and ends without help (Jarosiewicz et al., *J. Neural Eng.* 10:046012, 2013;
Brandman et al., *J. Neural Eng.* 15:026007, 2018: usable control within minutes). Whether the result is good enough
to go on with is decided by trials that nothing was learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

PHASES = ("open-loop", "assisted", "free", "check")


@dataclass(kw_only=True)
class Calibration:
    """Phases, when they may end early, and what the result must reach."""

    open_loop_s: Annotated[float, Gt(0)] = 20.0
    """Open loop: the computer moves, the decoder learns, s."""
    assisted_s: Annotated[float, Gt(0)] = 90.0
    """Longest assisted phase, s."""
    assist_step: Annotated[float, Gt(0), Le(1)] = 0.1
    """How much assist falls after every trial won, and rises after every trial lost."""
    free_s: Annotated[float, Gt(0)] = 90.0
    """Longest free phase, in which the decoder still learns, s."""
    stop_success: Annotated[float, Gt(0), Le(1)] = 0.9
    """The free phase ends early once this share of the last ``stop_of`` trials was won."""
    stop_of: Annotated[int, Ge(1)] = 8
    """Trials the stopping rule looks at."""
    check_trials: Annotated[int, Ge(4)] = 24
    """Trials without learning, by which the calibration is judged."""
    rest_s: Annotated[float, Ge(0)] = 1.0
    """Pause before each phase, s: the last update arrives."""
    min_success: Annotated[float, Ge(0), Le(1)] = 0.7
    """Quality gate: share of the check trials that must be won."""
    max_acquisition_s: Annotated[float, Gt(0)] | None = None
    """Quality gate: longest median acquisition time, s."""
    min_bits_s: Annotated[float, Ge(0)] | None = None
    """Quality gate: smallest achieved bit rate, bits/s."""

    def blocks(self) -> list[dict[str, Any]]:
        """Return the phases as blocks of a recipe."""
        until = {"success": self.stop_success, "of": self.stop_of}
        return [
            {"name": "open-loop", "seconds": self.open_loop_s, "assist": [1.0, 1.0], "learn": True},
            {
                "name": "assisted", "seconds": self.assisted_s, "assist": [1.0, 0.0], "assist_step": self.assist_step,
                "learn": True, "rest_s": self.rest_s,
            },
            {"name": "free", "seconds": self.free_s, "learn": True, "until": until, "rest_s": self.rest_s},
            {"name": "check", "trials": self.check_trials, "scored": True, "rest_s": self.rest_s},
        ]  # fmt: skip

    def judge(self, summary: Mapping[str, Any]) -> list[str]:
        """Return what the check trials fall short of, in words; empty if the calibration passes.

        Success must also lie above chance, its 95 % interval included: few trials prove little.
        """
        said = []
        success, (low, _), chance = summary["success_rate"], summary["success_ci"], summary["chance"]
        if success is None or not summary["n_trials"]:
            return ["no check trial was ended"]
        if success < self.min_success:
            said.append(f"success {success:.0%} of {summary['n_trials']} check trials, wanted {self.min_success:.0%}")
        if chance is not None and low <= chance:
            said.append(f"success is not above chance: its interval begins at {low:.0%}, chance is {chance:.0%}")
        median = summary["acquisition_s"]
        if self.max_acquisition_s is not None and (median is None or median > self.max_acquisition_s):
            said.append(f"median acquisition {median} s, wanted at most {self.max_acquisition_s:g} s")
        if self.min_bits_s is not None and (summary["bits_s"] or 0.0) < self.min_bits_s:
            said.append(f"{summary['bits_s']} bits/s, wanted at least {self.min_bits_s:g}")
        return said
