"""Another reference walker: written, measured, and put in the shipped one's place only where it is no worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vbotd.store.files import sha256_of
from vbotd.train import rebuild_walker, reference_walker
from vbotd.train.nets import Normaliser, Policy
from vbotd.train.rebuild_walker import export, is_replaced, main
from vbotd.train.reference_walker import ReferenceWalker

TRAINED = {"train/success_rate": {"value": 0.0, "low": 0.0, "high": 0.1, "n": 30}}


def untrained() -> tuple[Policy, Normaliser]:
    torch.manual_seed(0)
    return Policy(48, 12, [16, 8], 1.0), Normaliser(48)


def saved_of(policy: Policy, normaliser: Normaliser) -> dict[str, Any]:
    return {"policy": policy.state_dict(), "normaliser": normaliser.state_dict(), "env_steps": 100}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped walker, a training that learns nothing, and few episodes to measure by."""
    weights = tmp_path / "package" / "reference_walker.npz"
    weights.parent.mkdir()
    for suffix in (".npz", ".json"):
        weights.with_suffix(suffix).write_bytes(reference_walker.WEIGHTS.with_suffix(suffix).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reference_walker, "WEIGHTS", weights)
    monkeypatch.setattr(rebuild_walker, "train", lambda: (saved_of(*untrained()), TRAINED))
    monkeypatch.setattr(rebuild_walker, "EPISODES", 3)
    return weights


@pytest.mark.parametrize(("new", "shipped", "force", "expected"), [
    (0.76, 0.82, False, False),
    (0.82, 0.82, False, True),
    (0.83, 0.82, False, True),
    (0.0, None, False, True),
    (0.76, 0.82, True, True),
])  # fmt: skip
def test_only_a_walker_that_is_no_worse_replaces_the_shipped_one(
    new: float, shipped: float | None, force: bool, expected: bool
) -> None:
    assert is_replaced(new, shipped, force=force) is expected


def test_a_worse_walker_is_kept_out_of_the_package(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sha256_of(shipped)
    assert main([]) == 1
    assert sha256_of(shipped) == before
    candidate = Path("runs", "reference-walker", "reference_walker.npz").resolve()
    assert ReferenceWalker.load(candidate).layers[0][0].shape == (16, 48)
    told = capsys.readouterr().out
    assert told.startswith(f"kept {shipped}") and f"the new one lies in {candidate}" in told
    assert "the new walker succeeds in 0.0 %" in told and "the shipped one 100.0 %" in told


def test_what_is_forced_replaces_the_shipped_walker_with_its_record(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--force"]) == 0
    assert ReferenceWalker.load().layers[0][0].shape == (16, 48)
    assert json.loads(shipped.with_suffix(".json").read_text(encoding="utf-8"))["metrics"] == TRAINED
    assert capsys.readouterr().out.startswith(f"replaced {shipped}")


def test_a_damaged_walker_is_replaced(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped.write_bytes(b"x")
    assert main([]) == 0
    assert ReferenceWalker.load().layers[0][0].shape == (16, 48)
    assert "there was no shipped one to measure" in capsys.readouterr().out


def test_the_walker_without_torch_acts_as_the_policy_that_it_was_exported_from(tmp_path: Path) -> None:
    policy, normaliser = untrained()
    obs = torch.randn(64, 48)
    normaliser.update(3.0 * obs + 1.0)
    export(saved_of(policy, normaliser), TRAINED, tmp_path / "w.npz")
    with torch.inference_mode():
        expected = policy.mean(normaliser(obs)).numpy()
    np.testing.assert_allclose(ReferenceWalker.load(tmp_path / "w.npz").action(obs.numpy()), expected, atol=1e-5)
