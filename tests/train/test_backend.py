"""Which backend is chosen, and what a checkpoint of the other one is good for."""

import importlib.util

import pytest
import torch

from vbotd.train import backend, checkpoint, worker
from vbotd.train.runio import SpecError
from vbotd.train.sim import BatchSimulator
from vbotd.train.tasks.robot import PHYSICS_DT_S, load_model


@pytest.fixture
def free(monkeypatch):
    """Leave the choice to the machine."""
    monkeypatch.delenv(backend.SETTING, raising=False)


@pytest.mark.parametrize(("obstacle", "chosen"), [("no CUDA device", "cpu"), ("", "gpu")])
def test_left_to_itself_it_takes_the_gpu_where_one_can_be_used(free, monkeypatch, obstacle, chosen):
    monkeypatch.setattr(backend, "gpu_obstacle", lambda: obstacle)
    assert backend.choose() == chosen
    monkeypatch.setenv(backend.SETTING, "auto")
    assert backend.choose() == chosen


def test_cpu_is_taken_without_looking_for_a_gpu(monkeypatch):
    monkeypatch.setenv(backend.SETTING, "cpu")
    monkeypatch.setattr(backend, "gpu_obstacle", lambda: pytest.fail("nobody asked"))
    assert backend.choose() == "cpu"
    assert isinstance(backend.make_simulator(load_model(PHYSICS_DT_S), 2, 1), BatchSimulator)


def test_a_gpu_that_is_not_there_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setenv(backend.SETTING, "gpu")
    monkeypatch.setattr(backend, "gpu_obstacle", lambda: "no CUDA device")
    with pytest.raises(ValueError, match="VBOTD_BACKEND is 'gpu', but no CUDA device — set it to cpu or auto"):
        backend.choose()


def test_another_word_is_refused(monkeypatch):
    monkeypatch.setenv(backend.SETTING, "tpu")
    with pytest.raises(ValueError, match="VBOTD_BACKEND is 'tpu' — allowed: auto, cpu, gpu"):
        backend.choose()


def test_the_obstacle_says_what_is_missing():
    obstacle = backend.gpu_obstacle()
    if importlib.util.find_spec("mujoco_warp") is None:
        assert obstacle == "mujoco_warp is not installed"
    else:
        assert obstacle in ("", "no CUDA device")


def test_a_run_does_not_resume_on_the_other_backend_but_its_networks_serve_there(free, monkeypatch, run_folder):
    monkeypatch.setenv(backend.SETTING, "cpu")
    first = run_folder("first")
    worker.train(first)
    path = first.path / checkpoint.read_index(first.path)[-1].path
    saved = checkpoint.load(path)
    saved["lanes"][0]["env"]["sim"] = torch.zeros((8, 55), dtype=torch.float32)  # as a GPU run saves it
    (first.path / "checkpoints" / "index.json").unlink()
    torch.save(saved, path)
    expected = "are of the gpu backend, these of the cpu: VBOTD_BACKEND=gpu.* — use warm_start"
    with pytest.raises(SpecError, match=expected):
        worker.train(run_folder("second", resume_from=str(path), train={"env_steps": 320, "num_envs": 8}))
    worker.train(run_folder("third", warm_start={"checkpoint": str(path)}))
