"""What a process that decodes pictures may still do: read photos and programs. No other file, no network, no other process.

Linux holds it by Landlock (files, from 5.13 on; signals from 6.12 on) and by a seccomp filter (sockets, programs, permissions of
files, other processes), both through raw system calls; elsewhere, and on kernels without them, a process has its limits alone.
A decoder that was taken over can then send nothing, start nothing and change nothing: what it has is the pipe to the service.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# linux/landlock.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every machine
_VERSION, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}  # rights to files, and since which version there are these
_NETWORK = {4: 0b11}  # to bind and to connect TCP
_SCOPES = {6: 0b11}  # abstract Unix sockets and signals beyond this process and its children

# linux/prctl.h, linux/seccomp.h, linux/audit.h, linux/filter.h, linux/bpf_common.h
_NO_NEW_PRIVS, _SET_MODE_FILTER, _TSYNC = 38, 1, 1
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # the latter with EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _MACHINE_AT = 0, 4  # in struct seccomp_data
_X32 = 0x40000000  # another way to number the calls of x86-64


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    seccomp: int
    refused: tuple[int, ...]


_EVERYWHERE = (425, 434, 438, 452, 463, 466)  # io_uring_setup pidfd_open pidfd_getfd fchmodat2 setxattrat removexattrat
_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, (
        41, 42, 43, 44, 46, 49, 50, 53, 288,  # socket connect accept sendto sendmsg bind listen socketpair accept4
        59, 322, 101, 310, 311, 312,  # execve execveat ptrace process_vm_readv process_vm_writev kcmp
        90, 91, 268, 92, 93, 94, 260,  # chmod fchmod fchmodat chown fchown lchown fchownat
        188, 189, 190, 197, 198, 199, 132, 235, 261, 280,  # setxattr... removexattr... utime utimes futimesat utimensat
        165, 166, 155, 161, 272, 308, 304,  # mount umount2 pivot_root chroot unshare setns open_by_handle_at
        321, 298, 323, 248, 249, 250,  # bpf perf_event_open userfaultfd add_key request_key keyctl
    )),
    "aarch64": _Machine(0xC00000B7, 277, (
        198, 203, 202, 206, 211, 200, 201, 199, 242,
        221, 281, 117, 270, 271, 272,
        52, 53, 54, 55,  # fchmod fchmodat fchownat fchown
        5, 6, 7, 14, 15, 16, 88,
        40, 39, 41, 51, 97, 268, 265,
        280, 241, 282, 217, 218, 219,
    )),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """What the kernel of this machine holds a process to."""

    landlock: int  # its version; 0: files are not held
    seccomp: bool


def offered() -> Held:
    """What this machine's kernel has."""
    if sys.platform != "linux":
        return Held(0, False)
    machine = _MACHINES.get(platform.machine())
    action = ctypes.c_uint32(_ALLOW)
    there = machine is not None and _call(machine.seccomp, 2, 0, ctypes.byref(action)) == 0  # SECCOMP_GET_ACTION_AVAIL
    return Held(max(0, _call(_CREATE_RULESET, None, 0, _VERSION)), there)


def enter(folders: Iterable[str] | None) -> Held:
    """Hold this process, for good: it reads files below these folders (None: all there are) and those of Python.

    Called while the process has one thread. Where the kernel has only a part of it, that part holds.
    """
    held = offered()
    if not (held.landlock or held.seccomp):
        return held
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    landlock = held.landlock if held.landlock and _hold_files(held.landlock, folders) else 0
    return Held(landlock, held.seccomp and _hold_calls(_MACHINES[platform.machine()]))


# --- files -------------------------------------------------------------------------------------------------------------


def _hold_files(version: int, folders: Iterable[str] | None) -> bool:
    files, network, scopes = (
        sum(bits for since, bits in table.items() if since <= version) for table in (_FILES, _NETWORK, _SCOPES)
    )
    wanted = struct.pack("QQQ", files, network, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _call(_CREATE_RULESET, wanted, len(wanted), 0)
    if rules < 0:
        return False
    try:
        for folder in ["/"] if folders is None else [*folders, *programs()]:
            _allow(rules, folder, _READ_FILE | _READ_DIR)
        _allow(rules, os.devnull, _READ_FILE | _WRITE_FILE | files & _TRUNCATE)
        return _call(_RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with suppress(OSError):  # what is not there needs no right
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= ~_READ_DIR
            _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)


def programs() -> Iterator[str]:
    """Where Python, its packages and the libraries of the system are, and what these ask about the machine."""
    yield from (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    yield str(Path(__file__).parents[2])
    yield from filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    yield from ("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime")
    yield from ("/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")


# --- system calls ------------------------------------------------------------------------------------------------------


def _hold_calls(machine: _Machine) -> bool:
    """A program for the kernel that looks at the number of each call, seccomp(2)."""
    refused = sorted({*machine.refused, *_EVERYWHERE})
    length = len(refused)
    program = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 0, length + 3, machine.audit),  # the calls of another machine: refused
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, length + 1, 0, _X32),
        *((_EQUAL, length - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    return _call(machine.seccomp, _SET_MODE_FILTER, _TSYNC, filters) == 0


def _call(number: int, *arguments: object) -> int:
    """The result, or -1."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(call(ctypes.c_long(number), *words))
