"""How all pictures look: colours, sizes of type, and the settings of matplotlib.

What matplotlib has a setting for stands in ``ridgeline.mplstyle``, all else here.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from probes.records.measurement import RidgelineError

STYLE_FILE = Path(__file__).with_name("ridgeline.mplstyle")

PRECISIONS = {
    "fp64": ("#0072B2", "s"),
    "fp32": ("#D55E00", "o"),
    "tf32": ("#E69F00", "D"),
    "fp16": ("#009E73", "^"),
    "bf16": ("#CC79A7", "v"),
    "fp8": ("#56B4E9", "P"),
    "int32": ("#555555", "h"),
    "int8": ("#000000", "X"),
    "int4": ("#8A6D3B", "*"),
}
"""Colour and marker of each precision.

Okabe and Ito's colours, told apart by colour-blind readers; in grey the marker and the label tell.
"""
CATEGORIES = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A6D3B",
    "#000000",
    "#6A51A3",
    "#999999",
)
"""Colours of things that are no precisions, in the order in which they are taken."""
MARKERS = "osD^vPXh*<>pd8"
"""Their markers, so that they differ in grey, too."""

SLOPE = "#333333"
"""Grey of the roofs of memory and their names."""
KEY = "#444444"
"""Grey of a marker in a key, where the colour means something else."""
SOFT = "#555555"
"""Grey of words that are read second."""
FAINT = "#757575"
"""Grey of captions, and of lines that only guide the eye."""
PANEL = "#F7F7F7"
"""Grey behind axes that are no roofline."""
MEMORY_ZONE, ARITHMETIC_ZONE = "#E8F0F7", "#FDF6E7"
"""Behind the intensities at which memory decides, and arithmetic; in grey one is darker."""

HEADING = 12.0
"""Size of a title, in points."""
AXIS_NAME = 9.5
"""Size of the names of axes that stand in little room, in points."""
UNDER_HEADING = 9.0
"""Size of the line under a title, in points."""
SMALL = 9.0
"""Size of all other words, in points: ``font.size`` in the style file."""
LINE_HEIGHT = 1.35
"""Distance of two lines of words, in the size of their type."""

INK = 0.62
"""What is left of a colour in text: even the lightest then has a contrast of 4.5."""

Ink = tuple[float, float, float]
"""Red, green and blue of text, each from 0 to 1."""


def colour_of(dtype: str) -> str:
    """The colour of a precision; a grey for one that has none."""
    colour, _ = PRECISIONS.get(dtype, (SOFT, "o"))
    return colour


def ink(colour: str) -> Ink:
    """A colour dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return INK * red, INK * green, INK * blue


def halo() -> dict[str, Any]:
    """A white box behind text (its ``bbox``), so that lines beneath do not strike it through.

    A white outline would do the same, but text with one is no text in an SVG.
    """
    return {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}


def tie(
    colour: str,
    shrink: tuple[float, float] = (1, 0),
    corner: tuple[float, float] | None = None,
    width: float = 0.7,
) -> dict[str, Any]:
    """Properties of the thin line from a word to the point that it names.

    shrink: points left free at the word and at the point. corner: where on the word's box the line
    begins, as fractions of the box; without it matplotlib chooses.
    """
    properties: dict[str, Any] = {
        "arrowstyle": "-",
        "color": colour,
        "linewidth": width,
        "shrinkA": shrink[0],
        "shrinkB": shrink[1],
    }
    if corner is not None:
        properties["relpos"] = corner
    return properties


@contextmanager
def in_our_style() -> Iterator[None]:
    """Draw within it in our style, whatever the user has set up; their settings come back after it.

    Warnings are silent: a setting may be on its way out of matplotlib, and a layer may be named in
    letters that no font has. Raises RidgelineError if matplotlib does not start.
    """
    matplotlib = _matplotlib()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with matplotlib.rc_context(settings()):
            yield


def settings() -> dict[str, Any]:
    """Every setting of matplotlib: its own default, or what the style file says.

    A ``matplotlibrc`` of the user may ask for anything, such as LaTeX. The backend is left out:
    matplotlib would look for it, and no picture here needs one.
    """
    matplotlib = _matplotlib()
    defaults = {name: matplotlib.rcParamsDefault[name] for name in matplotlib.rcParamsDefault}
    defaults.pop("backend", None)
    ours = matplotlib.rc_params_from_file(
        STYLE_FILE, fail_on_error=True, use_default_template=False
    )
    return {**defaults, **ours}


def _matplotlib() -> Any:
    """The package, told to say nothing of files and fonts that it cannot use.

    Raises RidgelineError where it reads a ``matplotlibrc`` that is no text.
    """
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib
    except (OSError, ValueError) as error:
        raise RidgelineError(
            f"matplotlib does not start: {error}; is there a file matplotlibrc here?"
        ) from None
    return matplotlib
