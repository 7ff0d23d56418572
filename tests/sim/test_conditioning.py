"""Reward teaches what it rewards; stimulation after the spikes of a site ties that site to the stimulated one."""

from __future__ import annotations

import numpy as np
import pytest
from figures import measured

from bmi.errors import ContractError
from sim.conditioning import Conditioning
from sim.plastic import Plastic
from sim.reward_learning import TwoClasses
from sim.validation.plasticity import competition, conditioned, rewarded


def test_a_stimulus_follows_every_spike_of_the_recorded_site_by_the_delay():
    circuit = Conditioning(delay_s=0.020, kick_mv=40.0).circuit()
    circuit.bind(1)
    spikes, _ = circuit.step(4000)
    heard = np.unique(spikes[spikes[:, 1] < 5, 0])
    assert len(heard) > 10
    for k in heard[heard < 3960]:
        assert {(k + 40, b) for b in range(5, 10)} <= {tuple(s) for s in spikes}


def test_twenty_milliseconds_tie_the_sites_and_two_hundred_do_not():
    change = {}
    for delay_s in (0.020, 0.200, None):
        run = Conditioning(delay_s=delay_s).run(11, seconds=30.0)
        change[delay_s] = run.after[0, 1] - run.before[0, 1]
        assert (run.before == 0.5).all()
        assert run.stimuli_hz == 0.0 if delay_s is None else run.stimuli_hz > 10.0
    assert change[0.020] > 0.2
    assert change[0.200] < 0.02
    assert abs(change[None]) < 0.02


def test_a_delay_between_two_steps_is_refused():
    with pytest.raises(ContractError, match=r"trigger.delay_s: 0.0203 s"):
        Conditioning(delay_s=0.0203).circuit().bind(1)


def test_reward_teaches_two_patterns():
    learned = TwoClasses().run(11, n_trials=150, n_test=60)
    assert learned.after > 0.75
    assert learned.training[-50:].mean() > learned.training[:30].mean()


def test_while_tested_nothing_is_learned():
    task = TwoClasses()
    untaught = task.run(3, n_trials=0, n_test=10)
    assert len(untaught.training) == 0
    circuit = task.learner()
    circuit.bind(3)
    circuit.receive("plasticity", np.array(0.0))
    circuit.receive("inputs", task.patterns(np.random.default_rng(3))[0])
    circuit.receive("reward", np.array(100.0))
    circuit.step(2000)
    assert (circuit.w == 0.5).all()


def test_patterns_have_equally_many_high_rates():
    patterns = TwoClasses(n_inputs=20).patterns(np.random.default_rng(1))
    assert (patterns == 40.0).sum(1).tolist() == [10, 10]
    assert not np.array_equal(*patterns)


def test_the_spikes_of_poisson_inputs_have_their_rates():
    """Each input's own trace, slow, is its number of arrivals."""
    from sim.plasticity import PairRule

    rates = np.array([0.0, 5.0, 50.0, 100.0])
    part = Plastic(n_inputs=4, inhibitory_hz=0.0, start=0.0, pairs=PairRule(a_plus=0.0, tau_plus_s=1e4))
    part.bind(2)
    part.receive("inputs", rates)
    part.step(400_000)
    arrivals = part.state()["pre"][:4]
    assert arrivals[0] == 0.0
    assert (np.abs(arrivals - 40.0 * rates) < 4.0 * np.sqrt(40.0 * rates) + 0.01 * 40.0 * rates + 1e-9).all()


@pytest.mark.bars
@pytest.mark.parametrize("figures", [competition, rewarded, conditioned], ids=lambda f: f.__name__)
def test_every_figure_is_within_its_tolerance(figures):
    rows = list(figures())
    measured("M6 figures within tolerance", np.mean([row.passed for row in rows]))
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]
