"""Kernels use what both CPU and compiler know: no missing instruction, no function for one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels import cache, fma, stream
from kernels.base import Unavailable, Work
from kernels.cpu import target
from kernels.cpu.asm import Spec, audit
from kernels.cpu.emit import vector
from kernels.fma import cpu as fma_cpu
from kernels.fma import work as fma_work
from probes.harness.check import difference
from tests.devices import CPU
from tests.kernels.cpu.test_kernels import DTYPES, THREADS, Host, Team, fma_params, host, team

__all__ = ["host", "team"]  # the fixtures of the other CPU kernels
ROOT = Path(__file__).parents[3]
ALL_FEATURES = target.ARM if target.is_arm() else target.X86
EVERYTHING = replace(CPU, features=tuple(ALL_FEATURES))
"""A device that has every instruction set that kernels know."""


def test_what_llvm_was_told_by_the_names_of_cpuinfo() -> None:
    names = target.cpuinfo_names("+sse4.1,+fma,+avx512vnni,-avx512f,+unknown", arm=False)
    assert names == {"sse2", "sse4_1", "fma", "avx512_vnni"}
    assert target.cpuinfo_names("", arm=False) == {"sse2"}
    assert target.cpuinfo_names("", arm=True) == {"asimd"}


def test_arms_sets_are_told_one_by_one_as_the_system_has_them() -> None:
    # bits of Linux's HWCAP, but for BF16, which is one of HWCAP2
    neon = 1 << 1
    half = 1 << 10
    dot_product = 1 << 20
    bf16 = 1 << 14
    words = target.arm_features("+neon,+sve", (dot_product | half | neon, bf16))
    assert target.cpuinfo_names(words, arm=True) == {"asimd", "asimddp", "asimdhp", "bf16"}
    assert words.index("+sve") < words.index("-sve"), "the last word counts"


def test_a_feature_the_compiler_does_not_use_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "compiled", lambda: frozenset({"sse2", "avx2"}))
    assert target.usable(("sse2", "fma", "asimd", "avx2", "rdrand")) == ("sse2", "avx2", "rdrand")


def test_this_machines_features_are_those_of_both(host: Host) -> None:
    mine = set(host.features) & target.CONCERNED
    assert mine
    assert mine <= target.compiled()


@pytest.mark.parametrize(
    ("features", "bits", "fused"),
    [
        (("sse2", "fma"), 128, False),
        (("avx", "avx512f"), 256, False),
        (("avx", "avx2", "avx512f"), 256, False),
        (("avx", "avx2", "fma", "avx512f"), 512, True),
    ],
)
def test_a_feature_needs_those_it_is_built_on(
    features: tuple[str, ...], bits: int, fused: bool
) -> None:
    assert (vector(features).bits, vector(features).fma) == (bits, fused)


def test_avx_alone_computes_on_whole_numbers_in_half_registers() -> None:
    assert vector(("sse2", "avx"), integers=True).bits == 128
    assert vector(("sse2", "avx", "avx2"), integers=True).bits == 256


@pytest.mark.parametrize(
    ("features", "dtype"),
    [
        (("avx", "avx2", "fma", "avx512_vnni"), "int8"),
        (("avx", "avx2", "fma", "avx512f", "avx_vnni"), "int8"),
        (("avx", "avx2", "fma", "avx512_fp16"), "fp16"),
        (("avx", "avx2", "fma", "avx512_bf16"), "bf16"),
        (("sse2",), "int32"),
    ],
)
def test_an_instruction_needs_its_own_width_of_register(
    features: tuple[str, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "is_arm", lambda: False)
    assert fma_cpu.missing(features, dtype).startswith("this core has no ")


I8MM = ("asimd", "asimddp", "i8mm", "bf16")
OF_SVE = (*I8MM, "sve", "svebf16", "svei8mm")


@pytest.mark.parametrize(
    ("features", "dtype", "path", "reason"),
    [
        (("asimd",), "bf16", "", "this core has no bf16"),
        (("asimd", "asimddp"), "int8", "smmla", "this core has no i8mm"),
        (I8MM, "int8", "smmla", ""),
        (I8MM, "bf16", "bfmmla", ""),
        (I8MM, "fp64", "sve", "this core has no sve"),
        (OF_SVE, "fp64", "sve", "the system does not tell how long this core's SVE registers are"),
        ((*OF_SVE, "sve_bits=128"), "fp64", "sve", "this core's SVE registers have 128 bits"),
        ((*OF_SVE, "sve_bits=256"), "int8", "sve_smmla", ""),
        (("asimd", "sve", "svebf16", "sve_bits=512"), "bf16", "sve", "this core has no bf16"),
    ],
)
def test_arms_instructions_need_their_sets_and_sve_longer_registers_than_neon(
    features: tuple[str, ...], dtype: str, path: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "is_arm", lambda: True)
    assert path in fma_cpu.paths(dtype)
    problem = fma_cpu.missing(features, dtype, path)
    assert problem.startswith(reason) if reason else not problem


def test_the_length_of_sves_registers_is_told_where_they_are(host: Host) -> None:
    assert (target.sve_bits(host.features) is not None) == ("sve" in host.features)
    assert target.sve_bits(host.features) == target.sve_bits(target.sve_feature())


def test_a_register_of_sve_holds_as_much_as_the_system_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, "is_arm", lambda: True)
    shape = fma_cpu.shape((*OF_SVE, "sve_bits=512"), "bf16", "sve_bfmmla")
    assert (shape["lanes"], shape["products"]) == (16, 4)


def test_the_code_of_sve_is_counted_by_the_length_of_its_registers() -> None:
    code = ".L1:\n\tfmad\tz0.s, p0/m, z1.s, z2.s\n\ttbnz\tw8, #0, .L1\n"
    spec = Spec("fmad", 8.0, 1.0, sve_bits=256)
    assert audit(code, spec, Work(flops=16)).instruction == "fmad z.s"
    assert "does 16 operations" in audit(code, spec, Work(flops=8)).problem


@pytest.mark.parametrize("products", [4, 8])
def test_bytes_of_a_word_are_multiplied_as_often_as_an_instruction_does(products: int) -> None:
    params = {"chains": 1, "lanes": 1, "steps": 1, "threads": 1, "products": products}
    result = fma_work.reference("int8", 1, **params, **fma_work.TIMED["int8"])
    assert result[0, 0] == 1 + products // 4 * 28


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_device_that_has_everything_runs_what_this_machine_has(
    team: Team, host: Host, dtype: str
) -> None:
    """A device's word alone never brings an instruction to run that this machine lacks."""
    kernel = fma.kernel(dtype)
    if fma_cpu.missing(EVERYTHING.features, dtype):
        assert fma_cpu.missing(host.features, dtype)
        return
    shape = fma_cpu.shape(EVERYTHING.features, dtype)
    params = shape | {"threads": THREADS} | fma_work.TIMED[dtype]
    if not fma_cpu.missing(host.features, dtype) and params == fma_params(host, dtype):
        kernel.backends["cpu"](EVERYTHING, dtype, params, team).run(1)
        return
    with pytest.raises(Unavailable):
        kernel.backends["cpu"](EVERYTHING, dtype, params, team)


