"""Which checkpoint a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.workspace import Workspace, campaign
from tests.open_campaign import CAMPAIGN, Standing, hold, trial_id
from vbotd.cli.checkpoint_of import checkpoint_in, find_checkpoint
from vbotd.errors import NotFound
from vbotd.layout import Layout


def put_checkpoint(run_dir: Path, env_steps: int) -> Path:
    path = run_dir / "checkpoints" / f"ckpt_{env_steps:012d}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_a_path_is_itself(layout: Layout, home: Path):
    path = put_checkpoint(home / "elsewhere", 10)
    assert find_checkpoint(layout, str(path)) == path


def test_a_folder_is_its_newest(layout: Layout):
    run_dir = layout.adhoc_runs / "walk-1"
    put_checkpoint(run_dir, 900)
    newest = put_checkpoint(run_dir, 1000)
    assert checkpoint_in(run_dir) == newest
    assert find_checkpoint(layout, str(run_dir)) == newest
    assert find_checkpoint(layout, "by-hand/walk-1") == newest


def test_a_run_that_chose_its_best_is_taken_at_its_word(layout: Layout):
    run_dir = layout.adhoc_runs / "walk-1"
    best = put_checkpoint(run_dir, 900)
    put_checkpoint(run_dir, 1000)
    (run_dir / "result.json").write_text('{"checkpoint": {"path": "checkpoints/ckpt_000000000900.pt"}}')
    assert find_checkpoint(layout, str(run_dir)) == best


def test_nothing_yet_is_not_found(layout: Layout):
    with pytest.raises(NotFound, match="did you mean 'by-hand/walk-1'"):
        (layout.adhoc_runs / "walk-1").mkdir(parents=True)
        find_checkpoint(layout, "by-hand/walk-2")
    with pytest.raises(NotFound, match="checkpoint for"):
        find_checkpoint(layout, "")


@pytest.mark.parametrize(("standings", "best"), [
    ((Standing(score=0.95), Standing(score=0.91, verdict="promote", seeds=(1, 2, 3))), 2),
    ((Standing(score=0.95, quality=0.4), Standing(score=0.95, quality=0.2)), 2),
    ((Standing(score=0.99, stage="easy"), Standing(score=0.7, stage="hard")), 2),
    ((Standing(score=0.95, verdict="discard"), Standing(score=0.9, verdict="discard")), 1),
], ids=["proved", "of better quality", "at a further stage", "of those that are discarded"])
def test_an_open_campaign_is_its_best_trial_as_the_report_has_it(
        layout: Layout, standings: tuple[Standing, ...], best: int):
    hold(layout, standings, stages=("easy", "hard") if standings[0].stage else ())
    paths = [put_checkpoint(layout.run(f"{trial_id(n)}/train-s1-a1"), 100) for n in (1, 2)]
    assert find_checkpoint(layout, CAMPAIGN) == find_checkpoint(layout, "") == paths[best - 1]


def test_a_campaign_without_a_score_has_no_checkpoint(layout: Layout):
    hold(layout, [Standing(score=None, verdict="discard")])
    put_checkpoint(layout.run(f"{trial_id(1)}/train-s1-a1"), 100)
    with pytest.raises(NotFound, match="no campaign has a champion yet"):
        find_checkpoint(layout, "")


def test_a_campaign_a_trial_and_a_run_name_theirs(workspace: Workspace):
    workspace.drop("short.yaml", campaign(trials=2))
    workspace.run_until_idle()
    (record,) = workspace.records("closed")
    assert record.champion, record
    champion = find_checkpoint(workspace.layout, record.id)
    assert champion.is_file()
    assert champion == find_checkpoint(workspace.layout, "")
    assert champion == find_checkpoint(workspace.layout, record.champion)
    trained = [run for run in workspace.runs().values() if run.trial == record.champion and run.kind == "train"]
    assert champion == find_checkpoint(workspace.layout, trained[-1].id)
    with pytest.raises(NotFound, match=f"did you mean '{record.id}"):
        find_checkpoint(workspace.layout, record.id + "x")
    (other,) = {run.trial for run in workspace.runs().values()} - {record.champion}
    for kept in (workspace.layout.runs / other).glob("*/checkpoints/*.pt"):
        kept.unlink()
    with pytest.raises(NotFound, match="are gone: deleted to keep runs/ under its cap"):
        find_checkpoint(workspace.layout, other)
