"""Cables: the kernels against a plain twin and other simulators, lanes and threads, fields, currents, bad inputs."""

import numpy as np
import pytest
import reference_cable as reference

from bmi.errors import ContractError
from sim.cable import Cable, rates, resistances
from sim.component import Component
from sim.morphology import SQUID, Branch, Site, cylinder, grow
from sim.preparation import Preparation
from sim.validation import stored

DT_MS = 0.025


def site(name, branch, at=0.5):
    return Site(name=name, branch=branch, at=at)


def cable(n_cells=1, compartments=20, **other):
    branches = cylinder(length_um=1000, diameter_um=2, compartments=compartments)
    sites = (site("near", "cable", 0.0), site("far", "cable", 1.0))
    return Cable(**{"branches": branches, "sites": sites, "n_cells": n_cells, **other})


def branched(**membrane):
    """A soma, a trunk on it, and two dendrites that meet the trunk's end."""
    given = {**SQUID, "e_leak_mv": -54.3, **membrane}
    shapes = (("soma", 20, 20, 1, "", 1.0), ("trunk", 300, 3, 15, "soma", 0.5), ("left", 200, 1.5, 10, "trunk", 1.0),
              ("right", 150, 1, 7, "trunk", 1.0))  # fmt: skip
    return tuple(
        Branch(name=name, length_um=length, diameter_um=d, compartments=n, parent=parent, at=at, **given)
        for name, length, d, n, parent, at in shapes
    )


def driven(n_cells, **other):
    """Cells that fire, each at its own rate."""
    made = cable(n_cells, **other)
    made.bind(0)
    made.receive("current_na", np.stack([np.linspace(0.2, 0.5, n_cells), np.zeros(n_cells)], 1))
    return made


def test_it_is_a_component():
    assert isinstance(cable(), Component)


def test_it_is_its_plain_twin():
    made = Cable(branches=branched(), sites=(site("soma", "soma"), site("tip", "left", 1.0)), celsius=12.0)
    made.bind(0)
    n = made.n_compartments
    outside = np.linspace(-8, 3, n)
    injected, nmda, inhibitory = np.zeros(n), np.zeros(n), np.zeros(n)
    tip = made.tree.compartment("left", 1.0)
    injected[tip], nmda[tip], inhibitory[0] = 0.1, 0.02, 0.005
    made.receive("current_na", np.array([[0.0, 0.1]]))
    made.receive("nmda_us", np.array([[0.0, 0.02]]))
    made.receive("inhibitory_us", np.array([[0.005, 0.0]]))
    made.receive("field_mv", outside[None])
    theirs = reference.run(
        made.tree, 300, DT_MS, celsius=12.0, injected=injected, nmda=nmda, inhibitory=inhibitory, outside=outside
    )
    assert theirs.max() > 0, "the cell is to fire, or the test compares little"
    for k in (0, 9, 99, 299):
        made.step(k + 1 - int(made.state()["step"][0]))
        assert made.potentials()[0] == pytest.approx(theirs[k], abs=2e-3)


@pytest.mark.parametrize("v", [-40.0, -55.0])
def test_rates_pass_smoothly_through_their_removable_singularities(v):
    for at, around in zip(rates(np.array(v)), rates(np.array([v - 1e-3, v + 1e-3])), strict=True):
        for x, pair in zip(at, around, strict=True):
            assert x == pytest.approx(pair.mean(), rel=1e-6)


def test_straight_branched_and_in_a_field_it_does_what_neuron_does():
    given = stored("neuron_cable").arrays
    straight = cylinder(length_um=2000, diameter_um=2, compartments=100, e_leak_mv=-54.3)
    three = tuple(site(f"{at}", "cable", at) for at in (0.005, 0.505, 0.995))
    whole = Cable(branches=straight, sites=three, voltage_hz=2000)
    whole.bind(0)
    whole.receive("current_na", np.array([[0.3, 0, 0]]))
    _, v = whole.step(2400)
    assert v[:, 0] == pytest.approx(given["straight"][1:], abs=0.05)
    whole.reset()
    x = whole.tree.distance_um - 1000
    whole.receive("field_mv", -20 * np.exp(-((x / 200) ** 2))[None])
    _, v = whole.step(800)
    assert given["field"][:, 1].max() > 0
    assert v[:, 0] == pytest.approx(given["field"][1:], abs=0.01)
    ends = (site("soma", "soma"), site("trunk", "trunk"), site("left", "left", 1.0), site("right", "right", 1.0))
    tree = Cable(branches=branched(), sites=ends, voltage_hz=2000, celsius=18.5)
    tree.bind(0)
    tree.receive("current_na", np.array([[0, 0, 0.4, 0]]))
    _, v = tree.step(1200)
    assert v[:, 0] == pytest.approx(given["branched"][1:], abs=0.01)