KERNELS_WITHOUT_A_SHAPE = [stream.KERNELS[3], cache.READ]


@pytest.mark.parametrize("kernel", KERNELS_WITHOUT_A_SHAPE, ids=lambda kernel: kernel.name)
def test_what_has_no_shape_takes_the_widest_that_is_here(team: Team, kernel: Any) -> None:
    params = {"n": 1 << 16, "threads": THREADS}
    if kernel is cache.READ:
        params = {"set_bytes": 6 << 10, "readers": THREADS}
    launch = kernel.backends["cpu"](EVERYTHING, "fp64", params, team)
    launch.run(1)
    assert not difference(launch.result(), kernel.reference("fp64", 1, **params), 0.0)


# a program that runs and audits all multiply-add chains that this CPU and its compiler have
CHILD = """
from kernels import fma
from kernels.fma import cpu as fma_cpu
from kernels.fma import work as fma_work
from kernels.cpu import target as cpu_target
from probes.harness.devices import cpu
from probes.harness.clocks.team import Team

device = cpu.detect()
team = Team([device.facts["cpus"][0]])
for dtype in ("fp64", "fp32", "fp16", "bf16", "int32", "int8"):
    if not fma_cpu.missing(device.features, dtype):
        params = fma_cpu.shape(device.features, dtype) | {"threads": 1} | fma_work.TIMED[dtype]
        launch = fma.kernel(dtype).backends["cpu"](device, dtype, params, team)
        launch.run(2)
        print(dtype, launch.audit(fma_work.work(dtype, **params)))
print(*device.warnings, sep="\\n")
"""


def test_a_compiler_for_the_plainest_cpu_calls_no_function_for_what_it_lacks() -> None:
    """For any CPU of this kind LLVM has no fused multiply-add on x86, no dot product on Arm."""
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    process = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, cwd=ROOT, env=plain
    )
    assert process.returncode == 0, process.stderr
    assert "fp64 Audit(instruction='" in process.stdout
    assert "problem='a" not in process.stdout
    assert "int8" not in process.stdout
    unused = target.compiled() - {"sse2", "asimd"}
    assert not unused or "the compiler does not use" in process.stdout


# loops that call a function
CALLS = (
    ".L1:\n  vmovapd %zmm0, %zmm1\n  callq *%rax\n  vfmadd231pd %zmm1, %zmm2, %zmm3\n  jne .L1\n"
)
ARM_CALLS = ".L1:\n\tfmla\tv0.4s, v1.4s, v2.4s\n\tbl\tfmaf\n\ttbnz\tw8, #0, .L1\n"


@pytest.mark.parametrize(("code", "name"), [(CALLS, "*%rax"), (ARM_CALLS, "fmaf")])
def test_an_audit_names_a_function_that_stands_in_for_an_instruction(code: str, name: str) -> None:
    problem = audit(code, Spec("vfmadd|fmla", 4.0, 1.0), Work(flops=16)).problem
    assert f"calls {name}" in problem
