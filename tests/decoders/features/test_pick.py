"""Channels picked by name or number, in the order given."""

import numpy as np
import pytest

from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from bmi.testing import check_stage
from decoders.features.pick import Pick


def spec(labels: tuple[str, ...] = ("C3", "Cz", "C4")) -> StreamSpec:
    return StreamSpec(name="eeg", n_channels=3, rate_hz=500.0, unit="µV", labels=labels, max_samples=4)


def test_channels_come_in_the_order_asked_for() -> None:
    stage = Pick(channels=["C4", 0])
    out = stage.bind(spec())
    assert (out.n_channels, out.labels, out.unit, out.rate_hz) == (2, ("C4", "C3"), "µV", 500.0)
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    chunk = Chunk(X, np.arange(4) / 500.0, 1.0, 40, 3)
    found = stage.step(chunk)
    assert np.array_equal(found.data, X[:, [2, 0]])
    assert (found.seq, found.n_lost_before, found.t_arrival) == (40, 3, 1.0)
    assert np.array_equal(found.t, chunk.t)


def test_it_keeps_a_stages_promises() -> None:
    check_stage(lambda: Pick(channels=[2, 1]), spec())


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["C5"], r"has no channel 'C5'; did you mean 'C[34z]'.*its labels: C3, Cz, C4"),
        ([3], "has channels 0 to 2, given 3"),
        ([], r"expected channels of 'eeg', each once, given \[\]"),
        (["C3", 0], "each once"),
    ],
)
def test_wrong_channels_are_refused(channels: list, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Pick(channels=channels).bind(spec())


def test_a_stream_without_labels_is_picked_by_number() -> None:
    assert Pick(channels=[1]).bind(spec(())).labels == ()
    with pytest.raises(ContractError, match="its labels: none"):
        Pick(channels=["C3"]).bind(spec(()))
