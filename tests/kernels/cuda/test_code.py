"""Every CUDA kernel, compiled for every architecture and held against its declared work, with no
GPU.
"""

from __future__ import annotations

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels import stream
from kernels.base import KernelError, Work
from kernels.cuda import cubins, disassembly, nvrtc, sass
from kernels.cuda import kernel as cuda_kernel
from kernels.fma import cuda as fma_cuda
from kernels.stream import cuda as stream_cuda
from kernels.stream.cuda import StreamKernel
from tests.devices import COMPILE_ONLY, GPU, SINCE_VOLTA, gpu
from tests.kernels.made_up_cuda import Queue, installed


def streamed(op: str, arch: str, params: dict[str, Any], dtype: str = "fp64") -> StreamKernel:
    return StreamKernel(op, gpu(arch), dtype, {"n": 1 << 12} | params)


@pytest.mark.parametrize("arch", SINCE_VOLTA)
@pytest.mark.parametrize("dtype", fma_cuda.TYPES)
def test_chains_do_their_work_on_every_architecture(arch: str, dtype: str) -> None:
    if reason := fma_cuda.missing(gpu(arch), dtype):
        assert dtype == "bf16", reason
        return
    kernel = fma_cuda.FmaKernel(gpu(arch), dtype, fma_cuda.shape(gpu(arch), dtype))
    found = kernel.audit(kernel.work())
    assert found.problem == ""
    if arch in COMPILE_ONLY:
        assert found.note == f"not audited: nvdisasm refuses sm_{kernel.cubin.arch}"
    else:
        assert (found.note, found.instruction) != ("", "")


STREAMED = [
    *((arch, "fp64") for arch in ("5.0", "6.1", "7.0", "7.5", "9.0", "11.0", "12.0")),
    ("9.0", "fp32"),
]


@pytest.mark.parametrize(("arch", "dtype"), STREAMED)
@pytest.mark.parametrize("kernel", stream.KERNELS, ids=lambda k: k.name)
def test_streams_move_whole_vectors(arch: str, dtype: str, kernel: Any) -> None:
    known = replace(
        gpu(arch),
        facts={"shared_bytes_per_multiprocessor": 233472, "shared_bytes_optin": 232448},
    )
    for backend, params in stream_cuda.variants(kernel.name, known):
        if backend == "raw":
            launch = streamed(kernel.name, arch, params, dtype)
            found = launch.audit(launch.work())
            assert found.problem == ""
            assert ".128" in found.instruction or arch in COMPILE_ONLY


@pytest.mark.parametrize(
    ("whole", "optin", "alone"),
    [(233472, 232448, 116737), (102400, 101376, 51201), (65536, 32768, None), (0, 0, None)],
)
def test_a_block_alone_on_an_sm_takes_more_than_half_of_its_shared_memory(
    whole: int, optin: int, alone: int | None
) -> None:
    facts = {"shared_bytes_per_multiprocessor": whole, "shared_bytes_optin": optin}
    found = [
        params.get("shared_bytes")
        for _, params in stream_cuda.variants("triad", replace(GPU, facts=facts))
    ]
    assert [size for size in found if size] == ([alone] if alone else [])


def test_the_launch_takes_the_unused_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, taken = installed(monkeypatch), list[int]()
    kernel = lambda grid, block, arguments, shared_mem, stream: taken.append(shared_mem)  # noqa: E731
    allowed = dict[str, int]()
    monkeypatch.setattr(
        cuda_kernel, "function", lambda path, name, shared: allowed.update({name: shared}) or kernel
    )
    for shared in (0, 116737):
        params = {"block": 1024, "vecs": 2} | ({"shared_bytes": shared} if shared else {})
        launch = streamed("triad", "9.0", params)
        launch.ready(Queue(runtime))
        launch.run(2)
        launch.close()
        assert (allowed["stream"], taken[-2:]) == (shared, [shared, shared])


def test_a_stream_that_moves_less_or_in_smaller_pieces_is_caught() -> None:
    narrow, wide = (streamed("triad", "9.0", {"block": 256, "vecs": vecs}) for vecs in (2, 4))
    assert wide.inspect(narrow.build(), wide.work()).problem == (
        "4 loads and 2 stores of 128 bits a thread, not 8 and 4"
    )


SOURCE = """
extern "C" __global__ void f(float *out, int trips, float m, float c) {
  float x[8];
  #pragma unroll
  for (int k = 0; k < 8; k++) x[k] = 1.0f + k + threadIdx.x;
  #pragma unroll 1
  for (int t = 0; t < trips; t++) {
    #pragma unroll
    for (int s = 0; s < STEPS; s++) {
      #pragma unroll
      for (int k = 0; k < 8; k++) x[k] = x[k] * m + c;
    }
  }
  STORE
}
"""
EVERY = "for (int k = 0; k < 8; k++) out[threadIdx.x * 8 + k] = x[k];"
SPILL = (
    "float y[64]; for (int k = 0; k < 64; k++) y[k] = x[k & 7] + k; y[(int)c & 63] = 1; "
    "out[0] = y[(int)m & 63];"
)
SPEC = sass.Spec("FFMA", per_warp=64, warps=1, overhead=0.008)
WORK = Work(flops=8 * 128 * 64)


def audited(folder: Path, steps: int = 128, store: str = EVERY, work: Work = WORK) -> sass.Audit:
    source = folder / "planted.cu"
    source.write_text(SOURCE.replace("STEPS", str(steps)).replace("STORE", store))
    return sass.audit(nvrtc.compile_cubin(source, "90"), SPEC, work)


