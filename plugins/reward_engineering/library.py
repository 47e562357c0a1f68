"""The reward library: one YAML file for each idea that was tried, so that nobody tries again what was refuted.

`components/` holds changes that helped (or may yet), `rejected/` those that did not and the weights that taught a robot
something else, `configs/` the weights that a campaign ended with. Every entry is made from a campaign's history alone,
as often as one likes; an entry that other campaigns have added to keeps their experiments.

Reads and writes: state/reward_library/{components,configs,rejected}/*.yaml.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vbotd.domain.history import History
from vbotd.layout import Layout

from .diagnosis import Diagnosis
from .hypotheses import PREFIX
from .options import Options
from .story import Experiment, Story, scores

LARGEST_BYTES = 1 << 20
HELPED = ("adopt", "iterate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the library: its folder and name, and what it says."""

    folder: str
    name: str
    content: Mapping[str, Any]


def entries(history: History, options: Options, story: Story, seen: Mapping[str, Diagnosis]) -> Iterator[Entry]:
    """Yield what a campaign has to tell the library; `seen` are the diagnoses by trial id."""
    for experiment in story.experiments:
        if experiment.decision is not None and experiment.term:
            yield _component(history, experiment, seen.get(experiment.base.id))
    first = next((trial for trial in history.trials if trial.id in seen), None)
    if first is not None:
        yield Entry(folder="rejected", name=f"{history.campaign.task}.{_short(first.id)}", content={
            **_config(history, first.id), "status": "rejected", "behaviour": seen[first.id].behaviour,
            "why": seen[first.id].evidence, "based_on": ""})
    adopted = [e for e in story.experiments if e.decision is not None and e.decision.verdict in HELPED]
    if adopted:
        yield Entry(folder="configs", name=f"{history.campaign.task}.{history.record.id}", content={
            **_config(history, adopted[-1].trial.id), "based_on": adopted[0].base.id})


def _component(history: History, experiment: Experiment, diagnosis: Diagnosis | None) -> Entry:
    decision = experiment.decision
    assert decision is not None, "an open experiment is no entry yet"
    task, before, after = history.campaign.task, experiment.before, experiment.after
    helped = decision.verdict in HELPED
    key = PREFIX + experiment.term
    content: dict[str, Any] = {
        "name": experiment.term,
        "type": "penalty" if experiment.term.endswith("_cost") else "reward",
        "category": diagnosis.behaviour if diagnosis else "",
        "status": {"adopt": "adopted", "iterate": "adopted", "inconclusive": "inconclusive"}.get(
            decision.verdict, "rejected"),
        "task": task,
        "source": experiment.source,
        "hypothesis": experiment.trial.proposal.why,
        "mechanism": f"{key} {before:g} → {after:g}",
        "change": {"before": before, "after": after, "factor": round(after / before, 6) if before else None},
        "weight_range": {"tested": sorted({before, after}), "recommended": [after] if helped else []},
        "terrain": _card_text(history),
        "experiments": [{
            "id": f"RPE_{_day(history)}_{experiment.trial.number:03d}", "trial": experiment.trial.id,
            "baseline": experiment.base.id, "result": decision.verdict, "notes": decision.why,
            "pairs": [{"seed": pair.seed, "before": round(pair.before, 4), "after": round(pair.after, 4)}
                      for pair in experiment.pairs]}],
        "implementation": {"file": history.task.factory if history.task else "", "config_key": key,
                           "requires_code_change": False},
    }
    folder = "rejected" if content["status"] == "rejected" else "components"
    return Entry(folder=folder, name=f"{task}.{experiment.term}.{before:g}-to-{after:g}", content=content)


def _config(history: History, trial_id: str) -> dict[str, Any]:
    trial = next(one for one in history.trials if one.id == trial_id)
    weights = {card.key.removeprefix(PREFIX): trial.params.get(card.key, card.default)
               for card in (history.task.params if history.task else ()) if card.key.startswith(PREFIX)}
    metric = history.task.metric.tag if history.task else ""
    by_seed = scores(history, trial)
    return {"name": _short(trial_id), "environment": history.campaign.task, "date": _day(history), "trial": trial_id,
            "reward_scales": {term: weight for term, weight in weights.items() if weight},
            "performance": {metric: {seed: round(score, 4) for seed, score in sorted(by_seed.items())}}}


def write(layout: Layout, found: Iterable[Entry]) -> tuple[Path, ...]:
    """Write entries where they say something new, and return the files; nothing where there is no workspace."""
    if not layout.store.exists():
        return ()
    written = []
    for entry in found:
        path = folder_of(layout) / entry.folder / f"{_file_name(entry.name)}.yaml"
        content = _merged(entry.content, _load(path))
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        if _text(path) == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
        written.append(path)
        # An idea that is judged otherwise now stands in one place only.
        other = {"components": "rejected", "rejected": "components"}.get(entry.folder)
        if other is not None and "change" in entry.content:
            with suppress(FileNotFoundError):
                (folder_of(layout) / other / path.name).unlink()
    return tuple(written)


def refuted(layout: Layout, task: str) -> tuple[tuple[str, float, float], ...]:
    """Return (term, before, after) of the changes that were refuted on a task, in whatever campaign."""
    return tuple(_changes(layout, "rejected", task))


def adopted(layout: Layout, task: str, behaviour: str) -> tuple[tuple[str, float], ...]:
    """Return (term, factor) of the changes that healed a behaviour on a task, in whatever campaign."""
    return tuple((term, after / before) for term, before, after in _changes(layout, "components", task, behaviour)
                 if before)


def _changes(layout: Layout, folder: str, task: str, behaviour: str = "") -> Iterator[tuple[str, float, float]]:
    for path in sorted((folder_of(layout) / folder).glob("*.yaml")):
        content = _load(path)
        change = content.get("change")
        if content.get("task") != task or not isinstance(change, dict):
            continue
        if behaviour and (content.get("category") != behaviour or content.get("status") != "adopted"):
            continue
        before, after = change.get("before"), change.get("after")
        if isinstance(before, int | float) and isinstance(after, int | float):
            yield str(content.get("name")), float(before), float(after)


def folder_of(layout: Layout) -> Path:
    """Return the library's folder."""
    return layout.state / "reward_library"


def _merged(content: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with the experiments of other trials that stand there already."""
    if "experiments" not in content:
        return dict(content)
    own = {experiment["trial"] for experiment in content["experiments"]}
    kept = [experiment for experiment in there.get("experiments") or ()
            if isinstance(experiment, dict) and experiment.get("trial") not in own]
    together = sorted([*kept, *content["experiments"]], key=lambda experiment: str(experiment.get("trial")))
    return {**content, "experiments": together}


def _load(path: Path) -> dict[str, Any]:
    """Return a file's mapping; nothing where it is none: the library is a view and may be in any state."""
    try:
        content = yaml.safe_load(_text(path))
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
            return path.read_text(encoding="utf-8")
    return ""


def _replace(path: Path, text: str) -> None:
    """Give a file new content in one step: the old, or the new, and never half of it."""
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        try:
            rest = memoryview(text.encode())
            while rest:
                rest = rest[os.write(handle, rest):]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-+" else "-" for letter in name)[:150]


def _short(trial_id: str) -> str:
    return trial_id.replace("/", ".")


def _day(history: History) -> str:
    return time.strftime("%Y%m%d", time.gmtime(history.record.accepted_at))


def _card_text(history: History) -> str:
    return history.task.summary if history.task else ""
