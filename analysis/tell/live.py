"""What a user sees while a run goes on: the last results, the round, and the time that is left.

A terminal shows them in place. Where lines stay, as in a pipe, each case has one.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from analysis.model.ceilings import ceilings
from analysis.naming import name_of_row
from analysis.tell.output import plain
from analysis.units import si, unit_of, whole_percent
from kernels.device import Device
from probes.records.given import shortened
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.tag import OF_NETWORKS, Tag

LAST_RESULTS = 5
"""Results that a screen shows at once."""
NAME_WIDTH, RATE_WIDTH, SHARE_WIDTH = 40, 14, 5
"""Characters of the parts of a line."""
BAR_CELLS = 10
"""Characters of a bar that reaches up to theory."""
AFTER_NAME = RATE_WIDTH + SHARE_WIDTH + BAR_CELLS + 6
"""Characters of all but the name, with the gaps between."""
LEAST_NAME_WIDTH = 16
"""Characters that a name keeps however narrow the terminal is."""
WIDE = NAME_WIDTH + AFTER_NAME
"""Characters of a line that has room for all."""
MOST_SHARE = 1.02
"""Share above which a clock was misread: nothing has judged the row yet, so none is shown."""
FULL, EMPTY = "█", "░"
"""Cells of a bar: of what is reached, and of the rest up to theory."""
REDRAW_SECONDS = 0.1
"""Time between two drawings, at least: the machine is there to be measured."""
MINUTE = 60
QUARTERS = 4
SURE_FROM = 0.1
"""Share of equal steps that must be done before the time of the rest is told to the second."""
COARSE_SECONDS = 30
"""Steps in which a time left is told while it is not known well."""


class Progress(Protocol):
    """Where a run stands, as ``probes.harness.forecast.Progress`` says it.

    It is written down here again since analysis imports nothing of the harness.
    """

    @property
    def round(self) -> int:
        """The round of the last turn, from 1."""

    @property
    def rounds(self) -> int:
        """How many rounds there are; ``round`` is one more while the doubtful are asked again."""

    @property
    def left_seconds(self) -> float:
        """What the remaining turns are expected to take."""

    @property
    def sure(self) -> bool:
        """True if enough of the run is over to tell that well."""


@dataclass(frozen=True)
class Result:
    """A turn of a case as its line shows it."""

    name: str
    """What was measured."""
    value: str
    """Its rate or time with the unit, or its status and why."""
    share: float | None
    """Share of theory; None where that is not known."""
    failed: bool
    """True if the case failed."""

    def line(self, width: int = WIDE) -> str:
        """The result in one line, with a bar where the share is known.

        width: characters that there are; the name gives way first.
        """
        share = ""
        bar = ""
        if self.share is not None:
            share = whole_percent(self.share)
            bar = bar_of(self.share)
        room = min(NAME_WIDTH, max(LEAST_NAME_WIDTH, width - AFTER_NAME))
        name = f"{shortened(self.name, room):{room}}"
        value = self.value
        if not self.failed:  # the reason of a failure is a sentence, which has no column
            value = f"{value:>{RATE_WIDTH}}"
        return f"  {name} {value} {share:>{SHARE_WIDTH}}  {bar}".rstrip()


def result_of(row: Measurement, device: Device | None) -> Result:
    """What is shown of a row. device: whose theory it is compared with, if known."""
    if row.status != OK:
        value = f"{row.status}: {row.reason}"
        return Result(name_of_row(row), value, None, row.status == FAILED)
    if row.quantity in OF_NETWORKS:
        return Result(name_of_row(row), si(row.seconds_median, "s"), None, failed=False)
    share = None
    # theory knows ceilings only: a point of a sweep has another tag
    if device is not None and isinstance(row.tag, Tag):
        share = ceilings([row], device)[row.ceiling].share
        if share is not None and share > MOST_SHARE:
            share = None
    value = si(row.value, unit_of(row.ceiling, row.dtype))
    return Result(name_of_row(row), value, share, failed=False)


def bar_of(share: float) -> str:
    """A bar of BAR_CELLS cells, of which this share is full."""
    full = round(BAR_CELLS * min(max(share, 0.0), 1.0))
    return FULL * full + EMPTY * (BAR_CELLS - full)


def standing(progress: Progress) -> str:
    """``round 1 of 3 · 24 s left``; in coarse steps while it is not known well."""
    if progress.round > progress.rounds:
        rounds = "again, what other load disturbed"
    else:
        rounds = f"round {progress.round} of {progress.rounds}"
    return f"{rounds} · {time_left(progress.left_seconds, progress.sure)}"


def time_left(seconds: float, sure: bool) -> str:
    """``1 min 20 s left``; ``about 2 min left`` where it is not known well."""
    if not sure:
        if seconds < COARSE_SECONDS:
            return f"less than {COARSE_SECONDS} s left"
        steps = math.ceil(seconds / COARSE_SECONDS)
        return f"about {steps * COARSE_SECONDS / MINUTE:g} min left"
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes:
        return f"{minutes} min {rest} s left"
    return f"{rest} s left"


class Lines:
    """Prints a line for each case after its first turn, and another only if its status changes."""

    def __init__(self, note: Callable[[str], None], device: Device | None) -> None:
        """note: prints a line."""
        self._note = note
        self._device = device
        self._printed = set[tuple[object, ...]]()
        self._round = 0

    def step(self, row: Measurement, progress: Progress) -> None:
        """Show that a case has had a turn, and where the run stands."""
        if progress.round != self._round:
            self._round = progress.round
            self._note(standing(progress))
        case_and_status = (*_key_of_case(row), row.status)
        if case_and_status not in self._printed:
            self._printed.add(case_and_status)
            self._note(result_of(row, self._device).line())

    def waiting(self, what: str) -> None:
        """Show what goes on until the next step."""
        self._note(f"{what} …")


class Screen:
    """Shows the last results and where the run stands; a line stays of each case that fails."""

    def __init__(
        self, live: Any, note: Callable[[str], None], device: Device | None, expected: Progress
    ) -> None:
        """live: draws texts in place. note: prints a line above it, which stays.

        expected: where the run stands before its first turn.
        """
        self._live = live
        self._note = note
        self._device = device
        self._last: deque[Result] = deque(maxlen=LAST_RESULTS)
        self._failed = set[tuple[object, ...]]()
        self._drawn = 0.0
        """When it was last drawn; 0 has it drawn after the next step, however soon that is."""
        self._draw(expected)

    def step(self, row: Measurement, progress: Progress) -> None:
        """Show that a case has had a turn, and where the run stands."""
        if row.status == OK:
            self._last.append(result_of(row, self._device))
        case = _key_of_case(row)
        if row.status == FAILED and case not in self._failed:
            self._failed.add(case)
            self._note(result_of(row, self._device).line())
        if time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw(progress)

    def waiting(self, what: str) -> None:
        """Show what goes on until the next step."""
        self._draw_above(f"{what} …")
        self._drawn = 0.0

    def _draw(self, progress: Progress) -> None:
        """Draw the last results, and where the run stands below them."""
        self._draw_above(standing(progress))

    def _draw_above(self, last_line: str) -> None:
        """Draw the last results, and this line below them."""
        from rich.text import Text

        width = self._live.console.width
        lines = [plain(result.line(width)) for result in self._last]
        text = "\n".join([*lines, f"  {last_line}"])
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)
        self._drawn = time.monotonic()


@contextmanager
def screen(
    console: Any, note: Callable[[str], None], device: Device | None, expected: Progress
) -> Iterator[Screen]:
    """A screen on this console of rich, which is gone when the context ends.

    note and expected: as of Screen. It is drawn between two turns only: a thread that redraws would
    share the processors with what is measured.
    """
    from rich.live import Live

    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Screen(live, note, device, expected)


class Count:
    """Shows how many equal steps are done, and how long the rest will take.

    ``draw`` shows a line in place of the last; without it lines stay, and each quarter has one.
    """

    def __init__(
        self,
        what: str,
        note: Callable[[str], None],
        draw: Callable[[str], None] | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._note = note
        self._draw = draw
        self._now = now
        self._started = now()
        self._quarters = 0
        """Quarters of all steps that a line has told of."""

    def __call__(self, done: int, total: int) -> None:
        """Show that so many of all steps are done."""
        line = f"{self._what}: {done} of {total}"
        spent = self._now() - self._started
        if done and done < total:
            line += f" · {time_left(spent / done * (total - done), sure=done / total >= SURE_FROM)}"
        if self._draw is not None:
            self._draw(line)
            return
        quarters = QUARTERS * done // total if total else QUARTERS
        if quarters > self._quarters or not done:
            self._quarters = quarters
            self._note(line)


class Steps:
    """The step that something long is at, as a line."""

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now = now
        self._step = ""
        self._since = now()
        self._drawn = -math.inf

    def line_of_new(self, step: str, note: Callable[[str], None]) -> None:
        """Have the line noted if the step is a new one."""
        if step != self._step:
            self._step = step
            note(f"{self._what}: {step} …")

    def line_now(self, step: str) -> str:
        """The line with the seconds that the step has taken; empty if it was drawn just now."""
        now = self._now()
        if step != self._step:
            self._step = step
            self._since = now
        elif now - self._drawn < REDRAW_SECONDS:
            return ""
        self._drawn = now
        return f"{self._what}: {step} … {now - self._since:.0f} s"


def _key_of_case(row: Measurement) -> tuple[object, ...]:
    """What tells a case from all others of a run."""
    return row.ceiling, row.backend, row.params, row.x
