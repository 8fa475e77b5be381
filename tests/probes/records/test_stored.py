"""Nothing of a wrong type, and no absurd number, gets past from a run on disk."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from kernels.device import Device
from probes.records.measurement import SKIPPED
from probes.records.stored import device_of, row_problem
from tests.devices import CPU, GPU, measurement


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"schema_version": 3},
            "schema 3 is of a newer Ridgeline than this one, which reads 2: update this one",
        ),
        ({"schema_version": 0}, "schema 0 is older than any that Ridgeline wrote"),
        ({"status": "fine"}, "status is 'fine', not ok, skipped or failed"),
        ({"ceiling": "compute"}, "ceiling is 'compute', which is no tag"),
        ({"ceiling": "compute/"}, "ceiling is 'compute/', which is no tag"),
        ({"ceiling": "sweep/bandwidth/working-set"}, "which is no tag"),
        ({"seconds_median": None}, "seconds_median is empty, though its status is ok"),
        ({"seconds_median": 0.0}, "seconds_median is 0, though"),
        ({"seconds_low": 2e-3}, "seconds_low is 0.002, above seconds_high"),
        ({"params": "{"}, "params is '{', which is no JSON"),
        ({"params": " null"}, "params is ' null', not a JSON object"),
        ({"params": "[]"}, "params is '[]', not a JSON object"),
        ({"params": '{"x": NaN}'}, "which is no JSON"),
        ({"params": "[" * 100_000}, "params is nested too deep"),
        ({"params": '{"x": "3"}'}, "params: x is '3', not a number up to 1e+18"),
        ({"params": '{"x": -3}'}, "params: x is -3, not a number"),
        ({"params": '{"x": 1e300}'}, "params: x is 1e+300, not a number"),
        ({"params": f'{{"x": 1{"0" * 400}}}'}, "params: x is 1000"),
        (
            {"params": '{"launches": "many"}'},
            "params: launches is 'many', not a number of zero or more",
        ),
        ({"params": '{"network": ["a"]}'}, "params: network is ['a'], not text"),
        ({"params": '{"warm": "yes"}'}, "params: warm is 'yes', not true or false"),
        (
            {"params": '{"beside": {"compute/fp32": "fast"}}'},
            "params: beside is {'compute/fp32': 'fast'}, not numbers",
        ),
        ({"params": '{"ran": ["Conv"]}'}, "params: ran is ['Conv'], not numbers by name"),
    ],
)
def test_a_row_that_no_run_can_have_says_why(changed: dict[str, Any], says: str) -> None:
    assert says in row_problem(replace(measurement("compute/fp32"), **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"params": ""},
        {"params": "null"},
        {"params": '{"x": 3, "launches": null, "warm": true, "over": "size"}'},
        {"status": SKIPPED, "seconds_median": None},
        {"ceiling": "layer/a name / of one's own"},
        {"ceiling": "sweep/bandwidth/working-set/read", "params": '{"x": 4096}'},
        {"ceiling": "layer/other", "params": '{"x": 0, "ran": {"Conv": 3}}'},
    ],
)
def test_a_row_as_runs_have_it_passes(changed: dict[str, Any]) -> None:
    assert row_problem(replace(measurement("compute/fp32"), **changed)) == ""


def facts(device: Device, **changed: Any) -> dict[str, Any]:
    """What JSON holds of a device, with these changes."""
    fields = asdict(device)
    return {
        **fields,
        "features": list(fields["features"]),
        "warnings": list(fields["warnings"]),
        **changed,
    }


@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_device_reads_back_as_it_was(device: Device) -> None:
    assert device_of(facts(device)) == (device, [])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": "tpu"}, "device: kind is 'tpu', not cuda or cpu"),
        ({"kind": ["cuda"]}, "device: kind is ['cuda']"),
        ({"index": True}, "device: index is True"),
        ({"name": None}, "device: name is None, not text of at most"),
        ({"units": 0}, "device: units is 0, not a number above zero"),
        ({"units": 2.0}, "device: units is 2.0"),
        ({"arch": "hopper"}, "device: arch is 'hopper', not a compute capability such as 9.0"),
    ],
)
def test_a_device_without_what_it_needs_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as error:
        device_of(facts(GPU, **changed))
    assert says in str(error.value)
    (name,) = changed
    incomplete = facts(GPU)
    del incomplete[name]
    with pytest.raises(ValueError, match="its device lacks"):
        device_of(incomplete)


CACHE: dict[str, Any] = {"level": 1, "type": "Data", "size_bytes": 32768, "shared_by": "0-1,4"}
WRONG_CACHES: list[dict[str, Any]] = [
    {"level": "1/2"},
    {"type": 3},
    {"size_bytes": 0},
    {"size_bytes": "32K"},
    {"shared_by": "all"},
    {"shared_by": [0]},
]
WRONG_FACTS = [
    *({"caches": [{**CACHE, **wrong}]} for wrong in WRONG_CACHES),
    {"caches": "three"},
    {"caches": [7]},
    {"cpus": "0-1"},
    {"cpus": [-1]},
    {"shared_bytes_per_multiprocessor": "much"},
]


@pytest.mark.parametrize("wrong", WRONG_FACTS, ids=str)
def test_facts_of_a_wrong_type_are_left_out_and_named(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    stored = facts(CPU, facts={"cpus": [0, 1], "caches": [CACHE], **wrong})
    device, damage = device_of(stored)
    assert name not in device.facts
    (sentence,) = damage
    assert sentence.startswith(f"device.facts: {name} is ")
    sizes_left = [] if name == "caches" else [CACHE["size_bytes"]]
    assert [cache.bytes for cache in device.caches] == sizes_left


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clock_hz", "fast"),
        ("clock_hz", -1.0),
        ("clock_hz", float("nan")),
        ("clock_hz", 1e300),
        ("features", "avx"),
        ("memory_bus_bits", 3.5),
        ("last_cache_bytes", -1),
        ("facts", []),
        ("warnings", [1]),
        ("memory_bytes", 1 << 63),
    ],
)
def test_a_wrong_value_of_what_may_be_unknown_is_unknown_and_named(name: str, value: Any) -> None:
    device, damage = device_of(facts(CPU, **{name: value}))
    unknown = getattr(Device("cpu", 0, "", "", 1), name)
    assert getattr(device, name) == unknown
    assert damage[0].startswith(f"device: {name} is ")
    assert device_of(facts(CPU, **{name: None})) == (device, [])
