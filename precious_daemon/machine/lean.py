"""What the service leaves out of its memory: packages that others load wherever they find them, used or not."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

OPENSSL = ("ssl", "_ssl", "_hashlib")
"""7 MB of the 53 that the service would take at rest. Its page is plain HTTP on this machine alone, and asyncio, aiohttp and
hashlib run as well without: each falls back to what it has where Python was built without OpenSSL."""
CPP = ("frozenlist._frozenlist",)
"""It alone brings in the library of C++, 1 MB; the same class is there in Python, for lists of a handful of callbacks."""
UNUSED = ("argparse",)
"""What aiohttp reads its own command line with."""
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # M_..., malloc.h of the GNU C library
_KEPT = 32 * 1024 * 1024  # bytes: the most that it takes for the first of these thresholds
_REMEMBER = ("http.client", "urllib.request", "smtplib")
"""Modules that look for TLS once, when they are loaded."""


@contextmanager
def without(*names: str) -> Iterator[None]:
    """What is imported inside finds no module of these names; what is loaded already stays.

    Afterwards they can be imported as ever: a plugin that sends to an https address loads OpenSSL for itself.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail, says the import system
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if "ssl" in hidden:
            for name in _REMEMBER:
                sys.modules.pop(name, None)


class _Unused(Exception):  # it stands for names of all kinds
    """What a hollow module has in it."""


@contextmanager
def hollow(*names: str) -> Iterator[None]:
    """What is imported inside finds a module of these names, for packages that insist on one and do not use it here.

    Every name in it is an exception class that nobody raises, good for `except` and as a base class.
    """
    made = {name: ModuleType(name) for name in names if name not in sys.modules}
    for module in made.values():
        module.__dict__["__getattr__"] = lambda _: _Unused
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def one_heap() -> None:
    """Let all threads share one heap: the C library would give each its own, of which little is used. Elsewhere, nothing."""
    _set_options({_ARENA_MAX: 1})


def keep_memory() -> None:
    """Use memory again that is free, and do not hand it back at once: a page that is new costs a visit to the kernel.

    For a process that takes megabytes again and again, to read one photo after another: 2 ms each.
    """
    _set_options({_MMAP_THRESHOLD: _KEPT, _TRIM_THRESHOLD: 2 * _KEPT})


def _set_options(options: dict[int, int]) -> None:
    import ctypes

    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        for option, value in options.items():
            set_option(option, value)


def set_apart() -> None:
    """Let the collector go round what there is now: going through all of it takes 25 ms, while somebody waits for a page."""
    gc.freeze()


def give_back() -> None:
    """Hand memory that is free again to the system; where the C library cannot, nothing happens."""
    import ctypes
    import linecache

    linecache.clearcache()  # source lines that a warning or attrs looked at: 0.7 MB after a start
    gc.unfreeze()
    gc.collect()
    set_apart()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
