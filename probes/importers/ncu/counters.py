"""Nsight Compute's metrics: those that count operations and bytes, their units, their sums."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

from probes.importers.layer_row import malformed

TIME = "gpu__time_duration.sum"
LABELS = {"Duration": TIME, "Memory Throughput": "dram__bytes.sum.per_second"}
"""Metrics by their labels on the details page; a throughput in % may have such a label, too."""
TRAFFIC = (
    ("dram__bytes.sum",),
    ("dram__bytes_read.sum", "dram__bytes_write.sum"),
    ("dram__bytes_op_read.sum", "dram__bytes_op_write.sum"),
)
LETTER = {"f": "fp32", "d": "fp64", "h": "fp16"}
OPERATIONS = {"add": 1, "mul": 1, "fma": 2}
SCALAR = re.compile(
    r"(?:smsp|sm)__sass_thread_inst_executed_op_([fdh])(add|mul|fma)_pred_on\.sum(\.per_cycle_elapsed)?"
)
TENSOR = re.compile(r"(sm__ops_path_tensor_src_([a-z0-9]+)\w*)\.sum(\.per_cycle_elapsed)?")
BUSY = re.compile(r"sm__(?:inst_executed_)?pipe_tensor\S*")
CYCLES = ("smsp__cycles_elapsed.avg.per_second", "sm__cycles_elapsed.avg.per_second")
MICRO = dict.fromkeys("uµμ", 1e-6)
PREFIX = {"": 1.0, "n": 1e-9, **MICRO, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
QUANTITY = re.compile(r"([numµμkKMGT]?)(?:seconds?|sec|s|bytes?|B|inst|cycles?|hz|Hz|ops?)")
INTEGER = ("int", "uint")
SPACES = re.compile(r"(?<=\d)[\u00a0\u202f'’](?=\d{3})")
"""Signs that some languages write between thousands."""
GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3}){2,}")

COMMA = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d+(?:\.\d{3})*,(?:\d{1,2}|\d{4,})")
POINT = re.compile(r"\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?|\d+(?:,\d{3})*\.(?:\d{1,2}|\d{4,})")
"""Numbers that only a language with decimal commas writes so, or only one with decimal points."""

Metrics = dict[str, float]


def has_decimal_commas(cells: Iterable[str]) -> bool:
    """True if the numbers of a table are of a language with decimal commas.

    ``117.344`` alone may be either; ``27.595.520`` beside it tells that it is no fraction.
    """
    texts = [SPACES.sub("", cell.strip()) for cell in cells]
    return any(map(COMMA.fullmatch, texts)) and not any(map(POINT.fullmatch, texts))


def wanted(name: str) -> bool:
    """True if a metric says anything about time, bytes or operations."""
    if name in (TIME, *CYCLES, *LABELS.values()):
        return True
    if any(name in group for group in TRAFFIC):
        return True
    return any(pattern.fullmatch(name) for pattern in (SCALAR, TENSOR, BUSY))


def value_of(
    path: Path, line: int, name: str, text: str, unit: str, commas: bool = False
) -> float | None:
    """A cell in seconds, bytes, operations, or those per second; None for ``n/a``.

    commas: whether the table has decimal commas. Raises RidgelineError that names its line.
    """
    value = number(path, line, name, text, commas)
    if value is None or BUSY.fullmatch(name):
        return value
    return value * _scale(path, line, name, unit)


def number(path: Path, line: int, name: str, text: str, commas: bool = False) -> float | None:
    """The number in a cell, ``1,234.5`` or, in other languages, ``1.234,5``; None for ``n/a``.

    commas: whether the table has decimal commas. Instances behind the value are left out. Raises
    RidgelineError that names the line.
    """
    plain = SPACES.sub("", text.strip()).split(" ")[0]
    if plain.lower() in ("", "n/a", "nan", "no"):
        return None
    if commas:
        plain = plain.replace(".", "").replace(",", ".")
    elif GROUPED.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", "")
    elif plain.rfind(",") > plain.rfind("."):
        plain = plain.replace(".", "").replace(",", ".")
    try:
        value = float(plain.replace(",", ""))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise malformed(path, f"line {line}", f"{name} is {text!r}, not a number of zero or more")
    return value


def _scale(path: Path, line: int, name: str, unit: str) -> float:
    """The factor to plain seconds, bytes, operations or their quotients.

    ``Mbyte`` is 1e6, ``cycle/nsecond`` 1e9. Raises RidgelineError for an unknown unit.
    """
    if not unit.strip():
        return 1.0
    factors = []
    for part in unit.strip().split("/"):
        quantity = QUANTITY.fullmatch(part.strip())
        if not quantity:
            raise malformed(path, f"line {line}", f"{name} has the unit {unit!r}, which is unknown")
        factors.append(PREFIX[quantity[1]])
    if len(factors) == 1:
        return factors[0]
    return factors[0] / factors[1]


def traffic(metrics: Metrics) -> float | None:
    """Bytes from and to memory: counted, or their rate times the time; None if neither was."""
    for names in TRAFFIC:
        if all(name in metrics for name in names):
            return sum(metrics[name] for name in names)
    rate = metrics.get(LABELS["Memory Throughput"])
    return None if rate is None else rate * metrics[TIME]


def operations(metrics: Metrics) -> dict[str, float] | None:
    """Operations by type; a multiply-add is two.

    None if nothing was counted, or nothing of the tensor cores of a kernel that uses them.
    """
    scalar = _scalar(metrics)
    tensor = _tensor(metrics)
    uses_tensor_cores = any(value for name, value in metrics.items() if BUSY.fullmatch(name))
    if not tensor and (uses_tensor_cores or not scalar):
        return None
    work = dict(scalar)
    for dtype, value in tensor.items():
        work[dtype] = work.get(dtype, 0.0) + value
    return work


def _scalar(metrics: Metrics) -> dict[str, float]:
    """Operations of the threads by type; the same count may stand under two names."""
    counts: dict[tuple[str, str], float] = {}
    for name in metrics:
        match = SCALAR.fullmatch(name)
        if not match:
            continue
        letter, op, per_cycle = match.groups()
        value = _count(metrics, name, per_cycle)
        if value is not None:
            counts[LETTER[letter], op] = value
    work: dict[str, float] = {}
    for (dtype, op), value in counts.items():
        work[dtype] = work.get(dtype, 0) + OPERATIONS[op] * value
    return work


def _tensor(metrics: Metrics) -> dict[str, float]:
    """Operations of the tensor cores by type.

    Parts of a total (by result, with and without sparsity) are left out.
    """
    counts: dict[str, tuple[str, float]] = {}
    for name in metrics:
        match = TENSOR.fullmatch(name)
        if not match:
            continue
        path, source_type, per_cycle = match.groups()
        value = _count(metrics, name, per_cycle)
        if value is not None:
            dtype = "int8" if source_type.startswith(INTEGER) else source_type
            counts[path] = (dtype, value)
    work: dict[str, float] = {}
    for name, (dtype, value) in counts.items():
        if not any(name.startswith(f"{other}_") for other in counts):
            work[dtype] = work.get(dtype, 0.0) + value
    return work


def _count(metrics: Metrics, name: str, per_cycle: str | None) -> float | None:
    """A count as it stands, or a count per cycle times the cycles; None if those are unknown."""
    if not per_cycle:
        return metrics[name]
    for clock in CYCLES:
        if clock in metrics:
            cycles = metrics[clock] * metrics[TIME]
            return metrics[name] * cycles
    return None
