"""The certificate: how many of the suggested photos the owner would have kept, bounded by blind answers.

Setting. A pool of candidates is fixed and put in random order before anyone is asked. One *draw* is a photo or a whole
burst, because frames of one burst share their fate; its `keep` is the largest keep probability in it, and it is a
*mistake* to suggest it if the owner keeps any of its photos. The owner answers the draws in the pool's order, blind.

Claim. If `certify` is called as often as one likes while the answers come in, the probability that it ever certifies a
set of which more than `alpha` are mistakes is at most 1 - confidence.

Proof.
1. One set, one look. After m draws of the pool's order, those that fall into a set of candidates fixed beforehand are a
   random sample of it without replacement. If more than alpha of the set are mistakes, then at most e mistakes among n
   come up with probability at most P(Bin(n, alpha) <= e): sampling without replacement only makes so low a count rarer
   (Uhlmann 1966). So the test that passes when this tail is <= level errs with probability <= level.
2. Many sets, one look. The sets are quantiles of the pool's scores, tested from the strictest to the loosest at the full
   level, and the first failure ends it. To certify any set that breaks the promise, the first such set in the order has
   to pass; which that is was fixed before the answers, so the probability is still <= level (fixed-sequence testing,
   Maurer, Hothorn and Lehmacher 1995). No correction for the number of sets is due. For this the sets may depend on the
   scores and on how many audits are drawn, and never on an answer.
3. Many looks. Answers are tested only at looks fixed in number beforehand: at n0 = clean_pass draws, at 4 n0, at 16 n0...
   At the first look the strictest set that holds n0 audits is the whole pool, and only no mistake passes: its risk is
   (1 - alpha)^n0. What that leaves of 1 - confidence is halved at each later look. The risks add up to no more than
   1 - confidence (union bound). Testing anew after every answer instead, a set just over 5 % would get through in every
   fourth library.
4. Between looks a certificate can only be lost: it is withheld while all answers so far, tested at the full level, speak
   against it. That lowers the risk.

An answer after a hole does not count: which draws are answered would no longer be chance. One pool carries one
certificate; after a failure the remedy is a better model, and with it a new pool.

A new model may be judged by answers about an older one's pool: what they are worth to it is said at `counted`. The claim
then holds for each model by itself, and for each kind of suggestion by itself; see docs/certificate.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from precious_daemon.models import Certificate, Group, GroupKind, Score

FLOOR = 0.5  # photos with at most this keep probability are candidates
LOOKS = 4  # each look has so many times the draws of the one before
QUANTILES = 10
SPARE = 1.1  # a later look starts at a set that should hold this much more than a clean pass needs


@dataclass(frozen=True, slots=True)
class Draw:
    """`keep`: the largest keep probability in it. `kept`: the owner kept any of its photos; None: not answered yet."""

    keep: float
    kept: bool | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a promise is about, in words: `these 214 {many}`, `only 12 {some}`, `{none}: too few`, `{unit} counting as one`."""

    many: str
    some: str
    none: str
    unit: str


TASTE = "taste"
SUBJECTS = {
    TASTE: Subject("suggestions", "suggestions rest on the model alone", "No suggestion rests on the model alone", "a burst"),
    "copy": Subject("exact copies", "groups of exact copies are suggested", "No exact copy is suggested", "a group"),
    "same": Subject(
        "pictures saved again", "groups of pictures saved again are suggested", "No picture saved again is suggested", "a group"
    ),
    "burst": Subject("weaker frames", "bursts have weaker frames to suggest", "No frame of a burst is suggested", "a burst"),
}
"""By the kind of a suggestion. Each kind has audits, a certificate and a risk of its own; rules have none."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of one draw of a pool. `keep` and `kept` as in Draw, `kept` from a blind answer alone."""

    keep: float
    kept: bool | None
    said: bool | None = None  # what the owner said of it otherwise, such as on review: True for keep
    taught: bool = False  # the present model has learnt from something said of its photos
    photos: int = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """The draws of a pool by which the present model is judged, in its order, and the `keep` of the draw of each photo."""

    draws: list[Draw]
    candidates: list[float]
    gone: int  # draws that were let go by hand
    size: int  # draws, with those that were let go


@dataclass(frozen=True, slots=True)
class Verdict:
    """`needed`: answers still missing if none is a mistake; 0 with a certificate, None where this pool can never get one."""

    certificate: Certificate | None
    sentence: str
    needed: int | None


