"""How synapses learn: pair STDP, reward-modulated STDP, homeostasis.

The rules are here as parts with units; ``_plasticity_kernels`` has what a spike does to the synapses it meets, for any
circuit to call on its own graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim._plasticity_kernels import I32, Rule, fold_reward, moment, post_spike, pre_spike, rebase
from sim.component import whole_steps


@dataclass(kw_only=True)
class PairRule:
    """Spike-timing-dependent plasticity of pairs of spikes [1]_.

    A pair whose postsynaptic spike follows by t >= 0 raises the weight by A+ e^(-t / tau+); one whose presynaptic
    spike follows by t > 0 lowers it by A- e^(-t / tau-). Changes add up and stop at the bounds.

    References
    ----------
    .. [1] Song, Miller & Abbott (2000) Competitive Hebbian learning through spike-timing-dependent synaptic
       plasticity. Nat Neurosci 3:919.
    """

    a_plus: Annotated[float, Ge(0)] = 0.005
    """Potentiation of a pair at equal times, as a share of ``high``."""
    a_minus: Annotated[float, Ge(0)] = 0.00525
    """Depression in the limit of equal times, as a share of ``high``."""
    tau_plus_s: Annotated[float, Gt(0)] = 0.020
    tau_minus_s: Annotated[float, Gt(0)] = 0.020
    low: Annotated[float, Ge(0)] = 0.0
    """Least weight, in the weights' unit."""
    high: Annotated[float, Gt(0)] = 1.0
    """Largest weight."""
    pairs: Literal["all", "nearest"] = "all"
    """Whether a spike is paired with all earlier ones of the other side or with the last one only."""

    def kernel_rule(self) -> Rule:
        """Return what the kernels take, for weights that change at once.

        Raises
        ------
        ContractError
            If an amplitude or a time constant is out of range, or the bounds are.
        """
        for name in ("tau_plus_s", "tau_minus_s"):
            positive("PairRule", name, getattr(self, name), "s")
        for name in ("a_plus", "a_minus", "low"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ContractError(f"PairRule.{name}: expected a finite number from 0, given {getattr(self, name)!r}")
        if not self.low < self.high < math.inf:
            raise ContractError(
                f"PairRule: bounds are {self.low:g} to {self.high:g}, expected the upper one finite and above the lower"
            )
        if self.pairs not in ("all", "nearest"):
            raise ContractError(f"PairRule.pairs: expected 'all' or 'nearest', given {self.pairs!r}")
        return Rule(
            float(self.a_plus * self.high), float(self.a_minus * self.high), float(self.tau_plus_s),
            float(self.tau_minus_s), math.inf, float(self.low), float(self.high), self.pairs == "nearest",
        )  # fmt: skip


@dataclass(kw_only=True)
class Reward:
    """Reward-modulated STDP [1]_: pairs of spikes mark a synapse as eligible; dopamine turns marks into weight.

    dc/dt = -c / tau_eligibility + what the pair rule says; dd/dt = -d / tau_dopamine + reward; dw/dt = c d, folded
    into the weights on the grid of 10 ms.

    References
    ----------
    .. [1] Izhikevich (2007) Solving the distal reward problem through linkage of STDP and dopamine signaling.
       Cereb Cortex 17:2443.
    """

    tau_eligibility_s: Annotated[float, Gt(0)] = 1.0
    tau_dopamine_s: Annotated[float, Gt(0)] = 0.2

    def kernel_rule(self, pairs: PairRule) -> Rule:
        """Return what the kernels take, for eligibilities: ``pairs`` without its bounds."""
        positive("Reward", "tau_eligibility_s", self.tau_eligibility_s, "s")
        positive("Reward", "tau_dopamine_s", self.tau_dopamine_s, "s")
        return pairs.kernel_rule()._replace(
            tau_eligibility_s=float(self.tau_eligibility_s), low=-math.inf, high=math.inf
        )


@dataclass(kw_only=True)
class Homeostasis:
    """Slow feedback that keeps a neuron near its target rate: all weights upon it scale together [1]_.

    dw/dt = w (1 - rate / target) / tau_scaling, rate being the neuron's own over ``tau_rate_s``.

    References
    ----------
    .. [1] Turrigiano et al. (1998) Activity-dependent scaling of quantal amplitude in neocortical neurons.
       Nature 391:892.
    """

    target_hz: Annotated[float, Gt(0)] = 8.0
    tau_rate_s: Annotated[float, Gt(0)] = 5.0
    tau_scaling_s: Annotated[float, Gt(0)] = 50.0

    def check(self) -> None:
        """Raise ContractError if a value is not positive."""
        for name, unit in (("target_hz", "Hz"), ("tau_rate_s", "s"), ("tau_scaling_s", "s")):
            positive("Homeostasis", name, getattr(self, name), unit)


class Backward(NamedTuple):
    """The synapses of a graph by their postsynaptic neuron."""

    offsets: I32
    """(n_neurons + 1,)."""
    synapses: I32
    """(n_synapses,): which synapse."""
    sources: I32
    """(n_synapses,): of which presynaptic neuron."""


def backward(offsets: AnyArray, targets: AnyArray, n_neurons: int) -> Backward:
    """Return the way back of a graph that is sorted by presynaptic neuron.

    Parameters
    ----------
    offsets : (n_sources + 1,) int array
        Where the synapses of each presynaptic neuron begin; the last entry is the number of synapses.
    targets : (n_synapses,) int array
        Postsynaptic neurons.
    n_neurons : int
        Postsynaptic neurons there are.

    Raises
    ------
    ContractError
        If offsets do not rise from 0 to the number of synapses, or a target does not exist.
    """
    begin, to = np.asarray(offsets, np.int64), np.asarray(targets, np.int64)
    if begin.ndim != 1 or to.ndim != 1 or len(begin) < 2 or begin[0] != 0 or begin[-1] != len(to):
        raise ContractError(
            f"backward: expected offsets that rise from 0 to the {to.size} synapses, given {begin.shape} "
            f"from {begin.ravel()[:1]} to {begin.ravel()[-1:]}"
        )
    if (np.diff(begin) < 0).any() or (len(to) and not 0 <= to.min() <= to.max() < n_neurons):
        raise ContractError(f"backward: expected rising offsets and targets from 0 to {n_neurons - 1}")
    order = np.argsort(to, kind="stable")
    sources = np.repeat(np.arange(len(begin) - 1), np.diff(begin))[order]
    ends = np.concatenate([[0], np.cumsum(np.bincount(to, minlength=n_neurons))])
    return Backward(ends.astype(np.int32), order.astype(np.int32), sources.astype(np.int32))


def replay(
    pairs: PairRule, pre: AnyArray, post: AnyArray, w: AnyArray, *, n_blocks: int, dt_s: float = 1e-4,
    reward: Reward | None = None, released: AnyArray | None = None,
) -> F64:  # fmt: skip
    """Let given spikes pass over synapses upon one neuron, and return the weights they leave.

    In double precision, by the very kernels that circuits call.

    Parameters
    ----------
    pairs : PairRule
    pre : (n, 2) int array
        Step and source of each arrival, in the order of steps.
    post : (m,) int array
        Steps at which the neuron fires, rising.
    w : (n_sources,) array
        Weights at first.
    n_blocks : int
        For how long, in the grid's 10 ms; later spikes are left out.
    dt_s : float
        The step.
    reward : Reward, optional
        Without it, weights change at once.
    released : (n_blocks,) array, optional
        Dopamine released during each 10 ms, 1/s.

    Returns
    -------
    (n_blocks + 1, n_sources) array
        Weights at every grid line.

    Raises
    ------
    ContractError
        If a weight lies outside the bounds, or an array has another shape.
    """
    rule = pairs.kernel_rule() if reward is None else reward.kernel_rule(pairs)
    given = np.zeros(n_blocks) if released is None else np.asarray(released, np.float64)
    now = np.array(w, np.float64)
    _replayable(pairs, pre, post, now, given, n_blocks)
    n_block, n = whole_steps("replay", dt_s), len(now)
    offsets, targets = np.arange(n + 1, dtype=np.int32), np.zeros(n, np.int32)
    back = backward(offsets, targets, 1)
    x, y, eligibility, dopamine = np.zeros(n), np.zeros(1), np.zeros(n), 0.0
    change = now if reward is None else eligibility
    events = sorted([(int(k), 0, int(j)) for k, j in pre] + [(int(k), 1, 0) for k in post], key=lambda e: e[:2])
    shown, e = np.empty((n_blocks + 1, n)), 0
    shown[0] = now
    for b in range(n_blocks):
        while e < len(events) and events[e][0] < (b + 1) * n_block:
            step, fired, j = events[e]
            age_s = (step - b * n_block) * dt_s
            at = moment(age_s, age_s, rule)
            if fired:
                post_spike(0, at, rule, *back, x, y, change)
            else:
                pre_spike(j, at, rule, offsets, targets, x, y, change)
            e += 1
        rebase(GRID_S, rule, x, y)
        if reward is not None:
            keep = math.exp(-GRID_S / reward.tau_dopamine_s)
            dopamine = dopamine * keep + given[b] * reward.tau_dopamine_s * (1.0 - keep)
            fold_reward(GRID_S, dopamine * GRID_S, rule.tau_eligibility_s, pairs.low, pairs.high, eligibility, now)
        shown[b + 1] = now
    return shown


def _replayable(
    pairs: PairRule, pre: AnyArray, post: AnyArray, w: F64, released: F64, n_blocks: int
) -> None:
    arrivals = np.asarray(pre)
    pairs_of_int = arrivals.ndim == 2 and arrivals.shape[1] == 2
    if not pairs_of_int or np.ndim(post) != 1 or w.ndim != 1 or released.shape != (n_blocks,):
        raise ContractError(
            f"replay: expected pre (n, 2), post (m,), w (n_sources,) and released ({n_blocks},), given "
            f"{arrivals.shape}, {np.shape(post)}, {w.shape} and {released.shape}"
        )
    if len(arrivals) and not 0 <= arrivals[:, 1].min() <= arrivals[:, 1].max() < len(w):
        raise ContractError(f"replay: pre names sources beyond the {len(w)} weights")
    if not ((w >= pairs.low) & (w <= pairs.high)).all():
        raise ContractError(
            f"replay: expected weights from {pairs.low:g} to {pairs.high:g}, the bounds of the rule, given "
            f"{w.min():g} to {w.max():g}"
        )


def positive(part: str, name: str, value: float, unit: str) -> None:
    """Raise ContractError if ``value`` is not a positive, finite number."""
    if not 0.0 < value < math.inf:
        raise ContractError(f"{part}.{name}: expected a positive, finite number ({unit}), given {value!r}")
