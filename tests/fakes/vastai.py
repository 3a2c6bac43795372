"""A stand-in for the provider's command line, ``vastai``: answers with --raw as version 1.9 of the real one.

Its account is the JSON file that FAKE_VASTAI names; see ``tests/integration/dev/account.py``. As with the
real one, a refusal goes to standard error as JSON, and the exit status is 0 all the same. What is rented is a
container of this machine's engine, whose ports the engine forwards as the provider's router does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FILE = Path(os.environ["FAKE_VASTAI"])
PRICE = 0.12


class Refused(Exception):
    """What the provider's API answers instead: a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.body = {"error": True, "msg": message, "status_code": status}


def search(account: dict[str, Any], asked: argparse.Namespace) -> Any:
    """``search offers QUERY --order FIELD --storage GB --limit N``."""
    return account["offers"][: asked.limit]


def create(account: dict[str, Any], asked: argparse.Namespace) -> Any:
    """``create instance OFFER ...``; the answer may be lost, the offer taken."""
    if asked.id in account["taken"]:
        raise Refused(400, "error 404/3603: no_such_ask  Instance type by id is not available.")
    if not account["credit"]:
        raise Refused(400, "Your account lacks credit; see the billing page.")
    made = 7_000_000 + len(account["instances"])
    began_s = time.time() - 1800
    account["instances"][str(made)] = {"id": made, "label": asked.label, "start_date": began_s, "looks": 0}
    if account["answer_lost"]:
        return None
    return {"instance_api_key": "s3cret", "new_contract": made, "success": True}


def show(account: dict[str, Any], asked: argparse.Namespace) -> Any:
    """``show instance ID``: it comes up while it is looked at."""
    kept = account["instances"].get(str(asked.id))
    if kept is None:
        return {"instances": None}
    kept["looks"] += 1
    return row(account, kept)


def row(account: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """An instance as it is told."""
    told = {
        "actual_status": None,
        "cur_state": "running",
        "dph_total": PRICE,
        "duration": time.time() - kept["start_date"],
        "extra_env": {},
        "id": kept["id"],
        "image_runtype": "ssh_direct",
        "intended_status": "running",
        "label": kept["label"],
        "public_ipaddr": None,
        "ssh_host": "ssh4.vast.ai",
        "ssh_port": 17_000,
        "start_date": kept["start_date"],
        "status_msg": None,
    }
    if kept["looks"] > 1:
        told |= {"actual_status": "loading", "status_msg": "Pulling the image\n"}
    if kept["looks"] > 2 and account["comes_up"] != "running":
        told |= {"actual_status": account["comes_up"], "status_msg": "Error: no disk\n"}
    elif kept["looks"] > 2:
        told_ports = docker("inspect", "--format", "{{json .NetworkSettings.Ports}}", account["container"])
        ports = json.loads(told_ports)
        forwarded = {name: bound for name, bound in ports.items() if bound}
        told |= {"actual_status": "running", "status_msg": "success, running vastai_kvm_ubuntu_22.04/ssh"}
        told |= {"public_ipaddr": f"{account['public']}\n", "ports": forwarded}
    return told


def show_all(account: dict[str, Any], asked: argparse.Namespace) -> Any:
    """``show instances``."""
    return [row(account, each) for each in account["instances"].values()] if account["lists"] else "soon"


def destroy(account: dict[str, Any], asked: argparse.Namespace) -> Any:
    """``destroy instance ID -y``: it prints nothing, whatever has come of it."""
    if not account["destroys"]:
        raise Refused(500, "Something is wrong with that machine")
    if account["instances"].pop(str(asked.id), None) and account["container"]:
        docker("rm", "--force", "--volumes", account["container"])
    return None


def docker(*arguments: str) -> str:
    """One command of the machine's own engine."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, env=own).stdout


def words() -> argparse.ArgumentParser:
    """The words that the dev scripts use; any other is an error, as with the real one."""
    parser = argparse.ArgumentParser(prog="vastai")
    verbs = parser.add_subparsers(required=True)
    raw = argparse.ArgumentParser(add_help=False)
    raw.add_argument("--raw", action="store_true", required=True)

    def verb(name: str, thing: str, does: Any) -> argparse.ArgumentParser:
        group = verbs.choices.get(name) if verbs.choices else None
        things = groups[name] if group else verbs.add_parser(name).add_subparsers(required=True)
        groups[name] = things
        made: argparse.ArgumentParser = things.add_parser(thing, parents=[raw])
        made.set_defaults(does=does)
        return made

    groups: dict[str, Any] = {}
    offers = verb("search", "offers", search)
    offers.add_argument("query")
    offers.add_argument("--order", required=True)
    offers.add_argument("--storage", type=float)
    offers.add_argument("--limit", type=int, default=64)
    instance = verb("create", "instance", create)
    instance.add_argument("id", type=int)
    for option in ("--image", "--template_hash", "--label", "--env", "--disk"):
        instance.add_argument(option)
    for flag in ("--ssh", "--direct", "--cancel-unavail"):
        instance.add_argument(flag, action="store_true")
    verb("show", "instance", show).add_argument("id", type=int)
    verb("show", "instances", show_all)
    verb("show", "ssh-keys", lambda account, _: account["ssh_keys"])
    gone = verb("destroy", "instance", destroy)
    gone.add_argument("id", type=int)
    gone.add_argument("-y", "--yes", action="store_true", required=True)
    return parser


def main() -> None:
    """Do what the command line says."""
    asked = words().parse_args()
    account = json.loads(FILE.read_text())
    account["calls"].append(sys.argv[1:])
    try:
        if account["api_key"] != "known":
            raise Refused(401, "Invalid user key")
        answer = asked.does(account, asked)
        if answer is not None:
            remark, told = account["remark"], json.dumps(answer, indent=1, sort_keys=True)
            print(remark, told, remark, sep="\n")
    except Refused as refused:
        print(json.dumps(refused.body), file=sys.stderr)
    finally:
        FILE.write_text(json.dumps(account))


if __name__ == "__main__":
    main()
