"""What a user sees while and after measuring: live on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from analysis.analyse import Outcome
from analysis.layer_console import HEAD as LAYER_HEAD
from analysis.layer_console import lines, sentences
from analysis.report import HEAD, cells, summary
from analysis.units import si, unit_of
from probes.harness.records import FAILED, OK, Device, Measurement

PIPE_WIDTH = 240  # columns: no line of a table is broken where no one looks at a screen
RIGHT = ("measured", "theoretical", "share", "spread", "clock", "samples", "time", "rate or bandwidth", "of roof")


class Steps(Protocol):
    """Takes each finished step of a run."""

    def step(self, row: Measurement) -> None:
        """One case has had one more round."""


class Console:
    """Prints to standard output."""

    def __init__(self) -> None:
        from rich.console import Console as Rich

        self._rich = Rich(highlight=False, soft_wrap=True)
        if not self._rich.is_terminal:
            self._rich = Rich(highlight=False, width=PIPE_WIDTH, no_color=True)

    def note(self, text: str) -> None:
        """One line."""
        self._rich.print(text, markup=False, soft_wrap=True)

    def device(self, device: Device, why: str) -> None:
        """What is measured, why it, and what may falsify the numbers."""
        units = f"{device.units} SMs, compute capability" if device.kind == "cuda" else f"{device.units} cores,"
        memory = f", {si(device.memory_free_bytes, 'B')} of memory free" if device.memory_free_bytes else ""
        self._rich.print(f"[bold]{_safe(device.name)}[/bold]  ({_safe(why)})")
        self.note(f"  {units} {device.arch or 'unknown core'}{memory}")
        for warning in device.warnings:
            self._rich.print(f"[yellow]  warning: {_safe(warning)}[/yellow]")

    @contextmanager
    def progress(self, total: int) -> Iterator[Steps]:
        """Progress of ``total`` steps: a bar with the time left, or a line for every new result."""
        if not self._rich.is_terminal:
            yield _Lines(self)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("  {task.description:44}"), BarColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, console=self._rich, transient=True) as bar:
            yield _Bar(self, bar, bar.add_task("starting", total=total))

    def result(self, outcome: Outcome) -> None:
        """The table of ceilings, that of layers if there are any, what they mean, and where the files are."""
        self._rich.print()
        self._rich.print(self._table(outcome))
        said = summary(outcome.run, outcome.ceilings, outcome.notes)
        if outcome.placements:
            self._rich.print(self._layers(outcome))
            said = [*sentences(outcome.placements, outcome.networks, outcome.layer_sweeps), *said]
        for text in said:
            self.note(text)
        for warning in outcome.run.warnings[len(outcome.run.device.warnings) :]:
            self.note(f"warning: {warning}")
        if outcome.folder:
            names = ", ".join(["run.json", "measurements.csv", *(f.name for f in outcome.files)])
            self.note(f"Files in {outcome.folder}: {names}")

    def _table(self, outcome: Outcome) -> Any:
        table = _empty(HEAD)
        for ceiling in outcome.ceilings.values():
            style = "" if ceiling.status == OK else ("red" if ceiling.status == FAILED else "dim")
            table.add_row(*map(_safe, cells(ceiling)), style=style)
        return table

    def _layers(self, outcome: Outcome) -> Any:
        table = _empty(LAYER_HEAD)
        for row in lines(outcome.placements):
            table.add_row(*map(_safe, row))
        return table


def _empty(head: Sequence[str]) -> Any:
    """A table of these columns; only the last may be broken."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        last = name == head[-1]
        side: Any = "right" if name in RIGHT else "left"
        table.add_column(name, justify=side, no_wrap=not last, overflow="fold", min_width=7 if last else None)
    return table


class _Lines:
    """A line for each case, when it is first measured, and again only if it fails later."""

    def __init__(self, console: Console) -> None:
        self._console, self._said = console, set[tuple[str, ...]]()

    def step(self, row: Measurement) -> None:
        key = (row.ceiling, row.backend, row.params, row.status)
        if key not in self._said:
            self._said.add(key)
            self._console.note(_line(row))


class _Bar:
    """The live bar."""

    def __init__(self, console: Console, bar: Any, task: Any) -> None:
        self._console, self._bar, self._task = console, bar, task
        self._failed = set[tuple[str, ...]]()

    def step(self, row: Measurement) -> None:
        key = (row.ceiling, row.backend, row.params)
        if row.status == FAILED and key not in self._failed:
            self._failed.add(key)
            self._console.note(_line(row))
        self._bar.update(self._task, advance=1, description=f"{row.ceiling} ({row.backend})"[:44])


def _line(row: Measurement) -> str:
    value, unit = (row.seconds_median, "s") if row.quantity == "layer" else (row.value, unit_of(row.ceiling, row.dtype))
    what = si(value, unit) if row.status == OK else f"{row.status}: {row.reason}"
    place = f" {row.layer} {row.dtype}" if row.layer else "" if row.x is None else f" at {row.x:g}"
    return f"  {row.ceiling + place:32} {row.backend:6} {what}"


def _safe(text: str) -> str:
    """Text in which rich sees no markup."""
    from rich.markup import escape

    return escape(text)
