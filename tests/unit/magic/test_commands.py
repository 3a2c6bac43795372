"""``%cumulus`` and its commands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import IPython
import pytest
from IPython.core.completer import provisionalcompleter

from cumulus_jupyter import remote
from cumulus_jupyter.completion import COMMANDS, complete
from cumulus_jupyter.options import OPTIONS
from cumulus_jupyter.protocol.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from tests.fakes.client_relay import FakeRelay, completed, fake_relay, log


def test_the_state_says_where_the_relay_is_and_how_it_was_found(run: Any, relay: FakeRelay) -> None:
    text = repr(run("%cumulus"))
    assert relay.url in text and "given" in text and "ok" in text and "relay 9" in text


def test_changed_defaults_are_shown_and_the_token_is_not(run: Any) -> None:
    run("%cumulus config gpu=0.5")
    text = repr(run("%cumulus"))
    assert "default gpu" in text and "0.5" in text and "secret" not in text


def test_jobs_are_listed(run: Any, relay: FakeRelay) -> None:
    relay.jobs = {"j1": completed(1), "j2": completed(2)}
    table = run("%cumulus jobs")
    assert [view.id for view in table.items] == ["j1", "j2"]
    assert "COMPLETED" in repr(table) and "<table" in table._repr_html_()


@pytest.mark.parametrize("reference", ["abcdef", "abc", "name-of-abcdef"])
def test_a_job_is_named_by_its_id_its_beginning_or_its_name(
    run: Any, relay: FakeRelay, reference: str
) -> None:
    relay.jobs = {"abcdef": completed(1), "xyz": completed(2)}
    assert run(f"%cumulus job {reference}").items[0].id == "abcdef"


def test_a_beginning_that_several_ids_have_is_refused(run: Any, relay: FakeRelay) -> None:
    relay.jobs = {"abc1": completed(1), "abc2": completed(2)}
    with pytest.raises(InvalidArgument, match="abc1, abc2"):
        run("%cumulus job abc")


def test_a_job_that_is_not_there(run: Any) -> None:
    with pytest.raises(NotFound, match="nothing"):
        run("%cumulus logs nothing")


def test_logs_are_printed(run: Any, relay: FakeRelay, capsys: Any) -> None:
    relay.jobs["a"] = completed(1, log("one\n"), log("two\n", "stderr"))
    run("%cumulus logs a")
    assert capsys.readouterr().out == "one\ntwo\n"
    run("%cumulus logs a --stderr")
    assert capsys.readouterr().out == "two\n"


def test_a_result_is_bound_and_returned(run: Any, shell: Any, relay: FakeRelay) -> None:
    relay.jobs["a"] = completed(5, w=9)
    assert run("%cumulus result a") == 5 and shell.user_ns["w"] == 9


def test_cancel(run: Any, relay: FakeRelay) -> None:
    relay.jobs["a"] = completed(5)[:2]
    assert "being cancelled" in repr(run("%cumulus cancel a"))
    assert relay.cancelled == ["a"]


async def test_cancelling_an_ended_job_says_so_in_an_event_loop_too(run: Any, relay: FakeRelay) -> None:
    relay.jobs["a"] = completed(5)
    assert "had ended: COMPLETED" in repr(run("%cumulus cancel a"))


def test_the_line_that_adds_a_worker_stands_alone_with_a_sentence(run: Any, relay: FakeRelay) -> None:
    line, nothing, said = repr(run("%cumulus add-worker")).split("\n")
    assert line == "curl ... | bash -s -- --token T" and nothing == ""
    assert "until" in said and "works once" in said
    assert relay.asked[-1] == ("POST", "workers/tokens")
    with pytest.raises(InvalidArgument, match="nothing more"):
        run("%cumulus add-worker now")
    told = {"code": "FAILED_PRECONDITION", "message": "no Swarm", "next": "docker swarm init"}
    relay.refuse = (409, {**told, "job_id": None})
    with pytest.raises(FailedPrecondition, match="docker swarm init"):
        run("%cumulus add-worker")


def test_simulated_gpus_are_the_relays(run: Any, relay: FakeRelay) -> None:
    run("%cumulus config simulated_gpus=2")
    assert relay.asked[-1] == ("PUT", "workers/local/simulated-devices")
    assert relay.specs == [b'{"count": 2}']


def test_connect_takes_another_relay(run: Any) -> None:
    with fake_relay() as other:
        assert other.url in repr(run(f"%cumulus connect {other.url}?token={other.token}"))


@pytest.mark.parametrize("line", ["{url} --token={token}", "{url}lab?token={token}"])
def test_a_token_may_be_written_as_jupyter_prints_it(run: Any, line: str) -> None:
    with fake_relay() as other:
        assert other.url in repr(run(f"%cumulus connect {line.format(url=other.url, token=other.token)}"))


def test_an_address_that_only_ends_like_a_page_is_left_whole(
    run: Any, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = shell.magics_manager.registry["CumulusMagics"].session
    asked, connect = [], session.connect
    with fake_relay() as other:
        monkeypatch.setattr(
            session, "connect", lambda url, token: asked.append(url) or connect(other.url, other.token)
        )
        run("%cumulus connect http://127.0.0.1/user/ml-lab?token=secret")
    assert asked[-1] == "http://127.0.0.1/user/ml-lab"


def test_a_token_is_not_told_by_an_error(run: Any) -> None:
    with pytest.raises(InvalidArgument, match="one address") as caught:
        run("%cumulus connect http://127.0.0.1:1/ --tokn my-secret")
    assert "my-secret" not in str(caught.value)


def test_remote_functions_use_the_magics_relay(run: Any, shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    session = shell.magics_manager.registry["CumulusMagics"].session
    assert remote(len).client is session.client
    with fake_relay() as other:
        run(f"%cumulus connect {other.url} --token {other.token}")
        assert remote(len).client is session.client
        assert remote(len).client.found.endpoint.url == other.url


def test_an_address_set_by_ipythons_own_magic_counts(run: Any) -> None:
    run("%cumulus")
    with fake_relay() as other:
        run(f"%config Cumulus.url = '{other.url}'")
        assert other.url in repr(run("%cumulus"))


def test_a_relay_that_cannot_be_reached_is_not_taken(run: Any, relay: FakeRelay) -> None:
    with pytest.raises(Unavailable):
        run("%cumulus connect http://127.0.0.1:1/ --token x")
    assert relay.url in repr(run("%cumulus"))


def test_a_misspelt_command_is_recognized(run: Any) -> None:
    with pytest.raises(InvalidArgument, match="Did you mean attach"):
        run("%cumulus attch x")


def test_the_help_names_every_command_and_every_option(run: Any) -> None:
    """IPython runs no cell magic without a body, so this is where the options can be asked for."""
    text = repr(run("%cumulus --help"))
    assert all(f"%cumulus {command}" in text for command in COMMANDS)
    assert all(option.flag in text for option in OPTIONS)


@pytest.mark.parametrize(
    ("line", "symbol", "expected"),
    [
        ("%%cumulus --g", "--g", "--gpu"),
        ("%%cumulus -i ", "", "data"),
        ("%cumulus at", "at", "attach"),
        ("%cumulus config ", "", "gpu="),
        ("%%cumulus --executor ", "", "swarm"),
        ("%%cumulus --executor do", "do", "docker"),
        ("%%cumulus --label ", "", "image:"),
        ("%cumulus config executor=", "executor=", "executor=docker"),
    ],
)
def test_completions(shell: Any, line: str, symbol: str, expected: str) -> None:
    shell.user_ns["data"] = 1
    assert expected in complete(shell, SimpleNamespace(line=line, symbol=symbol))


def test_the_shell_completes_options(shell: Any) -> None:
    with provisionalcompleter():
        found = [each.text for each in shell.Completer.completions("%%cumulus --gp", 14)]
    assert "--gpu" in found
