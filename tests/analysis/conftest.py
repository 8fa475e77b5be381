"""Tests look at figures in our style, as the program draws them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from analysis.draw.style import settings


@pytest.fixture(scope="package", autouse=True)
def our_style() -> Iterator[None]:
    """Our settings of matplotlib, for figures that are not drawn by ``analysis.draw.files``."""
    matplotlib: Any = importlib.import_module("matplotlib")
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some settings are on their way out of matplotlib
            stack.enter_context(matplotlib.rc_context(settings()))
        yield
