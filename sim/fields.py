"""What stimulation does to the potential outside cells, and what a cable makes of it.

Tissue is taken as an ohmic, homogeneous medium in which fields settle at once; a contact is a sphere, seen from
outside as a point [1]_. What excites a cable is the second difference of the potential along it, its activating
function [2]_. A coil above or electrodes on the head give a field that is uniform over a cell; the soma is polarised
in proportion, by 0.1 to 0.2 mV for each V/m along the cell's axis (0.12 in hippocampal pyramidal cells [3]_).

References
----------
.. [1] McNeal (1976) Analysis of a model for excitation of myelinated nerve. IEEE Trans Biomed Eng 23:329.
.. [2] Rattay (1986) Analysis of models for external stimulation of axons. IEEE Trans Biomed Eng 33:974.
.. [3] Bikson et al. (2004) Effects of uniform extracellular DC electric fields on excitability in rat hippocampal
   slices in vitro. J Physiol 557:175.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64
from sim.stimulation import number

GREY_S_M, WHITE_S_M = 0.276, 0.126
"""Conductivity of grey and white matter, S/m."""
UM = {"um": 1.0, "mm": 1000.0}
LEAST_LAMBDA, MOST_LAMBDA = 0.1, 0.2
"""Polarisation of the soma for each V/m, mV: the range in which pyramidal cells lie."""


def positions(xyz: Any, unit: Literal["um", "mm"]) -> F64:
    """Return places as (n, 3) float64, µm; one place may be given as (3,).

    Raises
    ------
    ContractError
        If the shape or unit is another one, or a value is not finite.
    """
    if unit not in UM:
        raise ContractError(f"positions: expected the unit um or mm, given {unit!r}")
    places = np.atleast_2d(np.array(xyz, np.float64))
    if places.ndim != 2 or places.shape[1] != 3:
        raise ContractError(f"positions: expected shape (n, 3), {unit}, given {np.shape(xyz)}")
    if not np.isfinite(places).all():
        raise ContractError(f"positions: expected finite values, {unit}, given {places[~np.isfinite(places)][:3]}")
    return places * UM[unit]


def point_source_mv(current_ua: float, distance_um: float, *, sigma_s_m: float = 0.3) -> float:
    """Return the potential ``distance_um`` from a point source, V = I / (4 π σ r), mV."""
    number("point_source_mv: current_ua", current_ua)
    number("point_source_mv: distance_um", distance_um, above=0.0)
    number("point_source_mv: sigma_s_m", sigma_s_m, above=0.0)
    return 1e3 * current_ua / (4.0 * np.pi * sigma_s_m * distance_um)


def transfer_mv_ua(places_um: F64, contacts_um: F64, *, radius_um: float, sigma_s_m: float = 0.3) -> F64:
    """Return what each contact does at each place, mV for each µA.

    Sources add up: the potential is this matrix times the currents of the contacts.

    Parameters
    ----------
    places_um : array, shape (n, 3)
        Where the potential is wanted, µm; see ``positions``.
    contacts_um : array, shape (m, 3)
        Centres of the contacts, µm.
    radius_um : float
        Radius of a contact, µm. A place within has the potential of its surface.
    sigma_s_m : float
        Conductivity of the tissue, S/m.

    Returns
    -------
    array, shape (n, m)
    """
    number("transfer_mv_ua: radius_um", radius_um, above=0.0)
    number("transfer_mv_ua: sigma_s_m", sigma_s_m, above=0.0)
    places, contacts = positions(places_um, "um"), positions(contacts_um, "um")
    r = np.linalg.norm(places[:, None] - contacts[None], axis=2)
    return 1e3 / (4.0 * np.pi * sigma_s_m * np.maximum(r, radius_um))


def uniform_mv(places_um: F64, field_v_m: Any) -> F64:
    """Return the potential of a uniform field, (n,) mV: zero at the origin, falling along the field.

    Parameters
    ----------
    places_um : array, shape (n, 3)
        Places, µm.
    field_v_m : array, shape (3,)
        The field, V/m.
    """
    field = np.array(field_v_m, np.float64)
    if field.shape != (3,) or not np.isfinite(field).all():
        raise ContractError(f"uniform_mv: expected field_v_m as three finite numbers, V/m, given {field_v_m!r}")
    return -1e-3 * positions(places_um, "um") @ field


def polarisation_mv(field_v_m: Any, *, lambda_mv_per_v_m: float = 0.12) -> F64:
    """Return by how much a uniform field depolarises somata, mV: ΔV = λ E.

    Parameters
    ----------
    field_v_m : array, any shape
        Component of the field along the axis of each cell, from dendrite to soma, V/m.
    lambda_mv_per_v_m : float
        Polarisation length: 1 mV for each V/m is 1 mm.

    Raises
    ------
    ContractError
        If λ is outside 0.1 to 0.2 mV for each V/m, or the field not finite.
    """
    field = np.array(field_v_m, np.float64)
    if not np.isfinite(field).all():
        raise ContractError(f"polarisation_mv: expected field_v_m finite, V/m, given {field[~np.isfinite(field)][:3]}")
    if not LEAST_LAMBDA <= lambda_mv_per_v_m <= MOST_LAMBDA:
        raise ContractError(
            f"polarisation_mv: lambda_mv_per_v_m is {lambda_mv_per_v_m:g} mV for each V/m, expected {LEAST_LAMBDA} to "
            f"{MOST_LAMBDA}, where pyramidal cells lie; for other cells drive a cable with uniform_mv"
        )
    return np.asarray(lambda_mv_per_v_m * field)


def activating_mv_ms(
    potential_mv: F64, dx_um: float, *, diameter_um: float, ra_ohm_cm: float, c_uf_cm2: float = 1.0
) -> F64:
    """Return how fast a potential outside would depolarise a cable at rest, mV/ms.

    Rattay's activating function d / (4 Ra C) ∂²Ve/∂x² on a cable with sealed ends.

    Parameters
    ----------
    potential_mv : array, shape (n,) or (n, ...)
        Outside each of n equal compartments, mV.
    dx_um : float
        Length of a compartment, µm.
    diameter_um, ra_ohm_cm, c_uf_cm2 : float
        Diameter of the cable, µm; its axial resistivity, Ω cm; its membrane's capacitance, µF/cm².

    Returns
    -------
    array
        As ``potential_mv``.
    """
    given = {"dx_um": dx_um, "diameter_um": diameter_um, "ra_ohm_cm": ra_ohm_cm, "c_uf_cm2": c_uf_cm2}
    for name, value in given.items():
        number(f"activating_mv_ms: {name}", value, above=0.0)
    v = np.array(potential_mv, np.float64)
    if v.ndim < 1 or len(v) < 2 or not np.isfinite(v).all():
        raise ContractError(f"activating_mv_ms: expected finite potentials of 2 or more compartments, given {v.shape}")
    flow = np.diff(v, axis=0)
    into = np.zeros_like(v)
    into[:-1] += flow
    into[1:] -= flow
    # d / (4 Ra C dx²): cm / (Ω cm · µF/cm² · cm²) = 1 / (Ω µF), thousand times that a millisecond's inverse
    dx_cm, d_cm = 1e-4 * dx_um, 1e-4 * diameter_um
    return into * (1e3 * d_cm / (4.0 * ra_ohm_cm * c_uf_cm2 * dx_cm**2))
