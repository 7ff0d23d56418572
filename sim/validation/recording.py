"""Acceptance figures of the spike recording chain, S3.

Planted spikes (``sim.electrodes``) on a coloured background (``sim.background``) go through stages that decoders
register, made by name. SNR is the depth of a trough over the standard deviation of the noise. A spike is found if the
detector crosses from 0.3 ms before its trough to 1.2 ms after; every other crossing is a false positive.

What an ageing array yields is compared with its schedule: exactly where something is counted, with the mathematics of
detection (``sim.sensors.crossings``) where spikes and noise decide, and with the same array at 30 kHz.

Artefacts are those of ``sim.artefacts``, cut off at 6.4 mV, median over channels as told. What blanking leaves is
what it misjudges of their tails; since it learns how fast they decay, hardly any crossings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bmi.signals import F32, F64, I64
from sim.validation import Check, Row, between, near

if TYPE_CHECKING:
    from sim.sensors.array import Array

RATE_HZ = 30_000.0
BAND = ("bandpass", {"low_hz": 300.0, "high_hz": 6000.0})
OWN = "limit of the house; simulated"
SETTLED = int(1.5 * RATE_HZ)
"""Samples after which the stages know the noise."""
AGED_DAYS = (0.0, 90.0, 180.0, 360.0)


def through(x: F32, stages: Sequence[tuple[str, dict[str, Any]]]) -> tuple[I64, F32, list[Any]]:
    """Send ``x`` (n, channels) at 30 kHz through stages made by name; return places of the rows, rows, the stages."""
    from bmi.schema import make
    from bmi.signals import Chunk, StreamSpec

    n = x.shape[1]
    spec = StreamSpec(
        name="m1", type="broadband", n_channels=n, rate_hz=RATE_HZ, unit="µV",
        labels=tuple(f"e{i:03d}" for i in range(n)), max_samples=300, source_id="validation",
    )  # fmt: skip
    made = [make("stages", name, settings, "S3") for name, settings in stages]
    for stage in made:
        spec = stage.bind(spec)
    places, rows = [], []
    for first in range(0, len(x), 300):
        data = x[first : first + 300]
        data.flags.writeable = False
        chunk: Chunk | None = Chunk(data, (first + np.arange(len(data))) / RATE_HZ, 0.0, first)
        for stage in made:
            chunk = stage.step(chunk) if chunk is not None else None
        if chunk is not None:
            places.append(np.rint(chunk.t * RATE_HZ).astype(np.int64))
            rows.append(chunk.data.copy())
    return np.concatenate(places), np.concatenate(rows), made


def planted(
    rng: np.random.Generator, seconds: float, n: int, *, snr: float, rate_hz: float, noise: dict[str, float]
) -> tuple[F32, F32, I64]:
    """Return noise alone and with spikes, each (samples, n) µV, and the spikes (sample of the trough, channel)."""
    from sim.background import Background
    from sim.electrodes import Electrodes

    background, electrodes = Background(**noise), Electrodes(law="snr", snr=snr, snr_spread=0.0)
    background.bind(*rng.spawn(2), n_channels=n, rate_hz=RATE_HZ)
    electrodes.bind(*rng.spawn(2), noise_uv=background.sd_uv_, rate_hz=RATE_HZ)
    counts = (rng.random((round(1000 * seconds), n)) < rate_hz / 1000.0).astype(np.float32)
    alone = np.zeros((len(counts), 30, n), np.float32)
    spikes, found = np.zeros_like(alone), []
    for row, quiet, both in zip(counts, alone, spikes, strict=True):
        background.step(quiet)
        both[:] = quiet
        electrodes.step(row, both)
        found.append(electrodes.found())
    return alone.reshape(-1, n), spikes.reshape(-1, n), np.concatenate(found)


def scored(at: I64, rows: F32, spikes: I64, n_samples: int) -> tuple[float, float]:
    """Return recall and the highest rate of false positives of any channel, Hz, after the stages have settled."""
    hit = total = 0
    false = np.zeros(rows.shape[1])
    spikes = spikes[(spikes[:, 0] > SETTLED) & (spikes[:, 0] < n_samples - 60)]
    for c in range(rows.shape[1]):
        crossed = at[(rows[:, c] > 0) & (at > SETTLED)]
        trough = spikes[spikes[:, 1] == c, 0]
        begin, end = np.searchsorted(crossed, trough - 9), np.searchsorted(crossed, trough + 36)
        hit, total = hit + int((end > begin).sum()), total + len(trough)
        claimed = np.zeros(len(crossed) + 1, np.int64)
        np.add.at(claimed, begin, 1)
        np.add.at(claimed, end, -1)
        false[c] = (np.cumsum(claimed)[:-1] == 0).sum()
    return hit / total, float(false.max() * RATE_HZ / (n_samples - SETTLED))


def roc() -> Iterator[Row]:
    """Yield recall and false positives on spikes five times as deep as the noise is wide."""
    from sim.sensors.crossings import THERMAL_PASSES, TROUGH_PASSES

    hash_uv, white = {"thermal_uv": 4.0, "hash_uv": 6.0}, {"thermal_uv": 7.0, "hash_uv": 1e-3}
    banded = 5.0 * THERMAL_PASSES / TROUGH_PASSES
    for what, snr, noise in (("raw trace, thermal noise and hash", 5.0, hash_uv),
                             ("behind the band-pass, white noise", banded, white)):  # fmt: skip
        rng = np.random.default_rng(11)
        _, x, spikes = planted(rng, 21.5, 24, snr=snr, rate_hz=10.0, noise=noise)
        at, rows, _ = through(x, [BAND, ("crossings", {"step_s": 1.0 / RATE_HZ})])
        recall, false_hz = scored(at, rows, spikes, len(x))
        told = f"{OWN}, {len(spikes)} spikes, 24 channels, seed 11"
        yield between("S3", f"recall at SNR 5, {what}", 0.95, 1.0, recall, source=told)
        yield between("S3", f"false positives, worst channel, {what}", 0.0, 1.0, false_hz, unit="Hz", source=told)


def sigma() -> Iterator[Row]:
    """Yield how far median(|x|) / 0.6745 is from the noise, without spikes and running beside them."""
    told = "Quiroga, Nadasdy & Ben-Shaul (2004) Neural Comput 16:1661; against the noise's own SD; seed 12"
    for rate_hz in (10.0, 50.0):
        rng = np.random.default_rng(12)
        alone, x, _ = planted(rng, 20.0, 16, snr=5.0, rate_hz=rate_hz, noise={"thermal_uv": 4.0, "hash_uv": 6.0})
        _, quiet, _ = through(alone, [BAND])
        true = quiet[SETTLED:].std(axis=0)
        if rate_hz == 10.0:
            batch = np.median(np.abs(quiet[SETTLED:]), axis=0) / 0.6745
            off = float(np.abs(batch / true - 1.0).max())
            yield near("S3", "σ of noise alone, worst channel, share off", 0.0, off, 0.03, source=told)
        _, found, _ = through(x, [BAND, ("noise", {})])
        off = float(np.abs(found[100:].mean(axis=0) / true - 1.0).max())
        what = f"running σ beside {rate_hz:g} spikes/s of SNR 5, worst channel, share off"
        yield near("S3", what, 0.0, off, 0.03, source=told)


def blanking() -> Iterator[Row]:
    """Yield the share of artefact crossings that blanking removes, and the time it takes."""
    from sim.artefacts import Stimulation

    n, seconds = 24, 6.0
    for pulses_hz, amplitude_uv in ((20.0, 20_000.0), (130.0, 5_000.0), (130.0, 20_000.0)):
        rng = np.random.default_rng(13)
        alone, _, _ = planted(rng, seconds, n, snr=5.0, rate_hz=0.0, noise={"thermal_uv": 4.0, "hash_uv": 6.0})
        stimulation = Stimulation(pulses_hz=pulses_hz, amplitude_uv=amplitude_uv)
        stimulation.bind(rng, n_channels=n, n_samples=30, rate_hz=RATE_HZ)
        x = alone.copy()
        for rows in x.reshape(-1, 30, n):
            stimulation.step(rows)
        x = np.clip(x, -6400.0, 6400.0)
        chain = [BAND, ("car", {}), ("crossings", {"step_s": 1.0 / RATE_HZ})]
        pulses = stimulation.pulses(SETTLED, len(x) - 210)
        after = np.zeros(len(x), bool)
        after[(pulses[:, None] + np.arange(210)).ravel()] = True

        def crossed(x: F32, stages: Sequence[tuple[str, dict[str, Any]]], after: Any = after) -> tuple[float, Any]:
            at, rows, made = through(x, stages)
            return float(np.nansum(rows[after[at]])), made[0]

        background, _ = crossed(alone, chain)
        without, _ = crossed(x, chain)
        blanked, blank = crossed(x, [("blank", {}), *chain])
        removed = (without - blanked) / (without - background)
        lost_ms = 1e3 * blank.n_blanked / RATE_HZ / max(blank.n_artefacts, 1)
        what = f"{1e-3 * amplitude_uv:g} mV at {pulses_hz:g}/s"
        told = f"{OWN}, {len(pulses)} pulses, {n} channels, seed 13"
        yield between("S3", f"artefact crossings removed, {what}", 0.99, np.inf, removed, source=told)
        yield between("S3", f"blanked a pulse, {what}", 0.0, 1.5, lost_ms, unit="ms", source=told)


def aged_array(day: float, n_channels: int = 96) -> tuple[Array, dict[str, float]]:
    """Return an array after ``day`` days of ageing since the wound healed, and its schedule's values."""
    from sim.disease.ageing import Ageing
    from sim.sensors.array import Array

    array = Array(n_channels=n_channels, common_hz=0.0)
    array.bind(14, n_neurons=8 * n_channels)
    theta = {k: float(np.asarray(v)) for k, v in Ageing(from_day=0.0).at(day).items()}
    for name, value in theta.items():
        array.receive(name, value)
    return array, theta


