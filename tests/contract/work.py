"""Kinds of work for the contract suite: ends by itself; runs until asked to stop; does not care."""

from __future__ import annotations

SHORT, PATIENT, STUBBORN = "short", "patient", "stubborn"

#: The same as source, for those that run code.
WORK = {
    SHORT: "print('begun')",
    PATIENT: "print('begun', flush=True)\nimport time\ntime.sleep(600)",
    STUBBORN: (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('begun', flush=True)\nwhile True: time.sleep(1)"
    ),
}
