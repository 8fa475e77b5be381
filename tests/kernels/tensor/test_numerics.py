"""Number formats against their definitions: every 8-bit code, roundings with ties, packing."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.formats import FORMATS, packed, rounded, unpacked


def by_definition(code: int, exponent_bits: int, fraction_bits: int) -> float:
    """An 8-bit float as OFP8 writes it: sign, exponent, fraction."""
    sign = -1.0 if code & 0x80 else 1.0
    magnitude = code & 0x7F
    exponent, fraction = divmod(magnitude, 1 << fraction_bits)
    bias = 2 ** (exponent_bits - 1) - 1
    if exponent == 0:
        return sign * fraction * 2.0 ** (1 - bias - fraction_bits)
    return sign * (2**fraction_bits + fraction) * 2.0 ** (exponent - bias - fraction_bits)


@pytest.mark.parametrize(
    ("name", "exponent_bits", "largest"), [("e4m3", 4, 448.0), ("e5m2", 5, 57344.0)]
)
def test_every_number_of_8_bits_survives(name: str, exponent_bits: int, largest: float) -> None:
    codes = np.arange(256, dtype=np.uint8)
    values = FORMATS[name].decode(codes)
    finite = np.isfinite(values)
    assert np.abs(values[finite]).max() == largest
    fraction_bits = 7 - exponent_bits
    expected = [by_definition(int(code), exponent_bits, fraction_bits) for code in codes[finite]]
    assert values[finite].tolist() == expected
    assert FORMATS[name].encode(values[finite]).tolist() == codes[finite].tolist()


@pytest.mark.parametrize("name", ["e4m3", "e5m2"])
def test_any_value_becomes_the_nearest_number_of_8_bits(name: str) -> None:
    decoded = FORMATS[name].decode(np.arange(128, dtype=np.uint8))
    numbers = decoded[np.isfinite(decoded)]
    random = np.random.default_rng(1)
    magnitudes = 2.0 ** random.integers(-20, 20, 10_000)
    values = np.float32(random.standard_normal(10_000) * magnitudes).astype(np.float64)
    distances = np.abs(np.abs(values)[:, None] - numbers)
    nearest = np.copysign(numbers[distances.argmin(axis=1)], values)
    assert rounded(name, values).tolist() == nearest.tolist()


@pytest.mark.parametrize(
    ("name", "beyond"),
    [("e4m3", 448.0), ("e5m2", 57344.0), ("bf16", np.inf), ("fp16", np.inf), ("fp32", np.inf)],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_fp8_saturates_and_wider_types_become_infinite(name: str, beyond: float) -> None:
    values = np.array([1e300, -1e300, np.inf, -np.inf])
    assert rounded(name, values).tolist() == [beyond, -beyond, beyond, -beyond]


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "bf16", "fp16", "fp32", "fp64"])
def test_what_is_no_number_stays_none(name: str) -> None:
    assert np.isnan(rounded(name, np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("bf16", 1 + 2**-8, 1.0),  # ties go to the even fraction
        ("bf16", 1 + 3 * 2**-8, 1 + 2**-6),
        ("bf16", 1 + 2**-8 + 2**-20, 1 + 2**-7),
        ("tf32", 1 + 2**-11, 1.0),
        ("tf32", -(1 + 3 * 2**-11), -(1 + 2**-9)),
        ("fp16", 1 + 2**-11, 1.0),
        ("e4m3", 1.0625, 1.0),
        ("e4m3", 1.1875, 1.25),
        ("e4m3", -1.07, -1.125),
        ("e4m3", 1000.0, 448.0),
        ("e5m2", 1.125, 1.0),
        ("e5m2", 1.375, 1.5),
        ("e5m2", 2.0**-16, 2.0**-16),
    ],
)
def test_rounding_is_to_nearest_even(name: str, value: float, nearest: float) -> None:
    assert rounded(name, np.array([value]))[0] == nearest


@pytest.mark.parametrize("name", ["int4", "int8", "int32"])
def test_integers_survive(name: str) -> None:
    largest = 2 ** (FORMATS[name].bits - 1) - 1
    values = np.array([-largest - 1, -1, 0, 1, largest])
    assert rounded(name, values).tolist() == values.tolist()


def test_packing_puts_the_first_element_in_the_lowest_bits() -> None:
    assert packed("int4", np.array([[1, 2, 3, -1, 0, 0, 0, -8]]))[0, 0] == 0x8000F321
    assert packed("int8", np.array([[1, -1, 2, 3]]))[0, 0] == 0x0302FF01
    assert packed("fp16", np.array([[1.0, -2.0]]))[0, 0] == 0xC0003C00
    assert packed("bf16", np.array([[1.0, -2.0]]))[0, 0] == 0xC0003F80
    assert packed("fp64", np.array([[1.0]]), np.uint64)[0, 0] == 0x3FF0000000000000


@pytest.mark.parametrize("name", ["fp64", "fp32", "fp16", "int32"])
def test_unpacking_undoes_packing(name: str) -> None:
    values = np.array([[1.0, -2.0, 3.0, 512.0]])
    assert unpacked(name, packed(name, values)).tolist() == values.tolist()
