"""The learn task from its folder to its results."""

from __future__ import annotations

import hashlib
import itertools
import re
import signal
import time
from contextvars import copy_context
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import average_precision_score

from precious_daemon.learn import __main__ as child
from precious_daemon.learn import paper
from precious_daemon.learn.limits import Deadline, Refused
from precious_daemon.learn.night import learn
from precious_daemon.models import Vote
from precious_daemon.words import papers
from precious_daemon.work import jobfolder
from tests.conftest import until
from tests.learn.library import TEST, TRAIN, Library, labels_of, start


def run(folder: Path) -> dict[int, tuple[float, float]]:
    """Learn in this process; {photo: (keep, taste)}."""
    job = jobfolder.read_json(folder, "job.json")
    learn(folder, job, Deadline(job["seconds"], time.monotonic()))
    return {score.photo_id: (score.keep, score.taste) for score in jobfolder.read_scores(folder)}


def test_every_photo_is_scored_and_junk_comes_last(learnt: Path, embedded: Library) -> None:
    scores = list(jobfolder.read_scores(learnt))
    assert [s.photo_id for s in scores] == list(range(1, 37))
    assert all(0 <= s.keep <= 1 for s in scores)
    unseen = [s for s in scores if s.photo_id not in TRAIN]
    junk = [embedded.junk(s.photo_id) for s in unseen]
    assert average_precision_score(junk, [-s.keep for s in unseen]) > 0.9
    assert average_precision_score(junk, [-s.taste for s in unseen]) > 0.9


def test_report_tells_of_every_learner_and_of_the_conditions(learnt: Path) -> None:
    report = jobfolder.read_json(learnt, "report.json")
    assert report["learners"].keys() == {"regression", "label_spreading", "fixmatch", "mean_rank"}
    assert report["champion"] in report["learners"]
    assert report["why"].endswith(".")
    for learner in report["learners"].values():
        assert 0 <= learner["cv_ap"] <= 1
        assert sum(map(sum, learner["test"]["confusion"])) == learner["test"]["n"] == len(TEST)
    assert (report["labels"]["train"], report["labels"]["test"], report["labels"]["audit"]) == (16, 12, 0)
    assert report["cost"]["peak_rss_mb"] > 100
    assert report["conditions"]["backbone"] == "efficientnet-lite2-260"
    assert sum(b["count"] for b in report["reliability"]) == len(TEST)


def test_model_and_evidence_are_there(learnt: Path) -> None:
    assert {"space.axes", "calibration"} <= load_file(learnt / "model.safetensors").keys()
    evidence = jobfolder.read_json(learnt, "evidence.json")
    assert evidence.keys() == {str(n) for n in range(1, 37)}
    assert set(evidence["36"]["deleted"]) <= {3, 6, 9, 12, 15}
    assert not list(learnt.glob("*.part"))


def test_plots_page_and_card_are_there_and_need_nothing_else(learnt: Path) -> None:
    assert papers.collect(learnt).keys() == papers.FILES.keys()
    for plot, theme in itertools.product(papers.PLOTS, papers.THEMES):
        drawn = list(ElementTree.parse(learnt / papers.plot_file(plot, theme)).iter())
        assert not {"script", "style", "foreignObject"} & {element.tag.partition("}")[2] for element in drawn}
        assert not [name for element in drawn for name in element.attrib if name == "style" or name.startswith("on")]
        assert [element.text for element in drawn if element.tag.endswith("}text")], "text stays text"
    page = (learnt / papers.PAGE).read_text()
    assert page.count("data:image/svg+xml;base64,") == 6
    assert not re.search(r"<script|<link|https?:", page)
    report = jobfolder.read_json(learnt, "report.json")
    assert report["examples"], "some are likely to go"
    for one in report["examples"]:
        assert one["photo_id"] not in (*TRAIN, *TEST)
        assert one["keep"] < 0.5
        for photo in (one["photo_id"], *one["deleted"], *one["kept"]):
            assert f'alt="{photo}.jpg"' in page
    assert [m["path"] for m in report["mistakes"]] == [f"{m['photo_id']}.jpg" for m in report["mistakes"]]
    assert 0 < len(re.findall(r"data:image/jpeg;base64,[^\"]+", page)) < 120
    assert len(page) < 1_000_000
    assert bool(re.search(r"\d Wh", page)) == ("energy_wh" in report["cost"]), "where it cannot be read nothing is said"
    card = (learnt / papers.CARD).read_text()
    assert hashlib.sha256((learnt / "model.safetensors").read_bytes()).hexdigest() in card
    assert papers.CERTIFICATE in page
    assert papers.CERTIFICATE in card


