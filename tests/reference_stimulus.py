"""The stimulus gate written a second time, from its table and the house's limits: plain Python.

The rules of time and arming are those of the plain gate beside it; only what a command may be is another matter.
"""

import math

from reference_gate import ReferenceGate

from bmi.limits import Limits
from bmi.signals import GateFlag as F
from bmi.signals import GateState as S


class ReferenceStimulusGate(ReferenceGate):
    """Rules first, then the ramp. Times in s, amplitudes in mA, ramps in mA/s."""

    def __init__(self, *, amplitude, ramp, fall, by_charge, **rules):
        super().__init__(Limits(speed=amplitude, acceleration=1.0, jerk=1.0, half_width=(1.0,)), **rules)
        self.ceiling, self.ramp, self.fall, self.by_charge = amplitude, ramp, fall, by_charge

    @property
    def amplitude(self):
        return self.limiter.v[0]

    @amplitude.setter
    def amplitude(self, ma):
        self.limiter.v[0] = ma

    def _issue(self, now, desired, does, _, flags):
        wanted, passes = desired[0], self.state == S.ACTIVE
        if self.state in (S.STOPPED, S.TRIPPED):
            goal = self.amplitude = 0.0
        else:
            goal = min(max(wanted, 0.0), self.ceiling)
            if wanted > self.ceiling:
                flags |= F.CHARGE if self.by_charge else F.AMPLITUDE
            elif wanted < 0.0:
                flags |= F.AMPLITUDE
            since = now - self.t_issued
            if since > 0.080:  # the stimulator has let go
                self.amplitude = min(max(does[0], 0.0), self.ceiling) if math.isfinite(does[0]) else 0.0
                since = self.period_s
            most = (self.ramp if passes else self.fall) * max(since, 0.0)
            change = goal - self.amplitude
            self.amplitude = goal if abs(change) <= most else self.amplitude + math.copysign(most, change)
            if self.amplitude != goal:
                flags |= F.RAMP
        if self.state == S.STOPPED:
            flags |= F.STOP
        elif not self.armed or self.awaits_neutral:
            flags |= F.NOT_ARMED
        self.t_issued = now
        self.seq += 1
        return [self.amplitude], self.state, flags, self.seq - 1
