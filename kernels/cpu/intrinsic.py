"""One way to make a Numba intrinsic from a function that emits LLVM instructions, for CPU and CUDA
kernels alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder


def intrinsic_of(write: Callable[..., Any], result: Any, arguments: Sequence[Any]) -> Any:
    """An intrinsic of these Numba argument types; ``write(builder, *values)`` emits its code and
    returns its value.
    """
    from numba.extending import intrinsic

    signature = result(*arguments)

    def typed(*_: Any) -> Any:
        def generate(context: Any, builder: IRBuilder, signature: Any, values: Any) -> Any:
            value = write(builder, *values)
            return context.get_dummy_value() if value is None else value

        return signature, generate

    # Numba reads the number of arguments off the Python signature, and casts each call to the types
    # given here.
    names = ["typing", *(f"a{k}" for k in range(len(arguments)))]
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def piece({', '.join(names)}): return typed()", scope)
    return intrinsic(scope["piece"])
