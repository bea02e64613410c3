"""The night's curves as SVG, in the colours of the page by day and by night.

Text stays text, and colours are plain attributes: no style sheet, no script, nothing that a strict page would refuse.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from precious_daemon.words.papers import PLOTS, THEMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 3.4)  # inches of 72 pixels
COLOURS = {  # as in the page's style sheet
    "light": {"ink": "#1c1a17", "soft": "#625c52", "line": "#dcd8d0", "accent": "#8a5200"},
    "dark": {"ink": "#f3efe8", "soft": "#b0a99c", "line": "#37332d", "accent": "#f2b656"},
}
MOST_DATES = 6  # on an axis
SVG = "http://www.w3.org/2000/svg"

Draw = Callable[["Axes", Mapping[str, str]], None]


def draw_all(report: Mapping[str, Any], nights: Sequence[Mapping[str, Any]], cache: Path) -> dict[tuple[str, str], bytes]:
    """SVG by (one of PLOTS, one of THEMES); a plot of which nothing is known is left out.

    nights: the nights before and this one, oldest first, each {at, average_precision, interval or None}. What matplotlib
    remembers of the fonts goes below `cache`, because the service may not write elsewhere.
    """
    os.environ["MPLCONFIGDIR"] = str(cache)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it looks for fonts is no complaint
    drawn = dict(_known(report, nights))
    return {(name, theme): _svg(drawn[name], COLOURS[theme]) for name in PLOTS if name in drawn for theme in THEMES}


def _known(report: Mapping[str, Any], nights: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Draw]]:
    test = (report["learners"].get(report["champion"]) or {}).get("test")
    if report["pr_curve"] and test:
        yield "precision-recall", lambda axes, colours: _precision_recall(axes, colours, report["pr_curve"], test)
    if report["reliability"]:
        yield "reliability", lambda axes, colours: _reliability(axes, colours, report["reliability"])
    known = [night for night in nights if night["average_precision"] is not None]
    if known:
        yield "history", lambda axes, colours: _history(axes, colours, known)


def _precision_recall(axes: Axes, colours: Mapping[str, str], points: Sequence[Sequence[float]], test: Mapping[str, Any]) -> None:
    """A step per answer, where guessing would lie, and a dot where the figures of the report were taken."""
    recall, precision = [0.0, *(p[0] for p in reversed(points))], [points[-1][1], *(p[1] for p in reversed(points))]
    deleted = sum(test["confusion"][1])
    axes.axhline(deleted / test["n"], color=colours["soft"], linestyle="--", linewidth=1)
    axes.step(recall, precision, where="pre", color=colours["accent"], linewidth=2)
    axes.plot([test["recall"]], [test["precision"]], "o", color=colours["accent"], markersize=7)
    axes.set(xlabel="share of your deletions that it finds", ylabel="right when it says delete", xlim=(0, 1.02), ylim=(0, 1.04))
    _percents(axes.xaxis, axes.yaxis)


def _reliability(axes: Axes, colours: Mapping[str, str], bins: Sequence[Mapping[str, float]]) -> None:
    """Share kept over the chance said, each dot with its number of answers; on the dashed line it means what it says."""
    said, was = [b["predicted"] for b in bins], [b["observed"] for b in bins]
    axes.plot([0, 1], [0, 1], color=colours["soft"], linestyle="--", linewidth=1)
    axes.plot(said, was, "o-", color=colours["accent"], linewidth=2, markersize=6)
    for b in bins:
        high = b["observed"] > 0.9
        axes.annotate(
            f"{b['count']:.0f}", (b["predicted"], b["observed"]), (0, -14 if high else 8), textcoords="offset points",
            ha="center", color=colours["ink"], fontsize=9,
        )  # fmt: skip
    axes.set(xlabel="chance of keep that it said", ylabel="share that you kept", xlim=(-0.02, 1.02), ylim=(-0.02, 1.06))
    _percents(axes.xaxis, axes.yaxis)


def _history(axes: Axes, colours: Mapping[str, str], nights: Sequence[Mapping[str, Any]]) -> None:
    """Average precision night by night, with the range in which it lies with 95 %."""
    places = range(len(nights))
    axes.plot(places, [night["average_precision"] for night in nights], "o-", color=colours["accent"], linewidth=2, markersize=5)
    for place, night in zip(places, nights, strict=True):
        if night["interval"]:
            axes.vlines(place, *night["interval"], color=colours["soft"], linewidth=1)
    shown = places[:: -(-len(nights) // MOST_DATES)]
    axes.set_xticks(list(shown), [f"{datetime.fromtimestamp(nights[place]['at'], UTC):%d %b}" for place in shown])
    axes.set(xlabel="night", ylabel="average precision", xlim=(-0.5, len(nights) - 0.5), ylim=(0, 1.04))


def _percents(*axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _svg(draw: Draw, colours: Mapping[str, str]) -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": "precious-daemon", "font.size": 10, "text.color": colours["ink"],
        "axes.labelcolor": colours["soft"], "axes.edgecolor": colours["line"], "xtick.color": colours["soft"],
        "ytick.color": colours["soft"], "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": colours["line"], "grid.linewidth": 0.6, "axes.axisbelow": True,
    }  # fmt: skip
    out = io.BytesIO()
    with rc_context(settings):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot(), colours)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return plain(out.getvalue())


def plain(svg: bytes) -> bytes:
    """The same drawing without style sheets, style attributes and metadata: what they say becomes attributes."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}style", f"{{{SVG}}}metadata"):
                parent.remove(child)
        for name, value in _declared(parent.attrib.pop("style", "")):
            parent.set(name, value)
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt", "font-family": "system-ui, sans-serif"}
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def _declared(style: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, (part.strip() for part in style.split(";"))):
        name, value = (word.strip() for word in part.split(":", 1))
        if name == "font":  # no attribute is called so; "10px 'DejaVu Sans', sans-serif"
            yield "font-size", next(word for word in value.split() if word.endswith("px"))
        elif name != "font-family":
            yield name, value
