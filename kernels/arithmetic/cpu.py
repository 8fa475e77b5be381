"""Slow arithmetic of a CPU: its divider, a vector exp2 written out, and the exp that Numba gives.

A new operation of one register is one row of ``ROWS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels.arithmetic.work import Operation, division, of_function
from kernels.base import Audit, Unavailable, Work
from kernels.cpu import target
from kernels.cpu.asm import Spec
from kernels.cpu.emit import (
    Native,
    Vector,
    compile_kernel,
    external,
    load_argument,
    loop,
    multiply_add,
    splat,
    suffix,
    vector,
)
from kernels.cpu.intrinsic import intrinsic_of
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.device import Device

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

STEPS = 8
"""Steps on each chain in one trip of the loop."""
CHAINS_OF_EXP2 = 8
"""They and its constants nearly fit into registers; each has eleven instructions."""
NUMBERS = {"fp32": np.float32, "fp64": np.float64}
"""NumPy type of a chain's value."""
ROUNDER = 1.5 * 2**23
"""Added to an FP32 number it leaves the nearest whole number in the low bits."""
FRACTION_BITS = 23
"""Of FP32: a whole number so far left is added to the exponent."""
EXP2 = (1.0000001, 0.69314719, 0.24022107, 0.055503571, 0.0096760319, 0.0013390863)
"""Coefficients of 2**x from -1/2 to 1/2, Chebyshev's: within 1e-7, as single precision is."""


@dataclass(frozen=True)
class Row:
    """One operation as a CPU does it in a register."""

    operation: Operation
    """What is computed."""
    emit: Callable[[IRBuilder, Vector, Value, Value, Value], Any]
    """``emit(builder, unit, x, m, c)`` writes one step and returns the next value."""
    pattern: str
    """Mnemonics of the instruction that is counted, as a regular expression."""
    scalar: bool = False
    """True if a register holds one value."""
    chains: int = 0
    """Chains of a thread; 0 for as many as the unit's registers allow."""
    on_integers: bool = False
    """True if it needs the unit that computes on whole numbers."""


