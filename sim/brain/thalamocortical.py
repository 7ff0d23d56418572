"""The alpha of the eyes and the mu of the hands: a rhythm of the loop between cortex and thalamus.

Cortex excites the thalamus's relay nuclei and the reticular nucleus, which inhibits them; relay nuclei excite the
cortex. Once around takes 85 ms plus what dendrites add, and the loop resonates near 10 Hz; noise that reaches the
relay nuclei from below keeps it sounding [1]_. Of cortex (excitatory e, inhibitory alike), reticular nucleus r and
relay nuclei s, with Q = Q_max / (1 + exp((theta - V) / sigma)) ::

    D V_e = nu_ee phi + nu_ei Q_e + nu_es [Q_s - depth gate (Q_s - Q_s0)](t - tau)
    D V_r = nu_re phi(t - tau) + nu_rs Q_s
    D V_s = nu_se phi(t - tau) + nu_sr Q_r + nu_sn (mean + noise)
    (1 + d/dt / gamma)^2 phi = Q_e,    D = (1 + d/dt / alpha) (1 + d/dt / beta)

``gate`` is how far a node is desynchronised: by opening the eyes (alpha) or by the intention to move (mu, over the
hand's cortex). It weakens one gain, that of relay nuclei on cortex, about their rate at rest Q_s0, so that rates at
rest stay: power falls gradually and the peak hardly moves. Strengths are those fitted to the EEG of closed eyes [3]_;
in fits to open eyes that same gain is the one that is smaller by most [2]_. The loop has a second attractor, of high
rates; noise that throws it there is far above the default, at which it is as good as linear.

Nodes are separate loops. They may share a part of their input, which may reach each of them a while later: then the
rhythm travels over them as a wave.

References
----------
.. [1] Robinson, Rennie, Wright, Bahramali, Gordon & Rowe (2001) Prediction of electroencephalographic spectra from
       neurophysiology. Phys Rev E 63:021903.
.. [2] Robinson, Rennie, Rowe & O'Connor (2004) Estimation of multiscale neurophysiologic parameters by
       electroencephalographic means. Hum Brain Mapp 23:53-72.
.. [3] Abeysuriya, Rennie & Robinson (2015) Physiologically based arousal state estimation and dynamics. J Neurosci
       Methods 253:55-69; the numbers as in the configuration of Abeysuriya et al. (2014) in NFTsim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._thalamocortical_kernels import Loop, Nodes, Random, Scratch, advance
from sim.component import Noise, Port, checked, whole_steps

SHOWN_HZ = 1000.0


@dataclass(kw_only=True)
class Rhythm:
    """Nodes of cortex, each in its loop with the thalamus.

    *Realtime*: ``step`` of 10 ms takes some 10 µs; it allocates what it returns.
    """

    name: str = "rhythm"
    n: Annotated[int, Gt(0)] = 6
    """Nodes."""
    nu_ee_mv_s: float = 1.346879228
    """Potential by a steady afferent rate of 1 Hz: cortex by cortex, excitatory; mV s."""
    nu_ei_mv_s: float = -2.320281251
    """Cortex by cortex, inhibitory."""
    nu_es_mv_s: float = 1.176634189
    """Cortex by relay nuclei, gate 0."""
    nu_re_mv_s: float = 0.2584431651
    """Reticular nucleus by cortex."""
    nu_rs_mv_s: float = 0.07762265571
    """Reticular nucleus by relay nuclei."""
    nu_se_mv_s: float = 2.661985519
    """Relay nuclei by cortex."""
    nu_sr_mv_s: float = -1.176930149
    """Relay nuclei by reticular nucleus."""
    nu_sn_mv_s: float = 0.1415780734
    """Relay nuclei by what comes from below."""
    theta_mv: float = 12.92
    """Potential of half the greatest rate."""
    sigma_mv: Annotated[float, Gt(0)] = 3.8
    most_hz: Annotated[float, Gt(0)] = 340.0
    """Greatest rate."""
    alpha_per_s: Annotated[float, Gt(0)] = 83.33333333
    """Decay of a postsynaptic potential."""
    beta_per_s: Annotated[float, Gt(0)] = 769.2307692
    """Its rise."""
    gamma_per_s: Annotated[float, Gt(0)] = 116.0
    """Damping of the axonal field: speed by range of corticocortical axons."""
    delay_s: Annotated[float, Gt(0)] = 0.0425
    """One way between cortex and thalamus: half the loop's 85 ms."""
    input_hz: Annotated[float, Ge(0)] = 1.0
    """Mean rate from below."""
    noise_hz_rs: Annotated[float, Ge(0), Le(1)] = 0.3
    """Square root of its two-sided spectral density, Hz √s. Beyond 1 it may throw the loop out of its rhythm."""
    shown_scale: Annotated[float, Ge(0)] = 10.0
    """What ``psp`` is of the mean potential's deviation: at 10 about 1 mV rms, as a Jansen-Rit column in its alpha."""
    depth: Annotated[float, Ge(0), Le(1)] = 0.3
    """Share of the thalamocortical gain that ``gate`` 1 takes away."""
    shared: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of the noise's power that all nodes have in common."""
    lag_s: tuple[float, ...] = ()
    """After how long the common input reaches each node, s: a wave over them. At once if empty."""
    dt_s: Annotated[float, Gt(0)] = 0.0005
    """Step, s: at most 0.5 ms, a whole part of a millisecond."""
    cost: float = 0.002
    """Core-seconds a simulated second, declared, 6 nodes."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return _input_ports(self.n)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (Port("psp", "mV", (self.n,), SHOWN_HZ, about="potential of cortical cells about its rest, scaled"),)

    def bind(self, seed: int) -> None:
        """Find the resting state, allocate, compile.

        Raises
        ------
        ContractError
            If the step is too coarse or no whole part of a millisecond, ``lag_s`` does not give a lag to each node,
            or the loop has no state of rest below half its greatest rate.
        """
        whole_steps(self.name, self.dt_s, 5e-4)
        self._every = round(1.0 / (SHOWN_HZ * self.dt_s))
        if abs(self._every * self.dt_s * SHOWN_HZ - 1.0) > 1e-9:
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s * 1e3:g} ms, expected a whole part of 1 ms; give e.g. 0.0005"
            )
        lags = self.lag_s or (0.0,) * self.n
        if len(lags) != self.n or not all(0.0 <= lag < math.inf for lag in lags):
            raise ContractError(f"{self.name}: lag_s is {self.lag_s}, expected {self.n} lags, s, none negative")
        self._lag = np.round(np.array(lags) / self.dt_s).astype(np.int64)
        self.rest_mv_, self.rest_hz_ = self._rest()
        self._loop = self._numbers()
        noise = Noise(seed, self.name, self.n + 1)
        self._random = Random(noise.key, noise.words, noise.four, noise.four.reshape(-1))
        n, dt = self.n, self.dt_s
        alpha, beta, gamma = (-math.expm1(-dt * rate) for rate in (self.alpha_per_s, self.beta_per_s, self.gamma_per_s))
        self._nodes = Nodes(np.zeros(8 * n), np.zeros((self._loop.delay, 2 * n)), np.zeros(int(self._lag.max()) + 1))
        second, first = (np.repeat([gamma, rate, rate, rate], n) for rate in (beta, alpha))
        self._scratch = Scratch(second, first, np.zeros(3 * n), np.zeros(4 * n))
        self._gate, self._amplitude, self._at = np.zeros(n), np.ones(n), np.zeros(1, np.int64)
        self._advance = direct(advance)
        self.reset()
        self.step(1)
        self.reset()

    def _numbers(self) -> Loop:
        dt = self.dt_s
        return Loop(
            self.nu_ee_mv_s, self.nu_ei_mv_s, self.nu_es_mv_s, self.nu_re_mv_s, self.nu_rs_mv_s, self.nu_se_mv_s,
            self.nu_sr_mv_s, self.nu_sn_mv_s, self.theta_mv, 1.0 / self.sigma_mv, self.most_hz,
            self.input_hz, self.noise_hz_rs / math.sqrt(dt),
            math.sqrt(1.0 - self.shared), math.sqrt(self.shared), self.depth, float(self.rest_hz_[2]),
            max(1, round(self.delay_s / dt)),
        )  # fmt: skip

    def _rest(self) -> tuple[F64, F64]:
        """Return potentials (3,), mV, and rates (3,), Hz, of cortex, reticular and relay nuclei without noise.

        Where there are several states of rest, the one of lowest rates.
        """
        from scipy.optimize import brentq

        es = self.nu_es_mv_s

        def rate(v: Any) -> Any:
            return self.most_hz / (1.0 + np.exp((self.theta_mv - v) / self.sigma_mv))

        def potential(q: Any) -> Any:
            return self.theta_mv - self.sigma_mv * np.log(self.most_hz / q - 1.0)

        def miss(q: Any) -> Any:
            q_s = (potential(q) - (self.nu_ee_mv_s + self.nu_ei_mv_s) * q) / es
            q_r = rate(self.nu_re_mv_s * q + self.nu_rs_mv_s * q_s)
            return q_s - rate(self.nu_se_mv_s * q + self.nu_sr_mv_s * q_r + self.nu_sn_mv_s * self.input_hz)

        grid = np.linspace(1e-4, 0.5, 5000) * self.most_hz
        missed = miss(grid)
        found = np.flatnonzero((missed[:-1] < 0.0) & (missed[1:] >= 0.0))
        if not len(found):
            raise ContractError(
                f"{self.name}: the loop has no state of rest below {0.5 * self.most_hz:g} Hz; "
                "expected weaker excitation or stronger inhibition (nu_ee_mv_s, nu_ei_mv_s, nu_sr_mv_s)"
            )
        q_e = brentq(miss, grid[found[0]], grid[found[0] + 1], xtol=1e-12)
        v_e = potential(q_e)
        q_s = (v_e - (self.nu_ee_mv_s + self.nu_ei_mv_s) * q_e) / es
        q_r = rate(self.nu_re_mv_s * q_e + self.nu_rs_mv_s * q_s)
        q = np.array([q_e, q_r, q_s])
        return potential(q), q

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError where a gate is not within 0 and 1 or an amplitude is negative."""
        given = checked(self, port, value)
        if (given < 0.0).any() or (port == "gate" and (given > 1.0).any()):
            bounds = "0 to 1" if port == "gate" else "no negative scale"
            raise ContractError(f"{self.name}.{port}: expected {bounds}, given {given}")
        (self._gate if port == "gate" else self._amplitude)[:] = given

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return ``psp`` (n_rows, n), mV."""
        t = int(self._at[0])
        shown = np.empty(((t + n) // self._every - t // self._every, self.n))
        self._advance(
            t, n, self._every, self._loop, self._gate, self._lag, self._nodes, self._scratch, self._random, shown
        )
        self._at[0] = t + n
        shown -= self.rest_mv_[0]
        shown *= self.shown_scale * self._amplitude
        return (shown.astype(np.float32),)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        a = self._nodes
        return {
            "y": a.y, "sent": a.sent, "common": a.common, "gate": self._gate, "amplitude": self._amplitude,
            "step": self._at,
        }  # fmt: skip

    def reset(self) -> None:
        """Begin again at rest."""
        for array in self.state().values():
            array[...] = 0
        self._amplitude[:] = 1.0
        q, v = self.rest_hz_, self.rest_mv_
        self._nodes.y.reshape(2, 4, self.n)[:] = np.array([q[0], *v])[:, None]
        self._nodes.sent.reshape(-1, 2, self.n)[:] = q[[0, 2], None]


@lru_cache(maxsize=64)
def _input_ports(n: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    return (
        Port("gate", "", (n,), about="how far each node is desynchronised, 0 to 1"),
        Port("amplitude", "", (n,), about="scale of what each node shows: how many cells take part"),
    )
