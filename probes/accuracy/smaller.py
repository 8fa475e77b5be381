"""Layers with fewer channels, each alone: what the time of a smaller network follows from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kernels.base import Unavailable
from kernels.device import Device
from kernels.onnx import cut
from kernels.onnx.graph import Graph, OnnxError, graph_of
from kernels.onnx.work import work_of
from kernels.precision.units import Unit, units
from kernels.runtime import kernel as layer_kernel
from kernels.runtime.inputs import Chosen
from probes.harness.case import Case, Probe
from probes.records.channels import ChannelRow
from probes.records.tag import SMALLER, Tag

QUESTION = "How long does each layer take with fewer channels?"
WHOLE = ""
"""Group of the layers that are as trained."""


@dataclass
class Layers:
    """Layers of one network, as trained and with fewer channels; equal ones are timed once."""

    network: str
    """Name of the network."""
    chosen: Chosen
    """What its inputs are fed."""
    seconds: float
    """The longest that one may take to start."""
    _graphs: dict[str, tuple[Graph, Unit]] = field(default_factory=dict)
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, model: Any, row: ChannelRow | None, names: Sequence[str]) -> None:
        """Ask for the layers of these names. model: is changed. row: of the cut; None of none."""
        graph = graph_of(model)
        for unit in units(graph):
            if unit.node.name not in names:
                continue
            key = cut.key_of(graph, *unit.nodes)
            self._graphs.setdefault(key, (graph, unit))
            facts = {
                "layer": unit.node.name,
                "group": row.group if row else WHOLE,
                "kept": row.kept if row else 0,
            }
            self._rows.setdefault(key, []).append(facts)

    def probe(self, provider: str) -> Probe | None:
        """What times them on a provider, in FP32; None if there are none."""
        if not self._graphs:
            return None
        return Probe("smaller", QUESTION, partial(self._cases, provider), default=False)

    def _cases(self, provider: str, device: Device) -> Iterator[Case]:
        for key, (graph, unit) in self._graphs.items():
            yield self._case(graph, unit, self._rows[key], provider)

    def _case(
        self, graph: Graph, unit: Unit, of_rows: Sequence[dict[str, Any]], provider: str
    ) -> Case:
        """The case of one layer, with a row for each network that has it."""
        timed = layer_kernel.TimedLayer(
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
