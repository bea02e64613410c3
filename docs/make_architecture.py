"""Draws docs/architecture.svg, and lists the rooms for docs/architecture.md: from the import contracts and the code itself.

python docs/make_architecture.py      (from the top of a checkout)
"""

from __future__ import annotations

import ast
import re
import tomllib
from html import escape
from pathlib import Path

TOP = Path(__file__).parent.parent
PICTURE = Path(__file__).with_name("architecture.svg")
WIDTH, ROW, GAP, LETTER = 1000, 24, 6, 7.0  # px; of a box's text, what a letter takes
STYLE = """
  text { font: 12px ui-monospace, monospace; fill: #222; }
  .note { font: 13px system-ui, sans-serif; fill: #555; }
  rect { rx: 4px; stroke-width: 1; }
  .service { fill: #e3eefc; stroke: #5b8bd0; }
  .arrays { fill: #fdebd3; stroke: #d1913c; }
  .both { fill: #eee; stroke: #999; }
  path { stroke: #999; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee; }
    .note { fill: #bbb; }
    .service { fill: #1d3557; stroke: #6fa3ea; }
    .arrays { fill: #4d3614; stroke: #dca35a; }
    .both { fill: #3a3a3a; stroke: #999; }
  }
"""
KINDS = {
    "service": "the service: one process, no numpy, no Pillow, no torch",
    "arrays": "programs and rooms on arrays: in processes that start, work and end",
    "both": "both",
}


def layers() -> list[list[str]]:
    """Rooms by layer, the outermost first, as the first import contract has them."""
    return [_rooms(line) for line in _contracts()[0]["layers"]]


def kinds() -> dict[str, str]:
    """Which side of the second contract a room is on; those that it does not name serve both."""
    *arrays, service = _contracts()[1]["layers"]
    return {room: "arrays" for line in arrays for room in _rooms(line)} | dict.fromkeys(_rooms(service), "service")


def _contracts() -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return found


def _rooms(line: str) -> list[str]:
    return re.findall(r"\w+", line)


def first_line(room: str) -> str:
    """What a room says of itself."""
    place = TOP / "precious_daemon" / room
    text = (place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8")
    sentence = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    return " ".join(sentence.split())


def table() -> str:
    """A row for each room, outermost first."""
    rows = [f"| `{room}` | {first_line(room)} |" for layer in layers() for room in sorted(layer)]
    return "\n".join(["| room | what it does |", "| --- | --- |", *rows])


def picture() -> str:
    side, y, parts = kinds(), 64, list[str]()
    for layer in layers():
        x = 20.0
        for room in layer:
            width = len(room) * LETTER + 14
            if x + width > WIDTH - 20:
                x, y = 20.0, y + ROW + 2
            parts.append(f'<rect class="{side.get(room, "both")}" x="{x:g}" y="{y}" width="{width:g}" height="{ROW}"/>')
            parts.append(f'<text x="{x + 7:g}" y="{y + 16}">{escape(room)}</text>')
            x += width + GAP
        y += ROW + 10
        parts.append(f'<path d="M20 {y - 5}H{WIDTH - 20}" stroke-dasharray="1 5"/>')
    legend = []
    for number, (kind, says) in enumerate(KINDS.items()):
        x = 20 + sum(len(text) * 6.4 + 40 for text in list(KINDS.values())[:number])
        legend.append(f'<rect class="{kind}" x="{x:g}" y="14" width="14" height="14"/>')
        legend.append(f'<text class="note" x="{x + 20:g}" y="26">{says}</text>')
    legend.append(
        '<text class="note" x="20" y="50">A room imports only from rooms further down: from above the dots to below.</text>'
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" role="img">'
    title = "<title>The rooms of precious-daemon, and which may import which</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *legend, *parts[:-1], "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
