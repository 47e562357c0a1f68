"""What a decision depends on besides the state and the sightings, gathered from the shell as one value."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime

from vbotd.core.config import Config
from vbotd.core.sighting import Circumstances, Progress
from vbotd.core.state import State
from vbotd.daemon.clock import deadline_at, local_zone
from vbotd.daemon.questions import Questions
from vbotd.host.catalogue import Catalogue
from vbotd.layout import Layout


def circumstances_of(state: State, config: Config, questions: Questions, *, now: float, nonce: str, hold: str,
                     progress: Mapping[str, Progress]) -> Circumstances:
    """Return the circumstances of one tick at `now` (epoch seconds)."""
    catalogue = questions.catalogue or Catalogue()
    tasks = {task.name: task for task in catalogue.tasks}
    entries = {("", kind.name): kind.entry for kind in catalogue.run_kinds}
    entries |= {(task.name, kind): entry for task in tasks.values() for kind, entry in task.entries.items()}
    deadlines = {c.id: at for c in state.campaigns.values() if (at := deadline_at(c)) is not None}
    return Circumstances(
        now=now, cores=config.slots or len(os.sched_getaffinity(0)), nonce=nonce, hold=hold,
        month_day=datetime.fromtimestamp(now, local_zone()).strftime("%m%d"), progress=progress, tasks=tasks,
        knows_tasks=questions.catalogue is not None, entries=entries, deadlines=deadlines,
        preflights=catalogue.preflights, mute=catalogue.mute, skills={skill.name: skill for skill in catalogue.skills},
        judges=questions.hooked("judge", state.blocked), followers=questions.hooked("follow_up", state.blocked),
        followed=frozenset(questions.followed & state.runs.keys()),
        max_attempts=config.max_attempts, block_after=config.block_after,
        agents_may=frozenset(config.agents.may))


def free_bytes(layout: Layout) -> int | None:
    """Return the room that is left where the store lies, None where nobody can say."""
    try:
        return shutil.disk_usage(layout.state).free
    except OSError:
        return None
