"""The export task: a model as two files of ONNX that need nothing of this program, and a note on how to use them.

    classifier.onnx  picture, measures -> keep   chance that the owner keeps it
    reward.onnx      picture, measures -> taste  how much they like it; higher is better, and only the order has a meaning

The preprocessing is in the graph: a picture goes in as the bytes of its pixels, of any size. Of `measures`, what is not known is
NaN.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from torch import Tensor, nn

from precious_daemon.grouping.measures import FACTS, MEASURES
from precious_daemon.learn import head
from precious_daemon.learn.backbone import PIXELS, STRIDE, Backbone, named
from precious_daemon.learn.limits import Refused
from precious_daemon.models import Quality
from precious_daemon.work import jobfolder

OUTPUTS = {"classifier.onnx": "keep", "reward.onnx": "taste"}
NOTE = "onnx.md"
OPSET = 20
TOLERANCE = 1e-3  # by which an exported score may differ from ours on the same pixels
MEASURE_NAMES = ("bits", "pixels", "camera", "png", "frames", *(f.name for f in fields(Quality)))  # as `data.raw_measures`
ASPECT = 4.0  # at most


def export(folder: Path, job: dict[str, Any]) -> None:
    """Reads model.safetensors in the folder; leaves the files of OUTPUTS and NOTE, checked. Raises Refused."""
    jobfolder.say("reading the model", 0, 0)
    model = head.load(folder / "model.safetensors", named(job))
    _check_packages()
    network = Backbone(job.get("network"))
    whole = _Whole(network, model).eval()
    jobfolder.say("writing ONNX", 0, 0)
    about = {"run": str(job["run"]), "champion": model.champion, "backbone": named(job)}
    graph = _graph(whole)
    for done, (name, output) in enumerate(OUTPUTS.items()):
        jobfolder.say("checking it", done, len(OUTPUTS))
        jobfolder.write_bytes(folder, name, _part(graph, output, about))
        _check(whole, folder / name)
    jobfolder.write_bytes(folder, NOTE, _note(job, model, network).encode())
    jobfolder.write_json(folder, "report.json", {"champion": model.champion, "run": job["run"]})


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as exc:
        raise Refused(f"Exporting needs a package that is not there ({exc.name}): pip install 'precious-daemon[onnx]'.") from exc


class _Whole(nn.Module):
    """Pixels that have the network's size, and measures -> keep and taste."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: Backbone, model: head.Head) -> None:
        super().__init__()
        self.network, self.head = backbone.network, model
        self.register_buffer("mean", backbone.mean)
        self.register_buffer("deviation", backbone.deviation)

    def forward(self, sized: Tensor, measures: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) of 0 to 255 and (n, m) -> (n,) each."""
        found: tuple[Tensor, Tensor] = self.head(self.network((sized - self.mean) / self.deviation), measures)
        return found


def _graph(whole: _Whole) -> Any:
    """The whole of it, with all outputs."""
    from onnx import compose

    example = torch.zeros(2, 3, 8 * STRIDE, 9 * STRIDE), torch.full((2, len(whole.head.middle)), torch.nan)
    n, h, w = (torch.export.Dim(name, min=least, max=most) for name, least, most in (("n", 1, 64), ("h", 4, 17), ("w", 4, 17)))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.onnx.export(
            whole, example, dynamo=True, verbose=False, opset_version=OPSET, input_names=["sized", "measures"],
            output_names=list(OUTPUTS.values()),
            dynamic_shapes={"sized": {0: n, 2: STRIDE * h, 3: STRIDE * w}, "measures": {0: n}},
        )  # fmt: skip
    assert program is not None
    core = program.model_proto
    return compose.merge_models(_sizing(core.ir_version), core, io_map=[("as_seen", "sized")])


def _part(graph: Any, output: str, about: dict[str, str]) -> bytes:
    """As much of the graph as one output needs."""
    import onnx
    from onnx.utils import Extractor

    part = Extractor(graph).extract_model(["picture", "measures"], [output])
    onnx.helper.set_model_props(part, about)
    part.producer_name, part.doc_string = "precious-daemon", (__doc__ or "").strip()
    onnx.checker.check_model(part, full_check=True)
    return bytes(part.SerializeToString())


def _sizing(ir_version: int) -> Any:
    """A graph from pixels of any size to those that the network sees: `backbone.read_picture`, after the decoding.

    Of the same aspect, at most 1 : 4, with about 260 x 260 pixels in whole strides; bicubic with antialiasing, as Pillow does
    it, and whole numbers again.
    """
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Any, kind: Any = np.float32) -> Any:
        return numpy_helper.from_array(np.array(value, dtype=kind), name)

    node = helper.make_node
    nodes = [
        node("Shape", ["picture"], ["shape"]),
        node("Split", ["shape", "parts"], ["batch", "side_h", "side_w"]),
        node("Cast", ["side_h"], ["height"], to=TensorProto.FLOAT),
        node("Cast", ["side_w"], ["width"], to=TensorProto.FLOAT),
        node("Div", ["width", "height"], ["ratio"]),
        node("Clip", ["ratio", "narrow", "wide"], ["aspect"]),
        node("Sqrt", ["aspect"], ["root"]),
        node("Mul", ["root", "strides"], ["w_strides"]),
        node("Div", ["strides", "root"], ["h_strides"]),
        node("Concat", ["h_strides", "w_strides"], ["in_strides"], axis=0),
        node("Round", ["in_strides"], ["whole_strides"]),
        node("Cast", ["whole_strides"], ["counted"], to=TensorProto.INT64),
        node("Mul", ["counted", "stride"], ["sides"]),
        node("Concat", ["batch", "sides"], ["sizes"], axis=0),
        node("Cast", ["picture"], ["pixels"], to=TensorProto.FLOAT),
        node(
            "Resize", ["pixels", "", "", "sizes"], ["resized"], mode="cubic", cubic_coeff_a=-0.5, antialias=1, exclude_outside=1,
            coordinate_transformation_mode="half_pixel",
        ),
        node("Clip", ["resized", "black", "white"], ["within"]),
        node("Round", ["within"], ["as_seen"]),
    ]  # fmt: skip
    known = [
        constant("parts", [2, 1, 1], np.int64), constant("narrow", 1 / ASPECT), constant("wide", ASPECT),
        constant("strides", [PIXELS / STRIDE]), constant("stride", [STRIDE], np.int64),
        constant("black", 0), constant("white", 255),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "as the network sees it",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info("as_seen", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        known,
    )  # fmt: skip
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", OPSET)])


def _check(whole: _Whole, file: Path) -> None:
    """What onnxruntime makes of the file is what torch makes of the model. Raises Refused."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 8 * STRIDE, 8 * STRIDE), dtype=np.uint8)  # of the network's size
    unknown = np.full((2, len(whole.head.middle)), np.nan, dtype=np.float32)
    (found,) = session.run(None, {"picture": noise, "measures": unknown})
    with torch.inference_mode():
        both = whole(torch.from_numpy(noise).float(), torch.from_numpy(unknown))
    wanted = both[list(OUTPUTS).index(file.name)].numpy()
    if not np.allclose(found, wanted, atol=TOLERANCE, rtol=TOLERANCE):
        raise Refused(f"{file.name} gives other scores than the model ({found} for {wanted}). Nothing was exported.")


def _note(job: dict[str, Any], model: head.Head, network: Backbone) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("precious_daemon.learn"), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(NOTE).render(
        run=job["run"], champion=model.champion, graph=hasattr(model, "nodes_log_odds"), facts=FACTS, ours=MEASURES,
        names=[*MEASURE_NAMES, *model.numbers], pixels=PIXELS, stride=STRIDE, aspect=f"{ASPECT:g}",
        mean=network.mean.flatten().tolist(), deviation=network.deviation.flatten().tolist(),
    )  # fmt: skip
