"""Which inputs set ranges, which rank, and which judge: no input does two of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from probes.accuracy.inputs import Inputs
from probes.records.measurement import RidgelineError
from probes.records.precision import RANKING, TEST

USUAL = 16
"""Inputs that calibrate, and inputs that rank, unless more are asked for."""
FEW = 3 * USUAL
"""With fewer inputs than that, a third is for each."""
SEED = 19
CALIBRATION = "calibration"


@dataclass(frozen=True)
class Split:
    """Indices of inputs, each ascending."""

    calibration: tuple[int, ...]
    """They set the ranges."""
    ranking: tuple[int, ...]
    """They rank stages and recipes."""
    test: tuple[int, ...]
    """They judge the recipes."""
    facts: tuple[str, ...] = field(default=())
    """What a user should know of it, each a sentence."""

    def of(self, which: str) -> tuple[int, ...]:
        """Indices of ``calibration``, ``ranking`` or ``test``."""
        return {CALIBRATION: self.calibration, RANKING: self.ranking, TEST: self.test}[which]


def split(
    inputs: Inputs,
    calibration: int | None = None,
    ranking: int | None = None,
    test: int | None = None,
    seed: int = SEED,
) -> Split:
    """Share the inputs out, in a shuffled order that takes all classes in turn.

    A count of None is the usual one: 16 for calibration and for ranking, all others for the test;
    thirds of few. Raises RidgelineError if there are not enough.
    """
    groups = len(inputs)
    each = inputs.rows_each
    asked = (calibration, ranking, test)
    wanted = [None if count is None else max(1, -(-count // each)) for count in asked]
    counts = _counts(inputs, wanted)
    order = list(_order(inputs, seed))
    first, second = counts[0], counts[0] + counts[1]
    third = second + counts[2]
    facts = inputs.facts()
    if groups * each < FEW and not all(wanted):
        facts.append(
            f"{groups * each} inputs are few: {counts[0] * each} set ranges, {counts[1] * each} "
            f"rank and {counts[2] * each} judge; give {FEW} and more"
        )
    return Split(
        tuple(sorted(order[:first])),
        tuple(sorted(order[first:second])),
        tuple(sorted(order[second:third])),
        tuple(facts),
    )


def _counts(inputs: Inputs, wanted: Sequence[int | None]) -> tuple[int, int, int]:
    groups = len(inputs)
    if groups < 3:
        raise RidgelineError(
            f"{inputs.path} holds {groups * inputs.rows_each} inputs, taken {inputs.rows_each} at "
            "a time: calibration, ranking and test need one each, give more"
        )
    usual = -(-USUAL // inputs.rows_each)
    if groups < 3 * usual:
        usual = max(1, groups // 3)
    calibration = wanted[0] or usual
    ranking = wanted[1] or usual
    test = wanted[2] or groups - calibration - ranking
    if test < 1 or calibration + ranking + test > groups:
        asked = (calibration + ranking + max(test, 1)) * inputs.rows_each
        raise RidgelineError(
            f"{inputs.path} holds {inputs.rows} inputs, and {asked} are needed for calibration, "
            "ranking and test: give more inputs, or ask for fewer"
        )
    return calibration, ranking, test


def _order(inputs: Inputs, seed: int) -> Iterator[int]:
    """All indices, shuffled; with labels, so that any part of them has about their shares."""
    random = np.random.default_rng(seed)
    shuffled = [int(index) for index in random.permutation(len(inputs))]
    if not inputs.has_labels:
        yield from shuffled
        return
    of_class: dict[int, list[int]] = {}
    for index in shuffled:
        labels = inputs.label(index)
        first = int(labels[0]) if labels is not None and labels.size else -1
        of_class.setdefault(first, []).append(index)
    # each class is spread evenly over 0..1, from a start of its own
    places = []
    for members in of_class.values():
        start = random.random()
        places += [((place + start) / len(members), index) for place, index in enumerate(members)]
    yield from (index for _, index in sorted(places))
