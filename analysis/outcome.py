"""The noun Outcome: what a run found, for those who model it and those who tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.elsewhere.placed import Elsewhere
from analysis.layers.groups import LayerSweep, Network
from analysis.layers.placement import Placement
from analysis.lessons.frame.trial import Trial
from analysis.model.ceilings import Ceiling, is_roof
from analysis.model.energy import EnergyModel
from analysis.model.roofline import Roofline
from analysis.model.sweeps import SweepChart
from analysis.model.trust import Trust
from analysis.plan.front import Point
from analysis.plan.study import Study
from analysis.plan.verdict import StageVerdict
from analysis.prune.channels import ChannelStudy, Forecast
from analysis.sparsity.study import SparsityStudy
from analysis.units import si_span
from probes.records.precision import Precision
from probes.records.pruning import Pruning
from probes.records.run import Run


@dataclass(frozen=True)
class PlanOutcome:
    """What a run found of a network in lower precision, as far as it came."""

    known: Precision
    """What its files hold."""
    study: Study | None = None
    """The plan with its evidence; None before there is one."""
    verdicts: Sequence[StageVerdict] = ()
    """What is decided of each stage, in the network's order; without a plan only its error."""
    sentences: Sequence[str] = ()
    """What the plan says of the network, the choice first."""
    missing: Sequence[str] = ()
    """What was not found yet, in words: ``ranges``, ``the choice``."""

    @property
    def network(self) -> str:
        """Name of the network."""
        known = self.known
        names = [
            *(row.network for row in known.stages[:1]),
            *(row.network for row in known.ranges[:1]),
            *(row.network for row in known.errors[:1]),
        ]
        return names[0] if names else ""


@dataclass(frozen=True)
class PruneOutcome:
    """What a run found of a pruned network, as far as it came."""

    known: Pruning
    """What its files hold."""
    sparsity: SparsityStudy | None = None
    """Patterns of zeros with their evidence; None without any."""
    channels: ChannelStudy | None = None
    """Smaller groups of channels; None without any."""
    forecasts: Sequence[Forecast] = ()
    """Networks with fewer channels, as predicted and measured."""
    points: Sequence[Point] = ()
    """Whole networks that were run, pruned or in lower precision or both."""
    sentences: Sequence[str] = ()
    """What pruning brings and costs, the choice first."""
    missing: Sequence[str] = ()
    """What was not found yet, in words."""

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.known.network


@dataclass
class Outcome:
    """What a run found."""

    run: Run
    """With its rows judged."""
    ceilings: Mapping[str, Ceiling]
    """By tag."""
    model: Roofline
    """Its roofs."""
    notes: Sequence[str] = ()
    """Sentences on levels and sweeps, and on what is not shown."""
    network_notes: Sequence[str] = ()
    """Sentences on networks of which no layer could be timed alone."""
    sweeps: Sequence[SweepChart] = ()
    """Those that are shown."""
    placements: Sequence[Placement] = ()
    """All of its layers on its roofs."""
    networks: Sequence[Network] = ()
    """Those that are shown."""
    layer_sweeps: Sequence[LayerSweep] = ()
    """Those that are shown."""
    plan: PlanOutcome | None = None
    """Of a network in lower precision; None where no plan was asked for."""
    pruning: PruneOutcome | None = None
    """Of a pruned network; None where none was asked for."""
    elsewhere: Sequence[Elsewhere] = ()
    """Its networks on each other machine that was asked for."""
    trials: Sequence[Trial] = ()
    """What it says of the lessons that it was asked to try."""
    energy: EnergyModel = field(default_factory=EnergyModel)
    """What operations and bytes cost in joules, as far as power is known."""
    trust: Trust | None = None
    """How far all of it can be trusted; None where the run timed nothing itself."""
    folder: Path | None = None
    """Where its files are, once they are written."""
    files: list[Path] = field(default_factory=list)
    """Those written so far."""

    @property
    def clocks(self) -> str:
        """``measured at 1.49 GHz to 1.98 GHz``: of its roofs; empty where no clock is known."""
        roofs = [ceiling for ceiling in self.ceilings.values() if is_roof(ceiling)]
        clocks = [roof.clock_hz for roof in roofs if roof.clock_hz]
        return f"measured at {si_span(clocks, 'Hz')}" if clocks else ""
