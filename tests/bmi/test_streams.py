"""A participant heard by several sensors: streams are pushed together, and a session binds those it names."""

import numpy as np
import pytest

from bmi.errors import ContractError, RecipeError
from bmi.recipe import build
from bmi.signals import StreamSpec
from bmi.simulate import simulate
from bmi.streams import draw, sent
from sim.world import PopulationWorld


class Two(PopulationWorld):
    """Neurons, and beside them a field of two electrodes that is their summed activity, half as often."""

    field_push = 5

    @property
    def specs(self) -> tuple[StreamSpec, ...]:
        field = StreamSpec(name="lfp", type="lfp", n_channels=2, rate_hz=500.0, unit="µV", max_samples=self.field_push)
        return self.spec, field

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        super().bind(rng, t0)
        self._total = [0.0]

    def draw_from(self, stream: int, n_samples: int) -> np.ndarray:
        if stream == 0:
            rows = self.draw(n_samples)
            self._total.append(float(rows.sum()))
            return rows
        return np.full((n_samples, 2), self._total[-1], np.float32)


def raw(*sources: dict, **world: object) -> dict:
    return {
        "session": {"name": "two", "seed": 5},
        "world": {"use": "population", "n_neurons": 12, "chunk_s": 0.01, **world},
        "sources": list(sources),
        "stages": {"m1": [{"use": "bin", "bin_s": 0.02}]},
        "decoder": {"use": "kalman", "learner": {"use": "smoothbatch"}},
        "blocks": [{"name": "calibrate", "seconds": 2, "learn": True}],
        "device": {"use": "cursor"},
    }


M1, LFP = {"use": "lsl", "name": "m1", "primary": True}, {"use": "lsl", "name": "lfp"}


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> type[Two]:
    from bmi import registry

    load = registry.load
    monkeypatch.setattr(registry, "load", lambda kind, name: Two if kind == "worlds" else load(kind, name))
    return Two


def test_a_world_of_one_stream_sends_that_one() -> None:
    world = PopulationWorld(n_neurons=4)
    world.bind(np.random.default_rng(1), 0.0)
    assert sent(world) == (world.spec,)
    assert draw(world, 0, 7).shape == (7, 4)


def test_pushes_that_last_differently_are_refused(two: type[Two], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two, "field_push", 4)
    with pytest.raises(ContractError, match=r"'lfp' lasts 8 ms, one of 'm1' 10 ms.*choose chunk_s"):
        sent(two(n_neurons=4, chunk_s=0.01))
    with pytest.raises(RecipeError, match=r"world: .*lasts 8 ms"):
        build(raw(M1, LFP))


def test_a_lock_step_session_decodes_both_streams(two: type[Two]) -> None:
    recipe = build(raw(LFP, M1))
    assert [s.name for s in recipe.world_specs] == ["m1", "lfp"]
    run = simulate(recipe, keep_features=True)
    assert run.features is not None
    y = run.features["y"]
    assert y.shape[1] == 14
    pushed = y[:, :12].sum(axis=1)  # a bin is two pushes; the field is what the newest push held
    assert (y[1:, 12] <= pushed[1:]).all()
    assert np.array_equal(y[:, 12], y[:, 13])
    assert y[:, 12].std() > 0


def test_sources_are_matched_by_name_or_type_and_others_are_named(two: type[Two]) -> None:
    assert build(raw({"use": "lsl", "type": "lfp"}, M1)).world_streams == (0, 1)
    with pytest.raises(RecipeError, match=r"sources\[1\]: .*did you mean 'lfp'.*it sends m1 \(spikes\), lfp \(lfp\)"):
        build(raw(M1, {"use": "lsl", "name": "lpf"}))
    with pytest.raises(RecipeError, match=r"sources\[1\]: is the world's stream 'm1', which another source is already"):
        build(raw(M1, {"use": "lsl", "type": "spikes"}))
    with pytest.raises(RecipeError, match=r"sources\[1\]\.rate_hz: is 1000.*but the world sends 500"):
        build(raw(M1, LFP | {"rate_hz": 1000.0}))
