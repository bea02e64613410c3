"""The page in other languages: every text of it is there, and stays one with what the English says."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from docs import translate
from precious_daemon.models import Group, GroupKind, GroupMember, Photo, Suggestion
from precious_daemon.service import Service
from precious_daemon.store import groups, job_runs, ratings, scores
from precious_daemon.web import language, words
from tests.web.library import KEY, Browser, suggest
from tests.web.test_pages import PAGES

OTHERS = [folder.name for folder in sorted(translate.LOCALE.iterdir())]
TEMPLATES = sorted((translate.PACKAGE / "web" / "templates").glob("*.html"))


@pytest.fixture
def chinese() -> Iterator[None]:
    language.speak("zh-CN")
    yield
    language.speak("en")


# --- the catalogues ------------------------------------------------------------------------------------------------------


def test_there_is_a_catalogue_for_each_language_and_a_setting_to_choose_it() -> None:
    from precious_daemon.config import setting

    assert [tag.replace("-", "_") for tag in language.LANGUAGES if tag != "en"] == OTHERS
    assert setting("web.language")[1].metadata["choices"] == ("browser", *language.LANGUAGES)


@pytest.mark.parametrize("tag", OTHERS)
def test_a_catalogue_holds_the_texts_that_the_sources_have_now(tag: str) -> None:
    """`python docs/translate.py` brings it up to date."""
    text, compiled = translate.written(tag)
    folder = translate.LOCALE / tag / "LC_MESSAGES"
    assert (folder / "precious.po").read_bytes() == text
    assert catalog((folder / "precious.mo").read_bytes()) == catalog(compiled)


def catalog(compiled: bytes) -> dict[object, str]:
    found: dict[object, str] = vars(GNUTranslations(BytesIO(compiled)))["_catalog"]
    return {key: text for key, text in found.items() if key != ""}


@pytest.mark.parametrize("tag", OTHERS)
def test_every_text_is_translated_with_the_values_and_the_marks_of_the_english(tag: str) -> None:
    with (translate.LOCALE / tag / "LC_MESSAGES" / "precious.po").open("rb") as file:
        found = [message for message in read_po(file, locale=tag) if message.id]
    assert len(found) > 1000
    for message in found:
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert text.strip() or not ids[0].strip(), f"not translated: {ids}"
            assert not message.fuzzy, ids
            assert names(text) == names(ids[-1]), (ids, text)
            assert sorted(marks(text)) == sorted(marks(ids[-1])), (ids, text)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def marks(text: str) -> list[str]:
    return re.findall(r"<[^>]+>|&#\d+;", text)


# --- nothing is left unmarked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.stem)
def test_every_text_of_a_template_is_marked(template: Path) -> None:
    code = r"\{#.*?#\}|\{% block kind %\}.*?\{% endblock %\}|<(code|kbd|svg|pre)\b.*?</\1>"
    source = re.sub(code, "", template.read_text("utf-8"), flags=re.DOTALL)
    unmarked = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    texts = re.findall(r'\b(?:aria-label|placeholder|title|alt)="([^"]*)"', unmarked)
    texts.append(re.sub(r'<[^>]*>|[\w-]+="[^"]*"', " ", unmarked))
    found = set(re.findall(r"/home/you/Pictures|2024/Italy|[A-Za-z][a-z]{2,}", " ".join(texts)))
    assert found <= {"/home/you/Pictures", "2024/Italy", "Precious", "sigma"}
    inside = re.sub(r"\b_n?\((?:'(?:\\\\.|[^'])*'|\"[^\"]*\"|,\s*)+", "", " ".join(re.findall(r"\{\{.*?\}\}", source)))
    assert not [
        text for text in re.findall(r"'([^']*)'|\"([^\"]*)\"", inside) if re.fullmatch(r"[A-Z]\w* [a-z].*", "".join(text))
    ]
    assert not re.findall(r"\b_n?\([^\"']", source), "what varies is told, not marked: it would not be escaped"


def test_every_sentence_of_a_script_is_marked() -> None:
    for script in sorted((translate.PACKAGE / "web" / "static").glob("*.js")):
        source = re.sub(r"^\s*(//|/?\*).*$|(?<=[;{}]) //.*$", "", script.read_text("utf-8"), flags=re.MULTILINE)
        unmarked = re.sub(r'\b_n?\((?:"[^"]*"(?:,\s*)?)+', "", source)
        assert not re.findall(r'"[A-Z][a-z]+ [a-z][^"]*"', unmarked), script.name


# --- which language ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"), ("de", "en"), ("en-US,en;q=0.9", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("zh-TW,zh;q=0.9", "zh-CN"),
        ("fr,zh;q=0.3,en;q=0.2", "zh-CN"), ("en;q=0.2,zh;q=0.1", "en"), ("zh;q=x", "en"), (",,;q=1", "en"), ("*", "en"),
    ],
)  # fmt: skip
def test_a_browser_gets_the_best_of_the_languages_it_asks_for(accepted: str, tag: str) -> None:
    assert language.preferred(accepted) == tag


async def test_a_browser_that_asks_for_chinese_gets_it_until_it_is_switched(browser: Browser) -> None:
    asked = {"Accept_Language": "zh-CN"}
    text = await (await browser.get("/help", **asked)).text()
    assert '<html lang="zh-CN">' in text
    assert "绝不自行删除" in text
    assert (await (await browser.get("/photo/none", **asked)).text()).count("此图库中没有这张照片。") == 1
    assert (await (await browser.post("/api/undo", **asked)).json())["error"] == "没有可撤回的回答。"

    response = await browser.submit("/api/language", {"language": "en", "back": "/help"}, **asked)
    assert (response.status, response.headers["Location"]) == (303, "/help")
    assert '<html lang="en">' in await (await browser.get("/help", **asked)).text()


async def test_a_page_of_another_site_is_no_place_to_go_back_to(browser: Browser) -> None:
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "help"):
        assert (await browser.submit("/api/language", {"language": "en", "back": back})).headers["Location"] == "/"
    assert (await browser.post("/api/language", {"language": "xx"})).status == 400


async def test_the_setting_speaks_to_browsers_and_not_to_the_command_line(service: Service, browser: Browser) -> None:
    assert (await browser.post("/api/settings", {"web.language": "zh-CN"})).status == 200
    assert '<html lang="zh-CN">' in await (await browser.get("/help")).text()
    with_key = {"Authorization": f"Bearer {KEY}"}
    async with browser.session.post(browser.base + "/api/undo", json={}, headers=with_key) as response:
        assert (await response.json())["error"] == "There is no answer to take back."


def test_english_loads_no_catalogue() -> None:
    code = """if True:
        import sys
        from precious_daemon.web import language, render
        render.environment().get_template("help.html")
        assert language._("Home") == language.told("Home") == "Home"
        assert "precious_daemon.words.catalogue" not in sys.modules
        language.speak("zh-CN")
        assert language._("Home") == "首页"
    """
    subprocess.run([sys.executable, "-c", code], check=True)


# --- sentences of other rooms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("looks like 7 photos you deleted", "像你删过的 7 张照片"),
        (
            "smaller copy (10 x 8) of a.jpg (20 x 16), sent by a messenger?",
            "较小的副本（10 x 8），原图为 a.jpg（20 x 16），可能由聊天软件发送",
        ),
        ("an exact copy of /p/very dark/blurred", "/p/very dark/blurred 的完全副本"),
        ("a.jpg and its companion is not in the trash.", "a.jpg 及其关联文件 不在回收站。"),
        ("the last photo of 3 March 2024", "2024年3月3日的最后一张照片"),
        ("frame 1 of 5, you prefer IMG_1.jpg", "5 张中的第 1 张，你更喜欢 IMG_1.jpg"),
        ("the whole of what was cropped, made of IMG_1.jpg", "裁剪前的全图，由 IMG_1.jpg 制作"),
        ("offline", "离线"),
        (
            "Only 21 suggestions rest on the model alone: too few to certify, look at each of them.",
            "只有 21 条建议仅凭模型提出：太少，无法认证，请逐一查看。",
        ),
        (
            "Exact copies: Not certified yet: 27 more answers are needed if none is a mistake. "
            "One mistake first would make it 28.",
            "完全副本：尚未认证：如果没有失误，还需 27 条回答。若先有一次失误，则需 28 条。",
        ),
        (
            "group: 1005 photos: 0 new ones put into the clusters there were; 117 bursts and groups of copies",
            "归组：1005 张照片：0 张新照片归入已有聚类；117 组连拍和副本",
        ),
        ("IMG_1.jpg", "IMG_1.jpg"),
        ("an exact copy of 北京， 上海 天津/very dark; blurred.jpg", "北京， 上海 天津/very dark; blurred.jpg 的完全副本"),
        ("scan: 12 new, 3 back · learn: there is no such thing", "扫描：新增 12，恢复 3 · 学习：there is no such thing"),
        ("a sentence that nobody ever wrote", "a sentence that nobody ever wrote"),
        ("", ""),
    ],
)
def test_a_finished_sentence_is_known_by_its_pattern(chinese: None, sentence: str, told: str) -> None:
    assert language.told(sentence) == told


def test_no_name_keeps_the_page_waiting(chinese: None) -> None:
    name = ") of  ( x " * 25 + ".jpg"
    began = time.perf_counter()
    assert "x" in language.told(f"smaller copy (1 x 1) of {name} (2 x 2), sent by a messenger!")
    assert time.perf_counter() - began < 2


def test_numbers_and_times_read_as_they_do_in_chinese(chinese: None) -> None:
    at = 1_709_474_700.0  # 3 March 2024, 14:05 UTC
    assert words.taken(at) == "2024年3月3日 14:05"
    assert (words.month(at), words.month(None)) == ("2024年3月", "无日期")
    months = [words.month(datetime(2024, number, 1, tzinfo=UTC).timestamp()) for number in range(1, 13)]
    assert months == [f"2024年{number}月" for number in range(1, 13)]
    assert words.ago(at - 3 * 3600, at) == "3 小时前"
    assert words.ago(at + 600, at) == "10 分钟后"
    assert (words.photos(1), words.photos(12400)) == ("1 张照片", "12,400 张照片")
    assert words.listed("abc") == "a，b和c"


# --- every page in Chinese -----------------------------------------------------------------------------------------------------


ENGLISH = re.compile(r"(?<![\w/.-])[A-Za-z][a-z']+(?:,? [A-Za-z][a-z']*){3,}")
"""Four words of English in a row."""


def english(page: str) -> list[str]:
    """What is left of English on a page, but for code, keys, and names in their own marks."""
    page = re.sub(r"<(script|code|kbd|pre|bdi|textarea|title)\b.*?</\1>", "", page, flags=re.DOTALL)
    spoken = re.findall(r'\b(?:aria-label|placeholder|title|alt|data-reason)="([^"]*)"', page)
    return ENGLISH.findall(html.unescape("\n".join([*spoken, re.sub(r"<[^>]*>", "\n", page)])))


@pytest.fixture
def lived_in(service: Service, library: list[Photo]) -> list[Photo]:
    """A library in which something has happened everywhere."""
    now = service.clock()
    reasons = ("looks like 7 photos you deleted", "one of a burst of 3, IMG_0001.jpg is a little sharper", "very dark")
    suggest(service, *(Suggestion(photo.id, "taste", 0.1, False, reasons, library[-1].id) for photo in library[:3]))
    members = tuple(
        GroupMember(photo.id, n == 0, "sharper than the 5 others" if n == 0 else "") for n, photo in enumerate(library)
    )
    service.store.write(groups.replace_groups, [Group(GroupKind.BURST, members)])
    for n, photo in enumerate(library):
        service.store.write(ratings.put, 1, photo.id, ratings.Rating(20.0 + 3 * n, 3.0, 3, 1))
    report = {"champion": "fixmatch", "why": "Regression was used: there are too few answers to compare the learners."}
    service.store.write(scores.add_model, "r", 1, "fixmatch", report, now)
    sentence = "Not certified yet: 59 more answers are needed if none is a mistake. One mistake first would make it 93."
    service.store.write(scores.put_certificate, 1, None, sentence, 59, now)
    for name, outcome, detail in (
        ("scan", "done", "nothing new"),
        ("learn", "failed", "3 more answers to learn from are needed before training (42 of 45)."),
        ("embed", "stopped", "looked at 3 of 6 photos; the rest follows"),
    ):
        service.store.write(
            lambda db, n=name, o=outcome, d=detail: job_runs.finish(db, job_runs.start(db, n, "owner", now), o, d, None, now)
        )
    return library


MORE_PAGES = (
    "/map", "/blind", "/blind?kind=copy", "/people", "/plugins", "/tasks", "/groups/rule", "/suggestions/held", "/photos/apart",
    "/jobs/learn", "/login?token=x", "/nowhere",
)  # fmt: skip


async def test_no_page_in_chinese_holds_an_english_sentence(browser: Browser, lived_in: list[Photo]) -> None:
    one, other = lived_in[0].uid, lived_in[1].uid
    left = {}
    for path in (*PAGES, *MORE_PAGES, f"/photo/{one}", f"/facts?photo={one}&photo={other}"):
        page = await (await browser.get(path, Accept_Language="zh-CN")).text()
        assert '<html lang="zh-CN">' in page, path
        left[path] = english(page)
    assert {path: texts for path, texts in left.items() if texts} == {}


async def test_hostile_names_are_only_text_in_chinese_too(browser: Browser, service: Service, library: list[Photo]) -> None:
    reason = "an exact copy of <script>x</script>"
    suggest(service, Suggestion(library[0].id, "taste", 0.1, False, (reason, "one of a burst of 3, <i>.jpg is the best of them")))
    page = await (await browser.get("/suggestions", Accept_Language="zh-CN")).text()
    assert "&lt;script&gt;x&lt;/script&gt; 的完全副本" in page
    assert "<script>x" not in page
    assert "3 张连拍之一，&lt;i&gt;.jpg 是其中最好的" in page
