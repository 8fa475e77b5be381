"""What joins a GPU to its host and to other GPUs: the PCIe link and NVLinks, as NVML tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.harness.devices.nvml import ask

MOST_NVLINKS = 18
"""NVML_NVLINK_MAX_LINKS of nvml.h."""
LINK_IS_ACTIVE = 1
"""NVML_FEATURE_ENABLED of nvml.h."""
TO_SWITCH = 2
"""NVML_NVLINK_DEVICE_TYPE_SWITCH of nvml.h: an NVSwitch, by which all GPUs are reached."""


def facts(opened: Any, peers: Mapping[int, str]) -> dict[str, Any]:
    """``pcie``: generation and lanes; ``nvlinks``: how many lead to each other GPU, by its index.

    opened: what ``nvml.open_device`` returned. peers: PCI address of each other GPU, by index. What
    is unknown is left out; GPUs without an NVLink have 0 where NVML tells of any.
    """
    if opened is None:
        return {}
    nv, handle = opened
    known: dict[str, Any] = {}
    # what GPU and board both can: an idle link is slower, and wakes up for a copy
    generation = ask(nv, "nvmlDeviceGetMaxPcieLinkGeneration", handle)
    lanes = ask(nv, "nvmlDeviceGetMaxPcieLinkWidth", handle)
    if generation and lanes:
        known["pcie"] = {"generation": generation, "lanes": lanes}
    if peers:
        links = [_end_of_link(nv, handle, link) for link in range(MOST_NVLINKS)]
        known["nvlinks"] = {
            str(index): sum(end in (TO_SWITCH, address.lower()) for end in links)
            for index, address in peers.items()
        }
    return known


def _end_of_link(nv: Any, handle: Any, link: int) -> Any:
    """Where an NVLink leads: TO_SWITCH, or a PCI address in lower case; None of one without use."""
    if ask(nv, "nvmlDeviceGetNvLinkState", handle, link) != LINK_IS_ACTIVE:
        return None
    if ask(nv, "nvmlDeviceGetNvLinkRemoteDeviceType", handle, link) == TO_SWITCH:
        return TO_SWITCH
    remote = ask(nv, "nvmlDeviceGetNvLinkRemotePciInfo", handle, link)
    address = getattr(remote, "busId", None)
    if isinstance(address, bytes):
        address = address.decode(errors="replace")
    return address.lower() if address else None
