"""Where plugins are looked for: this package, installed packages, a folder of files. Nothing of them is run here."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import stat
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from precious_daemon.config import Places, Settings
from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import PROJECT

log = logging.getLogger(__name__)

BUILT_IN = ("report", "rules", "xmp", "links", "plan", "webhook", "notify", "email", "immich", "digikam", "trash")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # it names a folder and a table of the settings


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that there is. `load` imports it."""

    name: str
    origin: str
    summary: str
    load: Callable[[], object]


def find(places: Places, settings: Settings) -> Iterator[Found]:
    """Built in ones first, then installed ones, then files; each kind by name."""
    for name in BUILT_IN:
        module = f"{__package__}.{name}"
        source = Path(__file__).with_name(f"{name}.py")
        yield Found(name, "built in", _first_line(source), partial(importlib.import_module, module))
    for point in sorted(importlib.metadata.entry_points(group=PROJECT), key=lambda point: point.name):
        if _NAME.fullmatch(point.name):
            summary = (point.dist.metadata["Summary"] or "") if point.dist else ""
            yield Found(point.name, "entry point", summary, point.load)
        else:
            log.warning("the installed plugin %r is passed over: its name may hold letters, digits, _ . and -", point.name)
    for file in sorted(folder(places, settings).glob("*.py")):
        if _NAME.fullmatch(file.stem):  # one that starts with _ is a helper of the others
            yield Found(file.stem, str(file), _first_line(file), partial(_load_file, file))


def folder(places: Places, settings: Settings) -> Path:
    """The folder of plugin files."""
    return Path(settings.plugins.folder).expanduser() if settings.plugins.folder else places.plugins


def _first_line(file: Path) -> str:
    """The first line of a file's docstring, read without running the file."""
    try:
        with tokenize.open(file) as source:
            for token in tokenize.generate_tokens(source.readline):
                if token.type == tokenize.STRING:
                    return str(ast.literal_eval(token.string)).strip().partition("\n")[0]
                if token.type not in (tokenize.COMMENT, tokenize.NL):
                    return ""
    except (OSError, SyntaxError, ValueError, tokenize.TokenError):
        pass
    return ""


def _load_file(file: Path) -> ModuleType:
    """Import a plugin file, provided that nobody else can write it."""
    for path in (file, file.parent):
        status = os.stat(path)
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & stat.S_IWOTH:
            raise ConfigError(f"{path} can be changed by other users, and so is not run. Mend it with: chmod o-w {path}")
    name = f"{PROJECT}_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
