"""A file system of its own that passes everything on to a folder, but for one call: it cannot rename without replacing.

    python -m tests.faults.passing FOLDER WHERE      (until WHERE is unmounted)

Many real ones are so: FAT and exFAT through FUSE, bindfs, many a NAS. The kernel is spoken to directly (fuse(4), linux/fuse.h)
so that no driver has to be installed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable

LARGEST = 1 << 17  # bytes in one read or write
ATTR, ENTRY, OPENED, INIT = "<6Q10I", "<4Q2I", "<QII", "<4I2H2I2H2I24x"
RENAME2, FORGET, BATCH_FORGET, DESTROY = 45, 2, 42, 38


class Passing:
    """Nodes are known by the inode of what is behind them; 1 is the top."""

    def __init__(self, folder: str) -> None:
        self.paths = {1: os.fsencode(folder)}
        self.calls: dict[int, Callable[[int, bytes], bytes]] = {
            1: self.lookup, 3: self.getattr, 4: self.setattr, 9: self.mkdir, 10: self.unlink, 11: self.rmdir, 12: self.rename,
            14: self.open, 15: self.read, 16: self.write, 17: self.statfs, 18: self.release, 20: self.sync, 25: self.nothing,
            26: self.init, 27: self.opendir, 28: self.readdir, 29: self.nothing, 30: self.nothing, 34: self.nothing,
            35: self.create,
        }  # fmt: skip

    # --- what the kernel is told of a file -----------------------------------------------------------------------------

    def _attr(self, path: bytes) -> bytes:
        s = os.lstat(path)
        times = (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)
        return struct.pack(
            ATTR, s.st_ino, s.st_size, s.st_blocks, *(t // 10**9 for t in times), *(t % 10**9 for t in times),
            s.st_mode, s.st_nlink, s.st_uid, s.st_gid, 0, 4096, 0,
        )  # fmt: skip

    def _entry(self, path: bytes) -> bytes:
        attr, node = self._attr(path), os.lstat(path).st_ino
        self.paths[node] = path
        return struct.pack(ENTRY, node, 0, 0, 0, 0, 0) + attr

    def _named(self, node: int, name: bytes) -> bytes:
        return self.paths[node] + b"/" + name.split(b"\0")[0]

    # --- its calls -----------------------------------------------------------------------------------------------------

    def init(self, node: int, said: bytes) -> bytes:
        major, minor, ahead, _ = struct.unpack_from("<4I", said)
        return struct.pack(INIT, major, min(minor, 31), ahead, 0, 16, 12, LARGEST, 1, 0, 0, 0, 0)

    def lookup(self, node: int, said: bytes) -> bytes:
        return self._entry(self._named(node, said))

    def getattr(self, node: int, said: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + self._attr(self.paths[node])

    def setattr(self, node: int, said: bytes) -> bytes:
        valid, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode = struct.unpack_from("<2I6Q4I", said)
        path = self.paths[node]
        if valid & 1:
            os.chmod(path, mode & 0o7777)
        if valid & 8:
            os.truncate(path, size)
        if valid & (16 | 32):
            now = os.lstat(path)
            a = atime * 10**9 + atime_ns if valid & 16 else now.st_atime_ns
            os.utime(path, ns=(a, mtime * 10**9 + mtime_ns if valid & 32 else now.st_mtime_ns))
        return self.getattr(node, said)

    def mkdir(self, node: int, said: bytes) -> bytes:
        path = self._named(node, said[8:])
        os.mkdir(path, struct.unpack_from("<I", said)[0] & 0o7777)
        return self._entry(path)

    def unlink(self, node: int, said: bytes) -> bytes:
        os.unlink(self._named(node, said))
        return b""

    def rmdir(self, node: int, said: bytes) -> bytes:
        os.rmdir(self._named(node, said))
        return b""

    def rename(self, node: int, said: bytes) -> bytes:
        (folder,) = struct.unpack_from("<Q", said)
        old, new, _ = said[8:].split(b"\0", 2)
        source, target = self._named(node, old), self._named(folder, new)
        os.rename(source, target)
        for known, path in self.paths.items():
            if path == source or path.startswith(source + b"/"):
                self.paths[known] = target + path[len(source) :]
        return b""

    def create(self, node: int, said: bytes) -> bytes:
        flags, mode = struct.unpack_from("<2I", said)
        path = self._named(node, said[16:])
        file = os.open(path, flags | os.O_CREAT, mode & 0o7777)
        return self._entry(path) + struct.pack(OPENED, file, 0, 0)

    def open(self, node: int, said: bytes) -> bytes:
        (flags,) = struct.unpack_from("<I", said)
        return struct.pack(OPENED, os.open(self.paths[node], flags & ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)), 0, 0)

    def read(self, node: int, said: bytes) -> bytes:
        file, start, size = struct.unpack_from("<QQI", said)
        return os.pread(file, size, start)

    def write(self, node: int, said: bytes) -> bytes:
        file, start, size = struct.unpack_from("<QQI", said)
        return struct.pack("<II", os.pwrite(file, said[40 : 40 + size], start), 0)

    def release(self, node: int, said: bytes) -> bytes:
        os.close(struct.unpack_from("<Q", said)[0])
        return b""

    def sync(self, node: int, said: bytes) -> bytes:
        os.fsync(struct.unpack_from("<Q", said)[0])
        return b""

    def readdir(self, node: int, said: bytes) -> bytes:
        _, start, size = struct.unpack_from("<QQI", said)
        found = b""
        for number, name in enumerate(sorted(os.listdir(self.paths[node])), 1):
            if number > start:
                one = struct.pack("<QQII", os.lstat(self.paths[node] + b"/" + name).st_ino, number, len(name), 0) + name
                one += b"\0" * (-len(one) % 8)
                if len(found) + len(one) > size:
                    break
                found += one
        return found

    def statfs(self, node: int, said: bytes) -> bytes:
        s = os.statvfs(self.paths[1])
        return struct.pack("<5Q4I24x", s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize, 255, s.f_frsize, 0)

    def opendir(self, node: int, said: bytes) -> bytes:
        return struct.pack(OPENED, 0, 0, 0)

    def nothing(self, node: int, said: bytes) -> bytes:
        """What needs no answer but that it went well."""
        return b""

    # --- the conversation ----------------------------------------------------------------------------------------------

    def serve(self, kernel: int) -> None:
        """Answer until it is unmounted."""
        while True:
            try:
                asked = os.read(kernel, LARGEST + 4096)
            except OSError as exc:
                if exc.errno == errno.ENODEV:
                    return
                raise
            _, call, number, node = struct.unpack_from("<IIQQ", asked)
            if call in (FORGET, BATCH_FORGET):
                continue
            error, answer = 0, b""
            try:
                answer = self.calls[call](node, asked[40:])
            except KeyError:
                error = errno.ENOSYS  # among them RENAME2
            except OSError as exc:
                error = exc.errno or errno.EIO
            os.write(kernel, struct.pack("<IiQ", 16 + len(answer), -error, number) + answer)
            if call == DESTROY:
                return


def main(folder: str, where: str) -> None:
    kernel = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={kernel},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},allow_other,default_permissions"
    if libc.mount(b"passing", os.fsencode(where), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), where)
    Passing(folder).serve(kernel)


if __name__ == "__main__":
    main(*sys.argv[1:])
