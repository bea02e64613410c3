"""A network of the owner's: its weights are numbers in a file, and its features are never mixed with another's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from precious_daemon.config import LearnSettings
from precious_daemon.errors import ChildFailed
from precious_daemon.jobs import networks
from precious_daemon.learn.backbone import Backbone, named, read_picture
from precious_daemon.learn.embed import embed
from precious_daemon.learn.limits import Deadline, Refused
from precious_daemon.learn.vision import models
from precious_daemon.work import jobfolder
from tests.learn.library import Library, picture, thumbnail

MODEL = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in models.get_model(MODEL, weights=None).state_dict().items()}, file)
    return file


def network(file: Path, model: str = MODEL) -> dict[str, str]:
    found = networks.own(LearnSettings(network=model, weights=str(file)))
    assert found
    return found.job


def test_photos_are_looked_at_by_the_network_that_the_owner_names(weights: Path, library: Library) -> None:
    own = network(weights)
    folder = library.embed_job("own", backbone=own["name"], network=own)
    assert embed(folder, jobfolder.read_json(folder, "job.json"), Deadline(None, 0))
    meta = jobfolder.read_json(folder, "meta.json")
    assert (meta["backbone"], meta["dimension"]) == (own["name"], 1024)
    assert len(list(jobfolder.read_embeddings(folder, 1024))) == 12
    pictures = torch.stack([read_picture(thumbnail(picture(n, False))) for n in (1, 2)])
    whole = models.get_model(MODEL, weights=None).eval()
    whole.load_state_dict(load_file(weights))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.inference_mode():
        logits = whole((pictures / 255 - mean) / deviation)
        ours = whole.get_submodule("classifier.3")(Backbone(own)(pictures))
    assert torch.allclose(logits, ours, atol=1e-4)


def test_another_file_of_weights_is_another_network(weights: Path, tmp_path: Path) -> None:
    changed = tmp_path / "other.safetensors"
    tensors = load_file(weights)
    tensors["classifier.3.bias"] += 1
    save_file(tensors, changed)
    one, other = network(weights), network(changed)
    assert one["name"] != other["name"]
    assert named({"network": one}) == one["name"]
    assert named({}) == named({"network": None}) == networks.BUILT_IN
    assert networks.own(LearnSettings()) is None


def test_what_is_no_file_of_numbers_is_not_opened(weights: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "weights.pth"
    torch.save(load_file(weights), pickled)
    with pytest.raises(Refused, match="only such are read"):
        Backbone(network(pickled))


@pytest.mark.parametrize(
    ("model", "why"),
    [("resnet18", "holds no weights of resnet18"), ("no_such_net", 'no model "no_such_net"')],
)
def test_weights_that_do_not_fit_are_refused_in_words(model: str, why: str, weights: Path) -> None:
    with pytest.raises(Refused, match=why):
        Backbone(network(weights, model))


def test_a_network_for_one_size_of_picture_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vit.safetensors"
    save_file(dict(models.get_model("vit_b_32", weights=None).state_dict()), file)
    with pytest.raises(Refused, match="one size only"):
        Backbone(network(file, "vit_b_32"))


def test_a_network_named_by_halves_says_what_is_missing(tmp_path: Path) -> None:
    for settings in (LearnSettings(network=MODEL), LearnSettings(weights="x.safetensors")):
        with pytest.raises(ChildFailed, match="go together"):
            networks.own(settings)
    with pytest.raises(ChildFailed, match="cannot be read"):
        networks.own(LearnSettings(network=MODEL, weights=str(tmp_path / "none.safetensors")))
