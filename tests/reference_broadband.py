"""Broadband signals with spikes and artefacts planted in them, and every stage written once more in plain NumPy.

The twins follow the definitions, one sample after the other; nothing here looks at the kernels or is fast.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi

from bmi.signals import Chunk, StreamSpec

RATE = 30000.0
BAND = (300.0, 6000.0)


def spec(n=2, rate_hz=RATE, max_samples=3000, **changes):
    labels = tuple(f"e{c}" for c in range(n))
    return StreamSpec(
        **{"name": "raw", "n_channels": n, "rate_hz": rate_hz, "unit": "µV", "max_samples": max_samples,
           "labels": labels, **changes}
    )  # fmt: skip


def run(chain, X, cuts=3000, *, stream=None, start=0):
    """Bind a chain and take X through it in chunks of ``cuts`` (a number, or lengths that add up).

    Returns the last spec, sequence numbers and rows of everything that came out.
    """
    stream = stream or spec(X.shape[1])
    for stage in chain:
        stream = stage.bind(stream)
    lengths = [min(cuts, len(X) - i) for i in range(0, len(X), cuts)] if isinstance(cuts, int) else cuts
    seqs, rows, i = [], [], 0
    for n in lengths:
        out = Chunk(X[i : i + n], (start + np.arange(i, i + n) + 1.0) / RATE, 0.0, start + i)
        i += n
        for stage in chain:
            out = stage.step(out) if out is not None else None
        if out is not None:
            seqs.extend(range(out.seq, out.seq + len(out)))
            rows.append(out.data.copy())
    return stream, np.array(seqs, int), np.concatenate(rows) if rows else np.zeros((0, stream.n_channels), np.float32)


# --- signals ------------------------------------------------------------------------------------------


SHAPES = {
    "usual": (1e-4, 0.35, 4.2e-4, 2e-4),
    "narrow": (6e-5, 0.4, 2.2e-4, 1e-4),
    "broad": (1.5e-4, 0.25, 6.5e-4, 2.5e-4),
    "monophasic": (1e-4, 0.0, 4.2e-4, 2e-4),
}
"""Width of the trough; height, time and width of the rebound (widths: SD of a Gaussian, s)."""


def template(phase=0.0, shape="usual"):
    """An extracellular spike of ~1 ms, trough -1 at sample 18 + phase: sharp trough, slow repolarisation."""
    trough_s, rebound, at_s, width_s = SHAPES[shape]
    t = (np.arange(75) - 18 - phase) / RATE
    return -np.exp(-0.5 * (t / trough_s) ** 2) + rebound * np.exp(-0.5 * ((t - at_s) / width_s) ** 2)


def noise(rng, n, colour):
    """Unit noise, (n,): ``white``; ``pink`` (power 1/f above 1 Hz); ``mixed`` so that 64 % of the band's is pink."""
    white = rng.standard_normal(n)
    if colour == "white":
        return white
    spectrum = np.fft.rfft(rng.standard_normal(n))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / RATE), 1.0)), n)
    if colour == "mixed":
        pink = 0.8 * pink / bandpass(pink).std() + 0.6 * white / bandpass(white).std()
    return pink / pink.std()


def poisson_train(rng, rate_hz, seconds):
    """Spike times, s: Poisson with 1 ms refractory."""
    gaps = 0.001 + rng.exponential(1 / rate_hz - 0.001, size=int(2 * rate_hz * seconds) + 50)
    times = 0.01 + np.cumsum(gaps)
    return times[times < seconds - 0.02]


def planted(rng, *, colour, snr, measured, rates_hz, seconds, shape="usual", sd=10.0):
    """Spikes at sub-sample phases in noise of SD ``sd``, one channel a rate.

    snr is the trough over the noise's SD, ``measured`` in the ``raw`` trace or in the ``band``-passed one.
    Returns samples (n, n_channels) float32, the noise alone, and each channel's trough times, s.
    """
    n = int(seconds * RATE)
    X = np.stack([sd * noise(rng, n, colour) for _ in rates_hz], axis=1)
    pure, trains = X.copy(), []
    filtered = [-bandpass(np.r_[template(p, shape), np.zeros(60)]).min() for p in np.arange(0, 1, 0.125)]
    for c, rate in enumerate(rates_hz):
        amplitude = snr * sd if measured == "raw" else snr * bandpass(X[:, c]).std() / max(filtered)
        trains.append(poisson_train(rng, rate, seconds))
        for t in trains[-1]:
            at = int(t * RATE)
            X[at - 18 : at + 57, c] += amplitude * template(t * RATE - at, shape)
    return X.astype(np.float32), pure, trains


