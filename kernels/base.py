"""The nouns of this package: Work, Kernel and Launch. What runs, and how much work that is.

A kernel is one operation with one NumPy reference and any number of implementations (backends).
Nothing here measures: a Launch only launches, on the queue it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

ITEMSIZE = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "int32": 4, "int8": 1, "fp8": 1}
"""Bytes of one element in memory."""


class KernelError(Exception):
    """A kernel cannot be built or launched: one line names the kernel, the value, the way out."""


class Unavailable(Exception):
    """A kernel cannot run on this device: the reason, in one line (``sm_75 has no bf16``)."""


LONGEST_LINE = 300
"""Characters that ``one_line`` keeps."""


def one_line(what: object) -> str:
    """An error or another text in one line, cut if long: those of other programs have many."""
    return " ".join(str(what).split())[:LONGEST_LINE]


@dataclass(frozen=True)
class Work:
    """The least arithmetic and traffic of one repetition."""

    flops: float = 0.0
    """Operations, of floats or integers as the type is; a multiply-add is two."""
    bytes: float = 0.0
    """Bytes read and written."""


@dataclass(frozen=True)
class Audit:
    """What the machine code of a launch was found to do."""

    instruction: str = ""
    """Opcode of the hot loop: ``FFMA``, ``vfmadd231pd zmm``."""
    problem: str = ""
    """Why the code does not do the declared work; empty if it does."""
    note: str = ""
    """A remark, such as ``not audited: no disassembler``."""
    operations: float = 0.0
    """Of one such instruction of a warp; 0 if unknown."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of what ran, for the row's params."""
    emulated: bool = False
    """The compiler made other instructions of the one asked for: the rate is not the unit's."""


@dataclass(frozen=True)
class Fault:
    """How wrong the result of a library is, where what it was asked is right."""

    values: int
    """How many differ from the reference."""
    of: int
    """How many values there are."""
    error: float | None
    """Largest difference over the largest magnitude; None if the reference has another shape."""

    def __str__(self) -> str:
        """``3 of 8 values, by up to 7.5 % of the largest``."""
        difference = "its shape differs"
        if self.error is not None:
            difference = f"by up to {100 * self.error:.2g} % of the largest"
        return f"{self.values} of {self.of} values, {difference}"


@dataclass(frozen=True)
class Appeal:
    """A claim that only the known fault of a library makes a result differ from its reference."""

    fault: str
    """Name of that fault, a key of the row's facts."""
    words: Callable[[Fault], str]
    """What the row says of it."""
    pairs: Sequence[tuple[np.ndarray, np.ndarray]]
    """The claim holds if both arrays of every pair agree within the kernel's tolerance."""


class Launch(Protocol):
    """A kernel built for one device, size and type, its buffers allocated, ready to go."""

    def run(self, repeat: int) -> Any:
        """Do the work ``repeat`` times on the queue it was built for; on CUDA, return at once."""

    def result(self) -> np.ndarray:
        """What the last ``run`` computed, on the host, with the shape of ``Kernel.reference``."""

    def clock_hz(self) -> float | None:
        """Clock of the units during the last run; None if the kernel does not observe it."""

    def audit(self, work: Work) -> Audit:
        """Disassemble what will run and hold it against the declared work."""

    def close(self) -> None:
        """Give the buffers back."""


@runtime_checkable
class Selective(Launch, Protocol):
    """A launch that can do its work in several ways, which differ in some of its params."""

    def ways(self) -> Iterable[Mapping[str, Any]]:
        """Those params in each way, the one first that is expected to be fastest."""

    def take(self, way: Mapping[str, Any]) -> None:
        """Work this way from now on."""


Builder = Callable[..., Launch]
"""``build(device, dtype, params, queue) -> Launch``; queue: the harness's CUDA stream or thread
team.
"""


@dataclass(frozen=True)
class Kernel:
    """One operation."""

    name: str
    work: Callable[..., Work]
    """``work(dtype, **params)``: the Work of one repetition."""
    reference: Callable[..., np.ndarray]
    """``reference(dtype, repeat, **params)``: what ``result`` must return after ``run(repeat)``."""
    backends: Mapping[str, Builder]
    tolerance: Mapping[str, float] = field(default_factory=dict)
    """Largest difference by dtype, over the largest magnitude of the reference; 0 means exact."""
    check_params: Mapping[str, Any] = field(default_factory=dict)
    """They replace params while the numbers are checked."""
    check_repeat: int = 1
    """Repetitions of that check."""
    footprint: Callable[..., float] | None = None
    """``footprint(dtype, **params)``: bytes of memory that a launch allocates; by default, those of
    its work.
    """
    prepare: Callable[..., None] | None = None
    """``prepare(device, dtype, params)`` compiles and disassembles the ``raw`` backend into the
    caches. It needs no GPU, and many may run at once.
    """
    appeals: Callable[[str, np.ndarray, np.ndarray], Iterable[Appeal]] = (
        lambda dtype, result, reference: ()
    )
    """``appeals(dtype, result, reference)``: what else to compare where these two differ."""
    slow_seconds: float = 0.0
    """What a turn takes beside its samples, beyond what compiling and checking usually take."""

    def memory_bytes(self, dtype: str, params: Mapping[str, Any]) -> float:
        """Bytes of memory one launch allocates."""
        size = self.footprint or (lambda dtype, **p: self.work(dtype, **p).bytes)
        return size(dtype, **params)


def no_work(dtype: str, **_: Any) -> Work:
    """The work of what is timed for its own sake: a launch, or a load that waits."""
    return Work()


def no_memory(dtype: str, **_: Any) -> float:
    """The footprint of what stays in registers, or in memory inside the device's units."""
    return 0.0
