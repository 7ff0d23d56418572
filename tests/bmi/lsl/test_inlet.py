"""What was sent arrives: in order, whole, and counted."""

from __future__ import annotations

import threading
import time
import tracemalloc

import numpy as np
import pylsl
import pytest

from bmi.errors import ContractError, StreamError, StreamNotFound
from bmi.lsl import _clib
from bmi.lsl.inlet import LSLSource
from bmi.lsl.outlet import Outlet
from bmi.testing.sources import check_source


def drained(source, timeout_s=0.2):
    """Read until nothing comes; return copies, since chunks are borrowed."""
    out = []
    while (c := source.read(timeout_s)) is not None:
        out.append((c.seq, c.n_lost_before, c.data.copy(), c.t.copy(), c.t_arrival))
    return out


def test_values_that_are_not_finite_pass_and_are_counted(make_spec, name):
    x = np.array([[1.0, np.nan, np.inf, -np.inf]], np.float32)
    with Outlet(make_spec()) as out, LSLSource(name=name) as source:
        out.push(x, 1.0)
        ((_, _, data, _, _),) = drained(source)
        assert source.n_nan == 3
    np.testing.assert_array_equal(data, x)


# ---------------------------------------------------------------------- the way there
@pytest.mark.parametrize(("push", "sync"), [(1, True), (7, True), (30, False)])
def test_a_round_trip_is_bit_exact_one_push_per_chunk(make_spec, name, rng, push, sync):
    x = rng.normal(size=(20, push, 4)).astype(np.float32)
    with Outlet(make_spec(), push, sync) as out, LSLSource(name=name) as source:
        for i in range(20):
            out.push(x[i], 1000.0 + i)
        chunks = drained(source)
    assert [c[0] for c in chunks] == list(range(0, 20 * push, push))
    assert all(c[1] == 0 for c in chunks)
    np.testing.assert_array_equal(np.stack([c[2] for c in chunks]), x)
    t = np.concatenate([c[3] for c in chunks]) - source.clock_offset
    np.testing.assert_allclose(t.reshape(20, push)[:, -1], 1000.0 + np.arange(20), atol=1e-9)
    assert source.n_read == 20 * push
    assert source.n_lost == 0


def test_it_keeps_the_contract_of_a_source(sender, name):
    sender(n_channels=6, push=5)
    check_source(LSLSource(name=name), n_chunks=50)


def test_arrival_and_stamp_are_on_one_clock(sender, name):
    sender(push=5)
    with LSLSource(name=name) as source:
        ages = [a - t[-1] for _, _, _, t, a in (drained_one(source) for _ in range(100))]
    assert min(ages) > -0.001
    assert np.median(ages) < 0.02
    assert abs(source.clock_offset) < 0.001


def drained_one(source):
    c = source.read(1.0)
    assert c is not None
    return c.seq, c.n_lost_before, c.data.copy(), c.t.copy(), c.t_arrival


def test_pushes_stay_whole_when_a_read_gives_up_in_between(make_spec, name):
    """A push cut by the timeout is completed by the next read; afterwards reads are in step again."""
    with Outlet(make_spec(), 1, True) as out, LSLSource(name=name, samples_per_pull=4) as source:
        for i in range(6):
            out.push(np.full((1, 4), i, np.float32), float(i))
        lengths = [len(source.read(0.2)), len(source.read(0.2))]
        for i in range(6, 12):
            out.push(np.full((1, 4), i, np.float32), float(i))
        lengths += [len(c[2]) for c in drained(source)]
    assert lengths == [4, 2, 2, 4]


def test_other_formats_and_strangers_are_read_with_estimated_loss(name):
    info = pylsl.StreamInfo(name, "EEG", 3, 500.0, "int16", "amp-" + name)
    out = pylsl.StreamOutlet(info)
    with LSLSource(name=name, unit="µV") as source:
        assert source.loss_is_estimate
        assert not source.spec.has_seq
        assert source.spec.unit == "µV"  # declared by the recipe, since the stream does not say
        for i in range(10):
            out.push_sample([i, -i, 1], 10.0 + i / 500)
        out.push_sample([0, 0, 0], 10.0 + 9 / 500 + 0.202)
        chunks = drained(source)
    assert sum(len(c[2]) for c in chunks) == 11
    assert [c[1] for c in chunks if c[1]] == [100]
    assert chunks[-1][0] == 110
    assert chunks[0][2][0].tolist() == [0, 0, 1]
    assert all(len(c[2]) <= source.spec.max_samples for c in chunks)


