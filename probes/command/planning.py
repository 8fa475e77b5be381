"""What ``--plan`` asks for: a network as it deploys, real inputs, and recipes to time."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Unavailable, Work
from kernels.device import Device
from kernels.onnx import cut
from kernels.onnx.graph import graph_of
from kernels.onnx.protos import copy_of
from kernels.onnx.work import work_of
from kernels.precision.apply import applied, ready
from kernels.precision.audit import Flaw, audit, floats_of, precisions_of
from kernels.precision.clean import cleaned
from kernels.precision.opened import opened
from kernels.precision.stages import Stage, stages
from kernels.pruning.cut import cut as cut_out
from kernels.pruning.groups import Channels
from kernels.pruning.scales import scales_of
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import session
from kernels.runtime.inputs import Chosen
from kernels.runtime.patience import SECONDS
from kernels.sparsity.patterns import trials
from probes.accuracy.inputs import Inputs, read_inputs
from probes.accuracy.pattern_errors import masked_model
from probes.accuracy.smaller import Layers
from probes.accuracy.split import Split, split
from probes.accuracy.study import Study
from probes.command import network
from probes.command.options import PRECISION, PRUNE, only_batch
from probes.harness import interrupts
from probes.harness.case import Case, Probe
from probes.records.measurement import OK, RidgelineError
from probes.records.patterns import TWO_OF_FOUR, PatternRow
from probes.records.precision import MOST_DB, ErrorRow, Plan, Recipe
from probes.records.tag import RECIPE, Tag
from probes.sparse_gemm import Size, of_layers

LOSS = 0.01
"""The most that may be lost, where ``--loss`` says nothing."""
FORM = {"cpu": "u8s8", "cuda": "s8s8", "tensorrt": "s8s8"}
"""How integers are written for a provider: see kernels.precision.quantize.FORMS."""
ERRORS_IN = {"cpu": ("int8",), "cuda": ("int8", "fp16")}
"""Precisions whose error is asked of each stage, by kind of device."""
TOLERANCE = {**network.WHOLE_TOLERANCE, "int8": 0.5}
"""As of any whole network, but for INT8: the noise that is fed leaves scores near a tie, which one
step of an integer, rounded otherwise by a fused kernel, may turn. Errors are found elsewhere."""
TEST_FLOPS = 2e12
"""Operations of all test inputs in one recipe: some 250 images of ResNet-50, which take half a
minute on two cores."""
LEAST_TESTS = 64
MOST_FLAWS = 4
"""Of stored Q/DQ nodes, that are told."""
ANSWERS_OVERFLOW = "its answers are no numbers: a result inside is beyond what its precision holds"
AS_STORED = "as stored"
"""Name of the recipe that a network with Q/DQ nodes came with."""
SESSIONS = 9
"""Turns of each recipe of a small network on a CPU, each a session of its own: they have several
speeds, by how their threads happen to meet, and one session keeps to one of them for life. The
medians of nine have an interval that leaves out their extremes."""
SESSIONS_IF_ALIKE = 3
"""The same of a large network, and on a GPU, where sessions differ by a few per cent and take a
second to make."""
LARGE_FLOPS = 1e9
"""Of one run on a CPU, from which sessions differ little."""
MOST_PRODUCTS = 12
"""Sizes of products that are timed dense and sparse."""
PLACES_STEP = 16
"""Places of an output are rounded up to a multiple of this: sparse products take no others."""
PRODUCTS_QUESTION = "How much faster are products of its layers' sizes with 2:4 sparse weights?"
QUESTION = "How long does the network take with a precision for each of its stages?"


@dataclass
class Planning:
    """A network to plan for."""

    asked: network.Asked
    """The network as it deploys, in floats, in a file that is gone when the program ends."""
    model: Any
    """The same as a ModelProto, with all weights."""
    inputs: Inputs
    """Real inputs."""
    split: Split
    """Which of them calibrate, rank and test."""
    loss: float
    """The most that may be lost, as a share."""
    folder: tempfile.TemporaryDirectory[str]
    """Holds the file of ``asked``."""
    parts: Sequence[str] = (PRECISION,)
    """What is to be found: of ``PLAN_PARTS``."""
    stored: Any = None
    """The ModelProto with the Q/DQ nodes that it came with; None if it came without."""
    flaws: Sequence[Flaw] = ()
    """What is wrong with where those stand."""
    scales: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Of normalisations that were merged into layers, by what the layer leaves."""

    @cached_property
    def stages(self) -> list[Stage]:
        """What can have a precision of its own, in the network's order."""
        return stages(self.asked.graph)

    @cached_property
    def newer(self) -> Any:
        """The ModelProto in an opset that has INT8, if onnx can bring it there."""
        return ready(self.model)

    def study(self, provider: str) -> Study:
        """What finds errors, of integers as this provider takes them.

        Raises RidgelineError where the network cannot be run, or labels do not fit its answers.
        """
        return Study(
            self.asked.name,
            self.model,
            self.stages,
            self.inputs,
            self.split,
            FORM[provider],
            newer=self.newer,
        )

    def check(self, on_input: Callable[[int, int], None]) -> None:
        """Raise RidgelineError now for what a study would find wrong after layers were timed.

        The network is run once, its labels are held against its answers, and all inputs that will
        be fed are read. on_input: told how many of them are done, of how many.
        """
        self.study("cpu").rest()
        indices = sorted({*self.split.calibration, *self.split.ranking, *self.split.test})
        for done, index in enumerate(indices):
            interrupts.check()
            on_input(done, len(indices))
            self.inputs.feeds(index)
        on_input(len(indices), len(indices))

    @property
    def stored_recipe(self) -> Recipe | None:
        """The precisions that the network came with; None if it came in floats."""
        if self.stored is None:
            return None
        return Recipe(name=AS_STORED, precisions=precisions_of(self.stored, self.stages))

    def path_of(self, recipe: Recipe) -> Path:
        """Where ``file_of`` keeps the network by a recipe."""
        return Path(self.folder.name) / f"{recipe.slug}.recipe.onnx"

    def file_of(self, recipe: Recipe, plan: Plan) -> Path:
        """The file of the network by a recipe, which is made once.

        Raises Unavailable where the recipe cannot be followed.
        """
        path = self.path_of(recipe)
        if not path.exists():
            self.kept_model_of(recipe, plan)
        return path

    def kept_model_of(self, recipe: Recipe, plan: Plan) -> Any:
        """The same as ``model_of``, which is kept as ``file_of`` does, to be timed later."""
        model = self.model_of(recipe, plan)
        path = self.path_of(recipe)
        if not path.exists():
            _save(model, path)
        return model

    def model_of(self, recipe: Recipe, plan: Plan) -> Any:
        """The ModelProto that a recipe of a plan makes of the network.

        Raises Unavailable where the recipe cannot be followed.
        """
        if recipe.name == AS_STORED:
            return self.stored
        is_lower = narrowest(recipe) != "fp32"
        model, its_stages = self.with_weights(recipe, self.newer if is_lower else self.model)
        return applied(
            model,
            its_stages,
            recipe.precisions,
            plan.ranges,
            form=FORM[plan.provider],
            granularity=plan.granularity,
        )

    def smaller_model(self, recipe: Recipe) -> Any:
        """The ModelProto in FP32 without the channels that a recipe cuts out.

        Raises Unavailable where they cannot be cut out.
        """
        model, _ = self.with_weights(recipe, self.model)
        return model

    def operations_of(self, recipe: Recipe, device: Device) -> int | None:
        """How many operations the runtime makes of the network without some channels.

        None where it is not known: on a GPU a captured graph hides them.
        """
        if device.kind != "cpu":
            return None
        try:
            launch = session.build(
                self.smaller_model(recipe),
                "fp32",
                "cpu",
                device,
                None,
                chosen=Chosen(self.asked.chosen.values, self.asked.chosen.shapes),
                seconds=self.asked.seconds,
                any_type=True,
            )
        except Unavailable:
            return None
        try:
            return int(launch.audit(Work()).facts["launches"])
        finally:
            launch.close()

    @cached_property
    def channels(self) -> Channels:
        """Which channels can be cut out together."""
        return Channels(self.model, self.scales)

    def with_weights(self, recipe: Recipe, model: Any) -> tuple[Any, list[Stage]]:
        """The network with the weights of a recipe, and its stages.

        model: the network, in one opset or another. Raises Unavailable where there are none of that
        name.
        """
        name = recipe.weights
        if not name:
            return model, self.stages
        if recipe.channels:
            smaller = cut_out(self.channels, recipe.channels, recipe.ranked_by)
            return smaller, stages(graph_of(copy_of(smaller)))
        for trial in trials():
            if trial.name == name:
                return masked_model(model, self.stages, trial), self.stages
        raise Unavailable(f"nothing makes weights that are called {name!r}")

    def smaller_layers(
        self, ran: Mapping[str, int], small: frozenset[str], device: Device
    ) -> Layers:
        """What layers with fewer channels are collected in; empty at first.

        ran: how often each operation ran in the network as trained, by the runtime's name. small:
        layers whose time hardly counts.
        """
        asked = self.asked
        chosen = Chosen(asked.chosen.values, asked.chosen.shapes)
        whole = self.timed_network(asked.path, "fp32")
        return Layers(
            asked.name,
            chosen,
            asked.seconds,
            whole,
            ran=ran,
            small=small,
            makes_quickly=device.kind == "cpu",
        )

    def timed_network(self, path: Path, dtype: str) -> layer_kernel.TimedLayer:
        """The whole network in a file, to be timed. dtype: its narrowest type."""
        asked = self.asked
        return layer_kernel.TimedLayer(
            "network",
            partial(_load, path),
            dtype,
            TOLERANCE,
            asked.graph,
            stored=True,
            chosen=Chosen(asked.chosen.values, asked.chosen.shapes),
            seconds=asked.seconds,
            inner_bytes=asked.graph.inner_bytes(),
            keep_model=True,
        )


