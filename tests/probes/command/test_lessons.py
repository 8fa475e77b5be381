"""Of each probe only the cases that some lesson needs are asked, and none twice."""

from __future__ import annotations

from collections.abc import Sequence

from kernels.device import Device
from probes.command import lessons
from probes.harness.case import Case
from probes.records.measurement import Measurement
from probes.records.need import Need
from tests.devices import CPU, gpu, measurement


def cases(needs: Sequence[Need], device: Device = CPU) -> list[Case]:
    """What is asked of a device."""
    asked = []
    for probe in lessons.probes(needs):
        asked += list(probe.cases(device))
    return asked


def test_a_need_names_its_cases() -> None:
    need = Need("compute", tags=("compute/fp32",))
    assert [case.ceiling for case in cases([need])] == ["compute/fp32"]
    assert [case.backend for case in cases([need], gpu("9.0"))] == ["raw"]  # no twin in Numba


def test_a_case_that_two_lessons_need_is_asked_once() -> None:
    need = Need("compute", tags=("compute/fp32",))
    all_of_type = Need("compute", tags=("compute/fp32*",), dtypes=("fp32",))
    tags = [case.ceiling for case in cases([need, all_of_type])]
    assert sorted(tags) == sorted(set(tags))


def test_layers_are_chosen_by_family_curve_type_and_place() -> None:
    need = Need("layers", sweep="fc", series=("batch 1",), dtypes=("fp32",), places=(256.0,))
    (case,) = cases([need])
    assert (case.params["layer"], case.dtype) == ("fc 256 to 256, batch 1", "fp32")


def test_points_of_a_full_run_are_asked_where_a_lesson_says_so() -> None:
    strides = Need("bandwidth", tags=("sweep/bandwidth/stride/*",))
    assert not cases([strides])
    in_full = Need("bandwidth", tags=("sweep/bandwidth/stride/*",), full=True, places=(1.0, 4.0))
    assert [case.x for case in cases([in_full])] == [1, 4]


def test_what_one_kind_of_device_is_asked_another_is_not() -> None:
    need = Need("compute", tags=("compute/fp16",), kinds=("cuda",))
    assert not cases([need])
    assert cases([need], gpu("9.0"))


def test_a_need_finds_its_rows_again() -> None:
    needed = measurement("compute/fp32", probe="compute")
    others: list[Measurement] = [
        measurement("compute/fp64", probe="compute"),
        measurement("compute/fp32", probe="intensity"),
    ]
    assert Need("compute", tags=("compute/fp32",)).rows([*others, needed]) == [needed]
