"""How far whole networks took other than the sum of their stages, timed alone, says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from probes.records.measurement import RidgelineError

BORDERS = "borders"
"""Name of the part of a network that all its conversions are; other parts are its stages in one
precision, by its name."""
FEWEST_RECIPES = 4
"""Fewest timed recipes that factors are found from."""
FACTORS = {BORDERS: (0.5, 20.0)}
OTHER_FACTORS = 0.2, 5.0
"""The least and the largest factor of a part. Conversions in a network cost more than alone: they
end fusions, and two threads meet twice more."""
PULL = 0.03
"""Weight of a factor's distance from 1, beside a recipe's relative error: of two parts that come
together in all recipes, it shares the blame."""


class TimedParts(NamedTuple):
    """A recipe that was timed as a whole."""

    parts: Mapping[str, float]
    """Seconds of each part of it, as its stages and conversions took alone."""
    seconds: float
    """What the whole took."""


def factors(recipes: Sequence[TimedParts]) -> dict[str, float]:
    """The factor of each part by which the sum of parts comes nearest to what wholes took.

    By least squares of relative errors, with bounds. Returns nothing for too few recipes. Raises
    RidgelineError if scipy is missing.
    """
    if len(recipes) < FEWEST_RECIPES:
        return {}
    try:
        import numpy as np
        from scipy.optimize import lsq_linear
    except ImportError:
        raise RidgelineError('scipy is missing: pip install -e ".[plan]"') from None
    names = sorted({name for recipe in recipes for name in recipe.parts})
    shares = [
        [recipe.parts.get(name, 0.0) / recipe.seconds for name in names] for recipe in recipes
    ]
    pulls = PULL * np.eye(len(names))
    bounds = [FACTORS.get(name, OTHER_FACTORS) for name in names]
    least, most = zip(*bounds, strict=True)
    solution = lsq_linear(
        np.vstack([np.array(shares), pulls]),
        np.concatenate([np.ones(len(recipes)), PULL * np.ones(len(names))]),
        bounds=(least, most),
    )
    return {name: float(factor) for name, factor in zip(names, solution.x, strict=True)}
