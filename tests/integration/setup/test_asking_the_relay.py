"""The script before a relay: enrolled, refused, at the wrong address, before somebody else's key."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

from tests.fakes.enrolment_relay import EnrolmentRelay
from tests.fakes.setup_script import Script

OTHER_PIN = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def enrol(script: Script, there: EnrolmentRelay, /, **changed: str) -> tuple[int, str]:
    settings = {"relay": there.url, "pin": there.pin, "token": "one-time", **changed}
    words = " ".join(f"{name}='{value}'" for name, value in settings.items())
    done = script.run(f"{words}; step enrol 'enrolling' enrol")
    return done.returncode, done.stdout


def test_a_token_is_exchanged_for_terms(script: Script, relay: EnrolmentRelay) -> None:
    relay.answers["enrolment"] = (200, {"relay_id": "r"})
    status, said = enrol(script, relay)
    assert status == 0, said
    ((_, bearer, body),) = relay.asked
    assert bearer == "one-time"
    assert len(body["session_key"]) == 64
    assert json.loads((script.state / "worker.json").read_text())["session_key"] == body["session_key"]


@pytest.mark.parametrize(
    ("message", "next_step"),
    [
        ("The token has been used by another host.", "Make a new line: %cumulus add-worker"),
        ('The token "x" expired an hour ago.', "Make a new one."),
    ],
)
def test_a_refusal_is_told_in_the_relay_s_words(
    script: Script, relay: EnrolmentRelay, message: str, next_step: str
) -> None:
    relay.answers["enrolment"] = (
        403,
        {"code": "PERMISSION_DENIED", "message": message, "job_id": None, "next": next_step},
    )
    status, said = enrol(script, relay)
    assert status == 1
    assert said.endswith(f"cumulus: The relay refuses: {message}\ncumulus: {next_step}\n")


def test_another_key_than_the_line_s_is_told_nothing(script: Script, relay: EnrolmentRelay) -> None:
    status, said = enrol(script, relay, pin=OTHER_PIN)
    assert status == 1
    assert "is not the relay that made this line: its key is another one." in said
    assert not relay.asked


def test_a_certificate_that_nobody_vouches_for(script: Script, relay: EnrolmentRelay) -> None:
    status, said = enrol(script, relay, pin="")
    assert status == 1
    assert "is not one that this host trusts." in said
    assert not relay.asked


def test_no_relay_at_the_address(script: Script, relay: EnrolmentRelay) -> None:
    status, said = enrol(script, relay, relay="https://127.0.0.1:1")
    assert status == 1
    assert "The relay does not answer at https://127.0.0.1:1." in said
    assert "firewall" in said


def test_a_name_that_is_not_known(script: Script, relay: EnrolmentRelay) -> None:
    status, said = enrol(script, relay, relay="https://relay.invalid")
    assert status == 1
    assert "The relay's name in https://relay.invalid is not known here." in said


def test_a_package_is_installed_only_as_the_terms_say(script: Script, relay: EnrolmentRelay) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("cumulus_worker/__init__.py", "")
    relay.answers["enrolment"] = (200, {"package_sha256": hashlib.sha256(packed.getvalue()).hexdigest()})
    relay.answers["enrolment/package"] = (200, packed.getvalue())
    relay.answers["/cumulus/setup-worker.sh"] = (200, b"the script")
    words = f"relay={relay.url} pin={relay.pin} token=t; step enrol 'enrolling' enrol"
    done = script.run(f"{words}; step package 'fetching' fetch_package")
    assert done.returncode == 0, done.stdout
    installed = script.folder / "opt" / "cumulus_worker" / "__init__.py"
    assert installed.exists()
    assert (script.folder / "opt" / "setup-worker.sh").read_text() == "the script"
    installed.write_text("kept = True")
    relay.answers["enrolment/package"] = (200, b"something else")
    done = script.run(f"relay={relay.url} pin={relay.pin}; step package 'fetching' fetch_package")
    assert done.returncode == 1
    assert "is not the worker's package" in done.stdout
    assert installed.read_text() == "kept = True"


def test_leaving_goes_on_where_the_relay_is_away(script: Script) -> None:
    (script.state / "worker.json").write_text(
        json.dumps({"relay": "https://127.0.0.1:1", "pin": OTHER_PIN, "session_key": "k"}, indent=1)
    )
    done = script.run("step relay 'telling the relay' leave_relay")
    assert done.returncode == 0, done.stdout
    assert "could not be told. Remove this host there: docker node rm --force" in done.stdout
