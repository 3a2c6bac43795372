"""What the script installs, from where, and what it takes away again."""

from __future__ import annotations

import pytest

from tests.fakes.setup_script import Script


def test_what_is_there_is_not_installed(script: Script) -> None:
    script.command("dockerd", "true")
    done = script.run('installed() { [ "$1" = python3 ]; }; lacking docker.io python3 iptables')
    assert done.stdout.split() == ["iptables"]


def test_packages_that_were_there_before_are_not_ours_to_remove(script: Script) -> None:
    listed = script.folder / "listed"
    listed.write_text("bash\ncurl\n")
    done = script.run(
        f"all_packages() {{ cat '{listed}'; }}; apt() {{ printf 'bash\\ncurl\\nrunc\\n' >'{listed}'; }}; "
        "apt_install curl docker.io && cat $STATE/packages"
    )
    assert done.stdout.split() == ["runc"]


def test_packages_of_a_run_that_was_broken_off_are_ours_too(script: Script) -> None:
    listed = script.folder / "listed"
    listed.write_text("bash\n")
    done = script.run(
        f"all_packages() {{ cat '{listed}'; }}; "
        f"apt() {{ printf 'bash\\nrunc\\n' >'{listed}'; kill -KILL $BASHPID; }}; (apt_install docker.io)"
    )
    assert done.returncode != 0
    done = script.run(
        f"all_packages() {{ cat '{listed}'; }}; note_packages; note_packages; cat $STATE/packages"
    )
    assert done.stdout == "runc\n"


HELD = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (unattended-upgr)"


def test_apt_that_is_in_use_is_waited_for(script: Script) -> None:
    once = f"{script.folder}/once"
    script.command("apt-get", f"[ -e '{once}' ] || {{ touch '{once}'; echo '{HELD}'; exit 100; }}")
    script.command("sleep", "true")
    done = script.run("step lists 'reading the lists' apt_update")
    assert done.returncode == 0, done.stdout
    waits, ended = done.stdout.splitlines()
    assert waits.startswith("cumulus: apt is in use by process 812 (unattended-upgr): waiting for its end")
    assert ended.startswith("cumulus: reading the lists: ")
    script.command("apt-get", f"echo '{HELD}'; exit 100")
    done = script.run("APT_WAIT_S=0; step lists 'reading the lists' apt_update")
    assert done.returncode == 1
    assert HELD in done.stdout


def test_docker_stays_where_others_have_containers(script: Script) -> None:
    (script.state / "packages").write_text("docker.io\n")
    script.command("apt-get", "true")
    done = script.run(
        "has_containers() { true; }; all_packages() { echo docker.io; }; apt() { echo PURGED; exit 3; }; "
        "step packages 'removing' remove_packages"
    )
    assert done.returncode == 0, done.stdout
    assert "Docker and what was installed with it stay, since it has containers of others" in done.stdout
    for listed, others in (("[]", False), ('[{"Id":"1"}]', True)):
        done = script.run(f"engine_answers() {{ true; }}; engine() {{ echo '{listed}'; }}; has_containers")
        assert (done.returncode == 0) is others


def test_what_others_need_by_now_stays(script: Script) -> None:
    (script.state / "packages").write_text("docker.io\nrunc\n")
    script.command(
        "apt-get", "[ \"$1\" = -s ] && printf 'Purg docker.io [1]\\nPurg compose [2]\\nPurg runc [1]\\n'"
    )
    done = script.run(
        "all_packages() { printf 'compose\\ndocker.io\\nrunc\\n'; }; apt() { echo PURGED; exit 3; }; "
        "step packages 'removing' remove_packages"
    )
    assert done.returncode == 0, done.stdout
    assert "stay, since others need them: compose" in done.stdout


def test_nvidia_s_toolkit_is_the_default_runtime_and_new_enough(script: Script) -> None:
    script.command("curl", 'while [ $# -gt 0 ]; do [ "$1" != -o ] || echo KEY >"$2"; shift; done')
    script.command("nvidia-ctk", f"echo \"$@\" >'{script.folder}/configured'")
    script.command("dpkg-query", f"cat '{script.folder}/version' 2>/dev/null")
    code = (
        f"apt() {{ [ $1 != install ] || printf 1.19.1 >'{script.folder}/version'; }}; "
        "all_packages() { true; }; step toolkit 'installing' install_toolkit"
    )
    done = script.run(code)
    assert done.returncode == 0, done.stdout
    assert (
        script.folder / "configured"
    ).read_text() == "runtime configure --runtime=docker --set-as-default\n"
    assert "signed-by=" in (script.folder / "list").read_text()
    assert (script.state / "daemon.json.before").exists()
    old = code.replace("1.19.1", "1.17.4")
    (script.folder / "version").write_text("1.17.4")
    done = script.run(old)
    assert done.returncode == 1
    assert "older than 1.19.1" in done.stdout


@pytest.mark.parametrize(
    ("version", "known"), [("26.1.5+dfsg1", True), ("25.0", True), ("20.10.24+dfsg1", False)]
)
def test_a_docker_that_is_too_old(script: Script, version: str, known: bool) -> None:
    script.command("dockerd", f"echo 'Docker version {version}, build abc'")
    done = script.run("step host 'checking' check_docker")
    assert (done.returncode == 0) is known, done.stdout
    if not known:
        assert f"The Docker of this host, {version}, is too old: 25 or newer is needed." in done.stdout


@pytest.mark.parametrize(
    ("candidate", "new"),
    [("28.2.2-0ubuntu1~24.04.1", 0), ("5:26.1.5", 0), ("20.10.24+dfsg1-1", 1), ("(none)", 1)],
)
def test_which_docker_is_installed(script: Script, candidate: str, new: int) -> None:
    script.command("apt-cache", f"printf 'docker.io:\\n  Installed: (none)\\n  Candidate: {candidate}\\n'")
    assert script.run("own_docker_is_new").returncode == new


def test_docker_s_makers_packages(script: Script) -> None:
    release = script.folder / "os-release"
    release.write_text("ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n")
    script.command("curl", 'echo "$@"; while [ $# -gt 0 ]; do [ "$1" != -o ] || echo KEY >"$2"; shift; done')
    done = script.run(
        f"OS_RELEASE={release} DOCKER_KEY={script.folder}/keys/docker DOCKER_LIST={script.folder}/list; "
        "apt() { true; }; step makers 'adding' add_docker_source"
    )
    assert done.returncode == 0, done.stdout
    source = (script.folder / "list").read_text()
    assert f"signed-by={script.folder}/keys/docker] " in source
    assert source.endswith("/linux/debian bookworm stable\n")
    script.command("curl", "exit 6")
    done = script.run(
        f"OS_RELEASE={release} DOCKER_KEY={script.folder}/key; step makers 'adding' add_docker_source"
    )
    assert done.returncode == 1
    assert "could not be fetched" in done.stdout
    assert "use a distribution with a newer Docker of its own" in done.stdout
