"""What each stage of a network takes in each precision: measured, or predicted and marked so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from analysis.layers.place import LAUNCH, WHOLE
from analysis.layers.placement import Placement
from analysis.layers.roof_above import compute_roof, memory_roof
from analysis.model.roofline import Roof, Roofline
from analysis.plan.borders import BYTES, FP32, Borders, borders
from analysis.plan.scales import BORDERS
from kernels.device import Device
from probes.records.layer import LayerFacts, read_params
from probes.records.measurement import OK, Measurement
from probes.records.precision import StageRow
from probes.records.tag import LAYER

OTHER_TYPE = "other_type"
"""In the params of a layer's row: true if the provider ran it in another type than was asked."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """What was timed on one provider, and the roofs above it."""

    provider: str
    """What runs the network."""
    rows: Sequence[Measurement]
    """All rows of the run, judged."""
    placements: Sequence[Placement]
    """Its layers on the roofs."""
    model: Roofline
    """The roofs."""
    device: Device
    """What they belong to."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a stage takes in one precision."""

    seconds: float | None = None
    """Of one run; None where nothing is known of it."""
    low: float | None = None
    """Lower end of the interval of a measured time."""
    high: float | None = None
    """Upper end of it."""
    measured: bool = False
    """False where the time is predicted."""
    floor_seconds: float | None = None
    """The least time on the measured roofs; None where a roof or the work is unknown."""
    bound: str = ""
    """What bounds it, as of a Placement; empty is unknown."""
    has_kernel: bool = True
    """False if the provider cannot run it so, or only in another type."""
    reason: str = ""
    """Why there is no kernel, or no time."""
    saturated: float | None = None
    """Error of its own result where sums of products saturate; None if right."""
    factor: float = 1.0
    """What ``seconds`` was multiplied by for being part of a whole; ``low`` and ``high`` were not:
    they are of the stage alone."""

    @property
    def allowed(self) -> bool:
        """True if a plan may count on it."""
        return self.has_kernel and self.seconds is not None

    @property
    def seconds_alone(self) -> float | None:
        """What the stage takes outside of its network."""
        return None if self.seconds is None else self.seconds / self.factor

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None of a predicted time."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Costs:
    """What the stages of a network and the borders between them take."""

    stages: Mapping[str, Mapping[str, Cost]]
    """By stage, then by precision."""
    borders: Borders
    """Of conversions."""
    facts: Mapping[str, LayerFacts] = field(default_factory=dict)
    """What the row of a stage's main node says of it, by stage."""

    def of(self, stage: str, precision: str) -> Cost:
        """The cost of a stage in a precision; one that knows nothing if it cannot have that."""
        return self.stages[stage].get(precision) or Cost(has_kernel=False)

    def in_a_whole(self, factors: Mapping[str, float]) -> Costs:
        """The same as parts of a whole network, whose time they then add up to.

        factors: by part of a network, see ``analysis.plan.scales``; parts that are not named stay.
        """
        stages = {}
        for stage, by_precision in self.stages.items():
            stages[stage] = {
                precision: _multiplied(cost, factors.get(precision, 1.0))
                for precision, cost in by_precision.items()
            }
        borders_of_whole = replace(self.borders, factor=factors.get(BORDERS, 1.0))
        return Costs(stages, borders_of_whole, self.facts)


def _multiplied(cost: Cost, factor: float) -> Cost:
    """The cost with its time multiplied."""
    if cost.seconds is None:
        return cost
    return replace(cost, seconds=factor * cost.seconds, factor=factor)


def costs(stages: Sequence[StageRow], timings: Timings) -> Costs:
    """The costs of all these stages, by the rows and roofs of one provider."""
    memory = timings.model.memory
    bandwidth = memory.rate if memory else None
    conversions = borders(timings.rows, timings.provider, bandwidth, _launch_seconds(timings))
    networks = {stage.network for stage in stages}
    rows = _rows_by_layer(timings, networks)
    placed = _placements_by_layer(timings, networks)
    by_stage = {}
    for stage in stages:
        of_precision = {}
        for precision in stage.choices:
            key = stage.stage, precision
            of_precision[precision] = _timed(stage, precision, rows.get(key), placed.get(key))
        of_precision = {
            precision: replace(cost, floor_seconds=_floor(stage, precision, cost, timings))
            for precision, cost in of_precision.items()
        }
        by_stage[stage.stage] = {
            precision: _completed(stage, precision, of_precision, conversions)
            for precision in of_precision
        }
    return Costs(by_stage, conversions, {layer: row.facts for (layer, _), row in rows.items()})


def _launch_seconds(timings: Timings) -> float:
    """What it costs a GPU to start a kernel; 0 where that was not measured, and on a CPU."""
    times = [
        row.seconds_median
        for row in timings.rows
        if row.ceiling == str(LAUNCH) and row.status == OK and row.trusted and row.seconds_median
    ]
    return min(times, default=0.0)


