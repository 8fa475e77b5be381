"""What a user sees while and after measuring: live on a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

from analysis.analyse import Outcome
from analysis.compare import words
from analysis.compare.columns import COMPARED_FILE, columns_of
from analysis.compare.comparison import ComparedRow
from analysis.compare.comparison import Comparison as RunsCompared
from analysis.compare.show import in_brief
from analysis.compare.verdict import FASTER, SLOWER
from analysis.fleet import words as fleet_words
from analysis.fleet.columns import GROUP_COLUMNS, NODES_FILE, SPREAD_FILE, SPREAD_SHOWN, SpreadLine
from analysis.fleet.fleet import Fleet
from analysis.model.ceilings import Ceiling
from analysis.model.headlines import headlines
from analysis.model.trust import FAIR, GOOD, LOW, at_start
from analysis.modes import Comparison, RoofInModes
from analysis.naming import name_of
from analysis.outcome import PlanOutcome, PruneOutcome
from analysis.sparsity.words import on_layer
from analysis.tell import modes, on_board, on_lessons
from analysis.tell.answer import Answer, answer
from analysis.tell.ceiling_columns import CEILINGS_IN_BRIEF, CEILINGS_ON_TERMINAL
from analysis.tell.channel_columns import FORECASTS_ON_TERMINAL
from analysis.tell.columns import LINES_OF_REMARK, Column, fit, in_words, known, on_few_lines
from analysis.tell.layer_columns import LAYERS_ON_TERMINAL
from analysis.tell.layer_console import cells_of_layers, sentences, sweeps_told
from analysis.tell.live import Count, Lines, Progress, Screen, Steps, screen
from analysis.tell.most import CEILINGS
from analysis.tell.on_plan import TITLE, on_missing
from analysis.tell.on_pruning import TITLE as PRUNING_TITLE
from analysis.tell.output import heard, plain
from analysis.tell.page.lessons import PAGE as LESSONS_PAGE
from analysis.tell.plan_columns import RECIPES_ON_TERMINAL, fastest_first, recipes_in_brief
from analysis.tell.prune_columns import TRIALS_ON_TERMINAL
from analysis.tell.report import summary
from analysis.units import NO_BREAK, si, unbroken
from kernels.device import Device
from probes.records.channels import CHANNELS_FILE
from probes.records.measurement import FAILED, OK
from probes.records.patterns import PATTERNS_FILE
from probes.records.precision import PLAN_FILE
from probes.records.tag import Tag

PIPE_WIDTH = 240
"""Characters: no line of a table is broken where no one looks at a screen."""
NARROWEST, WIDEST = 40, 1000
"""Characters, whatever the environment says."""
MOST_REASONS = 4
"""Below the short table, why a row is not trusted."""
CEILINGS_FILE, PAGE = "ceilings.csv", "report.html"
INDENT = "  "
"""Before the further lines of a sentence that does not fit one."""
ROW_STYLES = {OK: "", FAILED: "red"}
"""Of a ceiling, by its status; all others are dim."""
VERDICT_STYLES = {SLOWER: "red", FASTER: "green"}
"""Of a row of a comparison, by its verdict."""
TRUST_STYLES = {GOOD: "green", FAIR: "yellow", LOW: "bold red"}


class Console:
    """Prints for a person. Raises Unheard where its output takes no more."""

    def __init__(self, rich: Any = None, everything: bool = False) -> None:
        """Print to standard output, or to ``rich``, a console of that library.

        everything: print every ceiling and layer, and all that is known of them, not only what a
        person wants first.
        """
        self._everything = everything
        self._device: Device | None = None
        self._rich = rich or _rich_console(highlight=False, soft_wrap=True, emoji=False)
        if not self._rich.is_terminal:
            width = _width_asked() or PIPE_WIDTH
            self._rich = _rich_console(highlight=False, width=width, no_color=True, emoji=False)
        elif self._rich.width < NARROWEST:  # else its width follows that of the window
            self._rich.width = NARROWEST

    def note(self, text: str, style: str = "") -> None:
        """Print a sentence, in as many lines as it takes; no word is broken."""
        for line in self._lines(plain(text)):
            self._print(line, markup=False, soft_wrap=True, style=style)

    def _lines(self, text: str) -> list[str]:
        """The lines of a sentence: one in a pipe, unless the environment says how wide that is."""
        width = self._rich.width if self._rich.is_terminal else _width_asked()
        if not width or len(text) <= width:
            return [text]
        lines = wrap(
            unbroken(text),
            width,
            subsequent_indent=INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [line.replace(NO_BREAK, " ") for line in lines]

    def _print(self, *what: Any, **how: Any) -> None:
        with heard():
            self._rich.print(*what, **how)

    def device(self, device: Device, why: str) -> None:
        """Print what is measured, why it was chosen, and what may falsify the numbers."""
        self._device = device
        core = device.arch or "unknown core"
        if device.kind == "cuda":
            facts = f"{device.units} SMs, compute capability {core}"
        else:
            facts = f"{device.units} cores, {core}"
        if device.memory_free_bytes:
            facts += f", {si(device.memory_free_bytes, 'B')} of memory free"
        self.note(f"{device.name}  ({why})", style="bold")
        self.note(f"  {facts}")
        for line in (on_board.identity(device), on_board.memory_clock(device)):
            if line:
                self.note(f"  {line}")
        for warning in device.warnings:
            self.note(f"  warning: {warning}", style="yellow")

    def load(self, load: Mapping[str, Any]) -> None:
        """Print what else ran on the machine just before the measurement."""
        if self._device and "jetson" in self._device.features:
            # what caps a board's clocks is its power mode, of which the state speaks
            load = {name: value for name, value in load.items() if name != "clock_limits"}
        line, is_quiet = at_start(load)
        self.note(f"  {line}", style="" if is_quiet else "yellow")

    def state(self, state: Mapping[str, Any]) -> None:
        """Print the state of a Jetson before the measurement."""
        for line in on_board.before(state):
            self.note(f"  {line}")

    @property
    def _draws_in_place(self) -> bool:
        """True on a terminal whose lines can be written again."""
        return self._rich.is_terminal and not self._rich.is_dumb_terminal

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something goes on that has no steps, for as long as the context lasts."""
        if not self._draws_in_place:
            yield
            return
        from rich.live import Live
        from rich.text import Text

        line = Text(f"{INDENT}{what} …")
        with Live(line, console=self._rich, auto_refresh=False, transient=True):
            yield

    @contextmanager
    def saying(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show that ``what`` goes on; the function that it yields shows which step of it.

        In place, with the seconds that the step has taken, or a line for each new step.
        """
        steps = Steps(f"{INDENT}{what}")
        if not self._draws_in_place:
            yield lambda step: steps.line_of_new(step, self.note)
            return
        from rich.live import Live
        from rich.text import Text

        with Live(console=self._rich, auto_refresh=False, transient=True) as live:

            def draw(step: str) -> None:
                line = steps.line_now(step)
                if line:
                    live.update(Text(plain(line), no_wrap=True, overflow="ellipsis"), refresh=True)

            yield draw

    @contextmanager
    def counting(self, what: str) -> Iterator[Count]:
        """Show how many equal steps of ``what`` are done: in place, or a line for each quarter."""
        if not self._draws_in_place:
            yield Count(f"{INDENT}{what}", self.note, None)
            return
        from rich.live import Live
        from rich.text import Text

        with Live(console=self._rich, auto_refresh=False, transient=True) as live:

            def draw(line: str) -> None:
                live.update(Text(plain(line), no_wrap=True, overflow="ellipsis"), refresh=True)

            yield Count(f"{INDENT}{what}", self.note, draw)

    @contextmanager
    def progress(self, expected: Progress) -> Iterator[Lines | Screen]:
        """Show the steps of a run: in place, or a line for every new result."""
        if not self._draws_in_place:
            yield Lines(self.note, self._device)
            return
        with screen(self._rich, self.note, self._device, expected) as steps:
            yield steps

    def result(self, outcome: Outcome) -> None:
        """Print the table of ceilings and the answer, and where the page is."""
        run = outcome.run
        if outcome.trials:
            self._lessons(outcome)
            return
        if self._everything:
            self._all_of(outcome)
        else:
            self._headlines(outcome.ceilings)
            for text in sweeps_told(outcome.layer_sweeps):
                self.note(text)
        warnings_of_run = run.warnings[len(run.device.warnings) :]
        for warning in (*warnings_of_run, *run.damage):
            self.note(f"warning: {warning}", style="yellow")
        for line in on_board.after(run.state):
            self.note(line)
        self._answer(answer(outcome), outcome)

    def _lessons(self, outcome: Outcome) -> None:
        """Print how many lessons hold, a line for each, and where their page is."""
        self.note(on_lessons.answer(outcome.trials), style="bold")
        for trial, line in zip(
            on_lessons.in_order(outcome.trials), on_lessons.lines(outcome.trials), strict=True
        ):
            self.note(line)
            if self._everything:
                for text in filter(None, (trial.evidence, trial.reason)):
                    self.note(f"    {text}")
        for warning in (*outcome.run.warnings, *outcome.run.damage):
            self.note(f"warning: {warning}", style="yellow")
        if outcome.trust:
            self.note(outcome.trust.line, style=TRUST_STYLES[outcome.trust.level])
        if outcome.folder:
            self._print(f"Open: {_safe(str(outcome.folder / LESSONS_PAGE))}", soft_wrap=True)

    def modes(self, comparison: Comparison, folder: Path) -> None:
        """Print power modes side by side, and where their files are."""
        for text in modes.sentences(comparison):
            self.note(text)
        states = known(modes.STATE_COLUMNS, comparison.modes)
        cells = [in_words(states, mode) for mode in comparison.modes]
        self._table(states, cells, (), modes.MODES_FILE)
        self._roofs_in_modes(comparison, modes.columns_of(comparison, lambda roof: roof.rates))
        if comparison.knows_power:
            columns = modes.columns_of(comparison, lambda roof: roof.per_watt, "/W")
            self._roofs_in_modes(comparison, columns)
        self._print(f"Open: {_safe(str(folder / modes.PICTURE))}.png", soft_wrap=True)

    def comparison(self, comparison: RunsCompared, folder: Path) -> None:
        """Print runs side by side: the answer, what changed and why, the table."""
        self.note(words.answer(comparison), style="bold")
        gate = words.gate_sentence(comparison)
        if gate:
            self.note(gate, style="bold")
        most = None if self._everything else words.MOST_CHANGES
        for text in words.sentences(comparison, most):
            self.note(text)
        rows: Sequence[ComparedRow] = comparison.rows
        if not self._everything:
            rows = in_brief(comparison)
        if key := words.key(comparison):
            self.note(key)
        columns = columns_of(comparison, on_page=False)
        cells = [in_words(columns, row) for row in rows]
        styles = [VERDICT_STYLES.get(row.strongest, "") for row in rows]
        self._table(columns, cells, styles, COMPARED_FILE)
        more = len(comparison.rows) - len(rows)
        if more > 0:
            self.note(f"{more} more in {COMPARED_FILE}; --all prints them.")
        self._print(f"Open: {_safe(str(folder / words.PAGE))}", soft_wrap=True)

    def fleet(self, fleet: Fleet, folder: Path) -> None:
        """Print which nodes are slow and why, how each ceiling spreads, and where the page is."""
        self.note(fleet_words.answer(fleet), style="bold")
        for text in fleet_words.sentences(fleet, self._everything):
            self.note(text)
        for kind in fleet.kinds:
            if kind.groups:
                groups = kind.groups if self._everything else kind.groups[: fleet_words.MOST_GROUPS]
                cells = [in_words(GROUP_COLUMNS, group) for group in groups]
                self._table(GROUP_COLUMNS, cells, (), NODES_FILE)
            tags = fleet_words.tags_in_brief(kind, self._everything)
            lines = [SpreadLine(kind, kind.spreads[tag]) for tag in tags]
            if lines:
                cells = [in_words(SPREAD_SHOWN, line) for line in lines]
                self._table(SPREAD_SHOWN, cells, (), SPREAD_FILE)
            more = len(kind.spreads) - len(lines)
            if more:
                self.note(f"{more} more ceilings in {SPREAD_FILE}; --all prints them.")
        self._print(f"Open: {_safe(str(folder / fleet_words.PAGE))}", soft_wrap=True)

    def _roofs_in_modes(
        self, comparison: Comparison, columns: Sequence[Column[RoofInModes]]
    ) -> None:
        cells = [in_words(columns, roof) for roof in comparison.roofs]
        shown = self._table(columns, cells, (), modes.MODES_FILE)
        without_room = [column.name for column in columns if column.name not in shown]
        if without_room:
            self.note(f"No room here for {', '.join(without_room)}: see {modes.MODES_FILE}.")

    def _answer(self, told: Answer, outcome: Outcome) -> None:
        """Print what was learnt, how far it can be trusted, what to do next, and the page."""
        for text in (*told.networks, *told.device):
            self.note(text)
        if outcome.plan:
            self._plan(outcome.plan, told.plan)
        if outcome.pruning:
            self._pruning(outcome.pruning, told.pruning)
        if outcome.trust:
            self.note(told.trust, style=TRUST_STYLES[outcome.trust.level])
        self._print(f"Next: {_safe(told.next)}", soft_wrap=True)  # to copy, so in one line
        if outcome.folder:
            self._print(f"Open: {_safe(str(outcome.folder / PAGE))}", soft_wrap=True)

    def _plan(self, plan: PlanOutcome, told: Sequence[str]) -> None:
        """Print what to quantize, and the recipes that were run.

        told: sentences on it; with everything all of them, and a line for each stage.
        """
        self._print()
        self.note(TITLE, style="bold")
        if self._everything:
            told = [*plan.sentences, *on_missing(plan.missing)]
        for text in told:
            self.note(text)
        if plan.study:
            recipes = recipes_in_brief(plan.study.points)
            if self._everything:
                recipes = fastest_first(plan.study.points)
            cells = [in_words(RECIPES_ON_TERMINAL, recipe) for recipe in recipes]
            styles = ["bold" if recipe.chosen else "" for recipe in recipes]
            self._table(RECIPES_ON_TERMINAL, cells, styles, PLAN_FILE)
            more = len(plan.study.points) - len(recipes)
            if more > 0:
                self.note(f"{more} more recipes on the page; --all prints them.")
        if self._everything:
            for verdict in plan.verdicts:
                self.note(f"{INDENT}{verdict.sentence}")

    def _pruning(self, pruning: PruneOutcome, told: Sequence[str]) -> None:
        """Print what to prune, and what each pattern makes of the whole network.

        told: sentences on it; with everything all of them, and a line for each layer.
        """
        self._print()
        self.note(PRUNING_TITLE, style="bold")
        if self._everything:
            told = [*pruning.sentences, *on_missing(pruning.missing)]
        for text in told:
            self.note(text)
        if pruning.forecasts:
            cells = [in_words(FORECASTS_ON_TERMINAL, row) for row in pruning.forecasts]
            self._table(FORECASTS_ON_TERMINAL, cells, (), CHANNELS_FILE)
        study = pruning.sparsity
        if study is None:
            return
        if study.outcomes:
            cells = [in_words(TRIALS_ON_TERMINAL, outcome) for outcome in study.outcomes]
            self._table(TRIALS_ON_TERMINAL, cells, (), PATTERNS_FILE)
        if self._everything:
            for verdict in study.verdicts:
                self.note(f"{INDENT}{on_layer(verdict)}")

    def _headlines(self, ceilings: Mapping[str, Ceiling]) -> None:
        """Print the short table: each level of memory, and the best path of each format."""
        rows = headlines(ceilings)
        self._ceilings(CEILINGS_IN_BRIEF, rows)
        more = len(ceilings) - len(rows)
        if more > 0:
            self.note(f"{more} more in {CEILINGS_FILE}; --all prints them.")

    def _all_of(self, outcome: Outcome) -> None:
        """Print every ceiling, the longest layers, and every sentence on them."""
        ceilings = list(outcome.ceilings.values())
        shown = ceilings[:CEILINGS]
        self._ceilings(CEILINGS_ON_TERMINAL, shown)
        if len(ceilings) > len(shown):
            self.note(f"… and {len(ceilings) - len(shown)} more in {CEILINGS_FILE}")
        if outcome.placements:
            cells = cells_of_layers(outcome.placements)
            self._table(LAYERS_ON_TERMINAL, cells, (), "placements.csv")
            said = sentences(outcome.placements, outcome.networks, outcome.layer_sweeps)
            for text in said:
                self.note(text)
        for text in summary(
            outcome.run, outcome.ceilings, [*outcome.network_notes, *outcome.notes]
        ):
            self.note(text)
        if outcome.folder:
            files = ["run.json", "measurements.csv", *(file.name for file in outcome.files)]
            self.note(f"Files in {outcome.folder}: {', '.join(files)}")
        self._print()

    def _ceilings(self, columns: Sequence[Column[Ceiling]], ceilings: Sequence[Ceiling]) -> None:
        """Print a table of ceilings; below it why some cannot be trusted, unless it says so."""
        lines_of_remark = LINES_OF_REMARK if columns is CEILINGS_ON_TERMINAL else 1
        columns = known(columns, ceilings)
        cells = [in_words(columns, ceiling) for ceiling in ceilings]
        styles = [_row_style(ceiling) for ceiling in ceilings]
        shown = self._table(columns, cells, styles, CEILINGS_FILE, lines_of_remark)
        if columns[-1].name in shown:
            return
        reasons = _why_not(ceilings)
        listed = reasons if self._everything else reasons[:MOST_REASONS]
        for text in listed:
            self.note(text)
        if len(reasons) > len(listed):
            self.note(f"and {len(reasons) - len(listed)} more; {CEILINGS_FILE} says why")

    def _table(
        self,
        columns: Sequence[Column[Any]],
        rows: Sequence[Sequence[str]],
        styles: Sequence[str],
        file: str,
        lines_of_remark: int = LINES_OF_REMARK,
    ) -> Collection[str]:
        """Print the columns that have room; returns their names.

        Numbers that have no room are named, with the file that holds them. rows: cells in the order
        of the columns. styles: of each row, or none at all. lines_of_remark: more are cut.
        """
        widths = fit(columns, rows, self._rich.width)
        names = [column.name for column in columns]
        remark = names[-1]
        table = _empty_table(columns, widths)
        for row, style in zip_longest(rows, styles, fillvalue=""):
            cells = {name: cell for name, cell in zip(names, row, strict=True) if name in widths}
            has_number = not style  # why a row has none is told whole
            if remark in cells and has_number and self._rich.is_terminal:
                cells[remark] = on_few_lines(cells[remark], widths[remark], lines_of_remark)
            table.add_row(*map(_safe, cells.values()), style=style)
        self._print(table)
        without_room = [name for name in names if name not in widths and name != remark]
        if without_room and self._everything:
            self.note(f"No room here for {', '.join(without_room)}: see {file}.")
        return widths


def _rich_console(**settings: Any) -> Any:
    """A console of rich that raises BrokenPipeError where no one reads what it prints.

    That of rich ends the program.
    """
    from rich.console import Console as Rich

    class Raising(Rich):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Raising(**settings)


def _why_not(ceilings: Sequence[Ceiling]) -> list[str]:
    """Why some of these ceilings failed or cannot be trusted, a sentence each."""
    reasons = []
    for ceiling in ceilings:
        name = name_of(Tag.parse(ceiling.tag))
        if ceiling.status == FAILED:
            reasons.append(f"{name} failed: {ceiling.remark}")
        elif not ceiling.trusted:
            reasons.append(f"{name} not trusted: {ceiling.doubt}")
    return reasons


def _row_style(ceiling: Ceiling) -> str:
    """How a ceiling's row is shown: what is no roof is dim."""
    return ROW_STYLES.get(ceiling.status, "dim") if ceiling.trusted else "dim"


def _empty_table(columns: Sequence[Column[Any]], widths: Mapping[str, int]) -> Any:
    """A table of the columns that have a width; lines are broken only in those of words."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        if column.name in widths:
            table.add_column(
                column.name,
                justify="right" if column.number else "left",
                no_wrap=not column.least,
                overflow="fold",
                width=widths[column.name],
            )
    return table


def _safe(text: str) -> str:
    """Text in which rich sees no markup, and the terminal no command."""
    from rich.markup import escape

    return escape(plain(text))


def _width_asked() -> int:
    """Characters of a line that the environment asks for; 0 where it does not."""
    asked = os.environ.get("COLUMNS", "")
    if not asked.isdecimal() or len(asked) >= 10:
        return 0
    return min(max(int(asked), NARROWEST), WIDEST)
