"""The relay's settings: traitlets at the edge, a YAML file over them, one frozen value inward.

``c.Cumulus.NAME`` in ``jupyter_cumulus_config.py`` (or ``--Cumulus.NAME=`` on the command line), then the
file named by ``Cumulus.config_file``, or ``cumulus.yaml`` in the state folder. Secrets come from the
environment only: ``CUMULUS_TOKEN``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import yaml
from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Dict, Float, Int, List, Unicode
from traitlets.config import Configurable

from cumulus_jupyter.protocol.errors import InvalidArgument

from .config_checks import check_settings


@dataclass(frozen=True)
class RelayConfig:
    """Every setting of the relay, checked."""

    #: Folder of the database, the bundles and the values.
    state_dir: Path
    #: A relay elsewhere that a Jupyter server's calls are passed on to; empty for the one in the server.
    relay_url: str = ""
    #: File with that relay's token; empty for ``CUMULUS_TOKEN``, or the file of ``CUMULUS_TOKEN_FILE``.
    relay_token_file: str = ""
    #: File of the certificate authorities that vouch for that relay, beside those of this machine.
    relay_ca_bundle: str = ""
    #: Largest bundle, in bytes, packed and unpacked.
    bundle_limit_bytes: int = 512 << 20
    #: Most that one job may store as values, in bytes.
    values_limit_bytes: int = 8 << 30
    #: Seconds that an ended job, its logs and its values are kept.
    history_s: int = 24 * 3600
    #: Seconds between signs of life on a quiet stream.
    heartbeat_s: float = 15.0
    #: Seconds without jobs or requests after which a headless relay stops; 0 for never.
    idle_shutdown_s: float = 0.0
    #: Jobs that run at once as local processes; 0 for the executor's own choice.
    process_slots: int = 0
    #: Runners kept ready for the next job.
    process_warm: int = 2
    #: Interpreters that jobs can have besides the relay's own.
    process_pythons: tuple[str, ...] = ()
    #: Seconds between KeyboardInterrupt and the end of a cancelled job.
    grace_s: float = 5.0
    #: Simulated GPUs of the local worker, where it has no real one.
    simulated_gpus: int = 0
    #: Whether ``PUT /workers/local/simulated-devices`` may declare some at run time.
    allow_simulated_devices: bool = True
    #: Executors, the preferred one first; empty for the local processes, and whatever engine is there.
    executors: tuple[str, ...] = ()
    #: "best-fit": a job goes to the GPU where it leaves the least over; "first-fit": to the first with room.
    placement: str = "best-fit"
    #: Address of the Docker Engine; empty for the one of this machine.
    docker_host: str = ""
    #: Address of the Swarm's manager; empty for ``docker_host``.
    swarm_host: str = ""
    #: Containers that run at once on one worker; 0 for the executor's own choice.
    container_slots: int = 0
    #: Job images by Python minor version; empty for those that are on the engine.
    job_images: Mapping[str, str] = field(default_factory=dict)
    #: Memory of a container whose job asks for none, in MiB; 0 for its worker's whole.
    container_memory_mib: int = 0
    #: Processes and threads of one container.
    container_pids: int = 4096
    #: ``UID:GID`` of containers; empty for the relay's own, which root's is not used for.
    container_user: str = ""
    #: Shared memory of one container, in MiB, which data loaders of several processes need.
    container_shm_mib: int = 1024
    #: File of the certificate authorities that containers shall trust.
    container_ca_bundle: str = ""
    #: Environment of every container's job.
    container_env: Mapping[str, str] = field(default_factory=dict)
    #: Address of this machine at which containers reach the relay; empty for what their engine says.
    runner_host: str = ""
    #: Port for runners on other machines; 0 for one that is chosen once and kept.
    runner_port: int = 0
    #: ``ADDRESS:PORT`` to listen on, where a router forwards ``runner_host`` and ``runner_port`` to there.
    runner_listen: str = ""
    #: URL at which containers reach the relay by another way, such as a proxy.
    runner_url: str = ""
    #: Address at which other hosts join the Swarm; empty for what its manager says.
    swarm_address: str = ""
    #: File of the private key that the relay goes to its workers with; empty for one of its own.
    ssh_key: str = ""
    #: Seconds that a worker's SSH may take to connect, and to answer.
    ssh_timeout_s: float = 10.0


class Cumulus(Configurable):
    """The relay's settings as traitlets. ``settings`` turns them into a ``RelayConfig``."""

    config_file = Unicode(
        "", help="YAML file with these settings; empty: cumulus.yaml in the state folder."
    ).tag(config=True)
    state_dir = Unicode(
        "",
        help="Folder of the relay's database, bundles and values; empty: cumulus in Jupyter's data folder.",
    ).tag(config=True)
    relay_url = Unicode(
        "",
        help="URL of a relay elsewhere that this Jupyter server passes calls on to; empty: the one in it.",
    ).tag(config=True)
    relay_token_file = Unicode(
        "",
        help="File with the token of that relay; empty: CUMULUS_TOKEN, or the file of CUMULUS_TOKEN_FILE.",
    ).tag(config=True)
    relay_ca_bundle = Unicode(
        "",
        help="PEM file of the authorities that vouch for that relay, beside those of this machine.",
    ).tag(config=True)
    bundle_limit_bytes = Int(RelayConfig.bundle_limit_bytes, min=1, help="Largest bundle, in bytes.").tag(
        config=True
    )
    values_limit_bytes = Int(
        RelayConfig.values_limit_bytes, min=1, help="Most that one job may store as values, in bytes."
    ).tag(config=True)
    history_s = Int(
        RelayConfig.history_s, min=0, help="Seconds that an ended job, its logs and values are kept."
    ).tag(config=True)
    heartbeat_s = Float(
        RelayConfig.heartbeat_s, min=0.05, help="Seconds between signs of life on a quiet event stream."
    ).tag(config=True)
    idle_shutdown_s = Float(
        0.0, min=0, help="Seconds without jobs or requests after which a headless relay stops; 0 for never."
    ).tag(config=True)
    process_slots = Int(0, min=0, help="Jobs that run at once as local processes; 0 for four per core.").tag(
        config=True
    )
    process_warm = Int(RelayConfig.process_warm, min=0, help="Runners kept ready for the next job.").tag(
        config=True
    )
    process_pythons = List(
        Unicode(), help="Python interpreters that jobs can have besides the relay's own; paths."
    ).tag(config=True)
    grace_s = Float(
        RelayConfig.grace_s, min=0, help="Seconds between KeyboardInterrupt and the end of a cancelled job."
    ).tag(config=True)
    simulated_gpus = Int(
        0, min=0, max=64, help="Simulated GPUs of the local worker, where it has no real one."
    ).tag(config=True)
    allow_simulated_devices = Bool(
        True, help="Whether notebooks may declare simulated GPUs at run time."
    ).tag(config=True)
    executors = List(
        Unicode(),
        help="Executors, the preferred one first, of process, docker and swarm;"
        " empty: process, and docker and swarm where their engine is there.",
    ).tag(config=True)
    placement = Unicode(
        RelayConfig.placement,
        help="best-fit: a job goes to the GPU where it leaves the least over, so that whole ones stay whole;"
        " first-fit: to the first with room.",
    ).tag(config=True)
    docker_host = Unicode(
        "", help="Address of the Docker Engine, such as unix:///var/run/docker.sock; empty: this machine's."
    ).tag(config=True)
    swarm_host = Unicode("", help="Address of a manager of the Swarm; empty: docker_host.").tag(config=True)
    container_slots = Int(
        0, min=0, help="Containers that run at once on one worker; 0 for two per core, at least four."
    ).tag(config=True)
    job_images = Dict(
        help="Job images by Python minor version, such as {'3.11': 'cumulus-job:py3.11'};"
        " empty: those that are on the engine."
    ).tag(config=True)
    container_memory_mib = Int(
        0, min=0, help="Memory of a container whose job asks for none, in MiB; 0 for its worker's whole."
    ).tag(config=True)
    container_pids = Int(
        RelayConfig.container_pids, min=64, help="Processes and threads of one container; at least 64."
    ).tag(config=True)
    container_user = Unicode(
        "", help="User of containers as UID:GID, not root; empty: the relay's own, or 1000:1000 for root's."
    ).tag(config=True)
    container_shm_mib = Int(
        RelayConfig.container_shm_mib, min=0, help="Shared memory of one container, in MiB; 0: the engine's."
    ).tag(config=True)
    container_ca_bundle = Unicode(
        "", help="File of the certificate authorities that containers shall trust, as behind a proxy."
    ).tag(config=True)
    container_env = Dict(help="Environment of every container's job, such as {'PIP_INDEX_URL': '...'}.").tag(
        config=True
    )
    runner_host = Unicode(
        "", help="Address of this machine at which containers reach the relay; empty: what their engine says."
    ).tag(config=True)
    runner_port = Int(
        0, min=0, max=65535, help="Port for runners on other machines; 0: chosen once, and kept."
    ).tag(config=True)
    runner_listen = Unicode(
        "",
        help="ADDRESS:PORT of this machine to listen on for runners on other machines, where a router"
        " forwards runner_host and runner_port to there; empty: these themselves.",
    ).tag(config=True)
    runner_url = Unicode(
        "",
        help="URL at which containers reach the relay by another way; then nothing is listened on for them.",
    ).tag(config=True)
    swarm_address = Unicode(
        "", help="Where other hosts join the Swarm, as HOST or HOST:PORT; empty: what its manager says."
    ).tag(config=True)
    ssh_key = Unicode(
        "",
        help="File of the private key that the relay goes to its workers with, without a passphrase;"
        " empty: one of its own, in the state folder.",
    ).tag(config=True)
    ssh_timeout_s = Float(
        RelayConfig.ssh_timeout_s,
        min=1,
        max=60,
        help="Seconds that a worker's SSH may take to connect, and to answer; 1 to 60.",
    ).tag(config=True)

    def settings(self) -> RelayConfig:
        """All settings from all places. Raises ``InvalidArgument`` naming what is wrong, and where."""
        unknown = set(self.config.get("Cumulus", {})) - set(self.trait_names(config=True))
        if unknown:
            raise _unknown(sorted(unknown)[0], "c.Cumulus", self.trait_names(config=True))
        values: dict[str, Any] = {name: getattr(self, name) for name in self.trait_names(config=True)}
        state_dir = Path(values.pop("state_dir") or Path(jupyter_data_dir()) / "cumulus").expanduser()
        named = values.pop("config_file")
        file = Path(named).expanduser() if named else state_dir / "cumulus.yaml"
        if named and not file.is_file():
            raise InvalidArgument(f"There is no file {file}", next="Correct Cumulus.config_file.")
        values["process_pythons"] = tuple(values["process_pythons"])
        values["executors"] = tuple(values["executors"])
        if file.is_file():
            values.update(read_yaml(file))
        if "state_dir" in values:
            state_dir = Path(values.pop("state_dir")).expanduser()
        config = RelayConfig(state_dir=state_dir.absolute(), **values)
        check_settings(config)
        return config


