"""Local field potentials: kernels of spikes, electrodes, proxies."""

from __future__ import annotations

import numpy as np
import pytest
from reference_sensors import field_of_spikes

from bmi.errors import ContractError
from sim.sensors.lfp import LAYERS_UV, LFP, grid_um, shunt
from sim.sensors.proxies import current_source_density, reference_weighted_sum, source_potential_uv
from sim.sensors.surroundings import Surroundings

RNG = np.random.default_rng(5)
PLACES = RNG.uniform(0.0, 1000.0, (12, 2))
N_EXC = 8
FOUR = grid_um(4)
SILENCE = np.zeros((10, 12))


def lfp(seed: int = 1, *, quiet: bool = True, **changes) -> LFP:
    loud = {"background_uv": 5.0, "amplifier_uv": 1.0, "line_uv": 1.0, "drift_uv": 2.0}
    settings = dict.fromkeys(loud, 0.0) if quiet else loud
    bare = {"resistance_ohm": 0.0, "coupling_hz": 1e-9} if quiet else {}
    sensor = LFP(**({
        "positions_um": PLACES, "n_exc": N_EXC, "electrodes_um": FOUR, "stands_for": 1.0,
        "surroundings": Surroundings(**settings),
    } | bare | changes))  # fmt: skip
    sensor.bind(seed)
    return sensor


def train(n_ms: int, n: int = 50) -> tuple[list[tuple[int, int]], np.ndarray]:
    rng = np.random.default_rng(9)
    spikes = list(zip(rng.integers(0, n_ms, n).tolist(), rng.integers(0, 12, n).tolist(), strict=True))
    counts = np.zeros((n_ms, 12))
    for ms, neuron in spikes:
        counts[ms, neuron] += 1.0
    return spikes, counts


def run(sensor: LFP, counts: np.ndarray) -> np.ndarray:
    return np.concatenate([sensor.take(block).copy() for block in counts.reshape(-1, 10, counts.shape[1])])


def test_spikes_give_the_field_of_their_twin():
    spikes, counts = train(200)
    expected = field_of_spikes(spikes, PLACES, N_EXC, FOUR, 200)
    np.testing.assert_allclose(run(lfp(), counts), expected, atol=2e-5)
    whole = field_of_spikes(spikes, PLACES, N_EXC, FOUR, 200, exact=True)
    assert np.abs(whole - expected).max() < 0.03 * np.abs(whole).max()


@pytest.mark.parametrize("layer", sorted(LAYERS_UV))
def test_a_spike_at_the_electrode_is_as_large_as_its_layer_says(layer):
    at = FOUR[:1]
    for n_exc, size in ((1, LAYERS_UV[layer][0]), (0, LAYERS_UV[layer][1])):
        sensor = lfp(positions_um=at, n_exc=n_exc, electrodes_um=at, layer=layer, stands_for=10.0, peak_s=0.010)
        rows = run(sensor, np.eye(60, 1))
        assert rows[10, 0] == pytest.approx(10.0 * size, rel=1e-5)
        assert np.abs(rows).argmax() == 10


def test_a_far_source_reaches_each_electrode_with_its_weight():
    sensor = lfp(far_uv=(1.0, 2.0, 0.0, -1.0))
    wave = np.sin(np.arange(10.0))
    np.testing.assert_allclose(sensor.take(SILENCE, wave), np.outer(wave, [1.0, 2.0, 0.0, -1.0]), atol=1e-6)


def test_nothing_is_heard_before_the_spike_and_nothing_for_ever_after():
    counts = np.zeros((400, 12))
    counts[23, 3] = 1.0
    rows = run(lfp(), counts)
    assert (rows[:23] == 0.0).all()
    assert np.abs(rows[80:]).max() < 1e-10
    assert np.abs(rows[23:80]).max() > 0.0


def test_electrodes_that_die_stay_dead_and_keep_amplifier_and_mains():
    counts = np.ones((100, 12))
    silent = []
    for share in (0.25, 0.5, 1.0):
        sensor = lfp(4, electrodes_um=grid_um(16))
        sensor.receive("dead", np.array(share))
        rows = run(sensor, counts)
        silent.append(frozenset(np.flatnonzero(np.abs(rows).max(axis=0) == 0.0).tolist()))
    assert [len(s) for s in silent] == [4, 8, 16]
    assert silent[0] < silent[1] < silent[2]


def test_thermal_noise_grows_with_the_root_of_impedance():
    def size(impedance: float) -> float:
        sensor = lfp(resistance_ohm=100e3, shunt_f=0.0)
        sensor.receive("impedance", np.array(impedance))
        return float(run(sensor, np.zeros((4000, 12))).std())

    # 4kTR over 500 Hz.
    assert size(1.0) == pytest.approx(1e6 * np.sqrt(4 * 1.380649e-23 * 310.15 * 100e3 * 500), rel=0.02)
    assert size(4.0) / size(1.0) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("seconds", [0.0, 6e-5, 3e-4, 2e-3, 1e-2])
def test_the_shunt_is_the_circuit_it_stands_for(seconds):
    b0, b1, a1 = shunt(seconds, 1000.0)
    f = np.linspace(0.0, 450.0, 100)
    z = np.exp(-2j * np.pi * f / 1000.0)
    gain = np.abs((b0 + b1 * z) / (1 + a1 * z))
    np.testing.assert_allclose(gain, 1 / np.hypot(1.0, 2 * np.pi * f * seconds), rtol=0.06)
    assert gain[0] == pytest.approx(1.0)


