"""What lies before a node runs once: its results are fed to all that is tried behind it."""

from __future__ import annotations

from collections.abc import Iterable

from probes.accuracy.exact import Arrays, Exact
from probes.accuracy.study import Study

LIVE_BYTES = 256 << 20
"""Most memory for what is alive at the cut, of all inputs together."""


class Frontier:
    """Where the network is cut, and what is alive there for each input that ranks stages.

    It moves forward only. A shallow copy keeps its cut while the first one moves on.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.place = 0
        """The node before which the cut is."""
        self.live = study.pieces.live(0)
        """Names of the tensors that are alive there."""
        self._arrays: list[Arrays] | None = None
        """Of each ranking input; None at the start, where they are fed."""

    def arrays(self, number: int) -> Arrays:
        """What is alive for one ranking input."""
        if self._arrays is not None:
            return self._arrays[number]
        feeds = self.study.feeds(self.study.split.stages[number])
        return {name: feeds[name] for name in self.live}

    def advance(self, place: int) -> None:
        """Move the cut to this node, if what is alive there has room in memory."""
        pieces = self.study.pieces
        if place <= self.place:
            return
        live = pieces.live(place)
        size = pieces.bytes_of(live)
        count = len(self.study.split.stages)
        if not live or size is None or size * count > LIVE_BYTES or not pieces.can_be_fed(live):
            return
        computed = [name for name in live if name not in self.live]
        if computed:
            exact = Exact(pieces.between(self.place, self.live, computed), pieces.weights)
        each_before = [self.arrays(number) for number in range(count)]
        each_after: Iterable[Arrays] = [{}] * count
        if computed:
            each_after = exact.run_each(only(before, exact) for before in each_before)
        arrays = [
            {name: after.get(name, before.get(name)) for name in live}
            for before, after in zip(each_before, each_after, strict=True)
        ]
        self.place, self.live, self._arrays = place, live, arrays  # type: ignore[assignment]


def only(arrays: Arrays, exact: Exact) -> Arrays:
    """Of these arrays, those that a session must be fed."""
    return {name: arrays[name] for name in exact.inputs}
