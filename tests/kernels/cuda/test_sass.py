"""What the audit must catch beside a wrong count: a stream that spills, and a loop that calls.

Such a loop leaves its work to a software routine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.base import Work
from kernels.cuda import nvrtc, sass

# a thread copies one vector, and keeps an array that an unknown index drives out of registers
STREAM = """
struct alignas(16) vec { float v[4]; };
extern "C" __global__ void f(const vec *x, vec *z, int at) {
  vec a = x[threadIdx.x];
  float kept[32];
  #pragma unroll
  for (int k = 0; k < 32; k++) kept[k] = a.v[k & 3] + k;
  CHANGE
  a.v[0] += kept[READ];
  z[threadIdx.x] = a;
}
"""
# eight chains of multiply-adds in each thread, with a place for one more statement in the loop
CHAINS = """
__device__ __noinline__ float routine(float x, float m, float c) {
  asm volatile("" : "+f"(x)); return x * m + c; }
extern "C" __global__ void f(float *out, int trips, float m, float c) {
  float x[8];
  #pragma unroll
  for (int k = 0; k < 8; k++) x[k] = k + threadIdx.x;
  #pragma unroll 1
  for (int t = 0; t < trips; t++) {
    #pragma unroll
    for (int s = 0; s < 16; s++) {
      #pragma unroll
      for (int k = 0; k < 8; k++) x[k] = x[k] * m + c;
    }
    LAST
  }
  for (int k = 0; k < 8; k++) out[threadIdx.x * 8 + k] = x[k];
}
"""
OPERATIONS = 16 * 8  # of a thread in one turn of the loop
ARCHITECTURES = ["75", "90", "120"]


def compiled(folder: Path, arch: str, text: str, **parts: str) -> nvrtc.Cubin:
    """A source with these parts in their places, compiled."""
    for name, part in parts.items():
        text = text.replace(name, part)
    source = folder / "planted.cu"
    source.write_text(text)
    return nvrtc.compile_cubin(source, arch)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_stream_that_spills_is_caught_though_its_vectors_are_whole(
    tmp_path: Path, arch: str
) -> None:
    honest = compiled(tmp_path, arch, STREAM, CHANGE="kept[3] = 1;", READ="7")
    assert sass.wide_access(honest, 1, 1).problem == ""
    spilling = compiled(tmp_path, arch, STREAM, CHANGE="kept[at & 31] = 1;", READ="(at >> 5) & 31")
    assert "spills registers to local memory (STL" in sass.wide_access(spilling, 1, 1).problem


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_loop_that_calls_a_routine_is_caught_though_its_count_is_right(
    tmp_path: Path, arch: str
) -> None:
    spec = sass.Spec("FFMA", per_warp=64, warps=1, overhead=0.2)
    work = Work(flops=64 * OPERATIONS)
    honest = compiled(tmp_path, arch, CHAINS, LAST="")
    assert sass.audit(honest, spec, work).problem == ""
    calling = compiled(tmp_path, arch, CHAINS, LAST="x[0] = routine(x[0], m, c);")
    assert sass.audit(calling, spec, work).problem == "the loop calls a software routine"
