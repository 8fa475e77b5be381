"""What a run knows of a network of which weights were pruned.

Four files of a run's folder hold it: ``patterns.csv``, ``channels.csv``, ``prune-errors.csv`` and
``prune.json``.
Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from probes.records.channels import CHANNELS_FILE, ChannelRow, read_channels
from probes.records.measurement import RidgelineError
from probes.records.patterns import PATTERNS_FILE, PatternRow, read_patterns
from probes.records.precision import (
    ERROR_LIMITS,
    ErrorRow,
    Plan,
    read_plan,
    row_problem,
)
from probes.records.table import damage_sentences, read_table

PRUNE_ERRORS_FILE, PRUNE_FILE = "prune-errors.csv", "prune.json"
"""Rows as of ``errors.csv``, and a plan as of ``plan.json``: its recipes name their weights."""


@dataclass
class Pruning:
    """All that a run knows of a network of which weights were pruned."""

    patterns: list[PatternRow] = field(default_factory=list)
    """Of each layer and pattern, in the network's order."""
    channels: list[ChannelRow] = field(default_factory=list)
    """Of each group of channels that is cut alone, in the network's order."""
    errors: list[ErrorRow] = field(default_factory=list)
    """Of whole networks, by recipe."""
    plan: Plan | None = None
    """The recipes that were to be run, and the chosen one; None until they are known."""

    @property
    def network(self) -> str:
        """Name of the network."""
        names = [row.network for row in self.patterns[:1]]
        names += [row.network for row in self.channels[:1]]
        names += [row.network for row in self.errors[:1]]
        if self.plan:
            names.append(self.plan.network)
        return names[0] if names else ""


def read_pruning(folder: Path, guards: bool, damage: list[str]) -> Pruning | None:
    """What a run's folder holds of a pruned network; None if it holds nothing.

    What is damaged is left out, and named in ``damage``.
    """
    names = (PATTERNS_FILE, CHANNELS_FILE, PRUNE_ERRORS_FILE, PRUNE_FILE)
    if not any((folder / name).exists() for name in names):
        return None
    known = Pruning(
        patterns=read_patterns(folder, guards, damage),
        channels=read_channels(folder, guards, damage),
    )
    path = folder / PRUNE_ERRORS_FILE
    try:
        if path.exists():
            table = read_table(path, ErrorRow, ERROR_LIMITS, guards, row_problem)
            damage += damage_sentences(path, table)
            known.errors = table.rows
        if (folder / PRUNE_FILE).exists():
            known.plan = read_plan(folder / PRUNE_FILE)
    except RidgelineError as error:
        damage.append(str(error))
    return known
