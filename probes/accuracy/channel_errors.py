"""What the answers of a network lose where one group of channels alone is smaller."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

from kernels.base import Unavailable, one_line
from kernels.onnx.protos import copy_of
from kernels.pruning.cut import cut
from kernels.pruning.groups import L1, Channels, Fixed, Group
from probes.accuracy.exact import Exact, add_outputs
from probes.accuracy.metrics import Comparison, Votes
from probes.accuracy.study import OnStep, Study, columns_of, no_step
from probes.records.channels import ChannelRow, rounded
from probes.records.measurement import FAILED, SKIPPED, RidgelineError
from probes.records.precision import PLAN_SCHEMA, RANKING

if TYPE_CHECKING:
    from onnx import ModelProto

SHARES_KEPT = (0.875, 0.75, 0.5)
"""Of a group's channels that are left, rounded to multiples."""
MULTIPLE = 8
"""Numbers of channels that matrix units in FP16, and vectors of a CPU in FP32, are filled by."""
SECONDS = 45.0
"""About what all runs of smaller networks may take: of a large network fewer inputs are run."""
LEAST_INPUTS = 4
TOO_FEW = "it has no more than 8 channels, which one vector holds"
"""Why a group is not cut."""


@dataclass(frozen=True)
class Smaller:
    """A network of which one group of channels was cut."""

    row: ChannelRow
    """What is known of it."""
    model: Any
    """The ModelProto; None where the group was not cut."""
    is_timed: bool = False
    """True of the smallest size of each group: what others take lies between."""


def smaller_networks(
    study: Study, channels: Channels, on_step: OnStep = no_step
) -> Iterator[Smaller]:
    """Every group cut alone to several sizes, with its error, in the network's order.

    Layers that can lose none come last, each with a skipped row.
    """
    before = weights_of(channels.model)
    trials: list[tuple[Group, int]] = []
    too_few: list[Group] = []
    for group in channels.groups:
        sizes = trial_sizes(group)
        trials += [(group, kept) for kept in sizes]
        if not sizes:
            too_few.append(group)
    indices = _inputs(study, len(trials))
    study.expect(indices)
    for done, (group, kept) in enumerate(trials):
        on_step(done, len(trials), f"{group.name} {kept}")
        model = cut(channels, {group.name: kept})
        row = _row(study, group, kept, model, before, indices)
        yield Smaller(row, model, is_timed=kept == trial_sizes(group)[-1])
    on_step(len(trials), len(trials), "")
    for group in too_few:
        row = _unknown_yet(study, group, group.channels)
        yield Smaller(replace(row, status=SKIPPED, reason=TOO_FEW), None)
    for fixed in channels.fixed:
        yield Smaller(_of_fixed(study, fixed), None)


def _inputs(study: Study, networks: int) -> tuple[int, ...]:
    """The inputs on which so many smaller networks are run."""
    able = int(SECONDS / max(1e-9, study.trial.runs(networks)))
    return study.split.stages[: max(LEAST_INPUTS, able)]


def trial_sizes(group: Group) -> list[int]:
    """Numbers of channels that are left in turn, the most first."""
    total = group.channels
    sizes = [rounded(share * total, total, group.width, MULTIPLE) for share in SHARES_KEPT]
    return [kept for kept in dict.fromkeys(sizes) if kept < group.channels]


def weights_of(model: ModelProto) -> dict[str, int]:
    """Elements of the stored tensors that each node reads as weights, by the node's name.

    Nodes without weights of two axes are left out.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    weights = {}
    for node in model.graph.node:
        stored = [shapes[name] for name in node.input if len(shapes.get(name, ())) > 1]
        if stored:
            weights[node.name] = max(prod(shape) for shape in stored)
    return weights


def _unknown_yet(study: Study, group: Group, kept: int) -> ChannelRow:
    """The row of a group before anything was found."""
    return ChannelRow(
        schema_version=PLAN_SCHEMA,
        network=study.network,
        stage=group.name,
        group=group.name,
        layers=json.dumps(group.layers),
        readers=json.dumps(group.readers),
        channels=group.channels,
        width=group.width,
        dead=group.dead(),
        kept=kept,
        ranked_by=L1,
        inputs_of=RANKING,
    )


def _of_fixed(study: Study, fixed: Fixed) -> ChannelRow:
    """The row of a layer that can lose none of its channels."""
    return ChannelRow(
        schema_version=PLAN_SCHEMA,
        network=study.network,
        stage=fixed.layer,
        group=fixed.layer,
        layers=json.dumps([fixed.layer]),
        readers="[]",
        channels=fixed.channels,
        kept=fixed.channels,
        status=SKIPPED,
        reason=fixed.reason,
    )


def _row(
    study: Study,
    group: Group,
    kept: int,
    model: ModelProto,
    before: Mapping[str, int],
    indices: Sequence[int],
) -> ChannelRow:
    """The row of a group that keeps so many channels in this network, on these inputs."""
    scores = group.scores[L1]
    total = float(scores.sum())
    order = group.order()
    left = order[len(order) - kept // group.width :]
    shares = {}
    for name, elements in weights_of(model).items():
        if elements < before.get(name, 0):
            shares[name] = round(elements / before[name], 6)
    row = replace(
        _unknown_yet(study, group, kept),
        inputs=len(indices) * study.inputs.rows_each,
        l1_kept=float(scores[left].sum()) / total if total else None,
        weights_left=json.dumps(shares),
    )
    comparison, votes = Comparison(), Votes()
    try:
        observed = copy_of(model)
        add_outputs(observed, study.scores)
        each_actual = Exact(observed).run_each(map(study.feeds, indices))
        for index, actual in zip(indices, each_actual, strict=True):
            study.compare(index, actual, comparison, votes)
    except (RidgelineError, Unavailable) as error:
        return replace(row, status=FAILED, reason=one_line(error))
    return replace(row, **columns_of(comparison, votes))
