"""The way to a target: how straight, how steady, how smooth.

Accuracy measures of MacKenzie, Kauppinen & Silfverberg (*Proc. CHI 2001*, 9-16), relative to the **task axis**
from where the reach began to the target's centre; smoothness as spectral arc length. Counts are raw: a decoder
that trembles at every step changes direction at every step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bmi.signals import F64, AnyArray

_ROUNDING = 1e-9  # of the reach's length: what floating-point arithmetic puts beside a straight way
_ROUNDING_S = 1e-6  # so that 15 steps of 20 ms are 0.3 s


class Trajectory(NamedTuple):
    """The way of one trial, from target onset to its end."""

    t: F64
    """(n,) s."""
    position: F64
    """(n, n_dims) mm."""
    goal: F64
    """(n_dims,) centre of the target, mm."""
    radius_mm: float
    """Acceptance radius."""


class Movement(NamedTuple):
    """Figures of one way; NaN where one is not defined.

    Those relative to the task axis are taken from onset to the entry into the target that was not left again (to
    the end if there is none), mean over samples; deviation has no sign and no crossings in three dimensions, and
    does not exist in one. Those of speed are taken over the whole way, hold included: cut off at the rim a
    speed profile ends in a step, which is not the movement's.
    """

    error_mm: float
    """Movement error ME: mean distance from the task axis."""
    offset_mm: float
    """Movement offset MO: mean signed distance, left of the axis positive; in three dimensions the length of the
    mean deviation."""
    variability_mm: float
    """Movement variability MV: standard deviation of the distance, ``n - 1`` in the denominator."""
    axis_crossings: float
    """Task axis crossings TAC; touching is not crossing."""
    direction_changes: float
    """Movement direction changes MDC: the way turns parallel to the axis, its motion across it changes sign."""
    orthogonal_changes: float
    """Orthogonal direction changes ODC: the way turns perpendicular to the axis, its motion along it changes
    sign."""
    reentries: float
    """Target re-entries TRE: entries after the first."""
    overshoot_mm: float
    """Farthest past the target's far rim, along the axis; 0 if never."""
    dial_in_s: float
    """From the first entry to the last one: time spent orbiting."""
    peak_speed_mm_s: float
    """Largest speed between two samples."""
    peak_s: float
    """When that was, from onset; reaction time is part of it."""
    smoothness: float
    """Spectral arc length, see ``sparc``; below 0, the closer to 0 the smoother."""


NO_MOVEMENT = Movement(*(math.nan,) * len(Movement._fields))
"""What is known of a way without samples."""


def movement(way: Trajectory) -> Movement:
    """Return the figures of one way.

    Notes
    -----
    Everything but time and speed is unchanged by shifts and rotations; a mirror image changes the sign of
    ``offset_mm`` alone.
    """
    if not len(way.t):
        return NO_MOVEMENT
    times = entries(way)
    along, across = deviation(reach(way), way.goal)
    distance = math.dist(way.position[0], way.goal)
    flat = across.shape[1] == 1
    size = np.linalg.norm(across, axis=1) if across.size else np.full(len(along), math.nan)
    peak_speed, peak_s, smoothness = _speed_figures(way)
    whole_along = deviation(way.position, way.goal)[0]
    return Movement(
        error_mm=float(size.mean()),
        offset_mm=_offset(across),
        variability_mm=_variability(across),
        axis_crossings=_sign_changes(across[:, 0], distance) if flat else math.nan,
        direction_changes=_sign_changes(np.diff(across[:, 0]), distance) if flat else math.nan,
        orthogonal_changes=_sign_changes(np.diff(along), distance),
        reentries=float(max(len(times) - 1, 0)),
        overshoot_mm=max(float(whole_along.max()) - distance - way.radius_mm, 0.0) if distance > 0 else math.nan,
        dial_in_s=times[-1] - times[0] if times else math.nan,
        peak_speed_mm_s=peak_speed,
        peak_s=peak_s,
        smoothness=smoothness,
    )


def deviation(position: F64, goal: F64) -> tuple[F64, F64]:
    """Return how far each sample is along the task axis and how far beside it.

    Parameters
    ----------
    position : (n, n_dims) float64
        A way, mm; its first sample is where the axis begins.
    goal : (n_dims,) float64
        Where it ends.

    Returns
    -------
    along : (n,) float64
        mm from the beginning; NaN where the way begins at the goal.
    across : (n, k) float64
        mm; signed in two dimensions (k = 1, left is positive), a vector in three (k = 3), empty in one (k = 0).
    """
    rel = np.asarray(position, np.float64) - position[0]
    axis = np.asarray(goal, np.float64) - position[0]
    length = float(np.linalg.norm(axis))
    unit = axis / length if length > 0 else np.full_like(axis, np.nan)
    along = rel @ unit
    if len(axis) == 1:
        return along, np.zeros((len(rel), 0))
    if len(axis) == 2:
        return along, (unit[0] * rel[:, 1] - unit[1] * rel[:, 0])[:, None]
    return along, rel - along[:, None] * unit


