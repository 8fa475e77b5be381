"""What smaller layers save and cost: curves of groups, and what networks without some should be.

Times of smaller layers are measured, each alone: those of each group at its smallest, and those of
each network that is to be run, as narrow as they are there. So is the error of each group that is
smaller alone. What several smaller groups do together is predicted from these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

from analysis.plan.borders import FP32
from analysis.plan.front import NAME, Point, is_as_trained
from analysis.prune.times import (
    SIGMAS,
    LayerTime,
    Range,
    Whole,
    error_of,
    layer_time,
    start_of_run,
    whole_after,
)
from probes.records.channels import AMONG, LAYERS, NETWORK, ChannelRow
from probes.records.layer import read_params
from probes.records.measurement import OK, Measurement
from probes.records.precision import MOST_DB, Plan, Recipe
from probes.records.tag import LAYER, OVERHEAD, SMALLER

BATCHNORM, L1 = "batchnorm", "l1"
TRIED = 0.5
"""The most of a layer's weights that went where one group alone was smaller."""
ENOUGH_TURNS = 5
"""Medians of one network in turn, of which all but the extremes are an interval of theirs."""
MOST_CHANGE = 1.25
"""Of the time of the network as trained, between the rounds of its layers and those of recipes.
Beyond it the machine was another one: a core that others use halves what runs on two, not all."""
SMALL_SHARE = 0.1
"""Of the time of all layers alone, that those take together whose time hardly counts."""
OF_INPUTS = 10**0.1
"""How far noise on the inputs that rank may be from that on the few on which groups were cut: a
decibel."""
NO_NOISE = 1e-9
"""Noise that is rounding."""
MOST_SURE_NOISE = 0.5
"""Noise over signal that is predicted at least, at most: beyond it channels that go later may hide
what earlier ones did."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a network of which channels were cut out should be, and what it was."""

    point: Point
    """As measured."""
    share_left: float
    """Of the weights."""
    seconds: Range | None
    """Predicted time of one run."""
    noise: Range | None
    """Predicted noise over signal at the outputs, in power."""
    same_speed: bool = True
    """False where the machine was much faster or slower when the layers were timed: what is
    predicted is then no more than a hint."""

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.point.name

    @property
    def measured_noise(self) -> float | None:
        """On the inputs that rank."""
        loss = self.point.ranking
        if loss is None or loss.sqnr_db is None:
            return None
        return float(10 ** (-loss.sqnr_db / 10))

    @property
    def time_holds(self) -> bool | None:
        """Whether the measured time is within the interval; None where one is not known."""
        point = self.point
        if self.seconds is None or not point.timed or point.seconds is None or not self.same_speed:
            return None
        return self.seconds.holds(point.low or point.seconds, point.high or point.seconds)

    @property
    def noise_holds(self) -> bool | None:
        """Whether the measured noise is within the interval; None where one is not known."""
        if self.noise is None or self.measured_noise is None:
            return None
        return self.noise.holds(self.measured_noise, self.measured_noise)


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One group that is smaller alone."""

    row: ChannelRow
    """Its size and its error."""
    saved: float | None
    """Seconds that its layers take less, each alone: measured at its smallest size, in proportion
    before that. None where they were not timed."""
    share_of_time: float | None
    """What the layers that it touches take, over what they take as trained."""


class ChannelStudy:
    """All that is known of smaller groups of channels of a network."""

    def __init__(
        self, rows: Sequence[ChannelRow], measurements: Iterable[Measurement], provider: str
    ) -> None:
        """rows: of ``channels.csv``. measurements: judged. provider: whose times count."""
        self.rows = rows
        self._wholes: dict[str, list[Measurement]] = {}
        """Of the network as trained, by the name of what it was timed among."""
        self._times: dict[tuple[str, int, str], LayerTime] = {}
        self._times_in: dict[str, dict[str, LayerTime]] = {}
        """Of the layers that differ from those as trained, by recipe and layer."""
        all_rows = list(measurements)
        alone = [
            row
            for row in all_rows
            if row.quantity == SMALLER and row.status == OK and row.facts.provider == provider
        ]
        self._start = start_of_run(_overhead(all_rows, provider), alone)
        for row in alone:
            if row.facts.family == NETWORK:
                self._wholes.setdefault(_among(row), []).append(row)
        for row in alone:
            if row.facts.family != NETWORK:
                self._keep(row)

    def _keep(self, row: Measurement) -> None:
        """Store what a row says of a layer."""
        params = read_params(row.params)
        layer = row.facts.layer
        time = layer_time(row, self._start, self._slower(_among(row)))
        recipe = str(params.get(NAME) or "")
        if recipe:
            self._times_in.setdefault(recipe, {})[layer] = time
            return
        key = str(params.get("group", "")), int(params.get("kept", 0)), layer
        self._times[key] = time

    def _slower(self, among: str) -> float:
        """How much slower the machine was then than where layers were timed as trained.

        The network as trained was timed among both; 1 where it was not.
        """
        then = _median_seconds(self._wholes.get(among, ()))
        usual = self.whole_seconds
        return then / usual if then and usual else 1.0

    @cached_property
    def cut(self) -> list[ChannelRow]:
        """The rows of groups that are smaller, with an error."""
        return [row for row in self.rows if row.status == OK and row.kept < row.channels]

    @cached_property
    def fixed(self) -> list[ChannelRow]:
        """The rows of groups and layers that lose no channels."""
        return [row for row in self.rows if row.kept == row.channels]

    @cached_property
    def groups(self) -> dict[str, list[ChannelRow]]:
        """The rows of each group, the most channels first."""
        groups: dict[str, list[ChannelRow]] = {}
        for row in sorted(self.cut, key=lambda row: -row.kept):
            groups.setdefault(row.group, []).append(row)
        in_order = dict.fromkeys(row.group for row in self.cut)
        return {name: groups[name] for name in in_order}

    @cached_property
    def as_trained(self) -> dict[str, float]:
        """Seconds of each layer that was timed, with all of its channels; without those that a run
        of it alone takes to start."""
        return {layer: time.seconds for layer, time in self._as_trained.items()}

    @cached_property
    def _as_trained(self) -> dict[str, LayerTime]:
        return {layer: time for (group, _, layer), time in self._times.items() if not group}

    @property
    def whole_seconds(self) -> float | None:
        """Time of the network as trained, beside its layers; None where it was not timed there."""
        return _median_seconds(self._wholes.get("", ()))

    @cached_property
    def curves(self) -> list[CurvePoint]:
        """All groups that are smaller alone, in the network's order."""
        return [self._curve_point(row) for row in self.cut]

    def _curve_point(self, row: ChannelRow) -> CurvePoint:
        smallest = self.groups[row.group][-1]
        removed = (row.channels - row.kept) / (row.channels - smallest.kept)
        before = after = 0.0
        for layer in row.share_of_weights:
            smaller = self._times.get((row.group, smallest.kept, layer))
            whole = self.as_trained.get(layer)
            if smaller is None or whole is None:
                return CurvePoint(row=row, saved=None, share_of_time=None)
            before += whole
            after += whole + removed * (smaller.seconds - whole)
        share = after / before if before else None
        return CurvePoint(row=row, saved=before - after, share_of_time=share)

    @cached_property
    def _trials(self) -> dict[str, list[tuple[float, float]]]:
        """(share of weights left, share of time left) of each layer, in all its smaller sizes."""
        trials: dict[str, list[tuple[float, float]]] = {}
        for row in self.cut:
            for layer, left in row.share_of_weights.items():
                smaller = self._times.get((row.group, row.kept, layer))
                whole = self.as_trained.get(layer)
                if smaller is not None and whole:
                    trials.setdefault(layer, []).append((left, smaller.seconds / whole))
        return trials

    @cached_property
    def elastic(self) -> dict[str, float]:
        """Share of each layer's time that shrinks with its weights; the rest stays.

        By least squares over its smaller sizes, within 0 and 1.
        """
        shares = {}
        for layer, trials in self._trials.items():
            squares = sum((1 - left) ** 2 for left, _ in trials)
            products = sum((1 - left) * (1 - time) for left, time in trials)
            shares[layer] = min(1.0, max(0.0, products / squares)) if squares else 0.0
        return shares

    @cached_property
    def _misfit(self) -> float:
        """Typical difference between a layer's share of time and what its elastic share says."""
        misfits = []
        for layer, trials in self._trials.items():
            elastic = self.elastic[layer]
            misfits += [abs(time - (1 - elastic * (1 - left))) for left, time in trials]
        return median(misfits) if misfits else 0.0

    def weights_left(self, channels: Mapping[str, int]) -> dict[str, float]:
        """Share of the weights that is left in each layer, where groups keep so many channels."""
        shares: dict[str, float] = {}
        for group, kept in channels.items():
            rows = self.groups.get(group)
            if not rows:
                continue
            row = rows[-1]
            removed = (row.channels - kept) / (row.channels - row.kept)
            for layer, left in row.share_of_weights.items():
                own = max(0.0, 1 - removed * (1 - left))
                shares[layer] = shares.get(layer, 1.0) * own
        return shares

    def seconds(self, recipe: Recipe, whole: float) -> Range | None:
        """Time of the network by a recipe; None without times of layers.

        whole: its time as trained, beside which the recipe's is held. A machine may be faster by
        then than it was when layers were timed: what is predicted is the share of ``whole``. See
        ``whole_after`` for what the interval is made of.
        """
        before = list(self._as_trained.values())
        if not any(layer.seconds for layer in before):
            return None
        trained = self._whole_beside(whole)
        passes = self._passes_of(recipe.operations)
        predicted = whole_after(before, self._layers_in(recipe), trained, passes)
        return predicted.times(whole / trained.seconds)

    def is_of_speed(self, whole: float | None) -> bool:
        """True if the network as trained took about as long among its layers as it does now."""
        then = self.whole_seconds
        if not then or not whole:
            return True
        return 1 / MOST_CHANGE <= whole / then <= MOST_CHANGE

    def _whole_beside(self, stand_in: float) -> Whole:
        """The network as it was timed beside its layers; of so many seconds where it was not."""
        rows = self._wholes.get("", [])
        seconds = self.whole_seconds
        if not seconds:
            return Whole(seconds=stand_in, start=self._start)
        medians = sorted(row.seconds_median or seconds for row in rows)
        if len(medians) >= ENOUGH_TURNS:
            error = (medians[-2] - medians[1]) / 2
        else:
            error = max(median(map(error_of, rows)), (medians[-1] - medians[0]) / 2)
        facts = rows[0].facts
        is_told = not facts.captured and facts.launches is not None
        return Whole(
            seconds=seconds,
            error=error,
            start=self._start,
            passes=self._passes_of(int(facts.launches or 0)) if is_told else None,
        )

    def _passes_of(self, operations: int | None) -> int | None:
        """Operations of a whole network that belong to no layer; None if it is not known."""
        rows = self._wholes.get("", [])
        layers = read_params(rows[0].params).get(LAYERS) if rows else None
        if operations is None or layers is None:
            return None
        return max(0, operations - int(layers))

    def _layers_in(self, recipe: Recipe) -> list[LayerTime]:
        """All layers as they are by a recipe, in the order of those as trained.

        One that was not timed so takes what its elastic share says.
        """
        known = self._times_in.get(recipe.name, {})
        left = self.weights_left(recipe.channels)
        layers = []
        for name, trained in self._as_trained.items():
            share = left.get(name, 1.0)
            if name in known:
                layers.append(known[name])
            elif share == 1.0:
                layers.append(trained)
            else:
                layers.append(self._estimated(name, trained, share))
        return layers

    def _estimated(self, name: str, trained: LayerTime, left: float) -> LayerTime:
        """A layer with this share of its weights. Its error: twice the scatter of all layers."""
        elastic = self.elastic.get(name, 0.0)
        scatter = trained.seconds * self._misfit * (1 - left) / TRIED
        return replace(
            trained,
            seconds=trained.seconds * (1 - elastic * (1 - left)),
            error=math.hypot(trained.error, SIGMAS * scatter),
            elements=trained.elements * left,
        )

    def noise(self, channels: Mapping[str, int]) -> Range | None:
        """Noise over signal, where groups keep so many channels.

        Noises that have nothing to do with each other add up in power, until nothing of the signal
        is left: what is predicted. Two ends bound it: the largest alone, and all in step, whose
        amplitudes add up. Where these drown the signal, there is no end: an answer may explode.
        """
        noises = [self._noise_of(group, kept) for group, kept in channels.items()]
        known = [noise for noise in noises if noise is not None]
        if not known or len(known) < len(noises):
            return None
        total = sum(known)
        in_step = sum(math.sqrt(noise) for noise in known) ** 2
        return Range(
            value=1 - math.exp(-total),
            low=min(max(known) / OF_INPUTS, MOST_SURE_NOISE),
            high=math.inf if in_step * OF_INPUTS > 1 else max(in_step * OF_INPUTS, NO_NOISE),
        )

    def _noise_of(self, group: str, kept: int) -> float | None:
        """Noise of one group that is smaller alone, between the sizes that were tried: a power of
        the share that goes."""
        rows = self.groups.get(group)
        if not rows:
            return None
        removed = rows[0].channels - kept
        if removed <= rows[0].dead:
            return 0.0
        least = 10 ** (-MOST_DB / 10)
        points = [
            (row.channels - row.kept, max(row.noise, least))
            for row in rows
            if row.noise is not None
        ]
        if not points:
            return None
        for count, noise in points:
            if count == removed:
                return noise
        nearest = sorted(points, key=lambda point: abs(point[0] - removed))[:2]
        (first, first_noise), *others = nearest
        power = 2.0
        if others:
            second, second_noise = others[0]
            power = math.log(second_noise / first_noise) / math.log(second / first)
        return float(first_noise * (removed / first) ** power)

    def predicted(self, recipe: Recipe, whole: float | None) -> tuple[Range | None, Range | None]:
        """(time, noise) of a recipe, as its groups alone let expect. whole: time as trained."""
        time = self.seconds(recipe, whole) if whole else None
        noise = self.noise(recipe.channels) if recipe.ranked_by != BATCHNORM else None
        return time, noise


