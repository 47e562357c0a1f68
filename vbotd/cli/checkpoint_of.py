"""Which checkpoint does a person mean by a trial, a run, a campaign or a path?"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vbotd.cli.commanding import not_found_message
from vbotd.core.report_best import ranked
from vbotd.core.report_facts import Facts
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import Run
from vbotd.errors import NotFound, StoreError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.present import score_cards
from vbotd.store.read import Reader


def find_checkpoint(layout: Layout, text: str = "") -> Path:
    """Return the checkpoint file that `text` names; "" is the champion of the last campaign that has one.

    A path is a checkpoint file or a run's folder, then the one that its result chose; so is a run's id. A
    campaign is its champion, while it is open the best trial as the report has it. A trial is the checkpoint that
    its last evaluation used, else that of its last train run.

    Raises: NotFound, saying where it looked and what could be meant.
    """
    if text:
        path = _as_path(Path(text).expanduser())
        if path is not None:
            return path
    with suppress(StoreError), Reader(layout.store) as reader:
        found = _in_store(layout, reader, text) if text else _last_champion(layout, reader)
        if found is not None:
            return found
        if not text:
            raise NotFound("no campaign has a champion yet — name a run, a trial or a checkpoint, "
                           "or see 'vbotd status'")
    by_hand = _as_path(layout.run(text)) if text else None
    if by_hand is not None:
        return by_hand
    raise NotFound(_gone(layout, text) or _what_there_is(layout, text))


def checkpoint_in(run_dir: Path) -> Path | None:
    """Return the checkpoint that a run's result chose, else its newest; None when there is none."""
    with suppress(UnreadableFile):
        chosen = ((read_json(run_dir / "result.json") or {}).get("checkpoint") or {}).get("path")
        if isinstance(chosen, str) and (run_dir / chosen).is_file():
            return run_dir / chosen
    # Twelve digits: the order of the names is the order of the env steps.
    names = sorted((run_dir / "checkpoints").glob("ckpt_*.pt"))
    return names[-1] if names else None


def _as_path(path: Path) -> Path | None:
    if path.is_file():
        return path.resolve()
    found = checkpoint_in(path) if path.is_dir() else None
    return found.resolve() if found else None


def _in_store(layout: Layout, reader: Reader, text: str) -> Path | None:
    record = reader.record(text)
    if record is not None:
        return _champion(layout, reader, record)
    run = reader.run(text)
    if run is not None:
        return _of_run(layout, run)
    trial = reader.trial(text)
    return _of_trial(layout, reader, trial.campaign, trial.id) if trial is not None else None


def _last_champion(layout: Layout, reader: Reader) -> Path | None:
    for record in reversed(reader.records()):
        found = _champion(layout, reader, record)
        if found is not None:
            return found
    return None


def _champion(layout: Layout, reader: Reader, record: CampaignRecord) -> Path | None:
    """Return the checkpoint of a campaign's champion; where it has none, of the trial that the report names first."""
    trial = record.champion or _best_so_far(layout, reader, record)
    return _of_trial(layout, reader, record.id, trial) if trial else None


def _best_so_far(layout: Layout, reader: Reader, record: CampaignRecord) -> str:
    """Return the id of the trial that would be the champion now, "" where none has a score."""
    metrics, qualities = score_cards(layout)
    facts = Facts(now=0.0, records=(record,), trials=reader.trials(record.id), runs=reader.runs(record.id),
                  metrics=metrics, qualities=qualities)
    return next((trial.id for trial in ranked(facts, record)), "")


def _of_trial(layout: Layout, reader: Reader, campaign: str, trial: str) -> Path | None:
    runs = [run for run in reader.runs(campaign) if run.trial == trial]
    for run in reversed(runs):
        judged = (run.spec.get("evaluate") or {}).get("checkpoint") if run.kind == "evaluate" else None
        if judged and _below_runs(layout, judged).is_file():
            return _below_runs(layout, judged)
    trained = (_of_run(layout, run) for run in reversed(runs) if run.kind == "train")
    return next((path for path in trained if path is not None), None)


def _of_run(layout: Layout, run: Run) -> Path | None:
    if run.checkpoint is not None and _below_runs(layout, run.checkpoint.path).is_file():
        return _below_runs(layout, run.checkpoint.path)
    return checkpoint_in(layout.run(run.id))


def _below_runs(layout: Layout, path: str) -> Path:
    # An absolute path stays what it is.
    return layout.runs / path


def _gone(layout: Layout, text: str) -> str:
    """Return what to say of a run, trial or campaign whose checkpoints were deleted, "" where it never had any."""
    with suppress(StoreError), Reader(layout.store) as reader:
        campaign = text.partition("/")[0]
        its = [run for run in reader.runs(campaign) if text in (run.id, run.trial, run.campaign)]
        if any(run.checkpoint is not None for run in its):
            return (f"the checkpoints of '{text}' are gone: deleted to keep runs/ under its cap (keep_gb; "
                    "champions' are kept), or by hand — "
                    f"'vbotd explain {text}' shows what it was and what it scored")
    return ""


def _what_there_is(layout: Layout, text: str) -> str:
    known: list[str] = []
    with suppress(StoreError), Reader(layout.store) as reader:
        for record in reader.records():
            known += [record.id, *(trial.id for trial in reader.trials(record.id))]
    known += sorted(path.relative_to(layout.runs).as_posix() for path in layout.adhoc_runs.glob("*") if path.is_dir())
    return not_found_message("checkpoint for", text, known, "see 'vbotd status', or give the path of a .pt file")
