"""Which rows of a comparison a person wants to see first."""

from __future__ import annotations

from analysis.compare.comparison import ComparedRow, Comparison, slower_first
from analysis.model.headlines import headlines

MOST_ROWS = 24
"""Of a table on a terminal, unless more have changed."""


def in_brief(comparison: Comparison) -> list[ComparedRow]:
    """What changed, slower rows first; then the roofs that the first run's short table shows."""
    by_key = {row.row.key: row for row in comparison.rows}
    changed = dict.fromkeys(row.row.key for row, _ in slower_first(comparison))
    rows = [by_key[key] for key in changed]
    shown = set(changed)
    ceilings = comparison.sides[0].runs[0].outcome.ceilings
    tags = [ceiling.tag for ceiling in headlines(ceilings)]
    for key in (*tags, *(row.row.key for row in comparison.rows if row.row.is_layer)):
        is_wanted = key in by_key and key not in shown and by_key[key].is_shared
        if is_wanted and len(rows) < MOST_ROWS:
            shown.add(key)
            rows.append(by_key[key])
    return rows or list(comparison.rows)[:MOST_ROWS]