def _among(row: Measurement) -> str:
    """The name of what a row was timed among."""
    return str(read_params(row.params).get(AMONG) or "")


def _median_seconds(rows: Iterable[Measurement]) -> float | None:
    """The median over these rows; None without any."""
    seconds = [row.seconds_median for row in rows if row.seconds_median]
    return median(seconds) if seconds else None


def _overhead(rows: Iterable[Measurement], provider: str) -> float | None:
    """What a run of nothing takes; None where that is not known."""
    for row in rows:
        is_overhead = row.quantity == OVERHEAD and row.backend == provider and row.status == OK
        if is_overhead and row.sweep is None and row.seconds_median:
            return row.seconds_median
    return None


def forecasts(study: ChannelStudy, points: Sequence[Point]) -> list[Forecast]:
    """What was predicted of networks with fewer channels, beside what was measured."""
    trained = next((point for point in points if is_as_trained(point.recipe)), None)
    whole = trained.seconds if trained else None
    found = []
    for point in points:
        recipe = point.recipe
        narrow = any(precision != FP32 for precision in recipe.precisions.values())
        if not recipe.channels or narrow:
            continue
        seconds, noise = study.predicted(recipe, whole)
        left = study.weights_left(recipe.channels)
        found.append(
            Forecast(
                point=point,
                share_left=sum(left.values()) / len(left) if left else 1.0,
                seconds=seconds,
                noise=noise,
                same_speed=study.is_of_speed(whole),
            )
        )
    return found


