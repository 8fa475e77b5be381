"""All that is found of a pruned network. It is on disk after each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kernels.base import Unavailable
from kernels.onnx.protos import copy_of
from kernels.pruning.groups import Channels
from kernels.sparsity.patterns import trials
from probes.accuracy.channel_errors import smaller_networks
from probes.accuracy.pattern_errors import layers as layers_of
from probes.accuracy.pattern_errors import pattern_rows
from probes.accuracy.session import Console, recipe_rows, steps
from probes.accuracy.smaller import Layers
from probes.accuracy.study import Study
from probes.records.channels import CHANNELS_FILE, ChannelRow
from probes.records.measurement import OK
from probes.records.patterns import PATTERNS_FILE, PatternRow
from probes.records.precision import ErrorRow, Plan, Recipe
from probes.records.pruning import PRUNE_ERRORS_FILE, Pruning
from probes.records.run import csv_text, replace_file

MOST_UNSAVED = 64
"""Rows of patterns that are found before they are written: a file of thousands takes a while."""


def measure_patterns(study: Study, folder: Path, console: Console) -> Pruning:
    """Find what each pattern makes of each layer. Raises OSError where files cannot be written."""
    known = Pruning()
    if not layers_of(study):
        console.note("  no layer has stored weights that could become zero")
        return known
    with console.counting("zeros in the weights of each layer") as count:
        for row in pattern_rows(study, trials(), steps(count)):
            known.patterns.append(row)
            if len(known.patterns) % MOST_UNSAVED == 0:
                _save_patterns(known, folder)
    _save_patterns(known, folder)
    return known


def _save_patterns(known: Pruning, folder: Path) -> None:
    replace_file(folder / PATTERNS_FILE, csv_text(known.patterns, PatternRow))


def measure_channels(
    study: Study,
    channels: Channels,
    known: Pruning,
    layers: Layers,
    folder: Path,
    console: Console,
) -> None:
    """Cut each group of channels alone, and find its error; the layers are kept to be timed.

    Raises OSError where files cannot be written.
    """
    if not channels.groups:
        console.note("  no channels can be cut out")
    is_any = False
    with console.counting("errors of smaller groups of channels") as count:
        for smaller in smaller_networks(study, channels, steps(count)):
            known.channels.append(smaller.row)
            replace_file(folder / CHANNELS_FILE, csv_text(known.channels, ChannelRow))
            if smaller.is_timed and smaller.row.status == OK:
                is_any = True
                layers.add_group(smaller.model, smaller.row)
    if is_any:
        layers.add_trained(copy_of(study.model))


def add_layers(
    layers: Layers, recipes: Sequence[Recipe], model_of: Callable[[Recipe], Any]
) -> None:
    """Ask for the layers of these recipes. model_of: as of ``measure_pruned``.

    A recipe that cannot be followed has none.
    """
    for recipe in recipes:
        with suppress(Unavailable):
            layers.add_recipe(copy_of(model_of(recipe)), recipe.name)


def measure_pruned(
    study: Study,
    known: Pruning,
    plan: Plan,
    recipes: Sequence[Recipe],
    which: str,
    model_of: Callable[[Recipe], Any],
    folder: Path,
    console: Console,
) -> None:
    """Find the error of whole networks by these recipes, on the inputs that rank or test.

    model_of: makes the ModelProto of a recipe, or raises Unavailable. Raises OSError.
    """

    def method_of(recipe: Recipe) -> str:
        return plan.method if recipe.precisions else ""

    with console.counting(f"errors of pruned networks, {which} inputs") as count:
        for row in recipe_rows(study, plan, recipes, [which], model_of, method_of, count):
            known.errors.append(row)
            replace_file(folder / PRUNE_ERRORS_FILE, csv_text(known.errors, ErrorRow))
