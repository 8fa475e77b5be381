"""Which inputs set ranges, which rank, and which judge: no input does two of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from probes.accuracy.inputs import Inputs
from probes.records.measurement import RidgelineError
from probes.records.precision import RANKING, TEST

USUAL = 16
"""Inputs that calibrate, and inputs that find the errors of stages, unless more are asked for."""
FEW = 3 * USUAL
"""With fewer inputs than that, a third is for each."""
RANKING_SHARE = 4
"""One in so many of the inputs that are left after calibration ranks recipes; the others test."""
SEED = 19
CALIBRATION = "calibration"


@dataclass(frozen=True)
class Split:
    """Indices of inputs, each ascending."""

    calibration: tuple[int, ...]
    """They set the ranges."""
    ranking: tuple[int, ...]
    """They rank recipes and calibration methods."""
    test: tuple[int, ...]
    """They judge the recipes."""
    stages: tuple[int, ...]
    """They find the errors of stages, of which there are many: some of those that rank."""
    facts: tuple[str, ...] = field(default=())
    """What a user should know of it, each a sentence."""

    def of(self, which: str) -> tuple[int, ...]:
        """Indices of ``calibration``, ``ranking`` or ``test``."""
        return {CALIBRATION: self.calibration, RANKING: self.ranking, TEST: self.test}[which]


def split(
    inputs: Inputs,
    calibration: int | None = None,
    stages: int | None = None,
    most_tests: int | None = None,
    seed: int = SEED,
) -> Split:
    """Share the inputs out, in a shuffled order that takes all classes in turn.

    calibration, stages: how many set ranges, and find the errors of stages (16; a third of few). Of
    all others a quarter, and those of the stages, rank; the rest is the test. most_tests: the most
    that test; a quarter of it is the most that rank, unless the stages have more. Raises
    RidgelineError if there are not enough.
    """
    each = inputs.rows_each
    wanted = [_in_groups(count, each) for count in (calibration, stages)]
    counts = _counts(inputs, wanted)
    most = _in_groups(most_tests, each) or len(inputs)
    rest = len(inputs) - counts[0]
    ranking = max(counts[1], min(rest // RANKING_SHARE, most // RANKING_SHARE))
    test = min(rest - ranking, most)
    order = list(_order(inputs, seed))
    first, second = counts[0], counts[0] + ranking
    facts = inputs.facts()
    if len(inputs) * each < FEW:
        facts.append(
            f"{len(inputs) * each} inputs are few: {counts[0] * each} set ranges, "
            f"{ranking * each} rank and {test * each} test; give {FEW} and more"
        )
    left = (rest - ranking - test) * each
    if left:
        facts.append(
            f"{test * each} inputs test the plan, since the network is large; --test "
            f"{(test * each) + left} takes {left} more"
        )
    return Split(
        calibration=tuple(sorted(order[:first])),
        ranking=tuple(sorted(order[first:second])),
        test=tuple(sorted(order[second : second + test])),
        stages=tuple(sorted(order[first : first + counts[1]])),
        facts=tuple(facts),
    )


def _in_groups(count: int | None, each: int) -> int | None:
    """So many inputs in groups of the network's batch, at least one; None stays None."""
    return None if count is None else max(1, -(-count // each))


def _counts(inputs: Inputs, wanted: Sequence[int | None]) -> tuple[int, int]:
    """How many groups calibrate, and how many find the errors of stages."""
    groups, each = len(inputs), inputs.rows_each
    if groups < 3:
        raise RidgelineError(
            f"{inputs.path} has too few inputs ({groups * each}, and {each} fed at a time): "
            "calibration, ranking and test need one each, give more"
        )
    usual = -(-USUAL // each)
    if groups < 3 * usual:
        usual = max(1, groups // 3)
    calibration = wanted[0] or usual
    stages = wanted[1] or usual
    if calibration + stages >= groups:
        asked = (calibration + stages + 1) * each
        raise RidgelineError(
            f"{inputs.path} holds {inputs.rows} inputs, and {asked} are needed for calibration, "
            "ranking and test: give more inputs, or ask for fewer"
        )
    return calibration, stages


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
