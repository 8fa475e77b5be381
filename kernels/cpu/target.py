"""What the compiler may use of this CPU: the instruction sets Numba's LLVM compiles for, by their
/proc/cpuinfo names.

LLVM reads x86's sets from the CPU itself, and which registers the system saves. Arm's it takes from
the core's name: a core it has no name for would be the oldest there is, and a dot product end the
process; of a core it knows it would use what the system hides. So on Arm it is told each set, as
the system tells it. A kernel uses what both sides know.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from functools import cache

X86 = {
    "sse2": "sse2",
    "sse4_1": "sse4.1",
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "avx_vnni": "avxvnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512vnni",
    "avx512_bf16": "avx512bf16",
    "avx512_fp16": "avx512fp16",
}
"""LLVM's names (X86.td) of the sets that kernels ask for."""
X86_BASE = {"sse2"}  # of every 64-bit x86
ARM = {
    "asimd": ("neon", 0, 1),
    "atomics": ("lse", 0, 8),
    "asimdhp": ("fullfp16", 0, 10),
    "asimdrdm": ("rdm", 0, 12),
    "jscvt": ("jsconv", 0, 13),
    "fcma": ("complxnum", 0, 14),
    "lrcpc": ("rcpc", 0, 15),
    "asimddp": ("dotprod", 0, 20),
    "sve": ("sve", 0, 22),
    "asimdfhm": ("fp16fml", 0, 23),
    "sve2": ("sve2", 1, 1),
    "i8mm": ("i8mm", 1, 13),
    "bf16": ("bf16", 1, 14),
}
"""LLVM's names (AArch64Features.td) of sets it may use unasked, with the word and bit in which
Linux tells each (arch/arm64/include/uapi/asm/hwcap.h)."""
CONCERNED = frozenset(X86) | frozenset(ARM)
ARM_BASE = {"asimd"}  # of every 64-bit Arm that Linux runs on
HWCAPS = (16, 26)  # AT_HWCAP and AT_HWCAP2 of the auxiliary vector (man 3 getauxval)


def is_arm() -> bool:
    """True on 64-bit Arm."""
    return platform.machine() in ("aarch64", "arm64")


def usable(features: Iterable[str]) -> tuple[str, ...]:
    """Those of a CPU's features (names as in /proc/cpuinfo) that the compiler uses, or that do not
    concern it.
    """
    used = compiled()
    return tuple(name for name in features if name in used or name not in CONCERNED)


def own() -> frozenset[str]:
    """The features that may concern the compiler on this machine's kind of CPU."""
    return frozenset(ARM if is_arm() else X86)


@cache
def compiled() -> frozenset[str]:
    """The features that Numba's code for this process may use."""
    return named(wanted(), is_arm())


def named(told: str, arm: bool) -> frozenset[str]:
    """The features that LLVM's ``+fma,-avx512f`` stands for, by their names in /proc/cpuinfo."""
    last = {word[1:]: word[:1] == "+" for word in told.split(",")}
    if arm:
        return frozenset(
            ARM_BASE | {name for name, (theirs, _, _) in ARM.items() if last.get(theirs)}
        )
    return frozenset(X86_BASE | {name for name, theirs in X86.items() if last.get(theirs)})


@cache
def tell() -> None:
    """Tell Numba what to compile for, before it compiles anything."""
    import llvmlite.binding
    from numba.core import config

    # Numba loads none, and inline assembly needs one
    llvmlite.binding.initialize_native_asmparser()
    config.CPU_FEATURES = wanted()


@cache
def wanted() -> str:
    """What is compiled for, in LLVM's words: ``+neon,-sve``. The user's own word, in Numba's
    variables, goes first.
    """
    asked = os.environ.get("NUMBA_CPU_FEATURES")
    if asked is not None:
        return asked
    if os.environ.get("NUMBA_CPU_NAME", "").lower() == "generic":
        return ""
    own = own_features(os.environ.get("NUMBA_ENABLE_AVX", "1") != "0")
    there = hwcaps() if is_arm() else None
    return own if there is None else arm_features(own, there)


def own_features(avx: bool) -> str:
    """What LLVM found by itself, with AVX and what was built on it or without.

    Left to itself Numba would leave AVX out on the first CPUs that had it, where it saw its loops
    run no faster: a roof is measured with whole registers.
    """
    import llvmlite.binding

    words = str(llvmlite.binding.get_host_cpu_features().flatten()).split(",")
    return ",".join(word if avx else word.replace("+avx", "-avx") for word in words)


def arm_features(own: str, there: tuple[int, int]) -> str:
    """What LLVM found by itself, and after it, since the last word counts, each set as the system
    tells it.
    """
    words = own.split(",") if own else []
    for theirs, word, bit in ARM.values():
        sign = "+" if there[word] >> bit & 1 else "-"
        words.append(sign + theirs)
    return ",".join(words)


def hwcaps() -> tuple[int, int] | None:
    """Linux' two words on what this process' CPUs have, all of them; None on other systems."""
    try:
        ask = ctypes.CDLL(None).getauxval
    except (AttributeError, OSError, TypeError):
        return None
    ask.restype, ask.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return ask(HWCAPS[0]), ask(HWCAPS[1])
