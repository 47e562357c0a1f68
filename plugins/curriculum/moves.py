"""What is to be done next: train the rung that is up, train a trial on, or measure what an attempt can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted, FollowUp, Opinion
from vbotd.domain.trial import Proposal, Run, Trial, WarmStart

from .bounds import passes
from .carried import found_before, settings_of
from .evidence import SKILL, Attempt, attempts_of, evaluated, memory_key, purpose
from .ladder import Ladder, Score, after, climbed, is_out_of_question, is_through, suspects
from .options import Options
from .rungs import Rung, rehearsed, rungs_of

SLOWER = 0.3  # of the learning rate, for each training of a rung that failed


def score_of(history: History) -> Score:
    """Return the metric that stages are remembered by: the task's own."""
    card = history.task.metric if history.task else None
    return Score(tag=card.tag if card else "eval/success_rate", less_is_better=bool(card and card.direction == "min"))


def stand(history: History, options: Options) -> tuple[Ladder, tuple[Attempt, ...]]:
    """Return the ladder as it stands, and the attempts behind it."""
    attempts = attempts_of(history)
    return climbed(rungs_of(history), attempts, options, score_of(history)), attempts


def next_move(history: History, options: Options) -> Proposal | Exhausted | None:
    """Return the next trial or extension; None while an attempt is at work; Exhausted at the top, or at the end."""
    ladder, attempts = stand(history, options)
    rung = ladder.rung
    if attempts and not attempts[-1].trial.judged:
        return None
    if rung is None:
        return Exhausted(why="every stage is passed: " + ", ".join(
            f"{name} by {won.trial.rpartition('/')[2]}" for name, won in ladder.passed.items()))
    if ladder.over:
        return Exhausted(why=ladder.over)
    if ladder.unready is not None:
        return _trained_on(rung, ladder.unready)
    return _begun(history, ladder, rung, options)


def _trained_on(rung: Rung, attempt: Attempt) -> Proposal:
    so_far = attempt.trial.env_steps or rung.env_steps
    return Proposal(
        params={}, proposer=SKILL, stage=rung.stage, task=rung.task, extends=attempt.trial.id,
        env_steps=so_far + rung.env_steps,
        why=f"{attempt.name} missed the gate of {rung.name} after {so_far:,} env steps ({_gates_said(rung, attempt)})")


def _begun(history: History, ladder: Ladder, rung: Rung, options: Options) -> Proposal:
    lost = [stage for stage in ladder.stages() if stage.name in ladder.forgotten
            and ladder.rungs.index(stage) < ladder.rungs.index(rung)] if options.rehearse else []
    wider = rehearsed(rung, lost)
    found = found_before(history)
    settings = settings_of(found, history.campaign)
    warm = warm_start(history, ladder, rung, options, found)
    reasons = [_why_now(ladder, rung)]
    if wider:
        reasons.append(f"trained on {', '.join(wider)} that take in {', '.join(stage.name for stage in lost)}")
    reasons.append(f"from {warm.trial.rpartition('/')[2]}" if warm else "from scratch")
    if found and settings:
        reasons.append(f"with the settings of {found.id.rpartition('/')[2]}, the best that was found")
    if ladder.tries:
        reasons.append(f"begun in another way, since {ladder.tries[-1].name} ended: {ladder.tries[-1].why[:120]}")
    return Proposal(params={**settings, **rung.changed, **wider}, proposer=SKILL, stage=rung.stage, task=rung.task,
                    env_steps=rung.env_steps, warm_start=warm, why="; ".join(reasons))


def _why_now(ladder: Ladder, rung: Rung) -> str:
    if ladder.back_from is not None:
        return f"back to {rung.name}, which {ladder.back_from.name} forgot"
    if rung.split:
        return f"{rung.name}, half-way up to a stage that is stuck"
    return f"stage {rung.name}"


def warm_start(history: History, ladder: Ladder, rung: Rung, options: Options, found: Trial | None
               ) -> WarmStart | None:
    """Return how a rung is begun; slower and without the optimiser after a failure, then from the last checkpoint."""
    trial = _source(history, ladder, rung)
    if not trial and not rung.source and rung is ladder.rungs[0] and found is not None:
        trial = found.id  # it was trained for this very stage
    if not trial:
        return None
    factor = options.learning_rate if rung.factor is None else rung.factor
    begun = WarmStart(trial=trial, optimizer=options.optimizer, normaliser=options.normaliser, learning_rate=factor,
                      min_action_std=options.min_action_std)
    failed = len(ladder.tries)
    if not failed:
        return begun
    last = [run.last_checkpoint for run in history.runs_of(trial) if run.kind == "train" and run.last_checkpoint]
    return replace(begun, optimizer="reset", normaliser="freeze", learning_rate=(factor or 1.0) * SLOWER**failed,
                   checkpoint=last[-1].path if last and failed > 1 else "")