def pool(scores: Sequence[Score], groups: Sequence[Group], floor: float = FLOOR) -> list[tuple[int, ...]]:
    """The draws of a new pool, for the caller to shuffle: candidates by photo id, those linked by any group as one."""
    candidates = {s.photo_id for s in scores if s.keep <= floor}
    first: dict[int, int] = {}  # photo to the one that stands for its draw: a forest with short paths

    def root(photo: int) -> int:
        while (above := first.get(photo, photo)) != photo:
            first[photo] = photo = first.get(above, above)
        return photo

    for group in groups:
        if group.kind is GroupKind.SCENE:
            continue  # photos of one view are as different as any others
        members = [m.photo_id for m in group.members if m.photo_id in candidates]
        for photo in members[1:]:
            first[root(photo)] = root(members[0])
    draws: dict[int, list[int]] = {}
    for photo in sorted(candidates):
        draws.setdefault(root(photo), []).append(photo)
    return [tuple(members) for members in draws.values()]


def clean_pass(alpha: float, confidence: float) -> int:
    """Answers that certify if none is a mistake: the least n with (1 - alpha)^n <= 1 - confidence."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-alpha) - 1e-9)


def tail(mistakes: int, answers: int, alpha: float) -> float:
    """P(Bin(answers, alpha) <= mistakes), exactly."""
    return min(math.fsum(math.exp(_log_share(k, answers, alpha)) for k in range(min(mistakes, answers) + 1)), 1.0)


def _log_share(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def counted(pool: Iterable[Audit], floor: float = FLOOR) -> Counted:
    """What of a pool judges the present model.

    A pool outlives the model that it was drawn for, and its answers judge the next one as far as that is honest:

    * Audits never train a model, so its scores do not depend on them. Of the photos that it would suggest too (`keep` at
      most `floor`) the pool's order is as random for it as for the first one. Others say nothing of its suggestions.
    * What a model was taught it knows, and being right about that foretells nothing. A draw that it has learnt from leaves
      with its answer, whichever that was: owners review what they are shown, blind answers or not.
    * A photo that was kept on review, after the model was made, is a mistake. One that was let go leaves, if it was not
      asked about: the chance that put the others in their order is untouched by that. What it means for the rest of the list,
      `judge` takes into account.
    """
    its_own = [one for one in pool if not one.taught and one.keep <= floor]
    there = [one for one in its_own if one.kept is not None or one.said is not False]
    return Counted(
        [Draw(one.keep, (one.said or None) if one.kept is None else one.kept) for one in there],
        [one.keep for one in there for _ in range(one.photos)],
        sum(one.said is False for one in its_own),
        len(its_own),
    )


def judge(pool: Iterable[Audit], alpha: float, confidence: float, subject: Subject = SUBJECTS[TASTE]) -> Verdict:
    """`certify` for the draws that count. A certificate is withheld where it need not hold for what is left of its list.

    Who lets the obvious go by hand leaves the doubtful: all mistakes may be among the rest, which is a larger share of it.
    So the answers have to bear out the smaller share of the list as it was drawn. Withholding only lowers the risk.
    """
    found = counted(pool)
    verdict = certify(found.draws, alpha, confidence, found.candidates, subject)
    certificate, left = verdict.certificate, alpha * (found.size - found.gone) / max(found.size, 1)
    if certificate is None or (left and tail(certificate.errors, certificate.audits, left) <= (1 - confidence) * (1 + 1e-9)):
        return verdict
    if not left:
        return Verdict(None, f"All of these {subject.many} were let go by hand: none is left to certify.", None)
    needed = max(1, clean_pass(left, confidence) - certificate.audits)
    sentence = (
        f"Not certified any more: you let {found.gone} go by hand, and the rest may hold more that you would keep. "
        f"{needed} more answer{' is' if needed == 1 else 's are'} needed if none is a mistake."
    )
    return Verdict(None, sentence, needed)


def certify(
    draws: Sequence[Draw],
    alpha: float,
    confidence: float,
    candidates: Sequence[float],
    subject: Subject = SUBJECTS[TASTE],
) -> Verdict:
    """The widest set of suggestions that the answers so far certify, and a sentence for the owner.

    `draws` is the whole pool in its random order. `candidates` holds, for each photo of the pool, the `keep` of its draw:
    it only serves to count photos.
    """
    answered = list(takewhile(lambda draw: draw.kept is not None, draws))
    certificate = _best(draws, answered, alpha, confidence, candidates)
    if certificate:
        grouped = len(candidates) != len(draws)
        sentence = f"{_certified(certificate, subject, grouped=grouped)} {_if_mistaken(certificate)}"
        return Verdict(certificate, sentence, 0)
    least = clean_pass(alpha, confidence)
    if len(draws) < least:
        few = f"Only {len(draws)} {subject.some}" if draws else subject.none
        return Verdict(None, f"{few}: too few to certify, which takes {least} blind answers.", None)
    mistakes = sum(draw.kept is True for draw in answered)
    found = f"You would keep {mistakes} of the {len(answered)} photos asked about blindly"
    needed = _needed(draws, len(answered), alpha, confidence, candidates)
    if needed is None:
        return Verdict(None, f"Not certified. {found}: these suggestions cannot be certified any more, the next ones can.", None)
    more = f"{needed} more answer{' is' if needed == 1 else 's are'} needed if none is a mistake."
    worse = _needed_after_mistake(draws, answered, alpha, confidence, candidates)
    more += " " + (
        f"One mistake first would make it {worse}."
        if worse
        else "One mistake first and these suggestions cannot be certified any more."
    )
    return Verdict(None, f"Not certified yet: {more}" + (f" {found}." if mistakes else ""), needed)


def _best(
    draws: Sequence[Draw], answered: Sequence[Draw], alpha: float, confidence: float, candidates: Sequence[float]
) -> Certificate | None:
    """The loosest threshold that passed at a look, and that all answers so far still bear out."""
    passed = [
        t for look, level in _looks(len(answered), alpha, confidence) for t in _passed(draws, answered[:look], level, alpha)
    ]
    for threshold in sorted(passed, reverse=True):
        kept = [draw.kept for draw in answered if draw.keep <= threshold]
        if tail(sum(map(bool, kept)), len(kept), alpha) <= (1 - confidence) * (1 + 1e-9):
            count = sum(keep <= threshold for keep in candidates)
            return Certificate(threshold, alpha, confidence, len(kept), sum(map(bool, kept)), count)
    return None


def _looks(answers: int, alpha: float, confidence: float) -> Iterator[tuple[int, float]]:
    """(draws, level) of every look that the answers have reached."""
    look = clean_pass(alpha, confidence)
    level: float = (1 - alpha) ** look
    left = 1 - confidence - level
    while look <= answers and level > 0:
        yield look, level
        left = level = left / 2
        look *= LOOKS


def _passed(draws: Sequence[Draw], seen: Sequence[Draw], level: float, alpha: float) -> Iterator[float]:
    """Thresholds that pass, strictest first, up to the first that fails."""
    keeps = sorted(draw.keep for draw in draws)
    least = clean_pass(alpha, 1 - level)
    for part in range(1, QUANTILES + 1):
        if part < QUANTILES and part * len(seen) < SPARE * least * QUANTILES:
            continue
        threshold = keeps[math.ceil(len(keeps) * part / QUANTILES) - 1]
        kept = [draw.kept for draw in seen if draw.keep <= threshold]
        if tail(sum(map(bool, kept)), len(kept), alpha) > level * (1 + 1e-9):
            return
        yield threshold


def _needed(draws: Sequence[Draw], answered: int, alpha: float, confidence: float, candidates: Sequence[float]) -> int | None:
    """The least number of further answers that certifies if none is a mistake. More clean answers never undo a pass."""
    if_well = [*draws[:answered], *(Draw(draw.keep, False) for draw in draws[answered:])]

    def enough(more: int) -> bool:
        return _best(draws, if_well[: answered + more], alpha, confidence, candidates) is not None

    low, high = 0, len(draws) - answered
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _needed_after_mistake(
    draws: Sequence[Draw], answered: Sequence[Draw], alpha: float, confidence: float, candidates: Sequence[float]
) -> int | None:
    """`_needed`, that answer included, if the very next draw turned out to be a mistake."""
    at = len(answered)
    if at == len(draws):
        return None
    mistaken = [*answered, Draw(draws[at].keep, True), *draws[at + 1 :]]
    needed = _needed(mistaken, at + 1, alpha, confidence, candidates) if at + 1 < len(draws) else None
    return needed and needed + 1


def _if_mistaken(c: Certificate) -> str:
    """What one more mistake among the answers would do: the certificate is withheld while all of them speak against it."""
    errors, audits, level = c.errors + 1, c.audits + 1, (1 - c.confidence) * (1 + 1e-9)
    clean = 0
    while tail(errors, audits + clean, c.alpha) > level:
        clean += 1
    if not clean:
        return "One more mistake would leave it in force."
    return f"One more mistake would suspend it for {clean} answer{'' if clean == 1 else 's'} without another."


def _certified(c: Certificate, subject: Subject, *, grouped: bool) -> str:
    mistakes = f"{c.errors} mistake{'' if c.errors == 1 else 's'}"
    return (
        f"At most {c.alpha * 100:g} % of these {c.candidates} {subject.many} are photos you would keep"
        f"{f', {subject.unit} counting as one' if grouped else ''} "
        f"({c.confidence * 100:g} % sure; {c.audits} blind answers, {mistakes})."
    )
