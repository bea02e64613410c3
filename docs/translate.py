"""The page's texts, gathered from the sources into its catalogues: `python docs/translate.py` after a text has changed.

Three kinds of texts are found:

* what templates, the rooms of `web` and those that write to the owner say, marked with `_`, `_n` and `N_`;
* what the scripts say, marked with `_` and `_n`; context "script", because these go along with the page;
* sentences of the other rooms, context "told": each f-string is a pattern that the page knows it by again. They need no mark.

See docs/translating.md.
"""

from __future__ import annotations

import ast
import io
import itertools
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_javascript
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

sys.path.insert(0, str(Path(__file__).parent.parent))
from precious_daemon.config import describe
from precious_daemon.plugins.find import BUILT_IN
from precious_daemon.web.settings import label

PACKAGE = Path(__file__).parent.parent / "precious_daemon"
LOCALE = PACKAGE / "locale"
MARKS = ("_", "_n")
SCRIPT, TOLD = "script", "told"

DATE = datetime(2026, 1, 1, tzinfo=UTC)  # of every catalogue, so that nothing but texts changes a file
NO_HEADERS = b"Project-Id|Report|POT-|PO-|Last-|Language-Team|MIME|Content-Transfer|Generated"

Text = tuple[str, ...]
"""A message, or (singular, plural)."""

EDGES = " ,;:"
"""Where sentences are put together, and taken apart again."""
NOT_PAGES = (
    "cli/", "grouping/cluster/", "demo/", "running/doctor.py", "machine/holes.py", "learn/exporting.py", "learn/paper.py",
    "learn/plots.py", "learn/vision.py", "machine/lean.py", "plugins/email.py", "plugins/fresh.py", "plugins/notify.py",
    "plugins/plan.py", "plugins/packet.py", "running/remote.py", "pure/faces.py", "store/backup.py", "store/schema.py",
    "store/library_tables.py", "store/cache_tables.py", "trash/records.py", "running/units.py", "plugins/words.py",
    "hookspecs.py", "asking/outside.py",
)  # fmt: skip
"""Rooms that speak in the terminal, in files and to other programs alone."""
WRITERS = ("plugins/email.py", "plugins/notify.py", "plugins/words.py")
"""Rooms beside the page that mark their texts: what they write is read by its owner alone."""
WORDS = {
    "grouping/bestshot.py": ("sharpest",), "pure/decide.py": ("blurred", "below 1 %"), "grouping/series.py": ("panorama",),
    "grouping/twins.py": ("cropped",), "grouping/hashes.py": ("mirrored", "turned"), "learn/champion.py": ("Regression",),
    "learn/classes.py": ("regression",), "models.py": ("offline", "frozen"), "pure/certify.py": ("photos",),
    "jobs/__init__.py": ("scan", "listen", "embed", "group", "learn", "sort", "rate", "suggest", "night"),
}  # fmt: skip
"""Single words that are said; a text of several is taken for one that is."""
NOT_SAID = re.compile(
    r"(built in|by size|entry point|fit of|fit report|ratings of|lines of this run|new photos|job \{|open files|calls of plugins"
    r"|signs of life|new settings|start of the watcher|end of the pause|opened for reading|offset points"
    r"|evidence for|audits for|blake3|heard by|service for one|a service that|precious-daemon library"
    r"|not sent$|handed over$|no longer$"
    r"|suggested to anybody|status of plugins"
    r"|report of task|suggested bytes|deletions looked through|telling plugins|a row of|unit \{"
    r"|display notification|cpu, |'Battery|%-d|Canon|Pick Label|s are$)"
)
"""Names of threads and of rows in the store, and what only the log and the terminal say."""
SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|WHERE|FROM|JOIN|EXISTS|PRAGMA|AND|AS|NULL|BY)\b|= \?|iif\("
    r"|\\b|^# |^(r\.|id,|photos\.|\(photo_id)"
)
"""And regular expressions, and comments of the settings file."""


def of_templates() -> Iterator[tuple[str, int, str | None, Text]]:
    """(file, line, context, message) of every text that a template marks."""
    reader = Environment(trim_blocks=True, lstrip_blocks=True)
    for file in sorted(PACKAGE.glob("**/templates/*.html")):
        for line, _, said in extract_from_ast(reader.parse(file.read_text("utf-8")), MARKS):
            yield _name(file), line, None, _texts(said)


def of_scripts() -> Iterator[tuple[str, int, str | None, Text]]:
    for file in sorted(PACKAGE.glob("web/static/*.js")):
        with file.open("rb") as source:
            for line, _, said, _ in extract_javascript(source, MARKS, [], {"parse_template_string": True}):
                yield _name(file), line, SCRIPT, _texts(said)


def of_web() -> Iterator[tuple[str, int, str | None, Text]]:
    """What the rooms of `web`, mails, notifications and reports mark; what the former raise is told."""
    for file in (*sorted(PACKAGE.glob("web/*.py")), *(PACKAGE / name for name in WRITERS)):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in MARKS and isinstance(node.args[0], ast.Constant):
                    said = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                    yield _name(file), node.lineno, None, tuple(said)
                elif node.func.id == "N_":
                    for line, text in _table(node.args[0]):
                        yield _name(file), line, None, (text,)
            elif isinstance(node, ast.Raise) and file.parent.name == "web":
                for line, text in _sentences(node):
                    yield _name(file), line, TOLD, (text,)


