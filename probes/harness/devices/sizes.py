"""What caches a core can have: a hypervisor may report others, but arrays must fit the real ones.

There is one row a core of x86; Arm's makers choose their own sizes. The sources are AMD's Software
Optimization Guides of each family (caches, and the cores of a complex that share the last one) and
Intel's optimization reference manual (caches, and the last cache's slice of a core, of the products
with the smallest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KIB = 1 << 10
MIB = 1 << 20
LAST_LEVEL = 3
"""Of the caches of every core in CORES."""


@dataclass(frozen=True)
class Sizes:
    """Caches of one kind of core."""

    first: int
    """Bytes of its data cache."""
    second: int
    """Bytes of its second cache."""
    sharers: int | None = None
    """Most cores that share one last cache; None: all of a socket may."""
    last: int = 0
    """Bytes of a last cache with so many sharers, in most products; 0 where all of a socket share
    one.
    """
    slice: int = 0
    """Least bytes that each core adds to its socket's one last cache; 0 where there are several."""


CORES: Mapping[str, Sizes] = {
    "zen": Sizes(32 * KIB, 512 * KIB, sharers=4, last=8 * MIB),
    "zen2": Sizes(32 * KIB, 512 * KIB, sharers=4, last=16 * MIB),
    "zen3": Sizes(32 * KIB, 512 * KIB, sharers=8, last=32 * MIB),
    "zen4": Sizes(32 * KIB, 1 * MIB, sharers=8, last=32 * MIB),
    "zen5": Sizes(48 * KIB, 1 * MIB, sharers=16, last=32 * MIB),
    "zen5-mobile": Sizes(48 * KIB, 1 * MIB, sharers=8, last=16 * MIB),
    "haswell": Sizes(32 * KIB, 256 * KIB, slice=1 * MIB),
    "broadwell": Sizes(32 * KIB, 256 * KIB, slice=1 * MIB),
    "skylake": Sizes(32 * KIB, 256 * KIB, slice=1 * MIB),
    "skylake-x": Sizes(32 * KIB, 1 * MIB, slice=1408 * KIB),
    "icelake-client": Sizes(48 * KIB, 512 * KIB, slice=2 * MIB),
    "icelake-server": Sizes(48 * KIB, 1280 * KIB, slice=1536 * KIB),
    "tigerlake": Sizes(48 * KIB, 1280 * KIB, slice=2 * MIB),
    "rocketlake": Sizes(48 * KIB, 512 * KIB, slice=2 * MIB),
    "sapphirerapids": Sizes(48 * KIB, 2 * MIB, slice=1920 * KIB),
    "emeraldrapids": Sizes(48 * KIB, 2 * MIB, slice=1920 * KIB),
    "graniterapids": Sizes(48 * KIB, 2 * MIB, slice=1920 * KIB),
}


def own_doubts(core: str, reported: Mapping[int, int]) -> list[str]:
    """A sentence on each reported cache of a core's own that such a core does not have.

    reported: bytes by level. Of a core that CORES lacks nothing can be said.
    """
    row = CORES.get(core)
    if row is None:
        return []
    doubts = []
    for level, size in ((1, row.first), (2, row.second)):
        reported_size = reported.get(level)
        if reported_size is not None and reported_size != size:
            doubts.append(
                f"the machine reports an L{level} cache of {in_words(reported_size)}: "
                f"a core of {core} has {in_words(size)}"
            )
    return doubts


def possible_bytes(core: str, level: int, size: int, sharers: int, used: int) -> int:
    """Bytes of last caches that ``used`` cores may really reach, at least the reported ones.

    Reported is one cache of ``size`` bytes at ``level``, shared by ``sharers`` cores of one socket.
    More cores than one cache can serve have several between them, and each core used may reach
    another of them.
    """
    row = CORES.get(core)
    if row is None:
        return size
    if level < LAST_LEVEL:
        # The real last cache is not reported: each core used may have another, or its slice of one.
        return max(size, used * (row.last or row.slice))
    most = served(core, level, sharers)
    if most == sharers:
        return max(size, sharers * row.slice)
    caches = -(-sharers // most)
    return max(size, min(caches, used) * row.last)


def served(core: str, level: int, sharers: int) -> int:
    """How many of ``sharers`` cores one cache of this level can serve.

    All of them, unless it is the last level of a core whose row says that fewer do.
    """
    row = CORES.get(core)
    if row is None or row.sharers is None or level < LAST_LEVEL:
        return sharers
    return min(sharers, row.sharers)


def last_doubts(core: str, level: int, size: int, sharers: int, total: int) -> list[str]:
    """A sentence on a last cache that cannot be all there is, or that so many cores cannot share.

    None if it may be as reported. total: what ``possible_bytes`` says.
    """
    row = CORES.get(core)
    most = served(core, level, sharers)
    if row is None or (total <= size and most == sharers):
        return []
    if level < LAST_LEVEL:
        return [
            f"the machine reports no L{LAST_LEVEL} cache: cores of {core} have one, of which "
            f"{in_words(total)} may be there"
        ]
    if most < sharers:
        why = f"at most {most} do"
    else:
        why = f"each comes with {in_words(row.slice)} or more"
    return [
        f"the machine reports an L{level} cache of {in_words(size)} shared by {sharers} cores of "
        f"{core}: {why}, so {in_words(total)} may be there"
    ]


def in_words(size: int) -> str:
    """Bytes in words: 1280 KiB, 32 MiB; in MiB from 1 MiB on, if a quarter of one divides it."""
    if size >= MIB and size % (MIB // 4) == 0:
        return f"{size / MIB:g} MiB"
    return f"{size / KIB:g} KiB"
