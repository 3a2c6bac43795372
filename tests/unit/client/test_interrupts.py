"""Ctrl-C comes through where nothing is half done, and nowhere else."""

from __future__ import annotations

import select
import signal

import pytest

from cumulus_jupyter.client.http import Endpoint, Http
from cumulus_jupyter.client.interrupts import InterruptGate
from cumulus_jupyter.client.submission import JobOptions, make_submission, submit
from cumulus_jupyter.protocol.program import Program
from tests.fakes.client_relay import TOKEN, fake_relay


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_is_kept_for_the_next_wait() -> None:
    with InterruptGate() as gate:
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            gate.wait(select.poll(), 0)
        assert gate.wait(select.poll(), 0) is False


def test_a_wait_is_interrupted() -> None:
    with InterruptGate() as gate:
        signal.signal(signal.SIGALRM, lambda *_: interrupt())
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            gate.wait(select.poll(), 30)


def test_a_second_interrupt_does_not_wait() -> None:
    with InterruptGate():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_an_answer_on_its_way_is_waited_for_a_moment() -> None:
    with InterruptGate() as gate:
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            gate.wait_for_answer(select.poll(), 30)


def test_the_handler_of_before_is_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with InterruptGate():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_is_not_pythons_own_is_left_alone() -> None:
    def own(*_: object) -> None: ...

    before = signal.signal(signal.SIGINT, own)
    try:
        with InterruptGate():
            assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_nothing_is_lost_by_it_an_interrupt_comes_through_at_once() -> None:
    with InterruptGate() as gate, pytest.raises(KeyboardInterrupt), gate.lifted():
        interrupt()


def test_a_submission_to_a_relay_that_is_away_can_be_stopped() -> None:
    with fake_relay() as relay:
        gone = Endpoint(relay.url, TOKEN)

    def looked_for(lost: Endpoint | None) -> Endpoint:
        if lost is not None:
            interrupt()
        return gone

    with InterruptGate() as gate, pytest.raises(KeyboardInterrupt):
        submit(Http(looked_for), make_submission(Program("cell"), JobOptions()), gate=gate)
