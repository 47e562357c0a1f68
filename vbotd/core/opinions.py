"""How the opinions of several plugins become one. Pure, and the order of the answers is the skills' declared order.

An answer is a pair (who, what); `None` and an empty list are "no opinion".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any, TypeVar

from vbotd.domain.finding import Finding
from vbotd.domain.skill import TURNS, Exhausted, FollowUp, Opinion, Section, Turn
from vbotd.domain.task import ParamValue
from vbotd.domain.trial import Proposal, Verdict

T = TypeVar("T")
Answers = Sequence[tuple[str, T]]

MAX_SECTION_LINES = 15
NO_TURNS: Mapping[str, Turn] = {}
# From the most conservative: to promote what is not proved costs a night, to ask again costs a run.
CAUTION: tuple[Verdict, ...] = ("inconclusive", "discard", "keep", "promote")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """The next trials in order. `exhausted` is the reason, once every skill that proposes has nothing left."""

    proposals: tuple[Proposal, ...] = ()
    exhausted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """A proposal with the changes of all plugins; `conflicts` tells of changes that were left out."""

    proposal: Proposal
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict that counts, whose it is, and what the others thought."""

    verdict: Verdict
    why: str
    by: str
    dissent: tuple[str, ...] = ()


def combine_proposals(answers: Answers[Sequence[Proposal] | Exhausted | None], count: int, *,
                      after: str = "", turns: Mapping[str, Turn] = NO_TURNS) -> Proposals:
    """Return up to `count` proposals, taking one from each plugin in turn, equal settings once.

    Args:
        answers: in the declared order.
        count: how many trials there is room for.
        after: whose turn was last, by the name of the plugin or of its skill (`-` and `_` are the same); the round
            begins behind it, so that one place at a time is fair too.
        turns: of the plugins, "any" where it is not said; who has a later one is not heard before the others are done.
    """
    answers = _whose_turn_it_is(answers, turns)
    start = next((place + 1 for place, answer in enumerate(answers) if after and _speaks_for(answer, after)), 0)
    round_ = [*answers[start:], *answers[:start]]
    lists = [what for _, what in round_ if what is not None and not isinstance(what, Exhausted)]
    chosen = tuple(_distinct([one for row in zip_longest(*lists) for one in row if one is not None]))[:count]
    reasons = [f"{who}: {what.why}" for who, what in answers if isinstance(what, Exhausted)]
    opinions = [what for _, what in answers if what is not None]
    over = bool(reasons) and len(reasons) == len(opinions)
    return Proposals(proposals=chosen, exhausted="; ".join(reasons) if over else "")


def _whose_turn_it_is(answers: Answers[Sequence[Proposal] | Exhausted | None], turns: Mapping[str, Turn]
                      ) -> Answers[Sequence[Proposal] | Exhausted | None]:
    """Return the answers up to the first turn in which somebody has something left, or waits for something."""
    places = {who: TURNS.index(turns.get(who, "any")) for who, _ in answers}
    busy = [places[who] for who, what in answers if what is not None and not isinstance(what, Exhausted)]
    return [(who, what) for who, what in answers if not busy or places[who] <= min(busy)]


def _speaks_for(answer: tuple[str, Sequence[Proposal] | Exhausted | None], name: str) -> bool:
    who, what = answer
    proposers = () if what is None or isinstance(what, Exhausted) else tuple(one.proposer for one in what)
    return name.replace("_", "-") in {known.replace("_", "-") for known in (who, *proposers)}


