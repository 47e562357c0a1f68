"""`vbotd health` on run folders made by hand, and its measurement of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from vbotd.cli.health import command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    return tmp_path


def a_run(home: Path, name: str, values: list[float]) -> Path:
    folder = home / "runs" / "adhoc" / name
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(
        {"kind": "train", "task": "vbot_walk_flat", "train": {"env_steps": 100_000}}))
    writer = EventFileWriter(str(folder))
    for place, value in enumerate(values):
        writer.add_event(Event(wall_time=1.0, step=(place + 1) * 1000, summary=Summary(
            value=[Summary.Value(tag="train/success_rate", simple_value=value)])))
    writer.close()
    return folder


def test_findings_of_a_past_run_are_told_with_what_to_do(home: Path):
    run = a_run(home, "peaked", [min(n / 40, 0.9) for n in range(60)] + [0.1] * 20)
    shown = CliRunner().invoke(command, [str(run)])
    assert shown.exit_code == 0, shown.output
    assert "collapse (error, stops the run): train/success_rate peaked at 0.9" in shown.output
    assert "ppo.learning_rate x 0.3" in shown.output
    told = json.loads(CliRunner().invoke(command, [str(run), "--json"]).output)
    finding = told["runs"][0]["findings"][0]
    assert (finding["rule"], finding["level"], finding["stop"]) == ("collapse", "error", True)
    assert 60_000 < finding["env_steps"] <= 70_000


def test_a_run_that_is_well_is_said_to_be(home: Path):
    run = a_run(home, "well", [min(n / 40, 0.98) for n in range(80)])
    assert "no rule has anything against it" in CliRunner().invoke(command, [str(run)]).output


def test_a_target_that_is_none_and_two_questions_at_once_are_refused(home: Path):
    assert CliRunner().invoke(command, []).exit_code == 2
    assert CliRunner().invoke(command, ["x", "--selftest"]).exit_code == 2
    assert "nothing" in str(CliRunner().invoke(command, ["nothing"]).exception)


def test_the_selftest_tells_recall_and_false_alarms_with_intervals(home: Path):
    told = json.loads(CliRunner().invoke(command, ["--selftest", "--curves", "10", "--runs", "1", "--json"]).output)
    assert told["guard"]["recall"]["n"] == told["guard"]["false_stops"]["n"] == 10
    assert told["rules"]["recall"]["non-finite"] == {"value": 1.0, "low": pytest.approx(0.2065, abs=1e-3),
                                                     "high": 1.0, "n": 1}
    assert told["rules"]["false_stops"]["n"] == 5
