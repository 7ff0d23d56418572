"""The conformance kit for devices: three lines in a plug-in's tests prove that it keeps the contract."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from bmi.contracts import Device, Guarded
from bmi.errors import DeviceError, PluginError
from bmi.signals import F64, Command, EffectorState, GateState

STEP_S = 0.02


def check_device(factory: Callable[[], Device], *, speed: float | None = None, t0: float = 1000.0) -> None:
    """Prove that a device keeps the contract of ``bmi.contracts.Device``.

    Parameters
    ----------
    factory : callable
        Makes a fresh device that can be opened here, with nothing real behind it that could hurt.
    speed : float, optional
        A speed (or amplitude) it surely takes, in its unit; by default half its limit, or 50.
    t0 : float
        Time of the first command, s, on the clock the device compares with.

    Raises
    ------
    PluginError
        Naming the broken promise.

    Notes
    -----
    Proves: spec and state are whole before ``open``; ``write`` and ``arm`` are refused while closed; nothing
    moves on ``open`` and ``arm``, nor by commands while not armed; what is applied is what was asked, slowed
    to the limit (and no amplitude below zero); NaN and Inf move nothing; ``stop`` is idempotent, works in every
    state and from another thread, and drops late commands; ``close`` is idempotent and it opens again; restoring
    ``state()`` restores what follows, bit by bit. If it is hardware, or hands out a ``guard_link``: the link is
    refused while closed, is a descriptor of its own from ``open`` to ``close``, and takes its stop message whole.
    """
    device = factory()
    _declaration(device)
    _closed(device)
    limit = device.spec.speed_limit
    if speed is None:
        speed = 0.5 * limit if np.isfinite(limit) else 50.0
    try:
        _at_rest(device, speed, t0)
        _applied(device, speed, t0)
        _stop(device, speed, t0)
        _snapshot(device, speed, t0)
        _guard(device)
    finally:
        device.close()
    device.close()
    device.open()
    device.close()


def _guard(device: Device) -> None:
    _require(
        isinstance(device, Guarded) or not device.spec.hardware,
        "hardware hands out a guard_link(), so that the guard process can stop it alone",
    )
    if not isinstance(device, Guarded):
        return
    device.close()
    _refused(device.guard_link, "guard_link() is refused while closed")
    device.open()
    link = device.guard_link()
    _require(link.stop and link.repeat >= 1, "guard_link() has a stop message and how often to send it")
    try:
        os.fstat(link.fd)
        _require(os.write(link.fd, link.stop) == len(link.stop), "the link takes the whole stop in one write")
    except OSError as e:
        sent = e.errno == errno.ECONNREFUSED  # nobody listens, but it went out
        _require(sent, f"guard_link() is an open descriptor that takes the stop ({e})")


def command_of(device: Device, values: F64, now: float) -> Command:
    """Return a fresh command with ``values``, as an armed gate would issue it."""
    return Command(np.asarray(values, np.float64), now, now, now, 0, int(GateState.ACTIVE), 0)


def _require(condition: object, promise: str) -> None:
    if not condition:
        raise PluginError(f"device breaks its contract: {promise}")


def _refused(call: Callable[[], object], promise: str) -> None:
    try:
        call()
    except DeviceError:
        return
    raise PluginError(f"device breaks its contract: {promise}; nothing was raised")


def _along(device: Device, speed: float) -> F64:
    return np.full(len(device.spec.dims), speed / np.sqrt(len(device.spec.dims)))


def _doing(device: Device, effector: EffectorState) -> F64:
    """Return what a command sets: the velocity, or the position of a device commanded in its position unit."""
    return effector.position if device.spec.unit == device.spec.position_unit else effector.velocity


def _declaration(device: Device) -> None:
    _require(isinstance(device, Device), "it has every method of bmi.contracts.Device")
    spec = device.spec
    _require(len(set(spec.dims)) == len(spec.dims) > 0, f"its dims have distinct names, given {spec.dims}")
    _require(spec.speed_limit > 0, f"speed_limit is positive, given {spec.speed_limit}")
    _require(spec == device.spec, "its spec is fixed")
    effector, shape = device.effector, (len(spec.dims),)
    for name, array in (("position", effector.position), ("velocity", effector.velocity)):
        _require(array.shape == shape, f"effector.{name} has shape {shape}, given {array.shape}")
        _require(array.dtype == np.float64, f"effector.{name} is float64, given {array.dtype}")


def _closed(device: Device) -> None:
    rest = command_of(device, _along(device, 0.0), 0.0)
    device.stop("before open")
    device.close()
    _refused(device.arm, "arm() while closed raises DeviceError")
    _refused(lambda: device.write(rest, 0.0), "write() while closed raises DeviceError")


def _at_rest(device: Device, speed: float, t: float) -> None:
    device.open()
    here = device.read(t).position.copy()
    fast = command_of(device, _along(device, speed), t)
    applied = device.write(fast, t)
    _require(not np.any(applied), f"a command before arm() moves nothing, it applied {applied}")
    device.arm()
    later = device.read(t + STEP_S)
    _require(later is device.effector, "read() returns the one effector object")
    _require(not np.any(_doing(device, later)), "arm() moves nothing")
    _require(np.array_equal(later.position, here), "nothing moves on open() and arm()")
    device.stop("end of check")


def _applied(device: Device, speed: float, t: float) -> None:
    device.arm()
    clock = itertools.count()
    limit = device.spec.speed_limit
    asked = [_along(device, speed), _along(device, -speed), _along(device, 0.0)]
    if np.isfinite(limit):
        asked.append(_along(device, 10.0 * limit))
    for values in asked:
        now = t + 1.0 + STEP_S * next(clock)
        applied = device.write(command_of(device, values, now), now).copy()
        norm = float(np.linalg.norm(values))
        expected = values * min(1.0, limit / norm) if norm > 0 else values
        if device.spec.program is not None:  # polarity is the program's
            expected = np.maximum(expected, 0.0)
        _require(
            np.allclose(applied, expected, rtol=1e-9, atol=1e-9),
            f"applied is asked, slowed to the limit: asked {values}, expected {expected}, applied {applied}",
        )
    for bad in (np.nan, np.inf, -np.inf):
        now = t + 1.0 + STEP_S * next(clock)
        values = _along(device, speed)
        values[-1] = bad
        applied = device.write(command_of(device, values, now), now)
        _require(not np.any(applied), f"{bad} moves nothing, it applied {applied}")
    device.stop("end of check")


def _stop(device: Device, speed: float, t: float) -> None:
    fast = _along(device, speed)
    device.arm()
    device.write(command_of(device, fast, t + 2.0), t + 2.0)
    with ThreadPoolExecutor(1) as other_thread:
        for reason in ("from another thread", "again"):
            stopped = other_thread.submit(device.stop, reason)
            _require(wait([stopped], timeout=1.0).done, "stop() returns at once, from any thread")
            fault = stopped.exception()
            _require(fault is None, f"stop() never raises, it raised {fault!r}")
    _require(not np.any(_doing(device, device.read(t + 2.02))), "after stop() it rests")
    applied = device.write(command_of(device, fast, t + 2.03), t + 2.03)
    _require(not np.any(applied), f"a late command after stop() moves nothing, it applied {applied}")
    device.recover()
    _require(not np.any(_doing(device, device.read(t + 2.04))), "recover() moves nothing")


def _snapshot(device: Device, speed: float, t: float) -> None:
    device.arm()
    rng = np.random.default_rng(0)

    def run(start: float) -> list[bytes]:
        draw = np.random.default_rng(1)
        seen = []
        for k in range(20):
            now = start + STEP_S * k
            values = draw.uniform(-1, 1, len(device.spec.dims)) * speed / np.sqrt(len(device.spec.dims))
            seen.append(device.write(command_of(device, values, now), now).tobytes())
            effector = device.read(now + 0.01)
            seen.append(effector.position.tobytes() + effector.velocity.tobytes())
        return seen

    for k in range(5):
        now = t + 3.0 + k * STEP_S
        device.write(command_of(device, _along(device, speed * rng.uniform(-1, 1)), now), now)
    arrays = device.state()
    saved = [a.copy() for a in arrays]
    first = run(t + 3.2)
    same = all(a is b for a, b in zip(arrays, device.state(), strict=True))
    _require(same, "state() always returns the same arrays")
    for array, copy in zip(arrays, saved, strict=True):
        array[...] = copy
    _require(run(t + 3.2) == first, "after restoring state() what follows is bit-equal")
    device.stop("end of check")