def read(args: argparse.Namespace) -> Planning | None:
    """The network to plan for; None without ``--plan``.

    Raises RidgelineError for anything that is missing or does not fit.
    """
    _check(args)
    if not args.plan:
        return None
    if reason := session.missing("cpu"):
        raise RidgelineError(f"nothing can be planned: {reason}")
    folder = tempfile.TemporaryDirectory(prefix="ridgeline-")
    first = network.Asked(args.model, dict(args.shape), only_batch(args))
    first.check()
    try:
        source = cut.network_model(args.model, dict(args.shape), only_batch(args), may_invent=False)
        stored = None
        flaws: Sequence[Flaw] = ()
        if first.stored == "int8":
            stored = opened(source)
            flaws = audit(graph_of(copy_of(stored)))
            source = floats_of(stored)
        elif first.stored != "fp32":
            raise RidgelineError(
                f"{args.model} is stored in {first.stored}: give --plan the FP32 network"
            )
        model = cleaned(source)
        scales = scales_of(source) if PRUNE in args.plan else {}
    except Unavailable as error:
        raise RidgelineError(f"{args.model}: {error}") from None
    path = Path(folder.name) / args.model.name
    _save(model, path)
    asked = network.Asked(
        path=path,
        shapes=dict(args.shape),
        batch=only_batch(args),
        precisions=args.precision,
        values=dict(args.input),
        seconds=args.layer_seconds or SECONDS,
        planned=PRECISION in args.plan,
        pruned=PRUNE in args.plan,
    )
    asked.check()
    needed = asked.graph.inputs
    names = {tensor.name for tensor in needed}
    inputs = read_inputs(
        args.data,
        needed,
        args.preprocess,
        args.labels,
        fixed=asked.chosen.values,
        idle={tensor.name for tensor in first.graph.inputs} - names,
    )
    return Planning(
        asked=asked,
        model=model,
        inputs=inputs,
        split=split(inputs, args.calibration, args.ranking, args.test or most_tests(asked)),
        loss=LOSS if args.loss is None else args.loss,
        folder=folder,
        parts=args.plan,
        stored=stored,
        flaws=flaws,
        scales=scales,
    )