def entries(way: Trajectory) -> list[float]:
    """Return the times at which the target was entered; beginning inside it counts."""
    within = inside(way, way.goal)
    first = within & ~np.concatenate([[False], within[:-1]])
    return [float(t) for t in way.t[first]]


def inside(way: Trajectory, goal: F64) -> AnyArray:
    """Return which samples lie within the radius of ``goal``, (n,) bool."""
    return np.asarray(np.linalg.norm(way.position - goal, axis=1) <= way.radius_mm)


def held(way: Trajectory, goal: F64, hold_s: float) -> bool:
    """Whether the way stays within the radius of ``goal`` for ``hold_s`` somewhere."""
    within = inside(way, goal)
    if not within.any():
        return False
    step = np.arange(len(within))
    since = np.maximum.accumulate(np.where(within, 0, step + 1))  # first sample of the stay each one belongs to
    return bool((within & (way.t - way.t[np.minimum(since, len(step) - 1)] >= hold_s - _ROUNDING_S)).any())


def reach(way: Trajectory) -> F64:
    """Return the positions up to the entry that was not left again; all if the way ends outside."""
    outside = np.flatnonzero(~inside(way, way.goal))
    last = int(outside[-1]) + 1 if outside.size else 0
    return way.position[: last + 1]


def sparc(speed: F64, rate_hz: float, *, cutoff_hz: float = 10.0, threshold: float = 0.05) -> float:
    """Spectral arc length of a speed profile: minus the length of its normalised magnitude spectrum.

    The spectrum is scaled to a largest magnitude of 1, and frequency to a width of 1 between the first and the
    last component of at least ``threshold`` up to ``cutoff_hz`` (or half the sampling rate, if that is less).
    One bell-shaped stroke gives about -1.4; each further submovement adds length. Independent of amplitude and
    of rests before and after (Balasubramanian et al., *J. NeuroEng. Rehabil.* 12:112, 2015; zero-padding to
    sixteen times the next power of two, as there).

    Parameters
    ----------
    speed : (n,) float64
        In any unit, regularly sampled.
    rate_hz : float
        Its sampling rate.
    cutoff_hz, threshold : float
        As above.

    Returns
    -------
    float
        At most -1; NaN if nothing moves.
    """
    if len(speed) < 2 or not np.any(speed):
        return math.nan
    n_fft = 1 << (math.ceil(math.log2(len(speed))) + 4)
    magnitude = np.abs(np.fft.rfft(speed, n_fft))
    magnitude /= magnitude.max()
    kept = np.flatnonzero((np.fft.rfftfreq(n_fft, 1.0 / rate_hz) <= cutoff_hz) & (magnitude >= threshold))
    if len(kept) < 2:
        return math.nan
    steps = np.diff(magnitude[kept[0] : kept[-1] + 1])
    return -float(np.hypot(1.0 / len(steps), steps).sum())


def _offset(across: F64) -> float:
    if across.shape[1] == 1:
        return float(across.mean())
    return float(np.linalg.norm(across.mean(0))) if across.size else math.nan


def _variability(across: F64) -> float:
    if len(across) < 2 or not across.size:
        return math.nan
    return math.sqrt(float(((across - across.mean(0)) ** 2).sum()) / (len(across) - 1))


def _sign_changes(x: F64, distance: float) -> float:
    """Count changes of sign, zeros (to within rounding of ``distance``) left out; NaN without an axis."""
    if not distance > 0:
        return math.nan
    signs = np.sign(x[np.abs(x) > _ROUNDING * distance])
    return float((signs[1:] != signs[:-1]).sum())


def _speed_figures(way: Trajectory) -> tuple[float, float, float]:
    """Return peak speed, when it was, and smoothness."""
    later = np.concatenate([[True], np.diff(way.t) > 0])  # two samples of one time have no speed
    t, position = way.t[later], way.position[later]
    if len(t) < 2:
        return math.nan, math.nan, math.nan
    dt = np.diff(t)
    speed = np.linalg.norm(np.diff(position, axis=0), axis=1) / dt
    peak = int(speed.argmax())
    step = float(np.median(dt))
    regular = t[0] + step * np.arange(math.floor((t[-1] - t[0]) / step + _ROUNDING) + 1)
    even = np.stack([np.interp(regular, t, p) for p in position.T], axis=1)
    smoothness = sparc(np.linalg.norm(np.diff(even, axis=0), axis=1) / step, 1.0 / step)
    return float(speed[peak]), float(t[peak] + 0.5 * dt[peak] - t[0]), smoothness