def poisson(seed: int, blocks: int, n: int, rate_hz: float = 8.0) -> Iterator[F32]:
    """Yield blocks of 10 ms of ``n`` neurons that fire at random."""
    rng = np.random.default_rng(seed)
    for _ in range(blocks):
        yield (rng.random((10, n)) < rate_hz / 1000.0).astype(np.float32)


def expected_hz(array: Array, rate_hz: float = 8.0) -> F64:
    """Return the crossings of each channel, Hz, if every neuron fires at ``rate_hz``, less the dead time."""
    heard = array.heard()
    rate = rate_hz * heard.detected.sum(axis=1) + heard.false_hz
    return np.asarray(rate / (1.0 + rate * array.refractory_s))


def yields() -> Iterator[Row]:
    """Yield what an array hears over a year against its schedule."""
    fresh = aged_array(0.0)[0].heard()
    told = "schedule of sim.disease.ageing; array of seed 14"
    for day in AGED_DAYS:
        array, theta = aged_array(day)
        heard = array.heard()
        n, slots = array.n_channels, heard.neuron.size
        dead = float((~heard.live).mean())
        yield near("S3", f"dead electrodes on day {day:g}", theta["dead"], dead, 0.5 / n, source=told)
        gone = float((heard.neuron != fresh.neuron).mean())
        yield near("S3", f"neurons replaced by day {day:g}", theta["turnover"], gone, 0.5 / slots, source=told)
        stayed = heard.neuron == fresh.neuron
        shrunk = heard.depth_uv[stayed] / fresh.depth_uv[stayed]
        yield near("S3", f"spike amplitude on day {day:g}", theta["snr"], float(shrunk.mean()), 1e-9, source=told)
        counted = np.mean([array.take(block).mean(axis=0) for block in poisson(15, 3000, array.n_neurons)], axis=0)
        off = 1000.0 * counted.mean() / expected_hz(array).mean() - 1.0
        yield near(
            "S3", f"crossings on day {day:g}, 30 s at 8 Hz, share off", 0.0, float(off), 0.03,
            source=f"Φ(SNR + lift - 4.5), Rice (1945); {told}",
        )  # fmt: skip


