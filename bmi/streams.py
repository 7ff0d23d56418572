"""The streams of a simulated participant: one, or several that are pushed together."""

from __future__ import annotations

from typing import Any

from bmi.contracts import ManyStreams, World
from bmi.errors import ContractError
from bmi.signals import F32, StreamSpec


def sent(world: World) -> tuple[StreamSpec, ...]:
    """Return what each stream of ``world`` promises, the first being the one ``draw`` gives.

    Raises
    ------
    ContractError
        If two have one name, or pushes of one stream last longer than those of another: they could not travel
        together.
    """
    specs: tuple[StreamSpec, ...] = world.specs if isinstance(world, ManyStreams) else (world.spec,)
    names = [s.name for s in specs]
    if len(set(names)) != len(names):
        raise ContractError(f"world: expected a name of its own for every stream, given {', '.join(names)}")
    period = specs[0].max_samples / specs[0].rate_hz
    for s in specs[1:]:
        if abs(s.max_samples / s.rate_hz - period) > 1e-9 * period:
            raise ContractError(
                f"world: a push of {s.name!r} lasts {1e3 * s.max_samples / s.rate_hz:g} ms, one of {specs[0].name!r} "
                f"{1e3 * period:g} ms; expected the same: choose chunk_s so that each is a whole number of samples"
            )
    return specs


def draw(world: Any, stream: int, n_samples: int) -> F32:
    """Return the next ``n_samples`` of a stream of ``world``, (n_samples, n_channels) float32."""
    many = getattr(world, "draw_from", None)  # isinstance would have the world tell all its specs, once a draw
    data: F32 = world.draw(n_samples) if many is None else many(stream, n_samples)
    return data