def test_several_streams_do_not_mix(make_spec, name):
    names = [f"{name}-{i}" for i in range(3)]
    outlets = [Outlet(make_spec(name=n, n_channels=i + 1), 2) for i, n in enumerate(names)]
    sources = [LSLSource(name=n) for n in names]
    for s in sources:
        s.open()
    for i, o in enumerate(outlets):
        o.push(np.full((2, i + 1), i, np.float32), 1.0)
    for i, s in enumerate(sources):
        ((_, _, data, _, _),) = drained(s)
        assert data.shape == (2, i + 1)
        assert (data == i).all()
        s.close()
        outlets[i].close()


# ---------------------------------------------------------------------- losses
def test_what_a_stalled_reader_loses_is_counted_exactly(make_spec, name):
    """In = out + lost, although liblsl itself drops the oldest without a word."""
    n = 3000
    with (
        Outlet(make_spec(rate_hz=1000.0), 10, False) as out,
        LSLSource(name=name, max_backlog_s=0.5) as source,
    ):
        out.push(np.zeros((10, 4), np.float32), 0.0)
        assert len(source.read(1.0)) == 10  # what was lost before the first sample seen cannot be known
        for i in range(10, n, 10):
            out.push(np.full((10, 4), i, np.float32), i / 1000)
        time.sleep(0.5)
        chunks = drained(source)
        assert source.n_read + source.n_lost == n
        assert source.n_lost == sum(c[1] for c in chunks) > 2000
        out.push(np.zeros((10, 4), np.float32), 4.0)
        ((seq, lost, data, _, _),) = drained(source)
    assert (seq, lost, len(data)) == (n, 0, 10)
    ends = [c[0] + len(c[2]) for c in chunks]
    assert [c[0] - c[1] for c in chunks[1:]] == ends[:-1]


# ---------------------------------------------------------------------- opening
def test_not_found_lists_what_was_found(make_spec, name):
    with Outlet(make_spec(source_id="amp-7")), pytest.raises(StreamNotFound) as error:
        LSLSource(type="spikes", resolve_timeout_s=0.3).open()
    text = str(error.value)
    for word in (
        "type 'spikes'",
        f"name '{name}'",
        "amp-7",
        "4 channels",
        "1000 Hz",
        "µV",
        "float32",
        " on ",
    ):
        assert word in text


def test_a_unit_mismatch_names_both(make_spec, name):
    with (
        Outlet(make_spec()),
        pytest.raises(ContractError, match=r"counts on unit 'mV', the stream declares 'µV'"),
    ):
        LSLSource(name=name, unit="mV").open()


def test_channels_and_rate_are_compared_with_the_recipe(make_spec, name):
    with Outlet(make_spec()):
        with pytest.raises(ContractError, match="counts on 8 channels, the stream has 4"):
            LSLSource(name=name, n_channels=8).open()
        with pytest.raises(ContractError, match="counts on 500 Hz, the stream declares 1000 Hz"):
            LSLSource(name=name, rate_hz=500.0).open()
        LSLSource(name=name, unit="uV", n_channels=4, rate_hz=1000.0).open()


def test_two_different_streams_of_one_description_are_refused_with_the_list(make_spec, name):
    with Outlet(make_spec(source_id="left")), Outlet(make_spec(source_id="right", n_channels=9)):
        with pytest.raises(StreamNotFound, match=r"2 LSL streams(.|\n)*say which(.|\n)*9 channels"):
            LSLSource(name=name).open()
        with LSLSource(name=name, source_id="right") as source:
            assert source.spec.n_channels == 9