def of_other_rooms() -> Iterator[tuple[str, int, str | None, Text]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if not name.startswith(("web/", *NOT_PAGES)):
            tree = ast.parse(file.read_text("utf-8"))
            _without_docstrings(tree)
            for line, text in _sentences(tree, WORDS.get(name, ())):
                yield _name(file), line, TOLD, (text,)


def of_plugins() -> Iterator[tuple[str, int, str | None, Text]]:
    """What each plugin does, on the page of plugins."""
    for name in BUILT_IN:
        file = PACKAGE / "plugins" / f"{name}.py"
        about = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        yield _name(file), 1, TOLD, (about.splitlines()[0],)


def of_settings() -> Iterator[tuple[str, int, str | None, Text]]:
    """What each setting is called on the page."""
    for name, _, _ in describe():
        yield "precious_daemon/web/settings.py", 0, TOLD, (label(name),)


def _table(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in a table, its keys left out; a key of the keyboard has no word in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[A-Za-z]{2}", node.value):
        yield node.lineno, node.value
    children = node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
    for child in children:
        yield from _table(child)


def _sentences(node: ast.AST, words: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """Texts of more than one word, with {names} for what varies. What is logged, and SQL, are none."""
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called == "setting" or ("." in called and called.rpartition(".")[0].endswith("log")):
            return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _is_said(node.value) or node.value in words:
            yield node.lineno, node.value.strip(EDGES)
        return
    if isinstance(node, ast.JoinedStr):
        yield from ((node.lineno, text.strip(EDGES)) for text in _patterns(node) if _is_said(text))
    for child in ast.iter_child_nodes(node):
        if not isinstance(node, ast.JoinedStr) or (isinstance(child, ast.FormattedValue) and not _either(child.value)):
            yield from _sentences(child, words)


def _is_said(text: str) -> bool:
    bare = re.sub(r"\{\w*\}", "", text)
    several = re.search(r"\b[A-Za-z]+'?[,.:;]? [a-z{A-Z]|\w+ \{|\} \w\w+", text)
    return bool(several and re.search(r"[a-z]{2,}", bare)) and "\n" not in text and not (SQL.search(text) or NOT_SAID.match(text))


def _patterns(node: ast.JoinedStr) -> Iterator[str]:
    """An f-string with {names}; where a part of it is one of two texts, both."""
    taken: dict[str, str] = {}
    parts: list[list[str]] = []
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append([str(value.value).replace("{", "{{").replace("}", "}}")])
        elif isinstance(value, ast.FormattedValue):
            either = _either(value.value)
            parts.append(either or ["{" + _named(value.value, taken) + "}"])
    yield from dict.fromkeys(map("".join, itertools.product(*parts)))


def _either(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.IfExp) and isinstance(node.body, ast.Constant) and isinstance(node.orelse, ast.Constant):
        return [str(node.body.value), str(node.orelse.value)]
    return None


def _named(node: ast.expr, taken: dict[str, str]) -> str:
    """A name for a value, from how it is written: `best.name` is name, `len(members)` members, `shown(photo.path)` path."""
    written = ast.unparse(node)
    words = [word for word in re.findall(r"[A-Za-z_]{2,}", re.sub(r"(['\"]).*?\1", "", written)) if word not in _NO_NAMES]
    name = words[-1].strip("_") if words else "value"
    while taken.setdefault(name, written) != written:
        name += "_"
    return name


_NO_NAMES = {
    "len",
    "if",
    "else",
    "or",
    "and",
    "not",
    "in",
    "for",
    "self",
    "str",
    "int",
    "value",
    "None",
    "max",
    "min",
    "round",
    "join",
}


def _without_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]


def _texts(said: object) -> Text:
    return (said,) if isinstance(said, str) else tuple(text for text in said if isinstance(text, str))  # type: ignore[attr-defined]


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE.parent).as_posix()


def extracted() -> Catalog:
    """Every text there is, each with the files that say it; without line numbers, so that only texts change a catalogue."""
    found = Catalog(fuzzy=False)
    for file, _, context, said in itertools.chain(
        of_templates(), of_scripts(), of_web(), of_settings(), of_plugins(), of_other_rooms()
    ):
        if not said:
            continue
        found.add(said[0] if len(said) == 1 else said[:2], locations=[(file, 0)], context=context)
    return found


def catalogue(tag: str) -> Catalog:
    """What is translated so far."""
    with (LOCALE / tag / "LC_MESSAGES" / "precious.po").open("rb") as file:
        return read_po(file, locale=tag)


def written(tag: str) -> tuple[bytes, bytes]:
    """The catalogue of a language as it should be now: (text for translators, compiled)."""
    made = catalogue(tag)
    made.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    made.obsolete.clear()
    made.header_comment = (
        f"# The page in {made.locale_identifier}. Of this file, only the lines after msgstr are written by hand."
    )
    made.creation_date = made.revision_date = DATE
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, made, width=130, include_lineno=False, sort_by_file=True)
    write_mo(compiled, made)
    header, texts = text.getvalue().split(b"\n\n", 1)
    return re.sub(rb'\n"(%s).*' % NO_HEADERS, b"", header) + b"\n\n" + texts, compiled.getvalue()


def main() -> None:
    for folder in sorted(LOCALE.iterdir()):
        text, compiled = written(folder.name)
        files = folder / "LC_MESSAGES"
        (files / "precious.po").write_bytes(text)
        (files / "precious.mo").write_bytes(compiled)
        missing = [message.id for message in catalogue(folder.name) if message.id and not message.string]
        sys.stdout.write(f"{folder.name}: {len(missing)} texts without a translation\n")


if __name__ == "__main__":
    main()
