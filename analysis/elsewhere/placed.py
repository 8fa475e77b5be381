"""The networks of a run on one other machine: what ``on`` makes, and those who tell of it read."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.elsewhere.left_out import Error
from analysis.elsewhere.machine import Machine
from analysis.elsewhere.predict import Prediction


@dataclass(frozen=True)
class Found:
    """The machine that a name means, and what else it could have meant."""

    asked: str
    """The name as it was given."""
    machine: Machine
    """What is taken."""
    others: tuple[str, ...] = ()
    """Names of what else it could mean."""


@dataclass(frozen=True)
class Elsewhere:
    """The networks of a run on one other machine."""

    here: Machine
    """The machine of the run, with roofs of the same basis."""
    found: Found
    """The other machine, and what else its name could mean."""
    predictions: tuple[Prediction, ...]
    """One for each network and precision."""
    error: Error
    """What leaving each device of the atlas out says of such estimates."""
