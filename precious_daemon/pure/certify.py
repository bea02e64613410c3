"""The certificate: how many of the suggested photos the owner would have kept, bounded by blind answers.

Setting. A pool of candidates is fixed and put in random order before anyone is asked. One *draw* is a photo or a whole
burst, because frames of one burst share their fate; its `keep` is the largest keep probability in it, and it is a
*mistake* to suggest it if the owner keeps any of its photos. The pool is cut into nested *sets* by its scores: all of it,
the surer 71 %, the surer half of it... The strictest one is asked about first, and each that passes makes way for the
next. Within a set the owner answers in the pool's order, blind.

Claim. However often one looks while the answers come in, the probability that a set is ever certified in which more than `alpha`
are mistakes is at most 1 - confidence.

Proof.
1. One set. The pool's order, as far as it concerns a set that was fixed before the answers, is a random order of that set.
   So its first n answers are a random sample of it without replacement. With `bad` mistakes among its `size` draws, the least
   number for which the promise is broken, the mistakes that come up are a Markov chain with known chances; with more of
   them there are never fewer on any path (take the same order, and turn further draws into mistakes).
2. Many looks at one set. It passes if at most e mistakes are among its first n_e answers, for e = 0, 1, 2... These looks are
   found one after the other from the chain alone: n_e is the least n at which the chance to have passed by then, at
   this look or an earlier one, is at most (1 - SPEND^(e + 1)) (1 - confidence). All of them together pass a set that breaks
   the promise with at most that chance. (Group sequential testing with a spent risk, Lan and DeMets 1983, computed exactly.)
3. Many sets. They are tested from the strictest to the loosest, and the first failure ends it. So a set that breaks the promise
   can be certified only if the first such set in this order passes. Which set is the first was settled before any answer, so 2
   bounds the probability, and no correction for the number of sets is due (fixed-sequence testing, Maurer, Hothorn and
   Lehmacher 1995). This is why the sets may depend on the scores, but never on an answer. An answer serves every set that it
   belongs to.
4. Between looks a certificate can only be lost: it is withheld while all answers so far, tested at the full level, speak
   against it. That lowers the risk.

An answer after a hole does not count: which draws are answered would no longer be chance. One pool carries one
certificate; after a failure the remedy is a better model, and with it a new pool.

A new model may be judged by answers about an older one's pool: what they are worth to it is said at `counted`. The claim
then holds for each model by itself, and for each kind of suggestion by itself; see docs/certificate.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile

from precious_daemon.models import Certificate, Group, GroupKind, Score

FLOOR = 0.5  # photos with at most this keep probability are candidates
SPEND = 1 / 3  # each look leaves this share of the risk to the later ones
LOOKS = 10  # a set with so many mistakes among its answers is given up: it needs a better model, not more answers
MOST = 2000  # answers by which a set is judged: nobody gives more
GROWTH = 2**0.5  # from one set to the next: finer steps follow the model's certainty more closely, and take more answers in all
LEAST = 4  # the strictest set may hold at least so many mistakes: of a smaller one, nearly all would have to be asked


@dataclass(frozen=True, slots=True)
class Draw:
    """`keep`: the largest keep probability in it. `kept`: the owner kept any of its photos; None: not answered yet.

    `gone`: the owner let it go by hand, after looking. Where that was before it was asked about, it never will be.
    """

    keep: float
    kept: bool | None
    photos: int = 1
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What a promise is about, in words: `214 certified {many}`, `only 12 {some}`, `{none}.`, `{unit} counting as one`."""

    many: str
    some: str
    none: str
    unit: str


