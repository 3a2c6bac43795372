"""What the script says and does, part by part; the whole of it is tried on a host of the rig."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.fakes.setup_script import SCRIPT, Script

RELAY = "https://192.0.2.1:8443"
PIN = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
BASH = shutil.which("bash") or "bash"
AT_RELAY = f"relay={RELAY} pin={PIN}"
KEY = "ab" * 32


def keep(script: Script, **more: str) -> None:
    (script.state / "worker.json").write_text(json.dumps({"relay": RELAY, "pin": PIN, **more}, indent=1))


def refuse_once(script: Script) -> None:
    once = script.folder / "once"
    script.command(
        "curl", f"cat >>'{script.folder}/told'; [ -e '{once}' ] && printf 200 || printf 403; touch '{once}'"
    )


def test_a_step_says_what_it_does_and_how_long_it_took(script: Script) -> None:
    done = script.run("hello() { echo noise; note 'by the way'; }; step one 'doing one thing' hello")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith("cumulus: doing one thing: 0.")
    assert first.endswith(" s")
    assert second == "cumulus:   by the way"


def test_what_fails_is_told_with_the_end_of_its_output_and_what_to_do(script: Script) -> None:
    done = script.run(
        "doing() { seq 100; ls /nowhere/at/all; echo never; }; step one 'doing it' doing; echo after"
    )
    assert done.returncode == 1
    assert "doing it: FAILED after" in done.stdout
    assert "cumulus:   | 100" in done.stdout
    assert "cumulus:   | 1\n" not in done.stdout
    assert "/nowhere/at/all" in done.stdout
    assert "run the same line again" in done.stdout
    assert "never" not in done.stdout
    assert "after\n" not in done.stdout
    assert "never" not in (script.folder / "log").read_text()


def test_a_step_that_runs_beside_a_failing_one_is_not_broken_off(script: Script) -> None:
    flag = script.folder / "flag"
    done = script.run(
        f"mkfifo '{script.folder}/go'; slow() {{ read -r _ <'{script.folder}/go'; touch '{flag}'; }}; "
        f"bad() {{ echo go >'{script.folder}/go'; fail 'It is bad.' 'Do good.'; }}; "
        "begin slow 'being slow' slow; step bad 'being bad' bad"
    )
    assert done.returncode == 1
    assert flag.exists()
    assert done.stdout.endswith("cumulus: It is bad.\ncumulus: Do good.\n")


@pytest.mark.parametrize(
    ("id_", "version", "known"),
    [
        ("debian", "12", True),
        ("debian", "13", True),
        ("ubuntu", "22.04", True),
        ("ubuntu", "24.04", True),
        ("debian", "11", False),
        ("fedora", "42", False),
    ],
)
def test_the_distributions_it_knows(script: Script, id_: str, version: str, known: bool) -> None:
    release = script.folder / "os-release"
    release.write_text(f'ID={id_}\nVERSION_ID="{version}"\n')
    done = script.run(f"OS_RELEASE={release}; step host 'checking this host' check_distribution")
    assert (done.returncode == 0) is known, done.stdout
    if not known:
        assert f"This host runs {id_} {version}, which this script does not know." in done.stdout
        assert "Use Debian 12 or 13, or Ubuntu 22.04 or 24.04." in done.stdout


def test_somebody_else_than_root(script: Script) -> None:
    done = script.run("id() { [ \"$1\" = -u ] && echo 1000 || echo anna; }; step host 'checking' check_root")
    assert done.returncode == 1
    assert "This must run as root, and you are anna." in done.stdout
    assert "sudo bash -s --" in done.stdout


def test_a_full_disk(script: Script) -> None:
    done = script.run("NEEDED_MIB=999999999; step host 'checking' check_disk")
    assert done.returncode == 1
    assert "There is too little disk: " in done.stdout


def test_a_full_temporary_folder(script: Script) -> None:
    done = script.run(f"LOCK={script.folder}/lock; mktemp() {{ return 1; }}; main --leave", TMPDIR="/full")
    assert done.returncode == 1
    assert "cumulus: /full is full or can't be written to. Make room there" in done.stdout


def test_what_a_step_says_at_once_is_not_written_over(script: Script) -> None:
    steps = "leave() { say one; say_now two; say three; }"
    script.run(f"LOCK=$work/lock; exec >$work/told; {steps}; main --leave")
    told = (script.folder / "work" / "told").read_text()
    assert told == "cumulus: one\ncumulus: two\ncumulus: three\n"


def test_a_docker_that_hangs(script: Script) -> None:
    for name in ("dockerd", "service", "start-stop-daemon", "systemctl", "journalctl"):
        script.command(name, "true")
    done = script.run(
        "pgrep_dockerd() { true; }; engine_answers() { SECONDS=$((SECONDS + 5)); echo asked; false; }; "
        "step docker 'starting Docker' start_docker"
    )
    assert done.returncode == 1
    assert "Docker does not start on this host: its last lines are above." in done.stdout
    assert (script.folder / "log").read_text().count("asked") < 20


def test_a_port_that_is_taken(script: Script) -> None:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        for kind, taken in (("tcp", tcp), ("udp", udp)):
            port = taken.getsockname()[1]
            assert script.run(f"port_taken {kind} {port}").returncode == 0
    assert script.run(f"port_taken {kind} {port}").returncode == 1


def test_swarm_s_ports(script: Script) -> None:
    done = script.run('port_taken() { [ "$1 $2" = "udp 4789" ]; }; step host "checking" check_ports')
    assert done.returncode == 1
    assert "Port 4789/udp, which Docker's Swarm needs, is in use on this host." in done.stdout


def test_a_gpu_without_a_driver(script: Script) -> None:
    done = script.run("has_nvidia() { true; }; step host 'checking' check_gpu")
    assert done.returncode == (0 if Path("/proc/driver/nvidia/version").exists() else 1)
    if done.returncode:
        assert "This host has an NVIDIA GPU and no driver for it." in done.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("relay=nonsense token=t", "--relay must be the relay's address"),
        ("relay='https://x\"y' token=t", "--relay must be the relay's address"),
        (f"relay={RELAY} pin=abc token=t", "--pin must look like sha256//"),
        (f"{AT_RELAY} token='a\"b'", "--token has characters that no token has."),
        (
            f"{AT_RELAY} token=t ssh_address=2001:db8::1",
            "--ssh-address 2001:db8::1 is not HOST or HOST:PORT.",
        ),
        (f"{AT_RELAY} token=t ssh_address=host:ssh", "--ssh-address host:ssh is not HOST or HOST:PORT."),
        (f"{AT_RELAY}", "--token is missing, and this host has not been enrolled before."),
        ("", "--relay must be the relay's address"),
    ],
)
def test_arguments_that_no_relay_has_printed(script: Script, settings: str, said: str) -> None:
    done = script.run(f"{settings}\nstep arguments 'reading' check_arguments")
    assert done.returncode == 1
    assert said in done.stdout


def test_a_worker_of_another_relay(script: Script) -> None:
    keep(script, session_key=KEY)
    done = script.run("relay=https://other token=t; step arguments 'reading' check_arguments")
    assert done.returncode == 1
    assert f"This host is a worker of {RELAY} already." in done.stdout
    assert "--leave" in done.stdout


@pytest.mark.parametrize("address", ["gpu1", "192.0.2.7:2222", "[2001:db8::1]", "[2001:db8::1]:22"])
def test_where_ssh_may_be(script: Script, address: str) -> None:
    words = f"{AT_RELAY} token=t ssh_address='{address}'"
    assert script.run(f"{words}\nstep arguments 'reading' check_arguments").returncode == 0


def test_what_is_known_of_the_last_time_need_not_be_said_again(script: Script) -> None:
    keep(script, session_key=KEY)
    assert script.run("step arguments 'reading' check_arguments").returncode == 0


def test_secrets_are_no_arguments_and_in_no_file_that_others_read(script: Script) -> None:
    calls = script.folder / "calls"
    script.command(
        "curl", f"printf '%s ' \"$@\" >>'{calls}'; env >>'{calls}'; cat >'{script.folder}/told'; printf 200"
    )
    done = script.run(f"{AT_RELAY} token=secret-token; step enrol 'enrolling' enrol")
    assert done.returncode == 0, done.stdout
    kept = script.state / "worker.json"
    key = json.loads(kept.read_text())["session_key"]
    assert len(key) == 64
    assert kept.stat().st_mode & 0o777 == 0o600
    told = (script.folder / "told").read_text()
    assert "secret-token" in told
    assert key in told
    assert f'pinnedpubkey = "{PIN}"' in told
    for open_text in (calls.read_text(), done.stdout, (script.folder / "log").read_text()):
        assert "secret-token" not in open_text
        assert key not in open_text


def test_an_interrupted_enrolment_goes_on_with_the_key_that_is_there(script: Script) -> None:
    keep(script, session_key=KEY)
    refuse_once(script)
    done = script.run(f"{AT_RELAY} token=t; step enrol 'enrolling' enrol")
    assert done.returncode == 0, done.stdout
    told = (script.folder / "told").read_text()
    assert told.index(f"Bearer {KEY}") < told.index('Bearer t"')
    assert json.loads((script.state / "worker.json").read_text())["session_key"] == KEY


def test_a_worker_that_the_relay_has_forgotten_enrols_with_another_key(script: Script) -> None:
    keep(script, session_key=KEY, node_id="n1")
    refuse_once(script)
    done = script.run(f"{AT_RELAY} token=t; step enrol 'enrolling' enrol")
    assert done.returncode == 0, done.stdout
    assert json.loads((script.state / "worker.json").read_text())["session_key"] != KEY


def test_a_host_that_is_no_worker_has_nothing_to_leave(script: Script) -> None:
    script.state.rmdir()
    done = script.run("check_root() { true; }; leave")
    assert done.returncode == 0
    assert "this host is no worker; nothing to do" in done.stdout


def test_half_a_script_does_nothing(tmp_path: Path) -> None:
    text = SCRIPT.read_text()
    for part in (len(text) // 3, len(text) // 2, len(text) - 40):
        done = subprocess.run(
            [BASH, "-s", "--", "--leave"],
            input=text[:part],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "", "HOME": str(tmp_path)},
        )
        assert "cumulus: " not in done.stdout


def test_a_full_disk_costs_no_key(script: Script) -> None:
    keep(script, session_key=KEY)
    done = script.run(f"{AT_RELAY}; trap '' XFSZ; ulimit -f 0; save_key other")
    assert done.returncode == 1
    assert json.loads((script.state / "worker.json").read_text())["session_key"] == KEY


def test_two_at_once(script: Script) -> None:
    lock = f"LOCK={script.folder}/lock; alone"
    done = script.run(f"{lock}; bash -c '. {SCRIPT}; {lock}; echo both'; true")
    assert done.stdout == "cumulus: this script is at work on this host already; wait for its end\n"
    # What a step starts and leaves behind does not hold it.
    pipe = f"{script.folder}/pipe"
    done = script.run(
        f"{lock}; mkfifo {pipe}; leaves() {{ cat <{pipe} >/dev/null 2>&1 & }}; step one 'leaving' leaves; "
        f"exec 9>&-; {lock}; echo once more; echo >{pipe}"
    )
    assert done.stdout.endswith("once more\n")


@pytest.mark.parametrize("shell", [["dash"], ["bash", "-c", 'BASH_VERSION=3.2.57; . "$0"']])
def test_another_shell_is_told_so(shell: list[str]) -> None:
    done = subprocess.run([*shell, SCRIPT, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("cumulus: this needs bash 5 or newer.")


def test_an_option_that_does_not_exist(script: Script) -> None:
    done = subprocess.run(["bash", SCRIPT, "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such option: --nonsense" in done.stderr
