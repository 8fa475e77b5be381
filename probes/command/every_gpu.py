"""``--device all``: every GPU of this machine, each measured by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probes.command.forwarded import without
from probes.harness.devices.cuda import count_devices
from probes.records import given
from probes.records.measurement import RidgelineError

ALL = "all"
"""What ``--device`` takes for every GPU."""
FOLDER = "gpus"
"""Where the runs of all GPUs go, below ``--out``."""
ALONE, TOGETHER = "alone", "together"
"""Folders of the runs that were made one after the other, and at once."""
TAKEN = {"--device": 1, "--together": 0, "--out": 1}
"""Options that each process is given anew, and how many values they take."""
SECONDS_TO_END = 20
"""For a process to end after Ctrl-C."""


@dataclass(frozen=True)
class GpuRun:
    """The process that measured one GPU."""

    gpu: int
    """Number of the GPU."""
    folder: Path
    """Folder of its runs."""
    code: int
    """Exit code of the process."""


def gpus(count: Callable[[], int] = count_devices) -> list[int]:
    """Numbers of all GPUs. Raises RidgelineError where there are none."""
    try:
        number = count()
    except RidgelineError as error:
        why = str(error).removesuffix(": use --device cpu")
        raise RidgelineError(f"--device all: {why}: --device cpu measures the CPU") from None
    if not number:
        raise RidgelineError("--device all: there is no GPU here: --device cpu measures the CPU")
    return list(range(number))


def command_of(gpu: int, argv: Sequence[str], known: Sequence[str], out: Path) -> list[str]:
    """The command that measures one GPU. known: names of all options."""
    words = without(argv, TAKEN, known)
    program = Path(sys.argv[0]).resolve() if sys.argv else Path("run_all.py")
    if program.name != "run_all.py":
        program = Path(__file__).parents[2] / "run_all.py"
    return [sys.executable, str(program), *words, "--device", f"cuda:{gpu}", "--out", str(out)]


def one_after_the_other(
    numbers: Sequence[int], argv: Sequence[str], known: Sequence[str], folder: Path
) -> Iterator[GpuRun]:
    """Measure each GPU; the processes print as one alone does."""
    for gpu in numbers:
        out = folder / f"gpu-{gpu}"
        process = subprocess.Popen(command_of(gpu, argv, known, out))
        yield GpuRun(gpu, out, _waited([process])[0])


def at_once(
    numbers: Sequence[int], argv: Sequence[str], known: Sequence[str], folder: Path
) -> list[GpuRun]:
    """Measure all GPUs at the same time; each process prints into ``gpu-N.log``.

    Raises RidgelineError where that cannot be written.
    """
    processes = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for gpu in numbers:
            with (folder / f"gpu-{gpu}.log").open("wb") as log:
                command = command_of(gpu, argv, known, folder / f"gpu-{gpu}")
                processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    except OSError as error:
        _end(processes)
        raise RidgelineError(f"cannot write to --out {folder}: {given.reason(error)}") from None
    except BaseException:
        _end(processes)
        raise
    codes = _waited(processes)
    return [
        GpuRun(gpu, folder / f"gpu-{gpu}", code) for gpu, code in zip(numbers, codes, strict=True)
    ]


def _waited(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Their exit codes. After Ctrl-C, which reaches them too, they have some time to end."""
    try:
        return [process.wait() for process in processes]
    except BaseException:
        _end(processes)
        raise


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for processes that were interrupted, and kill those that do not end."""
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        if process.poll() is None:
            process.kill()
            process.wait()
