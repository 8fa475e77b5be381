"""Make a Numba intrinsic of a function that emits LLVM instructions, for CPU and CUDA kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder


def intrinsic_of(write: Callable[..., Any], result: Any, arguments: Sequence[Any]) -> Any:
    """An intrinsic whose code ``write(builder, *values)`` emits; ``write`` returns its value.

    result: the Numba type of that value. arguments: the Numba types of what it is called with.
    """
    from numba.extending import intrinsic

    signature = result(*arguments)

    def typed(*_: Any) -> Any:
        def generate(context: Any, builder: IRBuilder, signature: Any, values: Any) -> Any:
            value = write(builder, *values)
            if value is None:
                return context.get_dummy_value()
            return value

        return signature, generate

    # Numba reads the number of arguments off the Python signature, so it is written out. It casts
    # what each call passes to the types of ``signature``.
    names = ["typing"]
    names += [f"a{k}" for k in range(len(arguments))]
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def piece({', '.join(names)}): return typed()", scope)
    return intrinsic(scope["piece"])
