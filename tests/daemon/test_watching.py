"""The series of live runs: what is wrong with them is a finding, and a heartbeat that is nonsense is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tests.core.given import NOW
from vbotd.daemon.watching import Watching
from vbotd.domain.trial import Run
from vbotd.layout import Layout

RUN = Run(id="c/t001/train-s1-a1", campaign="c", trial="c/t001", kind="train", seed=1, attempt=1, status="running",
          queued_at=NOW)


def write(folder: Path, *values: float) -> Path:
    writer = EventFileWriter(str(folder))
    for step, value in enumerate(values):
        writer.add_event(Event(wall_time=1.0, step=step, summary=Summary(
            value=[Summary.Value(tag="ppo/policy_loss", simple_value=value)])))
    writer.close()
    return next(folder.glob("events.out.tfevents.*"))


def test_a_number_that_is_none_is_an_error_that_stops_the_run(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write(layout.run(RUN.id), 1.0, float("nan"))
    seen, = Watching(layout).poll([RUN])
    (by, finding), = seen.findings
    assert (by, finding.rule, finding.level, finding.stop) == ("core", "non-finite", "error", True)
    assert (finding.tag, finding.env_steps) == ("ppo/policy_loss", 1)


def test_a_damaged_file_is_told_and_what_stands_behind_the_damage_is_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    path = write(layout.run(RUN.id), *[float(n) for n in range(20)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    watching = Watching(layout)
    seen, = watching.poll([RUN])
    assert {finding.rule for _, finding in seen.findings} == {"events-damaged"}
    assert not any(finding.stop for _, finding in seen.findings), "what cannot be observed has not failed"
    assert watching.poll([RUN]) == [], "it is told once"


def test_heartbeats_give_progress_and_nonsense_gives_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.run(RUN.id).mkdir(parents=True)
    beat = layout.run(RUN.id) / "heartbeat.json"
    watching = Watching(layout)
    beat.write_text('{"env_steps": 500, "total_env_steps": 1500, "env_steps_per_s": 100}')
    watching.poll([RUN])
    assert watching.progress[RUN.id].remaining_s == 10.0
    for nonsense in ("", "[]", '{"env_steps": "many"}', '{"env_steps": null, "env_steps_per_s": []}'):
        beat.write_text(nonsense)
        watching.poll([RUN])
        assert RUN.id not in watching.progress or watching.progress[RUN.id].remaining_s is None


def record(folder: Path, series: dict[str, list[float]], spacing: int = 1000) -> None:
    writer = EventFileWriter(str(folder))
    for place in range(len(next(iter(series.values())))):
        writer.add_event(Event(wall_time=NOW + place, step=(place + 1) * spacing, summary=Summary(value=[
            Summary.Value(tag=tag, simple_value=values[place]) for tag, values in series.items()])))
    writer.close()


def test_a_peak_and_its_decline_end_the_run_and_say_from_where_to_go_on(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    folder = layout.run(RUN.id)
    record(folder, {"train/success_rate": [min(n / 40, 0.9) for n in range(60)] + [0.1] * 15,
                    "ppo/learning_rate": [1e-3] * 75})
    (folder / "heartbeat.json").write_text('{"env_steps": 75000, "total_env_steps": 100000, "env_steps_per_s": 100}')
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "index.json").write_text(
        '{"checkpoints": [{"path": "checkpoints/ckpt_000000030000.pt", "env_steps": 30000}, {"path": 3}, 7]}')
    watching = Watching(layout, now=lambda: NOW + 80.0)
    seen, = watching.poll([replace(RUN, spec={"task": "vbot_walk_flat"})])
    (by, finding), = [(by, each) for by, each in seen.findings if each.stop]
    assert (by, finding.rule, finding.tag) == ("core", "collapse", "train/success_rate")
    assert finding.fix.endswith(f"vbotd train vbot_walk_flat --from runs/{RUN.id}/checkpoints/ckpt_000000030000.pt "
                                "--set ppo.learning_rate=0.0003")


def test_a_run_that_falls_silent_is_told_once_and_let_live(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    record(layout.run(RUN.id), {"ppo/kl": [0.01] * 5})
    clock = [NOW + 5.0]
    watching = Watching(layout, now=lambda: clock[0])
    assert watching.poll([RUN]) == []
    clock[0] += 600.0
    seen, = watching.poll([RUN])
    assert [(finding.rule, finding.stop) for _, finding in seen.findings] == [("silent", False)]
    clock[0] += 600.0
    assert watching.poll([RUN]) == []


def test_a_run_is_not_judged_anew_for_every_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path)
    folder = layout.run(RUN.id)
    folder.mkdir(parents=True)
    (folder / "heartbeat.json").write_text('{"total_env_steps": 1000000}')
    looks: list[int] = []
    monkeypatch.setattr("vbotd.daemon.watching.examine", lambda series, context: looks.append(1) or ())
    watching = Watching(layout, now=lambda: NOW)
    writer = EventFileWriter(str(folder))
    for place in range(20):
        writer.add_event(Event(wall_time=NOW, step=place * 1000, summary=Summary(
            value=[Summary.Value(tag="ppo/kl", simple_value=0.01)])))
        writer.flush()
        watching.poll([RUN])
    writer.close()
    assert 3 <= len(looks) <= 5, "after each two hundredth of the run"
