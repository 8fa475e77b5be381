"""A family of layers is a sweep on each kind of device, with the launch overhead beside it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from kernels.layers import FAMILIES
from probes import layers
from probes.command import asked
from probes.command.options import parser
from probes.harness.case import all_probes, choose
from probes.harness.task import tasks
from probes.records.measurement import RidgelineError
from tests.devices import CPU, GPU


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_a_sweep_with_the_overhead_beside_it(name: str) -> None:
    cases = list(layers.probe([name]).cases(CPU))
    assert cases[0].ceiling == "overhead/run/cpu"
    points = [case for case in cases if case.ceiling.startswith("layer/")]
    assert len(points) == len(cases) - 1
    assert {case.params["sweep"] for case in points} == {name}
    places = [(case.params["layer"], case.dtype, case.params["series"], case.x) for case in points]
    assert len(places) == len(set(places))
    assert all(case.params["working_set"] > 0 for case in points)


def test_a_gpu_asks_tensor_types_and_the_library_too() -> None:
    cases = [case for case in layers.cases(GPU, ["matmul"]) if case.ceiling.startswith("layer/")]
    by_runtime = [case for case in cases if case.backend == "cuda"]
    by_library = [case for case in cases if case.backend == "cublaslt"]
    dtypes = {"fp32", "tf32", "fp16", "int8"}
    assert {case.dtype for case in by_runtime} == dtypes
    assert {case.dtype for case in by_library} == dtypes
    assert {case.x for case in by_library} == {case.x for case in by_runtime}
    for case in by_library:
        assert case.kernel.work(case.dtype, **case.params).flops == 2 * (case.x or 0) ** 3


def test_a_type_that_a_device_lacks_is_asked_for_and_has_its_reason() -> None:
    turing = replace(GPU, arch="7.5")
    assert "tf32" in {case.dtype for case in layers.cases(turing, ["conv-size"])}
    reason = layers.no_type("tf32", turing)
    assert reason == "compute capability 7.5 has no tf32 (since 8.0)"
    assert layers.no_type("tf32", CPU) == "no CPU multiplies in tf32"
    assert layers.no_type("fp16", CPU) == ""


def test_layers_run_only_on_request() -> None:
    assert "layers" in all_probes()
    assert "layers" not in {probe.name for probe in choose(None, full=True)}
    assert [probe.name for probe in choose(["layers"])] == ["layers"]
    with pytest.raises(
        RidgelineError, match="no family of layers is called 'conv'; there are: conv-kernel"
    ):
        layers.probe(["conv"])


def test_without_the_extra_rows_say_so_and_a_request_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    reasons = {task.row.reason for task in tasks([layers.probe(["rows"])], CPU, "now")}
    assert reasons == {"onnx is not installed: pip install -e '.[layers]'"}
    with pytest.raises(RidgelineError, match="layers cannot be timed: onnx is not installed"):
        asked.probes(parser("0").parse_args(["--layers", "rows"]))
