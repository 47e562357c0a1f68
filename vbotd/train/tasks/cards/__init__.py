"""What do the bundled tasks publish? Every setting with its default, range and unit. Loads neither torch nor mujoco."""

from __future__ import annotations

from vbotd.train.tasks.cards.section001 import SECTION001
from vbotd.train.tasks.cards.walk import WALK

TASKS = (WALK, SECTION001)

__all__ = ["SECTION001", "TASKS", "WALK"]
