"""The relay's fidelity, kept while the circuit runs, is the published index when nothing is forgotten."""

import numpy as np
import pytest

from sim import GRID_S
from sim.patient.fidelity import Fidelity
from sim.relay import relay_error_index

DT = 25e-6


def blocks(events: np.ndarray, n: int) -> list[np.ndarray]:
    per = round(GRID_S / DT)
    return [events[(events[:, 0] >= i * per) & (events[:, 0] < (i + 1) * per)] for i in range(n)]


def run(spikes: np.ndarray, pulses: np.ndarray, seconds: float, memory_s: float = 1e16) -> Fidelity:
    kept = Fidelity(memory_s=memory_s, dt_s=DT)
    kept.bind()
    n = round(seconds / GRID_S)
    for s, p in zip(blocks(spikes, n), blocks(pulses, n), strict=True):
        kept.take(s, p)
    return kept


def events(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Pulses at 14 Hz on average and cells that answer most of them, at times twice, and fire by themselves."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.uniform(0.045, 0.1, int(seconds * 14)))
    onsets = onsets[onsets < seconds - 0.03]
    found = []
    for t in onsets:
        for cell in range(10):
            for _ in range(rng.choice(4, p=[0.1, 0.7, 0.15, 0.05])):
                found.append((t + rng.uniform(0.001, 0.024), cell))
            if rng.random() < 0.1:
                found.append((t + rng.uniform(0.026, 0.04), cell))
            found.append((t + 0.01, 10 + cell))  # of another nucleus
    spikes = np.array(sorted(found))
    steps = np.stack([(spikes[:, 0] / DT).astype(np.int64), spikes[:, 1].astype(np.int64)], axis=1)
    return steps, np.stack([(onsets / DT).astype(np.int64), np.zeros(len(onsets), np.int64)], axis=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_the_published_index_of_the_pulses_judged(seed: int) -> None:
    spikes, pulses = events(seed, 4.0)
    kept = run(spikes, pulses, 4.0)
    thalamic = spikes[spikes[:, 1] < 10]
    judged = pulses[pulses[:, 0] * DT >= 0.2]  # the published index leaves the first 200 ms out
    ends = judged[-1, 0] * DT  # the last pulse is judged when another comes
    published = relay_error_index(thalamic[thalamic[:, 0] < judged[-1, 0]], judged[:-1], dt_s=DT, duration_s=ends)
    late = run(spikes[spikes[:, 0] >= judged[0, 0]], judged, 4.0)
    assert late.value == pytest.approx(1.0 - published, abs=1e-12)
    assert 0.3 < kept.value < 0.8


def test_it_forgets_with_its_time_constant() -> None:
    pulses = np.array([[round(t / DT), 0] for t in np.arange(0.01, 6.0, 0.07)])
    answered = np.array([[p + 200, cell] for p, _ in pulses if p * DT > 3.0 for cell in range(10)])
    kept = run(answered, pulses, 6.0, memory_s=1.0)
    before = 1.0 - np.exp(-3.0)  # share of errors left after 3 s of faithful relay
    assert kept.value == pytest.approx(before, abs=0.03)


def test_a_silent_circuit_counts_as_faithful_and_a_reset_forgets() -> None:
    kept = run(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64), 0.1)
    assert kept.value == 1.0
    spikes, pulses = events(1, 1.0)
    kept = run(spikes, pulses, 1.0)
    assert kept.value < 1.0
    kept.reset()
    assert kept.value == 1.0
    assert not any(v.any() for k, v in kept.state().items() if k != "pulse")


def test_cutting_into_blocks_loses_no_pair_of_pulse_and_answer() -> None:
    pulses = np.array([[399, 0], [3999, 0]])  # the last step of a block of 400
    spikes = np.array([[401 + 10 * c, c] for c in range(10)])
    assert run(spikes, pulses, 0.2).value == 1.0