def sessions(planning: Planning, device: Device) -> int:
    """How many sessions of each recipe are timed."""
    are_alike = device.kind == "cuda" or _flops(planning.asked) >= LARGE_FLOPS
    return SESSIONS_IF_ALIKE if are_alike else SESSIONS


def most_tests(asked: network.Asked) -> int:
    """The most inputs that test recipes of this network, unless more are asked for."""
    return max(LEAST_TESTS, round(TEST_FLOPS / max(1.0, _flops(asked))))


def _flops(asked: network.Asked) -> float:
    """Operations of one run, as far as they are known."""
    flops = [work_of(node).flops for node in asked.graph.nodes]
    return sum(count or 0.0 for count in flops)


def _check(args: argparse.Namespace) -> None:
    """Raise RidgelineError for options of a plan that have no effect, or lack another."""
    if not args.plan:
        for option in ("data", "preprocess", "labels", "loss", "calibration", "ranking", "test"):
            if getattr(args, option) is not None:
                raise RidgelineError(f"--{option} is of a plan: give --plan with it")
        return
    if not args.model:
        raise RidgelineError("--plan is of a network: give it with --model NET.onnx")
    if args.calibration is not None and PRECISION not in args.plan:
        raise RidgelineError(
            "--calibration sets ranges of integers, and pruning has none: leave it out, or give "
            "--plan prune,precision"
        )
    if args.imported:
        raise RidgelineError("--plan runs the network here: leave --import out")
    if not args.data:
        raise RidgelineError(
            "--plan needs real inputs, of noise nothing follows: give --data INPUTS.npz, or a "
            "folder of images"
        )


def _save(model: Any, path: Path) -> None:
    """Write a ModelProto. Raises RidgelineError where there is no room for it."""
    import onnx

    try:
        onnx.save(model, str(path))
    except (OSError, ValueError) as error:  # protobuf holds up to 2 GB
        raise RidgelineError(f"{path.name}: the cleaned network cannot be kept: {error}") from None


def provider_of(device: Device) -> str:
    """The provider that is planned for: TensorRT where it is installed."""
    return session.providers(device)[-1]


