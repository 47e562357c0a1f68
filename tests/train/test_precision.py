"""Given a setting, a processor and a network: in which precision are an update's products?"""

from __future__ import annotations

import pytest
import torch

from vbotd.train import precision
from vbotd.train.tasks.cards import TASKS


@pytest.mark.parametrize(("asked", "widest", "has", "then"), [
    ("auto", 256, True, torch.bfloat16),
    ("auto", 128, True, torch.float32),
    ("auto", 256, False, torch.float32),
    ("bfloat16", 32, False, torch.bfloat16),
    ("float32", 512, True, torch.float32),
])
def test_auto_is_bfloat16_where_the_processor_has_it_and_it_pays(asked: str, widest: int, has: bool, then: torch.dtype):
    assert precision.dtype_of(asked, [64, widest, 64], has_bfloat16=has) is then


def test_a_type_is_named_as_the_setting_spells_it():
    card = next(param for task in TASKS for param in task.params if param.key == "ppo.update_precision")
    assert card.default == "auto"
    for name in set(card.choices) - {"auto"}:
        assert precision.name_of(precision.dtype_of(str(name), [8])) == name
