"""The benchmarks' own arithmetic, and that they measure what they say."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that loads a benchmark as a module."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # they put their own folders on it
    return lambda name: _loaded(name, monkeypatch)


def _loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_the_slots_that_the_daemon_can_choose_are_judged_by_their_medians(bench: Callable[[str], ModuleType]):
    slots = bench("slots")
    rates = {(2, 1): [30.0, 38.0, 50.0], (1, 2): [40.0, 40.0, 41.0], (1, 1): [20.0, 20.0, 20.0]}
    said = slots.judgement(rates, slots.chosen_by_daemon(2))
    assert said["together"] == 0.95 and said["of_best"] == 0.95 and said["passed"]
    assert not slots.judgement({**rates, (2, 1): [37.0]}, slots.chosen_by_daemon(2))["passed"]
    assert slots.judgement({(1, 1): [1.0]}, slots.chosen_by_daemon(2))["passed"] is None


def test_one_core_has_one_setting(bench: Callable[[str], ModuleType]):
    assert bench("slots").chosen_by_daemon(1) == [(1, 1)]


def test_a_bar_is_judged_by_the_closest_peer(bench: Callable[[str], ModuleType]):
    peers = bench("peers")
    rates = {name: {"env_steps_per_s": rate} for name, rate in
             {"vbotd": 30.0, "vbotd-equal": 11.0, "rsl_rl": 10.0, "rsl_rl-shipped-physics": 25.0}.items()}
    bars = {bar["bar"]: bar for bar in peers.judged(rates)}
    assert set(bars) == {"rsl_rl", "rsl_rl-equal"}  # Stable-Baselines3 was not measured
    assert bars["rsl_rl"]["of"] == "vbotd / rsl_rl-shipped-physics" and not bars["rsl_rl"]["passed"]
    assert bars["rsl_rl-equal"]["ratio"] == 1.1 and bars["rsl_rl-equal"]["passed"]


def test_the_lower_bound_of_paired_differences_is_students(bench: Callable[[str], ModuleType]):
    peers = bench("peers")
    # mean 0.1, standard error 0.1 / sqrt(3), t(0.9, 2) = 1.8856
    assert peers.lower_bound([0.0, 0.1, 0.2]) == pytest.approx(0.1 - 1.8856 * 0.1 / 3**0.5, abs=1e-4)
    assert peers.lower_bound([0.1]) is None


def test_every_bar_names_rows_that_there_are(bench: Callable[[str], ModuleType]):
    peers = bench("peers")
    named = {name for _, _, pairs in peers.BARS for pair in pairs for name in pair} | set(peers.LEARN)
    assert named <= set(peers.NAMES)


def test_peers_that_are_not_installed_are_skipped_with_the_reason(
    bench: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    peers = bench("peers")
    monkeypatch.setattr(peers, "PYTHON", tmp_path / "python")
    monkeypatch.setattr("sys.argv", ["peers.py"])
    peers.main()
    assert "make bench-peers" in json.loads(capsys.readouterr().out)["skipped"]


def test_the_bound_comes_from_parts_of_a_real_training(bench: Callable[[str], ModuleType], tmp_path: Path):
    throughput = bench("throughput")
    small = {"ppo.rollout": 4, "ppo.epochs": 1, "ppo.minibatches": 1, "ppo.hidden": [16, 16]}
    setting = throughput.Setting(name="small", task="vbot_walk_flat", params=small, bar=1e9)
    parts = throughput.measure_parts(setting, 1, 2, tmp_path / "run")
    assert min(parts.step_us, parts.inference_us, parts.update_us) > 0.0
    assert parts.bound == pytest.approx(1e6 / (parts.step_us + parts.inference_us + parts.update_us))
    assert parts.physics_steps == 2 and parts.hidden == (16, 16)

    shares = {"simulation": 0.5, "inference": 0.1, "environment": 0.1, "update": 0.3}
    perf = {"env_steps_per_s": 0.9 * parts.bound, **shares}
    row = throughput.row(setting, [(parts, perf)], threads=1)
    assert row["share"] == pytest.approx(0.9) and row["passed"]  # bars are for two cores
    assert not throughput.row(setting, [(parts, perf)], threads=2)["passed"]


def test_the_one_robot_of_stable_baselines3_is_the_task(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("gymnasium", reason="the peers' environment has it: make bench-peers")
    monkeypatch.syspath_prepend(str(BENCH / "_peers"))
    from one_robot import OneRobot, differences

    from vbotd.train.tasks import registry
    from vbotd.train.tasks.settings import resolve
    from vbotd.train.worker import build

    card = registry.find("vbot_walk_flat")
    settings = resolve(card, {})
    assert max(differences(OneRobot(settings), build(card, settings, 2, 1, 1)).values()) < 1e-3


def test_precisions_are_judged_by_the_lower_bound_over_paired_seeds(
    bench: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(BENCH))
    precision = bench("precision")
    scores = {"float32": [0.9, 0.8, 0.9], "bfloat16": [0.9, 0.82, 0.88]}
    monkeypatch.setattr(precision, "one", lambda name, seed, kind, threads: {
        "score": scores[kind][seed - 1], "quality": 0.1, "env_steps_per_s": 150.0 if kind == "bfloat16" else 100.0})
    row = precision.row("walk", 3, 1)
    assert row["difference"] == 0.0 and row["speed"] == 1.5 and row["passed"]
    scores["bfloat16"] = [0.5, 0.82, 0.88]
    assert not precision.row("walk", 3, 1)["passed"]
