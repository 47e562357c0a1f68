"""Is this sentence true of what the store holds? Its numbers are looked up, its words of outcome compared.

The rule this protects: nobody, and no model, reports what was not measured. A number is supported when a stored value
of the things that the sentence names rounds to it; where the sentence names the metric, only that metric counts.
What cannot be looked up (causes, comparisons) is said to be unchecked, never supported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from vbotd.core.claim_owners import owners, without_ids

Verdict = Literal["supported", "partly", "contradicted", "unsupported"]
Judgement = Literal["supported", "contradicted", "not found"]
Kind = Literal["selection", "fresh", ""]

# A number that stands alone: no part of a word, an id, a time or a version.
_NUMBER = re.compile(r"(?<![\w.:/])(?<![A-Za-z]-)"
                     r"([-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
                     r"\s?(%|percent\b|[MkG]\b|million\b|thousand\b)?(?![\w:/]|\.\d)")
# The sign of percent that stands behind an interval means both of its ends.
_PERCENT_LATER = re.compile(r"\s*(?:(?:-|to|,|and)\s*[\d.]+)?\s*[\])]?\s*(?:%|percent\b)")
_BEFORE_AN_END = re.compile(r"(?i)(?:[\[(,]|\d\s*%?\s*(?:-|to|and)|between|interval|from|bound|end|least|most|up)"
                            r"\s*(?:of\s+|to\s+)?$")
_BEHIND_AN_END = re.compile(r"(?i)\s*%?\s*(?:[\])]|(?:-|to|and)\s*\d)")
_LEVEL = re.compile(r"(?i)\b\d+(?:\.\d+)?\s?%\s*(?=(?:confidence|interval|ci\b))")  # "95 % interval" claims nothing
_SCALES = {"k": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9}
_NOT_CHECKED = re.compile(r"(?i)\b(because|due to|caused?|thanks to|better|worse|beats?|improv\w+|outperform\w*|higher|"
                          r"lower|faster|slower|robust|significant\w*|probably|never|always|every|all)\b")
_NEGATED = re.compile(r"\b(not|no|never|without|none|isn't|wasn't|didn't)\b", re.IGNORECASE)
_VERDICTS = ("promote", "keep", "discard", "inconclusive")
_OF_RUNS = ("finished", "failed", "cancelled", "diverged", "stopped", "lost", "running", "queued")
# The words of outcome that a thing can have at all, by the depth of its id: a campaign's, a trial's, a run's.
STATES: tuple[tuple[str, ...], ...] = (
    ("reached", "finished", "failed", "cancelled", "out_of_budget", "paused", "open", "closed"),
    (*_VERDICTS, *_OF_RUNS), _OF_RUNS)
_DENIED = re.compile(rf"{_NEGATED.pattern}\s+(?:\w+\s+)?$", re.IGNORECASE)
STATUS_WORDS = tuple(dict.fromkeys(word for words in STATES for word in words))
SELECTION: Kind = "selection"
FRESH: Kind = "fresh"
NEAR = 60  # characters between a number and the words that say what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A value in the store: what it is, and where it is known from.

    `words` are those by which a sentence means it; `kind` is `selection` for a score that chose its trial, `fresh` for
    one on fresh episodes, "" for anything else. `is_rate`: 0-1, said in percent. `is_end`: an end of an
    interval, which is no value by itself.
    """

    label: str
    value: float
    origin: str
    words: frozenset[str] = frozenset()
    kind: Kind = ""
    is_rate: bool = False
    is_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A thing that a sentence names: its id, the words that are true of it, and its facts."""

    id: str
    states: frozenset[str]
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A part of a sentence and what the store says about it."""

    part: str
    judgement: Judgement
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence, judged part by part. `notes` say what was not checked, and what a reader should know."""

    verdict: Verdict
    parts: tuple[Checked, ...]
    notes: tuple[str, ...]


def check(sentence: str, ids: Mapping[str, str], subjects: Sequence[Subject]) -> Claim:
    """Return what the store says about a sentence. `ids` are the words in it that name subjects, with their ids."""
    rest, mentions = without_ids(_LEVEL.sub("", sentence.replace("\N{EN DASH}", "-")), ids)
    found = [*_NUMBER.finditer(rest), *(said for said, _ in _outcomes(rest))]
    first = min((match.start() for match in found), default=0)

    def of(place: int) -> list[Subject]:
        named = owners(rest, mentions, place, first)
        return [subject for subject in subjects if not named or subject.id in named]

    numbers = [_number(match, rest, [fact for subject in of(match.start()) for fact in subject.facts])
               for match in _NUMBER.finditer(rest)]
    parts, strange = [checked for checked, _ in numbers], set()
    for said, word in _outcomes(rest):
        if _DENIED.search(rest[:said.start()]):
            continue
        judged = [part for subject in of(said.start()) if (part := _outcome(said, word, rest, subject)) is not None]
        parts += judged
        strange |= set() if judged or _is_of_others(word, rest.lower()) else {said[0].lower()}
    notes = [note for _, note in numbers if note]
    unchecked = sorted({match[0].lower() for match in _NOT_CHECKED.finditer(rest)} | strange)
    if unchecked:
        notes.append(f"not checked: {', '.join(unchecked)} — the tool compare tells which is better, and how surely")
    if _NEGATED.search(rest):
        notes.append("it denies something, which is not looked up; say what is")
    return Claim(verdict=_verdict(parts, unchecked=bool(unchecked) or bool(_NEGATED.search(rest))),
                 parts=tuple(parts), notes=tuple(dict.fromkeys(notes)))


def _verdict(parts: Sequence[Checked], *, unchecked: bool) -> Verdict:
    judged = {part.judgement for part in parts}
    if "contradicted" in judged:
        return "contradicted"
    if "supported" not in judged:
        return "unsupported"
    return "partly" if "not found" in judged or unchecked else "supported"


def _number(match: re.Match[str], sentence: str, facts: Sequence[Fact]) -> tuple[Checked, str]:
    """Return a number, judged, and what a reader should know of it."""
    part, unit = match[0].strip(), match[2] or ""
    digits = Decimal(match[1].replace(",", ""))
    value, half = float(digits), 0.5 * 10.0 ** int(digits.as_tuple().exponent)
    scale = _SCALES.get(unit, 1.0)
    percent = unit in ("%", "percent") or _PERCENT_LATER.match(sentence, match.end()) is not None
    in_interval = (_BEFORE_AN_END.search(sentence[:match.start()]) or _BEHIND_AN_END.match(sentence, match.end()))
    fits = [fact for fact in facts if _rounds(fact, value * scale, half * scale, percent=percent)
            and (in_interval or not fact.is_end)]
    nearest, near = _named(sentence, match.start(), facts)
    # "[0.96, 0.99] over 256 episodes": the words that a number belongs to need not be the nearest ones.
    fits = [fact for fact in fits if not near or fact in near]
    wants_fresh = re.search(r"(?i)\b(confirmed|fresh|held.?out on fresh)\b", sentence) is not None
    if wants_fresh and any(fact.kind == FRESH for fact in facts):
        fits = [fact for fact in fits if fact.kind != SELECTION]
    if fits:
        best = sorted(fits, key=lambda fact: (fact.kind != FRESH, fact.label))[0]
        passed_off = best.kind == SELECTION and not re.search(r"(?i)\b(chos|select|screen)", sentence)
        note = (f"{part} is the score on the episodes that chose the trial; say so, or give the one on fresh episodes"
                if passed_off else "")
        evidence = f"{best.label} = {best.value:g} ({best.origin})"
        if passed_off and wants_fresh:
            return Checked(part=part, judgement="contradicted", evidence=f"{evidence}, which is no fresh episode"), note
        return Checked(part=part, judgement="supported", evidence=evidence), note
    rivals = [fact for fact in nearest if (fact.is_rate == percent or not percent) and (in_interval or not fact.is_end)]
    if rivals:
        rivals.sort(key=lambda fact: wants_fresh and fact.kind != FRESH)
        said = "; ".join(f"{fact.label} = {fact.value:g} ({fact.origin})" for fact in rivals[:3])
        return Checked(part=part, judgement="contradicted", evidence=said), ""
    return Checked(part=part, judgement="not found", evidence="no stored value of what is named rounds to it"), ""


def _rounds(fact: Fact, value: float, half: float, *, percent: bool) -> bool:
    """Say whether a stored value rounds to the number as it is written."""
    if percent and not fact.is_rate:
        return False
    if fact.is_rate and not percent and half >= 0.5 and fact.value != value:
        return False  # "1 of 3" is no rate of 0.95
    stored = fact.value * 100.0 if percent else fact.value
    return abs(stored - value) <= half * (1.0 + 1e-9)


def _named(sentence: str, place: int, facts: Sequence[Fact]) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return the facts whose words stand nearest before or behind a number, and all whose words stand near it."""
    text = sentence.lower()
    distances: dict[frozenset[str], int] = {}
    for words in {fact.words for fact in facts if fact.words}:
        places = [match.start() for word in words for match in re.finditer(rf"\b{re.escape(word)}", text)]
        if places and (distance := min(abs(place - at) for at in places)) <= NEAR:
            distances[words] = distance
    least = min(distances.values(), default=0)
    return (tuple(fact for fact in facts if distances.get(fact.words) == least and fact.words in distances),
            tuple(fact for fact in facts if fact.words in distances))


