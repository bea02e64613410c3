"""Draws docs/architecture.svg, and lists the rooms for docs/architecture.md: from the import contracts and the code itself.

python docs/make_architecture.py      (from the top of a checkout)
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "precious_daemon"
PICTURE = Path(__file__).with_name("architecture.svg")
WIDTH, MARGIN, GAP = 1000, 20, 8  # px
TITLE, LINE, LETTER = 22, 15, 6.2  # px: of a house's name, of a line of its rooms, and what a letter takes
STYLE = """
  text { font: 12px ui-monospace, monospace; fill: #222; }
  .name { font-weight: bold; font-size: 13px; }
  .rooms { font-size: 10.3px; fill: #444; }
  .note { font: 13px system-ui, sans-serif; fill: #555; }
  rect { rx: 4px; stroke-width: 1; }
  .service { fill: #e3eefc; stroke: #5b8bd0; }
  .arrays { fill: #fdebd3; stroke: #d1913c; }
  .both { fill: #eee; stroke: #999; }
  path { stroke: #999; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee; }
    .rooms { fill: #ccc; }
    .note { fill: #bbb; }
    .service { fill: #1d3557; stroke: #6fa3ea; }
    .arrays { fill: #4d3614; stroke: #dca35a; }
    .both { fill: #3a3a3a; stroke: #999; }
  }
"""
KINDS = {
    "service": "the service: one process, no numpy, no Pillow, no torch",
    "arrays": "on arrays: in processes that start, work and end",
    "both": "both",
}


@dataclass(frozen=True)
class House:
    """A package and its rooms, or a room that stands alone."""

    name: str
    kind: str

    @property
    def rooms(self) -> list[str]:
        if not (PACKAGE / self.name).is_dir():
            return []
        found = [
            path.stem
            for path in (PACKAGE / self.name).iterdir()
            if (path.suffix == ".py" and not path.stem.startswith("__")) or (path / "__init__.py").exists()
        ]
        return sorted(found)

    def lines(self, width: float) -> list[str]:
        """Its rooms, in lines that are at most so many px wide."""
        found = [""]
        for room in self.rooms:
            longer = f"{found[-1]} {room}".strip()
            if found[-1] and len(longer) * LETTER > width - 14:
                found.append(room)
            else:
                found[-1] = longer
        return found if found[0] else []


def layers() -> list[list[House]]:
    """Houses by layer, the outermost first, as the first import contract has them."""
    arrays, service = (
        {name.removeprefix("precious_daemon.") for name in _contracts()[1][key]}
        for key in ("forbidden_modules", "source_modules")
    )

    def kind(name: str) -> str:
        return "arrays" if name in arrays else "service" if name in service else "both"

    return [[House(name, kind(name)) for name in re.findall(r"\w+", line)] for line in _contracts()[0]["layers"]]


def _contracts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return found


def first_line(room: str) -> str:
    """What a room, or a house, says of itself."""
    file = PACKAGE / f"{room}.py"
    text = (file if file.exists() else PACKAGE / room / "__init__.py").read_text("utf-8")
    sentence = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    return " ".join(sentence.split())


def table() -> str:
    """A row for each house, outermost first, and below it one for each of its rooms."""
    rows = ["| house, and its rooms | what it does |", "| --- | --- |"]
    for house in (house for layer in layers() for house in layer):
        rows.append(f"| **`{house.name}`** | **{first_line(house.name)}** |")
        rows += [f"| `{room}` | {first_line(f'{house.name}/{room}')} |" for room in house.rooms]
    return "\n".join(rows)


def picture() -> str:
    y, parts = 64.0, list[str]()
    for layer in layers():
        widths = _shared(layer, WIDTH - 2 * MARGIN)
        height = max(TITLE + LINE * len(house.lines(width)) + 4 for house, width in zip(layer, widths, strict=True))
        x = float(MARGIN)
        for house, width in zip(layer, widths, strict=True):
            parts.append(f'<rect class="{house.kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>')
            parts.append(f'<text class="name" x="{x + 7:g}" y="{y + 16:g}">{escape(house.name)}</text>')
            for number, line in enumerate(house.lines(width)):
                parts.append(f'<text class="rooms" x="{x + 7:g}" y="{y + TITLE + 10 + LINE * number:g}">{escape(line)}</text>')
            x += width + GAP
        y += height + 14
        parts.append(f'<path d="M{MARGIN} {y - 7:g}H{WIDTH - MARGIN}" stroke-dasharray="1 5"/>')
    legend = []
    starts = [float(MARGIN)]
    for says in KINDS.values():
        starts.append(starts[-1] + len(says) * 6.4 + 40)
    for (kind, says), (x, _) in zip(KINDS.items(), pairwise(starts), strict=True):
        legend.append(f'<rect class="{kind}" x="{x:g}" y="14" width="14" height="14"/>')
        legend.append(f'<text class="note" x="{x + 20:g}" y="26">{says}</text>')
    legend.append(
        f'<text class="note" x="{MARGIN}" y="50">A house imports only from those further down: above the dots to below.</text>'
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:g}" role="img">'
    title = "<title>The houses and rooms of precious-daemon, and which may import which</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *legend, *parts[:-1], "</svg>", ""])


def _shared(layer: list[House], width: float) -> list[float]:
    """How wide each house of a layer is: its name and its longest room fit in, and the rest goes by how much it has to say."""
    least = [max(len(house.name) * 8.2, *(len(room) * LETTER for room in ("", *house.rooms))) + 16 for house in layer]
    says = [sum(len(room) + 1 for room in house.rooms) for house in layer]
    left = width - GAP * (len(layer) - 1) - sum(least)
    return [each + left * (much / sum(says) if sum(says) else 1 / len(layer)) for each, much in zip(least, says, strict=True)]


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
