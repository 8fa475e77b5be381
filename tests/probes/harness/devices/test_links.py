"""PCIe and NVLinks of a GPU, from a made-up library."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from probes.harness.devices import links

NEIGHBOUR, FAR = "00000000:3A:00.0", "00000000:5D:00.0"
PEERS = {1: NEIGHBOUR.lower(), 2: FAR.lower()}


class Management:
    """A made-up pynvml, which answers these questions; of NVLinks, link by link."""

    def __init__(self, ends: Mapping[int, Any], **answers: Any) -> None:
        """ends: where each active link leads: a PCI address, or ``TO_SWITCH``."""
        self.ends = ends
        self.answers = answers

    def nvmlDeviceGetNvLinkState(self, handle: Any, link: int) -> int:
        if link >= 4:
            raise RuntimeError("invalid argument")
        return int(link in self.ends)

    def nvmlDeviceGetNvLinkRemoteDeviceType(self, handle: Any, link: int) -> int:
        return links.TO_SWITCH if self.ends[link] == links.TO_SWITCH else 0

    def nvmlDeviceGetNvLinkRemotePciInfo(self, handle: Any, link: int) -> Any:
        return SimpleNamespace(busId=self.ends[link].encode())

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise RuntimeError("not supported")
        return lambda *_: self.answers[name]


PCIE = {"nvmlDeviceGetMaxPcieLinkGeneration": 4, "nvmlDeviceGetMaxPcieLinkWidth": 8}


def test_the_link_to_the_host_is_told_by_generation_and_lanes() -> None:
    opened = (Management({}, **PCIE), None)
    assert links.facts(opened, {}) == {"pcie": {"generation": 4, "lanes": 8}}


def test_links_are_counted_by_the_gpu_at_their_end() -> None:
    opened = (Management({0: NEIGHBOUR, 1: NEIGHBOUR, 3: FAR}), None)
    assert links.facts(opened, PEERS) == {"nvlinks": {"1": 2, "2": 1}}


def test_by_a_switch_every_link_leads_to_every_gpu() -> None:
    ends = dict.fromkeys(range(4), links.TO_SWITCH)
    assert links.facts((Management(ends), None), PEERS) == {"nvlinks": {"1": 4, "2": 4}}


def test_without_links_there_are_none_and_without_a_library_nothing_is_known() -> None:
    assert links.facts((Management({}), None), PEERS) == {"nvlinks": {"1": 0, "2": 0}}
    assert links.facts(None, PEERS) == {}