def _outcomes(sentence: str) -> list[tuple[re.Match[str], str]]:
    """Return the words of outcome in a sentence, each with the state that it means."""
    words = {re.escape(word.replace("_", " ")): word for word in STATUS_WORDS} | {
        "confirmed": "confirmed", "champion": "champion", "best": "champion"}
    return [(match, word) for pattern, word in words.items()
            for match in re.finditer(rf"(?i)\b{pattern}(?:s|ed|d)?\b", sentence)]


def _outcome(said: re.Match[str], word: str, sentence: str, subject: Subject) -> Checked | None:
    """Return a word of outcome, judged by what is true of a subject; None where it says nothing of such a thing."""
    is_state = word in STATES[min(subject.id.count("/"), 2)]
    if word == "confirmed":
        fresh = [fact for fact in subject.facts if fact.kind == FRESH]
        return Checked(part=said[0], judgement="supported" if fresh else "contradicted",
                       evidence=f"{fresh[0].label} ({fresh[0].origin})" if fresh else
                       f"{subject.id} was not measured on fresh episodes")
    if word == "champion":
        is_champion = "champion" in subject.states
        return Checked(part=said[0], judgement="supported" if is_champion else "contradicted",
                       evidence=f"{subject.id} is {'' if is_champion else 'not '}the champion"
                       ) if "/" in subject.id else None
    if not is_state or ("/" not in subject.id and _is_of_others(word, sentence.lower())):
        return None
    return Checked(part=said[0], judgement="supported" if word in subject.states else "contradicted",
                   evidence=f"{subject.id} is {', '.join(sorted(subject.states))}")


def _is_of_others(word: str, text: str) -> bool:
    """Say whether a word is about so many trials or runs ("2 of its trials failed"), which is checked as a number."""
    return re.search(rf"\b(trials?|runs?)\s+(?:\w+\s+){{0,2}}{word}|{word}\s+(trial|run)", text) is not None
