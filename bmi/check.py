"""``bmi check``: bind everything a recipe describes, without opening a stream or a device."""

from __future__ import annotations

from typing import Any

from bmi.process import bind_line, make_line, rng_for
from bmi.recipe import Recipe
from bmi.signals import StreamSpec


def specs_known(recipe: Recipe) -> tuple[StreamSpec, ...] | None:
    """Return the streams' shapes as far as the recipe tells them: from its world, or declared by its sources."""
    if recipe.world is not None:
        return recipe.world_specs
    specs = []
    for source in recipe.sources:
        n, rate, unit = source.n_channels, source.rate_hz, source.unit
        if n is None or rate is None or unit is None:
            return None
        n_push = source.samples_per_pull or 1
        specs.append(StreamSpec(name=source.label, n_channels=n, rate_hz=rate, unit=unit, max_samples=n_push))
    return tuple(specs)


def check(recipe: Recipe) -> dict[str, Any]:
    """Bind a constructed recipe and say in words what it is.

    Raises
    ------
    ContractError
        If shapes, units or rates do not fit, naming the part.
    """
    report: dict[str, Any] = {"recipe": recipe.where, "session": recipe.session.name, "seed": recipe.session.seed}
    report |= recipe.names
    specs = specs_known(recipe)
    if specs is None:
        report["bound"] = (
            "no: the streams' shapes are known only once they are open; "
            "give n_channels, rate_hz and unit of each source to bind without them"
        )
        return report
    if recipe.world is not None:
        recipe.world.bind(rng_for(recipe.session.seed, "world"), 0.0)
    line = make_line(recipe)
    bind_line(recipe, line, specs)
    report["bound"] = "yes"
    report["streams"] = [f"{s.name}: {s.n_channels} channels, {s.rate_hz:g} Hz, {s.unit}" for s in specs]
    report["features"] = [f"{s.name}: {s.n_channels}, {s.rate_hz:g} Hz, {s.unit}" for s in line.pipeline.features]
    if (therapy := recipe.therapy) is not None:
        f, limits = therapy.features, therapy.gate.limits_
        report["therapy"] = (
            f"{therapy.source} → {f.n_channels}, {f.rate_hz:g} Hz, {f.unit} → {therapy.site}: at most "
            f"{limits.amplitude:.3g} mA ({limits.rule}), {limits.ramp:.3g} mA/s, "
            f"{therapy.program.frequency_hz:g} Hz of {therapy.program.pulse_us:g} µs"
        )
    report["blocks"] = [b.name for b in recipe.blocks]
    return report