def _source(history: History, ladder: Ladder, rung: Rung) -> str:
    """Return the trial to start from, "" for none: the newest that passed a rung from the named one on.

    After a demotion the newest of all: it is the one that has been through every stage.
    """
    if ladder.back_from is not None:
        return ladder.back_from.trial.id
    if not rung.source:
        return ""
    names = [other.name for other in ladder.rungs[:ladder.rungs.index(rung)]]
    first = 0 if ladder.demotions or rung.source not in names else names.index(rung.source)
    passed = {ladder.passed[name].trial for name in names[first:] if name in ladder.passed}
    return next((trial.id for trial in reversed(history.trials) if trial.id in passed), "")


def follow_ups(run: Run, history: History, options: Options) -> list[FollowUp]:
    """Return the evaluations that an attempt needs after one of its newest checkpoint; none when all is known."""
    attempts = attempts_of(history)
    place = next((index for index, attempt in enumerate(attempts) if attempt.trial.id == run.trial), None)
    if place is None or attempts[place].checkpoint != evaluated(run):
        return []
    ladder = climbed(rungs_of(history), attempts[:place], options, score_of(history))
    attempt = attempts[place]
    if ladder.rung is None or ladder.over or attempt.outcome != "trained" or not attempt.scored:
        return []
    return list(_due(ladder, ladder.rung, attempt, options, score_of(history)))


def _due(ladder: Ladder, rung: Rung, attempt: Attempt, options: Options, score: Score) -> Iterator[FollowUp]:
    if rung.gates and not is_through(rung, attempt):
        times = attempt.gates()
        if "gate-1" not in attempt.asked and not is_out_of_question(rung, attempt):
            yield _evaluation(attempt, "gate-1", rung, f"does it pass the gate of {rung.name}")
        if len(times) == 1 and "gate-2" not in attempt.asked and _passed_once(rung, attempt):
            yield _evaluation(attempt, "gate-2", rung, f"does it pass the gate of {rung.name} again, on fresh episodes")
        return
    stages = ladder.stages()
    for place, stage in ladder.earlier(rung):
        if memory_key(place, 1) not in attempt.asked:
            yield _evaluation(attempt, memory_key(place, 1), stage, f"is {stage.name} remembered")
    for place in suspects(ladder, rung, attempt, options, score):
        yield _evaluation(attempt, memory_key(place, 2), stages[place], f"is {stages[place].name} really forgotten")


def _passed_once(rung: Rung, attempt: Attempt) -> bool:
    return all(passes(gate, attempt.gates()[0].get(gate.tag)) for gate in rung.gates)


def _evaluation(attempt: Attempt, key: str, rung: Rung, why: str) -> FollowUp:
    return FollowUp(kind="evaluate", why=why, purpose=purpose(attempt.trial, key), task=rung.task, params=rung.params)


def _gates_said(rung: Rung, attempt: Attempt) -> str:
    last = (attempt.scored, *attempt.gates())[-1]
    return ", ".join(f"{gate.tag} {last[gate.tag].value:.3f} for {gate.op} {gate.value:g}"
                     for gate in rung.gates if gate.tag in last) or "the gate's metric was not measured"


def opinion(history: History, options: Options, trial: str) -> Opinion | None:
    """Return the verdict on an attempt, None where it is the core's to tell: what was not trained has no score."""
    attempts = attempts_of(history)
    place = next((index for index, attempt in enumerate(attempts) if attempt.trial.id == trial), None)
    if place is None or attempts[place].outcome != "trained":
        return None
    before = climbed(rungs_of(history), attempts[:place], options, score_of(history))
    if before.rung is None or before.over:
        return None
    attempt = replace(attempts[place], trial=replace(attempts[place].trial, judged=True))
    then = after(before, attempt, options, score_of(history))
    why = f"{then.said[attempt.name]} ({_gates_said(before.rung, attempt)})"
    if before.rung.name in then.passed:
        return Opinion(verdict="promote", why=why)
    return Opinion(verdict="keep" if then.unready else "discard", why=why)
