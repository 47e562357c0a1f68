"""The learner on values that fit in the head."""

import numpy as np
import pytest
import torch

from vbotd.train.acting import Actor
from vbotd.train.nets import entropy, log_prob
from vbotd.train.ppo import Ppo, PpoSettings
from vbotd.train.tasks.cards import WALK
from vbotd.train.tasks.environment import StepResult
from vbotd.train.tasks.settings import resolve

N, T, OBS, ACT = 16, 8, 5, 2


def learner(lanes: int = 1, **changes: object) -> Ppo:
    overrides = {"rollout": T, "epochs": 4, "minibatches": 2, "hidden": [16]} | changes
    settings = PpoSettings.of(resolve(WALK, {f"ppo.{key}": value for key, value in overrides.items()}).ppo)
    return Ppo(settings, OBS, ACT, N, 0, lanes)


def actor_of(ppo: Ppo, seed: int = 0) -> Actor:
    return Actor(ppo.policy, ppo.normaliser, ppo.rollout, torch.Generator().manual_seed(seed),
                 gamma=ppo.settings.gamma, lam=ppo.settings.gae_lambda)


def step_result(rewards: np.ndarray, *, timed_out: int | None = None) -> StepResult:
    clock = np.zeros(N, dtype=bool)
    if timed_out is not None:
        clock[timed_out] = True
    return StepResult(
        obs=np.zeros((N, OBS), dtype=np.float32),
        rewards=rewards.astype(np.float32),
        terminated=np.zeros(N, dtype=bool),
        timed_out=clock,
        terminal_obs=np.full((int(clock.sum()), OBS), 2.0, dtype=np.float32),
    )


def fill(ppo: Ppo, seed: int = 0) -> np.ndarray:
    """A bandit: the reward is the first action."""
    rng = np.random.default_rng(seed)
    obs = rng.standard_normal((N, OBS)).astype(np.float32)
    actor = actor_of(ppo, seed)
    for t in range(T):
        actions = actor.act(obs, t)
        actor.record(step_result(actions[:, 0]), t)
    actor.returns(obs)
    return obs


def test_updates_raise_the_rewarded_action():
    ppo = learner(learning_rate=0.005, learning_rate_max=0.005)
    obs = torch.from_numpy(fill(ppo))
    before = ppo.policy.mean(obs)[:, 0].mean().item()
    for k in range(5):
        fill(ppo, k)
        scalars = ppo.update(0.0)
    assert ppo.policy.mean(obs)[:, 0].mean().item() > before + 0.05
    assert all(np.isfinite(value) for value in scalars.values())


def test_one_update_lowers_the_value_loss_of_its_batch():
    ppo = learner(schedule="fixed", learning_rate=0.001)
    fill(ppo)
    rollout = ppo.rollout

    def loss() -> float:
        return ((ppo.policy.value(rollout.obs) - rollout.targets) ** 2).mean().item()

    before = loss()
    ppo.update(0.0)
    assert loss() < before


def test_a_time_out_is_worth_the_value_of_the_terminal_observation():
    ppo = learner()
    fill(ppo)
    obs = np.zeros((N, OBS), dtype=np.float32)
    actor = actor_of(ppo)
    for t in range(T):
        actor.act(obs, t)
        actor.record(step_result(np.zeros(N), timed_out=3 if t == T - 1 else None), t)
    actor.returns(obs)
    r, gamma = ppo.rollout, ppo.settings.gamma
    terminal_value = ppo.policy.value(ppo.normaliser(torch.full((1, OBS), 2.0))).item()
    next_value = ppo.policy.value(ppo.normaliser(torch.zeros(1, OBS))).item()
    assert r.targets[-1, 3].item() == pytest.approx(gamma * terminal_value, abs=1e-5)
    assert r.targets[-1, 4].item() == pytest.approx(gamma * next_value, abs=1e-5)


