"""What the parts of the patient do, drawn: one page a component. ``bmi sim show``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bmi.errors import ContractError
from bmi.extras import extra
from bmi.registry import nearest
from bmi.signals import AnyArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#5B5B5B")
"""Okabe and Ito's palette."""
FORMATS = (".png", ".svg", ".pdf")
EXPECTED = "give a png, svg or pdf in a folder there is"


def names() -> list[str]:
    """Return the components there is a picture of, smallest scale first."""
    return list(_pictures())


def blank(**settings: Any) -> Figure:
    """Return an empty figure. Raises PluginError if matplotlib is missing."""
    figure: Figure = extra("matplotlib.figure", "plots").Figure(layout="constrained", **settings)
    return figure


def page(path: Path) -> Path:
    """Return where a page will be written, a png if the name does not say; asked before long work, not after it.

    Raises
    ------
    ContractError
        If it is of another format, or its folder does not exist.
    PluginError
        If matplotlib is missing.
    """
    blank()
    page = path if path.suffix else path.with_name(f"{path.name}.png")
    if page.suffix.lower() not in FORMATS or not page.parent.is_dir():
        raise ContractError(f"cannot write {path}; {EXPECTED}")
    return page


def save(figure: Figure, path: Path) -> None:
    """Write a page. Raises ContractError if the file cannot be written."""
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as e:
        raise ContractError(f"cannot write {path}: {e}; {EXPECTED}") from e


def show(name: str, path: Path, *, seed: int = 1) -> str:
    """Draw the component ``name`` into ``path`` (png, svg or pdf) and return what is to be seen, in one line.

    Raises
    ------
    ContractError
        If there is no such picture, or the file cannot be written.
    PluginError
        If matplotlib is missing.
    """
    found = _pictures()
    if name not in found:
        known = ", ".join(found)
        raise ContractError(f"sim show: no component {name!r}{nearest(name, list(found))}; there are {known}")
    figure = blank(figsize=(11, 7))
    about = found[name](figure, seed)
    figure.suptitle(f"{about}   ·   simulated, seed {seed}; research use only", fontsize=10)
    save(figure, path)
    return about


def _pictures() -> dict[str, Callable[[Figure, int], str]]:
    from sim import pictures_brain as brain
    from sim import pictures_cells as cells
    from sim import pictures_circuits as circuits
    from sim import pictures_masses as masses
    from sim import pictures_patient as patient
    from sim import pictures_sensors as sensors
    from sim import pictures_stimulation as stimulation

    return {
        "cells": cells.cells, "cable": cells.cable, "synapse": cells.synapse, "plasticity": circuits.plasticity,
        "network": circuits.network, "tissue": circuits.tissue, "basal-ganglia": circuits.basal_ganglia,
        "stimulation": stimulation.stimulation, "drugs": cells.drugs, "masses": masses.masses, "rhythm": masses.rhythm,
        "seizures": masses.seizures, "connectome": brain.connectome, "connectivity": brain.connectivity,
        "head": sensors.head, "array": sensors.array, "year": sensors.year, "patient": patient.patient,
    }  # fmt: skip


def grid(figure: Figure, rows: int, columns: int, **sizes: Any) -> list[Axes]:
    """Return the axes of a page, row by row, plain; ``sizes`` as of ``Figure.subplots``."""
    found: list[Any] = list(np.ravel(figure.subplots(rows, columns, **sizes)))
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return found


def label(axes: Axes, title: str, x: str, y: str) -> None:
    """Write title and labels."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)


def small(axes: Axes, **where: Any) -> None:
    """Add a legend, small and plain."""
    axes.legend(**{"frameon": False, "fontsize": 8} | where)


def raster(axes: Axes, spikes: AnyArray, dt_s: float, colour: str = "k", every: int = 1) -> None:
    """Draw spikes (n, 2) of step and neuron as dots, of each ``every``-th neuron."""
    shown = spikes[spikes[:, 1] % every == 0]
    axes.plot(shown[:, 0] * dt_s, shown[:, 1], ".", color=colour, ms=1.5, rasterized=True)