def with_stored(planning: Planning, plan: Plan) -> Plan:
    """The plan with the recipe that the network came with, if it came with Q/DQ nodes."""
    stored = planning.stored_recipe
    return replace(plan, recipes=[*plan.recipes, stored]) if stored else plan


def flaws_in_words(planning: Planning) -> list[str]:
    """What is wrong with where the Q/DQ nodes stand that the network came with: some sentences."""
    flaws = sorted(planning.flaws, key=lambda flaw: flaw.is_hint)
    sentences = [f"Q/DQ nodes as stored: {flaw.sentence}" for flaw in flaws[:MOST_FLAWS]]
    if len(flaws) > MOST_FLAWS:
        sentences.append(f"Q/DQ nodes as stored: {len(flaws) - MOST_FLAWS} more flaws")
    return sentences


def recipes(
    planning: Planning, plan: Plan, of: Sequence[Recipe], errors: Sequence[ErrorRow]
) -> Probe:
    """The probe that times the whole network by each of these recipes of the plan.

    errors: what is known of their answers; those that are no numbers are not timed.
    """
    cases = partial(_cases, planning, plan, of, overflowing(errors))
    return Probe("recipes", QUESTION, cases, default=False)


def products(planning: Planning, rows: Iterable[PatternRow]) -> Probe | None:
    """The probe that times the products that layers are, dense and sparse; None without any.

    Of layers of one size the first is named; the largest ``MOST_PRODUCTS`` are asked.
    """
    sizes: dict[tuple[int, int, int], Size] = {}
    for row in rows:
        m, n, k = row.rows, row.written_elements // row.rows, row.columns
        if row.pattern != TWO_OF_FOUR or row.status != OK or row.groups > 1 or not n:
            continue
        n = PLACES_STEP * -(-n // PLACES_STEP)
        sizes.setdefault((m, n, k), Size(row.layer, m, n, k))
    largest = sorted(sizes.values(), key=lambda size: size.m * size.n * size.k, reverse=True)
    chosen = largest[:MOST_PRODUCTS]
    if not chosen:
        return None

    def cases(device: Device) -> Iterator[Case]:
        yield from of_layers(device, planning.asked.name, chosen)

    return Probe("products", PRODUCTS_QUESTION, cases, default=False)


def overflowing(errors: Iterable[ErrorRow]) -> frozenset[str]:
    """Names of the recipes that answer infinities or NaN where FP32 does not."""
    return frozenset(
        row.recipe
        for row in errors
        if row.recipe and row.sqnr_db is not None and row.sqnr_db <= -MOST_DB
    )


def _cases(
    planning: Planning,
    plan: Plan,
    of: Sequence[Recipe],
    overflowing: Container[str],
    device: Device,
) -> Iterator[Case]:
    for recipe in of:
        skip = ANSWERS_OVERFLOW if recipe.name in overflowing else ""
        yield _case(planning, plan, recipe, device, skip)


def _case(planning: Planning, plan: Plan, recipe: Recipe, device: Device, skip: str = "") -> Case:
    """The case of the whole network by one recipe. skip: why it needs no time."""
    asked = planning.asked
    dtype = narrowest(recipe)
    try:
        planning.file_of(recipe, plan)
    except Unavailable as error:
        skip = str(error)
    timed = planning.timed_network(planning.path_of(recipe), dtype)
    params = {
        "network": asked.name,
        "recipe": recipe.name,
        "provider": plan.provider,
        "precision": dtype,
    }
    tag = Tag(RECIPE, recipe.slug)
    return Case(timed.kernel(plan.provider), dtype, plan.provider, tag, params, skip)


def _load(path: Path) -> Any:
    """The ModelProto in a file."""
    import onnx

    return onnx.load(str(path))


def narrowest(recipe: Recipe) -> str:
    """The precision of a recipe that differs most from FP32, which allows for its error."""
    precisions = set(recipe.precisions.values())
    for precision in ("int8", "fp8", "bf16", "fp16"):
        if precision in precisions:
            return precision
    return "fp32"


def emit(planning: Planning, plan: Plan, folder: Path) -> Path:
    """Write the network by the chosen recipe into a run's folder; returns its path.

    Raises OSError.
    """
    import onnx

    recipe = plan.recipe(plan.chosen)
    model = planning.model_of(recipe, plan)
    # metadata are texts: the plan itself is the evidence
    facts = replace(plan, recipes=[recipe]).as_json()
    entry = model.metadata_props.add()
    entry.key, entry.value = "ridgeline.plan", facts
    ending = "pruned" if recipe.weights else "plan"
    path = folder / f"{planning.asked.name}.{ending}.onnx"
    part = path.with_name(f"{path.name}.part")
    try:
        onnx.save(model, str(part))
        part.replace(path)
    except BaseException:  # half a network takes room, and is of no use
        part.unlink(missing_ok=True)
        raise
    return path
