"""What the page is made of: what a run found, and its files as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.layers.groups import LayerSweep, Network
from analysis.layers.placement import Placement
from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roofline
from analysis.model.sweeps import SweepChart
from analysis.model.trust import Trust
from probes.records.run import Run


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the page is made of. All but the run may be empty."""

    run: Run
    """With its rows judged."""
    ceilings: Mapping[str, Ceiling]
    """By tag."""
    model: Roofline
    """Its roofs."""
    pictures: Mapping[str, str]
    """SVG text by the name of the picture's file, without ending."""
    notes: Sequence[str] = ()
    """Sentences on levels, sweeps and networks, and on what is not shown."""
    sweeps: Sequence[SweepChart] = ()
    """Those that are shown."""
    placements: Sequence[Placement] = ()
    """All of its layers on its roofs."""
    networks: Sequence[Network] = ()
    """Those that are shown."""
    layer_sweeps: Sequence[LayerSweep] = ()
    """Those that are shown."""
    trust: Trust | None = None
    """How far all of it can be trusted; None where the run timed nothing itself."""
    files: Mapping[str, str] = field(default_factory=dict)
    """CSV texts by the names of their files, for the page to hand out."""