def test_three_branches_do_what_they_do_in_jaxley():
    given = stored("jaxley_cable").arrays["branched"]
    made = tuple(
        Branch(name=n, length_um=length, diameter_um=d, compartments=10, parent=p, **{**SQUID, "e_leak_mv": -54.3})
        for n, length, d, p in (("a", 300, 3, ""), ("b", 200, 1.5, "a"), ("c", 150, 1, "a"))
    )
    sites = (site("a", "a", 0.05), site("b", "b", 0.95), site("c", "c", 0.95))
    tree = Cable(branches=made, sites=sites, voltage_hz=2000)
    tree.bind(0)
    tree.receive("current_na", np.array([[0, 0.3, 0]]))
    _, v = tree.step(800)
    assert v[:, 0] == pytest.approx(given[1:], abs=0.01)


@pytest.mark.parametrize("n_cells", [3, 5])
def test_a_cell_in_a_lane_is_the_cell_alone(n_cells):
    together = driven(n_cells)
    together.step(2000)
    for k, current in enumerate(np.linspace(0.2, 0.5, n_cells)):
        alone = cable()
        alone.bind(0)
        alone.receive("current_na", np.array([[current, 0.0]]))
        alone.step(2000)
        assert together.potentials()[k] == pytest.approx(alone.potentials()[0], abs=1e-7)


