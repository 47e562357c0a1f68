"""A checkpoint is everything: what goes on from it is what would have gone on without it."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from vbotd.train import checkpoint, loop, precision, worker
from vbotd.train.checkpoint import Saved
from vbotd.train.runio import SpecError

STATE = ("policy", "normaliser", "optimiser", "lanes", "rng_torch", "recent", "learning_rate", "env_steps")


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def assert_same(a: object, b: object, where: str = "") -> None:
    """Compare nested checkpoint content, tensors bit for bit."""
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor), where
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert isinstance(b, dict), where
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list) and a and isinstance(a[0], dict):
        assert isinstance(b, list) and len(a) == len(b), where
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_same(one, other, f"{where}/{i}")
    elif isinstance(a, list):
        assert repr(a) == repr(b), where  # nan equals nan
    else:
        assert a == b, where


def last_checkpoint(folder) -> dict:
    return checkpoint.load(folder.path / checkpoint.read_index(folder.path)[-1].path)


@pytest.mark.parametrize("task", ["vbot_walk_flat", "vbot_navigation_section001"])
def test_resumed_equals_uninterrupted_bit_for_bit(run_folder, task):
    whole = run_folder("whole", task=task)
    worker.train(whole)
    names = [saved.env_steps for saved in checkpoint.read_index(whole.path)]
    middle = names[1]
    assert 0 < middle < names[-1] == 160
    path = str(whole.path / "checkpoints" / checkpoint.file_name(middle))
    resumed = run_folder("resumed", task=task, resume_from=path)
    worker.train(resumed)
    one, other = last_checkpoint(whole), last_checkpoint(resumed)
    for key in STATE:
        assert_same(one[key], other[key], key)


def test_a_run_goes_on_in_the_precision_that_it_began_in(run_folder, monkeypatch):
    monkeypatch.setattr(precision, "WIDE", 1)
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda: True)
    first = run_folder("first")
    worker.train(first)
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda: False)  # another machine
    path = str(first.path / checkpoint.read_index(first.path)[-1].path)
    assert worker.prepare(run_folder("anew")).ppo.products is torch.float32
    assert worker.prepare(run_folder("resumed", resume_from=path)).ppo.products is torch.bfloat16


def test_a_resume_of_another_seed_is_refused(run_folder):
    first = run_folder("first")
    worker.train(first)
    path = str(first.path / checkpoint.read_index(first.path)[-1].path)
    with pytest.raises(SpecError, match="its seed is 3, the spec's 4 — use warm_start"):
        worker.train(run_folder("second", seed=4, resume_from=path))


def test_a_warm_start_takes_the_weights_and_nothing_else(run_folder):
    first = run_folder("first")
    worker.train(first)
    path = first.path / checkpoint.read_index(first.path)[-1].path
    training = worker.prepare(run_folder("second", warm_start={"checkpoint": str(path)}, seed=4))
    saved = checkpoint.load(path)
    assert_same(saved["policy"]["actor.0.weight"], training.ppo.policy.state_dict()["actor.0.weight"])
    assert_same(saved["normaliser"], dict(training.ppo.normaliser.state_dict()))
    assert training.env_steps == 0
    assert not training.ppo.optimiser.state_dict()["state"]
    # The optimiser must move the very weights that act.
    assert training.ppo.optimiser.param_groups[0]["params"][0] is next(iter(training.ppo.policy.parameters()))
    loop.run(training)


def test_a_damaged_file_is_named(run_folder):
    folder = run_folder()
    worker.train(folder)
    path = folder.path / checkpoint.read_index(folder.path)[-1].path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SpecError, match=r"is damaged — its sha256"):
        checkpoint.load(path)
    (path.parent / "index.json").unlink()
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole), 40, dtype=int)[:-1]:  # torch has a different error for different lengths
        path.write_bytes(whole[:length])
        with pytest.raises(SpecError, match="cannot be read"):
            checkpoint.load(path)


def test_a_file_that_carries_code_is_refused(tmp_path):
    path = tmp_path / "ckpt.pt"
    torch.save({"version": 1, "policy": Fraction(1, 2)}, path)
    with pytest.raises(SpecError, match="cannot be read"):
        checkpoint.load(path)


def row(env_steps: int, score: float | None) -> Saved:
    return Saved(path=f"checkpoints/{checkpoint.file_name(env_steps)}", sha256="", env_steps=env_steps, score=score)


def test_the_latest_of_the_good_ones_is_best():
    assert checkpoint.best([row(1, 0.90), row(2, 0.95), row(3, 0.94), row(4, 0.5)]).env_steps == 3
    assert checkpoint.best([row(1, None), row(2, None)]).env_steps == 2


def test_pruning_keeps_best_last_and_spaced(tmp_path):
    for n in range(1, 11):
        checkpoint.save(tmp_path, {}, n * 100, 1.0 if n == 2 else 0.0)
        checkpoint.prune(tmp_path)
    kept = [saved.env_steps for saved in checkpoint.read_index(tmp_path)]
    assert kept[-1] == 1000
    assert 200 in kept
    assert len(kept) <= checkpoint.SPACED + len(checkpoint.ROLES)
    files = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.pt"))
    assert files == [checkpoint.file_name(n) for n in kept]


def test_the_peak_and_the_last_of_the_rise_outlive_any_decline(tmp_path):
    scores = [0.1, 0.3, 0.5, 0.7, 0.9, 0.89, 0.6, 0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.04, 0.04, 0.03]
    for n, score in enumerate(scores, 1):
        checkpoint.save(tmp_path, {}, n * 100, score)
        checkpoint.prune(tmp_path)
    told = {saved.env_steps: saved.role for saved in checkpoint.read_index(tmp_path)}
    assert told[500] == "peak"
    assert told[400] == "rising"
    assert told[600] == "best", "the latest of those within the tolerance is the one to use"
    assert told[1600] == "last"
    assert {path.name for path in (tmp_path / "checkpoints").glob("*.pt")} == {checkpoint.file_name(n) for n in told}


def test_an_index_from_before_the_roles_is_read(tmp_path):
    checkpoint.save(tmp_path, {}, 100, 0.5)
    index = tmp_path / "checkpoints" / "index.json"
    rows = [{key: row[key] for key in ("path", "sha256", "env_steps", "score")}
            for row in json.loads(index.read_text())["checkpoints"]]
    index.write_text(json.dumps({"checkpoints": rows}))
    assert checkpoint.read_index(tmp_path)[0].env_steps == 100