def pulses(rng, n, n_channels, every_s, *, rail=4000.0, start_s=1.0):
    """Stimulation artefacts, (n, n_channels): at once 1 to 20 mV, either sign, decaying with 0.15 to 0.3 ms, clipped.

    Returns them and the sample each pulse begins with.
    """
    onsets = np.arange(int(start_s * RATE), n - 400, int(every_s * RATE))
    amplitude = rng.choice([-1, 1], n_channels) * 10 ** rng.uniform(3.0, 4.3, n_channels)
    tau = rng.uniform(1.5e-4, 3e-4, n_channels)
    shape = amplitude * np.exp(-np.arange(400)[:, None] / RATE / tau)
    X = np.zeros((n, n_channels))
    for onset in onsets:
        X[onset : onset + 400] += shape * (1 + 0.02 * rng.standard_normal(n_channels))
    return np.clip(X, -rail, rail), onsets


# --- what was found -------------------------------------------------------------------------------------


def score(found_s, true_s, early_s=0.0005, late_s=0.0014):
    """Return (recall, number of false positives): every spike takes the first free crossing near it."""
    free, hits = np.ones(len(found_s), bool), 0
    for t in true_s:
        near = np.flatnonzero((found_s >= t - early_s) & (found_s <= t + late_s) & free)
        if len(near):
            free[near[0]] = False
            hits += 1
    return hits / max(len(true_s), 1), int(free.sum())


# --- twins ----------------------------------------------------------------------------------------------


def bandpass(x, order=2):
    """Causal Butterworth over the spike band, started at rest on the first sample."""
    sos = butter(order, BAND, "bandpass", fs=RATE, output="sos")
    return sosfilt(sos, x, zi=sosfilt_zi(sos) * x[0])[0]


def notch(X, hz, harmonics, q, rate_hz):
    """Notches in a row, each started at rest on the first sample."""
    for n in range(1, harmonics + 1):
        b, a = iirnotch(n * hz, q, rate_hz)
        sos = np.hstack([b, a])[None]
        X = sosfilt(sos, X, axis=0, zi=sosfilt_zi(sos)[:, :, None] * X[0])[0]
    return X


def common_reference(X, kind, banks):
    """Minus the mean or median of the finite channels of each bank (lists of columns) at that sample."""
    X = np.where(np.isfinite(X), X, np.nan)
    out = X.copy()
    for row, new in zip(X, out, strict=True):
        for bank in banks:
            good = row[bank][np.isfinite(row[bank])]
            if len(good) > 1:
                new[bank] = row[bank] - (good.mean() if kind == "mean" else np.median(good))
    return out


def matched(X):
    """Mean of samples 10 to 15 ago minus the mean of samples 0 to 9 ago; nothing before the first."""
    weights = np.r_[np.full(10, -0.1), np.full(6, 1 / 6)]
    return np.apply_along_axis(lambda x: np.convolve(x, weights)[: len(x)], 0, X)


def running_sigma(x, window_s, warmup_s, rate_hz=RATE, block=256):
    """Median(|x|)/0.6745 outside spikes, block by block, of one channel; NaN while warming up, a value a sample."""
    z, slope = 0.6744897501960817, 0.42867
    slowest, warm = block / rate_hz / window_s, int(np.ceil(warmup_s * rate_hz / block - 1e-9))
    out, m, blocks, wait, off = np.full(len(x), np.nan), 0.0, 0, 0, 0
    kept = []
    for i, a in enumerate(np.abs(x)):
        wait = round(0.0015 * rate_hz) if m > 0 and a > 3.0 * m / z else max(wait - 1, 0)
        kept += [a] * (wait == 0)
        if i % block == block - 1:
            if blocks == 0:
                m, blocks = z * np.sqrt(np.pi / 2) * np.abs(x[i + 1 - block : i + 1]).mean(), 1
            else:
                share = np.mean(np.array(kept) < m) if len(kept) >= block / 4 else 0.0
                if len(kept) >= block / 4:
                    m *= np.exp(max(1 / (blocks + 1), slowest) * (0.5 - share) / slope)
                    blocks += 1
                off = off + 1 if not 0.2 <= share <= 0.8 else 0
                if off == 24:
                    blocks = off = 0
            kept = []
        out[i] = m / z if (i + 1) // block >= warm else np.nan
    return out


def crossings(y, sigma, k, dead):
    """0 or 1 a sample: below -k sigma (as of the sample before), coming from above, ``dead`` samples after the last."""
    out, last, below = np.zeros(len(y)), -dead, False
    for i in range(len(y)):
        now = i > 0 and y[i] < -k * sigma[i - 1]
        if now and not below and i - last >= dead:
            out[i], last = 1, i
        below = now
    return out


