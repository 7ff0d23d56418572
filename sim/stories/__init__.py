"""Demonstrations: what one patient with one clock can show that parts alone cannot. ``bmi sim story``.

Each story runs shipped recipes on simulated participants, several seeds of them, and ends in a page of plots with
intervals. What a story finds is about the model, not about people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bmi.errors import ContractError
from bmi.registry import nearest


class Story(NamedTuple):
    """A demonstration."""

    about: str
    live: Callable[[int, float], dict[str, Any]]
    """Run one seed; the length of its sessions as a share of the shipped one. Its dict is JSON-serialisable."""
    tell: Callable[[Mapping[int, dict[str, Any]]], dict[str, Any]]
    """Put seeds together."""
    said: Callable[[Mapping[str, Any]], str]
    """Say in a line what was found."""


def stories() -> dict[str, Story]:
    """Return the demonstrations by name."""
    from sim.stories import molecule, sensors, three_patients, year

    return {
        "three-patients": Story(
            "one decoder on a healthy, a parkinsonian and a treated patient", three_patients.live, three_patients.tell,
            three_patients.said,
        ),
        "sensors": Story(
            "what spikes, fields and EEG of one patient each say of its intentions", sensors.live, sensors.tell,
            sensors.said,
        ),
        "year": Story(
            "a year of an ageing implant in ten minutes, the decoder frozen", year.live, year.tell, year.said
        ),
        "molecule": Story(
            "from sodium channels to a pulse that cuts a seizure short", molecule.live, molecule.tell, molecule.said
        ),
    }


def live(
    name: str, seeds: Sequence[int], *, jobs: int = 1, share: float = 1.0,
    progress: Callable[[int], None] = lambda _n: None,
) -> dict[str, Any]:  # fmt: skip
    """Run a story on ``seeds`` and return what it tells.

    Parameters
    ----------
    name : str
    seeds : sequence of int
        Participants, each with a circuit, connectome and implants of its own.
    jobs : int
        Processes.
    share : float
        Length of the sessions, as a share of the shipped one.
    progress : callable
        Told how many seeds are done.

    Raises
    ------
    ContractError
        If there is no such story, or nothing to run.
    """
    known = stories()
    if name not in known:
        raise ContractError(f"story: there is none called {name!r}{nearest(name, list(known))}; {', '.join(known)}")
    if not seeds or jobs < 1 or not 0.0 < share <= 1.0:
        raise ContractError(
            f"story: expected seeds, jobs of at least 1 and a share in (0, 1], given {len(seeds)}, {jobs}, {share:g}"
        )
    found: dict[int, dict[str, Any]] = {}
    if jobs == 1:
        for seed in seeds:
            found[seed] = known[name].live(seed, share)
            progress(len(found))
    else:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed

        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = {pool.submit(_live, name, seed, share): seed for seed in seeds}
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                progress(len(found))
    told = known[name].tell({seed: found[seed] for seed in sorted(found)})
    return {"story": name, "about": known[name].about, "subject": "simulated", "seeds": sorted(found), **told}


def _live(name: str, seed: int, share: float) -> dict[str, Any]:
    return stories()[name].live(seed, share)


def said(result: Mapping[str, Any]) -> str:
    """Return in a line what a story found."""
    return stories()[result["story"]].said(result)


def interval(values: Sequence[float]) -> str:
    """Return mean and 95 % interval over participants, in words."""
    import numpy as np

    from bmi import bootstrap

    found = np.array([v for v in values if v is not None and np.isfinite(v)])
    if len(found) < 2:
        return "–" if not len(found) else f"{found[0]:.3g}"
    told = bootstrap.interval(found, 0)
    return f"{told.value:.3g} [{told.low:.3g}, {told.high:.3g}]"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw the page of a story. Raises ContractError if the file cannot be written, PluginError without matplotlib."""
    from sim.pictures_stories import page

    page(path, result)
