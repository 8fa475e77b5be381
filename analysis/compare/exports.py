"""A comparison for other programs: JSON, JUnit XML for CI, and a Markdown table."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from typing import Any

from analysis.compare.columns import LINE_COLUMNS, Line, lines
from analysis.compare.comparison import Comparison, slower_first
from analysis.compare.verdict import CANNOT_TELL, MISSING, SAME, SLOWER
from analysis.compare.words import answer, gate_sentence, ratio_in_words, untold, why_sentence
from analysis.units import si

COMPARISON_VERSION = 1
"""Of the JSON; it rises when a field is taken away or means something else."""
CLASS = "ridgeline"
"""First part of the classes of test cases."""
LISTS = frozenset(("first_values", "values"))
"""Columns that hold JSON."""


def as_json(comparison: Comparison) -> str:
    """All of it as one JSON object, a row a line."""
    runs = [
        {
            "side": side.name,
            "run": str(run.folder),
            "device": side.device,
            "started": run.started,
            "busy": run.circumstances.busy,
        }
        for side in comparison.sides
        for run in side.runs
    ]
    document = {
        "comparison_version": COMPARISON_VERSION,
        "answer": answer(comparison),
        "gate": comparison.gate,
        "exit_code": comparison.code,
        "notes": [*untold(comparison), *comparison.notes],
        "runs": runs,
    }
    head = json.dumps(document, ensure_ascii=False, indent=1)
    rows = ",\n".join(json.dumps(_fields(line), ensure_ascii=False) for line in lines(comparison))
    return f'{head[:-2]},\n "rows": [\n{rows}\n]\n}}'


def _fields(line: Line) -> dict[str, Any]:
    """A line by the names of its columns; with its causes."""
    fields: dict[str, Any] = {}
    for column in LINE_COLUMNS:
        value = column.value(line)
        fields[column.stored] = json.loads(value) if column.stored in LISTS else value
    causes = line.difference.causes if line.difference else ()
    fields["causes"] = [
        {"name": cause.name, "before": cause.before, "after": cause.after, "part": cause.part}
        for cause in causes
    ]
    return fields


def as_junit(comparison: Comparison) -> str:
    """JUnit XML: a test case for each row; slower than the gate fails, cannot tell is skipped.

    Without a gate every row that is slower fails.
    """
    cases = [line for line in lines(comparison) if line.verdict.why_not != MISSING]
    failed = [line for line in cases if _fails(comparison, line)]
    skipped = [line for line in cases if line.verdict.verdict == CANNOT_TELL]
    counts = {
        "tests": str(len(cases)),
        "failures": str(len(failed)),
        "errors": "0",
        "skipped": str(len(skipped)),
    }
    root = xml.Element("testsuites", {"name": CLASS, **counts})
    suite = xml.SubElement(root, "testsuite", {"name": "compare", "time": "0", **counts})
    for line in cases:
        side = comparison.sides[line.place].name
        quantity = line.row.row.tag.partition("/")[0]
        names = {"classname": f"{CLASS}.{quantity}", "name": f"{line.row.row.key} on {side}"}
        case = xml.SubElement(suite, "testcase", {**_printable(names), "time": "0"})
        evidence = _clean(f"{line.verdict.verdict}: {line.verdict.evidence}")
        why = _clean(why_sentence(line.verdict))
        if line in failed:
            failure = xml.SubElement(case, "failure", {"message": evidence, "type": SLOWER})
            failure.text = why or evidence
        elif line in skipped:
            xml.SubElement(case, "skipped", {"message": evidence})
        else:
            xml.SubElement(case, "system-out").text = evidence
    xml.indent(root)
    text = xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _fails(comparison: Comparison, line: Line) -> bool:
    """True if a row is slower than is allowed, beyond doubt."""
    if comparison.gate is None:
        return line.verdict.verdict == SLOWER
    return line.verdict.is_beyond(comparison.gate)


def _printable(names: dict[str, str]) -> dict[str, str]:
    return {key: _clean(name) for key, name in names.items()}


def _clean(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def as_markdown(comparison: Comparison) -> str:
    """A table for a pull request: what changed, then what did not, folded."""
    parts = [f"**Ridgeline: {_cell(answer(comparison))}**"]
    if comparison.gate is not None:
        parts.append(_cell(gate_sentence(comparison)))
    changed = [Line(comparison, row, place) for row, place in slower_first(comparison)]
    if changed:
        parts.append(_table(changed))
    others = [line for line in lines(comparison) if line.verdict.why_not != MISSING]
    for verdict in (SAME, CANNOT_TELL):
        rows = [line for line in others if line.verdict.verdict == verdict]
        if rows:
            summary = f"<summary>{len(rows)} {verdict}</summary>"
            parts.append(f"<details>{summary}\n\n{_table(rows)}\n\n</details>")
    parts += [_cell(sentence) for sentence in (*untold(comparison), *comparison.notes)]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Line]) -> str:
    """A Markdown table of these lines."""
    comparison = rows[0].comparison
    several = len(comparison.sides) > 2
    first = comparison.sides[0].name
    heads = ["row", *(["side"] if several else []), first, "now", "change", "verdict", "evidence"]
    if not several:
        heads[2] = comparison.sides[1].name
    lines_of_table = [_line(heads), _line(["---"] * len(heads))]
    for line in rows:
        row = line.row
        unit = row.row.unit
        evidence = line.verdict.evidence
        why = why_sentence(line.verdict)
        cells = [
            row.row.name,
            *([comparison.sides[line.place].name] if several else []),
            si(row.middle(0), unit),
            si(row.middle(line.place), unit),
            ratio_in_words(line.verdict),
            line.verdict.verdict,
            f"{evidence}. Why: {why}" if why and line.verdict.verdict != SAME else evidence,
        ]
        lines_of_table.append(_line(cells))
    return "\n".join(lines_of_table)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    """A text in which Markdown sees no table, code or markup."""
    one_line = " ".join(_clean(text).split())
    for sign in "\\`*_[]<>|":
        if sign in one_line:
            one_line = one_line.replace(sign, f"\\{sign}")
    return one_line
