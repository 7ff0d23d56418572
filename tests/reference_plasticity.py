"""Plasticity once more, from the papers' sums over pairs of spikes, without traces and without compilation."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import poisson

from sim.component import Noise

GRID_S = 0.010


class Pairs:
    """Pair STDP of one synapse from the whole history of both sides (Song, Miller & Abbott 2000)."""

    def __init__(self, rule, w):
        self.rule, self.w = rule, w
        self.pre_s, self.post_s = [], []

    def history(self, times_s, t_s, tau_s):
        met = times_s[-1:] if self.rule.pairs == "nearest" else times_s
        return sum(math.exp(-(t_s - k) / tau_s) for k in met)

    def pre(self, t_s):
        change = -self.rule.a_minus * self.rule.high * self.history(self.post_s, t_s, self.rule.tau_minus_s)
        self.pre_s.append(t_s)
        return self.take(change, t_s)

    def post(self, t_s):
        change = self.rule.a_plus * self.rule.high * self.history(self.pre_s, t_s, self.rule.tau_plus_s)
        self.post_s.append(t_s)
        return self.take(change, t_s)

    def take(self, change, t_s):
        self.w = min(max(self.w + change, self.rule.low), self.rule.high)


class Marked(Pairs):
    """The same with an eligibility that remembers every change and when it came (Izhikevich 2007)."""

    def __init__(self, rule, w, reward):
        super().__init__(rule, w)
        self.reward, self.marks = reward, []

    def take(self, change, t_s):
        self.marks.append((t_s, change))

    def fold(self, t_s, dopamine):
        c = sum(change * math.exp(-(t_s - k) / self.reward.tau_eligibility_s) for k, change in self.marks)
        self.w = min(max(self.w + GRID_S * dopamine * c, self.rule.low), self.rule.high)


def dopamine_after(d, released, tau_s):
    """Return dopamine after 10 ms in which ``released`` (1/s) was."""
    return released * tau_s + (d - released * tau_s) * math.exp(-GRID_S / tau_s)


def counted(u, mean):
    """Return the Poisson number whose distribution function reaches ``u``."""
    return np.maximum(poisson.ppf(u, mean), 0.0)


class Circuit:
    """The small circuit step by step, all synapses in one matrix (sources, neurons); nan where there is none."""

    def __init__(self, part, seed, input_hz, background_hz):
        self.part, n, m = part, part.n_neurons, part.n_inputs
        self.noise = Noise(seed, part.name, 1 + 64 + 2 * n)
        self.input_hz, self.background_hz, self.reward, self.share = input_hz, background_hz, 0.0, 1.0
        self.w = np.full((m + n, n), np.nan)
        if part.learns == "inputs":
            self.w[:m] = part.start
        else:
            self.w[m:] = np.where(np.eye(n) == 1, np.nan, part.start)
        self.c = np.zeros_like(self.w)
        self.x, self.y, self.v = np.zeros(m + n), np.zeros(n), np.full(n, -70.0)
        self.e, self.i, self.d, self.rate = np.zeros(n), np.zeros(n), 0.0, np.zeros(n)
        self.fired = []
        """(n_neurons,) bool a step."""

    def step(self):
        p, k, dt = self.part, len(self.fired), self.part.dt_s
        u = self.noise.uniform(0, k)
        self.x *= math.exp(-dt / p.pairs.tau_plus_s)
        self.y *= math.exp(-dt / p.pairs.tau_minus_s)
        if p.reward:
            self.c *= math.exp(-dt / p.reward.tau_eligibility_s)
        cumulative = np.cumsum(self.input_hz * dt)
        n_arrive = counted(u[0], cumulative[-1]) if len(cumulative) else 0
        for a in range(int(n_arrive)):
            self.arrive(int(np.flatnonzero(cumulative > u[1 + a] * cumulative[-1])[0]))
        self.neurons_arrive(k - round(p.delay_s / dt))
        self.e += p.background * counted(u[65::2], self.background_hz * dt)
        self.i += p.inhibitory * counted(u[66::2], p.inhibitory_hz * dt)
        g = 1.0 + self.e + self.i
        drawn_to = (-70.0 - 70.0 * self.i) / g
        self.v = drawn_to + (self.v - drawn_to) * np.exp(-dt * g / p.tau_m_s)
        if p.trigger and self.heard(k - round(p.trigger.delay_s / dt)):
            self.v[list(p.trigger.stimulated)] += p.trigger.kick_mv
        self.e *= math.exp(-dt / p.tau_excitation_s)
        self.i *= math.exp(-dt / p.tau_inhibition_s)
        self.fire()
        if (k + 1) % round(GRID_S / dt) == 0:
            self.grid(round(GRID_S / dt))

    def arrive(self, j):
        self.e += self.part.peak * np.nan_to_num(self.w[j])
        self.change(j, slice(None), -self.part.pairs.a_minus * self.y)
        self.x[j] += 1.0

    def neurons_arrive(self, k):
        for i in np.flatnonzero(self.fired[k]) if k >= 0 else []:
            self.arrive(self.part.n_inputs + i)
            self.i += self.part.lateral * (np.arange(self.part.n_neurons) != i)

    def heard(self, k):
        return k >= 0 and self.fired[k][list(self.part.trigger.recorded)].any()

    def fire(self):
        self.fired.append(self.v >= -54.0)
        for i in np.flatnonzero(self.fired[-1]):
            self.v[i] = -60.0
            self.change(slice(None), i, self.part.pairs.a_plus * self.x)
            self.y[i] += 1.0

    def change(self, j, i, by):
        by = by * self.part.pairs.high * self.share
        if self.part.reward:
            self.c[j, i] += by
        else:
            self.w[j, i] = np.clip(self.w[j, i] + by, self.part.pairs.low, self.part.pairs.high)

    def grid(self, n_block):
        p = self.part
        if p.reward:
            self.d = dopamine_after(self.d, self.reward, p.reward.tau_dopamine_s)
            c = self.c * math.exp(-p.dt_s / p.reward.tau_eligibility_s)
            self.w = np.clip(self.w + GRID_S * self.d * c, p.pairs.low, p.pairs.high)
        if p.homeostasis:
            h = p.homeostasis
            counted_hz = np.sum(self.fired[-n_block:], axis=0) / GRID_S
            self.rate += (counted_hz - self.rate) * (1.0 - math.exp(-GRID_S / h.tau_rate_s))
            factor = np.exp(GRID_S / h.tau_scaling_s * (1.0 - self.rate / h.target_hz))
            self.w = np.clip(self.w * factor, p.pairs.low, p.pairs.high)


def calcium_rule(rule, rho, pre_s, post_s, *, seconds, dt_s):
    """Return what Graupner and Brunel's equation without noise gives in small steps (Euler, calcium exact)."""
    rho, c = rho.copy(), 0.0
    jumps = np.zeros(round(seconds / dt_s) + 1)
    np.add.at(jumps, np.rint((pre_s + rule.delay_s) / dt_s).astype(int), rule.c_pre)
    np.add.at(jumps, np.rint(post_s / dt_s).astype(int), rule.c_post)
    for jump in jumps[:-1]:
        c += jump
        up, down = rule.gamma_p * (c > rule.theta_p), rule.gamma_d * (c > rule.theta_d)
        rho += dt_s / rule.tau_s * (-rho * (1 - rho) * (0.5 - rho) + up * (1 - rho) - down * rho)
        c *= math.exp(-dt_s / rule.tau_calcium_s)
    return rho
