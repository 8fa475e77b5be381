"""The page's section on pruning: what to prune, whole networks, patterns, and 2:4 in each layer."""

from __future__ import annotations

from analysis.draw.sparsity.pictures import CHANNELS, FRONT, LAYERS, PATTERNS
from analysis.outcome import PruneOutcome
from analysis.tell.channel_columns import FORECASTS_ON_PAGE, GROUPS_ON_PAGE
from analysis.tell.on_plan import on_missing
from analysis.tell.page.markup import folded, heading, paragraph
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import table_of
from analysis.tell.plan_columns import RECIPES_ON_PAGE, fastest_first
from analysis.tell.prune_columns import FORMULAS, SPARSE_ON_PAGE, TRIALS_ON_PAGE
from analysis.units import unbroken

LAYERS_NOTE = (
    "L1 kept: share of the sum of magnitudes that 2:4 leaves. SQNR: signal to noise with this "
    "layer alone in 2:4, at its own output and at the network's. Predicted: with a kernel that "
    "skips the zeros, as far as the measured roofs allow. sparse.csv has all of it, patterns.csv "
    "every pattern."
)


CHANNELS_NOTE = (
    "Layers that one sum, product or depthwise convolution ties lose the same channels. SQNR: "
    "signal to noise at the network's outputs, before any training. Time: of all layers that the "
    "group touches, each alone, over what they take as trained. channels.csv has all of it."
)


def pruning_section(pruning: PruneOutcome, stills: Stills, most_rows: int) -> str:
    """Sentences, whole networks and pictures; layers are folded away.

    most_rows: layers that the table holds; sparse.csv has all.
    """
    sentences = [*pruning.sentences, *on_missing(pruning.missing)]
    parts = [paragraph(unbroken(text)) for text in sentences]
    count = sum(point.timed for point in pruning.points)
    parts.append(stills.show(FRONT, f"{count} networks, pruned or not: time against loss"))
    parts.append(_channels(pruning, stills, most_rows))
    parts.append(_patterns(pruning, stills))
    parts.append(_networks(pruning))
    parts.append(_layers(pruning, stills, most_rows))
    return f'<div class="plan">{"".join(parts)}</div>'


def _channels(pruning: PruneOutcome, stills: Stills, most_rows: int) -> str:
    """Networks with fewer channels, and each group that is smaller alone, folded away."""
    study = pruning.channels
    if study is None or not study.cut:
        return ""
    picture = stills.show(CHANNELS, "Fewer channels: error against time, groups and networks")
    table = table_of(f"{pruning.network} with fewer channels", FORECASTS_ON_PAGE, pruning.forecasts)
    rows = study.curves[:most_rows]
    groups = paragraph(CHANNELS_NOTE, "soft")
    groups += table_of(f"Groups of channels of {pruning.network}", GROUPS_ON_PAGE, rows)
    title = f"{len(study.groups)} groups of channels, each smaller alone"
    return heading(3, "Fewer channels") + picture + table + folded(title, groups)


def _patterns(pruning: PruneOutcome, stills: Stills) -> str:
    """What each pattern makes of the whole network; nothing before that is known."""
    study = pruning.sparsity
    if study is None or not study.outcomes:
        return ""
    picture = stills.show(PATTERNS, "Loss, and bytes of weights, by pattern and share of zeros")
    formulas = "; ".join(f"{name}: {formula}" for name, formula in FORMULAS.items())
    note = (
        "Bytes with index: of all weights, over those of the dense ones. R rows and K columns keep "
        f"n numbers of b bytes, in B blocks of r x c. {formulas}."
    )
    table = table_of(f"Patterns of zeros in {pruning.network}", TRIALS_ON_PAGE, study.outcomes)
    return heading(3, "Patterns of zeros") + picture + paragraph(note, "soft") + table


def _networks(pruning: PruneOutcome) -> str:
    """The table of all whole networks, folded away; nothing before there are some."""
    if not pruning.points:
        return ""
    rows = fastest_first(pruning.points)
    table = table_of(f"Networks made of {pruning.network}", RECIPES_ON_PAGE, rows)
    return folded(f"{len(rows)} networks, pruned or in lower precision", table)


def _layers(pruning: PruneOutcome, stills: Stills, most_rows: int) -> str:
    """2:4 in each layer: the picture, and a line for each folded away."""
    study = pruning.sparsity
    if study is None or not study.verdicts:
        return ""
    picture = stills.show(LAYERS, "2:4 in each layer: gain that roofs allow, by intensity")
    rows = study.verdicts[:most_rows]
    table = paragraph(LAYERS_NOTE, "soft")
    table += table_of(f"2:4 in the layers of {pruning.network}", SPARSE_ON_PAGE, rows)
    count = len({verdict.row.layer for verdict in study.verdicts})
    title = "1 layer" if count == 1 else f"{count} layers"
    return heading(3, "2:4, layer by layer") + picture + folded(title, table)
