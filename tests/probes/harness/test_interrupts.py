"""An interrupt that got lost on its way still ends the run."""

from __future__ import annotations

import ctypes
import signal

import pytest

from probes.harness import interrupts


@ctypes.CFUNCTYPE(None)
def called_from_c() -> None:
    """Gets an interrupt where none can be raised: C has nowhere to pass it on."""
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_ends_in_a_callback_is_remembered_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with interrupts.remembered():
        called_from_c()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.answered()
        interrupts.check()
    assert capfd.readouterr().err == ""


def test_an_interrupt_that_arrives_is_raised_as_ever() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.remembered():
        signal.raise_signal(signal.SIGINT)
    interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_job_that_ignores_interrupts_goes_on_ignoring_them() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.remembered():
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