def both_paths() -> Iterator[Row]:
    """Yield crossings counted at 1 kHz against a detector behind the same array at 30 kHz."""
    from sim.sensors.raw import Raw

    for day in (0.0, 180.0):
        array, _ = aged_array(day, 32)
        raw = Raw(array=array)
        raw.bind(14)
        fast, slow = [], []
        for block in poisson(16, 2000, array.n_neurons):
            fast.append(array.take(block).copy())
            slow.append(raw.take(block).copy())
        settings = {"k": array.threshold, "detector": "amplitude", "refractory_s": array.refractory_s}
        _, rows, _ = through(np.concatenate(slow), [BAND, ("crossings", settings)])
        ours, theirs = np.concatenate(fast)[1500:].mean(axis=0), np.nan_to_num(rows[1500:]).mean(axis=0)
        live = array.heard().live
        told = "the same array at 30 kHz, band-pass, threshold at 4.5 σ; 32 channels, 20 s, seeds 14, 16"
        off = float(ours[live].sum() / theirs[live].sum() - 1.0)
        yield near("S3", f"crossings at 1 kHz against 30 kHz, day {day:g}, share off", 0.0, off, 0.05, source=told)


CHECKS: tuple[Check, ...] = (
    Check("S3", "planted spikes found", 6.0, roc),
    Check("S3", "the noise measured behind spikes", 5.0, sigma),
    Check("S3", "artefacts blanked", 5.0, blanking),
    Check("S3", "yields of an ageing array", 4.0, yields),
    Check("S3", "1 kHz against 30 kHz", 6.0, both_paths),
)