def test_two_equal_streams_are_taken_with_a_warning(make_spec, name, caplog):
    with Outlet(make_spec(), 1) as old, Outlet(make_spec(), 1) as new, LSLSource(name=name) as source:
        assert "2 identical streams, taking the newest" in caplog.text
        old.push(np.zeros((1, 4), np.float32), 1.0)
        new.push(np.ones((1, 4), np.float32), 1.0)
        ((_, _, data, _, _),) = drained(source)
    assert data[0, 0] == 1.0


def test_a_source_that_looks_for_nothing_and_one_not_open_say_so():
    with pytest.raises(ContractError, match="needs a name, a type or a source_id"):
        LSLSource().open()
    with pytest.raises(ContractError, match="call open"):
        _ = LSLSource(name="x").spec


def test_reading_and_pushing_while_closed_are_refused_not_crashes(make_spec, name):
    out, source = Outlet(make_spec()), LSLSource(name=name)
    source.open()
    source.close()
    out.close()
    with pytest.raises(ContractError, match="read\\(\\) while closed"):
        source.read(0.0)
    with pytest.raises(StreamError, match="push\\(\\) after close"):
        out.push(np.zeros((1, 4), np.float32), 1.0)


def test_strings_are_no_samples(name):
    out = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0.0, "string", name))
    with pytest.raises(ContractError, match="carries strings"):
        LSLSource(name=name).open()
    del out


def test_closing_twice_is_closing_once_and_it_opens_again(make_spec, name):
    with Outlet(make_spec()) as out:
        source = LSLSource(name=name)
        source.close()
        for i in range(2):
            source.open()
            out.push(np.full((1, 4), i, np.float32), 1.0)
            ((seq, lost, data, _, _),) = drained(source)
            assert (seq, lost, data[0, 0]) == (0, 0, i)
            source.close()
            source.close()


# ---------------------------------------------------------------------- cost
def test_reading_leaves_nothing_behind(make_spec, name):
    with Outlet(make_spec(n_channels=64)) as out, LSLSource(name=name, max_backlog_s=10.0) as source:
        x = np.zeros((1, 64), np.float32)

        def exchange(n):
            for i in range(n):
                out.push(x, float(i))
                assert source.read(1.0) is not None

        exchange(200)
        tracemalloc.start()
        exchange(200)
        before = tracemalloc.get_traced_memory()[0]
        exchange(2000)
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert after - before < 2000  # bytes, over 2000 reads and pushes


@pytest.mark.bars
def test_a_read_costs_six_microseconds_on_top_of_liblsl(make_spec, name):
    with Outlet(make_spec(n_channels=256)) as out, LSLSource(name=name, max_backlog_s=10.0) as source:
        for i in range(4001):
            out.push(np.zeros((1, 256), np.float32), float(i))
        time.sleep(0.5)
        source.read(1.0)
        handle, ours, bare = source._handle, [], []
        to = (source._raw_address, source._stamps_address, 257, 1, 1.0, source._error_address)
        for _ in range(2000):
            t0 = time.perf_counter_ns()
            source.read(1.0)
            t1 = time.perf_counter_ns()
            _clib.pull_chunk(handle, *to)
            t2 = time.perf_counter_ns()
            ours.append(t1 - t0)
            bare.append(t2 - t1)
    assert np.median(ours) - np.median(bare) < 6000


# ---------------------------------------------------------------------- who may be listened to
def test_one_that_is_not_allowed_is_refused_by_name_and_one_that_is_is_waited_for(make_spec, name):
    with Outlet(make_spec(source_id="b")):
        with pytest.raises(StreamNotFound, match=r"(?s)not allowed.*source_id 'b' is not among the allowed 'a'"):
            LSLSource(name=name, source_ids=("a",), resolve_timeout_s=0.3).open()
        made = []
        later = threading.Timer(0.5, lambda: made.append(Outlet(make_spec(source_id="a"))))
        later.start()
        with LSLSource(name=name, source_ids=("a",), resolve_timeout_s=5.0) as source:
            assert source.spec.source_id == "a"
        later.join()
        made[0].close()
