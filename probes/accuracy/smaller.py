"""Layers with fewer channels, each alone: what the time of a smaller network follows from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kernels.base import Unavailable
from kernels.device import Device
from kernels.onnx import cut
from kernels.onnx.graph import Graph, Node, OnnxError, graph_of
from kernels.onnx.work import work_of
from kernels.precision.units import Unit, units
from kernels.runtime.inputs import Chosen
from kernels.runtime.kernel import TimedLayer
from probes.harness.case import Case, Probe
from probes.records.channels import AMONG, LAYERS, NETWORK, ChannelRow
from probes.records.tag import SMALLER, Tag

QUESTION = "How long does each layer take with fewer channels?"
WHOLE = ""
"""Group of the layers that are as trained."""
TURNS = 5
"""How often the whole is timed in each round: it counts for as much as all layers, and of five
the extremes may be left out."""


@dataclass
class Layers:
    """Layers of one network, as trained and with fewer channels; equal ones are timed once."""

    network: str
    """Name of the network."""
    chosen: Chosen
    """What its inputs are fed."""
    seconds: float
    """The longest that one may take to start."""
    whole: TimedLayer
    """The network as trained, to be timed beside its layers: what it takes more or less than they
    do alone is then of one time and speed of the machine."""
    ran: Mapping[str, int] = field(default_factory=dict)
    """How often each operation ran in the whole network, by the runtime's name; empty if unknown.
    Layers whose operation never did are parts of others there: an activation is timed with the
    layer before it, and others are not timed."""
    small: frozenset[str] = frozenset()
    """Layers whose time hardly counts: those without weights are not timed, and none of them as it
    is by a recipe."""
    makes_quickly: bool = True
    """True if a session takes little to make. On a GPU it takes a second: there the whole has one
    turn a round, layers without weights none, and no layer is timed as it is by a recipe."""
    among: str = ""
    """Name of what is timed together; empty for the layers as trained and what is beside them."""
    _graphs: dict[str, tuple[Graph, Unit]] = field(default_factory=dict)
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _trained: dict[str, str] = field(default_factory=dict)
    """The key of each layer as trained, by its name."""
    _running: set[str] = field(default_factory=set)
    """Names of all layers as trained that run by themselves, timed or not."""

    def add_trained(self, model: Any) -> None:
        """Ask for all layers of the network as it is. model: is changed."""
        graph = graph_of(model)
        for unit in self._layers(graph):
            self._running.add(unit.node.name)
            is_small = unit.node.name in self.small or not self.makes_quickly
            if is_small and not _has_weights(unit.node):
                continue
            key = self._add(graph, unit, {"group": WHOLE, "kept": 0})
            self._trained[unit.node.name] = key

    def add_group(self, model: Any, row: ChannelRow) -> None:
        """Ask for the layers whose weights shrink with one group. model: is changed. row: of it."""
        graph = graph_of(model)
        for unit in self._layers(graph):
            if unit.node.name in row.share_of_weights:
                self._add(graph, unit, {"group": row.group, "kept": row.kept})

    def add_recipe(self, model: Any, name: str) -> None:
        """Ask for the layers of a smaller network that differ from those as trained.

        ``add_trained`` must have been called. model: is changed. name: of the recipe.
        """
        if not self.makes_quickly:
            return
        graph = graph_of(model)
        for unit in self._layers(graph):
            if unit.node.name in self.small:
                continue
            trained = self._trained.get(unit.node.name)
            if trained is not None and cut.key_of(graph, *unit.nodes) != trained:
                self._add(graph, unit, {"recipe": name})

    def further(self, among: str) -> Layers:
        """What more recipes can be added to; empty at first. among: a name of its own."""
        return replace(self, among=among, _graphs={}, _rows={})

    def _layers(self, graph: Graph) -> Iterator[Unit]:
        """The layers that are timed, each with the activation that the runtime makes part of it.

        One kernel may do that for nothing, and another in a further pass.
        """
        readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(tensor.name for tensor in node.inputs if tensor):
                readers.setdefault(name, []).append(node)
        results = {tensor.name for tensor in graph.outputs}
        for unit in units(graph):
            if not self._runs(unit.node):
                continue
            written = unit.nodes[-1].outputs[0] if unit.nodes[-1].outputs else None
            name = written.name if written and written.name not in results else ""
            followers = readers.get(name, [])
            if len(followers) == 1 and self._is_part_of_another(followers[0]):
                unit = replace(unit, nodes=(*unit.nodes, followers[0]))
            yield unit

    def _is_part_of_another(self, node: Node) -> bool:
        """True for an operation of one input that never ran by itself."""
        is_of_one = sum(tensor is not None and not tensor.weight for tensor in node.inputs) == 1
        return is_of_one and not self._runs(node)

    def _runs(self, node: Node) -> bool:
        """True unless the runtime makes this operation a part of another."""
        return _has_weights(node) or not self.ran or any(node.op in name for name in self.ran)

    def _add(self, graph: Graph, unit: Unit, facts: Mapping[str, Any]) -> str:
        """Ask for one layer, with these params in its row; returns its key."""
        key = cut.key_of(graph, *unit.nodes)
        self._graphs.setdefault(key, (graph, unit))
        row = {"layer": unit.node.name, AMONG: self.among, **facts}
        self._rows.setdefault(key, []).append(row)
        return key

    def probe(self, provider: str) -> Probe | None:
        """What times them on a provider, in FP32; None if there are none."""
        if not self._graphs:
            return None
        return Probe("smaller", QUESTION, partial(self._cases, provider), default=False)

    def _cases(self, provider: str, device: Device) -> Iterator[Case]:
        """The layers, and the whole before, amid and after them: a machine has slow minutes."""
        turns = TURNS if self.makes_quickly else 1
        before = turns - 1  # the last one is after all layers
        turn_of_place = {turn * len(self._graphs) // turns: turn for turn in range(before)}
        for place, (key, (graph, unit)) in enumerate(self._graphs.items()):
            if place in turn_of_place:
                yield self._whole_case(turn_of_place[place], provider)
            yield self._case(graph, unit, self._rows[key], provider)
        yield self._whole_case(before, provider)

    def _whole_case(self, turn: int, provider: str) -> Case:
        """The case of the network as trained, once more."""
        params = {
            "network": self.network,
            "layer": "whole network",
            "family": NETWORK,
            "provider": provider,
            "precision": "fp32",
            AMONG: self.among,
            "turn": turn,
            LAYERS: len(self._running),
        }
        kernel = self.whole.kernel(provider)
        return Case(kernel, "fp32", provider, Tag(SMALLER, NETWORK), params)

    def _case(
        self, graph: Graph, unit: Unit, of_rows: Sequence[dict[str, Any]], provider: str
    ) -> Case:
        """The case of one layer, with a row for each network that has it."""
        timed = TimedLayer(
            unit.node.op,
            partial(cut.layer_model, graph, *unit.nodes, hollow=False),
            "",
            outline=partial(cut.layer_model, graph, *unit.nodes, hollow=True),
            chosen=self.chosen,
            seconds=self.seconds,
        )
        work = work_of(unit.node)
        skip = ""
        try:
            facts = timed.facts("fp32", provider)
        except (Unavailable, OnnxError) as error:
            skip = str(error)
            facts = {"op": unit.node.op, "family": work.family, "provider": provider}
        rows = [
            {**facts, "network": self.network, "precision": "fp32", **of_row} for of_row in of_rows
        ]
        case = Case(
            timed.kernel(provider), "fp32", provider, Tag(SMALLER, work.family), rows[0], skip
        )
        return replace(case, also=tuple(rows[1:]))


def _has_weights(node: Node) -> bool:
    """True if it reads stored numbers."""
    return any(tensor is not None and tensor.weight for tensor in node.inputs)
