"""What the links of a GPU could carry: PCIe to its host, NVLinks or PCIe to other GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.theory.tables import row_of, source_of, tables
from kernels.device import Device
from probes.records.tag import BOTH, DEVICE_TO_HOST, HOST_TO_DEVICE, PEER, Tag

BITS = 8
"""Of a byte."""
WAYS = 2
"""Links carry as much back at the same time."""


@dataclass(frozen=True)
class Link:
    """What joins a GPU to what its bytes go to."""

    rate: float
    """Most bytes per second one way."""
    formula: str
    """How that is made, for people to read."""
    source: str
    """Where its factors are written."""


def link_of(tag: Tag, device: Device) -> Link | None:
    """The link that a transfer goes over, with its rate; None where it is not known.

    A transfer both ways at once goes over the link twice.
    """
    if tag.subject in (HOST_TO_DEVICE, DEVICE_TO_HOST):
        return _pcie(device)
    if tag.subject == BOTH:
        return _both_ways(_pcie(device))
    name, _, gpus = tag.subject.partition("-")
    if name != PEER:
        return None
    to_peer = _to_peer(device, gpus.split("-"))
    return _both_ways(to_peer) if tag.path == BOTH else to_peer


def _both_ways(link: Link | None) -> Link | None:
    if link is None:
        return None
    return Link(WAYS * link.rate, f"{WAYS} ways x {link.formula}", link.source)


def _pcie(device: Device) -> Link | None:
    """The link to the host, by its generation and lanes. Headers of packets are not counted."""
    facts = device.facts.get("pcie")
    if not facts:
        return None
    generation, lanes = facts["generation"], facts["lanes"]
    row = tables()["pcie"].get(str(generation))
    if row is None:
        return None
    transfers, (data, sent) = row["transfers"], row["coding"]
    formula = (
        f"PCIe {generation}: {lanes} lanes x {transfers / 1e9:g} GT/s x {data}/{sent} / {BITS}"
    )
    rate = lanes * transfers * data / sent / BITS
    return Link(rate, formula, source_of(row))


def _to_peer(device: Device, gpus: list[str]) -> Link | None:
    """The link between two GPUs, of which this one is one: NVLinks, or else PCIe."""
    others = [gpu for gpu in gpus if gpu != str(device.index)]
    count = device.facts.get("nvlinks", {}).get(others[0]) if len(others) == 1 else None
    if count is None:
        return None
    if count == 0:
        return _pcie(device)
    row = row_of(device)
    a_link = row.get("nvlink")
    if a_link is None:
        return None
    formula = f"{count} NVLinks x {a_link / 1e9:g} GB/s"
    return Link(count * a_link, formula, tables()["sources"]["NVL"])
