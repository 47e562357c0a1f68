"""The figures of the networks: what they are of tensors made by hand."""

from __future__ import annotations

import math

import pytest
import torch

from vbotd.train import loop, worker
from vbotd.train.nets import Normaliser
from vbotd.train.vitals import chatter, feature_rank, vitals


def test_the_rank_counts_directions():
    torch.manual_seed(1)
    wide = torch.randn(256, 8)
    assert feature_rank(wide) == 1.0
    assert feature_rank(torch.randn(256, 2) @ torch.randn(2, 8)) == 0.25
    assert feature_rank(torch.ones(256, 8)) == 0.0
    assert feature_rank(wide * 1e30) == 1.0, "large is not infinite"


def test_what_is_no_number_is_told_and_does_not_raise():
    features = torch.randn(64, 8)
    features[3, 3] = float("nan")
    assert math.isnan(feature_rank(features))


def test_chatter_is_what_is_faster_than_a_gait():
    time_s = torch.arange(24) * 0.02
    slow = torch.sin(2 * torch.pi * 4.1667 * time_s)[:, None, None].expand(24, 5, 12)
    fast = torch.sin(2 * torch.pi * 12.5 * time_s)[:, None, None].expand(24, 5, 12)
    assert chatter(slow, 0.02) < 0.05
    assert chatter(fast, 0.02) > 0.95
    assert chatter(torch.ones(24, 5, 12), 0.02) == 0.0


def test_how_far_observations_are_from_what_is_known():
    normaliser = Normaliser(2)
    assert normaliser.shift(torch.ones(4, 2)) == 0.0, "nothing is known yet"
    normaliser.update(torch.tensor([[-1.0, 0.0], [1.0, 2.0]]))
    assert normaliser.shift(torch.tensor([[[3.0, 1.0]], [[3.0, 1.0]]])) == pytest.approx(3.0, rel=1e-3)


def test_a_run_logs_them_and_learns_the_same_with_and_without(run_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    plain, watched = (worker.prepare(run_folder(name)) for name in ("plain", "watched"))
    for training in (plain, watched):
        loop.collect(training)
        loop.improve(training)
    told = vitals(watched.ppo, 0.02)
    assert set(told) == {"ppo/feature_norm", "ppo/feature_rank", "ppo/dead_units", "ppo/chatter"}
    assert all(math.isfinite(value) for value in told.values())
    for training in (plain, watched):
        loop.collect(training)
        loop.improve(training)
    ours, theirs = plain.ppo.policy.state_dict(), watched.ppo.policy.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
