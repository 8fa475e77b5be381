"""What /proc/cpuinfo says of each CPU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from probes.harness.devices.reading import read, whole

Block = dict[str, str]
"""Facts of one CPU by their keys in /proc/cpuinfo."""


def blocks(root: Path, cpus: Iterable[int]) -> dict[int, Block]:
    """What /proc/cpuinfo says of each of these CPUs.

    A block that names no CPU holds for all: old Arm kernels put the core's numbers in one of their
    own. A CPU without a block has only that. But where no CPU asked for has a block, as in a
    container that counts anew, each has the first one.
    """
    wanted = list(cpus)
    for_all: Block = {}
    by_cpu: dict[int, Block] = {}
    for text in re.split(r"\n\s*\n", read(root / "proc/cpuinfo")):
        numbers, facts = _parse(text)
        for cpu in numbers:
            by_cpu[cpu] = facts
        if not numbers:
            for_all |= facts
    without: Block = {}
    if not any(cpu in by_cpu for cpu in wanted):
        without = next(iter(by_cpu.values()), {})
    return {cpu: for_all | by_cpu.get(cpu, without) for cpu in wanted}


def _parse(text: str) -> tuple[list[int], Block]:
    """The numbers of the CPUs that a block names, and what it says of them."""
    numbers: list[int] = []
    facts: Block = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon:
            continue
        facts[key.strip()] = value.strip()
        cpu = whole(value)
        if key.strip() == "processor" and cpu is not None:
            numbers.append(cpu)
    return numbers, facts


def features(cpu_blocks: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Instruction sets that every one of these CPUs has, in the first one's order.

    Threads of one kernel run on all of them, and an instruction that one lacks would end the
    process there. A CPU that lists none is left out.
    """
    lists: list[list[str]] = []
    for block in cpu_blocks:
        words = block.get("flags") or block.get("Features")
        if words:
            lists.append(words.split())
    if not lists:
        return ()
    common = set.intersection(*map(set, lists))
    return tuple(name for name in lists[0] if name in common)