def test_adaptive_rate_stays_within_its_bounds_and_linear_ends_at_the_minimum():
    ppo = learner(learning_rate=0.001)
    for _ in range(50):
        ppo._adapt_rate(1.0)
    assert ppo.learning_rate == ppo.settings.learning_rate_min
    for _ in range(50):
        ppo._adapt_rate(0.0)
    assert ppo.learning_rate == ppo.settings.learning_rate_max
    linear = learner(schedule="linear")
    fill(linear)
    linear.update(1.0)
    assert linear.optimiser.param_groups[0]["lr"] == linear.settings.learning_rate_min


def test_first_minibatch_has_ratio_one():
    ppo = learner(epochs=1, minibatches=1)
    fill(ppo)
    scalars = ppo.update(0.0)
    assert scalars["ppo/kl"] == pytest.approx(0.0, abs=1e-6)
    assert scalars["ppo/clip_fraction"] == 0.0


def test_a_bfloat16_update_differs_in_the_products_alone_and_still_learns():
    weights = {}
    for precision in ("float32", "bfloat16"):
        ppo = learner(update_precision=precision)
        obs = torch.from_numpy(fill(ppo))
        before = ppo.policy.mean(obs)[:, 0].mean().item()
        for k in range(5):
            fill(ppo, k)
            ppo.update(0.0)
        assert ppo.policy.mean(obs)[:, 0].mean().item() > before
        assert all(p.dtype == torch.float32 for p in ppo.policy.parameters())
        weights[precision] = torch.cat([p.detach().flatten() for p in ppo.policy.parameters()])
    assert not torch.equal(weights["float32"], weights["bfloat16"])
    assert torch.allclose(weights["float32"], weights["bfloat16"], atol=0.05)


def test_a_minibatch_in_pieces_has_the_gradient_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = learner(), learner()
    for ppo in (whole, pieces):
        fill(ppo)
    at_once = whole.update(0.0)
    monkeypatch.setattr("vbotd.train.ppo.PIECE_FLOATS", 16 * 10)  # ten samples of the 16 wide layer
    in_pieces = pieces.update(0.0)
    assert in_pieces == pytest.approx(at_once, rel=1e-3, abs=1e-5)
    for one, other in zip(whole.policy.parameters(), pieces.policy.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_gradient_in_closed_form_is_that_of_the_loss():
    # So fast that updates leave the clip range on both sides.
    ppo = learner(epochs=1, minibatches=1, clip=0.05, learning_rate=0.01, learning_rate_max=0.01)
    for k in range(4):
        fill(ppo, k)
        ppo.update(0.0)
    r, s, policy, weight = ppo.rollout, ppo.settings, ppo.policy, 0.01
    advantages = (r.advantages - r.advantages.mean()) / (r.advantages.std() + 1e-8)
    policy.zero_grad()
    ratio = torch.exp(log_prob(r.actions, policy.mean(r.obs), policy.log_std) - r.log_probs)
    gain = torch.min(ratio * advantages, ratio.clamp(1.0 - s.clip, 1.0 + s.clip) * advantages)
    value_loss = 0.5 * (policy.value(r.obs) - r.targets).square().mean()
    (s.value_loss * value_loss - gain.mean() - weight * entropy(policy.log_std)).backward()
    expected = [parameter.grad for parameter in policy.parameters()]
    assert 0.05 < ((ratio - 1.0).abs() > s.clip).float().mean() < 0.95
    ppo.descend(0, 0, weight)
    for parameter, one in zip(policy.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lanes", [2, 3, 5])
def test_lanes_add_up_to_the_update_of_one(lanes: int) -> None:
    one, several = learner(), learner(lanes)
    for ppo in (one, several):
        fill(ppo)
    alone = one.update(0.0)
    together = several.update(0.0, lambda k, weight: [several.descend(i, k, weight) for i in range(lanes)])
    assert together == pytest.approx(alone, rel=1e-3, abs=1e-5)
    for mine, other in zip(one.policy.parameters(), several.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)