def test_threads_change_no_bit():
    one, two = driven(33), driven(33, threads=2)
    for a, b in zip(one.step(1200), two.step(1200), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(one.potentials(), two.potentials())


@pytest.mark.parametrize("n_cells", [1, 3, 17])
def test_how_a_run_is_cut_changes_no_bit(n_cells):
    whole, cut = driven(n_cells, membrane_currents=True), driven(n_cells, membrane_currents=True)
    course = np.sin(np.arange(400) / 30)
    for c in (whole, cut):
        c.receive("field_mv", np.outer(np.ones(n_cells), np.linspace(-3, 3, 20)))
        c.receive("stimulus", course)
    shown = whole.step(1000)
    parts = [cut.step(n) for n in (3, 7, 0, 390, 33, 567)]
    for k, output in enumerate(shown):
        assert len(output)
        assert np.array_equal(output, np.concatenate([p[k] for p in parts]))
    for name, array in whole.state().items():
        assert np.array_equal(array, cut.state()[name]), name


def test_reset_is_freshly_bound():
    used, fresh = driven(2), cable(2)
    fresh.bind(3)
    used.receive("na", np.array([0.5, 0.5]))
    used.receive("field_mv", np.ones((2, 20)))
    used.step(500)
    used.reset()
    for name, array in fresh.state().items():
        assert np.array_equal(array, used.state()[name]), name


def test_a_snapshot_restores_and_a_fork_goes_its_own_way():
    bench, fresh = Preparation(cable(2), 1), Preparation(cable(2), 1)
    for p in (bench, fresh):
        p.give("current_na", 0.0, [[0.3, 0], [0.4, 0]])
        p.advance_s(0.05)
    taken, fork = bench.snapshot(), bench.fork()
    first = bench.advance_s(0.05)
    bench.restore(taken)
    again = bench.advance_s(0.05)
    for p in (fork, fresh):
        p.give("na", 0.05, [0.5, 1.0])
    other, expected = fork.advance_s(0.05), fresh.advance_s(0.05)
    for k in first:
        assert np.array_equal(first[k], again[k])
        assert np.array_equal(other[k], expected[k])
    assert not np.array_equal(first["voltage_mv"][:, 0], other["voltage_mv"][:, 0])
    assert np.array_equal(first["voltage_mv"][:, 1], other["voltage_mv"][:, 1])


def test_spikes_are_upward_crossings_at_the_site():
    made = driven(3, voltage_hz=40_000.0, spike_site="near")
    spikes, volts = made.step(4000)
    up = (volts[1:, :, 0] > 0) & (volts[:-1, :, 0] <= 0)
    assert np.array_equal(spikes, np.argwhere(up) + np.array([1, 0]))
    assert len(spikes) > 6


def test_what_is_injected_leaves_through_the_membrane():
    made = driven(2, membrane_currents=True, voltage_hz=40_000.0)
    _, _, current = made.step(200)
    assert current.shape == (200, 2, 20)
    assert current.sum(2) == pytest.approx(np.tile([0.2, 0.5], (200, 1)), abs=1e-5)


def test_without_a_gradient_a_field_does_nothing():
    still, moved = driven(1), driven(1)
    moved.receive("field_mv", np.full((1, 20), 30.0))
    still.step(400)
    moved.step(400)
    assert moved.potentials() == pytest.approx(still.potentials(), abs=1e-9)


def test_a_course_of_the_field_is_the_field_switched_on_and_off():
    field = np.linspace(0, 40, 20)[None]
    pulse = np.zeros(400)
    pulse[100:140] = 1.0
    coursed, switched = cable(), cable()
    for c in (coursed, switched):
        c.bind(0)
    coursed.receive("field_mv", field)
    coursed.receive("stimulus", pulse)
    coursed.step(400)
    switched.step(100)
    switched.receive("field_mv", field)
    switched.step(40)
    switched.receive("field_mv", 0 * field)
    switched.step(260)
    assert np.abs(coursed.potentials() + 65).max() > 0.01
    assert coursed.potentials() == pytest.approx(switched.potentials(), abs=1e-9)


def test_a_passive_cell_settles_where_its_resistances_say():
    passive = branched(g_na_ms_cm2=0, g_k_ms_cm2=0, e_leak_mv=-65.0)
    made = Cable(branches=passive, sites=(site("left", "left", 1.0),))
    made.bind(0)
    made.receive("current_na", np.array([[0.01]]))
    made.step(4000)
    tip = made.tree.compartment("left", 1.0)
    assert made.potentials()[0] == pytest.approx(-65 + 0.01 * resistances(made.tree, tip), abs=1e-6)
    made.receive("leak", np.array([2.0]))
    made.step(4000)
    leakier = grow(branched(g_na_ms_cm2=0, g_k_ms_cm2=0, g_leak_ms_cm2=0.6))
    assert made.potentials()[0] == pytest.approx(-65 + 0.01 * resistances(leakier, tip), abs=1e-6)


def test_conductances_follow_their_factors():
    made = cable(3)
    made.bind(0)
    made.receive("current_na", np.tile([0.4, 0.0], (3, 1)))
    made.receive("na", np.array([1.0, 0.0, 1.0]))
    made.receive("k", np.array([1.0, 1.0, 5.0]))
    spikes, _ = made.step(2000)
    assert set(spikes[:, 1]) == {0}


@pytest.mark.parametrize(
    ("port", "value", "said"),
    [
        ("current_na", np.zeros((1, 3)), r"expected shape \(1, 2\)"),
        ("field_mv", np.zeros(20), r"expected shape \(1, 20\)"),
        ("stimulus", np.zeros(399), r"expected shape \(400,\)"),
        ("na", [-0.1], "at least 0"),
        ("nmda_us", [[-1e-3, 0]], "at least 0"),
        ("current_na", [[np.nan, 0]], "finite"),
        ("calcium", 0.0, "its inputs are: current_na"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(port, value, said):
    made = cable()
    made.bind(0)
    with pytest.raises(ContractError, match=said):
        made.receive(port, value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"sites": ()}, "sites are"),
        ({"sites": (site("a", "dendrite"),)}, "no branch 'dendrite'"),
        ({"spike_site": "soma"}, "no site 'soma' for spikes; there are near, far"),
        ({"dt_s": 1e-3}, "dt_s is 0.001 s"),
        ({"dt_s": 3e-5}, "whole number"),
        ({"voltage_hz": 30_000.0}, "voltage_hz is 30000"),
        ({"n_cells": 0}, "n_cells is 0"),
        ({"celsius": 60.0}, "celsius is 60"),
        ({"rest_mv": float("nan")}, "rest_mv is nan"),
    ],
)
def test_settings_that_do_not_fit_are_refused(other, said):
    with pytest.raises(ContractError, match=said):
        cable(**other).bind(0)
