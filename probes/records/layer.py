"""The noun LayerFacts: what a layer's row says of it in ``params``, read once.

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

FORMERLY_CAPTURED = "captured"
"""How ``run`` begins where a CUDA graph was replayed, in runs of schema 1."""
LISTED = "layer"
"""What a sweep goes over that lists different layers: its x is then a place in the list."""
CHANNELS = ("channels", "in_channels", "out_channels")


@lru_cache(maxsize=1 << 15)
def read_params(params: str) -> Mapping[str, Any]:
    """The JSON object that a row's ``params`` hold; empty for an empty text.

    It is kept, since every table and picture asks for the same rows again: do not change it.
    """
    return dict(json.loads(params or "{}"))


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What a row says of a layer beside its work and time; ``LayerFacts()`` says nothing."""

    network: str = ""
    """Name of the network that it is a part of; empty for a layer of our own."""
    layer: str = ""
    """Its name in the network or the list."""
    op: str = ""
    """The ONNX operation, or a tool's word for it."""
    family: str = ""
    """Kind of operation: ``convolution``, ``movement``."""
    provider: str = ""
    """Which library or tool ran it: ``cpu``, ``cuda``, ``tensorrt``, ``cublaslt``."""
    precision: str = ""
    """That of the whole network: a layer left in floats in an INT8 network says ``int8``."""
    typed: bool = True
    """False if the tool that timed it tells no type, so that FP32 is assumed."""
    sweep: str = ""
    """Name of the sweep over layers that it is a point of; empty for none."""
    over: str = "x"
    """What ``x`` is in that sweep: ``kernel size``, or ``LISTED``."""
    series: str = ""
    """Which curve of the sweep it is on."""
    warm: bool = False
    """True if the caches could hold its data when it ran."""
    working_set: float | None = None
    """Bytes of its inputs, weights and outputs; None if unknown."""
    launches: float | None = None
    """Kernels that one run launches; None if unknown."""
    captured: bool = False
    """True if a CUDA graph was replayed, so that each run costs one launch."""
    nodes: tuple[str, ...] = ()
    """Names of the ONNX nodes that it holds, as far as an importer knows them."""
    ran: Mapping[str, int] = field(default_factory=dict)
    """Of a whole network: how often each operation ran, by the runtime's name."""
    explained: tuple[tuple[str, Any], ...] = ()
    """Of a whole network: counts, each with its name, that explain why its time is not the sum of
    its layers.
    """
    tactic: str = ""
    """Name of the kernel that ran it, where a tool tells one."""
    model: str = ""
    """Name of its network without a batch size, which ``network`` may hold."""
    batch: int | None = None
    """Batch size of its network, where that was asked for; None is unknown."""
    saturated: float | None = None
    """Error of its own INT8 result, in parts of the largest value, where sums of products saturate;
    None if right.
    """
    channels: Mapping[str, int] = field(default_factory=dict)
    """Its channels by name (one of ``CHANNELS``), where it has some."""
    slow: Mapping[str, float] = field(default_factory=dict)
    """Its slow operations (exponentials, divisions, roots) by the name of the arithmetic that has
    their rate; empty where there are none, or where that is unknown."""
    groups: int = 1
    """Groups of a convolution, each of which sees its own channels only."""
    window: tuple[int, ...] = ()
    """Elements of a convolution's or pooling's window in each direction; empty if unknown."""
    shape: tuple[int, ...] = ()
    """Shape of its first output; empty if unknown."""

    @property
    def listed(self) -> bool:
        """True if its sweep is a list of different layers."""
        return self.over == LISTED

    @staticmethod
    def read(params: str, *, op: str, family: str, provider: str, precision: str) -> LayerFacts:
        """The facts in a row's ``params``; the other arguments stand in where these are silent."""
        known = read_params(params)
        return LayerFacts(
            network=_text(known, "network"),
            layer=_text(known, "layer"),
            op=_text(known, "op") or op,
            family=_text(known, "family") or family,
            provider=_text(known, "provider") or provider,
            precision=_text(known, "precision") or precision,
            typed=known.get("typed") is not False,
            sweep=_text(known, "sweep"),
            over=_text(known, "over") or "x",
            series=_text(known, "series"),
            warm=bool(known.get("warm")),
            working_set=known.get("working_set"),
            launches=known.get("launches"),
            captured=_captured(known),
            nodes=_names(known.get("nodes")),
            ran=known.get("ran") or {},
            explained=_explained(known.get("explained") or {}),
            tactic=_text(known, "tactic"),
            model=_text(known, "model"),
            batch=_batch(known.get("batch")),
            saturated=_error(known.get("saturated")),
            channels={name: known[name] for name in CHANNELS if isinstance(known.get(name), int)},
            slow=_counts(known.get("slow")),
            groups=_groups(known.get("groups")),
            window=_sizes(known.get("window")),
            shape=_sizes(known.get("shape")),
        )


def _captured(known: Mapping[str, Any]) -> bool:
    """True if a graph was replayed; runs of schema 1 say so in words only."""
    flag = known.get("captured")
    return _text(known, "run").startswith(FORMERLY_CAPTURED) if flag is None else bool(flag)


def _text(known: Mapping[str, Any], name: str) -> str:
    return str(known.get(name) or "")


def number(known: Mapping[str, Any], name: str) -> float | None:
    """The number of this name; None if there is none."""
    value = known.get(name)
    return None if value is None else float(value)


def _names(listed: Any) -> tuple[str, ...]:
    """The names in a list; none of anything else, which another tool may have stored."""
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _batch(stored: Any) -> int | None:
    """A batch size; None where nothing, or no whole number above zero, is stored."""
    return stored if type(stored) is int and stored > 0 else None


def _counts(stored: Any) -> dict[str, float]:
    """Counts by name; none of anything else, which another tool may have stored."""
    if not isinstance(stored, dict):
        return {}
    return {
        str(name): float(count)
        for name, count in stored.items()
        if type(count) in (int, float) and count > 0
    }


def _groups(stored: Any) -> int:
    """The groups of a convolution; 1 where nothing, or no whole number, is stored."""
    return stored if isinstance(stored, int) and stored > 0 else 1


def _sizes(listed: Any) -> tuple[int, ...]:
    """The sizes in a list of whole numbers; none of anything else."""
    if not isinstance(listed, list) or not all(isinstance(size, int) for size in listed):
        return ()
    return tuple(listed)


def _error(fault: Any) -> float | None:
    """The error of a fault as the harness stores it: ``{"values": 3, "of": 8, "error": 0.07}``."""
    return number(fault, "error") if isinstance(fault, dict) else None


def _explained(facts: Any) -> tuple[tuple[str, Any], ...]:
    """Names and counts. A single fact, as other tools may state it, has no name."""
    return tuple(facts.items()) if isinstance(facts, dict) else (("", facts),)
