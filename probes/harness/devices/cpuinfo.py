"""/proc/cpuinfo as facts of each CPU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from probes.harness.devices.reading import read, whole

Block = dict[str, str]


def blocks(root: Path, cpus: Iterable[int]) -> dict[int, Block]:
    """What /proc/cpuinfo says of each of these CPUs, by key.

    What it says of no CPU in particular holds for all: old Arm kernels put the core's numbers in a
    block of their own. A CPU that it does not name has an empty block, but where it names none of
    them (a container's may count anew) each has the first one's.
    """
    shared: Block = {}
    own: dict[int, Block] = {}
    for text in re.split(r"\n\s*\n", read(root / "proc/cpuinfo")):
        numbers, facts = _parse(text)
        for cpu in numbers:
            own[cpu] = facts
        if not numbers:
            shared |= facts
    wanted = list(cpus)
    first = next(iter(own.values()), {})
    missing: Block = {} if any(cpu in own for cpu in wanted) else first
    return {cpu: shared | own.get(cpu, missing) for cpu in wanted}


def _parse(text: str) -> tuple[list[int], Block]:
    """The CPUs that a block speaks of, and what it says of them."""
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


def features(told: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Instruction sets that every one of these CPUs has, in the first one's order; a CPU that tells
    none is left out.

    Threads of one kernel run on all of them: an instruction that one lacks would end the process
    there.
    """
    lists = [
        words.split() for block in told if (words := block.get("flags") or block.get("Features"))
    ]
    common = set.intersection(*map(set, lists)) if lists else set()
    return tuple(name for name in lists[0] if name in common) if lists else ()
