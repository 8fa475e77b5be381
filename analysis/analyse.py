"""One run analysed: rows to ceilings to a roofline to files.

The same for a live run and for ``--replot``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from analysis.draw.files import Figure, drawn, png
from analysis.layers.groups import layer_sweeps, networks, unplaced
from analysis.layers.missing import with_lost_time
from analysis.layers.place import placements
from analysis.layers.placement import Placement
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import trials
from analysis.model.ceilings import ceilings
from analysis.model.energy import energy
from analysis.model.judge import judged
from analysis.model.levels import levels
from analysis.model.roofline import Roofline, roofline
from analysis.model.sweeps import sweeps
from analysis.model.trust import trust
from analysis.outcome import Outcome, PlanOutcome, PruneOutcome
from analysis.plan.costs import Timings
from analysis.plan.front import Point
from analysis.sparsity.verdict import LayersWithZeros
from analysis.tell import most
from analysis.units import unit_of
from probes.records.measurement import Moment
from probes.records.precision import Precision, read_precision
from probes.records.pruning import Pruning, read_pruning
from probes.records.run import (
    COMPLETE,
    LESSONS,
    Run,
    read_moments,
    read_run,
    remove_parts,
    replace_file,
)

INCHES = (9.6, 5.6)
SWEEP_INCHES = (9.6, 4.8)
"""Sizes of pictures (across, down)."""


def analyse(folder: Path, add: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
    """Read the run in ``folder``, model it and write its files.

    add: is given the outcome before it is written. Raises RidgelineError or OSError.
    """
    run = read_run(folder)
    known = read_precision(folder, run.guarded, run.damage)
    outcome = model(run, known, read_pruning(folder, run.guarded, run.damage))
    add(outcome)
    write(outcome, folder)
    return outcome


def model(run: Run, known: Precision | None = None, pruned: Pruning | None = None) -> Outcome:
    """What the rows of a run mean; writes nothing.

    The rows are judged first, wherever they come from. known: what the run knows of a network in
    lower precision. pruned: what it knows of a pruned one.
    """
    run = replace(run, measurements=judged(run.measurements, run.device))
    plateaus = levels(run.measurements, run.device)
    rows_with_levels = judged([*run.measurements, *plateaus.rows], run.device)
    tops = ceilings(rows_with_levels, run.device)
    all_sweeps = sweeps(run.measurements, run.device, tops, plateaus.by_tag)
    placed = placements(run.measurements, tops, run.device)
    all_networks = with_lost_time(networks(placed, run.measurements))
    all_layer_sweeps = layer_sweeps(placed)

    shown_sweeps = most.of_sweeps(all_sweeps)
    shown_networks = most.of_networks(all_networks)
    shown_layer_sweeps = most.of_layer_sweeps(all_layer_sweeps)

    notes = list(plateaus.notes)
    for sweep in all_sweeps:
        notes += sweep.notes
    notes += most.left_out("sweeps", all_sweeps, shown_sweeps, "measurements.csv")
    notes += most.left_out("networks", all_networks, shown_networks, "placements.csv")
    notes += most.left_out(
        "sweeps over layers", all_layer_sweeps, shown_layer_sweeps, "placements.csv"
    )
    roofs = roofline(tops.values())
    plan = None
    if known is not None:
        plan = plan_outcome(known, run, roofs, placed)
    pruning = None
    if pruned is not None:
        pruning = prune_outcome(pruned, plan, run, roofs, placed)
    evidence = Evidence(
        device=run.device,
        measurements=run.measurements,
        placements=placed,
        ceilings=tops,
        roofs=roofs,
    )
    return Outcome(
        run=run,
        ceilings=tops,
        model=roofs,
        notes=notes,
        network_notes=unplaced(all_networks, run.measurements),
        sweeps=shown_sweeps,
        placements=placed,
        networks=shown_networks,
        layer_sweeps=shown_layer_sweeps,
        plan=plan,
        pruning=pruning,
        trials=trials(run.settings.get(LESSONS) or (), evidence),
        energy=energy(tops, roofs, run.power),
        trust=trust(run, tops),
    )


def plan_outcome(
    known: Precision, run: Run, roofs: Roofline, placed: Sequence[Placement]
) -> PlanOutcome:
    """What a run found of a network in lower precision. run: judged."""
    from analysis.plan.plan import study, verdicts
    from analysis.plan.words import on_network
    from analysis.tell.on_plan import missing
    from analysis.tell.plan_columns import errors_alone

    plan = known.plan
    if plan is None or not plan.recipes or not known.stages:
        return PlanOutcome(known, verdicts=errors_alone(known), missing=missing(known))
    timings = Timings(
        provider=plan.provider,
        rows=run.measurements,
        placements=placed,
        model=roofs,
        device=run.device,
    )
    evidence = study(known, timings)
    return PlanOutcome(
        known,
        study=evidence,
        verdicts=verdicts(evidence),
        sentences=on_network(evidence),
        missing=missing(known),
    )


def prune_outcome(
    known: Pruning,
    plan: PlanOutcome | None,
    run: Run,
    roofs: Roofline,
    placed: Sequence[Placement],
) -> PruneOutcome:
    """What a run found of a pruned network.

    plan: of its precisions, if there is one. run: judged.
    """
    from analysis.plan.front import front
    from analysis.prune.channels import ChannelStudy, Forecast, forecasts
    from analysis.prune.plan import all_points, with_predictions
    from analysis.prune.words import missing, on_pruning
    from analysis.sparsity.products import products
    from analysis.sparsity.study import study_of

    provider = known.plan.provider if known.plan else run.device.kind
    points: list[Point] = []
    if known.plan is not None:
        errors = [*known.errors, *(plan.known.errors if plan else ())]
        quantized: Sequence[Point] = ()
        if plan is not None and plan.known.plan is not None:
            quantized = front(plan.known.plan, plan.known.errors, run.measurements)
        points = all_points(known.plan, errors, run.measurements, quantized)
    sparsity = None
    if known.patterns:
        layers = LayersWithZeros(
            rows=known.patterns,
            placements=placed,
            model=roofs,
            device=run.device,
            provider=provider,
            products=products(run.measurements),
        )
        sparsity = study_of(layers, points)
        points = with_predictions(points, sparsity)
    channels = None
    found: list[Forecast] = []
    if known.channels:
        channels = ChannelStudy(known.channels, run.measurements, provider)
        found = forecasts(channels, points)
    return PruneOutcome(
        known,
        sparsity=sparsity,
        channels=channels,
        forecasts=found,
        points=points,
        sentences=on_pruning(known, sparsity, points, channels, found),
        missing=missing(known),
    )


def write(outcome: Outcome, folder: Path) -> None:
    """Write the tables, the pictures and the page into ``folder``, each whole or not at all.

    Raises OSError.
    """
    outcome.folder = folder
    remove_parts(folder)
    moments = read_moments(folder, outcome.run)
    for name, content in _contents(outcome, moments).items():
        replace_file(folder / name, content)
        outcome.files.append(folder / name)


def _contents(outcome: Outcome, moments: Sequence[Moment]) -> dict[str, str | bytes]:
    """All files by name. moments: of a sustained load, if there was one."""
    from analysis.draw.plan.pictures import plan_figures
    from analysis.draw.sparsity.pictures import prune_figures
    from analysis.tell.ceiling_columns import CEILING_COLUMNS
    from analysis.tell.columns import file_of
    from analysis.tell.elsewhere_columns import ELSEWHERE_COLUMNS, ELSEWHERE_FILE, rows_elsewhere
    from analysis.tell.layer_columns import LAYER_COLUMNS
    from analysis.tell.lesson_columns import LESSON_COLUMNS, LESSONS_FILE
    from analysis.tell.page.lessons import PAGE as LESSONS_PAGE
    from analysis.tell.page.lessons import html as lessons_html
    from analysis.tell.plan_columns import STAGE_COLUMNS, stages_of
    from analysis.tell.prune_columns import FLOOR_COLUMNS, SPARSE_COLUMNS

    figures = {"roofline": roofline_figure(outcome)}
    if outcome.energy.is_known:
        figures["energy"] = energy_figure(outcome)
    figures.update(sweep_figures(outcome))
    figures.update(layer_figures(outcome))
    if outcome.plan:
        figures.update(plan_figures(outcome.plan, outcome.run.device, INCHES))
    if outcome.pruning:
        figures.update(prune_figures(outcome.pruning, outcome.run.device, INCHES))
    figures.update(lesson_figures(outcome))
    pictures = drawn(figures)
    svgs = {name: svg for name, (svg, _) in pictures.items()}

    tables = {"ceilings.csv": file_of(CEILING_COLUMNS, outcome.ceilings.values())}
    if outcome.placements:
        tables["placements.csv"] = file_of(LAYER_COLUMNS, outcome.placements)
    if outcome.plan and outcome.plan.verdicts:
        tables["plan.csv"] = file_of(STAGE_COLUMNS, stages_of(outcome.plan))
    if outcome.pruning and outcome.pruning.sparsity:
        tables["sparse.csv"] = file_of(SPARSE_COLUMNS, outcome.pruning.sparsity.verdicts)
        if outcome.pruning.sparsity.floors:
            tables["floors.csv"] = file_of(FLOOR_COLUMNS, outcome.pruning.sparsity.floors)
    if outcome.elsewhere:
        tables[ELSEWHERE_FILE] = file_of(ELSEWHERE_COLUMNS, rows_elsewhere(outcome.elsewhere))
    contents: dict[str, str | bytes] = dict(tables)
    contents["roofline.svg"] = svgs["roofline"]
    for name, (_, png_bytes) in pictures.items():
        contents[f"{name}.png"] = png_bytes
    contents["report.html"] = _page(outcome, svgs, tables)
    if outcome.trials:
        contents[LESSONS_FILE] = file_of(LESSON_COLUMNS, outcome.trials)
        contents[LESSONS_PAGE] = lessons_html(outcome, svgs)
    if moments:
        contents["sustained.png"] = sustained_picture(moments)
    return contents


def _page(outcome: Outcome, svgs: Mapping[str, str], files: Mapping[str, str]) -> str:
    """The page.

    svgs: pictures by the name of their file, without ending. files: tables that it hands out.
    """
    from analysis.tell.page.document import html

    return html(outcome, svgs, files)


def subtitle(outcome: Outcome) -> str:
    """Under the title: whether the run is whole, clocks, how far it can be trusted, date."""
    parts = []
    if outcome.run.status != COMPLETE:
        parts.append("partial run")
    if outcome.clocks:
        parts.append(outcome.clocks)
    if outcome.trust:
        parts.append(f"trust: {outcome.trust.level}")
    parts.append(outcome.run.started[:10])
    return " · ".join(parts)


def roofline_figure(outcome: Outcome) -> Figure:
    """The roofline."""
    from analysis.draw.roofline import figure

    roofs = most.of_roofs(outcome.model)
    return partial(figure, roofs, outcome.run.device.name, subtitle(outcome), INCHES)


def energy_figure(outcome: Outcome) -> Figure:
    """The roofline read as energy."""
    from analysis.draw.energy import figure

    return partial(figure, outcome.energy, outcome.run.device.name, INCHES)


def sweep_figures(outcome: Outcome) -> dict[str, Figure]:
    """The sweeps, by the names of their files."""
    from analysis.draw.sweep import figure

    device = outcome.run.device.name
    return {sweep.name: partial(figure, sweep, device, SWEEP_INCHES) for sweep in outcome.sweeps}


def layer_figures(outcome: Outcome) -> dict[str, Figure]:
    """Networks, their precisions and sweeps over layers, by the names of their files."""
    from analysis.draw.layers import batches, listing, network, precisions
    from analysis.draw.layers import sweep as layer_sweep
    from analysis.layers.batches import over_batches
    from analysis.tell.page.networks import picture_of, picture_of_batches

    device = outcome.run.device
    roofs = most.of_roofs(outcome.model)
    figures: dict[str, Figure] = {}
    for net in outcome.networks:
        figures[net.file] = partial(network.figure, net, roofs, device, INCHES)
    for name, runs in precisions.several(outcome.networks).items():
        figures[picture_of(name)] = partial(precisions.figure, name, runs, device.name, INCHES[0])
    for model, series in over_batches(outcome.networks).items():
        draw_batches = partial(batches.figure, model, series, device.name, INCHES[0])
        figures[picture_of_batches(model)] = draw_batches
    for sweep in outcome.layer_sweeps:
        draw = listing.figure if sweep.listed else layer_sweep.figure
        figures[sweep.file] = partial(draw, sweep, roofs, device, INCHES)
    return figures


def lesson_figures(outcome: Outcome) -> dict[str, Figure]:
    """The pictures of lessons, by the names of their files."""
    from analysis.draw.lessons import figure
    from analysis.tell.page.lessons import picture_of

    device = outcome.run.device.name
    figures: dict[str, Figure] = {}
    for trial in outcome.trials:
        if trial.chart is not None:
            figures[picture_of(trial.name)] = partial(figure, trial, trial.chart, device)
    return figures


def sustained_picture(moments: Sequence[Moment]) -> bytes:
    """The picture of a sustained load, as PNG bytes."""
    from analysis.draw.sustained import figure

    first = moments[0]
    title = f"{first.device}: {first.tag}"
    return png(partial(figure, moments, title, unit_of(first.tag)))