def test_page_of_a_night_is_in_the_owners_language_and_the_card_in_english(
    learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {(plot, theme): b"<svg/>" for plot in papers.PLOTS for theme in papers.THEMES}
    monkeypatch.setattr(paper, "draw_all", lambda *_: drawn)  # drawing takes seconds
    job = {"at": 1.8e9, "voter": "Anna", "language": "zh-CN", "cache_db": str(tmp_path / "cache.db")}
    copy_context().run(paper.write, tmp_path, job, jobfolder.read_json(learnt, "report.json"), {})
    page = (tmp_path / papers.PAGE).read_text("utf-8")
    assert '<html lang="zh-CN">' in page
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert re.findall(r"[A-Za-z]{2,}[ ,.]+[a-z]{2,}[ ,.]+[a-z]{2,}", text) == [], "all of it is told"
    assert "## Figures" in (tmp_path / papers.CARD).read_text("utf-8")


def test_audits_never_touch_a_score_and_a_seed_gives_the_same_scores(learnt: Path, embedded: Library) -> None:
    audits = embedded.label(range(29, 37), "audit", wrong=True)
    folder = embedded.learn_job("audited", labels_of(embedded) + audits)
    run(folder)
    assert (folder / "scores.bin").read_bytes() == (learnt / "scores.bin").read_bytes()
    assert jobfolder.read_json(folder, "report.json")["labels"]["audit"] == 8


def test_votes_lift_the_taste_of_winners_and_leave_the_chances_alone(learnt: Path, embedded: Library) -> None:
    before = {s.photo_id: s for s in jobfolder.read_scores(learnt)}
    winners, losers = (1, 4, 7, 10, 13), (2, 5, 8, 11, 14)
    votes = [Vote(w, loser, False) for w in winners for loser in losers] + [Vote(2, 1, True)]
    # time for no more than the learners without views: fast, and enough for taste
    after = run(embedded.learn_job("voted", labels_of(embedded), votes, seconds=1))
    margin = [after[w][1] - after[x][1] - (before[w].taste - before[x].taste) for w in winners for x in losers]
    assert np.mean(margin) > 0.5


def test_without_time_for_views_the_simple_learners_do(embedded: Library) -> None:
    folder = embedded.learn_job("hurried", labels_of(embedded))
    learn(folder, jobfolder.read_json(folder, "job.json"), Deadline(1.0, time.monotonic()))
    report = jobfolder.read_json(folder, "report.json")
    assert report["learners"].keys() == {"regression", "label_spreading"}
    assert report["conditions"]["photos_with_views"] == 0
    assert len(list(jobfolder.read_scores(folder))) == 36


@pytest.mark.usefixtures("few_steps")
def test_larger_libraries_are_placed_by_their_neighbours(embedded: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("precious_daemon.learn.night.NODES", 20)
    scores = run(embedded.learn_job("large", embedded.label(range(1, 13), "train")))
    assert len(scores) == 36
    junk = [embedded.junk(n) for n in scores]
    assert average_precision_score(junk, [-keep for keep, _ in scores.values()]) > 0.8


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((1, 2, 4, 5), 'None of your 4 answers say "delete"'),
        ((3, 6, 1), '1 of your 3 answers says "keep"'),
        ((), "None of your 0"),
    ],
)
def test_too_few_answers_are_refused_in_a_sentence(embedded: Library, numbers: tuple[int, ...], sentence: str) -> None:
    name = "few" + "-".join(map(str, numbers))
    folder = embedded.learn_job(name, embedded.label(numbers, "train") + embedded.label((9, 12, 7, 8), "audit"))
    job = jobfolder.read_json(folder, "job.json")
    assert child._run(folder, job, time.monotonic()) == child.REFUSED
    assert jobfolder.read_json(folder, "report.json")["error"].startswith(sentence)
    assert {p.name for p in folder.iterdir()} == {"job.json", "photos.csv", "labels.csv", "votes.csv", "report.json"}


def test_before_anything_is_embedded_the_sentence_says_so(library: Library) -> None:
    folder = library.learn_job("early", library.label(range(1, 9), "train"))
    with pytest.raises(Refused, match="No photo has been looked at yet"):
        run(folder)


def test_more_memory_than_allowed_is_refused(embedded: Library) -> None:
    folder = embedded.learn_job("poor", labels_of(embedded))
    job = jobfolder.read_json(folder, "job.json") | {"memory_megabytes": 1}
    with pytest.raises(Refused, match=r"learn\.memory_megabytes"):
        learn(folder, job, Deadline(None, time.monotonic()))


def test_sigterm_while_learning_leaves_no_half_result(embedded: Library) -> None:
    folder = embedded.learn_job("stopped", labels_of(embedded))
    process = start(folder)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "reading photos" in line
        process.send_signal(signal.SIGTERM)
        until(lambda: process.poll() is not None, 10, "it did not end")
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == jobfolder.STOPPED
    assert {p.name for p in folder.iterdir()} == {"job.json", "photos.csv", "labels.csv", "votes.csv"}
