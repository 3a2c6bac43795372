"""The dev scripts and the provider: what is rented, what is not, and what they say to do."""

from __future__ import annotations

import os
import stat

import pytest

from .account import ROOT, Account
from .rented import leftovers

SCRIPTS = ("dev-setup", "dev-start", "dev-logs", "dev-stop")


@pytest.mark.parametrize(
    ("changed", "said", "to_do"),
    [
        ({"api_key": ""}, "does not know you", "vastai set api-key KEY"),
        ({"ssh_keys": []}, "none of your SSH keys", "vastai create ssh-key"),
        ({"ssh_keys": [{"key": "ssh-ed25519 AAAAother me"}]}, "none of your SSH keys", "create ssh-key"),
        ({"offers": []}, "no offer of a VM", "Raise --max-price"),
        ({"credit": False}, "lacks credit", "Add credit"),
        ({"taken": [41, 42]}, "no_such_ask", "by hand"),
    ],
)
def test_what_stands_in_the_way_is_told_and_nothing_is_rented(
    account: Account, changed: dict[str, object], said: str, to_do: str
) -> None:
    account.set(**changed)
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert done.status == 1
    assert said in done.err and to_do in done.err
    assert not account.told()["instances"]
    assert "INSTANCE" not in account.known()


def test_it_asks_before_it_costs_money(account: Account) -> None:
    done = account.run("dev-setup", "--key", str(account.key))
    assert done.status == 1
    assert "the cheapest offer is 42: 4 cores, 16 GB, Rome, IT, $0.1234 an hour" in done.out
    assert "--yes" in done.err
    assert not account.calls("create")


def test_without_the_providers_command_line_it_says_how_to_get_it(account: Account) -> None:
    account.more["PATH"] = os.environ["PATH"]
    done = account.run("dev-setup", "--yes")
    assert done.status == 1
    assert "vastai is missing" in done.err and "pipx install vastai" in done.err


def test_an_offer_that_is_taken_is_followed_by_the_next(account: Account) -> None:
    account.set(taken=[42], comes_up="exited")
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert [call[2] for call in account.calls("create", "instance")] == ["42", "41"]
    assert "/vastai/kvm:" in " ".join(account.calls("create")[0]), "a VM, as containers cannot run Docker"
    # It does not come up either, which is not the end of what it costs.
    assert done.status == 1
    assert "is exited: Error: no disk" in done.err and "make dev-stop" in done.err
    assert stat.S_IMODE((account.dev / ".dev-instance").stat().st_mode) == 0o600
    stopped = account.run("dev-stop", "--yes")
    assert stopped.status == 0 and "is destroyed" in stopped.out
    assert not account.told()["instances"] and not leftovers(account.dev)


def test_an_instance_whose_creation_was_never_answered_is_not_rented_twice(account: Account) -> None:
    account.set(answer_lost=True, comes_up="exited")
    account.run("dev-setup", "--yes", "--key", str(account.key))
    assert account.known()["INSTANCE"] == "7000000"
    # Nor where the script was killed before it could write that down.
    (account.dev / ".dev-instance").unlink()
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert "which was rented from here before" in done.out
    assert account.known()["INSTANCE"] == "7000000" and len(account.calls("create")) == 1


def test_an_instance_is_found_by_who_wants_to_give_it_back_too(account: Account) -> None:
    account.set(answer_lost=True, lists=False)
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert done.status == 1 and "is not understood" in done.err
    assert len(account.calls("create")) == 0, "one that may be there would be rented twice"
    account.set(lists=True, comes_up="exited")
    account.run("dev-setup", "--yes", "--key", str(account.key))
    # As if it had been broken off between the provider's answer and its being written down.
    state = account.dev / ".dev-instance"
    kept = state.read_text().splitlines(keepends=True)
    state.write_text("".join(line for line in kept if not line.startswith("INSTANCE=")))
    done = account.run("dev-stop", "--yes")
    assert done.status == 0 and "the instance 7000000 is destroyed" in done.out
    assert not account.told()["instances"] and not leftovers(account.dev)


def test_remarks_around_an_answer_are_passed_over(account: Account) -> None:
    account.set(remark="[note] vastai 1.9.9 is out {really}", comes_up="exited")
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert "rented: instance 7000000" in done.out
    assert account.run("dev-stop", "--yes").status == 0
    assert not account.told()["instances"]


def test_an_instance_that_went_away_by_itself_is_cleared_up_after(account: Account) -> None:
    account.set(comes_up="exited")
    account.run("dev-setup", "--yes", "--key", str(account.key))
    account.set(instances={})
    done = account.run("dev-setup", "--yes", "--key", str(account.key))
    assert done.status == 1
    assert "is not there any more" in done.err and "make dev-stop" in done.err
    assert account.run("dev-stop").status == 0
    assert not account.calls("destroy") and not leftovers(account.dev)


def test_an_instance_that_cannot_be_destroyed_is_not_forgotten(account: Account) -> None:
    account.set(comes_up="exited", destroys=False)
    account.run("dev-setup", "--yes", "--key", str(account.key))
    asked = account.run("dev-stop")
    assert asked.status == 1 and "it has cost about $0.0" in asked.out and "--yes" in asked.err
    assert not account.calls("destroy")
    done = account.run("dev-stop", "--yes")
    assert done.status == 1
    assert "may cost money: Something is wrong with that machine" in done.err
    assert account.known()["INSTANCE"] == "7000000"
    account.set(api_key="")
    assert account.run("dev-stop", "--yes").status == 1
    assert account.known()["INSTANCE"] == "7000000"
    left = account.run("dev-stop", "--forget")
    assert left.status == 0 and "may cost money" in left.out and not leftovers(account.dev)


def test_with_nothing_rented_they_say_so(account: Account) -> None:
    for script in ("dev-start", "dev-logs"):
        done = account.run(script)
        assert done.status == 1 and "make dev-setup" in done.err
    stopped = account.run("dev-stop")
    assert stopped.status == 0 and "there is no rented host" in stopped.out
    assert not leftovers(account.dev)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_says_how_it_is_used(account: Account, script: str) -> None:
    assert account.run(script, "--help").out.startswith(f"usage: {script}")
    wrong = account.run(script, "--no-such-option")
    assert wrong.status == 1 and f"{script} --help" in wrong.err


def test_none_of_them_does_what_lets_strangers_in() -> None:
    text = "".join((ROOT / "scripts" / name).read_text() for name in (*SCRIPTS, "dev-common", "engine"))
    for fault in ("StrictHostKeyChecking=no", "2375", "get.docker.com", "0.0.0.0", "| sh"):
        assert fault not in text
