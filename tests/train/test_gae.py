"""Advantages by hand arithmetic: what a time-out is worth, and what a fall is not."""

import pytest
import torch

from vbotd.train.buffer import Rollout, gae


def column(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1)


def flags(*bits: int) -> torch.Tensor:
    return torch.tensor(bits, dtype=torch.bool).reshape(-1, 1)


def test_an_open_rollout_is_a_discounted_trace():
    advantages, targets = gae(
        column(1, 2), column(10, 20), column(20, 30), flags(0, 0), flags(0, 0), gamma=0.5, lam=0.5
    )
    # delta_1 = 2 + 0.5*30 - 20 = -3; delta_0 = 1 + 0.5*20 - 10 = 1; A_0 = 1 + 0.25 * -3
    assert advantages.flatten().tolist() == [0.25, -3.0]
    assert targets.flatten().tolist() == [10.25, 17.0]


def test_a_termination_bootstraps_from_nothing_and_cuts_the_trace():
    advantages, _ = gae(column(1, 2), column(10, 20), column(99, 30), flags(1, 0), flags(0, 0), gamma=0.5, lam=0.5)
    assert advantages.flatten().tolist() == [1 - 10, -3.0]


def test_a_time_out_bootstraps_from_the_terminal_value_and_cuts_the_trace():
    advantages, _ = gae(column(1, 2), column(10, 20), column(8, 30), flags(0, 0), flags(1, 0), gamma=0.5, lam=0.5)
    assert advantages.flatten().tolist() == [1 + 0.5 * 8 - 10, -3.0]


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"\(1, 1\), \(2, 1\)"):
        gae(column(1), column(1, 2), column(1, 2), flags(0, 0), flags(0, 0), gamma=0.9, lam=0.9)


def test_columns_are_a_part_of_the_same_memory():
    rollout = Rollout.empty(4, 6, 2, 1)
    part = rollout.columns(2, 5)
    assert (part.length, part.num_envs, part.num_samples) == (4, 3, 12)
    part.obs[1] = 7.0
    part.terminated[3, 0] = True
    assert rollout.obs[1, :, 0].tolist() == [0, 0, 7, 7, 7, 0]
    assert rollout.terminated.nonzero().tolist() == [[3, 2]]
