"""The bench exchanges what it says it exchanges, and would notice a torn one."""

import numpy as np

from bmi.bench import swap
from bmi.slots import Slots


def test_every_swap_arrives_whole():
    told = swap.bench_swap(40, 2, n_states=4, n_channels=16, q="diagonal", seed=1)
    assert told["swaps"] >= 40
    assert told["torn"] == told["rejected"] == 0
    assert told["swap_us"]["n"] >= 40
    assert told["steps"] >= 80
    assert told["p99_ratio"]["low"] <= told["p99_ratio"]["value"] <= told["p99_ratio"]["high"]


def test_neighbouring_versions_differ_in_every_value():
    base = np.random.default_rng(0).standard_normal(50)
    assert (base * swap.factor(7) != base * swap.factor(8)).all()
    assert np.array_equal(base * swap.factor(7), base * swap.factor(7 + 1024))


def test_a_vector_of_two_versions_is_torn_by_the_identity_and_refused_by_the_checksum(tmp_path):
    base = np.random.default_rng(0).standard_normal(50)
    slots = Slots.create(tmp_path / "slots", 50, initial=base)
    vector = base * swap.factor(3)
    assert slots.publish(vector, 3)
    idle = slots._values[1 - slots._words[9]]
    idle[20:] = (base * swap.factor(4))[20:]  # a writer that did not wait
    assert not np.array_equal(idle, base * swap.factor(3))
    assert slots.take() is None
    assert slots.rejected == 1
