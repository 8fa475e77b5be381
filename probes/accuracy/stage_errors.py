"""What each stage of a network does to its answers, alone in lower precision."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from kernels.base import KernelError, Unavailable, one_line
from kernels.precision.apply import applied
from kernels.processors import processors
from probes.accuracy.ahead import ahead
from probes.accuracy.exact import Exact, add_outputs
from probes.accuracy.frontier import Frontier, only
from probes.accuracy.metrics import Comparison, Votes
from probes.accuracy.study import (
    INTEGER_PRECISIONS,
    OnStep,
    Ranges,
    Study,
    columns_of,
    no_step,
)
from probes.records.measurement import FAILED, SKIPPED, RidgelineError
from probes.records.precision import PLAN_SCHEMA, RANKING, ErrorRow

if TYPE_CHECKING:
    from kernels.precision.stages import Stage

STAGE_SECONDS, RUN_SECONDS = 0.025, 0.0005
"""What each stage in a precision, and each run of it, takes beside the runtime: as it was seen with
networks of 0.6 and 100 MB."""
PART_OF_START = 0.25
"""Share of the time to make a session of the network that one of its parts takes: it is about half
of the network, and shares its weights."""
MOST_STAGE_LANES = 4
PROCESSORS_OF_A_STAGE = 4
"""So many processors for each stage whose error is found at the same time: making its sessions and
comparing its answers keeps one busy, and each takes the memory of what it is fed."""


def stage_errors(
    study: Study,
    precisions: Sequence[str],
    method: str,
    ranges: Ranges,
    done: Iterable[ErrorRow] = (),
    on_step: OnStep = no_step,
) -> Iterator[ErrorRow]:
    """A row of each stage alone in each of these precisions that it can have.

    A stage that passes numbers on has no error of its own, and no row. done: rows that are there
    already, which are not made again.
    """
    present = {_key(row) for row in done if row.stage and row.status != FAILED}
    todo = []
    for stage in study.stages:
        rows = [_unknown_yet(study, stage, precision, method) for precision in precisions]
        rows = [
            row for row in rows if row.precision in stage.precisions and _key(row) not in present
        ]
        if rows and not stage.passes:
            todo.append((stage, rows))
    todo.sort(key=lambda entry: study.pieces.place(entry[0].nodes))
    total = sum(len(rows) for _, rows in todo)
    finished = 0
    study.expect(study.split.stages)
    at_once = stage_lanes()
    pool = ThreadPoolExecutor(at_once)
    try:
        for row, found in ahead(_started(study, todo, ranges, pool), at_once - 1):
            on_step(finished, total, f"{row.stage} in {row.precision}")
            yield found.result()
            finished += 1
    finally:
        pool.shutdown(cancel_futures=True)
    on_step(finished, total, "")


def stage_lanes() -> int:
    """For how many stages the error is found at the same time."""
    return min(MOST_STAGE_LANES, max(1, processors() // PROCESSORS_OF_A_STAGE))


def _started(
    study: Study,
    todo: Iterable[tuple[Stage, Sequence[ErrorRow]]],
    ranges: Ranges,
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[ErrorRow, Future[ErrorRow]]]:
    """Each row before anything was found, and what the pool finds of it.

    todo: stages in the network's order with their rows.
    """
    frontier = Frontier(study)
    for stage, rows in todo:
        frontier.advance(study.pieces.place(stage.nodes)[0])
        # rows that still run keep their cut, while the next one moves on
        runs = _StageRuns(study, stage, copy.copy(frontier))
        for row in rows:
            yield row, pool.submit(runs.row, row, ranges)


def _unknown_yet(study: Study, stage: Stage, precision: str, method: str) -> ErrorRow:
    """The row of a stage, before anything was found."""
    has_ranges = precision in INTEGER_PRECISIONS
    return ErrorRow(
        schema_version=PLAN_SCHEMA,
        network=study.network,
        stage=stage.name,
        precision=precision,
        method=method if has_ranges else "",
        granularity=study.granularity if has_ranges and stage.weights else "",
        inputs_of=RANKING,
        inputs=len(study.split.stages) * study.inputs.rows_each,
    )


def _key(row: ErrorRow) -> tuple[str, ...]:
    return row.stage, row.precision, row.method, row.granularity, row.inputs_of


def expected_seconds(study: Study, precisions: Sequence[str]) -> float:
    """About how long ``stage_errors`` takes, as the trial run tells."""
    todo = [
        (stage, sum(precision in stage.precisions for precision in precisions))
        for stage in study.stages
        if not stage.passes
    ]
    counts = sum(count for _, count in todo)
    flops = [stage.flops or 0.0 for stage, _ in todo]
    total = sum(flops) or 1.0
    runs, before = 0.0, 0.0
    for (_, count), work in zip(todo, flops, strict=True):
        # what lies before the stage is not run again
        runs += count * (1 - before / total)
        before += work
    inputs = len(study.split.stages)
    making = counts * (STAGE_SECONDS + PART_OF_START * study.trial.start) / stage_lanes()
    comparing = counts * inputs * RUN_SECONDS
    passes_in_fp32 = 2
    return making + comparing + study.trial.runs((passes_in_fp32 + runs) * inputs)


class _StageRuns:
    """Runs of the part of a network behind a cut, with one stage of it in lower precision."""

    def __init__(self, study: Study, stage: Stage, frontier: Frontier) -> None:
        self.study = study
        self.stage = stage
        self.frontier = frontier
        pieces = study.pieces
        outputs = pieces.behind(frontier.place)
        self._part = pieces.between(frontier.place, frontier.live, outputs, stage.nodes)
        self._own = Exact(
            pieces.between(frontier.place, frontier.live, [stage.writes]), pieces.weights
        )

    def row(self, row: ErrorRow, ranges: Ranges) -> ErrorRow:
        """The row with what is found in its precision."""
        study, stage = self.study, self.stage
        try:
            model = applied(
                self._part,
                [stage],
                {stage.name: row.precision},
                ranges,
                form=study.form,
                granularity=study.granularity,
            )
            add_outputs(model, [stage.writes])
            exact = Exact(model, study.pieces.weights)
            own, comparison, votes = Comparison(), Comparison(), Votes()
            indices = study.split.stages
            each_live = [self.frontier.arrays(number) for number in range(len(indices))]
            each_actual = exact.run_each(only(live, exact) for live in each_live)
            each_true = self._own.run_each(only(live, self._own) for live in each_live)
            for index, actual, true in zip(indices, each_actual, each_true, strict=True):
                own.add(true[stage.writes], actual[stage.writes])
                study.compare(index, actual, comparison, votes)
        except Unavailable as error:
            return replace(row, status=SKIPPED, reason=one_line(error))
        except (RidgelineError, KernelError) as error:
            return replace(row, status=FAILED, reason=one_line(error))
        columns = columns_of(comparison, votes)
        return replace(row, own_sqnr_db=own.sqnr_db(), own_cosine=own.cosine(), **columns)
