"""The report: a page that needs nothing and trusts nothing, and the same for scripts."""

from __future__ import annotations

import csv
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.config import Places, parse
from precious_daemon.errors import ConfigError
from precious_daemon.plugins import Plugins, report
from tests.plugins.conftest import delivered, output, suggestion, thumbnail

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\u202egpj.exe\udcff\n.jpg'


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_run_leaves_a_file_of_each_kind_and_links_to_the_newest(tmp_path: Path) -> None:
    for run in ("night-1", "night-2"):
        report.deliver(run, [suggestion()], output(tmp_path, report))
    runs = {f"report-night-{n}.{kind}" for n in (1, 2) for kind in report.KINDS}
    assert {path.name for path in tmp_path.iterdir()} == runs | {f"latest.{kind}" for kind in report.KINDS}
    assert os.readlink(tmp_path / "latest.html") == "report-night-2.html"


def test_the_page_shows_each_photo_with_its_picture_reasons_and_chance(tmp_path: Path) -> None:
    given = [
        suggestion("a.jpg", 0.031, reasons=("blurred", "looks like 7 photos you deleted"), certified=True),
        suggestion("b.jpg", None, kind="copy", keeper=Path("/photos/2024/03/a.jpg")),
    ]
    report.deliver("n", given, output(tmp_path, report))
    page = Page(tmp_path / "latest.html")
    assert [name for tag, name in page.tags if tag == "img"] == [
        {"src": "data:image/jpeg;base64,/9ggYSB0aHVtYm5haWwg/9k=", "alt": "", "decoding": "async"}
    ] * 2
    for words in (
        "2 photos you might throw away, 2.5 MB", "a.jpg", "looks like 7 photos you deleted", "chance that you keep it: 3 %",
        "Stays: /photos/2024/03/a.jpg", "2024-03-02 09:00 · 1.2 MB · Canon EOS R6", "2024/03", "Not certified",
    ):  # fmt: skip
        assert words in page.text
    assert page.text.index("b.jpg") > page.text.index("looks like")


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = suggestion(HOSTILE, reasons=(HOSTILE,), keeper=HOSTILE, folder=HOSTILE, camera=HOSTILE)
    report.deliver("n", [hostile], output(tmp_path, report))
    page = Page(tmp_path / "latest.html")
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert tags.count("img") == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") == 5
    assert not any(c in page.text for c in "\u202e\udcff")


def test_the_page_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    report.deliver("n", [suggestion()], output(tmp_path, report))
    page = Page(tmp_path / "latest.html")
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    links = [value for _, a in page.tags for name, value in a.items() if name in ("src", "href", "srcset", "action")]
    assert all(link and link.startswith("data:") for link in links)
    assert "url(" not in (tmp_path / "latest.html").read_text("utf-8")


def test_a_night_without_suggestions_says_so(tmp_path: Path) -> None:
    report.deliver("n", [], output(tmp_path, report))
    assert "Nothing to throw away" in Page(tmp_path / "latest.html").text
    assert json.loads((tmp_path / "latest.json").read_text())["suggestions"] == []


def test_a_photo_without_a_thumbnail_or_a_believable_date_is_shown_all_the_same(tmp_path: Path) -> None:
    report.deliver("n", [suggestion("a.jpg", taken_at=1e18, camera=None)], output(tmp_path, report, lambda uid: None))
    page = Page(tmp_path / "latest.html")
    assert "no picture" in page.text
    assert "1.2 MB" in page.text


def test_only_the_first_photos_of_a_long_list_have_pictures(tmp_path: Path) -> None:
    asked = []

    def watched(uid: str) -> bytes | None:
        asked.append(uid)
        return thumbnail(uid)

    report.deliver("n", [suggestion(f"{n}.jpg") for n in range(5)], output(tmp_path, report, watched, pictures=3))
    page = Page(tmp_path / "latest.html")
    assert len(asked) == [tag for tag, _ in page.tags].count("img") == 3
    assert "4.jpg" in page.text


