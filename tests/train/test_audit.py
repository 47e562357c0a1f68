"""The audit as a run: what it writes, and that it catches the predecessor's exploits and passes our own sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vbotd.core.reward_budget import is_overruled
from vbotd.store.presets import load_preset
from vbotd.train import audit
from vbotd.train.audit import Iteration, examine, iteration_findings
from vbotd.train.runio import RunSpec, SpecError
from vbotd.train.session import make_folder
from vbotd.train.tasks import registry

FLAT, WALK = "vbot_navigation_section001", "vbot_walk_flat"
SMALL = {"num_envs": 32}


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def spec(task: str, **params: object) -> RunSpec:
    return RunSpec(run="audit", kind="audit", entry="vbotd.train.audit:audit", task=task, seed=1, threads=1,
                   params=params, train=SMALL)  # fmt: skip


def errors(report: dict) -> set[str]:
    return {finding["rule"] for finding in report["findings"] if finding["level"] == "error"}


def test_an_audit_is_a_run_with_findings_in_its_result_and_every_number_in_a_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(audit, "PROBE_ENV_STEPS", 1)
    monkeypatch.setattr(audit, "STEPPING_S", 0.05)
    params = {"env.episode_s": 1.0, "reward.alive_reward": 150.0, "reward.success_event": 0.0}
    folder = make_folder(tmp_path / "run", kind="audit", task=FLAT, seed=1, threads=1, params=params, train=SMALL)
    audit.audit(folder)
    result = json.loads((folder.path / "result.json").read_text())
    report = json.loads((folder.path / "audit.json").read_text())
    assert result["outcome"] == "finished" and result["env_steps"] == report["env_steps"] > 0
    assert result["checkpoint"] is None and result["findings"] == report["findings"]
    assert "reward-budget/alive" in errors(report)
    assert report["episodes_per_probe"] == 4 and not report["iteration"]["missing_tags"]
    stand = next(probe for probe in report["probes"] if probe["name"] == "stand")
    assert stand["terms"]["alive_reward"]["sum"] == pytest.approx(150.0, rel=1e-6)
    assert stand["terms"]["alive_reward"]["rate_per_s"] == pytest.approx(150.0, rel=1e-6)
    assert not list(folder.path.glob("**/*.pt")), "the iterations' folder is thrown away"


def test_an_audit_that_is_asked_to_stop_ends_as_stopped(tmp_path: Path):
    folder = make_folder(tmp_path / "run", kind="audit", task=FLAT, seed=1, threads=1, params={}, train=SMALL)
    folder.request_stop()
    audit.audit(folder)
    assert json.loads((folder.path / "result.json").read_text())["outcome"] == "stopped"


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SpecError, match=r"reward\.alive_rewart"):
        examine(spec(FLAT, **{"reward.alive_rewart": 1.0}))


def test_two_iterations_that_are_blind_slow_or_senseless_are_told():
    good = Iteration(env_steps=1, env_steps_per_s=50.0, stepping_per_s=100.0, missing_tags=(), reason="")
    assert iteration_findings(good, 512) == []
    bad = Iteration(env_steps=1, env_steps_per_s=10.0, stepping_per_s=100.0, missing_tags=("ppo/kl",), reason="nan")
    assert [(f.rule, f.level) for f in iteration_findings(bad, 512)] == [
        ("audit/diverged", "error"), ("audit/missing-tags", "error"), ("audit/slow", "warning")]
    assert iteration_findings(bad, 32)[-1].level == "info"


def test_the_lazy_robots_campaign_is_blocked_with_the_numbers_and_the_change_that_heals_it(monkeypatch):
    monkeypatch.setattr(audit, "PROBE_ENV_STEPS", 1)
    monkeypatch.setattr(audit, "STEPPING_S", 0.05)
    campaign = yaml.safe_load((Path(__file__).parents[2] / "campaigns" / "lazy-robot.yaml").read_text())
    params = {f"{group}.{key}": value for group in ("env", "ppo", "reward")
              for key, value in campaign.get(group, {}).items()}
    report = examine(spec(FLAT, **params))
    statue = next(finding for finding in report["findings"] if finding["rule"] == "reward-budget/statue")
    assert statue["level"] == "error" and statue["value"] > 2.0 and "alive_reward 1,500" in statue["message"]
    assert "reward-budget/alive" in errors(report)
    assert all(is_overruled(rule, campaign["allow"]) for rule in errors(report)), "the campaign forces it through"
    remedies = [finding for finding in report["findings"] if finding["rule"].startswith("remedy/")]
    assert (remedies[0]["rule"], remedies[0]["value"]) == ("remedy/alive_reward", pytest.approx(1.5))


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "rule"), [
    ("lazy-robot", "statue"),  # exploit 1
    ("lazy-robot", "alive"),  # same
    ("standing-dominance", "statue"),  # 2
    ("sprint-crash", "crash"),  # 3
    ("deceleration-moat", "moat"),  # 6
    ("negative-walk-incentive", "walking"),  # 8
    ("reach-and-farm", "farm"),  # 9
    ("die-early", "short-episodes"),  # 10
    ("hover-at-boundary", "hover"),  # 11
])  # fmt: skip
def test_the_exploits_of_the_predecessor_are_caught_when_their_numbers_are_put_back(preset: str, rule: str, reports):
    assert f"reward-budget/{rule}" in errors(reports(preset)), reports(preset)["findings"]


@pytest.fixture(scope="module")
def reports():
    """Reports on presets, each made once."""
    made: dict[str, dict] = {}

    def report(preset: str) -> dict:
        if preset not in made:
            settings = load_preset(preset).settings(registry.find(FLAT))
            made[preset] = examine(spec(FLAT, **settings))
        return made[preset]

    return report


@pytest.mark.slow
def test_a_cured_set_lacks_what_it_was_cured_of(reports):
    cured = errors(reports("section001-am4-t1"))
    assert not cured & {f"reward-budget/{rule}" for rule in ("statue", "alive", "crash", "moat", "walking",
                                                            "short-episodes", "hover")}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"env.spawn_radius_m": (8.0, 11.0)}], ids=["near", "far"])
def test_our_own_set_of_the_flat_task_passes(params: dict):
    assert errors(examine(spec(FLAT, **params))) == set()


@pytest.mark.slow
def test_our_own_set_of_the_walking_task_passes():
    report = examine(spec(WALK))
    assert [f for f in report["findings"] if f["level"] != "info" and not is_overruled(f["rule"], ("audit",))] == []
