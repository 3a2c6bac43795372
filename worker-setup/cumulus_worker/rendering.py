"""Answers in upstream's words, for people and for whoever parses those."""

from __future__ import annotations

from typing import Any

from cumulus_worker.words import Request

_RESET = "\033[0m"
#: How a line begins on a terminal, and elsewhere.
_MARKS = {
    "ok": ("\033[32m✓ ", "[OK] "),
    "info": ("\033[34mℹ ", "[INFO] "),
    "warning": ("\033[33m⚠ ", "[WARNING] "),
    "error": ("\033[31m✗ ", "[ERROR] "),
}


def marked(mark: str, text: str, terminal: bool) -> str:
    """A line, with upstream's decoration."""
    on_terminal, elsewhere = _MARKS[mark]
    return f"{on_terminal}{text}{_RESET}" if terminal else f"{elsewhere}{text}"


def duration(seconds: float) -> str:
    """As upstream says it, such as ``1h 30m``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def rendered(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    """The lines that answer a command line that was done."""
    return {
        "create": _created,
        "release": _released,
        "list": _listed,
        "available": _available,
        "stats": _stats,
        "version": _version,
        "engine": _engine,
    }[request.word](request, answer, terminal)


def _created(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    told = [
        f"Device: GPU {request.device}",
        f"Memory: {request.tenths * 10}%",
        f"Duration: {duration(answer['remaining_s'] + 0.5)}",
        *([f"User: {request.user}"] if request.user else []),
    ]
    return [
        marked("ok", f"Created partition {answer['partition']}", terminal),
        *(marked("info", line, terminal) for line in told),
    ]


def _released(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    return [marked("ok", f"Released partition {answer['partition']}", terminal)]


def _listed(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    partitions = answer["partitions"]
    if not partitions:
        return [marked("info", "No active partitions", terminal)]
    rows = [
        [
            partition["partition"],
            f"GPU {partition['device']}",
            f"{round(partition['fraction'] * 100)}%",
            duration(partition["remaining_s"]),
            partition["user"] or partition["owner"],
            "● ACTIVE",
        ]
        for partition in partitions
    ]
    table = _table(["ID", "Device", "Memory", "Time Left", "Owner", "Status"], rows)
    total = marked("info", f"Total: {len(partitions)} partition(s)", terminal)
    return ["", "Active Partitions", "", *table, "", total, ""]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    ruled = [line]
    for row in (head, *rows):
        cells = (f" {cell:<{width}} |" for cell, width in zip(row, widths, strict=True))
        ruled += ["|" + "".join(cells), line]
    return ruled


def _available(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    percent = f"{answer['fraction'] * 100:.1f}%"
    return [f"{percent} available on GPU {request.device}" if terminal else percent]


def _stats(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    lines = ["", "GPU Device Statistics", "=" * 50, ""]
    for device in answer["devices"]:
        total = device["memory_mib"]
        free = round(total * device["fraction"])
        lines += [
            f"Device {device['index']}: {device['name']}",
            f"  Type: {'GPU' if device['kind'] == 'nvidia' else 'OpenCL'}",
            f"  UUID: {device['uuid']}",
            "  Memory:",
            f"    Total: {total} MB",
            f"    Used: {total - free} MB",
            f"    Available: {free} MB",
            f"    Usage: {(1 - device['fraction']) * 100:.2f}%",
            "  Chronos management:",
            f"    Active partitions: {device['partitions']}",
            "",
        ]
    return [*lines, *([marked("warning", answer["warning"], terminal)] if answer["warning"] else [])]


def _version(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    return [f"chronos_cli {answer['version']} (Cumulus, backend {answer['backend'] or 'unknown'})"]


def _engine(request: Request, answer: dict[str, Any], terminal: bool) -> list[str]:
    return [f"{name}: {value}" for name, value in answer.items()]