def test_the_coupling_lets_no_steady_potential_through():
    rows = run(lfp(coupling_hz=5.0), np.ones((2000, 12)))
    assert np.abs(rows[-1]).max() < 1e-3 * np.abs(rows).max()


def test_stimulation_is_heard_by_every_electrode_until_the_rail():
    sensor = lfp(surroundings=Surroundings(background_uv=0.0, amplifier_uv=0.0, line_uv=0.0, drift_uv=0.0,
                                           stimulus_spread=0.0, rail_uv=300.0))  # fmt: skip
    sensor.receive("stimulus_uv", np.array(2e3))
    sensor.receive("stimulus_hz", np.array(130.0))
    rows = run(sensor, np.zeros((100, 12)))
    assert rows.max() == 300.0
    rises = np.flatnonzero(np.diff(rows[:, 0]) > 100.0)
    assert len(rises) == 12  # 13 pulses, the first at the very beginning


def test_the_same_seed_gives_the_same_bits_and_state_is_all_there_is():
    _, counts = train(400, 300)
    sensor = lfp(7, quiet=False)
    for port, value in (("impedance", 2.0), ("dead", 0.25), ("stimulus_uv", 40.0), ("stimulus_hz", 130.0)):
        sensor.receive(port, np.array(value))
    run(sensor, counts)
    kept = {k: v.copy() for k, v in sensor.state().items()}
    ahead = run(sensor, counts)
    other = lfp(7, quiet=False)
    for k, v in other.state().items():
        v[...] = kept[k]
    np.testing.assert_array_equal(run(other, counts), ahead)
    sensor.reset()
    fresh = run(lfp(7, quiet=False), counts)
    np.testing.assert_array_equal(run(sensor, counts), fresh)
    assert (run(lfp(8, quiet=False), counts) != fresh).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"positions_um": np.zeros((3, 3))}, "positions_um"),
        ({"electrodes_um": np.full((2, 2), np.nan)}, "electrodes_um"),
        ({"n_exc": 13}, "excitatory"),
        ({"far_uv": (1.0, 2.0)}, "one weight or 4"),
    ],
)
def test_tissue_that_does_not_fit_is_refused(wrong, message):
    with pytest.raises(ContractError, match=message):
        lfp(**wrong)


@pytest.mark.parametrize(
    ("port", "value"), [("dead", 1.2), ("impedance", -1.0), ("stimulus_hz", 2000.0), ("loudness", 1.0)]
)
def test_inputs_that_do_not_fit_are_refused(port, value):
    with pytest.raises(ContractError, match=port):
        lfp().receive(port, np.array(value))


def test_blocks_of_another_shape_are_refused():
    with pytest.raises(ContractError, match=r"\(10, 12\)"):
        lfp().take(np.zeros((9, 12)))
    with pytest.raises(ContractError, match="far source"):
        lfp().take(SILENCE, np.zeros(9))
    with pytest.raises(ContractError, match="square"):
        grid_um(15)


def test_the_weighted_sum_delays_ampa_by_six_milliseconds():
    ampa, gaba = np.zeros(20), np.zeros(20)
    ampa[5], gaba[7] = -2.0, 3.0
    told = reference_weighted_sum(ampa, gaba, dt_s=0.001)
    expected = np.zeros(20)
    expected[11], expected[7] = 2.0, 1.65 * 3.0
    np.testing.assert_allclose(told, expected)
    with pytest.raises(ContractError, match="whole number"):
        reference_weighted_sum(ampa, gaba, dt_s=0.004)
    with pytest.raises(ContractError, match="one length"):
        reference_weighted_sum(ampa, gaba[1:], dt_s=0.001)


def test_a_point_source_falls_as_one_over_distance_and_a_pair_twice_as_fast():
    electrodes = np.array([[0.0, 0.0, z] for z in (1e4, 2e4)])
    point = source_potential_uv(np.array([[1.0]]), np.zeros((1, 3)), electrodes)[0]
    # 1 nA at 10 mm, 0.3 S/m.
    assert point[0] == pytest.approx(1e-9 / (4 * np.pi * 0.3 * 1e-2) * 1e6)
    assert point[0] / point[1] == pytest.approx(2.0)
    pair = source_potential_uv(np.array([[1.0, -1.0]]), np.array([[0, 0, 50.0], [0, 0, -50.0]]), electrodes)[0]
    assert pair[0] / pair[1] == pytest.approx(4.0, rel=1e-3)


def test_source_density_is_the_curvature_of_the_potential():
    z = np.arange(6) * 100.0
    # φ = -z² / 2 µV/µm² in 0.3 S/m: a source of 0.3 × 1e6 A/m³, which is 300 µA/mm³.
    np.testing.assert_allclose(current_source_density(-0.5 * z[None, :] ** 2, spacing_um=100.0), 300.0)
    sheet = -np.abs(z - 200.0)[None, :]
    density = current_source_density(sheet, spacing_um=100.0)[0]
    assert density.argmax() == 1
    assert np.abs(np.delete(density, 1)).max() < 1e-9
    with pytest.raises(ContractError, match="3 channels"):
        current_source_density(np.zeros((1, 2)), spacing_um=100.0)
