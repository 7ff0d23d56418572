"""The gate written a second time, from the house's table and the formulas in ``bmi.limits``: plain Python.

Slow and obvious on purpose. Shares nothing with the compiled one but the meaning of the flags and states.
"""

import math

from bmi.signals import GateFlag as F
from bmi.signals import GateState as S


def braking_way(v, a, limits):
    """Way to rest in positive direction: the braking profile phase by phase, plus the held stretch."""
    A, J, H = limits.acceleration, limits.jerk, limits.hold_s
    turning = v + a * abs(a) / (2 * J)  # velocity once the acceleration is gone
    if v <= 0 and turning <= 0:
        return 0.0
    if turning <= 0:  # it will turn round: no farther than by the gentlest acceleration that does so
        return H * v + v * math.sqrt(2 * v / J) / 3
    way = 0.0
    if a >= 0:
        peak = turning
        if v > 0:
            rise = a / J
            way += v * rise + a * rise**2 / 2 - J * rise**3 / 6
        else:  # only the part after crossing zero counts
            rise = math.sqrt(2 * turning / J)
            way += turning * rise - J * rise**3 / 6
        slope = 0.0
    else:
        peak, slope = v, -a
    top = min(A, math.sqrt(J * peak + slope**2 / 2))
    t1 = (top - slope) / J
    v1 = peak - slope * t1 - J * t1**2 / 2
    way += peak * t1 - slope * t1**2 / 2 - J * t1**3 / 6
    v2 = top**2 / (2 * J)
    if v1 > v2:
        t2 = (v1 - v2) / top
        way += (v1 + v2) / 2 * t2
    t3 = top / J
    way += J * t3**3 / 6
    return way + H * peak


class ReferenceLimiter:
    """Velocity, acceleration, jerk and workspace with look-ahead."""

    def __init__(self, limits):
        self.limits = limits
        self.v = [0.0] * len(limits.half_width)
        self.a = [0.0] * len(limits.half_width)

    def _toward(self, gap, h):
        J = self.limits.jerk
        a = J * (math.sqrt(h * h + 2 * abs(gap) / J) - h)
        return math.copysign(a, gap)

    def _legal(self, a, was, h):
        A, J = self.limits.acceleration, self.limits.jerk
        return min(max(a, was - J * h, -A), was + J * h, A)

    def _speed_to_come(self, a, h):
        J = self.limits.jerk
        worst = [
            max(v + x * h + max(x, 0) ** 2 / (2 * J), -(v + x * h) + min(x, 0) ** 2 / (2 * J))
            for v, x in zip(self.v, a, strict=True)
        ]
        return math.hypot(*worst)

    def step(self, desired, position, h):
        limits = self.limits
        norm = min(math.hypot(*desired), 1.7e308)
        scale = min(1.0, limits.speed / norm) if norm > 0 else 1.0
        brakes, wishes = [], []
        for v, was, want, p, wall in zip(
            self.v, self.a, desired, position, limits.half_width, strict=True
        ):
            brake = self._legal(self._toward(-v, h), was, h)
            wish = self._legal(self._toward(scale * want - v, h), was, h)
            side = 1 if wish > brake else -1
            room = max(wall - side * p, 0.0)

            def fits(x, v=v, side=side, room=room):
                return braking_way(side * (v + x * h), side * x, limits) <= room

            wishes.append(wish if wish == brake else _furthest(brake, wish, fits))
            brakes.append(brake)

        def mixed(share):
            return [b + share * (w - b) for b, w in zip(brakes, wishes, strict=True)]

        share = _furthest(0.0, 1.0, lambda s: self._speed_to_come(mixed(s), h) <= limits.speed)
        self.a = mixed(share)
        self.v = [v + a * h for v, a in zip(self.v, self.a, strict=True)]
        return list(self.v)


def _furthest(good, wanted, fits):
    """Bisect for the value nearest to ``wanted`` that fits."""
    if fits(wanted):
        return wanted
    for _ in range(60):
        middle = (good + wanted) / 2
        if fits(middle):
            good = middle
        else:
            wanted = middle
    return good


