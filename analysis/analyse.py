"""One run analysed: rows to ceilings to a roofline to files. The same for a live run and for
``--replot``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from analysis.draw.files import Figure, drawn, picture
from analysis.layers.groups import LayerSweep, Network, layer_sweeps, networks, unplaced
from analysis.layers.missing import with_lost_time
from analysis.layers.place import placements
from analysis.layers.placement import Placement
from analysis.model.ceilings import Ceiling, ceilings, is_roof
from analysis.model.judge import judged
from analysis.model.levels import levels
from analysis.model.roofline import Roofline, roofline
from analysis.model.sweeps import SweepChart, sweeps
from analysis.model.trust import Trust, trust
from analysis.tell import most
from analysis.units import si, unit_of
from probes.records.measurement import Moment
from probes.records.run import (
    COMPLETE,
    Run,
    csv_text,
    read_moments,
    read_run,
    remove_parts,
    replace_file,
)

INCHES = (9.6, 5.6)
SWEEP_INCHES = (9.6, 4.8)


@dataclass
class Outcome:
    """What a run found, ``notes`` and ``sweeps`` of its sweeps; ``files`` are those written so far,
    in ``folder``.

    placements: its layers on its roofs; networks, layer_sweeps: the same as they are shown. trust:
    how far all of it can be trusted, None where the run timed nothing itself.
    """

    run: Run
    ceilings: Mapping[str, Ceiling]
    model: Roofline
    notes: Sequence[str] = ()
    sweeps: Sequence[SweepChart] = ()
    placements: Sequence[Placement] = ()
    networks: Sequence[Network] = ()
    layer_sweeps: Sequence[LayerSweep] = ()
    trust: Trust | None = None
    folder: Path | None = None
    files: list[Path] = field(default_factory=list)


def analyse(folder: Path) -> Outcome:
    """Read the run in ``folder``, model it and write its pictures and report. Raises RidgelineError
    or OSError.
    """
    outcome = model(read_run(folder))
    write(outcome, folder)
    return outcome


def model(run: Run) -> Outcome:
    """What the rows of a run mean; writes nothing. The rows are judged first, wherever they come
    from.
    """
    run = replace(run, measurements=judged(run.measurements, run.device))
    named = levels(run.measurements, run.device)
    found = ceilings(judged([*run.measurements, *named.rows], run.device), run.device)
    shown = sweeps(run.measurements, run.device, found, named.by_tag)
    notes = [*named.notes, *(note for sweep in shown for note in sweep.notes)]
    placed = placements(run.measurements, found, run.device)
    nets = with_lost_time(networks(placed, run.measurements))
    notes += unplaced(nets, run.measurements)
    roofs, layered = roofline(found.values()), layer_sweeps(placed)
    few = most.of_sweeps(shown), most.of_networks(nets), most.of_layer_sweeps(layered)
    notes += most.left_out("sweeps", shown, few[0], "measurements.csv")
    notes += most.left_out("networks", nets, few[1], "placements.csv")
    notes += most.left_out("sweeps over layers", layered, few[2], "placements.csv")
    return Outcome(run, found, roofs, notes, few[0], placed, few[1], few[2], trust(run, found))


def write(outcome: Outcome, folder: Path) -> None:
    """Write ceilings.csv, placements.csv, the pictures and report.html, each whole or not at
    all.
    """
    outcome.folder = folder
    remove_parts(folder)
    for name, content in _contents(outcome).items():
        replace_file(folder / name, content)
        outcome.files.append(folder / name)


def _contents(outcome: Outcome) -> dict[str, str | bytes]:
    """All files by name; placements.csv and pictures of layers only of a run that has layers."""
    from analysis.tell.layer_report import section
    from analysis.tell.report import html

    layers = layer_figures(outcome)
    made = drawn({"roofline": roofline_figure(outcome), **sweep_figures(outcome), **layers})
    svg, _ = made["roofline"]
    curves = [(sweep, made[sweep.name][0]) for sweep in outcome.sweeps]
    told = section(
        outcome.placements,
        outcome.networks,
        outcome.layer_sweeps,
        {name: made[name][0] for name in layers},
    )
    moments = read_moments(outcome.folder, outcome.run) if outcome.folder else []
    return {
        "ceilings.csv": csv_text(outcome.ceilings.values(), Ceiling),
        **(
            {"placements.csv": csv_text(outcome.placements, Placement)}
            if outcome.placements
            else {}
        ),
        "roofline.svg": svg,
        **{f"{name}.png": image for name, (_, image) in made.items()},
        "report.html": html(
            outcome.run, outcome.ceilings, svg, outcome.notes, curves, told, outcome.trust
        ),
        **({"sustained.png": curve(moments)} if moments else {}),
    }


def subtitle(outcome: Outcome) -> str:
    """Under the title: whether the run is whole, clocks, how far it can be trusted, date."""
    parts = [] if outcome.run.status == COMPLETE else ["partial run"]
    clocks = [c.clock_hz for c in outcome.ceilings.values() if c.clock_hz and is_roof(c)]
    if clocks:
        ends = dict.fromkeys(si(clock, "Hz") for clock in (min(clocks), max(clocks)))
        parts.append(f"measured at {' to '.join(ends)}")
    if outcome.trust:
        parts.append(f"trust: {outcome.trust.level}")
    return " · ".join([*parts, outcome.run.started[:10]])


def roofline_figure(outcome: Outcome) -> Figure:
    """The roofline."""
    from analysis.draw.roofline import figure

    return partial(
        figure, most.of_roofs(outcome.model), outcome.run.device.name, subtitle(outcome), INCHES
    )


def sweep_figures(outcome: Outcome) -> dict[str, Figure]:
    """The sweeps, by the names of their files."""
    from analysis.draw.sweep import figure

    device = outcome.run.device.name
    return {sweep.name: partial(figure, sweep, device, SWEEP_INCHES) for sweep in outcome.sweeps}


def layer_figures(outcome: Outcome) -> dict[str, Figure]:
    """Networks, precisions and sweeps over layers, likewise."""
    from analysis.draw.layers import listing, network, precisions
    from analysis.draw.layers import sweep as layer_sweep
    from analysis.tell.layer_report import picture_of

    device, roofs = outcome.run.device, most.of_roofs(outcome.model)
    several = precisions.several(outcome.networks)
    figures: dict[str, Figure] = {
        net.file: partial(network.figure, net, roofs, device, INCHES) for net in outcome.networks
    }
    for name, nets in several.items():
        figures[picture_of(name)] = partial(precisions.figure, name, nets, device.name, INCHES[0])
    for sweep in outcome.layer_sweeps:
        draw = listing.figure if sweep.listed else layer_sweep.figure
        figures[sweep.file] = partial(draw, sweep, roofs, device, INCHES)
    return figures


def curve(moments: Sequence[Moment]) -> bytes:
    """The picture of a sustained load, as PNG bytes."""
    from analysis.draw.sustained import figure

    device, tag = moments[0].device, moments[0].tag
    return picture(partial(figure, moments, f"{device}: {tag}", unit_of(tag)))
