"""Cards and overrides: what is allowed, and how a refusal reads."""

import subprocess
import sys

import pytest

from vbotd.train.runio import SpecError
from vbotd.train.tasks.cards import TASKS, WALK
from vbotd.train.tasks.settings import resolve


def test_an_unknown_key_names_the_allowed_ones_and_the_nearest():
    message = r"no setting 'reward.fal_event' — allowed: reward\..*did you mean 'reward.fall_event'"
    with pytest.raises(SpecError, match=message):
        resolve(WALK, {"reward.fal_event": -1.0})


def test_all_problems_are_told_at_once():
    with pytest.raises(SpecError, match=r"ppo.gamma is 2.0 — allowed: 0.9 to 0.9999; .*ppo.schedule"):
        resolve(WALK, {"ppo.gamma": 2.0, "ppo.schedule": "cosine"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reward.torque_cost", 0.1),
        ("ppo.gamma", float("nan")),
        ("ppo.epochs", 2.5),
        ("ppo.epochs", True),
        ("ppo.hidden", []),
        ("ppo.hidden", ["wide"]),
        ("env.speed_x_mps", [0.3]),
        ("ppo.learning_rate", "fast"),
    ],
)
def test_values_out_of_their_type_or_range_are_refused(key, value):
    with pytest.raises(SpecError, match=key):
        resolve(WALK, {key: value})


def test_overrides_take_the_type_of_the_default():
    settings = resolve(WALK, {"ppo.epochs": 3.0, "env.episode_s": 10, "ppo.hidden": [32, 16]})
    assert settings.ppo["epochs"] == 3
    assert isinstance(settings.ppo["epochs"], int)
    assert isinstance(settings.env["episode_s"], float)
    assert settings.ppo["hidden"] == (32, 16)


def test_every_setting_has_a_summary_and_a_default_within_its_range():
    for card in TASKS:
        assert len({p.key for p in card.params}) == len(card.params)
        for param in card.params:
            assert param.summary, param.key
        resolve(card, {p.key: p.default for p in card.params})


def test_cards_and_plugin_load_neither_torch_nor_mujoco():
    code = (
        "import sys; import vbotd.train.plugin, vbotd.train.runio, vbotd.train.session, vbotd.train.__main__;"
        "heavy = {'torch', 'mujoco', 'numpy', 'tensorboard'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
