#!/usr/bin/env python3
"""Chromium that hears nothing of this machine's networks.

Containers that tests start beside it come with interfaces of their own, and with each that comes or goes
Chromium would end every request that is under way (ERR_NETWORK_CHANGED). It hears of them by netlink, which
it is refused here; it then believes to be online.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import struct
import sys

_SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
_AF_NETLINK = 16
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_REFUSE, _ALLOW = 0x00050000 | errno.EAFNOSUPPORT, 0x7FFF0000
#: Of ``struct seccomp_data``: the call's number, and its first argument.
_NUMBER, _FIRST = 0, 16
_FILTER = (
    (_LOAD, 0, 0, _NUMBER),
    (_IF_EQUAL, 0, 3, _SOCKET),
    (_LOAD, 0, 0, _FIRST),
    (_IF_EQUAL, 0, 1, _AF_NETLINK),
    (_RETURN, 0, 0, _REFUSE),
    (_RETURN, 0, 0, _ALLOW),
)
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def _refuse_netlink() -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _FILTER))
    program = ctypes.create_string_buffer(struct.pack("HP", len(_FILTER), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or prctl(_SET_SECCOMP, _MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    found = shutil.which("chromium")
    assert found, "Chromium is missing. Install it: sudo apt-get install chromium"
    _refuse_netlink()
    os.execv(found, ["chromium", *sys.argv[1:]])
