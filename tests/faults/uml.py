"""Run a command under another Linux, one in user mode, that has file systems which this machine's kernel lacks.

    python -m tests.faults.uml python -m pytest tests/faults/test_filesystems.py

Debian's and Ubuntu's package user-mode-linux brings it: installed, or only taken apart, with UML naming the folder
(`apt-get download user-mode-linux; dpkg -x user-mode-linux*.deb FOLDER; export UML=FOLDER`). No rights are needed: whoever starts
it is root inside, and sees the files of this machine. What is written to /run, where TMPDIR points, is memory in there.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

UML = Path(os.environ.get("UML", "/"))
KERNEL = UML / "usr/bin/linux.uml"
MODULES = ("loop", "fuse", "vfat", "nls_cp437", "nls_iso8859-1", "f2fs")
MOUNTS = {"/proc": "proc", "/sys": "sysfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/run": "tmpfs"}
FINIT_MODULE = 313  # syscall(2), x86_64


def outside(command: list[str]) -> int:
    """The exit status of `command`, run under a kernel of its own; 125 where that did not come to its end."""
    if not KERNEL.exists():
        sys.exit(f"There is no {KERNEL}: install the package user-mode-linux, or set UML to where it was taken apart.")
    with tempfile.TemporaryDirectory() as scratch:
        first, status = Path(scratch, "init"), Path(scratch, "status")
        exports = (f"export {name}={shlex.quote(value)}\n" for name, value in os.environ.items() if name.isidentifier())
        told = shlex.join([sys.executable, "-m", "tests.faults.uml", "--inside", str(status), *command])
        first.write_text(f"#!/bin/sh\n{''.join(exports)}export TMPDIR=/run\ncd {shlex.quote(os.getcwd())}\nexec {told}\n")
        first.chmod(0o700)
        kernel = [KERNEL, "rootfstype=hostfs", "rootflags=/", "rw", "mem=2G", "loglevel=1", f"init={first}"]
        subprocess.run([*kernel, "con=null", "con0=null,fd:1"], stdin=subprocess.DEVNULL, check=False)
        return int(status.read_text()) if status.exists() else 125


def inside(status: Path, command: list[str]) -> None:
    """The first process in there: make it a system, run the command, switch off."""
    for place, kind in MOUNTS.items():
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    load(MODULES)
    os.setsid()
    status.write_text(str(subprocess.run(command, check=False).returncode))
    os.sync()
    Path("/proc/sysrq-trigger").write_text("o")


def load(wanted: tuple[str, ...]) -> None:
    """Load kernel modules, each after those that it needs."""
    (folder,) = (UML / "usr/lib/uml/modules").glob(os.uname().release)
    lines = (line.partition(":") for line in (folder / "modules.dep").read_text().splitlines())
    needs = {path: needed.split() for path, _, needed in lines}
    named = {Path(path).stem: path for path in needs}
    for name in wanted:
        for path in [*reversed(needs[named[name]]), named[name]]:
            with open(folder / path, "rb") as file:
                ctypes.CDLL(None).syscall(FINIT_MODULE, file.fileno(), b"", 0)  # one that is there already is refused


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(Path(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(outside(sys.argv[1:]))
