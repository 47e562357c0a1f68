"""`vbotd audit`: what a person reads, and the exit code that a script reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vbotd.cli import audit

REPORT: dict[str, Any] = {
    "task": "vbot_walk_flat", "episode_s": 20.0, "control_dt_s": 0.02, "gamma": 0.99, "episodes_per_probe": 16,
    "num_envs": 512, "reference": "follow", "wall_s": 31.0,
    "iteration": {"env_steps_per_s": 9000.0, "stepping_per_s": 18000.0, "share": 0.5},
    "probes": [
        {"name": "stand", "summary": "stands", "total": 4185.0, "rate_per_s": 104.6, "discounted": 100.0,
         "length_s": 40.0, "success_rate": 0.0, "fall_rate": 0.0,
         "terms": {"alive_reward": {"sum": 4000.0, "rate_per_s": 100.0, "discounted": 90.0},
                   "torque_cost": {"sum": -1.0, "rate_per_s": -0.1, "discounted": -0.1}}},
        {"name": "follow", "summary": "follows", "total": 2031.0, "rate_per_s": 101.0, "discounted": 100.0,
         "length_s": 20.0, "success_rate": 1.0, "fall_rate": 0.0, "terms": {}}],
    "findings": [{"rule": "reward-budget/statue", "level": "error", "message": "'stand' earns 4,185", "value": 2.06,
                  "fix": "pay less for being there"}],
}  # fmt: skip
ALLOWING = """version: 1
name: walk
task: vbot_walk_flat
budget: {trials: 1}
reward: {trot_reward: 2}
allow: [reward-budget]
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the verb asked of train/, which is not started here; tests/train/test_audit.py does."""
    calls: list[tuple[Any, ...]] = []

    def answer(*args: Any, quiet: bool) -> dict[str, Any]:
        calls.append(args)
        return {**REPORT, "findings": [dict(finding) for finding in REPORT["findings"]]}

    monkeypatch.setattr(audit, "_audit", answer)
    return calls


def test_an_error_is_exit_code_1_and_names_the_rule_and_the_way_out(call: Callable[..., Any], asked):
    called = call("audit", "vbot_walk_flat", "--param", "reward.trot_reward=3", "--set", "ppo.gamma=0.98")
    assert called.code == 1
    assert "reward-budget/statue" in called.err and "allow: [reward-budget]" in called.err
    assert "stand" in called.out and "4,185" in called.out and "alive_reward 4,000" in called.out
    assert "follow *" in called.out and "pay less for being there" in called.out
    assert asked[0][:2] == ("vbot_walk_flat", {"reward.trot_reward": 3.0, "ppo.gamma": 0.98})


def test_a_campaign_is_audited_with_its_settings_and_what_it_allows_is_no_error(call, asked, home: Path):
    (home / "walk.yaml").write_text(ALLOWING)
    called = call("audit", "walk.yaml")
    assert called.code == 0 and "overruled by allow" in called.out
    assert dict(asked[0][1]) == {"reward.trot_reward": 2}


def test_json_is_the_whole_report(call, asked):
    called = call("audit", "vbot_walk_flat", "--json")
    assert called.code == 1
    report = called.json()
    assert report["probes"][0]["terms"]["alive_reward"]["sum"] == 4000.0
    assert report["findings"][0]["overruled"] is False


def test_every_term_is_shown_on_request(call, asked):
    assert "torque_cost" not in call("audit", "vbot_walk_flat").out
    assert "torque_cost" in call("audit", "vbot_walk_flat", "--terms").out


def test_a_task_that_is_not_there_and_a_file_that_cannot_run(call, asked, home: Path):
    assert call("audit", "vbot_walk_flatt").code == 5
    (home / "bad.yaml").write_text("version: 1\nname: bad\n")
    assert call("audit", "bad.yaml").code == 4
    assert not asked


def test_nothing_to_object_to():
    assert "nothing to object to" in audit.report_text({**REPORT, "findings": []})
