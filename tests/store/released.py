"""The stores that released versions of the schema wrote: how one is made, and what it must tell for ever.

    python -m tests.store.released     writes tests/golden/store-N.db.xz and store-N.json for the version N of now

Run it once when a version of the schema is new, and never again for that version: what lies there is what users have.
"""

from __future__ import annotations

import json
import lzma
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.stories import EVENING, flat_night, story
from vbotd.domain import event as e
from vbotd.domain.event import Event
from vbotd.domain.trial import Proposal
from vbotd.store.events import EventStore
from vbotd.store.read import Reader
from vbotd.store.schema import SCHEMA_VERSION

GOLDEN = Path(__file__).parents[1] / "golden"


def versions() -> list[int]:
    """Return the versions of the schema of which a store lies here, the oldest first."""
    return sorted(int(path.name.split(".")[0].removeprefix("store-")) for path in GOLDEN.glob("store-*.db.xz"))


def unpack(version: int, path: Path) -> None:
    """Put the store of a version at a path, as its vbotd had left it."""
    path.write_bytes(lzma.decompress((GOLDEN / f"store-{version}.db.xz").read_bytes()))


def expected(version: int) -> dict[str, Any]:
    """Return what the store of a version told the vbotd that wrote it."""
    found: dict[str, Any] = json.loads((GOLDEN / f"store-{version}.json").read_text())
    return found


def told(path: Path) -> dict[str, Any]:
    """Return what a store tells, in plain values that no later field of a record changes."""
    with Reader(path) as reader:
        records = reader.records()
        trials = [trial for record in records for trial in reader.trials(record.id)]
        runs = [run for record in records for run in reader.runs(record.id)]
        events = reader.events(limit=100_000)
    return {
        "events": [[stored.seq, stored.at, type(stored.event).__name__, getattr(stored.event, "campaign", ""),
                    getattr(stored.event, "trial", ""), getattr(stored.event, "run", "")] for stored in events],
        "campaigns": {each.id: [each.status, each.outcome, each.champion, each.why, each.paused_why, each.sha256,
                                each.content.name, each.content.task, each.content.budget.trials] for each in records},
        "trials": {each.id: [each.number, each.judged, each.verdict, dict(each.params),
                             None if each.score is None else [each.score.value, each.score.low, each.score.high,
                                                              each.score.n]] for each in trials},
        "runs": {each.id: [each.trial, each.kind, each.seed, each.attempt, each.status, each.outcome, each.reason,
                           each.token, each.env_steps, [finding.rule for finding in each.findings],
                           each.checkpoint and each.checkpoint.path] for each in runs}}


def life() -> list[tuple[float, tuple[Event, ...]]]:
    """Return commits with a night that found a champion, and one that is not over."""
    commits: list[tuple[float, tuple[Event, ...]]] = [(at, (event,)) for at, event in story("seeds")]
    campaign = "open-1123"

    def queued(number: int) -> list[Event]:
        trial, run = f"{campaign}/t{number:03d}", f"{campaign}/t{number:03d}/train-s1-a1"
        params = {"ppo.learning_rate": 1e-4 * number}
        return [e.TrialAdmitted(campaign=campaign, trial=trial, number=number, params=params,
                                proposal=Proposal(params=params, proposer="released", why="a füll wörd — ok")),
                e.RunQueued(campaign=campaign, trial=trial, run=run, kind="train", seed=1, attempt=1,
                            spec={"task": "vbot_walk_flat", "params": params})]

    def about(number: int) -> dict[str, str]:
        trial = f"{campaign}/t{number:03d}"
        return {"campaign": campaign, "trial": trial, "run": f"{trial}/train-s1-a1"}

    at = EVENING + 500_000.0
    commits += [
        (at, (e.DaemonStarted(pid=7, version="0.1.0", boot_id="b", clean=False),)),
        (at + 1, (e.CampaignAccepted(campaign=campaign, content=flat_night(name="open", note="n"), sha256="e" * 64,
                                     file="open.yaml", text="name: open\n", submitted_by="inbox"),)),
        (at + 2, tuple(event for number in (1, 2, 3) for event in queued(number))),
        (at + 3, tuple(e.RunLaunched(**about(number), token=f"open-{number}", threads=1, launch=1)
                       for number in (1, 2))),
        (at + 4, (e.RunStarted(**about(1), pid=11, started_at=at + 4),)),
        (at + 5, (e.RunEnded(**about(2), outcome="lost", reason="its shim died without a word"),)),
        (at + 6, (e.PluginFailed(plugin="p", hook="vbotd_watch", how="raised", campaign=campaign, detail="ValueError"),
                  e.CampaignPaused(campaign=campaign, by="cli:ada", why="dinner"),
                  e.NoteAdded(campaign=campaign, text="look at t001", by="cli:ada"),
                  e.CommandAccepted(key="open-k1", verb="note", args={"id": campaign}, principal="cli:ada",
                                    answer="noted"),
                  e.CommandRefused(key="open-k2", verb="resume", args={"id": "nobody"}, principal="cli:ada",
                                   why="there is no campaign 'nobody'")))]
    return commits


def write() -> None:
    """Write the store of now beside those of the versions before it."""
    target = GOLDEN / f"store-{SCHEMA_VERSION}.db.xz"
    if target.exists():
        raise SystemExit(f"{target.name} lies there: it is what users have, and is never written anew")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vbotd.db"
        with closing(EventStore(path)) as store:
            for at, events in life():
                store.commit(events, at)
        facts = told(path)
        target.write_bytes(lzma.compress(path.read_bytes(), preset=9))
    lines = [json.dumps(key) + ": " + json.dumps(value, ensure_ascii=False) for key, value in facts.items()]
    target.with_name(f"store-{SCHEMA_VERSION}.json").write_text("{" + ",\n ".join(lines) + "}\n")


if __name__ == "__main__":
    write()
