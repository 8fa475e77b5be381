"""The layers of a run on a terminal: those that take most of the time, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.draw.labels import cut
from analysis.layers.groups import LayerSweep, Network
from analysis.layers.placement import Placement, set_of
from analysis.layers.words import headline, saturated, sentence_on_unknown, unknown
from analysis.tell.columns import in_words
from analysis.tell.layer_columns import LAYERS_ON_TERMINAL

MOST_LINES = 20
"""Of the table."""
LONGEST_NAME = 44
"""Letters of a layer's name."""


def cells_of_layers(layers: Sequence[Placement], most: int = MOST_LINES) -> list[list[str]]:
    """Cells of the longest layers of every network or sweep, in the order of the columns.

    Layers are called by their network or sweep, too.
    """
    shown = longest_of_each(layers, most)
    names = cut([f"{set_of(layer)}: {layer.layer}" for layer in shown], LONGEST_NAME)
    renamed = [replace(layer, layer=name) for layer, name in zip(shown, names, strict=True)]
    return [in_words(LAYERS_ON_TERMINAL, layer) for layer in renamed]


def longest_of_each(layers: Sequence[Placement], most: int) -> list[Placement]:
    """Of every network or sweep as many layers, ``most`` in all: those that take longest.

    Networks and sweeps keep their order; the longest layer of each comes first.
    """
    import pandas

    names = [set_of(layer) for layer in layers]
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    table = pandas.DataFrame(
        {
            "set": [order[name] for name in names],
            "seconds": [layer.seconds for layer in layers],
        }
    )
    table = table.sort_values("seconds", ascending=False, kind="stable")
    table["turn"] = table.groupby("set").cumcount()
    chosen = table.sort_values(["turn", "set"]).head(most).sort_values(["set", "turn"])
    return [layers[i] for i in chosen.index]


def sentences(
    layers: Sequence[Placement], networks: Sequence[Network], sweeps: Sequence[LayerSweep]
) -> list[str]:
    """What follows the table: where all layers are, headlines of networks, and the sweeps."""
    said = []
    if len(layers) > MOST_LINES:
        said.append(f"… all {len(layers)} layers in placements.csv")
    for net in networks:
        said.append(headline(net))
        if unknown(net.layers):
            said.append(sentence_on_unknown(net))
    said += saturated(layers)
    return said + sweeps_told(sweeps)


def sweeps_told(sweeps: Sequence[LayerSweep]) -> list[str]:
    """A sentence on which sweeps over layers there are; none without any."""
    if not sweeps:
        return []
    names = ", ".join(f"{sweep.name} ({len(sweep.layers)})" for sweep in sweeps)
    return [f"Sweeps over layers: {names}."]