def _rows_by_layer(timings: Timings, networks: set[str]) -> dict[tuple[str, str], Measurement]:
    """Rows of layers by (layer, precision of its network); trusted ones before others."""
    rows: dict[tuple[str, str], Measurement] = {}
    for row in timings.rows:
        if row.quantity != LAYER or row.ceiling == WHOLE or row.sweep is not None:
            continue
        facts = row.facts
        if facts.network not in networks or facts.provider != timings.provider:
            continue
        key = facts.layer, facts.precision
        known = rows.get(key)
        if known is None or _merit(row) > _merit(known):
            rows[key] = row
    return rows


def _merit(row: Measurement) -> tuple[bool, bool]:
    """Of two rows of a layer the larger speaks for it."""
    return row.status == OK, row.trusted


def _placements_by_layer(timings: Timings, networks: set[str]) -> dict[tuple[str, str], Placement]:
    """Placements by (layer, precision of its network)."""
    return {
        (placement.layer, placement.facts.precision): placement
        for placement in timings.placements
        if placement.network in networks and placement.provider == timings.provider
    }


def _timed(
    stage: StageRow, precision: str, row: Measurement | None, placed: Placement | None
) -> Cost:
    """What the row of a stage's main node says.

    A Relu or Clip that belongs to the stage adds nothing: runtimes fuse it.
    """
    if row is None:
        return Cost(reason="it was not timed")
    if row.status != OK or not row.seconds_median:
        # A pass of values needs no arithmetic of its own in the type, and so no kernel of its own.
        return Cost(has_kernel=stage.passes, reason=row.reason)
    ran_otherwise = bool(read_params(row.params).get(OTHER_TYPE))
    floor = None
    if placed is not None and placed.share is not None:
        floor = placed.share * placed.seconds
    return Cost(
        seconds=row.seconds_median,
        low=row.seconds_low,
        high=row.seconds_high,
        measured=True,
        floor_seconds=floor,
        bound=placed.bound if placed else "",
        has_kernel=not ran_otherwise,
        reason=row.reason if ran_otherwise else "",
        saturated=row.facts.saturated,
    )


def _floor(stage: StageRow, precision: str, cost: Cost, timings: Timings) -> float | None:
    """The least time of a stage on the measured roofs: that of its placement, else of its work."""
    if cost.floor_seconds is not None:
        return cost.floor_seconds
    activations = sum(stage.read_elements.values()) + sum(stage.written_elements.values())
    moved = (activations + stage.weights) * BYTES.get(precision, 4)
    facts = LayerFacts(warm=True, working_set=moved)
    memory = memory_roof(facts, timings.model, timings.device)
    if not isinstance(memory, Roof) or not memory.rate:
        return None
    seconds = moved / memory.rate
    if stage.passes:
        return seconds
    if stage.flops is None:
        return None
    compute = compute_roof(precision, timings.model)
    if not isinstance(compute, Roof) or not compute.rate:
        return None
    return max(seconds, stage.flops / compute.rate)


def _completed(
    stage: StageRow, precision: str, known: Mapping[str, Cost], conversions: Borders
) -> Cost:
    """The cost in a precision, with a prediction where it was not timed.

    known: the costs of the stage by precision, without predictions.
    """
    cost = known[precision]
    if cost.seconds is not None:
        return cost
    if not cost.has_kernel:
        return replace(cost, seconds=_around_floats(stage, precision, known[FP32], conversions))
    return replace(cost, seconds=_predicted(stage, precision, known))


def _predicted(stage: StageRow, precision: str, known: Mapping[str, Cost]) -> float | None:
    """The expected time in a precision that was not timed.

    The time of the next wider precision that was timed, less what the roofs spare: what else it
    takes (launches, a kernel below every roof) stays, so that no gain is promised which no roof
    explains. Without any such time it is the floor.
    """
    floor = known[precision].floor_seconds
    wider = _next_wider(precision, known)
    if wider is None or wider.seconds is None:
        return floor
    if floor is None or wider.floor_seconds is None:
        return wider.seconds if stage.passes else None
    spared = max(0.0, wider.floor_seconds - floor)
    return max(floor, wider.seconds - spared)


def _next_wider(precision: str, known: Mapping[str, Cost]) -> Cost | None:
    """The measured cost in as many bits or the next more; None if there is none."""
    bits = BYTES[precision]
    timed = [
        (BYTES[name], name)
        for name, cost in known.items()
        if name != precision and cost.measured and cost.has_kernel and BYTES[name] >= bits
    ]
    return known[min(timed)[1]] if timed else None


def _around_floats(
    stage: StageRow, precision: str, in_fp32: Cost, conversions: Borders
) -> float | None:
    """The expected time where the provider has no kernel: in FP32, with conversions around it."""
    seconds = in_fp32.seconds
    ends = [(precision, FP32, elements) for elements in stage.read_elements.values()]
    ends += [(FP32, precision, elements) for elements in stage.written_elements.values()]
    for source, target, elements in ends:
        border = conversions.cost(source, target, elements).seconds
        if seconds is None or border is None:
            return None
        seconds += border
    return seconds
