"""What zeros in the weights of a network do to its answers, layer by layer and for the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import one_line
from kernels.sparsity import patterns
from kernels.sparsity.layers import Weights, replaced, weights_of
from kernels.sparsity.patterns import TWO_OF_FOUR, Trial
from probes.accuracy.exact import Arrays, Exact
from probes.accuracy.frontier import Frontier, only
from probes.accuracy.metrics import Comparison, Votes
from probes.accuracy.study import OnStep, Study, no_step
from probes.records.measurement import FAILED, SKIPPED, RidgelineError
from probes.records.patterns import PATTERNS_SCHEMA, PatternRow

if TYPE_CHECKING:
    from onnx import ModelProto

    from kernels.precision.stages import Stage

OWN_INPUTS = 4
"""Inputs on which the error at a layer's own output is found: each has thousands of numbers."""
FARTHEST_SHARE = 0.1
"""How far the share of zeros may be from the one that was asked: a layer of two blocks has no tenth
of one."""


def layers(study: Study) -> list[Weights]:
    """The layers of a study's network whose weights can become zero."""
    return weights_of(study.model, study.stages)


def pattern_rows(
    study: Study, trials: Sequence[Trial], on_step: OnStep = no_step
) -> Iterator[PatternRow]:
    """A row of each layer with each of these patterns, in the network's order."""
    ordered = sorted(layers(study), key=lambda layer: study.pieces.place(layer.stage.nodes))
    total = len(ordered) * len(trials)
    finished = 0
    study.expect(study.split.stages)
    frontier = Frontier(study)
    for layer in ordered:
        frontier.advance(study.pieces.place(layer.stage.nodes)[0])
        runs = None
        for trial in trials:
            on_step(finished, total, f"{layer.name} {trial.name}")
            finished += 1
            row = _unknown_yet(study, layer, trial)
            if layer.problem:
                yield replace(row, status=SKIPPED, reason=layer.problem)
                continue
            try:
                runs = runs or _LayerRuns(study, layer, frontier)
                yield runs.row(row, trial)
            except RidgelineError as error:
                yield replace(row, status=FAILED, reason=one_line(error))
    on_step(total, total, "")


def masked_model(model: ModelProto, stages: Sequence[Stage], trial: Trial) -> Any:
    """The whole network with zeros in all layers that can have this pattern."""
    arrays = {}
    for layer in weights_of(model, stages):
        kept = None if layer.problem else patterns.mask(layer.numbers, trial)
        if kept is not None and not _misfit(kept, trial):
            arrays[layer.tensor] = layer.masked(kept)
    return replaced(model, arrays)


def _unknown_yet(study: Study, layer: Weights, trial: Trial) -> PatternRow:
    """The row of a layer before anything was found."""
    rows, places, columns = layer.numbers.shape
    stage = layer.stage
    return PatternRow(
        schema_version=PATTERNS_SCHEMA,
        network=study.network,
        layer=layer.name,
        op=stage.op,
        rows=rows,
        columns=places * columns,
        in_channels=columns,
        groups=layer.groups,
        read_elements=sum(stage.elements[name] for name in stage.reads),
        written_elements=stage.elements[stage.writes],
        flops=stage.flops,
        l1=float(np.abs(layer.numbers).sum(dtype=np.float64)),
        pattern=trial.pattern.name,
        share_asked=trial.share,
        block=trial.pattern.rows * trial.pattern.columns,
    )


def _misfit(kept: np.ndarray, trial: Trial) -> str:
    """Why a mask is not what was asked for; empty if it is."""
    if trial.pattern.in_groups and kept.shape[2] < patterns.GROUP:
        return f"it reads {kept.shape[2]} input channels, which are no group of {patterns.GROUP}"
    zeros = patterns.share_of_zeros(kept)
    if zeros < 1 and abs(zeros - trial.share) <= FARTHEST_SHARE:
        return ""
    return (
        f"it is too small for {trial.name}: whole blocks make {100 * zeros:.0f} % of its weights "
        "zero"
    )