def _unknown(name: str, where: str, known: list[str]) -> InvalidArgument:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(sorted(known))}."
    return InvalidArgument(f"{where}: there is no setting {name!r}", next=hint)


def read_yaml(file: Path) -> dict[str, Any]:
    """The settings of a YAML file. Raises ``InvalidArgument`` naming the entry and what it should be."""
    try:
        entries = yaml.safe_load(file.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgument(f"{file}: cannot be read: {error}", next="Correct the file.") from None
    if not isinstance(entries, dict):
        raise InvalidArgument(
            f"{file}: must be a mapping of settings", next="Write lines such as history_s: 86400."
        )
    hints = get_type_hints(RelayConfig)
    helps = {name: trait.help for name, trait in Cumulus.class_traits(config=True).items()}
    known = [field.name for field in fields(RelayConfig)]
    values: dict[str, Any] = {}
    for name, value in entries.items():
        if name not in known:
            raise _unknown(str(name), str(file), known)
        try:
            hint = str if name == "state_dir" else hints[name]
            values[name] = msgspec.convert(value, hint)
            _check_range(name, values[name])
        except msgspec.ValidationError as error:
            raise InvalidArgument(f"{file}: {name}: {error}", next=helps[name]) from None
    return values


def _check_range(name: str, value: Any) -> None:
    trait = Cumulus.class_traits()[name]
    low, high = getattr(trait, "min", None), getattr(trait, "max", None)
    if (low is not None and value < low) or (high is not None and value > high):
        raise msgspec.ValidationError(
            f"{value} is out of range: at least {low}" + (f", at most {high}" if high else "")
        )