def masked(x, rail, times, tolerance=0.0):
    """Whether one channel is masked at each sample. times: samples flat, at the rail, good again."""
    flat, stuck, enough = times
    out, held, still, railed, good, bad_now = [], 0.0, 0, 0, 0, False
    for v in x:
        if np.isfinite(v) and abs(v - held) > tolerance:
            held, still = v, 0
        else:
            still += 1
        railed = railed + 1 if abs(v) >= rail else 0
        good = 0 if still >= flat or railed >= stuck else good + 1
        bad_now = good == 0 or (bad_now and good < enough)
        out.append(bad_now)
    return np.array(out)


def off_by(tail, rate, sd):
    """Return tail and lasting offset, at the last of the samples, of one channel; missing ones say nothing."""
    ok = np.isfinite(tail)
    shape = rate ** np.arange(1.0 - len(tail), 1.0)[ok] if rate else np.zeros(ok.sum())
    tail = tail[ok]
    if not rate:
        sure = len(tail) and abs(tail.mean()) > 3 * sd / np.sqrt(len(tail))
        return 0.0, tail.mean() if sure else 0.0
    if not len(tail):
        return 0.0, 0.0
    only = shape @ tail / (shape @ shape)
    flat = 1 - shape * shape.sum() / (shape @ shape)  # a constant, less what of it looks like a tail
    room = flat @ flat
    if room <= 0.03 * len(tail) or abs(flat @ tail / room) <= 3 * sd / np.sqrt(room):
        return only, 0.0
    (left, lasting), *_ = np.linalg.lstsq(np.stack([shape, np.ones_like(shape)], 1), tail, rcond=None)
    return left, lasting


def last_distances(far, begins, width):
    """Return the last ``width`` distances from the baseline outside blanks, newest first."""
    outside = np.ones(len(far), bool)
    for begin in begins:
        outside[begin : begin + width] = False
    return far[outside][::-1][:width]


def blanked(X, *, k=8.0, share=0.3, width=36, settle_s=0.05, noise_s=5.0, warmup_s=0.5):
    """What goes out with artefacts mirrored and their tails subtracted, and the samples artefacts begin with."""
    n, n_channels = X.shape
    gain, slow, few = 1 - np.exp(-1 / (1e-3 * RATE)), np.exp(-1 / (settle_s * RATE)), width // 3
    lag, warm = few // 2, int(np.ceil(warmup_s * RATE / 256 - 1e-9))
    base, tail, lasting, rate = X[0].astype(float), *np.zeros((3, n_channels))
    said, say, sd = *np.zeros((2, n_channels)), np.zeros(n_channels)
    far, out, heard, begins, left = np.zeros((n, n_channels)), np.zeros(X.shape), [], [], 0
    for i, x in enumerate(X.astype(float)):
        if i and i % 256 == 0:
            sd = np.array([running_sigma(np.array(y), noise_s, 1e-9)[-1] for y in zip(*heard, strict=True)])
        away = x - tail - lasting - base
        heard.append(np.where(sd > 0, np.minimum(np.abs(away), k * sd), np.abs(away)))
        if not left and i // 256 >= warm and (np.abs(away) > k * sd).mean() > share:
            left, past, seen = width, last_distances(far[:i], begins, width), []
            begins.append(i)
        if left:
            left -= 1
            out[i] = base - past[width - 1 - left]
            seen.append(np.where(x == X[i - 1], np.nan, away))
        else:
            out[i] = x - tail - lasting
            far[i] = out[i] - base
            base = base + gain * far[i]
        tail, lasting = tail * rate, lasting * slow
        if begins and i == begins[-1] + width - 1:
            for c, y in enumerate(np.array(seen)[-few:].T):
                both = np.isfinite(y[:-lag] * y[lag:])
                now, then = y[:-lag][both], y[lag:][both]
                power = now @ now
                says = power > both.sum() * (3 * sd[c]) ** 2 and 0 < now @ then < np.exp(-lag / width) * power
                if says and abs(tail[c]) < sd[c]:
                    weight = power / (power + both.sum() * (10 * sd[c]) ** 2)
                    said[c], say[c] = 0.95 * said[c] + weight * (now @ then) / power, 0.95 * say[c] + weight
                rate[c] = (said[c] / say[c]) ** (1 / lag) if say[c] else 0.0
                more, offset = off_by(y, rate[c], sd[c])
                tail[c], lasting[c] = tail[c] + more * rate[c], lasting[c] + offset
    return out, np.array(begins)