def _distinct(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    seen: set[str] = set()
    for proposal in proposals:
        key = _key([dict(proposal.params), proposal.task, proposal.stage, proposal.extends, proposal.env_steps,
                    proposal.seeds, proposal.warm_start and asdict(proposal.warm_start)])
        if key not in seen:
            seen.add(key)
            yield proposal


def _key(value: Any) -> str:
    """Return equal texts for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, default=str)


def combine_amendments(proposal: Proposal, answers: Answers[Proposal | None]) -> Amended:
    """Fold the changes of all plugins into a proposal; everybody was shown the original.

    A key that two plugins change differently keeps the earlier change, and the conflict is told. A key that
    an amendment leaves out is left as it was: amending adds and changes, it does not take away.
    """
    if proposal.extends:  # it goes on with settings that are what they are
        return Amended(proposal=proposal)
    params: dict[str, ParamValue] = dict(proposal.params)
    changed_by: dict[str, str] = {}
    conflicts: list[str] = []
    for who, amendment in answers:
        for key, value in _changes(proposal, amendment).items():
            earlier = changed_by.get(key)
            if earlier is None:
                params[key], changed_by[key] = value, who
            elif params[key] != value:
                conflicts.append(f"'{key}': '{who}' wants {value!r}, '{earlier}' has set {params[key]!r} before — "
                                 "the earlier stays")
    amended_by = {**proposal.amended_by, **changed_by}
    return Amended(proposal=replace(proposal, params=params, amended_by=amended_by), conflicts=tuple(conflicts))


def _changes(proposal: Proposal, amendment: Proposal | None) -> Mapping[str, ParamValue]:
    if amendment is None:
        return {}
    return {key: value for key, value in amendment.params.items()
            if key not in proposal.params or proposal.params[key] != value}


def combine_verdicts(answers: Answers[Opinion | None]) -> Judgement | None:
    """Return the most conservative verdict, with every other one as dissent; None where nobody has an opinion.

    The core's own judgement is one of the answers, and comes first: among equals the earlier speaks.
    """
    given = [(who, opinion) for who, opinion in answers if opinion is not None]
    if not given:
        return None
    by, chosen = min(given, key=lambda answer: CAUTION.index(answer[1].verdict))
    dissent = tuple(f"{who}: {opinion.verdict} — {opinion.why}" for who, opinion in given
                    if opinion.verdict != chosen.verdict)
    return Judgement(verdict=chosen.verdict, why=chosen.why, by=by, dissent=dissent)


def dissenting(said: str) -> tuple[str, Opinion]:
    """Return who said what, from a line of dissent as `combine_verdicts` writes it."""
    who, _, opinion = said.partition(": ")
    verdict, _, why = opinion.partition(" — ")
    return who, Opinion(verdict=next((known for known in CAUTION if known == verdict), "inconclusive"), why=why)


def combine_findings(answers: Answers[Sequence[Finding]]) -> tuple[tuple[str, Finding], ...]:
    """Return all findings, each with who made it; one that is not an error cannot ask to stop."""
    found = [(who, finding if finding.level == "error" else replace(finding, stop=False))
             for who, findings in answers for finding in findings]
    return tuple(dict.fromkeys(found))


def asked_to_stop(findings: Answers[Finding], allowed: Sequence[str] = ()) -> tuple[str, Finding] | None:
    """Return the first finding that stops the run, None where none does; `allowed` are the rules overruled by name."""
    return next(((who, finding) for who, finding in findings
                 if finding.stop and finding.level == "error" and finding.rule not in allowed), None)


def combine_follow_ups(answers: Answers[Sequence[FollowUp]]) -> tuple[tuple[str, FollowUp], ...]:
    """Return all wishes for further runs, each with who has it; what differs only in its reason is wanted once."""
    wanted: dict[str, tuple[str, FollowUp]] = {}
    for who, wishes in answers:
        for wish in wishes:
            wanted.setdefault(_key({**asdict(wish), "why": ""}), (who, wish))
    return tuple(wanted.values())


def combine_sections(answers: Answers[Section | None]) -> tuple[Section, ...]:
    """Return the report sections in order, each of at most 15 lines; what is cut is said in the last one."""
    return tuple(_shortened(section) for _, section in answers if section is not None and section.lines)


def _shortened(section: Section) -> Section:
    lines = tuple(line for text in section.lines for line in (text.splitlines() or [""]))
    if len(lines) <= MAX_SECTION_LINES:
        return replace(section, lines=lines)
    kept = lines[:MAX_SECTION_LINES - 1]
    return replace(section, lines=(*kept, f"… and {len(lines) - len(kept)} more lines"))
