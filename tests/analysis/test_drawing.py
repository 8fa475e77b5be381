"""Figures drawn side by side are the figures drawn one after another, to the byte."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any

import pytest

from analysis import drawing
from analysis.ceilings import ceilings
from analysis.plot import figure
from analysis.roofline import roofline
from tests.devices import GPU, measurement

MODEL = roofline(ceilings([measurement("bandwidth/dram/copy", 4e12), measurement("compute/fp32", 6e13)], GPU).values())


def figures(count: int) -> dict[str, Any]:
    return {f"{n}": partial(figure, MODEL, [], f"device {n} for $5", "", (4 + n / 8, 3)) for n in range(count)}


def test_side_by_side_is_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    some = figures(drawing.ALONE + 1)
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    together = drawing.drawn(some)
    monkeypatch.setattr(drawing, "_cores", lambda: 1)
    assert together == drawing.drawn(some)
    assert list(together) == list(some)
    assert len(set(together.values())) == len(some)


def waiting() -> bool:
    """Whether interrupts wait in this process."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def drawn_apart(make: Any) -> Any:
    """A figure, in a process that Ctrl-C leaves alone."""
    assert waiting()
    return make()


def test_an_interrupt_of_a_terminal_is_for_the_program_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    some = {name: partial(drawn_apart, make) for name, make in figures(drawing.ALONE + 1).items()}
    assert len(drawing.drawn(some)) == len(some)
    assert not waiting()


def test_few_figures_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "ProcessPoolExecutor", lambda *_: pytest.fail("a process"))
    assert len(drawing.drawn(figures(drawing.ALONE))) == drawing.ALONE


def test_where_no_process_can_start_all_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise OSError("no semaphores here")

    monkeypatch.setattr(drawing, "ProcessPoolExecutor", refused)
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    some = figures(drawing.ALONE + 1)
    assert list(drawing.drawn(some)) == list(some)
