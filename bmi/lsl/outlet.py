"""Outlet: our side of a stream, with numbered samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmi.errors import ContractError, StreamError
from bmi.lsl import _clib
from bmi.lsl.info import to_info
from bmi.signals import F32, SEQ_MODULO, StreamSpec


class Outlet:
    """Publish a stream whose losses can be counted exactly.

    One channel more than ``spec`` says is sent: the number of each sample modulo 2**24, exact in float32.
    A receiver that finds a hole in the numbers knows how many samples are missing, whatever its buffer did.

    Parameters
    ----------
    spec : StreamSpec
        Name, type, channels, rate (Hz), unit and labels. An empty ``source_id`` becomes
        ``bmi:<type>:<name>``: without one liblsl cannot reconnect.
    samples_per_push : int
        Samples that travel together; told to the receiver, who pulls exactly as many.
    sync : bool
        Write to the sockets in ``push`` itself: 0.1 ms less at 96 channels and 1 kHz. But a receiver that stops
        reading blocks the sender once the socket buffers are full, for 15 s and more (liblsl 1.18). False hands over
        to a thread, which drops the oldest for whoever is slow: for every sender that must not stop.
    buffer_s : float
        What is kept for a slow receiver, s (1000 samples a second if irregular).

    units : tuple of str
        Unit of each channel where they differ; otherwise all carry ``spec.unit``.

    Notes
    -----
    *Realtime*: ``push`` allocates nothing beyond small integers; 2 µs on top of liblsl for 256 channels.
    Push from one thread only.
    """

    def __init__(
        self,
        spec: StreamSpec,
        samples_per_push: int = 1,
        sync: bool = True,
        *,
        buffer_s: float = 10.0,
        units: tuple[str, ...] = (),
    ) -> None:
        if samples_per_push < 1:
            raise ContractError(
                f"outlet {spec.name!r}: samples_per_push must be >= 1, got {samples_per_push}"
            )
        if spec.labels and len(spec.labels) != spec.n_channels:
            raise ContractError(
                f"outlet {spec.name!r}: {len(spec.labels)} labels for {spec.n_channels} channels"
            )
        self.spec = replace(spec, has_seq=True, max_samples=samples_per_push)
        self.samples_per_push = samples_per_push
        self.n_pushed = 0
        """Samples pushed so far, which is also the number of the next one."""
        self._info = to_info(spec, samples_per_push, units)
        self._buffer = np.zeros((samples_per_push, spec.n_channels + 1), np.float32)
        self._data, self._seq = self._buffer[:, :-1], self._buffer[:, -1]
        self._ramp = np.arange(samples_per_push, dtype=np.int64)
        self._numbers = np.zeros(samples_per_push, np.int64)
        self._address, self._n_values = self._buffer.ctypes.data, self._buffer.size
        flags = _clib.BUFFER_IN_SAMPLES
        if sync and _clib.library_version() >= 118:
            flags |= _clib.SYNC_BLOCKING
        n_buffer = max(4 * samples_per_push, int(buffer_s * (spec.rate_hz or 1000.0)))
        self._handle: int | None = _clib.create_outlet(self._info.obj, 0, n_buffer, flags)
        if not self._handle:
            raise StreamError(
                f"outlet {spec.name!r}: liblsl could not create it; are the ports of its range taken, "
                "or is networking off? (LSLAPICFG names the configuration in use)"
            )

    def push(self, data: F32, t_last: float) -> None:
        """Send samples.

        Parameters
        ----------
        data : (n_samples, n_channels) float32
            In the unit of the spec; ``n_samples`` a multiple of ``samples_per_push``.
        t_last : float
            Time of the newest sample, s, LSL clock. The others follow from the rate.
        """
        size = self.samples_per_push
        if len(data) == size:
            self._push(data, t_last)
            return
        if len(data) % size:
            raise ContractError(
                f"outlet {self.spec.name!r}: push takes multiples of {size} samples, got {len(data)}; "
                "a shorter push would leave its receivers waiting for the rest"
            )
        period_s = 1.0 / self.spec.rate_hz if self.spec.rate_hz else 0.0
        for start in range(0, len(data), size):
            stop = start + size
            self._push(data[start:stop], t_last - (len(data) - stop) * period_s)

    def _push(self, data: F32, t_last: float) -> None:
        if self._handle is None:
            raise StreamError(f"outlet {self.spec.name!r}: push() after close()")
        n = self.n_pushed
        self._data[...] = data
        if self.samples_per_push == 1:
            self._seq[0] = n % SEQ_MODULO
        else:
            np.add(self._ramp, n, out=self._numbers)
            np.bitwise_and(self._numbers, SEQ_MODULO - 1, out=self._numbers)
            self._seq[...] = self._numbers
        if _clib.push_chunk(self._handle, self._address, self._n_values, t_last, 1):
            raise StreamError(f"outlet {self.spec.name!r}: liblsl refused a push")
        self.n_pushed = n + self.samples_per_push

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Return True once somebody listens, False after ``timeout_s``."""
        return self._handle is not None and bool(_clib.wait_for_consumers(self._handle, timeout_s))

    def close(self) -> None:
        """Leave the network; idempotent."""
        handle, self._handle = self._handle, None
        if handle:
            _clib.destroy_outlet(handle)

    def __enter__(self) -> Outlet:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
