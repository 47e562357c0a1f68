"""The imperative half: carry out the effects. Each is safe to repeat, and a failure becomes a sighting."""

from __future__ import annotations

import logging

from vbotd.core.plan import AskFollowUps, AskOpinions, AskProposals, Done, Effect, Press, Spawn
from vbotd.core.sighting import LaunchFailedSeen, Sighting
from vbotd.daemon.launch import Launcher
from vbotd.daemon.questions import Questions

log = logging.getLogger("vbotd.daemon")


def perform(effect: Effect, *, done: Done, launcher: Launcher, questions: Questions,
            blocked: frozenset[str]) -> list[Sighting]:
    """Set one effect going and remember that; return what was seen of it at once (mostly nothing)."""
    match effect:
        case Spawn(run=run):
            done.spawned.add(run.token)
            try:
                launcher.start(run)
            except OSError as error:
                log.error("action=spawn run=%s error=%s", run.id, error)
                return [LaunchFailedSeen(run=run.id, why=f"the system refused to start a process: {error}")]
        case Press(run=run, rung=rung):
            done.pressed.add((run.token, rung))
            log.info("action=press run=%s rung=%s why=%r", run.id, rung, run.stop_why)
            launcher.press(run, rung)
        case AskProposals(key=key):
            if questions.proposals(effect, questions.hooked("amend", blocked)):
                done.asked.add(key)
        case AskOpinions(key=key):
            done.asked.add(key)
            questions.opinions(effect)
        case AskFollowUps(run=of):
            done.asked.add(("follow_up", of))
            questions.follow_ups(effect)
    return []
