"""check: every problem at once, with its place; and what a good file will do."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calling import ROOT


def test_a_good_file_is_summed_up(call, campaign_file):
    called = call("check", str(campaign_file))
    assert called.code == 0, called.err
    assert "walk.yaml: ok" in called.out
    assert "4 of up to 1 M env steps" in called.out and "4 M env steps by hp-search" in called.out
    assert "ppo.learning_rate: log in [0.0001, 0.001]" in called.out


def test_every_problem_has_its_place_and_its_fix(call, home: Path):
    bad = home / "bad.yaml"
    bad.write_text("version: 1\nname: x\ntask: vbot_walk_flt\nbudget: {trails: 2}\nppo: {gama: 0.9}\n")
    called = call("check", str(bad))
    assert called.code == 4
    assert f"{bad}:3:7: task:" in called.err
    assert "did you mean 'vbot_walk_flat'?" in called.err
    assert f"{bad}:4:" in called.err
    assert "did you mean 'trials'?" in called.err


def test_a_skills_own_block_is_checked_by_its_own_model(call, home: Path):
    bad = home / "bad.yaml"
    bad.write_text("version: 1\nname: x\ntask: vbot_walk_flat\nbudget: {trials: 3}\n"
                   "skills:\n  - hp_search: {samplr: tpe}\n"
                   "search: {space: {ppo.learning_rate: {log: [1e-4, 1e-3]}}}\n")
    called = call("check", str(bad))
    assert called.code == 4
    assert f"{bad}:6:" in called.err
    assert "samplr" in called.err


def test_a_search_by_rungs_takes_what_its_bracket_takes(call, home: Path):
    halving = (ROOT / "campaigns" / "halving.yaml").read_text()
    (home / "halving.yaml").write_text(halving)
    called = call("check", "halving.yaml")
    assert called.code == 0, called.err
    assert "9 of up to 248.8 k env steps in 64 environments\n" in called.out, "not nine whole trainings"
    assert ("1.327 M env steps by hp-search: 9 trials to 27.6 k env steps, 3 of them on to 82.9 k, 1 of them on to "
            "0.249 M: 0.581 M; winner and baseline again with 1 fresh seed: 0.746 M\n") in called.out


def test_json_tells_each_file_apart(call, home: Path, campaign_file: Path):
    bad = home / "bad.yaml"
    bad.write_text("version: 2\n")
    called = call("check", str(campaign_file), str(bad), "--json")
    assert called.code == 4
    good, refused = called.json()["files"]
    assert (good["ok"], good["campaign"], good["trials"], good["problems"]) == (True, "walk", 4, [])
    assert not refused["ok"]
    assert {"line", "column", "where", "message", "fix"} == set(refused["problems"][0])


def test_the_demo_campaign_is_good(call):
    assert call("check", str(ROOT / "campaigns" / "demo.yaml")).code == 0


def test_the_example_of_the_readme_is_good(call, home: Path):
    example = (ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    (home / "example.yaml").write_text(example)
    called = call("check", "example.yaml")
    assert called.code == 0, called.err


def test_a_missing_file_is_not_found(call):
    assert call("check", "nowhere.yaml").code == 5
