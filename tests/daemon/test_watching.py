"""The series of live runs: what is wrong with them is a finding, and a heartbeat that is nonsense is none."""

from __future__ import annotations

from pathlib import Path

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
