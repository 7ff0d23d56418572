"""What may befall the patient, by name: independent options, and bundles of them.

Days, rates and depths are choices of one scenario, made so that each cause shows within a simulated year; they are no
clinical claims. Options do not know each other: leaving one out leaves the others' values as they are, and leaving all
out leaves theta at its baseline, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bmi.errors import ContractError
from bmi.registry import nearest
from sim.brain.connectome import Connectome
from sim.disease.ageing import Ageing
from sim.disease.als import ALS
from sim.disease.alzheimer import Alzheimer
from sim.disease.medication import Medication
from sim.disease.parkinson import Parkinson
from sim.disease.stroke import Stroke
from sim.disease.timeline import Schedule, Steady, Timeline

STRUCK = (("M1",),)
AMYLOID_SEEDS = (("PCUN", "PCC", "INS", "OFC", "VMPFC"), ("TP",))
TAU_SEEDS = (("ERC",), ("HC",))
"""Where a lesion (left) and toxic proteins (both sides) begin; the next group where a coarse atlas lacks the first."""


def _stroke(brain: Connectome) -> Schedule:
    return Stroke(n_regions=brain.n, regions=_regions("stroke", brain, STRUCK)[:1])


def _alzheimer(brain: Connectome) -> Schedule:
    amyloid, tau = (_regions("alzheimer", brain, seeds) for seeds in (AMYLOID_SEEDS, TAU_SEEDS))
    return Alzheimer(weights=brain.weights, amyloid_seeds=amyloid, tau_seeds=tau)


def _regions(option: str, brain: Connectome, groups: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Return where the areas of the first group are of which the brain has any, left before right."""
    for areas in groups:
        labels = [f"{side}.{x}" for x in areas for side in "lr" if f"{side}.{x}" in brain.labels]
        if labels:
            return tuple(int(k) for k in brain.indices(labels))
    raise ContractError(
        f"timeline: {option} begins in {' or '.join(x for areas in groups for x in areas)}, of which this brain of "
        f"{brain.n} regions has none; give its schedule to Timeline yourself, with regions of your own"
    )


class Option(NamedTuple):
    """One cause, which may be there or not."""

    about: str
    build: Callable[[Connectome], Schedule]
    """Makes its schedule for the patient's brain."""


OPTIONS: Mapping[str, Option] = {
    "ageing": Option("electrodes that grow old, from day 30", lambda brain: Ageing()),
    "levodopa": Option("four doses a day, loss of dopamine ± 0.15", lambda brain: Medication()),
    "treated": Option(
        "a steady loss of dopamine of 0.5, for levodopa to act on",
        lambda brain: Steady(values={"dopamine_loss": 0.5}),
    ),
    "progression": Option("loss of dopamine from 0.3 to 0.9, from day 120", lambda brain: Parkinson()),
    "stroke": Option("half the tracts of left M1, on day 90; 70 % come back", _stroke),
    "alzheimer": Option("amyloid and tau that spread, from day 180", _alzheimer),
    "epilepsy": Option(
        "Nav1.1 at 0.65 and a focus above the threshold of seizures, from day 200",
        lambda brain: Steady(values={"nav11": 0.65, "excitability": -1.9}, from_day=200.0),
    ),
    "als": Option("tuned neurons and the mu rhythm that fade, from day 240", lambda brain: ALS()),
}
"""Independent causes."""

PRESETS: Mapping[str, tuple[str, ...]] = {
    "healthy": (),
    "ageing": ("ageing",),
    "medication": ("treated", "levodopa"),
    "parkinson": ("progression",),
    "alzheimer": ("alzheimer",),
    "epilepsy": ("epilepsy",),
    "als": ("als",),
    "stroke": ("stroke",),
    "year": ("ageing", "levodopa", "progression", "stroke", "alzheimer", "epilepsy", "als"),
}
"""Bundles of options; ``year`` is everything that may happen in one."""


def timeline(names: str | Iterable[str], brain: Connectome) -> Timeline:
    """Return the patient days of some presets and options, each cause once.

    Raises
    ------
    ContractError
        If there is neither a preset nor an option of a name, or the brain lacks the regions where one begins.
    """
    wanted: dict[str, None] = {}
    for name in (names,) if isinstance(names, str) else names:
        if name in PRESETS:
            wanted |= dict.fromkeys(PRESETS[name])
        elif name in OPTIONS:
            wanted[name] = None
        else:
            known = list(dict.fromkeys((*PRESETS, *OPTIONS)))
            raise ContractError(
                f"timeline: there is no preset and no option {name!r}{nearest(name, known)}; there are "
                f"{', '.join(known)}"
            )
    return Timeline(schedules=tuple(OPTIONS[name].build(brain) for name in wanted), n_regions=brain.n)
