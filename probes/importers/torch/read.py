"""A trace of PyTorch's profiler: ``torch.profiler.profile(record_shapes=True)``, then
``export_chrome_trace``, as .json or .json.gz.

The steps of a schedule (``ProfilerStep``) are the samples.
"""

from __future__ import annotations

from pathlib import Path

from probes.importers.source import Source, source_of
from probes.importers.timeline.rows import Wording, rows_of
from probes.importers.torch.trace import read_trace
from probes.records.measurement import Measurement, RidgelineError

WORDING = Wording(
    tool="torch",
    no_shapes="the trace holds no shapes: profile with record_shapes=True",
    no_operation="no operation in the trace launched it",
)


def read(file: Path | Source, device: str, started: str, network: str = "") -> list[Measurement]:
    """A row for every operation and its shapes. Raises RidgelineError that names what is wrong."""
    source = source_of(file)
    trace = read_trace(source)
    if not trace.calls and not trace.kernels:
        raise RidgelineError(
            f"{source.path} holds no operation of PyTorch: the profiler recorded none (with a "
            "schedule, export in on_trace_ready)"
        )
    stem = source.stem.removesuffix(".trace").removesuffix(".pt")
    rows = rows_of(trace, WORDING, device=device, started=started, network=network or stem)
    if not rows:
        raise RidgelineError(f"{source.path} has steps, and no operation within one of them")
    return rows
