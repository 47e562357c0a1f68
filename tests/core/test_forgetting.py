"""What the daemon has set going is remembered for as long as something could ask for it again, and no longer."""

from __future__ import annotations

from tests.core.given import circumstances, content, seen_file, step
from tests.gauntlet.week import live
from vbotd.core.plan import Done, plan
from vbotd.core.state import State


def test_what_goes_on_is_remembered_and_what_is_over_is_forgotten() -> None:
    state, _ = step(State(), seen_file(content("night", trials=2)))
    campaign = next(iter(state.campaigns))
    for _ in range(3):
        state, _ = step(state)
    tokens = {run.token for run in state.runs.values() if run.token}
    asked = {("propose", campaign, 1), ("judge", f"{campaign}/t001", 2), ("follow_up", f"{campaign}/t001/train-s1-a1")}
    over = {("propose", "gone-1", 1), ("judge", "gone-1/t001", 2), ("follow_up", "gone-1/t001/train-s1-a1")}
    done = Done(spawned=tokens | {"of-long-ago"}, pressed={*((t, "file") for t in tokens), ("of-long-ago", "file")},
                asked=asked | over)
    done.forget_closed(state)
    assert tokens and done == Done(spawned=tokens, pressed={(token, "file") for token in tokens}, asked=asked)
    assert plan(state, done, circumstances()) == ()


def test_after_many_campaigns_nothing_is_left_of_those_that_are_over() -> None:
    week, _ = live(120, seed=1)
    assert week.closed == 6
    assert week.done == Done() and not (week.state.campaigns or week.state.trials or week.state.runs)