def test_an_honest_loop_passes(tmp_path: Path) -> None:
    assert audited(tmp_path) == sass.Audit("FFMA", operations=64)


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ({"store": "if (m == 7) out[0] = 1;"}, "the compiler removed the work"),
        ({"store": "out[threadIdx.x] = x[0];"}, "operations a repetition, not"),
        ({"store": SPILL}, "local memory"),
        ({"steps": 64}, "32768 operations a repetition, not 65536"),
        ({"work": Work(flops=2 * WORK.flops)}, "65536 operations a repetition, not 131072"),
        (
            {"steps": 8, "work": Work(flops=WORK.flops / 16)},
            "of the loop's instructions are not FFMA",
        ),
    ],
    ids=["dead chains", "one live chain", "spill", "halved loop", "wrong count", "loop overhead"],
)
def test_planted_faults_are_caught(tmp_path: Path, planted: dict[str, Any], why: str) -> None:
    assert why in audited(tmp_path, **planted).problem


def test_a_compile_error_names_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "broken.cu"
    source.write_text("\n\nextern int f(;\n")
    with pytest.raises(KernelError, match=r"broken\.cu line 3: .*\(-arch=sm_90\)"):
        nvrtc.compile_cubin(source, "90")


def test_what_a_kernel_includes_counts_and_lines_stay_right(tmp_path: Path) -> None:
    source, header = tmp_path / "main.cu", tmp_path / "part.cuh"
    source.write_text(
        '#include "part.cuh"\n\nextern "C" __global__ void f(int *x) { *x = N + oops; }\n'
    )
    header.write_text("#define N 1\n#define M 2\n")
    with pytest.raises(KernelError, match=r"main\.cu line 3: .*oops"):
        nvrtc.compile_cubin(source, "90")
    source.write_text(source.read_text().replace(" + oops", ""))
    one = nvrtc.compile_cubin(source, "90")
    header.write_text("#define N 7\n")
    assert nvrtc.compile_cubin(source, "90").path != one.path


def test_an_architecture_no_compiler_knows_is_refused_with_what_there_is() -> None:
    with pytest.raises(KernelError, match=r"no NVRTC that compiles for sm_35 \(found: NVRTC 13"):
        nvrtc.compiler_for("35")


def test_a_compiler_newer_than_the_driver_is_not_used() -> None:
    assert nvrtc.compiler_for("90").version[0] == 13
    assert nvrtc.compiler_for("90", newest_major=12).version[0] == 12
    with pytest.raises(KernelError, match="the driver supports CUDA 12, but only NVRTC 13"):
        nvrtc.compiler_for("110", newest_major=12)


def test_a_cubin_is_compiled_once_and_named_by_its_content(tmp_path: Path) -> None:
    source = tmp_path / "once.cu"
    source.write_text('extern "C" __global__ void f(int *x) { *x = N; }')
    one, same, other = (nvrtc.compile_cubin(source, "90", {"N": n}) for n in (1, 1, 2))
    assert one.path == same.path != other.path
    assert one.path.read_bytes()[:4] == b"\x7fELF"


def test_without_a_disassembler_a_kernel_is_not_audited_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    found = audited(tmp_path, steps=127)
    assert (found.problem, found.note) == ("", sass.NOT_AUDITED)


def test_no_room_for_the_disassembler_is_not_called_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disassembly.tempfile, "NamedTemporaryFile", full)
    assert audited(tmp_path, steps=126).note == "not audited: no space left on device"


def test_what_was_found_is_kept_beside_the_cubin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    planted = audited(tmp_path, steps=64)
    assert planted.problem
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    assert audited(tmp_path, steps=64) == planted
    monkeypatch.setattr(sass, "audit_version", lambda: "another audit")
    sass.code_of.cache_clear()  # of this process, where the next answer would come from
    assert audited(tmp_path, steps=64).note == sass.NOT_AUDITED


def test_threads_that_need_one_kernel_compile_and_disassemble_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    source = tmp_path / "planted.cu"
    source.write_text(SOURCE.replace("STEPS", "128").replace("STORE", EVERY))
    made: list[str] = []

    def counting(name: str, real: Any) -> Any:
        def counted(*given: Any) -> Any:
            made.append(name)
            return real(*given)

        return counted

    for module, name in ((nvrtc, "_build"), (sass, "disassemble")):
        monkeypatch.setattr(module, name, counting(name, getattr(module, name)))
    with ThreadPoolExecutor(8) as pool:
        ask = lambda count: sass.audit(nvrtc.compile_cubin(source, "90"), SPEC, Work(flops=count))  # noqa: E731
        found = list(pool.map(ask, range(1, 9)))
    assert sorted(made) == ["_build", "disassemble"]
    assert len({audit.problem for audit in found}) == 8
    assert len(cubins.answers(next(tmp_path.glob("*.sass.json")))) == 8, (
        "no answer overwrites another"
    )


def test_no_room_for_a_cubin_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        KernelError,
        match=r"cannot keep x\.cubin in .*: No space left on device; set XDG_CACHE_HOME",
    ):
        cubins.store(tmp_path / "x.cubin", b"code")
    assert not list(tmp_path.iterdir())


def test_the_disassembler_is_there() -> None:
    assert disassembly.disassembler() or shutil.which("nvdisasm"), (
        "the checks above need it: pip install nvidia-cuda-nvdisasm"
    )
