"""Synapses: release per spike in closed form, receptors exact per step, drugs and calcium as inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_synapses import double_exponential, magnesium, tsodyks_markram

from bmi.errors import ContractError
from sim.preparation import Preparation
from sim.synapses import AMPA, DEPRESSING, FACILITATING, GABA_A, NMDA, Receptor, ShortTerm, Synapse, mg_block
from sim.validation import stored

DT_S = 1e-4


def bound(**fields):
    synapse = Synapse(**fields)
    synapse.bind(3)
    return synapse


def held(v_mv=-60.0, rate_hz=20.0, **fields):
    """A synapse whose terminals fire together, under clamp."""
    synapse = bound(train="regular", **fields)
    synapse.receive("rate_hz", rate_hz)
    synapse.receive("v_hold_mv", v_mv)
    return synapse


# --- short-term plasticity ---------------------------------------------------------------------------


def test_a_depressing_synapse_gives_less_with_every_spike():
    np.testing.assert_allclose(DEPRESSING.train(np.arange(4) * 0.05), [0.5, 0.2651, 0.1548, 0.1030], atol=5e-5)


def test_a_facilitating_synapse_gives_more():
    released = FACILITATING.train(np.arange(8) * 0.05)
    assert released[7] / released[0] == pytest.approx(4.23, abs=0.005)


@given(
    st.builds(ShortTerm, release=st.floats(0.02, 1.0), tau_rec_s=st.floats(0.0, 1.0), tau_fac_s=st.floats(0.0, 1.0)),
    st.floats(1.0, 100.0),
)
@settings(deadline=None)
def test_a_long_train_ends_where_the_formula_says(short_term, rate_hz):
    released = short_term.train(np.arange(2000) / rate_hz)
    assert released[-1] == pytest.approx(short_term.steady(rate_hz), abs=1e-6)
    assert ((released >= 0) & (released <= 1)).all()


@pytest.mark.parametrize("short_term", [DEPRESSING, FACILITATING, ShortTerm(release=0.2, tau_rec_s=0.3, tau_fac_s=0.2)])
def test_release_is_what_stepping_the_equations_gives(short_term):
    spikes = np.random.default_rng(1).random(3000) < 0.02
    s = short_term
    expected = tsodyks_markram(spikes, 1e-3, s.release, s.tau_rec_s, s.tau_fac_s)[spikes]
    np.testing.assert_allclose(s.train(np.flatnonzero(spikes) * 1e-3), expected, rtol=1e-9)


def test_release_is_brian2s():
    o = stored("brian2_short_term").arrays
    for (release, rec, fac), released in zip(o["sets"], o["released"], strict=True):
        ours = ShortTerm(release=release, tau_rec_s=rec, tau_fac_s=fac).train(o["spike_steps"] * DT_S)
        np.testing.assert_allclose(ours, released, atol=1e-12)


@pytest.mark.parametrize("times", [[0.1, 0.0], [np.nan], [[0.0]]])
def test_a_train_ascends(times):
    with pytest.raises(ContractError, match="ascending"):
        DEPRESSING.train(np.array(times))


@pytest.mark.parametrize("fields", [{"release": 0.0}, {"release": 1.1}, {"tau_rec_s": -1.0}, {"tau_fac_s": np.nan}])
def test_a_terminal_that_cannot_be_is_refused(fields):
    with pytest.raises(ContractError, match="ShortTerm"):
        ShortTerm(**fields)


def test_a_rate_is_above_zero():
    with pytest.raises(ContractError, match="rate_hz"):
        DEPRESSING.steady(0.0)


# --- receptors --------------------------------------------------------------------------------------


@given(st.floats(-100, 60), st.floats(0, 5))
def test_magnesium_blocks_as_measured(v_mv, mg_mm):
    assert abs(mg_block(v_mv, mg_mm) - magnesium(v_mv, mg_mm)) < 1e-12


@pytest.mark.parametrize("receptor", [AMPA, NMDA, GABA_A])
def test_a_receptors_peak_is_one_and_where_it_says(receptor):
    t = np.linspace(0, 5 * receptor.tau_decay_s, 100001)
    g = receptor.gain() * (np.exp(-t / receptor.tau_decay_s) - np.exp(-t / receptor.tau_rise_s))
    assert g.max() == pytest.approx(1.0, rel=1e-7)
    assert t[g.argmax()] == pytest.approx(receptor.peak_s(), abs=2 * t[1])


def test_conductance_is_the_double_exponential_of_what_was_released():
    synapse = held(n=3, ampa_ns=1.0, nmda_ns=0.4, gaba_ns=0.7, mg_mm=0.0)
    conductance, current, _, spikes = synapse.step(1500)
    at = np.bincount(spikes[:, 0], minlength=1500).astype(float)
    released = tsodyks_markram(at > 0, DT_S, 0.5, 0.8, 0.0) * at
    for g, peak, r in zip(conductance.T, (1.0, 0.4, 0.7), synapse.receptors, strict=True):
        np.testing.assert_allclose(
            g, peak * double_exponential(released, DT_S, r.tau_rise_s, r.tau_decay_s), atol=1e-6
        )
    drive = -60.0 - np.array([0.0, 0.0, -75.0])
    np.testing.assert_allclose(current, conductance @ drive, atol=1e-4)


def test_conductances_and_potential_of_a_passive_cell_are_brian2s():
    o = stored("brian2_short_term").arrays
    for (release, rec, fac), conductance, v in zip(o["sets"], o["conductance_ns"], o["v_mv"], strict=True):
        short_term = ShortTerm(release=release, tau_rec_s=rec, tau_fac_s=fac)
        synapse = bound(
            train="regular", target="passive", short_term=short_term, ampa_ns=8.0, nmda_ns=6.0, gaba_ns=5.0
        )
        synapse.receive("rate_hz", 25.0)
        ours, _, v_ours, _ = synapse.step(3000)
        np.testing.assert_allclose(ours[o["kept"]][:, [0, 2]], conductance[:, [0, 2]], atol=1e-6)
        np.testing.assert_allclose(ours[o["kept"], 1], conductance[:, 1], atol=1e-4)  # blocked by the potential
        np.testing.assert_allclose(v_ours[o["kept"]], v, atol=0.01)


def test_a_decay_no_longer_than_the_rise_is_refused():
    with pytest.raises(ContractError, match="below the decay"):
        Receptor(tau_rise_s=2e-3, tau_decay_s=2e-3, reversal_mv=0.0).gain()


# --- the pathway ------------------------------------------------------------------------------------


def test_poisson_terminals_fire_at_their_rate_and_independently():
    synapse = bound(n=200)
    synapse.receive("rate_hz", 20.0)
    spikes = synapse.step(20000)[3]
    counts = np.bincount(spikes[:, 1], minlength=200)
    assert len(spikes) == pytest.approx(8000, abs=4 * 8000**0.5)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.4)


def test_a_current_turns_at_its_reversal_potential():
    synapse = held(0.0)
    assert np.abs(synapse.step(1000)[1]).max() < 1e-6
    assert held(-60.0).step(1000)[1].min() < -10.0
    assert held(-60.0, ampa_ns=0.0, nmda_ns=0.0, gaba_ns=1.0).step(1000)[1].max() > 1.0


@pytest.mark.parametrize(("drug", "column"), [("ampa", 0), ("nmda", 1), ("gaba", 2)])
def test_a_drug_scales_its_receptor_alone(drug, column):
    plain, treated = (held(gaba_ns=0.3) for _ in range(2))
    treated.receive(drug, 0.5)
    g, scaled = plain.step(800)[0], treated.step(800)[0]
    factor = np.ones(3)
    factor[column] = 0.5
    np.testing.assert_allclose(scaled, g * factor, rtol=1e-6)


def test_a_slower_inhibitory_decay_keeps_the_peak():
    slow, plain = (held(rate_hz=1.0, gaba_ns=1.0) for _ in range(2))
    slow.receive("gaba_decay", 2.0)
    g_slow, g = (s.step(2000)[0][:, 2] for s in (slow, plain))
    assert g_slow.max() == pytest.approx(g.max(), rel=1e-3)
    assert np.log(g_slow[500] / g_slow[1000]) == pytest.approx(0.05 / 0.016, rel=1e-3)
    assert np.log(g[500] / g[1000]) == pytest.approx(0.05 / 0.008, rel=1e-3)


def test_calcium_reaches_release_through_the_sensor():
    synapse = held(-60.0)
    assert synapse.utilisation == 0.5
    synapse.receive("calcium", 0.5)
    expected = synapse.release.probability(0.5 * synapse.release.ca_peak_um(0.5))
    assert synapse.utilisation == pytest.approx(expected, rel=1e-12)
    weak, strong = synapse.step(100)[0][:, 0].max(), held(-60.0).step(100)[0][:, 0].max()
    assert weak / strong == pytest.approx(2 * expected, rel=1e-5)


def test_how_a_run_is_cut_changes_nothing():
    whole, cut = (bound(n=7, target="passive") for _ in range(2))
    for synapse in whole, cut:
        synapse.receive("rate_hz", 300.0)
    expected = whole.step(310)
    pieces = [cut.step(n) for n in (3, 7, 1, 199, 100)]
    for k, rows in enumerate(expected):
        np.testing.assert_array_equal(rows, np.concatenate([p[k] for p in pieces]))


def test_a_fork_and_a_restored_run_go_on_alike():
    p = Preparation(Synapse(n=5, gaba_ns=0.2, target="passive"), 11)
    p.give("rate_hz", 0.0, 100.0)
    p.give("calcium", 0.05, 0.7)
    p.advance_s(0.073)
    twin, snapshot = p.fork(), p.snapshot()
    first = p.advance_s(0.1)
    p.restore(snapshot)
    for other in twin, p:
        again = other.advance_s(0.1)
        assert all(np.array_equal(again[k], first[k]) for k in first)


def test_reset_equals_freshly_bound():
    synapse = held(-40.0)
    first = synapse.step(300)
    synapse.receive("ampa", 0.1)
    synapse.reset()
    synapse.receive("rate_hz", 20.0)
    synapse.receive("v_hold_mv", -40.0)
    for a, b in zip(first, synapse.step(300), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("port", "value", "told"),
    [
        ("rate_hz", -1.0, "0 to 1000 Hz"),
        ("rate_hz", 2000.0, "0 to 1000 Hz"),
        ("v_hold_mv", 300.0, "-200 to 200"),
        ("ampa", -0.1, "at least 0"),
        ("calcium", 100.0, "scale the influx less"),
        ("gaba_decay", 0.01, "below the decay"),
        ("gaba_decay", -1.0, "below the decay"),
        ("nmda", np.nan, "finite"),
        ("ampa", [1.0, 1.0], "shape"),
        ("glycine", 1.0, "no input"),
    ],
)
def test_an_input_outside_its_range_is_refused(port, value, told):
    with pytest.raises(ContractError, match=told):
        bound().receive(port, np.array(value))


@pytest.mark.parametrize(
    "fields",
    [{"dt_s": 2e-3}, {"n": 0}, {"train": "burst"}, {"target": "axon"}, {"ampa_ns": -1.0}, {"g_leak_ns": 0.0}],
)
def test_a_pathway_that_cannot_be_is_refused(fields):
    with pytest.raises(ContractError):
        bound(**fields)
