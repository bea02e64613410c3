"""torchvision's transforms, importable beside any build of torch.

The wheel of torchvision on PyPI is compiled against the CUDA build of torch. Beside the CPU build its compiled operators
do not load, and the import fails while it registers shapes for `torchvision::nms`. We use no compiled operator, only the
transforms, which are plain torch: declaring the two missing names is enough, and is done only where they are missing.
"""

from __future__ import annotations

import torch

_MISSING = ("nms", "qnms")


def _declare_missing_operators() -> torch.library.Library | None:
    """The declarations live as long as the object that is returned; None where the operators loaded."""
    try:
        import torchvision  # noqa: F401

        return None
    except RuntimeError as exc:
        if "torchvision::" not in str(exc):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch leaves both untyped
    for name in _MISSING:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    return library


_library = _declare_missing_operators()

from torchvision import models  # noqa: E402
from torchvision.transforms import v2 as transforms  # noqa: E402
from torchvision.transforms.v2 import functional  # noqa: E402

__all__ = ["functional", "models", "transforms"]
