"""One-time tokens and session keys: who has used which, until when, and what is kept of them."""

from __future__ import annotations

import asyncio
import shlex

import pytest

from cumulus_jupyter.protocol.enrolment import TOKEN_S, Enrol
from cumulus_jupyter.protocol.errors import (
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
)
from cumulus_server.relay.contract import Entrance
from cumulus_server.relay.enrolments import command

from .enrolling import KEY, OTHER_KEY, Relay, refused


async def test_a_token_is_used_up_by_the_first_session_key(relay: Relay) -> None:
    token = await relay.enrolled()
    again = await relay.enrolments.enrol(token, Enrol(KEY, "gpu1"))
    assert again == await relay.hosts.terms()
    error = await refused(relay, token, OTHER_KEY, "gpu2")
    assert isinstance(error, PermissionDenied)
    assert "has been used" in error.message and "gpu1" in error.message
    assert "add-worker" in error.next


async def test_of_many_uses_at_once_one_has_it(relay: Relay) -> None:
    token = await relay.token()
    keys = [f"{number:064x}" for number in range(40)]
    answers = await asyncio.gather(
        *(relay.enrolments.enrol(token, Enrol(key, "gpu1")) for key in keys), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert sum(isinstance(answer, PermissionDenied) for answer in answers) == len(keys) - 1


async def test_a_token_holds_for_an_hour(relay: Relay) -> None:
    made = await relay.enrolments.new_token()
    assert made.expires_ms == relay.clock.ms + TOKEN_S * 1000
    relay.clock.ms = made.expires_ms - 1
    other = await relay.token()
    await relay.enrolments.enrol(made.token, Enrol(KEY, "gpu1"))
    relay.clock.ms += TOKEN_S * 1000
    # Whoever has begun goes on, however long it takes.
    await relay.enrolments.enrol(made.token, Enrol(KEY, "gpu1"))
    await relay.enrolments.enrol(KEY, Enrol(KEY, "gpu1"))
    relay.clock.ms += 1
    error = await refused(relay, other, OTHER_KEY)
    assert isinstance(error, PermissionDenied)
    assert "expired" in error.message and "add-worker" in error.next


async def test_what_is_no_token_is_told_so(relay: Relay) -> None:
    await relay.enrolled()
    for bearer, key in (("7" * 64, OTHER_KEY), (OTHER_KEY, OTHER_KEY), (KEY, OTHER_KEY)):
        error = await refused(relay, bearer, key)
        assert isinstance(error, Unauthenticated)
        assert "add-worker" in error.next


@pytest.mark.parametrize(
    "ask",
    [
        Enrol("short", "gpu1"), Enrol("Z" * 64, "gpu1"), Enrol("5" * 257, "gpu1"), Enrol(KEY, ""),
        Enrol(KEY, "a b"), Enrol(KEY, "x" * 254), Enrol(KEY, "gpu1\n"),
    ],
)  # fmt: skip
async def test_a_weak_key_or_a_name_that_is_none_uses_no_token_up(relay: Relay, ask: Enrol) -> None:
    token = await relay.token()
    with pytest.raises(InvalidArgument):
        await relay.enrolments.enrol(token, ask)
    await relay.enrolments.enrol(token, Enrol(KEY, "gpu1"))


async def test_without_a_swarm_there_is_no_token(relay: Relay) -> None:
    relay.hosts.trouble = FailedPrecondition("none", next="docker swarm init")
    with pytest.raises(FailedPrecondition, match="none"):
        await relay.enrolments.new_token()


async def test_only_hashes_are_stored(relay: Relay) -> None:
    token = await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.store.close()
    for file in relay.path.parent.iterdir():
        content = file.read_bytes()
        assert token.encode() not in content
        assert KEY.encode() not in content
    relay.restart()


async def test_old_tokens_do_not_pile_up(relay: Relay) -> None:
    def count(tx: object) -> int:
        return int(tx.execute("SELECT count(*) FROM worker_tokens").fetchone()[0])  # type: ignore[attr-defined]

    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    await relay.enrolled(OTHER_KEY, "gpu2")
    for _ in range(5):
        await relay.token()
    relay.clock.ms += 2 * 24 * 3600 * 1000
    await relay.token()
    assert await relay.store.run(count) == 3
    relay.clock.ms += 40 * 24 * 3600 * 1000
    await relay.token()
    assert await relay.store.run(count) == 2  # the new one, and that of the worker
    await relay.enrolments.session(KEY)


def test_the_line_is_one_that_a_shell_reads() -> None:
    line = command(Entrance("https://192.0.2.1:20000/", "sha256//a+b/c="), "5" * 64)
    assert "\n" not in line
    fetch, _, run = line.partition(" | ")
    assert shlex.split(fetch) == [
        "curl", "-fsSk", "--pinnedpubkey", "sha256//a+b/c=", "https://192.0.2.1:20000/cumulus/setup-worker.sh"
    ]  # fmt: skip
    assert shlex.split(run.partition("bash")[2]) == [
        "-s", "--", "--relay", "https://192.0.2.1:20000", "--pin", "sha256//a+b/c=", "--token", "5" * 64
    ]  # fmt: skip
    public = command(Entrance("https://relay.example/base/"), "5" * 64)
    assert "pin" not in public and " -fsS https://relay.example/base/cumulus/setup-worker.sh |" in public
