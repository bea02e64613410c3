"""Is the certificate's promise kept, and how soon is it given? A thousand simulated owners answer what they are asked blindly.

    python -m bench.certificate [--owners N] [--quick]

The promise: with 95 % confidence at most 5 % of what is certified are photos that the owner would keep. It is broken in a run
where *any* certificate that was ever shown, after whichever answer, covers a set of which more are, going by what the owner
would say in the end. Owners differ in how well the model knows them:

    separable    the scores order their photos well: certificates are wanted here
    calibrated   the scores are as sure as they say: of photos that are kept with 2 %, 2 % are kept
    noisy        the scores order little: the mistakes are everywhere
    unbalanced   2 % of the photos are to go, and few candidates are right
    borderline   exactly so many mistakes that a certificate is just not due: the hardest case for the promise
    drifting     half-way through the answers they come to want 3 % of the photos that they would have let go before, and are
                 held to that for what was certified earlier, too. No goal of its own, but it counts among all owners; beside it
                 stands how often the promise would be broken if they had been asked about every photo before they changed
    turned       they come to want 10 %, beside the other owners; shown is for how many more answers what was certified stays so
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.common import Figure, arguments, report, say
from precious_daemon.pure.certify import Draw, certify, thresholds

ALPHA, CONFIDENCE = 0.05, 0.95
POOL = 400  # draws
ALL = ("separable", "noisy", "unbalanced", "borderline", "drifting")  # owners that the promise as a whole is about
KINDS = ("separable", "calibrated", "noisy", "unbalanced", "borderline", "drifting", "turned")
DRIFT = {"drifting": 0.03, "turned": 0.1}  # share of photos that they come to want to keep


@dataclass(frozen=True)
class Owner:
    keeps: list[float]  # the model's keep probability of each draw, in the pool's random order
    kept: list[bool]  # what the owner says in the end
    before: list[bool]  # what they say in the first half of the answers

    def says(self, answers: int, all_answers: int) -> list[bool]:
        """What they say of each draw after so many answers."""
        return self.kept if 2 * answers >= all_answers else self.before


def owner(kind: str, rng: random.Random) -> Owner:
    keeps = sorted(rng.random() * 0.5 for _ in range(POOL))
    if kind == "calibrated":
        keeps = [2 * keep * keep for keep in keeps]
        kept = [rng.random() < keep for keep in keeps]
    elif kind == "separable":  # mistakes are all among the least sure
        kept = [rng.random() < (0.004 if keep < 0.35 else 0.3) for keep in keeps]
    elif kind == "noisy":
        kept = [rng.random() < 0.12 for _ in keeps]
    elif kind == "unbalanced":
        kept = [rng.random() < 0.4 + keep for keep in keeps]
    else:
        wrong = set(rng.sample(range(POOL), int(ALPHA * POOL) + 1 if kind == "borderline" else 6))
        kept = [i in wrong for i in range(POOL)]
    before = list(kept)
    if kind in DRIFT:
        kept = [said or rng.random() < DRIFT[kind] for said in kept]
    order = rng.sample(range(POOL), POOL)
    return Owner([keeps[i] for i in order], [kept[i] for i in order], [before[i] for i in order])


@dataclass(frozen=True)
class Run:
    first: int | None  # answers until the first certificate
    broken: bool  # any certificate on the way
    late: int  # answers after the change of mind at which a certificate that breaks the promise was shown
    wide: float  # share of all that is rightly suggested that the last certificate covers


def run(person: Owner, answers: int) -> Run:
    first, broken, late, wide = None, False, 0, 0.0
    for n, threshold in _certificates(person, answers):
        first = n if first is None else first
        covered = [kept for keep, kept in zip(person.keeps, person.kept, strict=True) if keep <= threshold]
        breaks = sum(covered) > ALPHA * len(covered)
        broken = broken or breaks
        late += breaks and 2 * n >= answers
        wide = covered.count(False) / person.kept.count(False)
    return Run(first, broken, late, wide)


def foreseen(person: Owner) -> bool:
    """Whether the promise is kept where no answer is lacking: all photos were asked about just before the owner changed."""
    for threshold in thresholds(person.keeps, ALPHA):
        within = [n for n, keep in enumerate(person.keeps) if keep <= threshold]
        most = ALPHA * len(within)
        if sum(person.before[n] for n in within) <= most < sum(person.kept[n] for n in within):
            return False
    return True


def _certificates(person: Owner, answers: int) -> Iterator[tuple[int, float]]:
    draws = [Draw(keep, None) for keep in person.keeps]
    for n in range(1, answers + 1):
        verdict = certify(draws, ALPHA, CONFIDENCE)
        if verdict.certificate is not None:
            yield n - 1, verdict.certificate.threshold
        if verdict.asking is None:
            break
        at = next(i for i, draw in enumerate(draws) if draw.kept is None and draw.keep <= verdict.asking)
        draws[at] = Draw(draws[at].keep, person.says(n - 1, answers)[at])


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--owners", type=int, default=0, help="of each kind; default: 200, or 12 with --quick")
    parser.add_argument("--answers", type=int, default=240)
    args = parser.parse_args()
    owners = args.owners or (12 if args.quick else 200)
    rng, began = random.Random(0), time.perf_counter()
    figures: dict[str, Figure] = {}
    all_broken = 0
    for kind in KINDS:
        runs: list[Run] = []
        unforeseen = 0
        for n in range(owners):
            person = owner(kind, rng)
            runs.append(run(person, args.answers))
            unforeseen += not foreseen(person)
            if n % 50 == 49:
                say(f"{kind}: {n + 1} owners")
        broken = sum(one.broken for one in runs)
        all_broken += broken if kind in ALL else 0
        figures[f"{kind}: promise broken"] = Figure(
            broken / owners, "of runs", 0.05 if not args.quick and kind not in DRIFT else None
        )
        first = sorted(one.first for one in runs if one.first is not None)
        figures[f"{kind}: certified"] = Figure(len(first) / owners, "of runs")
        if first:
            figures[f"{kind}: answers until certified, median"] = Figure(first[len(first) // 2], "answers")
            figures[f"{kind}: covered in the end"] = Figure(
                sum(one.wide for one in runs) / owners, "of what is rightly suggested"
            )
        if kind in DRIFT:
            figures[f"{kind}: broken if all had been asked about"] = Figure(unforeseen / owners, "of runs")
        if kind == "turned":
            figures["turned: still certified, mean"] = Figure(sum(one.late for one in runs) / owners, "answers")
    figures["promise broken, all owners"] = Figure(all_broken / (owners * len(ALL)), "of runs", 0.05 if not args.quick else None)
    figures["seconds"] = Figure(time.perf_counter() - began, "s")
    report("certificate", {"owners": owners * len(KINDS), "pool": POOL, "answers": args.answers, "alpha": ALPHA}, figures)


if __name__ == "__main__":
    main()
