"""Which instruction sets of this CPU Numba's LLVM compiles for, by their /proc/cpuinfo names.

On x86 LLVM asks the CPU for its sets, and which registers the system saves. On Arm it goes by the
core's name, which has two faults. A core that it has no name for is taken for the oldest there is,
and a dot product would end the process. Of a core that it knows, it uses what the system hides. So
on Arm LLVM is told each set, as the system tells it. A kernel uses what both CPU and LLVM know.
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
X86_BASE = {"sse2"}  # on every 64-bit x86
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
Linux tells each (arch/arm64/include/uapi/asm/hwcap.h).
"""
CONCERNED = frozenset(X86) | frozenset(ARM)
"""The features that matter to the compiler; it does not know the others, or they are no sets."""
ARM_BASE = {"asimd"}  # on every 64-bit Arm that Linux runs on
HWCAPS = (16, 26)  # AT_HWCAP and AT_HWCAP2 of the auxiliary vector (man 3 getauxval)
SVE_BITS = "sve_bits="
"""How the feature begins that says how long the registers of SVE are: ``sve_bits=256``. No
/proc/cpuinfo has it: the system tells it to each process."""
NEON_BITS = 128
"""Of a register of every 64-bit Arm; those of SVE are so long at least."""
SVE_GET_LENGTH = 51  # PR_SVE_GET_VL of prctl (Linux' include/uapi/linux/prctl.h)
SVE_LENGTH_MASK = 0xFFFF  # PR_SVE_VL_LEN_MASK: the bits of its answer that are a length, in bytes


def is_arm() -> bool:
    """True on 64-bit Arm."""
    return platform.machine() in ("aarch64", "arm64")


def usable(features: Iterable[str]) -> tuple[str, ...]:
    """Those of a CPU's features that the compiler uses, and those that do not concern it."""
    used = compiled()
    return tuple(name for name in features if name in used or name not in CONCERNED)


def concerned_here() -> frozenset[str]:
    """The features that matter to the compiler on this machine's kind of CPU."""
    return frozenset(ARM if is_arm() else X86)


@cache
def compiled() -> frozenset[str]:
    """The features that Numba's code for this process may use."""
    return cpuinfo_names(llvm_features(), is_arm())


def cpuinfo_names(llvm_words: str, arm: bool) -> frozenset[str]:
    """The /proc/cpuinfo names of what LLVM's ``+fma,-avx512f`` switches on.

    Of two words on one set, the last counts. What every CPU of this kind has needs no word.
    """
    switched_on = {word[1:]: word[:1] == "+" for word in llvm_words.split(",")}
    if arm:
        llvm_names = {name: llvm_name for name, (llvm_name, _, _) in ARM.items()}
        base = ARM_BASE
    else:
        llvm_names = X86
        base = X86_BASE
    names = {name for name, llvm_name in llvm_names.items() if switched_on.get(llvm_name)}
    return frozenset(base | names)


@cache
def tell_numba() -> None:
    """Tell Numba what to compile for; call it before Numba compiles anything."""
    import llvmlite.binding
    from numba.core import config

    # Numba loads no parser of assembly, and inline assembly needs one
    llvmlite.binding.initialize_native_asmparser()
    config.CPU_FEATURES = llvm_features()


@cache
def llvm_features() -> str:
    """What is compiled for, in LLVM's words: ``+neon,-sve``.

    Numba's environment variables, where the user has set them, decide.
    """
    users_words = os.environ.get("NUMBA_CPU_FEATURES")
    if users_words is not None:
        return users_words
    if os.environ.get("NUMBA_CPU_NAME", "").lower() == "generic":
        return ""
    with_avx = os.environ.get("NUMBA_ENABLE_AVX", "1") != "0"
    host_words = host_features(with_avx)
    system_bits = hwcaps() if is_arm() else None
    if system_bits is None:
        return host_words
    return arm_features(host_words, system_bits)


def host_features(with_avx: bool) -> str:
    """What LLVM finds on this CPU; ``with_avx`` False switches AVX and all built on it off.

    Numba's own choice would leave AVX out on the first CPUs that had it, since its loops ran no
    faster there. A roof is measured with whole registers.
    """
    import llvmlite.binding

    words = str(llvmlite.binding.get_host_cpu_features().flatten())
    if with_avx:
        return words
    return ",".join(word.replace("+avx", "-avx") for word in words.split(","))


def arm_features(host_words: str, system_bits: tuple[int, int]) -> str:
    """What LLVM finds, followed by each set as the system tells it: the last word counts."""
    words = host_words.split(",") if host_words else []
    for llvm_name, word, bit in ARM.values():
        sign = "+" if system_bits[word] >> bit & 1 else "-"
        words.append(sign + llvm_name)
    return ",".join(words)


def hwcaps() -> tuple[int, int] | None:
    """Linux' two words of bits on what all CPUs of this process have; None on other systems."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (AttributeError, OSError, TypeError):
        return None
    getauxval.restype = ctypes.c_ulong
    getauxval.argtypes = [ctypes.c_ulong]
    return getauxval(HWCAPS[0]), getauxval(HWCAPS[1])


def sve_feature() -> tuple[str, ...]:
    """``("sve_bits=256",)`` where this process has SVE registers of that length; else nothing."""
    if not is_arm() or "sve" not in compiled():
        return ()
    try:
        answer = ctypes.CDLL(None).prctl(SVE_GET_LENGTH, 0, 0, 0, 0)
    except (AttributeError, OSError, TypeError):
        return ()
    bits = 8 * (answer & SVE_LENGTH_MASK)
    return (f"{SVE_BITS}{bits}",) if answer > 0 and bits >= NEON_BITS else ()


def sve_bits(features: Iterable[str]) -> int | None:
    """How long the registers of SVE are, by these features; None if they do not tell."""
    for name in features:
        if name.startswith(SVE_BITS):
            return int(name.removeprefix(SVE_BITS))
    return None
