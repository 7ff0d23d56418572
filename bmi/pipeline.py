"""Bundle in, intent out: stages per stream, then the decoder and, beside it, the click decoder.

Straight-line, synchronous, no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from bmi.contracts import ClickDecoder, Decoder, Params, Stage, State
from bmi.errors import ContractError
from bmi.params import Both
from bmi.signals import F64, AnyArray, Bundle, Chunk, Intent, IntentSpec, StreamSpec

COAST = 100
"""Lost bins beyond so many say nothing more to a click decoder."""


class Pipeline:
    """A chain of stages for each stream and one decoder behind them.

    Parameters
    ----------
    stages : mapping of stream name to stages
        Streams without stages go to the decoder as they are.
    decoder : Decoder
        Meets one feature stream for each source, primary first.
    click : ClickDecoder, optional
        Sees the very features the decoder saw, whenever it spoke; sets ``Intent.select``.
    without : collection of str, optional
        Streams the decoder does not meet, because they are there for something else; never the primary.

    Examples
    --------
    >>> pipeline = Pipeline({"m1": [Bin(bin_s=0.02)]}, Kalman())          # doctest: +SKIP
    >>> pipeline.bind([spec])                                             # doctest: +SKIP
    >>> intent = pipeline.step((chunk,))                                  # doctest: +SKIP
    """

    def __init__(
        self,
        stages: Mapping[str, Sequence[Stage]],
        decoder: Decoder,
        click: ClickDecoder | None = None,
        without: Collection[str] = (),
    ) -> None:
        self._without = frozenset(without)
        self._stages = {name: tuple(chain) for name, chain in stages.items()}
        self.decoder, self.click = decoder, click
        self._chains: tuple[tuple[Stage, ...], ...] = ()
        self._heard: tuple[int, ...] = ()
        self.features: tuple[StreamSpec, ...] = ()
        """What the decoder was bound to."""

    def meet(self, specs: Sequence[StreamSpec]) -> tuple[StreamSpec, ...]:
        """Bind the stages alone and return the feature streams, e.g. to fit the decoder to."""
        chains, features = [], []
        self._heard = tuple(i for i, spec in enumerate(specs) if spec.name not in self._without)
        for spec in (specs[i] for i in self._heard):
            chain = self._stages.get(spec.name, ())
            for i, stage in enumerate(chain):
                try:
                    spec = stage.bind(spec)
                except ContractError as e:
                    where = f"stage {i} ({type(stage).__name__}) of stream {spec.name!r}"
                    raise ContractError(f"{where}: {e}") from e
            chains.append(chain)
            features.append(spec)
        self._chains, self.features = tuple(chains), tuple(features)
        return self.features

    def bind(self, specs: Sequence[StreamSpec], *, cold_start: bool = False) -> IntentSpec:
        """Fix every shape for these streams, primary first; nothing is compiled or allocated later.

        With ``cold_start``, a decoder without parameters begins with ones that decode to rest and never click.
        """
        self.meet(specs)
        if cold_start and self.decoder.params_ is None:
            self.decoder.cold_start(self.features)
        spec = self.decoder.bind(self.features)
        if self.click is not None:
            if cold_start and self.click.params_ is None:
                self.click.cold_start(self.features)
            self.click.bind(self.features)
            n = sum(s.n_channels for s in self.features)
            self._y, self._nothing = np.zeros(n), np.full(n, np.nan)
        return spec

    @property
    def params_(self) -> Params:
        """Parameters of the decoder, or of both decoders; see ``adopt``."""
        return self.decoder.params_ if self.click is None else Both(self.decoder.params_, self.click.params_)

    def adopt(self, params: Params, version: int) -> None:
        """Take new parameters, shaped like ``params_``, between two steps."""
        if self.click is None:
            self.decoder.params_ = params
        else:
            self.decoder.params_, self.click.params_ = params
            self.click.params_version = version
        self.decoder.params_version = version

    def step(self, bundle: Bundle) -> Intent | None:
        """Decode one bundle; None while no feature is due.

        Realtime: called for every push (1 kHz); allocates one tuple.
        """
        if len(self._chains) == 1:
            chunk = bundle[0]
            for stage in self._chains[0]:
                if chunk is None:
                    return None
                chunk = stage.step(chunk)
            features: Bundle = (chunk,)
        else:
            features = tuple([self.run_stages(i, bundle[k]) for i, k in enumerate(self._heard)])
        intent = self.decoder.step(features)
        if self.click is not None and intent is not None:
            intent.select = self._select(self.click, features[0])
        return intent

    def _select(self, click: ClickDecoder, chunk: Chunk | None) -> float:
        """Return the probability of a click after every bin the decoder has just taken in."""
        y: F64 = self.decoder.y_
        if chunk is not None:
            for _ in range(min(chunk.n_lost_before, COAST)):
                click.step(self._nothing)
            for row in chunk.data[:-1]:
                self._y[:] = y
                self._y[: len(row)] = row
                click.step(self._y)
        return click.step(y)

    def run_stages(self, i: int, chunk: Chunk | None) -> Chunk | None:
        """Take a chunk of stream ``i`` through its stages: the features the decoder gets, or None."""
        for stage in self._chains[i]:
            if chunk is None:
                return None
            chunk = stage.step(chunk)
        return chunk

    def state(self) -> State:
        """Return every array that stages and decoders mutate."""
        stages = [a for chain in self._chains for stage in chain for a in stage.state()]
        return (*stages, *self.decoder.state(), *(() if self.click is None else self.click.state()))

    def reset(self) -> None:
        """Forget state, keep parameters."""
        for chain in self._chains:
            for stage in chain:
                stage.reset()
        self.decoder.reset()
        if self.click is not None:
            self.click.reset()


def pack_into(state: State, out: AnyArray) -> None:
    """Copy state arrays into a byte array, (n,) uint8, in their fixed order: a snapshot."""
    at = 0
    for a in state:
        out[at : at + a.nbytes] = a.reshape(-1).view(np.uint8)
        at += a.nbytes


def unpack(state: State, snapshot: AnyArray) -> None:
    """Write a snapshot, (n,) uint8, back into the same arrays, in place. Raises ContractError if sizes differ."""
    size = sum(a.nbytes for a in state)
    if max(size, 1) != snapshot.size:
        raise ContractError(f"snapshot has {snapshot.size} bytes, the state here {size}: it is of another recipe")
    at = 0
    for a in state:
        a[...] = snapshot[at : at + a.nbytes].view(a.dtype).reshape(a.shape)
        at += a.nbytes
