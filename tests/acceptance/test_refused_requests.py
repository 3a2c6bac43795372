"""Bad input at the relay's own door: wrong tokens, hostile bundles, a full disk, another version."""

from __future__ import annotations

import io
import json
import os
import resource
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.homes import Home, fresh_home

from .kernels import Kernel
from .relays import Answer, RelayProcess

BOUNDARY = "acceptance"
PROGRAM = {"kind": "cell", "source": "print(1)"}


def archive(fill: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A bundle."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        fill(bundle)
    return made.getvalue()


def link(bundle: zipfile.ZipFile) -> None:
    """An entry that is a symbolic link to a file outside."""
    entry = zipfile.ZipInfo("files/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    bundle.writestr(entry, "/etc/passwd")


def bomb(bundle: zipfile.ZipFile) -> None:
    """Much of nothing in little."""
    info = zipfile.ZipInfo("files/zeros")
    info.compress_type = zipfile.ZIP_DEFLATED
    with bundle.open(info, "w", force_zip64=True) as entry:
        for _ in range(256):
            entry.write(bytes(1 << 20))


HOSTILE: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "parent": lambda bundle: bundle.writestr("files/../../outside", "x"),
    "absolute": lambda bundle: bundle.writestr("/tmp/cumulus-outside", "x"),
    "link": link,
    "bomb": bomb,
}


def submit(relay: RelayProcess, bundle: bytes | None, **spec: object) -> Answer:
    """``POST /jobs`` as multipart."""
    body = json.dumps({"program": PROGRAM, **spec}).encode()
    parts = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="spec"\r\n'.encode()
    parts += b"Content-Type: application/json\r\n\r\n" + body + b"\r\n"
    if bundle is not None:
        parts += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="bundle"; filename="b"\r\n'.encode()
        parts += b"Content-Type: application/zip\r\n\r\n" + bundle + b"\r\n"
    parts += f"--{BOUNDARY}--\r\n".encode()
    return relay.request("POST", "jobs", parts, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})


@pytest.mark.parametrize("fill", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bundle(relay: RelayProcess, fill: Callable[[zipfile.ZipFile], None]) -> None:
    outside = Path("/tmp/cumulus-outside")
    answer = submit(relay, archive(fill))
    if answer.status == 201:
        job = relay.wait_end(answer.json["id"])
        assert job["state"] == "FAILED", job
        error = job["error"]
    else:
        error = answer.json
    assert error["code"] in ("INVALID_ARGUMENT", "PAYLOAD_TOO_LARGE"), error
    assert not outside.exists()
    assert not list(relay.home.path.rglob("outside"))
    assert relay.wait_end(relay.submit("1 + 1"))["state"] == "COMPLETED"


def test_not_a_bundle(relay: RelayProcess) -> None:
    answer = submit(relay, b"this is no zip")
    error = answer.json if answer.status != 201 else relay.wait_end(answer.json["id"])["error"]
    assert error["code"] == "INVALID_ARGUMENT", error


def test_bundle_over_the_limit(home: Home) -> None:
    relay = RelayProcess(home, "--Cumulus.bundle_limit_bytes=1000000")
    relay.start()
    relay.wait_ready()
    try:
        answer = submit(relay, bytes(1_200_000))
        assert (answer.status, answer.json["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert relay.request("GET", "jobs").json["jobs"] == []
    finally:
        relay.stop()


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5000], ids=["none", "wrong", "long"])
def test_a_wrong_token_opens_nothing(relay: RelayProcess, token: str) -> None:
    job_id = relay.submit("1 + 1")
    routes = [
        ("GET", "jobs"),
        ("POST", "jobs"),
        ("GET", f"jobs/{job_id}"),
        ("DELETE", f"jobs/{job_id}"),
        ("GET", f"jobs/{job_id}/events"),
        ("GET", f"jobs/{job_id}/logs"),
        ("GET", f"jobs/{job_id}/result"),
        ("GET", f"jobs/{job_id}/values/@outputs"),
        ("GET", "workers"),
        ("GET", "stats"),
        ("POST", "runner/claim"),
        ("POST", "runner/events"),
        ("GET", "runner/bundle"),
        ("GET", "runner/control"),
    ]
    opened = {}
    for method, path in routes:
        answer = relay.request(method, path, {} if method == "POST" else None, token=token)
        if answer.status not in (401, 403):
            opened[method, path] = answer.status
    assert not opened


def test_the_users_token_is_no_runners(relay: RelayProcess) -> None:
    answer = relay.request("POST", "runner/events", {"first": 1, "events": []})
    assert (answer.status, answer.json["code"]) == (401, "UNAUTHENTICATED")


def test_another_version_is_told_so(relay: RelayProcess) -> None:
    answer = relay.request("GET", "jobs", headers={"Cumulus-Protocol": "999"})
    assert answer.status == 409, answer.body
    assert "999" in answer.json["message"]
    assert answer.json["next"]


def test_a_full_disk_takes_no_job(home: Home) -> None:
    """A file size limit stands for the disk: the database cannot grow past it."""
    relay = RelayProcess(home)
    relay.start()
    relay.wait_ready()
    try:
        first = relay.submit("print('kept')")
        relay.wait_end(first)
        assert relay.process is not None
        largest = max(path.stat().st_size for path in relay.home.state_dir.iterdir() if path.is_file())
        before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (largest, before[1]))
        refused = relay.request("POST", "jobs", {"program": {**PROGRAM, "source": "#" + "x" * 2_000_000}})
        assert refused.status == 503, refused.body[:500]
        assert refused.json["code"] in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"), refused.json
        assert refused.json["next"]
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
        assert [job["id"] for job in relay.request("GET", "jobs").json["jobs"]] == [first]
        assert relay.wait_end(relay.submit("print('again')"))["state"] == "COMPLETED"
    finally:
        relay.stop()


def test_a_cell_without_a_relay_says_so(home: Home) -> None:
    started = Kernel(home, CUMULUS_URL="http://127.0.0.1:9/", CUMULUS_TOKEN="t")
    try:
        started.run("%load_ext cumulus_jupyter")
        shown = started.run("%%cumulus\nx = 1")
        assert shown.traceback.startswith("UNAVAILABLE"), shown.traceback
        assert "127.0.0.1:9" in shown.traceback
    finally:
        started.close()


def test_a_cell_with_a_wrong_token_says_so(relay: RelayProcess) -> None:
    told = relay.home.relay()
    assert told is not None
    with fresh_home() as elsewhere:
        started = Kernel(elsewhere, CUMULUS_URL=told["url"], CUMULUS_TOKEN="wrong")
        started.run("%load_ext cumulus_jupyter")
        shown = started.run("%%cumulus\nx = 1")
        started.close()
    assert shown.traceback.startswith("UNAUTHENTICATED"), shown.traceback


def test_no_token_shows_in_the_process_list(relay: RelayProcess) -> None:
    told = relay.home.relay()
    assert told is not None
    job_id = relay.submit("import time; time.sleep(1)")
    lines = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                lines.append((process / "cmdline").read_bytes())
            except OSError:
                continue
    assert not [line for line in lines if told["token"].encode() in line]
    assert relay.wait_end(job_id)["state"] == "COMPLETED"
