"""Libraries the core installs without: each is brought by an extra and imported by whoever needs it, when needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bmi.errors import PluginError

EXTRAS = {"matplotlib": "plot", "networkx": "graphs", "pyarrow": "parquet"}
"""Which extra brings a library."""


def extra(module: str, what: str) -> Any:
    """Return a module of a library in ``EXTRAS``, imported.

    Parameters
    ----------
    module
        The library or a module of it: ``"matplotlib.figure"``.
    what
        What needs it, as the user knows it; the message begins with it.

    Raises
    ------
    PluginError
        If it is not installed; the message says how to install it.
    """
    library = module.partition(".")[0]
    install = f"pip install 'multiscale-bmi[{EXTRAS[library]}]'"
    try:
        return import_module(module)
    except ImportError as e:
        raise PluginError(f"{what}: expected {library}, found none; install it with: {install}") from e
