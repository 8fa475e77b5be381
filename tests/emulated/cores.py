"""The cores that tests are run as, and the tests: the one place to add either."""

from __future__ import annotations

from dataclasses import dataclass

X86 = "x86_64"
ARM = "aarch64"


@dataclass(frozen=True)
class Core:
    """A core as QEMU emulates it."""

    name: str
    machine: str
    qemu: str
    """What QEMU's option -cpu is given."""
    llvm: str
    """The name LLVM must find."""
    numbers: str
    """What /proc/cpuinfo must say of it: its vendor's numbers, as this program writes them."""
    flags: str = ""
    """Of the /proc/cpuinfo that is made up for it: QEMU shows x86 programs the host's."""

    def cpuinfo(self, cpus: int) -> str:
        """A /proc/cpuinfo of so many CPUs."""
        vendor, _, family, _, model, _, stepping = self.numbers.split()
        blocks = [
            f"processor\t: {cpu}\n"
            f"vendor_id\t: {vendor}\n"
            f"cpu family\t: {family}\n"
            f"model\t\t: {model}\n"
            f"model name\t: {self.name} in QEMU\n"
            f"stepping\t: {stepping}\n"
            f"flags\t\t: {self.flags}\n"
            for cpu in range(cpus)
        ]
        return "\n".join(blocks) + "\n"


_NEHALEM = (
    "fpu tsc cx8 cmov mmx fxsr sse sse2 ht syscall nx lm pni ssse3 cx16 sse4_1 sse4_2 "
    "popcnt lahf_lm"
)
_HASWELL = (
    f"{_NEHALEM} pclmulqdq fma movbe aes xsave avx f16c rdrand abm fsgsbase bmi1 avx2 "
    "bmi2 erms xsaveopt"
)
CORES = (
    Core(
        "Haswell",
        X86,
        "Haswell,-hle,-rtm",
        "haswell",
        "GenuineIntel family 6 model 60 stepping 4",
        _HASWELL,
    ),
    Core(
        "Nehalem", X86, "Nehalem", "nehalem", "GenuineIntel family 6 model 26 stepping 3", _NEHALEM
    ),
    Core("cortex-a76", ARM, "cortex-a76", "cortex-a76", "implementer 0x41 part 0xd0b"),
    Core("cortex-a78ae", ARM, "cortex-a78ae", "cortex-a78ae", "implementer 0x41 part 0xd42"),
    Core("neoverse-v1", ARM, "neoverse-v1", "neoverse-v1", "implementer 0x41 part 0xd40"),
    # like Thor's cores: matrix instructions, and registers of SVE that are no longer than NEON's
    Core("neoverse-n2", ARM, "neoverse-n2", "neoverse-n2", "implementer 0x41 part 0xd49"),
    # a core that LLVM has no name for
    Core("max", ARM, "max", "generic", "implementer 0x00 part 0x051"),
)

TESTS = (
    # The CPU's kernels: their numbers, and the machine code that was compiled for this core.
    "tests/kernels/cpu/test_target.py",
    "tests/kernels/cpu/test_kernels.py",
    "tests/kernels/cache/test_cpu.py",
    "tests/kernels/intensity/test_intensity.py::test_the_cpu_computes_what_numpy_computes",
    "tests/kernels/intensity/test_intensity.py::test_the_loops_of_every_point_do_the_declared_work",
    "tests/kernels/access/test_access.py::test_the_cpu_reads_each_element_once",
    "tests/kernels/access/test_access.py::test_a_pass_that_reads_a_wrong_element_shows",
    # What a CPU is, and the threads that are timed on it.
    "tests/probes/harness/devices/test_cpu.py",
    "tests/probes/harness/devices/test_kinds.py",
    "tests/probes/harness/devices/test_sizes.py",
    "tests/probes/harness/clocks/test_team.py",
    # Layers in INT8 and beside it, by ONNX Runtime.
    "tests/kernels/runtime/test_session.py",
    "tests/kernels/precision/test_quantize.py",
)
RUN = ("run_all.py", "--device", "cpu", "--quick")
"""Then the whole program: every kernel of its probes runs, whatever the rates."""