def _quotient(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    return b.fadd(b.fdiv(m, x), c)


def _root(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    kind = x.type
    is_vector = isinstance(kind, ir.VectorType)
    name = f"llvm.sqrt.{suffix(kind) if is_vector else kind.intrinsic_name}"
    root = b.call(external(b, name, ir.FunctionType(kind, [kind])), [x])
    if is_vector:
        return multiply_add(b, root, m, c, unit.fma)
    return b.fadd(b.fmul(root, m), c)


def _power(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    """``2**x * m + c`` with no range checks: x is small."""
    lanes = x.type.count

    def everywhere(value: float) -> Any:
        return ir.Constant(x.type, [value] * lanes)

    words = ir.VectorType(ir.IntType(32), lanes)
    shifted = b.fadd(x, everywhere(ROUNDER))
    rest = b.fsub(x, b.fsub(shifted, everywhere(ROUNDER)))
    value = everywhere(EXP2[-1])
    for coefficient in reversed(EXP2[:-1]):
        value = multiply_add(b, value, rest, everywhere(coefficient), unit.fma)
    places = ir.Constant(words, [FRACTION_BITS] * lanes)
    exponent = b.shl(b.bitcast(shifted, words), places)
    scaled = b.bitcast(b.add(b.bitcast(value, words), exponent), x.type)
    return multiply_add(b, scaled, m, c, unit.fma)


_DIVIDES = r"v?divp[sd]|fdiv"
_DIVIDES_ONE = r"v?divs[sd]|fdiv"
_ROOTS = r"v?sqrtp[sd]|fsqrt"
_ROOTS_ONE = r"v?sqrts[sd]|fsqrt"
ROWS: tuple[Row, ...] = (
    Row(division("divide", needed=True), _quotient, _DIVIDES),
    Row(of_function("sqrt", np.sqrt, 1.0, 0.5, needed=True), _root, _ROOTS),
    Row(
        of_function("exp2", np.exp2, 0.0, math.log(2), tolerance=2e-3, needed=True),
        _power,
        "v?pslld|shl",
        chains=CHAINS_OF_EXP2,
        on_integers=True,
    ),
    Row(division("divide", dtype="fp64", tolerance=1e-9, needed=False), _quotient, _DIVIDES),
    Row(of_function("sqrt", np.sqrt, 1.0, 0.5, dtype="fp64", tolerance=1e-9), _root, _ROOTS),
    Row(division("divide-scalar", needed=False), _quotient, _DIVIDES_ONE, scalar=True),
    Row(of_function("sqrt-scalar", np.sqrt, 1.0, 0.5), _root, _ROOTS_ONE, scalar=True),
    Row(
        division("divide-scalar", dtype="fp64", tolerance=1e-9, needed=False),
        _quotient,
        _DIVIDES_ONE,
        scalar=True,
    ),
)
"""The table. A new operation is one row."""
BY_TAG: Mapping[tuple[str, str], Row] = {
    (row.operation.dtype, row.operation.name): row for row in ROWS
}
NUMBA_EXP = of_function("exp-numba", np.exp, 0.0, 1.0, tolerance=2e-3)
"""The exp that Numba makes of a loop over an array: SVML's where that is installed, else libm's."""
VALUES = 1024
"""Of that array, which stays in the first cache."""
FUNCTIONS = re.compile(r"\b(__svml_expf\w*|_ZGV\w+_expf|expf)\b")
"""What its loop may call."""


def shape(features: Sequence[str], row: Row) -> dict[str, Any]:
    """The params that fill a core with these features."""
    unit = vector(features, row.on_integers)
    number = NUMBERS[row.operation.dtype]
    return {
        "operation": row.operation.name,
        "chains": row.chains or unit.chains,
        "lanes": 1 if row.scalar else unit.lanes(np.dtype(number).itemsize),
        "steps": STEPS,
    }


def numba_shape() -> dict[str, Any]:
    """The params of Numba's exp."""
    return {"operation": NUMBA_EXP.name, "chains": VALUES, "lanes": 1, "steps": 1}


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains; the result is [threads, chains]."""
    row = BY_TAG[dtype, params["operation"]]
    features = target.usable(device.features)
    unit = vector(features, row.on_integers)
    here = shape(features, row)
    if params["lanes"] != here["lanes"]:
        raise Unavailable(
            f"{params['lanes']} lanes of {dtype} were asked for: this machine and its compiler "
            f"have {here['lanes']}"
        )
    lanes = params["lanes"]
    count = params["chains"] * lanes
    number = NUMBERS[dtype]
    native = _native(unit, row, params["chains"], lanes, params["steps"])
    starts = row.operation.start(1, count)[0].astype(number)
    out = np.zeros((params["threads"], count), number)
    m, c = row.operation.constants()
    rows = [pack([values.ctypes.data, number(m), number(c), starts.ctypes.data]) for values in out]
    per_128 = 1.0 if row.scalar else 16.0 / np.dtype(number).itemsize
    spec = Spec(row.pattern, per_128, params["threads"])
    return CpuLaunch(native, rows, queue, [out, starts], lambda buffers: buffers[0], spec)


@cache
def _native(unit: Vector, row: Row, chains: int, lanes: int, steps: int) -> Native:
    scalar = ir.FloatType() if row.operation.dtype == "fp32" else ir.DoubleType()
    kind = scalar if row.scalar else ir.VectorType(scalar, lanes)
    alignment = np.dtype(NUMBERS[row.operation.dtype]).itemsize

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        m = _everywhere(b, load_argument(b, arguments, 1, scalar), kind)
        c = _everywhere(b, load_argument(b, arguments, 2, scalar), kind)
        first = load_argument(b, arguments, 3, kind.as_pointer())
        out = load_argument(b, arguments, 0, kind.as_pointer())
        places = [ir.Constant(ir.IntType(64), k) for k in range(chains)]
        starts = []
        for place in places:
            load = b.load(b.gep(first, [place]))
            load.align = alignment
            starts.append(load)

        def trip(_: Any, values: Any) -> Any:
            for _ in range(steps):
                values = [row.emit(b, unit, x, m, c) for x in values]
            return values

        results = loop(b, repeat, 1, starts, trip)
        for place, value in zip(places, results, strict=True):
            store = b.store(value, b.gep(out, [place]))
            store.align = alignment

    return compile_kernel(emit)


def _everywhere(b: IRBuilder, value: Value, kind: Any) -> Any:
    """A register of this type with ``value`` in every lane."""
    return splat(b, value, kind.count) if isinstance(kind, ir.VectorType) else value


class NumbaLaunch(CpuLaunch):
    """Numba's own loop, whose functions are named instead of counted."""

    def audit(self, work: Work) -> Audit:
        """Name the function that the loop calls, and the library that it is of."""
        names = sorted(set(FUNCTIONS.findall(self._native.assembly)))
        if not names:
            return Audit(problem="the machine code calls no exp that is known")
        library = "libm" if names == ["expf"] else "a vector library"
        return Audit(" ".join(names), note=f"Numba's exp calls {' '.join(names)} of {library}")


def build_numba(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch of Numba's exp over an array of each thread; the result is [threads, values]."""
    count = params["chains"]
    values = np.tile(NUMBA_EXP.start(1, count).astype(np.float32), (params["threads"], 1))
    first = values.copy()
    rows = [
        pack([ours.ctypes.data, theirs.ctypes.data])
        for ours, theirs in zip(values, first, strict=True)
    ]
    native = _numba_native(count)
    spec = Spec("exp")
    return NumbaLaunch(native, rows, queue, [values, first], lambda buffers: buffers[0], spec)


@cache
def _numba_native(count: int) -> Native:
    """Compile the loop as a user of Numba writes it."""
    target.tell_numba()
    from numba import carray, cfunc, types

    floats = types.CPointer(types.float32)
    pointer = intrinsic_of(
        lambda b, address: b.inttoptr(address, ir.FloatType().as_pointer()), floats, [types.int64]
    )
    m, c = (np.float32(constant) for constant in NUMBA_EXP.constants())

    def entry(arguments, repeat):  # type: ignore[no-untyped-def]
        values = carray(pointer(arguments[0]), count)
        first = carray(pointer(arguments[1]), count)
        for place in range(count):
            values[place] = first[place]
        for _ in range(repeat):
            for place in range(count):
                values[place] = math.exp(values[place]) * m + c

    code: Any = cfunc(types.void(types.CPointer(types.int64), types.int64))(entry)
    return Native(code.address, code._library.get_asm_str(), code)