def test_json_and_csv_hold_every_fact_and_exact_paths(tmp_path: Path) -> None:
    given = [suggestion("=1+1.jpg", 0.25, reasons=("a, b", "c")), suggestion("\udcff.jpg", None)]
    report.deliver("night", given, output(tmp_path, report))
    whole = json.loads((tmp_path / "latest.json").read_text("utf-8"))
    assert (whole["run"], whole["count"]) == ("night", 2)
    first, second = whole["suggestions"]
    assert (first["path"], first["reasons"], first["keep"]) == ("/photos/2024/03/=1+1.jpg", ["a, b", "c"], 0.25)
    assert os.fsencode(second["path"]) == b"/photos/2024/03/\xff.jpg"
    with open(tmp_path / "latest.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["name"], rows[0]["path"], rows[0]["reasons"]) == ("'=1+1.jpg", "/photos/2024/03/=1+1.jpg", "a, b; c")
    assert rows[1]["path"] == "/photos/2024/03/\udcff.jpg"
    assert set(rows[0]) == set(first)


def test_the_newest_thirty_runs_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.html").write_text("mine")
    for number in range(35):
        report.deliver(f"night-{number}", [], output(tmp_path, report, keep=30))
        for path in tmp_path.glob(f"report-night-{number}.*"):
            os.utime(path, (number, number))
    report.deliver("night-last", [], output(tmp_path, report))
    assert len(list(tmp_path.glob("report-*.html"))) == len(list(tmp_path.glob("report-*.csv"))) == 30
    assert not (tmp_path / "report-night-5.html").exists()
    assert (tmp_path / "report-night-6.json").exists()
    assert (tmp_path / "notes.html").read_text() == "mine"
    assert (tmp_path / "latest.html").exists()


def test_a_run_cannot_write_outside_of_its_folder(tmp_path: Path) -> None:
    report.deliver("../../evil", [], output(tmp_path / "own", report))
    assert (tmp_path / "own" / "report-..-..-evil.html").exists()


def test_a_failed_run_leaves_the_report_of_the_night_before(tmp_path: Path) -> None:
    report.deliver("1", [suggestion("a.jpg")], output(tmp_path, report))

    def broken(uid: str) -> bytes | None:
        raise OSError("the cache is gone")

    with pytest.raises(OSError, match="the cache is gone"):
        report.deliver("2", [suggestion("b.jpg")], output(tmp_path, report, broken))
    assert "a.jpg" in Page(tmp_path / "latest.html").text
    assert not list(tmp_path.glob("report-2.html"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kep": 3}, "plugin.report.kep is not a setting; did you mean keep?"),
        ({"keep": "3"}, "keep has to be a whole number, not '3'"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_the_start(tmp_path: Path, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=r"plugin\.report") as raised:
        output(tmp_path, report, **settings)
    assert says in str(raised.value)


def test_page_is_in_the_language_of_the_settings(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they leave it to the browser, in that of this machine."""

    def title(**chosen: Any) -> str:
        plugins = Plugins.load(here, parse({"plugins": {"enabled": ["report"]}, **chosen}))
        given = [suggestion("a.jpg", reasons=("looks like 7 photos you deleted",))]
        assert delivered(plugins, "night", given) == {"report": None}
        page = (here.reports / "report/latest.html").read_text("utf-8")
        assert ("像你删过的 7 张照片" in page) is ('lang="zh-CN"' in page) is ("未认证" in page)
        found = re.search("<h1>(.*)</h1>", page)
        assert found
        return found[1]

    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    english, chinese = "1 photo you might throw away, 1.2 MB", "1 张你可能会删的照片，1.2 MB"
    assert title() == english
    assert title(web={"language": "zh-CN"}) == chinese
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert title() == chinese
    assert title(web={"language": "en"}) == english