TASTE = "taste"
SUBJECTS = {
    TASTE: Subject("photos", "suggestions rest on the model alone", "No suggestion rests on the model alone", "a burst"),
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
class Verdict:
    """`needed`: answers still missing to certify what is not yet, if none is a mistake: for a first certificate, or for a wider
    one. 0 where all is certified, None where no answer would certify more.

    `asking`: the draws to ask about next are those with at most this keep probability, be it to see that a certificate still
    holds; None: no answer would change anything.
    """

    certificate: Certificate | None
    sentence: str
    needed: int | None
    asking: float | None = None


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


def counted(pool: Iterable[Audit], floor: float = FLOOR) -> list[Draw]:
    """What of a pool judges the present model, in its order.

    A pool outlives the model that it was drawn for, and its answers judge the next one as far as that is honest:

    * Audits never train a model, so its scores do not depend on them. Of the photos that it would suggest too (`keep` at
      most `floor`) the pool's order is as random for it as for the first one. Others say nothing of its suggestions.
    * What a model was taught it knows, and being right about that foretells nothing. A draw that it has learnt from leaves
      with its answer, whichever that was: owners review what they are shown, blind answers or not.
    * A photo that was kept on review, after the model was made, is a mistake. One that was let go leaves, if it was not
      asked about: the chance that put the others in their order is untouched by that. What it means for the rest of the list,
      `certify` takes into account.
    """
    return [
        Draw(one.keep, (one.said or None) if one.kept is None else one.kept, one.photos, one.said is False)
        for one in pool
        if not one.taught and one.keep <= floor
    ]


# --- one set -----------------------------------------------------------------------------------------------------------


def worst(alpha: float, size: int) -> int:
    """The least number of mistakes among `size` draws that breaks the promise."""
    return math.floor(alpha * size + 1e-9) + 1


def tail(mistakes: int, answers: int, bad: int, size: int) -> float:
    """P(at most `mistakes` among `answers` draws without replacement of `size`, `bad` of which are mistakes), exactly."""
    least, most = max(0, answers - (size - bad)), min(mistakes, answers, bad)
    ways = _log_ways(size, answers)
    shares = (math.exp(_log_ways(bad, k) + _log_ways(size - bad, answers - k) - ways) for k in range(least, most + 1))
    return min(math.fsum(shares), 1.0)


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@lru_cache(256)
def looks(size: int, bad: int, risk: float) -> tuple[tuple[int, int], ...]:
    """(answers, mistakes): a set passes with at most so many mistakes among its first so many answers. See the proof, 2.

    Of a set with `bad` mistakes among its `size` draws, all looks together pass at most the share `risk`.
    """
    found: list[tuple[int, int]] = []
    spent, chance = 0.0, [1.0]  # chance[x]: of x mistakes so far without having passed
    for answers in range(1, size + 1):
        left = size - answers + 1
        chance = [
            (chance[x] * max(0, left - (bad - x)) if x < len(chance) else 0.0) / left
            + (chance[x - 1] * max(0, bad - x + 1) / left if x else 0.0)
            for x in range(min(len(chance) + 1, bad + 1, LOOKS))  # who has more by now does not pass any more
        ]
        passing = math.fsum(chance[: len(found) + 1])
        if spent + passing <= risk * (1 - SPEND ** (len(found) + 1)):
            chance[: len(found) + 1] = [0.0] * min(len(found) + 1, len(chance))
            found.append((answers, len(found)))
            spent += passing
            if len(found) == min(bad, LOOKS):
                break
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Part:
    """All draws of a pool with at most the keep probability `threshold`; how many, and photos in them.

    `first`: the names of those that come first in the pool's order, which are the ones to ask about.
    """

    threshold: float
    size: int
    photos: int
    first: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Set:
    """A part, and what was said of it. `asked`: answers in the pool's order, with its holes. `photos`: those left."""

    threshold: float
    asked: list[bool | None]
    size: int
    gone: int
    photos: int

    def answers(self) -> list[bool]:
        return [bool(kept) for kept in takewhile(lambda kept: kept is not None, self.asked)]

    def passes(self, answers: Sequence[bool], alpha: float, risk: float) -> bool:
        """The promise holds for the set as it was drawn."""
        bad = worst(alpha, self.size)
        return _passed(answers, looks(self.size, bad, risk)) and tail(sum(answers), len(answers), bad, self.size) <= risk

    def holds(self, answers: Sequence[bool], alpha: float, risk: float) -> bool:
        """It holds for what is left of it, too.

        An owner who lets the obvious ones go by hand leaves the doubtful ones: all mistakes may be among the rest, and are a
        larger share of it. So the answers have to show that the rest holds no more than it may. Withholding only lowers the risk.
        """
        bad = worst(alpha, self.size - self.gone)
        return self.gone < self.size and (not self.gone or tail(sum(answers), len(answers), bad, self.size) <= risk)

    def needed(self, alpha: float, risk: float) -> int | None:
        """The least number of further answers with which it passes and holds if none is a mistake; None where none will do."""
        bad = worst(alpha, self.size)
        planned, answers, more = looks(self.size, bad, risk), self.answers(), 0
        if planned[0][0] >= self.size:
            return None  # each of them would be asked about
        at_look, passed = dict(planned), _passed(answers, planned)
        for at in range(len(answers), min(len(self.asked), 2 * planned[-1][0])):
            more += self.asked[at] is None
            answers.append(bool(self.asked[at]))
            passed = passed or sum(answers) <= at_look.get(at + 1, -1)
            before_hole = at + 1 == len(self.asked) or self.asked[at + 1] is None
            if passed and before_hole and self.passes(answers, alpha, risk) and self.holds(answers, alpha, risk):
                return more
        return None

    def needed_after_mistake(self, alpha: float, risk: float) -> int | None:
        """`needed`, that answer included, if the very next draw turned out to be a mistake."""
        at = len(self.answers())
        if at == len(self.asked):
            return None
        mistaken = _Set(self.threshold, [*self.asked[:at], True, *self.asked[at + 1 :]], self.size, self.gone, self.photos)
        needed = mistaken.needed(alpha, risk)
        return None if needed is None else needed + 1


def _passed(answers: Sequence[bool], planned: Iterable[tuple[int, int]]) -> bool:
    return any(n <= len(answers) and sum(answers[:n]) <= most for n, most in planned)


def thresholds(keeps: Iterable[float], alpha: float) -> list[float]:
    """Of the nested parts of a pool, the strictest first; the next holds GROWTH times as many draws."""
    ordered = sorted(keeps)
    steps = math.floor(math.log(max(len(ordered) * alpha / LEAST, 1), GROWTH))
    sizes = [math.ceil(len(ordered) / GROWTH**step) for step in range(steps, -1, -1)] if ordered else []
    return sorted({ordered[size - 1] for size in sizes})


def parts(draws: Iterable[tuple[int, float, int]], limits: Sequence[float]) -> list[Part]:
    """What lies below each of these thresholds. `draws` in the pool's order: (name, keep, photos)."""
    sizes, photos = [0] * len(limits), [0] * len(limits)
    first: list[list[int]] = [[] for _ in limits]
    for name, keep, count in draws:
        for n in range(bisect_left(limits, keep), len(limits)):
            sizes[n] += 1
            photos[n] += count
            if len(first[n]) < MOST:
                first[n].append(name)
    return [Part(*each) for each in zip(limits, sizes, photos, map(tuple, first), strict=True)]


def _said(part: Part, kept: Mapping[int, bool], gone: Mapping[int, Draw]) -> _Set:
    left = [draw for draw in gone.values() if draw.keep <= part.threshold]
    return _Set(
        part.threshold,
        [kept.get(name) for name in part.first if name in kept or name not in gone],
        part.size,
        len(left),
        part.photos - sum(draw.photos for draw in left),
    )


# --- the pool ----------------------------------------------------------------------------------------------------------


def certify(draws: Sequence[Draw], alpha: float, confidence: float, subject: Subject = SUBJECTS[TASTE]) -> Verdict:
    """`judge` of a whole pool in its random order, without what says nothing of the present model (`counted`)."""
    limits = thresholds((draw.keep for draw in draws), alpha)
    pool = parts(((n, draw.keep, draw.photos) for n, draw in enumerate(draws)), limits)
    kept = {n: draw.kept for n, draw in enumerate(draws) if draw.kept is not None}
    return judge(pool, kept, {n: draw for n, draw in enumerate(draws) if draw.gone}, alpha, confidence, subject)


def judge(
    pool: Sequence[Part],
    kept: Mapping[int, bool],
    gone: Mapping[int, Draw],
    alpha: float,
    confidence: float,
    subject: Subject = SUBJECTS[TASTE],
) -> Verdict:
    """The widest part of a pool that the answers so far certify, and a sentence for the owner.

    `kept` holds the answers by the name of a draw, True for a mistake; `gone` the draws that were let go by hand.
    """
    risk = (1 - confidence) * (1 + 1e-9)
    best, target, passed = None, None, False
    for part in pool:
        one = _said(part, kept, gone)
        answers = one.answers()
        if not one.passes(answers, alpha, risk):
            target = target or one
            break
        passed = True
        if one.holds(answers, alpha, risk):
            best, target = one, None
        elif one.gone < one.size:
            target = target or one
    wider = target.needed(alpha, risk) if target else 0 if best else None
    next_of = target if wider else best
    asking = next_of.threshold if next_of and None in next_of.asked else None
    if best:
        found = best.answers()
        certificate = Certificate(best.threshold, alpha, confidence, len(found), sum(found), best.photos)
        grouped = best.photos != best.size - best.gone
        sentence = f"{_certified(certificate, subject, grouped=grouped)} {_if_mistaken(best, alpha, risk)}"
        if target and wider:
            sentence += f" {wider} more answer{'' if wider == 1 else 's'} would certify {target.photos} if none is a mistake."
        return Verdict(certificate, sentence, wider, asking)
    return Verdict(
        None, _not_certified(pool[-1].size if pool else 0, target, wider, alpha, risk, subject, passed=passed), wider, asking
    )


def ahead(pool: Sequence[Part], kept: Mapping[int, bool], gone: Mapping[int, Draw], asking: float | None, most: int) -> list[int]:
    """The names of the draws to ask about next, in order; `most` of them."""
    first = next((part.first for part in pool if part.threshold == asking), ())
    return list(islice((name for name in first if name not in kept and name not in gone), most))


# --- in words ----------------------------------------------------------------------------------------------------------


def _not_certified(
    size: int, target: _Set | None, needed: int | None, alpha: float, risk: float, subject: Subject, *, passed: bool
) -> str:
    if target is None:
        return f"All of these {subject.many} were let go by hand: none is left to certify." if size else f"{subject.none}."
    if looks(target.size, worst(alpha, target.size), risk)[0][0] >= target.size:
        if target.size == 1:
            return "Only one of this kind is suggested: too few to certify, look at it."
        return f"Only {target.size} {subject.some}: too few to certify, look at each of them."
    answers = target.answers()
    mistakes, answered = sum(answers), len(answers)
    found = f"You would keep {mistakes} of the {answered} photos asked about blindly"
    if needed is None:
        return f"Not certified. {found}: these suggestions cannot be certified any more, the next ones can."
    if target.size == size:
        more = f"{needed} more answer{' is' if needed == 1 else 's are'} needed if none is a mistake."
    else:
        more = f"{needed} more answer{'' if needed == 1 else 's'} would certify the surest {target.photos} if none is a mistake."
    if passed:
        return f"Not certified any more: you let {target.gone} go by hand, and the rest may hold more that you would keep. {more}"
    worse = target.needed_after_mistake(alpha, risk)
    more += " " + (
        f"One mistake first would make it {worse}."
        if worse
        else "One mistake first and these suggestions cannot be certified any more."
    )
    return f"Not certified yet: {more}" + (f" {found}." if any(answers) else "")


def _if_mistaken(best: _Set, alpha: float, risk: float) -> str:
    """What one more mistake among the answers would do: the certificate is withheld while all of them speak against it."""
    answers, bad = best.answers(), worst(alpha, best.size - best.gone)
    errors, audits = sum(answers) + 1, len(answers) + 1
    if len(best.asked) < audits:
        return "All of them were asked about."
    clean = 0
    while audits + clean <= len(best.asked) and tail(errors, audits + clean, bad, best.size) > risk:
        clean += 1
    if audits + clean > len(best.asked):
        return "One more mistake would end it."
    if not clean:
        return "One more mistake would leave it in force."
    return f"One more mistake would suspend it for {clean} answer{'' if clean == 1 else 's'} without another."


def _certified(c: Certificate, subject: Subject, *, grouped: bool) -> str:
    mistakes = f"{c.errors} mistake{'' if c.errors == 1 else 's'}"
    return (
        f"At most {c.alpha * 100:g} % of the {c.candidates} certified {subject.many} are ones you would keep"
        f"{f', {subject.unit} counting as one' if grouped else ''} "
        f"({c.confidence * 100:g} % sure; {c.audits} blind answers, {mistakes})."
    )
