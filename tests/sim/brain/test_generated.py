"""A generated connectome: same seed, same bits; mirrored; wired by distance; every region a patient needs is there."""

import dataclasses

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.brain.atlas import AREAS, BRAIN_MM, DEPTH_MM, atlas
from sim.brain.generated import generated
from sim.brain.species import AFFECTS, SPECIES, Species, species


def test_same_seed_same_bits_another_seed_another_wiring():
    a, b, c = generated(seed=3), generated(seed=3), generated(seed=4)
    assert a.weights.tobytes() == b.weights.tobytes()
    assert a.weights.tobytes() != c.weights.tobytes()
    assert a.lengths_mm.tobytes() == c.lengths_mm.tobytes()


def test_every_region_a_patient_refers_to_is_there_on_both_sides():
    for n in (16, 84, 200):
        labels = generated(n=n).labels
        assert len(labels) == len(set(labels)) == n
        for name in ("M1", "S1", "PMd", "SMA", "V1", "HC", "TP", "TH"):
            assert {f"l.{name}", f"r.{name}"} <= set(labels)


@pytest.mark.parametrize("kind", SPECIES)
def test_hemispheres_mirror_each_other_to_the_last_bit(kind):
    c = generated(species=kind)
    w, d, p, half = c.weights, c.lengths_mm, c.centres_mm, c.n // 2
    for a in (w, d):
        np.testing.assert_array_equal(a[:half, :half], a[half:, half:])
        np.testing.assert_array_equal(a[:half, half:], a[half:, :half])
    np.testing.assert_array_equal(p[:half] * [-1, 1, 1], p[half:])
    assert (p[:half, 0] < 0.0).all()
    c.require_symmetric("test")
    assert c.weights.max() == 1.0


@pytest.mark.parametrize("kind", SPECIES)
def test_density_is_the_species_and_nothing_is_cut_off(kind):
    from scipy.sparse.csgraph import connected_components

    c = generated(species=kind)
    assert c.density == pytest.approx(SPECIES[kind].density, abs=0.001)
    assert connected_components(c.weights > 0.0)[0] == 1
    assert (np.diagonal(c.weights[:42, 42:]) > 0.0).all()


def test_weights_fall_exponentially_with_length_about_which_they_are_lognormal():
    kind = dataclasses.replace(SPECIES["human"], density=1.0, decay_mm=25.0, spread=0.8)
    c = generated(species=kind, n=120)
    usual = np.triu(np.ones((60, 60), bool), 1)  # within a hemisphere
    thalamus = atlas(120).labels.index("l.TH")
    usual[thalamus] = usual[:, thalamus] = False
    length, log = c.lengths_mm[:60, :60][usual], np.log(c.weights[:60, :60][usual])
    slope, start = np.polyfit(length, log, 1)
    assert slope == pytest.approx(-1.0 / 25.0, abs=0.003)
    rest = log - slope * length - start
    assert rest.std() == pytest.approx(0.8, abs=0.05)
    assert abs((rest**3).mean()) / rest.std() ** 3 < 0.2


def test_a_larger_brain_has_longer_tracts_by_its_size_and_the_same_names():
    human, mouse = generated(), generated(species="mouse")
    np.testing.assert_allclose(mouse.lengths_mm, human.lengths_mm * SPECIES["mouse"].size, rtol=1e-12)
    assert mouse.labels == human.labels
    assert SPECIES["mouse"].size == pytest.approx((0.416 / 1508.9) ** (1 / 3))


def test_a_tract_is_no_shorter_than_the_straight_line():
    c = generated()
    straight = np.linalg.norm(c.centres_mm[:, None] - c.centres_mm[None], axis=-1)
    assert (c.lengths_mm >= straight - 1e-9).all()


def test_regions_lie_inside_the_brain_and_cortex_looks_outward_but_for_the_walls_of_the_central_sulcus():
    for n in (84, 1000):
        regions = atlas(n)
        radius = np.linalg.norm(regions.centres_mm, axis=1)
        assert radius.max() <= DEPTH_MM + 1e-9 < BRAIN_MM
        outward = (regions.centres_mm * regions.normals).sum(1) / radius
        walls = np.array([x.split(".")[1] in ("M1", "S1") for x in regions.labels])
        np.testing.assert_allclose(outward, np.where(walls, 0.0, 1.0), atol=1e-12)
    at = {x: k for k, x in enumerate(regions.labels)}
    assert regions.normals[at["l.M1"], 1] < -0.5 < 0.5 < regions.normals[at["l.S1"], 1]
    assert regions.centres_mm[at["l.V1"], 1] < -50.0 < 50.0 < regions.centres_mm[at["l.FP"], 1]


def test_no_two_regions_are_in_one_place():
    for n in (84, 1000):
        p = atlas(n).centres_mm
        away = np.linalg.norm(p[:, None] - p[None], axis=-1) + 1e9 * np.eye(n)
        assert away.min() > 0.3
    assert len(AREAS) == 42


@pytest.mark.parametrize("n", [83, 14, 0, -2])
def test_a_number_of_regions_that_cannot_be_mirrored_is_refused(n):
    with pytest.raises(ContractError, match="an even number of at least 16"):
        generated(n=n)


def test_an_unknown_species_is_met_with_the_nearest():
    with pytest.raises(ContractError, match="no preset 'mose'; did you mean 'mouse'"):
        generated(species="mose")


def test_every_number_of_a_species_has_a_source_and_says_what_it_changes():
    fields = {f.name for f in dataclasses.fields(Species)} - {"name", "sources"}
    assert fields == set(AFFECTS)
    for name in SPECIES:
        assert set(species(name).sources) == fields


def test_a_denser_cortex_has_more_neurons_near_an_electrode():
    near = {k: s.neurons_near(50.0) for k, s in SPECIES.items()}
    assert near["mouse"] > near["macaque"] > near["human"]
    assert near["human"] == pytest.approx(13_300 * 4 / 3 * np.pi * 0.05**3)
