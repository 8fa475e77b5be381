"""What a run knows of channels that are cut out of a network: a row of ``channels.csv`` for each
group of channels and number that is left of it. Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from probes.records.measurement import RidgelineError
from probes.records.precision import ERROR_LIMITS, ErrorRow, row_problem
from probes.records.table import Limits, damage_sentences, read_table

CHANNELS_FILE = "channels.csv"
AMONG = "among"
"""In the params of a row ``smaller/…``: the name of what was timed in the same rounds."""
LAYERS = "layers"
"""In the params of a row ``smaller/network``: how many layers run by themselves."""
NETWORK = "network"
"""The family of a row of a whole network."""


def rounded(kept: float, channels: int, width: int, multiple: int) -> int:
    """The nearest number of channels to this one that is a multiple, in each part of ``width``.

    At least one multiple; all channels where there is no more than one.
    """
    step = multiple * width
    if step >= channels:
        return channels
    return min(max(step, round(kept / step) * step), channels)


@dataclass(frozen=True, kw_only=True)
class ChannelRow(ErrorRow):
    """What the answers lose where one group of channels alone is smaller: a row of
    ``channels.csv``.

    Errors are those of the network before any training, computed exactly, on the CPU. A group that
    can lose none has a row, too: it is skipped, with a reason.
    """

    group: str
    """Name of the group: that of the first layer which writes its channels."""
    layers: str
    """Names of all layers that write them, as a JSON list."""
    readers: str
    """Names of further layers that read them, as a JSON list."""
    channels: int
    """How many it has."""
    width: int = 1
    """How many go together."""
    dead: int = 0
    """Of these, how many only zeros write."""
    kept: int = 0
    """How many are left."""
    ranked_by: str = ""
    """What ranked them: ``l1`` or ``batchnorm``. The least go first."""
    l1_kept: float | None = None
    """Share of the group's scores that is left."""
    weights_left: str = "{}"
    """Share of the weights that is left in each layer that shrinks, by its name, as a JSON
    object."""

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers that write its channels."""
        return tuple(json.loads(self.layers))

    @cached_property
    def share_of_weights(self) -> dict[str, float]:
        """Share of the weights that is left in each layer that shrinks."""
        return dict(json.loads(self.weights_left))

    @property
    def share_kept(self) -> float:
        """Share of its channels that is left."""
        return self.kept / self.channels


CHANNEL_LIMITS: Limits = {
    **ERROR_LIMITS,
    "channels": (1, 1e12),
    "width": (1, 1e12),
    "dead": (1, 1e12),
    "kept": (1, 1e12),
    "l1_kept": (1e-18, 1 + 1e-9),
}
"""Of the cells: the least number above zero, and the largest."""


def read_channels(folder: Path, guards: bool, damage: list[str]) -> list[ChannelRow]:
    """The rows in a run's folder; none if it has no such file.

    What is damaged is left out, and named in ``damage``.
    """
    path = folder / CHANNELS_FILE
    if not path.exists():
        return []
    try:
        table = read_table(path, ChannelRow, CHANNEL_LIMITS, guards, _problem)
    except RidgelineError as error:
        damage.append(str(error))
        return []
    damage += damage_sentences(path, table)
    return table.rows


def _problem(row: ChannelRow) -> str:
    """Why no run can have this row, though each of its cells is right; empty if it can."""
    if row.kept > row.channels:
        return f"{row.kept} of {row.channels} channels are left"
    try:
        names, shares = [row.layer_names], row.share_of_weights
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    if not all(isinstance(share, int | float) for share in shares.values()):
        return f"weights_left is {row.weights_left[:40]!r}"
    return row_problem(row) if names else ""
