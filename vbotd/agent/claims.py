"""May I say this? A sentence about campaigns, trials and runs, checked against the store before it is reported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import Field

from vbotd.agent.registry import Arguments, Context, Result, Tool, ToolError
from vbotd.agent.untrusted import Data
from vbotd.core.claims import Fact, Kind, Subject, check
from vbotd.core.judge import CONFIRM
from vbotd.core.wording import is_rate
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Measurement
from vbotd.domain.trial import Run, Trial
from vbotd.errors import NotFound
from vbotd.store.finding import resolve_id
from vbotd.store.present import metric_cards
from vbotd.store.read import Reader

MOST_SUBJECTS = 6
_IDS = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]*\w)*")


class ClaimArguments(Arguments):
    """A sentence that names what it is about."""

    sentence: str = Field(min_length=5, max_length=500, description="names campaigns, trials or runs by id")


class PartOf(Result):
    """A part of the sentence and what the store says about it."""

    part: Data
    judgement: str
    evidence: Data


class Judged(Result):
    """supported: report it. partly: some of it was not checked. contradicted or unsupported: do not report it."""

    verdict: str
    about: list[str] = Field(default=[])
    parts: list[PartOf] = Field(default=[])
    notes: list[Data] = Field(default=[])


def check_claim(context: Context, arguments: ClaimArguments) -> Judged:
    """Return whether the store supports a sentence."""
    with Reader(context.layout.store) as reader:
        named = _named(reader, arguments.sentence)
        if not named:
            raise ToolError("the sentence names nothing that the store knows — name a campaign, trial or run by its id")
        cards = metric_cards(context.layout) or {}
        subjects = [_subject(reader, kind, id_, {task: card.tag for task, card in cards.items()})
                    for kind, id_ in list(dict.fromkeys(named.values()))[:MOST_SUBJECTS]]
    claim = check(arguments.sentence, {word: whole for word, (_, whole) in named.items()}, subjects)
    return Judged(verdict=claim.verdict, about=[subject.id for subject in subjects], notes=list(claim.notes), parts=[
        PartOf(part=part.part, judgement=part.judgement, evidence=part.evidence) for part in claim.parts])


def _named(reader: Reader, sentence: str) -> dict[str, tuple[str, str]]:
    """Return the words of a sentence that are ids, with what they mean."""
    found: dict[str, tuple[str, str]] = {}
    for match in _IDS.finditer(sentence):
        word = match[0].rstrip(".")
        # A word without a digit could begin the id of a campaign by chance; the whole id is still taken.
        if not any(char.isdigit() for char in word) and reader.record(word) is None:
            continue
        if word.replace(".", "").replace("-", "").isdigit() or len(word) < 4:
            continue
        try:
            kind, whole = resolve_id(reader, word)
        except NotFound:
            continue
        if kind != "event":
            found[word] = (kind, whole)
    return found


def _subject(reader: Reader, kind: str, id_: str, tags: Mapping[str, str]) -> Subject:
    record = reader.record(id_.partition("/")[0])
    assert record is not None, "a trial and a run belong to a campaign"
    tag = tags.get(record.content.task, "eval/success_rate")
    trials, runs = reader.trials(record.id), reader.runs(record.id)
    if kind == "campaign":
        champion = [run for run in runs if run.trial == record.champion]
        found = [*_of_campaign(record, trials, runs), *(fact for run in champion for fact in _of_run(run))]
        return Subject(id=id_, states=frozenset({record.status, record.outcome or record.status}), facts=tuple(found))
    if kind == "trial":
        trial = next(trial for trial in trials if trial.id == id_)
        own = [run for run in runs if run.trial == id_]
        states: set[str] = {run.outcome or run.status for run in own if run.kind == "train"}
        states.add(trial.verdict or "not judged")
        if record.champion == id_:
            states.add("champion")
        facts = [*_of_trial(trial, tag, own), *(fact for run in own for fact in _of_run(run))]
        return Subject(id=id_, states=frozenset(states), facts=tuple(facts))
    run = next(run for run in runs if run.id == id_)
    return Subject(id=id_, states=frozenset({run.status, run.outcome or run.status}), facts=tuple(_of_run(run)))


def _of_campaign(record: CampaignRecord, trials: tuple[Trial, ...], runs: tuple[Run, ...]) -> Iterator[Fact]:
    judged = [trial for trial in trials if trial.judged]
    yield _count("trials", len(trials), record.id, "trial")
    yield _count("trials judged", len(judged), record.id, "judged")
    yield _count("trials without a score", sum(trial.score is None for trial in judged), record.id, "failed", "without")
    yield _count("trials in the budget", record.content.budget.trials, record.id, "budget")
    yield _count("runs", len(runs), record.id, "run")
    for outcome, number in Counter(run.outcome for run in runs if run.outcome).items():
        yield _count(f"runs {outcome}", number, record.id, outcome)
    for verdict, number in Counter(trial.verdict for trial in judged if trial.verdict).items():
        yield _count(f"trials with the verdict {verdict}", number, record.id, verdict)
    yield _count("env steps of training", sum(run.own_env_steps for run in runs if run.kind == "train"), record.id,
                 "env step")
    for gate in record.content.gates:
        yield Fact(label=f"gate {gate.tag}", value=gate.value, origin=record.id, words=frozenset({"gate"}),
                   is_rate=is_rate(gate.tag))


def _of_trial(trial: Trial, tag: str, runs: list[Run]) -> Iterator[Fact]:
    if trial.score is not None and not any(trial.score in run.metrics.values() for run in runs):
        yield from _of_measurement(tag, trial.score, trial.id, "selection")
    for key, value in trial.params.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            name = key.rpartition(".")[2]
            yield Fact(label=key, value=float(value), origin=trial.id,
                       words=frozenset({key.lower(), name.lower(), name.replace("_", " ").lower()}))


def _of_run(run: Run) -> Iterator[Fact]:
    kind: Kind = "fresh" if run.purpose == CONFIRM else "selection" if run.kind == "evaluate" else ""
    for tag, measured in run.metrics.items():
        yield from _of_measurement(tag, measured, run.id, kind)
    if run.env_steps and run.kind == "train":
        yield _count("env steps", run.env_steps, run.id, "env step")
    if run.wall_s:
        for unit, seconds in (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)):
            yield Fact(label=f"run time in {unit}", value=run.wall_s / seconds, origin=run.id,
                       words=frozenset({unit[:-1]}))


def _of_measurement(tag: str, measured: Measurement, origin: str, kind: Kind) -> Iterator[Fact]:
    name = tag.rpartition("/")[2]
    bare = name.removesuffix("_rate").replace("_", " ").lower()
    # People say "it succeeds in 98 %" of a success rate.
    words = frozenset({tag.lower(), name.replace("_", " ").lower(), "succe" if bare == "success" else bare})
    for part, value in (("", measured.value), (", lower end", measured.low), (", upper end", measured.high)):
        yield Fact(label=f"{tag}{part}", value=value, origin=origin, words=words, is_rate=is_rate(tag),
                   kind=kind, is_end=bool(part))
    yield Fact(label=f"episodes of {tag}", value=measured.n, origin=origin, words=frozenset({"episode"}))


def _count(label: str, value: float, origin: str, *words: str) -> Fact:
    return Fact(label=label, value=float(value), origin=origin, words=frozenset(words))


TOOLS = (
    Tool(name="check_claim", summary="Is this sentence supported by the store? Ask before you report numbers.",
         args=ClaimArguments, result=Judged, run=check_claim),
)
