"""Reads what the provider's command line answers with --raw, for the dev scripts.

``dev-answers.py WHAT [WORD]`` reads JSON from standard input and writes lines that a shell can read. Exit 3
where the answer is none of that kind.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from typing import Any

#: Ports that are asked for besides SSH's: those of the Swarm and of the runners' listener.
SWARM_PORT, RUNNER_PORT = "2377/tcp", "8443/tcp"
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\Z")
_HOUR_S = 3600.0


def offers(answer: Any) -> list[str]:
    """One line for each offer, the cheapest first: ``ID PRICE DESCRIPTION``."""
    found = sorted(answer, key=lambda each: float(each["dph_total"]))
    return [f"{int(each['id'])} {float(each['dph_total']):.4f} {_described(each)}" for each in found]


def created(answer: Any) -> list[str]:
    """The id of the instance that was made."""
    return [str(int(answer["new_contract"]))] if answer.get("success") else []


def labelled(answer: Any, label: str) -> list[str]:
    """The ids of the account's instances that have this label."""
    return [str(int(each["id"])) for each in answer if each.get("label") == label]


def instance(answer: Any) -> list[str]:
    """``KEY=VALUE`` for all that is known of an instance; ``STATUS=gone`` where there is none."""
    if "instances" in answer and "id" not in answer:
        answer = answer["instances"]
    if not answer:
        return ["STATUS=gone"]
    ports = answer.get("ports") or {}
    public = str(answer.get("public_ipaddr") or "").strip()
    direct = _port(ports, "22/tcp")
    host, port = (public, direct) if direct else (answer.get("ssh_host"), answer.get("ssh_port"))
    told = {
        "STATUS": answer.get("actual_status") or "loading",
        "PUBLIC_ADDRESS": public,
        "SSH_HOST": host if port else "",
        "SSH_PORT": port,
        "SWARM_PORT": _port(ports, SWARM_PORT),
        "RUNNER_PORT": _port(ports, RUNNER_PORT),
    }
    lines = [f"{name}={value}" for name, value in told.items() if value and _HOST.match(str(value))]
    message = " ".join(str(answer.get("status_msg") or "").split())
    return [*lines, f"MESSAGE={message[:200]}", f"COST={_cost(answer)}"]


def keys(answer: Any) -> list[str]:
    """The account's public SSH keys, in whatever shape the list has."""
    words = (text.split() for text in _texts(answer) if text.startswith(("ssh-", "ecdsa-", "sk-")))
    return sorted({" ".join(each[:2]) for each in words if len(each) > 1})


def _described(offer: dict[str, Any]) -> str:
    cores = float(offer.get("cpu_cores_effective") or 0)
    memory_gb = float(offer.get("cpu_ram") or 0) / 1000
    words = [f"{cores:.0f} cores", f"{memory_gb:.0f} GB", str(offer.get("geolocation") or "place unknown")]
    return ", ".join(" ".join(word.split()) for word in words)


def _port(ports: Any, name: str) -> int:
    """Where the provider's router forwards a port of the instance; 0 where it does not."""
    found = ports.get(name) if isinstance(ports, dict) else None
    return int(found[0]["HostPort"]) if found else 0


def _cost(answer: dict[str, Any]) -> str:
    price, since_s = answer.get("dph_total"), answer.get("start_date")
    if not price or not since_s:
        return ""
    hours = max(0.0, time.time() - float(since_s)) / _HOUR_S
    return f"about ${float(price) * hours:.2f} so far ({hours:.1f} h at ${float(price):.3f} an hour)"


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value.strip()]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def _json(text: str) -> Any:
    """The answer in what was printed, with whatever remarks around it. Raises ``ValueError`` for none."""
    for begin in re.finditer(r"^[\[{]", text, re.MULTILINE):
        with contextlib.suppress(ValueError):
            return json.JSONDecoder().raw_decode(text, begin.start())[0]
    raise ValueError("no JSON")


def main() -> int:
    """Read one answer."""
    readers = {"offers": offers, "created": created, "labelled": labelled, "instance": instance, "keys": keys}
    try:
        lines = readers[sys.argv[1]](_json(sys.stdin.read()), *sys.argv[2:])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return 3
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
