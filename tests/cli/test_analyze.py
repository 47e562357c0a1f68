"""analyze on a campaign's store: importance, the best, a picture, and a campaign that pins the best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import stories
from tests.cli.calling import Called
from vbotd.domain import event as e
from vbotd.domain.campaign import Budget
from vbotd.domain.metric import Measurement
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.trial import CheckpointRef, Proposal
from vbotd.layout import Layout
from vbotd.store.events import EventStore

CAMPAIGN = "flat-night-1123"
SPACE = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-2),
                                Dimension(key="reward.trot_reward", kind="uniform", low=0.0, high=2.0),
                                Dimension(key="ppo.schedule", kind="choice", choices=("adaptive", "fixed"))))


def tell(layout: Layout, num_trials: int) -> None:
    """Put a search into the store whose learning rate decides, and every ninth trial of which fails."""
    layout.make()
    content = stories.flat_night(budget=Budget(trials=num_trials), space=SPACE, params={"env.command_s": 4.0})
    rng, store = np.random.default_rng(2), EventStore(layout.store)
    store.commit((e.CampaignAccepted(campaign=CAMPAIGN, content=content, sha256="a" * 64, file="f.yaml", text="",
                                     submitted_by="inbox"),), stories.EVENING)
    for number in range(1, num_trials + 1):
        rate = float(10 ** rng.uniform(-4, -2))
        params = {"ppo.learning_rate": rate, "reward.trot_reward": float(rng.uniform(0, 2)),
                  "ppo.schedule": ("adaptive", "fixed")[number % 2]}
        trial = f"{CAMPAIGN}/t{number:03d}"
        run = f"{trial}/train-s1-a1"
        success = float(np.clip(0.95 - 0.6 * abs(np.log10(rate) + 3) + rng.normal(0, 0.03), 0.0, 1.0))
        score = None if number % 9 == 0 else Measurement(value=success, low=max(0.0, success - 0.05),
                                                         high=min(1.0, success + 0.04), n=256)
        names = {"campaign": CAMPAIGN, "trial": trial, "run": run}
        store.commit((
            e.TrialAdmitted(campaign=CAMPAIGN, trial=trial, number=number, params={"env.command_s": 4.0} | params,
                            proposal=Proposal(params=params, proposer="hp-search")),
            e.RunQueued(**names, kind="train", seed=1, attempt=1, spec={
                "task": stories.TASK, "train": {"env_steps": 1_500_000, "num_envs": 512}}),
            e.RunLaunched(**names, token=f"t{number}", threads=1, launch=1),
            e.RunStarted(**names, pid=7, started_at=1.0),
            e.RunEnded(**names, outcome="finished", checkpoint=CheckpointRef(
                path=f"{run}/c.pt", sha256="b" * 64, env_steps=1_500_000)),
            e.TrialJudged(campaign=CAMPAIGN, trial=trial, score=score, verdict="keep" if score else "discard", why=""),
        ), stories.EVENING + number)
    store.close()


def test_the_setting_that_decided_is_found_in_the_store(call: Callable[..., Called], layout: Layout):
    tell(layout, 27)
    told = call("analyze", "flat", "--json").json()
    assert told["trials"] == {"scored": 24, "failed": 3, "open": 0}
    assert (told["importances"][0]["key"], told["importances"][0]["matters"]) == ("ppo.learning_rate", True)
    assert sum(group["failed"] for group in told["importances"][0]["groups"]) == 3
    scores = [best["score"]["value"] for best in told["best"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    text = call("analyze", CAMPAIGN).out
    assert "ppo.learning_rate" in text and "matters" in text
    assert "note: the best score was chosen for being the best of many" in text


def test_the_best_becomes_a_campaign_that_passes_the_check(call: Callable[..., Called], layout: Layout, home: Path):
    tell(layout, 12)
    best = call("analyze", CAMPAIGN, "--json").json()["best"][0]
    called = call("analyze", CAMPAIGN, "--export", "pinned.yaml")
    assert called.code == 0, called.err
    text = (home / "pinned.yaml").read_text()
    assert best["trial"] in text
    checked = call("check", "pinned.yaml")
    assert checked.code == 0, checked.err
    assert "5 of 1.5 M env steps in 512 environments" in checked.out
    assert "fixed        env.command_s = 4.0" in checked.out
    assert call("analyze", CAMPAIGN, "--export", "pinned.yaml").code == 1
    other = call("analyze", CAMPAIGN, "--export", "other.yaml", "--trial", "t002")
    assert (other.code, f"{CAMPAIGN}/t002" in (home / "other.yaml").read_text()) == (0, True)


def test_the_picture(call: Callable[..., Called], layout: Layout, home: Path):
    tell(layout, 12)
    called = call("analyze", CAMPAIGN, "--plot", "out.png")
    assert called.code == 0, called.err
    assert (home / "out.png").read_bytes().startswith(b"\x89PNG")


def test_three_trials_teach_little_and_it_says_so(vbotd):
    result = vbotd("success", "analyze", "flat-night")
    assert result.exit_code == 0
    assert "too few to say which setting mattered" in result.output
    assert "t003 (champion)" in result.output
    assert "98.4 %" in result.output


@pytest.mark.parametrize(("words", "code"), [(("nothing",), 5), (("flat-night", "--export", "x.yaml"), 5),
                                             (("flat-night", "--trial", "t001"), 2)])
def test_what_cannot_be_analyzed_is_said(vbotd, words: tuple[str, ...], code: int):
    assert vbotd("all_failed", "analyze", *words).exit_code == code
