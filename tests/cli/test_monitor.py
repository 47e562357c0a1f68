"""`vbotd monitor` on run folders made by hand: what it shows, what it does not believe, what it leaves alone."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from vbotd.cli.monitor import command
from vbotd.cli.monitor_plot import reward_tags
from vbotd.cli.plot_style import PlotsMissing, smoothed
from vbotd.cli.run_view import RunWatch, find_runs
from vbotd.errors import NotFound
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic

RUN = "demo-1123/t001/train-s1-a1"
ENV_STEPS_PER_ITERATION = 24 * 1024
FINISHED = {"version": 1, "outcome": "finished", "reason": "", "env_steps": 1_500_000, "wall_s": 96.2, "metrics": {}}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VBOTD_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def scalars(progress: float, draw: random.Random) -> dict[str, float]:
    noise, climb = draw.gauss, 1 / (1 + math.exp(8 - 16 * progress))
    return {
        "train/success_rate": min(1.0, max(0.0, 0.95 * climb + noise(0, 0.02))),
        "train/episode_return": -8 + 60 * climb + noise(0, 2), "train/episode_length_s": 4 + 14 * climb + noise(0, 0.4),
        "train/fall_rate": max(0.0, 0.9 - 0.88 * climb + noise(0, 0.02)),
        "ppo/kl": 0.01 + abs(noise(0, 0.002)), "ppo/action_std": 0.8 - 0.4 * progress, "ppo/entropy": 14 - 8 * progress,
        "ppo/explained_variance": 0.2 + 0.7 * climb, "ppo/learning_rate": 3e-4,
        "reward/forward_velocity": 2.4 * climb + noise(0, 0.05), "reward/heading": 0.6 * climb + noise(0, 0.03),
        "reward/goal_progress": 1.4 * climb + noise(0, 0.06), "reward/arrival": 0.5 * climb,
        "reward/action_rate_cost": -0.5 + 0.3 * progress + noise(0, 0.01),
        "reward/torque_cost": -0.15 + noise(0, 0.004),
        "reward/upright": 0.8 + 0.1 * progress, "reward/foot_slip_cost": -0.1 * climb + noise(0, 0.005),
        "perf/env_steps_per_s": 15_000.0,
    }


def make_run(home: Path, run: str = RUN, *, iterations: int = 60, seed: int = 1, **beat) -> Path:
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    write_json_atomic(folder / "spec.json", {"version": 1, "run": run, "kind": "train", "params": {}})
    if iterations:
        writer = EventFileWriter(str(folder))
        draw = random.Random(seed)
        for i in range(1, iterations + 1):
            values = [Summary.Value(tag=t, simple_value=v) for t, v in scalars(i / iterations, draw).items()]
            writer.add_event(Event(wall_time=1e9, step=i * ENV_STEPS_PER_ITERATION, summary=Summary(value=values)))
        writer.close()
        write_json_atomic(folder / "heartbeat.json", {
            "phase": "train", "env_steps": iterations * ENV_STEPS_PER_ITERATION, "total_env_steps": 3_000_000,
            "env_steps_per_s": 15_200.0, "success_rate": 0.41, "at": 4e9} | beat)
    return folder


def monitor(*args: str):
    return CliRunner().invoke(command, args, catch_exceptions=True)


def test_a_run_is_shown_with_its_progress_metrics_and_reward_terms(home):
    make_run(home)
    result = monitor(RUN)
    assert result.exit_code == 0, result.output
    for text in (RUN, "train", "1.475 M of 3 M", "49%", "15,200", "1:40", "41%", "train/success_rate", "ppo/kl", "↑",
                 "reward terms, per second", "forward_velocity", "share of all", "Success in training is"):
        assert text in result.output


def test_a_campaign_is_a_row_for_each_run_and_a_trial_too(home):
    make_run(home)
    make_run(home, "demo-1123/t002/train-s1-a1", iterations=0)
    rows = monitor("demo-1123").output
    for text in ("run of demo-1123", "t001/train-s1-a1", "t002/train-s1-a1", "starting"):
        assert text in rows
    assert "reward terms" not in rows
    assert "t002" not in monitor("demo-1123/t001").output


def test_a_folder_anywhere_is_a_run(home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    folder = make_run(elsewhere)
    output = monitor(str(folder)).output
    assert "train-s1-a1" in output and "train/success_rate" in output


def test_json_has_the_same_facts(home):
    make_run(home)
    (run,) = json.loads(monitor(RUN, "--json").output)["runs"]
    assert (run["run"], run["state"], run["has_ended"]) == (RUN, "train", False)
    assert run["env_steps_per_s"] == 15_200.0
    assert run["metrics"][0]["tag"] == "train/success_rate"
    assert run["findings"] == [] and run["troubles"] == []
    assert sum(run["reward_shares"].values()) == pytest.approx(1.0, abs=1e-4)
    assert next(iter(run["reward_shares"])) == "reward/forward_velocity"
    assert run["words"][-1] == "No rule has anything against it."


def test_what_is_not_there_is_not_found(home):
    make_run(home)
    for target in ("nowhere", "demo-1123/t009"):
        error = monitor(target).exception
        assert isinstance(error, NotFound)
        assert error.exit_code == 5
        assert "demo-1123" in str(error) or "nowhere" in str(error)


def test_follow_ends_with_the_run(home, monkeypatch):
    folder = make_run(home)
    waits = []

    def finish(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            write_json_atomic(folder / "result.json", FINISHED)

    monkeypatch.setattr("vbotd.cli.monitor.time.sleep", finish)
    result = monitor(RUN, "--follow")
    assert result.exit_code == 0, result.output
    assert waits == [2.0, 2.0]
    assert "finished" in result.output
    assert monitor(RUN, "--follow", "--json").exit_code == 2


def test_how_a_run_stands_is_said_without_claiming_more(home):
    layout, folder = Layout(home), make_run(home, at=1000.0)
    watch = RunWatch(folder, layout, now=lambda: 1100.0)
    assert watch.look().state == "silent for 100 s"
    write_json_atomic(folder / "exit.json", {"code": 1})
    assert (watch.look().state, watch.look().has_ended) == ("ended without a result", True)
    write_json_atomic(folder / "result.json", FINISHED)
    assert watch.look().state == "finished"


def test_damage_in_a_file_is_shown_and_nothing_of_it_reaches_the_terminal_raw(home):
    folder = make_run(home, phase="\x1b[2Jtrain[bold]")
    events = next(folder.glob("events*"))
    data = bytearray(events.read_bytes())
    data[500] ^= 1
    events.write_bytes(data)
    (folder / "result.json").write_text("{broken")
    output = monitor(RUN).output
    assert "\x1b[2J" not in output and "[bold]" in output
    assert "checksum" in output and "result.json: is not JSON" in output


def test_a_watch_reads_only_what_is_new(home):
    folder = make_run(home)
    watch = RunWatch(folder, Layout(home))
    before = watch.look()
    writer = EventFileWriter(str(folder), filename_suffix=".later")
    summary = Summary(value=[Summary.Value(tag="ppo/kl", simple_value=float("nan"))])
    writer.add_event(Event(step=10**8, summary=summary))
    writer.close()
    after = watch.look()
    assert len(after.points["ppo/kl"]) == len(before.points["ppo/kl"]) + 1
    assert [finding.rule for finding in after.diagnosis.findings] == ["non-finite"]


def test_plot_writes_a_picture_of_all_runs(home):
    make_run(home)
    make_run(home, "demo-1123/t002/train-s1-a1", seed=2, iterations=90)
    make_run(home, "demo-1123/t003/train-s1-a1", iterations=0)
    out = home / "out.png"
    result = monitor("demo-1123", "--plot", str(out))
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in home.iterdir()) == ["out.png", "runs"]


def test_plot_of_one_run_shows_all_that_it_logs(home):
    from matplotlib.figure import Figure

    from vbotd.cli.monitor_panels import draw_run

    figure = Figure()
    draw_run(figure, RunWatch(make_run(home), Layout(home)).look())
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "how episodes end, rate"
    assert "what the reward terms pay, per second" in titles
    assert "KL divergence of an update" in titles
    (legend,) = [axes.get_legend() for axes in figure.axes if axes.get_title(loc="left") == ""]
    names = [text.get_text() for text in legend.get_texts()]
    assert names[0].startswith("forward_velocity +")
    assert names[-1] == "sum"


def test_plot_of_a_run_with_nothing_but_nan_is_a_picture_too(home):
    folder = make_run(home, "demo-1123/$x$/train", iterations=0)
    writer = EventFileWriter(str(folder))
    for step in range(3):
        value = Summary.Value(tag="reward/$\\frac$", simple_value=math.nan)
        writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()
    assert monitor("demo-1123/$x$/train", "--plot", str(home / "out.png")).exit_code == 0


def test_without_matplotlib_the_extra_is_named(home, monkeypatch):
    make_run(home)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    error = monitor(RUN, "--plot", str(home / "out.png")).exception
    assert isinstance(error, PlotsMissing)
    assert 'pip install "vbotd[plots]"' in str(error)
    assert not (home / "out.png").exists()


def test_the_largest_reward_terms_come_first_and_smoothing_keeps_both_ends(home):
    view = RunWatch(make_run(home), Layout(home)).look()
    assert reward_tags([view])[:2] == ["reward/forward_velocity", "reward/upright"]
    points = [(i, float(i % 2)) for i in range(100)]
    assert len(smoothed(points)) == 100
    assert all(0.3 < value < 0.7 for _, value in smoothed(points)[5:-5])


def test_runs_are_found_in_order_and_other_folders_are_none(home):
    make_run(home)
    make_run(home, "demo-1123/t001/eval-s1-a1", iterations=0)
    (home / "runs" / "demo-1123" / "t001" / "empty").mkdir()
    assert [path.name for path in find_runs(Layout(home), "demo-1123")] == ["eval-s1-a1", "train-s1-a1"]


def test_it_loads_neither_torch_nor_mujoco(home):
    make_run(home)
    code = ("import sys; from vbotd.cli.monitor import command; command([sys.argv[1]], standalone_mode=False); "
            "sys.exit(7 if {'torch', 'mujoco', 'matplotlib'} & set(sys.modules) else 0)")
    done = subprocess.run([sys.executable, "-c", code, RUN], cwd=Path(__file__).parents[2], capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
