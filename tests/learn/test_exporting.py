"""A model in a file: the same scores from it, from ONNX, and from nothing but what it says it is."""

from __future__ import annotations

import io
import pickle
import shutil
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import average_precision_score

from precious_daemon.cli import cli
from precious_daemon.config import places
from precious_daemon.grouping.measures import MEASURES
from precious_daemon.learn import applying, exporting, head, night, photos
from precious_daemon.learn.backbone import NAME, Backbone, read_picture
from precious_daemon.learn.data import open_cache, raw_measures, read
from precious_daemon.learn.limits import Deadline, Refused
from precious_daemon.store import Store, scores
from precious_daemon.work import jobfolder
from tests.learn.library import Library, content_hash, picture, start, thumbnail


def taught(library: Library, name: str, champion: str, monkeypatch: pytest.MonkeyPatch, nodes: int = 8_000) -> Path:
    """A model of that learner, without the ones that take long."""
    monkeypatch.setattr(night, "confirm", lambda *_: (champion, "It was asked for."))
    monkeypatch.setattr(night, "NODES", nodes)
    folder = library.learn_job(name, library.label(range(1, 13), "train"), seconds=1)
    night.learn(folder, jobfolder.read_json(folder, "job.json"), Deadline(1.0, 0))
    return folder


def features(library: Library, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """What the night read of every photo, as a stranger would have to give it: features, and measures as they were taken."""
    task = read(folder, jobfolder.read_json(folder, "job.json"))
    spread = np.where(np.isfinite(task.space.spread), task.space.spread, 0)
    looks = dict(jobfolder.read_embeddings(library.places.jobs / "embed", 1280))
    seen = np.stack([np.frombuffer(looks[key.tobytes()], dtype="<f2").astype(np.float32) for key in task.hashes])
    return torch.from_numpy(seen), torch.from_numpy(task.examples.measures * spread + task.space.middle)


@pytest.mark.parametrize(("champion", "nodes"), [("regression", 8_000), ("regression", 20), ("label_spreading", 20)])
def test_a_file_scores_photos_as_the_night_did(
    champion: str, nodes: int, embedded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = taught(embedded, f"{champion}-{nodes}", champion, monkeypatch, nodes)
    with torch.inference_mode():
        keep, taste = head.load(folder / "model.safetensors", NAME)(*features(embedded, folder))
    found = {score.photo_id: (score.keep, score.taste) for score in jobfolder.read_scores(folder)}
    task = read(folder, jobfolder.read_json(folder, "job.json"))
    inside = set() if champion == "regression" else {int(task.ids[i]) for i in night.choose_nodes(task, 0)}
    outside = [place for place, photo in enumerate(task.ids) if int(photo) not in inside]
    assert len(outside) >= 12
    for place in outside:
        wanted = found[int(task.ids[place])]
        assert (float(keep[place]), float(taste[place])) == pytest.approx(wanted, abs=2e-3)


def test_a_model_that_was_brought_along_scores_every_photo(embedded: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    taught_here = taught(embedded, "origin", "regression", monkeypatch)
    folder = embedded.job("brought", "apply", run="20260101-020000", came_from="model.safetensors")
    shutil.copy(taught_here / "model.safetensors", folder)
    jobfolder.write_photos(folder, embedded.rows())
    applying.apply(folder, jobfolder.read_json(folder, "job.json"), Deadline(None, 0))
    ours = {score.photo_id: score for score in jobfolder.read_scores(taught_here)}
    found = list(jobfolder.read_scores(folder))
    assert [score.photo_id for score in found] == sorted(ours)
    for score in found:
        assert (score.keep, score.taste) == pytest.approx((ours[score.photo_id].keep, ours[score.photo_id].taste), abs=2e-3)
    report = jobfolder.read_json(folder, "report.json")
    assert report["why"].startswith("Regression, as model.safetensors has it: it was taught elsewhere.")


def test_numbers_of_plugins_are_named_in_the_file_and_may_be_unknown(embedded: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night, "confirm", lambda *_: ("regression", "It was asked for."))
    folder = embedded.learn_job("numbered", embedded.label(range(1, 13), "train"), seconds=1)
    jobfolder.write_numbers(folder, ((content_hash(n), {"faces.count": float(n % 3), "a.b": 1.0 + n}) for n in range(1, 37)))
    night.learn(folder, jobfolder.read_json(folder, "job.json"), Deadline(1.0, 0))
    assert head.load(folder / "model.safetensors", NAME).numbers == ["a.b", "faces.count"]
    brought = embedded.job("brought-numbered", "apply", run="20260101-020000", came_from="model.safetensors")
    shutil.copy(folder / "model.safetensors", brought)
    jobfolder.write_photos(brought, embedded.rows())
    applying.apply(brought, jobfolder.read_json(brought, "job.json"), Deadline(None, 0))
    assert all(0 <= score.keep <= 1 for score in jobfolder.read_scores(brought))
    note = exporting._note({"run": "r"}, head.load(folder / "model.safetensors", NAME), Backbone())
    assert "| 21 | faces.count | measured by a plugin of that name |" in note


@pytest.fixture(scope="session")
def exported(learnt: Path, embedded: Library) -> Path:
    """What a child makes of the model of a whole night."""
    folder = embedded.job("export", "export", run="20260101-020000")
    shutil.copy(learnt / "model.safetensors", folder)
    process = start(folder)
    _, err = process.communicate(timeout=250)
    assert (process.returncode, err) == (0, "")
    return folder


def pixels(jpeg: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)[None]


def session(file: Path) -> Callable[..., float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import onnxruntime

    runs = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def score(jpeg: bytes, measures: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None) -> float:
        unknown = np.full((1, MEASURES), np.nan, dtype=np.float32)
        found = runs.run(None, {"picture": pixels(jpeg), "measures": unknown if measures is None else measures})
        return float(found[0][0])

    return score


def test_onnxruntime_gives_our_scores_on_pictures_of_any_size(exported: Path, embedded: Library) -> None:
    model, network = head.load(exported / "model.safetensors", NAME), Backbone()
    classify, reward = session(exported / "classifier.onnx"), session(exported / "reward.onnx")
    unknown = torch.full((1, MEASURES), torch.nan)
    kept = []
    for number in range(17, 37):  # photos that taught nothing
        jpeg = thumbnail(picture(number, embedded.junk(number)))
        with torch.inference_mode():
            keep, taste = model(network(read_picture(jpeg)[None]), unknown)
        kept.append(classify(jpeg))
        assert kept[-1] == pytest.approx(float(keep), abs=0.06)  # resized by another program, which may be a rank apart
        assert reward(jpeg) == pytest.approx(float(taste), abs=0.5)
    assert average_precision_score([embedded.junk(n) for n in range(17, 37)], [-keep for keep in kept]) > 0.9
    large = Image.new("RGB", (1600, 300), "grey")
    assert 0 <= classify(thumbnail(large)) <= 1


def test_what_is_measured_of_a_photo_counts_in_the_export(exported: Path, embedded: Library) -> None:
    classify = session(exported / "classifier.onnx")
    jpeg = thumbnail(picture(31, False))
    _, raw = features(embedded, exported_job(embedded))
    assert classify(jpeg, raw[30:31].numpy()) != classify(jpeg, raw[35:36].numpy())


def exported_job(library: Library) -> Path:
    return library.places.jobs / "whole"


def test_the_note_names_every_measure_in_its_order(exported: Path) -> None:
    note = (exported / exporting.NOTE).read_text()
    assert len(exporting.MEASURE_NAMES) == MEASURES
    rows = [line for line in note.splitlines() if line.startswith("| ") and line.split("|")[1].strip().isdigit()]
    assert [row.split("|")[2].strip() for row in rows] == list(exporting.MEASURE_NAMES)
    assert all(len(row.split("|")[3].strip()) > 3 for row in rows)


def test_measures_are_in_the_order_of_the_note(embedded: Library) -> None:
    folder = embedded.learn_job("measures", embedded.label(range(1, 13), "train"))
    with closing(open_cache(str(embedded.places.cache_db))) as cache:
        raw = raw_measures(cache, photos.read(folder))
    known = dict(zip(exporting.MEASURE_NAMES, raw[2].tolist(), strict=True))  # photo 3
    assert (known["camera"], known["png"], known["frames"]) == (1, 0, 0)
    assert known["pixels"] == pytest.approx(np.log(12e6))
    assert known["sharpness"] == pytest.approx(0.203)
    assert known["aspect"] == 0.5


# --- files from elsewhere -------------------------------------------------------------------------------------------------


def test_a_file_that_can_run_programs_is_refused_unread(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (ran,)

    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pt")
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Evil()))
    for name in ("weights.pt", "model.safetensors"):
        with pytest.raises(Refused, match="only such are read"):
            head.load(tmp_path / name, NAME)
    assert not ran.exists()


@pytest.mark.parametrize("cut", [0, 5, 20, 4000])
def test_a_file_cut_short_is_refused(cut: int, learnt: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes((learnt / "model.safetensors").read_bytes()[:cut])
    with pytest.raises(Refused, match=r"no safetensors file|damaged"):
        head.load(tmp_path / "cut.safetensors", NAME)


def test_numbers_that_are_no_model_of_ours_are_refused(learnt: Path, tmp_path: Path) -> None:
    stored = head.read_safetensors(learnt / "model.safetensors")
    file = tmp_path / "other.safetensors"
    wrong: list[tuple[dict[str, torch.Tensor], dict[str, str], str]] = [
        ({"weight": torch.zeros(3)}, {}, "no model of this program"),
        (stored.tensors, stored.about | {"champion": "oracle"}, "no model of this program"),
        (stored.tensors, stored.about | {"backbone": "resnet50"}, "features of resnet50"),
        ({k: v for k, v in stored.tensors.items() if k != "space.axes"}, stored.about, "lacks space.axes"),
        (stored.tensors | {"space.middle": torch.zeros(MEASURES + 2)}, stored.about, "numbers that plugins gave"),
        (stored.tensors | {"taste.look": torch.zeros(3)}, stored.about, "do not fit together"),
        (stored.tensors | {"calibration": torch.full((2,), torch.nan)}, stored.about, "gives no numbers"),
    ]
    for found, about, why in wrong:
        save_file({name: tensor.contiguous() for name, tensor in found.items()}, file, about)
        with pytest.raises(Refused, match=why):
            head.load(file, NAME)
    with pytest.raises(Refused, match="cannot be read"):
        head.load(tmp_path / "none.safetensors", NAME)


# --- the command ---------------------------------------------------------------------------------------------------------


def test_the_command_writes_model_and_card_and_writes_over_nothing(learnt: Path, tmp_path: Path) -> None:
    here = places()
    with Store(here) as store:
        store.write(scores.add_model, "20260101-020000", 1, "mean_rank", {}, 1.0)
    shutil.copy(learnt / "model.safetensors", here.models / "20260101-020000.safetensors")
    (here.nights / "20260101-020000").mkdir(parents=True)
    shutil.copy(learnt / "card.md", here.nights / "20260101-020000")
    wanted = tmp_path / "model"
    done = CliRunner().invoke(cli, ["model", "export", str(wanted)])
    assert done.exit_code == 0, done.output
    assert {file.name for file in wanted.iterdir()} == {"classifier.onnx", "reward.onnx", "model.safetensors", "card.md"}
    card = (wanted / "card.md").read_text()
    assert card.index("## Labels") < card.index("## As ONNX")
    again = CliRunner().invoke(cli, ["model", "export", str(wanted)])
    assert again.exit_code != 0
    assert "is there already" in again.output
    assert not list(here.jobs.iterdir())


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    with Store(places()):
        pass
    done = CliRunner().invoke(cli, ["model", "export", str(tmp_path / "model")])
    assert done.exit_code != 0
    assert "There is no model yet" in done.output
    for run in ("20200101-020000", "../../secret"):
        done = CliRunner().invoke(cli, ["model", "export", str(tmp_path / "model"), "--run", run])
        assert "There is no model" in done.output
    assert not (tmp_path / "model").exists()
