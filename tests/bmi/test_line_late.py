"""A step that hangs ends in rest: by the time it is done, the device has been stopped."""

import time

from line_rig import Rig, fitted

from decoders.kalman import Kalman


class Slow(Kalman):
    """A decoder that hangs when it is told to."""

    hang_s = 0.0

    def step(self, bundle):
        time.sleep(self.hang_s)
        return super().step(bundle)


def test_a_command_that_took_longer_than_devices_hold_one_is_not_sent():
    rig = Rig(decoder=fitted(Slow()))
    for _ in range(40):
        rig.push(clock=rig.clock.now)
    assert rig.line.record.row["command_seq"][0] >= 0
    rig.line.events.clear()
    while rig.line.record.step % 4 != 2:  # the next push fills a bin
        rig.push(clock=rig.clock.now)
    rig.line.pipeline.decoder.hang_s = 0.1
    rig.push(clock=rig.clock.now)
    assert not rig.line.record.applied.any()
    assert not rig.device.effector.velocity.any()
    (event,) = [e for e in rig.line.events if e.kind == "command.withheld"]
    assert event.data["ms"] >= 100.0
    rig.line.pipeline.decoder.hang_s = 0.0
    for _ in range(40):
        rig.push(clock=rig.clock.now)
    assert rig.device.effector.velocity.any()  # and it goes on


def test_time_that_does_not_pass_cannot_run_out():
    rig = Rig(decoder=fitted(Slow()))  # lock-step: no clock is given
    rig.line.pipeline.decoder.hang_s = 0.085
    for _ in range(8):
        rig.push()
    assert not [e for e in rig.line.events if e.kind == "command.withheld"]