def with_forecasts(plan: Plan, study: ChannelStudy, whole: float | None) -> list[Recipe]:
    """The recipes of a plan with what is predicted of those with fewer channels.

    whole: time as trained, where the study does not know it.
    """
    predicted = []
    whole = study.whole_seconds or whole
    for recipe in plan.recipes:
        if not recipe.channels:
            predicted.append(recipe)
            continue
        seconds, noise = study.predicted(recipe, whole)
        predicted.append(
            replace(
                recipe,
                predicted_seconds=seconds.value if seconds else None,
                predicted_noise=noise.value if noise else None,
            )
        )
    return predicted


def small_layers(rows: Sequence[Measurement], provider: str) -> frozenset[str]:
    """Names of the shortest layers in FP32, which together take no more than SMALL_SHARE."""
    alone = [
        row
        for row in rows
        if row.quantity == LAYER and row.status == OK and row.facts.provider == provider
        if row.facts.precision == FP32 and row.facts.family != NETWORK and row.facts.layer
    ]
    start = start_of_run(_overhead(rows, provider), alone)
    seconds = {row.facts.layer: (row.seconds_median or start) - start for row in alone}
    left = SMALL_SHARE * sum(seconds.values())
    small = set()
    for name, own in sorted(seconds.items(), key=lambda item: item[1]):
        left -= own
        if left < 0:
            break
        small.add(name)
    return frozenset(small)


def whole_as_trained(rows: Iterable[Measurement], provider: str) -> Measurement | None:
    """The row of the network as it was trained, in FP32; None where it was not timed."""
    for row in rows:
        facts = row.facts
        is_whole = row.quantity == LAYER and facts.family == NETWORK and facts.precision == FP32
        if is_whole and facts.provider == provider and row.status == OK:
            return row
    return None
