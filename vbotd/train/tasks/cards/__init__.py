"""What do the bundled tasks publish? Every setting with its default, range and unit. Loads neither torch nor mujoco."""

from __future__ import annotations

from vbotd.train.tasks.cards.course import LONG_COURSE, SECTION011, SECTION012, SECTION012_STAIRS, SECTION013
from vbotd.train.tasks.cards.section001 import SECTION001
from vbotd.train.tasks.cards.walk import WALK, WALK_ROUGH

TASKS = (WALK, WALK_ROUGH, SECTION001, SECTION011, SECTION012, SECTION012_STAIRS, SECTION013, LONG_COURSE)

__all__ = ["SECTION001", "TASKS", "WALK"]
