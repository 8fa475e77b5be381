"""Which ceilings a person wants to see first: one for each level of memory, one for each format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analysis.model.ceilings import Ceiling, names_roof
from probes.records.measurement import OK, SKIPPED
from probes.records.tag import (
    BANDWIDTH,
    COMPUTE,
    LATENCY,
    LIBRARY,
    MAIN_MEMORY,
    OVERHEAD,
    TRANSFER,
    Tag,
)

MOST_ROWS = 15
"""So many rows fit a terminal of 24 lines, with their head."""
OTHER_TAGS = (
    Tag(LATENCY, MAIN_MEMORY),
    Tag(TRANSFER, "h2d"),
    Tag(TRANSFER, "d2h"),
    Tag(OVERHEAD, "launch"),
)
"""Tags of what else is shown where it was measured and there is room, most wanted first."""


def headlines(ceilings: Mapping[str, Ceiling]) -> list[Ceiling]:
    """The rows of the short table: levels of memory, then formats, then what there is room for.

    Memory goes from the slowest level to the fastest, formats from the fastest to the slowest.
    A run that has few ceilings shows them all. One that has none of these shows its first ones.
    """
    if len(ceilings) <= MOST_ROWS:
        return list(ceilings.values())
    rows = [*levels_of_memory(ceilings), *best_by_format(ceilings)]
    for tag in OTHER_TAGS:
        ceiling = ceilings.get(str(tag))
        if ceiling is not None and ceiling.status == OK and len(rows) < MOST_ROWS:
            rows.append(ceiling)
    if not rows:
        rows = list(ceilings.values())
    return rows[:MOST_ROWS]


def levels_of_memory(ceilings: Mapping[str, Ceiling]) -> list[Ceiling]:
    """The ceiling of each level of memory that was measured, the slowest first.

    Main memory comes first whatever it gave, even if it failed.
    """
    levels = []
    for ceiling in ceilings.values():
        tag = Tag.parse(ceiling.tag)
        is_level = tag.quantity == BANDWIDTH and tag.draws_roof
        if is_level and (ceiling.status == OK or tag.subject == MAIN_MEMORY):
            levels.append(ceiling)
    return sorted(levels, key=_main_memory_then_rate)


def _main_memory_then_rate(ceiling: Ceiling) -> tuple[bool, float]:
    """A key that sorts main memory before the other levels, and those by their rates."""
    is_main = Tag.parse(ceiling.tag).subject == MAIN_MEMORY
    return not is_main, ceiling.rate or 0.0


def best_by_format(ceilings: Mapping[str, Ceiling]) -> list[Ceiling]:
    """The best dense path of each number format of which one was measured, the fastest first.

    A path that can be trusted comes before one that cannot.
    """
    best: dict[str, Ceiling] = {}
    for subject, paths in _dense_paths(ceilings.values()).items():
        measured = [path for path in paths if names_roof(path)]
        if measured:
            best[subject] = max(measured, key=lambda path: (path.trusted, path.rate or 0.0))
    return sorted(best.values(), key=lambda path: path.rate or 0.0, reverse=True)


def formats_without_rate(ceilings: Mapping[str, Ceiling]) -> list[Ceiling]:
    """For each number format of which every path was skipped, the first one, which says why."""
    by_format = _dense_paths(ceilings.values()).values()
    return [paths[0] for paths in by_format if all(path.status == SKIPPED for path in paths)]


def _dense_paths(ceilings: Iterable[Ceiling]) -> dict[str, list[Ceiling]]:
    """The ceilings of each format that could be its dense roof.

    Those of a library could not: they tell what it makes of the unit, not what the unit can do.
    """
    paths: dict[str, list[Ceiling]] = {}
    for ceiling in ceilings:
        tag = Tag.parse(ceiling.tag)
        could_be_roof = tag.quantity == COMPUTE and tag.draws_roof and tag.path != LIBRARY
        if could_be_roof and not tag.is_sparse:
            paths.setdefault(tag.subject, []).append(ceiling)
    return paths