class _LayerRuns:
    """Runs of one layer, and of all that lies behind it, with zeros in its weights."""

    def __init__(self, study: Study, layer: Weights, frontier: Frontier) -> None:
        self.study = study
        self.layer = layer
        self.frontier = frontier
        pieces = study.pieces
        stage = layer.stage
        self.inputs = range(min(OWN_INPUTS, len(study.split.stages)))
        """Places of the inputs on which its own error is found."""
        self._read = [self._activations(frontier.arrays(place)) for place in self.inputs]
        start = pieces.place(stage.nodes)[0]
        self._own = pieces.between(start, stage.reads, [stage.writes], stage.nodes)
        exact = Exact(self._own, pieces.weights)
        self._true = [exact.run(only(read, exact)) for read in self._read]

    def _activations(self, live: Arrays) -> Arrays:
        """What the layer reads for one input, by name. live: what is alive at the cut."""
        pieces, frontier = self.study.pieces, self.frontier
        computed = [name for name in self.layer.stage.reads if name not in live]
        activations = {name: live[name] for name in self.layer.stage.reads if name in live}
        if computed:
            part = pieces.between(frontier.place, frontier.live, computed)
            before = Exact(part, pieces.weights)
            activations.update(before.run(only(live, before)))
        return activations

    def row(self, row: PatternRow, trial: Trial) -> PatternRow:
        """The row with what is found. Raises RidgelineError if the layer cannot be run."""
        layer = self.layer
        kept = patterns.mask(layer.numbers, trial)
        found = patterns.counts(kept, trial.pattern)
        row = replace(
            row,
            zeros=patterns.share_of_zeros(kept),
            l1_kept=patterns.l1_kept(layer.numbers, kept),
            values=found.values,
            blocks=found.blocks,
            block_rows=found.block_rows,
            block_values=found.block_values,
        )
        if reason := _misfit(kept, trial):
            return replace(row, status=SKIPPED, reason=reason)
        masked = {layer.tensor: layer.masked(kept)}
        return replace(
            row,
            inputs=len(self.inputs) * self.study.inputs.rows_each,
            own_sqnr_db=self._own_sqnr(masked),
            sqnr_db=self._sqnr(masked) if trial.pattern == TWO_OF_FOUR else None,
        )

    def _own_sqnr(self, masked: Mapping[str, np.ndarray]) -> float | None:
        """Signal-to-noise ratio at the layer's own output."""
        comparison = Comparison()
        exact = _with_weights(self._own, masked, self.study.pieces.weights)
        each_actual = exact.run_each(only(read, exact) for read in self._read)
        output = self.layer.stage.writes
        for true, actual in zip(self._true, each_actual, strict=True):
            comparison.add(true[output], actual[output])
        return comparison.sqnr_db()

    def _sqnr(self, masked: Mapping[str, np.ndarray]) -> float | None:
        """Signal-to-noise ratio at the network's outputs."""
        study, frontier = self.study, self.frontier
        pieces = study.pieces
        outputs = pieces.behind(frontier.place)
        part = pieces.between(frontier.place, frontier.live, outputs, self.layer.stage.nodes)
        exact = _with_weights(part, masked, pieces.weights)
        indices = study.split.stages
        each_live = (only(frontier.arrays(place), exact) for place in range(len(indices)))
        comparison, votes = Comparison(), Votes()
        for index, actual in zip(indices, exact.run_each(each_live), strict=True):
            study.compare(index, actual, comparison, votes)
        return comparison.sqnr_db()


def _with_weights(
    part: ModelProto, masked: Mapping[str, np.ndarray], weights: Mapping[str, Any]
) -> Exact:
    """A session of a part of a network with these weights in place of its own."""
    return Exact(replaced(part, masked), weights)
