"""A recording becomes a live stream: every bin, in order, at the pace asked for, once somebody listens."""

import io
import threading

import numpy as np
from rich.console import Console

from bmi.clock import LSLClock
from bmi.lsl.inlet import LSLSource
from bmi.player import play

BINS, SPEED = 60, 2.0


def test_every_bin_arrives_in_order_at_the_pace_asked_for(tmp_path):
    counts = np.random.default_rng(0).poisson(2.0, (BINS, 7)).astype(np.float32)
    np.savez(tmp_path / "day1.npz", counts=counts, kinematics=np.zeros((BINS, 2)), bin_s=0.02)
    said, sent = io.StringIO(), []
    player = threading.Thread(target=lambda: sent.append(play(tmp_path / "day1.npz", SPEED, Console(file=said))))
    player.start()
    rows, arrivals = [], []
    with LSLSource(name="day1", unit="count") as source:
        assert source.spec.rate_hz == SPEED / 0.02
        end = LSLClock().now() + 10.0
        while len(rows) < BINS and LSLClock().now() < end:
            chunk = source.read(0.1)
            if chunk is not None:
                rows.extend(chunk.data.copy())
                arrivals.extend([chunk.t_arrival] * len(chunk))
        assert source.n_lost == 0
    player.join()
    assert sent == [BINS]
    assert "'day1'" in said.getvalue()
    np.testing.assert_array_equal(np.array(rows), counts[-len(rows) :])
    assert len(rows) >= BINS - 5, "what was pushed while the first reader connected may be missed, no more"
    pace = (arrivals[-1] - arrivals[0]) / (len(rows) - 1)
    assert 0.8 < pace / (0.02 / SPEED) < 1.2
