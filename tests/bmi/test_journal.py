"""The record of a step: fixed size, eight bytes a field, filled in place without leaving anything of the last one."""

import numpy as np
import pytest

from bmi.journal import EVENT_DTYPE, StepRecord, feature_dtype, sample_dtype, step_dtype
from bmi.signals import Chunk, Command, Goal, Intent

SHAPES = [(1, 1), (1, 2), (2, 2), (3, 7)]


def chunk(n, seq=0, lost=0):
    t = np.arange(n) / 1000.0 + 5.0
    return Chunk(np.zeros((n, 2), np.float32), t, 5.5, seq, lost)


def filled(n_streams=2, n_dims=2):
    """Return a record with everything in it, and no two values alike."""
    d = n_dims
    r = StepRecord(n_streams, d)
    r.position[:], r.velocity[:] = np.arange(d) + 20.0, np.arange(d) + 30.0
    r.begin(100.0, 3, 0.25, True, False, Goal(np.arange(d) + 40.0, 12.0, True, 7, 99.0))
    r.heard((chunk(5, 1000, 2), *[None] * (n_streams - 1)))
    cov = np.arange(d * d).reshape(d, d) + 60.0
    decoded = Intent(np.arange(d) + 50.0, cov, 99.9, 99.95, 4, False, 0.125)
    r.spoke(decoded, Intent(np.arange(d) + 70.0, cov, 99.9, 99.95, select=0.375))
    r.sent(Command(np.arange(d) + 80.0, 99.9, 99.95, 100.0, 17, 2, 32, True), 100.001)
    r.applied[:] = np.arange(d) + 90.0
    r.end(2, 32, 1000, 2000, 3000)
    return r


@pytest.mark.parametrize(("n_streams", "n_dims"), SHAPES)
def test_every_field_is_eight_bytes_wide_and_nothing_lies_between(n_streams, n_dims):
    dtype = step_dtype(n_streams, n_dims)
    at = 0
    for name in dtype.names:
        field, offset = dtype.fields[name][:2]
        assert offset == at, name
        assert field.base in (np.dtype("<i8"), np.dtype("<f8")), name
        at += field.itemsize
    assert dtype.itemsize == at
    assert dtype["n_samples"].shape == (n_streams,)
    assert dtype["command"].shape == (n_dims,)
    assert dtype["cov"].shape == (n_dims, n_dims)


@pytest.mark.parametrize(("n_streams", "n_dims"), SHAPES)
def test_each_value_arrives_in_the_field_of_its_name(n_streams, n_dims):
    d, row = np.arange(n_dims), filled(n_streams, n_dims).row[0]
    scalars = {
        "step": 0, "block": 3, "trial": 7, "goal_active": 1, "params_version": 4, "has_intent": 1, "abstains": 0,
        "arm_word": 1, "stop_word": 0, "gate_state": 2, "gate_flags": 32, "command_seq": 17,
        "decode_ns": 1000, "gate_ns": 2000, "write_ns": 3000, "select": 1,
        "now": 100.0, "t": 99.9, "t_arrival": 99.95, "t_written": 100.001, "goal_onset": 99.0,
        "assist": 0.25, "goal_radius": 12.0, "decoded_select": 0.125, "intended_select": 0.375,
    }  # fmt: skip
    vectors = {
        "position": d + 20.0, "velocity": d + 30.0, "goal": d + 40.0, "decoded": d + 50.0, "intended": d + 70.0,
        "command": d + 80.0, "applied": d + 90.0, "cov": np.arange(n_dims**2).reshape(n_dims, n_dims) + 60.0,
    }  # fmt: skip
    streams = {"n_samples": 5, "seq": 1000, "n_lost": 2, "arrival": 5.5}
    assert {k: row[k].item() for k in scalars} == scalars
    assert all(np.array_equal(row[k], v) for k, v in vectors.items())
    assert {k: row[k][0].item() for k in streams} == streams
    assert row["n_samples"][1:].tolist() == [0] * (n_streams - 1)
    assert set(row.dtype.names) == {*scalars, *vectors, *streams, "clock_offset"}  # this test knows every field


def test_the_clock_offset_of_each_stream_is_kept():
    r = filled()
    r.offsets([0.25, -0.5])
    assert r.row["clock_offset"].tolist() == [[0.25, -0.5]]


def test_steps_are_numbered_from_0():
    r = StepRecord(1, 2)
    assert r.step == -1
    for k in range(3):
        r.begin(0.0, 0, 0.0, False, False, Goal(np.zeros(2)))
        assert r.step == r.row["step"][0] == k


def test_a_step_in_which_nothing_happened_keeps_no_sign_of_the_one_before():
    r = filled()
    r.begin(101.0, 3, 0.0, True, True, Goal(np.zeros(2)))
    r.heard((None, None))
    row = r.row[0]
    silent = ("has_intent", "abstains", "goal_active", "assist", "goal_radius")
    assert not any(row[name] for name in silent)
    assert row["command_seq"] == -1
    assert not row["n_samples"].any()
    assert not row["command"].any()
    assert not row["applied"].any()
    assert row["stop_word"] == 1


def test_what_the_views_write_is_in_the_row():
    r = StepRecord(2, 3)
    for name in ("position", "velocity", "decoded", "intended", "command", "applied", "goal", "cov"):
        view = getattr(r, name)
        view[...] = np.random.default_rng(1).standard_normal(view.shape)
        assert np.shares_memory(view, r.row)
        assert np.array_equal(r.row[name][0], view)


def test_goal_and_its_age():
    r = filled()
    assert r.goal_active
    assert r.goal_age_s == 1.0


def test_samples_features_and_events_have_a_fixed_size_too():
    assert sample_dtype(96).itemsize == 8 + 8 + 8 + 96 * 4
    assert feature_dtype(96, 2).itemsize == 7 * 8 + 4 * 2 * 8 + 96 * 8
    assert EVENT_DTYPE.itemsize == 1024
    assert step_dtype(1, 2).itemsize == filled(1, 2).row.nbytes