class ReferenceGate:
    """Rules first, then the limiter. Times in s, velocities in mm/s."""

    def __init__(self, limits, *, watchdog_s, period_s, hardware=False, auto=True):
        self.limiter = ReferenceLimiter(limits)
        self.limits, self.watchdog_s, self.period_s = limits, watchdog_s, period_s
        self.hardware, self.auto = hardware, auto
        self.state, self.seq = S.DISARMED, 0
        self.arm_was = self.awaits_neutral = False
        self.t_issued = self.t_heard = self.t_wrong = -math.inf

    def step(self, intent, now, position, velocity, *, arm, stop, newest_t, newest_arrival):
        """``intent`` is None or (mean, t, t_arrival, abstains). Returns (values, state, flags, seq)."""
        flags = 0
        stamps = [newest_t, newest_arrival] + (list(intent[1:3]) if intent else [])
        if any(not now - s <= 0.150 for s in stamps):
            flags |= F.STALE
        if not now - newest_arrival <= self.watchdog_s:
            flags |= F.SILENT
        if newest_t - now > 0.005 or (intent and intent[1] - now > 0.005):
            flags |= F.FUTURE
        n = len(self.limiter.v)
        mean = list(intent[0]) if intent else []
        if intent and (len(mean) != n or not all(map(math.isfinite, mean))):
            flags |= F.NOT_FINITE
        if not all(map(math.isfinite, position)):
            flags |= F.NOT_FINITE
        good = intent is not None and not flags
        if intent and intent[3]:
            flags |= F.ABSTAINED
            mean = [0.0] * n

        before, edge = self.state, arm and not self.arm_was
        self.arm_was = arm
        if flags & ~F.ABSTAINED:
            self.t_wrong = now
        calm = self.state != S.TRIPPED or now - self.t_wrong >= 0.5
        self._latches(flags, good and calm, arm, edge, stop)
        if good or (self.armed and before not in (S.NEUTRAL, S.ACTIVE)):
            self.t_heard = now
        if self.armed and now - self.t_heard >= 0.5:
            self.state = S.DISARMED
        if self.armed and now - self.t_heard >= 0.08:
            flags |= F.DEADMAN
        if good and self.armed and math.hypot(*mean) <= 0.1 * self.limits.speed:
            self.awaits_neutral = False
        passes = self.armed and good and not self.awaits_neutral and not flags & F.ABSTAINED
        rule = flags & (F.STALE | F.SILENT | F.NOT_FINITE | F.DEADMAN)
        if self.armed and (good or rule):
            self.state = S.ACTIVE if passes else S.NEUTRAL

        rests = (
            self.state in (S.TRIPPED, S.STOPPED)
            or (self.armed and rule)
            or (self.state == S.DISARMED and any(self.limiter.v))
        )
        turned = self.state != before and self.state != S.ACTIVE
        if not (intent or turned or (rests and now - self.t_issued >= 0.020)):
            return None
        return self._issue(now, mean if passes else [0.0] * n, position, velocity, flags)

    @property
    def armed(self):
        return self.state in (S.NEUTRAL, S.ACTIVE)

    def _latches(self, flags, good, arm, edge, stop):
        if stop:
            self.state = S.STOPPED
        elif flags & F.FUTURE:
            self.state = S.STOPPED if self.state == S.STOPPED else S.TRIPPED
        elif not self.armed and (edge or (self.state != S.STOPPED and arm and good and self.auto)):
            self.state, self.awaits_neutral = S.NEUTRAL, self.hardware
        elif self.armed and not arm:
            self.state = S.DISARMED

    def _issue(self, now, desired, position, velocity, flags):
        n = len(desired)
        if self.state == S.STOPPED:
            flags |= F.STOP
            self.limiter.v, self.limiter.a = [0.0] * n, [0.0] * n
            values = [0.0] * n
        else:
            if not self.armed or self.awaits_neutral:
                flags |= F.NOT_ARMED
            h = now - self.t_issued
            if h > self.limits.hold_s:  # the device has let go of the last command
                v = [x if math.isfinite(x) else 0.0 for x in velocity]
                norm = math.hypot(*v)
                self.limiter.v = [x * min(1.0, self.limits.speed / norm) if norm else x for x in v]
                self.limiter.a, h = [0.0] * n, self.period_s
            values = self.limiter.step(desired, position, max(h, 0.0))
        self.t_issued = now
        self.seq += 1
        return values, self.state, flags, self.seq - 1


class ReferenceSelection:
    """The rule of clicks, as sentences: told of every step, in order. Remembers all that was said since the start."""

    def __init__(self, *, threshold, release, hold_s, refractory_s):
        self.threshold, self.release, self.hold_s, self.refractory_s = threshold, release, hold_s, refractory_s
        self.t_last = -math.inf
        self.said = []  # (now, probability) of intents that passed, since nothing passed or a selection was made

    def step(self, probability, now, passes):
        """``probability`` is None where nothing was decoded; ``passes`` whether the gate is active."""
        if not passes:
            self.said = []
            return False
        if probability is None:
            return False
        if not 0 <= probability <= 1 or now - self.t_last < self.refractory_s - 1e-6:
            self.said = []
            return False
        self.said.append((now, probability))
        below = [k for k, (_, p) in enumerate(self.said) if p < self.release]
        if not below:
            return False
        since = self.said[below[0] :]
        up = []
        for t, p in reversed(since):  # the newest stretch at or above the threshold
            if p < self.threshold:
                break
            up.append(t)
        if not up or now - up[-1] < self.hold_s - 1e-6:
            return False
        self.t_last, self.said = now, []
        return True
