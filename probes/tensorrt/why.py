"""Why a trtexec failed, in one line, from what it printed and how it ended."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from probes.records.given import shortened
from probes.tensorrt.process import Ended

LONGEST = 160
"""Letters of what is quoted of its own words."""
ERROR_LINE = re.compile(r"\[E\]|error while loading|terminate called|what\(\):|^Error|rror Code")
"""A line that tells of an error; warnings of tactics that were skipped are none."""
DECORATION = re.compile(r"^(\[[^\]]*\]\s*)+|\[TRT\]\s*|^(Error\[\d+\]:|\d+:)\s*")
"""What stands before the words of a line: date, severity, number."""
SIGNALS = {
    signal.SIGSEGV: "it crashed (SIGSEGV, invalid memory access)",
    signal.SIGBUS: "it crashed (SIGBUS, invalid memory access)",
    signal.SIGABRT: "it crashed (SIGABRT, a library gave up)",
    signal.SIGILL: "it crashed (SIGILL, an instruction that this processor does not have)",
    signal.SIGKILL: "it was killed, most likely for lack of memory",
    signal.SIGTERM: "it was ended from outside (SIGTERM)",
}
OF_SHELL = 128
"""Exit codes above it are of a program under a shell, which a signal ended."""
NOT_STARTED = 127
"""Exit code of a program whose libraries could not be loaded."""


@dataclass(frozen=True)
class Known:
    """A kind of error."""

    pattern: re.Pattern[str]
    """What trtexec prints of it."""
    sentence: str
    """What it means and the way out; ``{0}`` is the first group of the pattern."""


KNOWN = (
    Known(
        re.compile(r"error while loading shared libraries: ([^:\s]+)"),
        "the library {0} is missing: put its folder into LD_LIBRARY_PATH",
    ),
    Known(
        re.compile(r"Could not load library (\S+?)[:\s]|([\w.+-]+\.so[\w.]*): cannot open shared"),
        "the library {0} is missing: put its folder into LD_LIBRARY_PATH",
    ),
    Known(
        re.compile(
            r"no CUDA-capable device|CUDA driver version is insufficient|Cuda failure: 35\b"
            r"|CUDA initialization failure|no kernel image is available",
            re.IGNORECASE,
        ),
        "it cannot use the GPU: {words}",
    ),
    Known(
        re.compile(r"No space left on device|Saving engine to file failed"),
        "no space is left for the engine: free some on the disk of the cache",
    ),
    Known(
        re.compile(
            r"out of memory|OutOfMemory|bad_alloc|cudaErrorMemoryAllocation|insufficient memory"
            r"|cannot allocate memory",
            re.IGNORECASE,
        ),
        "out of memory: take a smaller --batch, or end what else uses the memory",
    ),
    Known(
        re.compile(
            r"incompatible device|expecting compute (\S+) got compute"
            r"|not the same GPU|different (?:model|type) of GPU",
            re.IGNORECASE,
        ),
        "the engine was built for another GPU: build it here",
    ),
    Known(
        re.compile(
            r"Version tag does not match|not compatible with this version of TensorRT"
            r"|expecting library version|Serialization assertion \w*[vV]ersion|magicTag"
            r"|plan file does not match|Engine deserialization failed|deserialize.*failed",
            re.IGNORECASE,
        ),
        "the engine is damaged, or of another version of TensorRT: build it with this one",
    ),
    Known(
        re.compile(
            r"could not find plugin:? ?(\w+)|Unable to find plugin:? ?(\w+)"
            r"|Plugin not found|Cannot find plugin:? ?(\w+)"
        ),
        "operation {0} is unsupported: TensorRT has no importer or plugin of that name",
    ),
    Known(
        re.compile(
            r"No importer registered for op: (\w+)(?!.*Attempting)"
            r"|[Uu]nsupported(?: ONNX)? (?:operation|operator|op|node):? ?(\w+)"
            r"|UNSUPPORTED_NODE.*?(?:op|node)\w*:? ?(\w+)|operator (\w+) is not supported"
        ),
        "operation {0} is unsupported by this TensorRT",
    ),
    Known(
        re.compile(r"Could not find any implementation for node (.+?)\.?\)?\.?$"),
        "TensorRT has no kernel for {0}, or no memory to try one",
    ),
    Known(
        re.compile(r"Unknown option: (\S+)"),
        "it does not know the flag {0}",
    ),
)
"""Errors that are known, the surer ones first."""


def why_failed(ended: Ended, doing: str) -> str:
    """Why a program failed while ``doing`` something, in one line with the way out."""
    if ended.late:
        return (
            f"it did not end within {ended.seconds:.0f} s of {doing}, and was ended: "
            "--trtexec-seconds gives it longer"
        )
    errors = [line for line in ended.lines if ERROR_LINE.search(line)]
    sentence = _known(errors) or _known(ended.lines[-3:])
    signal_number = _signal_of(ended.code)
    if signal_number is not None and not sentence:
        meaning = SIGNALS.get(signal_number, f"signal {int(signal_number)} ended it")
        return f"{meaning} while {doing}"
    if sentence:
        return f"{sentence} ({doing})"
    quoted = next((_bare(line) for line in errors), "")
    if not quoted:
        quoted = next((_bare(line) for line in reversed(ended.lines) if line.strip()), "")
    if quoted:
        return f"{shortened(quoted, LONGEST)} ({doing}, exit code {ended.code})"
    return f"it ended with code {ended.code} while {doing}, and said nothing"


def _known(lines: Sequence[str]) -> str:
    """What the first known error in these lines means; empty if there is none."""
    for known in KNOWN:
        for line in lines:
            match = known.pattern.search(line)
            if match:
                named = next(filter(None, match.groups()), "of it")
                words = shortened(_bare(line), LONGEST)
                return known.sentence.format(shortened(named, LONGEST // 2), words=words)
    return ""


def _signal_of(code: int) -> signal.Signals | None:
    """The signal that ended a program with this exit code; None if none did."""
    number = -code if code < 0 else code - OF_SHELL
    try:
        return signal.Signals(number) if number > 0 else None
    except ValueError:
        return None


def _bare(line: str) -> str:
    """A line without the date and severity before it."""
    before = ""
    while line != before:
        before, line = line, DECORATION.sub("", line).strip()
    return line
