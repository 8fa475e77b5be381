"""One run analysed: rows to ceilings to a roofline to files. The same for a live run and for ``--replot``."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.ceilings import Ceiling, ceilings, is_roof
from analysis.layer_groups import LayerSweep, Network, layer_sweeps, networks
from analysis.levels import levels
from analysis.placement import Placement
from analysis.placements import placements
from analysis.roofline import Roofline, roofline
from analysis.sweeps import Sweep, sweeps
from analysis.units import si, unit_of
from probes.harness.files import COMPLETE, Run, csv_text, read_run, replace_file

INCHES = (9.6, 5.6)
SWEEP_INCHES = (9.6, 4.8)
DOTS_PER_INCH = 150
CURVE = "sustained.csv"


@dataclass
class Outcome:
    """What a run found, ``notes`` and ``sweeps`` of its sweeps; ``files`` are those written so far, in ``folder``.

    placements: its layers on its roofs; networks, layer_sweeps: the same as they are shown.
    """

    run: Run
    ceilings: Mapping[str, Ceiling]
    model: Roofline
    notes: Sequence[str] = ()
    sweeps: Sequence[Sweep] = ()
    placements: Sequence[Placement] = ()
    networks: Sequence[Network] = ()
    layer_sweeps: Sequence[LayerSweep] = ()
    folder: Path | None = None
    files: list[Path] = field(default_factory=list)


def analyse(folder: Path) -> Outcome:
    """Read the run in ``folder``, model it and write its pictures and report. Raises RidgelineError or OSError."""
    outcome = model(read_run(folder))
    write(outcome, folder)
    return outcome


def model(run: Run) -> Outcome:
    """What the rows of a run mean; writes nothing."""
    named = levels(run.measurements, run.device)
    found = ceilings([*run.measurements, *named.rows], run.device)
    shown = sweeps(run.measurements, run.device, found, named.by_tag)
    notes = [*named.notes, *(note for sweep in shown for note in sweep.notes)]
    placed = placements(run.measurements, found, run.device)
    return Outcome(
        run, found, roofline(found.values()), notes, shown, placed, networks(placed, run.measurements),
        layer_sweeps(placed),
    )  # fmt: skip


def write(outcome: Outcome, folder: Path) -> None:
    """Write ceilings.csv, placements.csv, the pictures and report.html, each whole or not at all."""
    outcome.folder = folder
    with _names_as_they_are():
        contents = _contents(outcome)
    for name, content in contents.items():
        replace_file(folder / name, content)
        outcome.files.append(folder / name)


@contextmanager
def _names_as_they_are() -> Iterator[None]:
    """Layers are called what others call them: ``$`` begins no formula, and a letter no font has is no warning."""
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def _contents(outcome: Outcome) -> dict[str, str | bytes]:
    """All files by name; placements.csv and pictures of layers only of a run that has layers."""
    from analysis.layer_report import section
    from analysis.report import html

    svg, png = pictures(outcome)
    drawn = [(sweep, *sweep_pictures(sweep, outcome.run)) for sweep in outcome.sweeps]
    layers = layer_pictures(outcome)
    told = section(
        outcome.placements, outcome.networks, outcome.layer_sweeps, {name: text for name, (text, _) in layers.items()}
    )
    load = outcome.folder / CURVE if outcome.folder else None
    return {
        "ceilings.csv": csv_text(outcome.ceilings.values(), Ceiling),
        **({"placements.csv": csv_text(outcome.placements, Placement)} if outcome.placements else {}),
        "roofline.svg": svg,
        "roofline.png": png,
        **{f"{sweep.name}.png": image for sweep, _, image in drawn},
        **{f"{name}.png": image for name, (_, image) in layers.items()},
        "report.html": html(outcome.run, outcome.ceilings, svg, outcome.notes, [d[:2] for d in drawn], told),
        **({"sustained.png": curve(load)} if load and load.exists() else {}),
    }


def subtitle(outcome: Outcome) -> str:
    """Under the title: whether the run is whole, clocks, date."""
    parts = [] if outcome.run.status == COMPLETE else ["partial run"]
    clocks = [c.clock_hz for c in outcome.ceilings.values() if c.clock_hz and is_roof(c)]
    if clocks:
        ends = dict.fromkeys(si(clock, "Hz") for clock in (min(clocks), max(clocks)))
        parts.append(f"measured at {' to '.join(ends)}")
    return " · ".join([*parts, outcome.run.started[:10]])


def pictures(outcome: Outcome) -> tuple[str, bytes]:
    """The roofline as SVG text and as PNG bytes; the same rows give the same bytes."""
    from analysis.plot import figure

    return _both(figure(outcome.model, [], outcome.run.device.name, subtitle(outcome), INCHES))


def sweep_pictures(sweep: Sweep, run: Run) -> tuple[str, bytes]:
    """A sweep, likewise."""
    from analysis.sweep_plot import figure

    return _both(figure(sweep, run.device.name, SWEEP_INCHES))


def layer_pictures(outcome: Outcome) -> dict[str, tuple[str, bytes]]:
    """Networks, sweeps over layers and precisions, likewise, by the name of the file."""
    from analysis import layer_plot, layer_precision_plot, layer_sweep_plot
    from analysis.layer_report import picture_of

    device, roofs = outcome.run.device, outcome.model
    several = layer_precision_plot.several(outcome.networks)
    figures = {net.file: layer_plot.figure(net, roofs, device, INCHES) for net in outcome.networks}
    figures |= {picture_of(name): layer_precision_plot.figure(name, nets, device.name, INCHES[0])
                for name, nets in several.items()}  # fmt: skip
    figures |= {sweep.file: layer_sweep_plot.figure(sweep, roofs, device, INCHES) for sweep in outcome.layer_sweeps}
    return {name: _both(figure) for name, figure in figures.items()}


def _both(figure: Any) -> tuple[str, bytes]:
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "ridgeline", "svg.fonttype": "path"}):
        return _saved(figure, "svg", metadata={"Date": None}).decode(), _saved(figure, "png", dpi=DOTS_PER_INCH)


def curve(path: Path) -> bytes:
    """The picture of a sustained load from its rows, as PNG bytes."""
    from analysis.curve import figure

    with open(path, encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    tag = rows[0]["tag"]
    keys = ("seconds", "rate", "clock_hz", "power_w", "temperature_c")
    moments = [{key: float(row[key]) if row[key] else None for key in keys} for row in rows]
    return _saved(
        figure(moments, f"{rows[0]['device']}: {tag}", unit_of(tag, tag.split("/")[1])), "png", dpi=DOTS_PER_INCH
    )


def _saved(figure: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, **options)
    return out.getvalue()
