"""What is cut out together: units of channels, united as operations tie them."""

from __future__ import annotations

import numpy as np

Labels = np.ndarray
"""The unit of each place along one axis of a tensor."""


class Units:
    """Disjoint sets of channels. A set is fixed once something needs all of it."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}

    @property
    def count(self) -> int:
        """How many units there are."""
        return len(self._parents)

    def fresh(self, count: int) -> Labels:
        """So many new units, each of its own set."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        return np.arange(first, first + count)

    def root(self, unit: int) -> int:
        """The unit that stands for the set of this one."""
        parents = self._parents
        while parents[unit] != unit:
            parents[unit] = parents[parents[unit]]
            unit = parents[unit]
        return unit

    def roots(self, labels: Labels) -> Labels:
        """The same for each place of an axis."""
        return np.array([self.root(unit) for unit in labels.tolist()], dtype=np.int64)

    def unite(self, labels: Labels, others: Labels) -> None:
        """Make the units of two axes go together, place by place."""
        for unit, other in zip(labels.tolist(), others.tolist(), strict=True):
            first, second = sorted((self.root(unit), self.root(other)))
            if first == second:
                continue
            self._parents[second] = first
            reason = self._reasons.pop(second, "")
            if reason:
                self._reasons.setdefault(first, reason)

    def fix(self, labels: Labels, reason: str) -> None:
        """Let none of these units go. The first reason is kept."""
        for unit in labels.tolist():
            self._reasons.setdefault(self.root(unit), reason)

    def reason(self, unit: int) -> str:
        """Why a unit must stay; empty if it can go."""
        return self._reasons.get(self.root(unit), "")
