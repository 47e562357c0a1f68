"""Successive halving: who goes on, what it costs, and whole nights of it under the core's own rules."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.given import TASK, content, ended, seen_file, step
from vbotd.core.advance import proposals_wanted
from vbotd.core.sighting import ProposalsSeen
from vbotd.core.state import State
from vbotd.domain.campaign import Budget, SkillUse, Stage
from vbotd.domain.history import History
from vbotd.domain.skill import Exhausted
from vbotd.domain.space import Dimension, SearchSpace
from vbotd.domain.task import ParamCard
from vbotd.domain.trial import Proposal, Run
from vbotd.host.discovery import Candidate
from vbotd.host.loading import load
from vbotd.host.view import HostView, Library

FILE = Path(__file__).parents[2] / "plugins" / "hp_search" / "__init__.py"
NIGHT = "night-1123"
HORIZON = 9000
RICH = replace(TASK, env_steps=HORIZON, params=(
    ParamCard(key="ppo.learning_rate", default=1e-3, low=1e-5, high=1e-1, scale="log"),
    ParamCard(key="ppo.gamma", default=0.99, low=0.9, high=0.9999),
    ParamCard(key="reward.alive", default=1.0, low=0.0, high=10.0)))
SPACE = SearchSpace(dimensions=(Dimension(key="ppo.learning_rate", kind="log", low=1e-4, high=1e-2),
                                Dimension(key="ppo.gamma", kind="uniform", low=0.95, high=0.999)))
Score = Callable[[Run, int], float | None]


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return load(Candidate(name="hp_search", module="vbotd_workspace.hp_search", source="plugins/hp_search", path=FILE))


@pytest.fixture(scope="module")
def part(skill: ModuleType) -> Callable[[str], ModuleType]:
    """Return a function that gives a module of the skill by name."""
    return lambda name: import_module(f"vbotd_workspace.hp_search.{name}")


# ---- the rule alone

def climbed(halving: ModuleType, plan: Any, value: Callable[[int, int], float | None], workers: int = 1,
            collapsed: Callable[[int], bool] = lambda number: False) -> tuple[Any, ...]:
    """Play a bracket to its end: `workers` trainings at once, the oldest ends first; return the entries."""
    entries: tuple[Any, ...] = ()
    queue: list[str] = []
    for _ in range(10_000):
        move = halving.next_move(entries, plan)
        if move.kind in ("go_on", "begin") and len(queue) < workers:
            entries = halving.after(entries, move)
            queue.append(move.trial or entries[-1].trial)
            continue
        if not queue:
            assert move.kind == "done"
            return entries
        done = queue.pop(0)
        entries = tuple(_known(entry, value, collapsed) if entry.trial == done else entry for entry in entries)
    raise AssertionError("the bracket does not end")


def _known(entry: Any, value: Callable[[int, int], float | None], collapsed: Callable[[int], bool]) -> Any:
    found = value(entry.number, entry.rung)
    values = dict(entry.values) | ({} if found is None else {entry.rung: (found,)})
    return replace(entry, pending=False, values=values, collapsed=collapsed(entry.number))


def test_twenty_seven_trials_cost_seven_whole_ones_and_the_best_three_end(part: Any) -> None:
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(HORIZON, 3, 3)
    plan = planning.planned(27, steps, 3)
    assert steps.rungs == (1000, 3000, 9000) and plan.sizes == (27, 9, 3)
    assert planning.cost(plan.sizes, steps) == 7 * HORIZON
    entries = climbed(halving, plan, lambda number, rung: -float(number))
    assert [sum(entry.rung >= rung for entry in entries) for rung in range(3)] == [27, 9, 3]
    assert {entry.number for entry in entries if entry.rung == 2} == {1, 2, 3}


def test_the_last_rung_is_entered_only_when_all_below_is_known(part: Any) -> None:
    halving = part("halving")
    plan = halving.Plan(sizes=(9, 3, 1))
    three = tuple(halving.Entry(trial=f"t{n}", number=n, rung=1, values={0: (n,), 1: (n,)}) for n in range(3))
    assert halving.next_move(three, plan).kind == "begin"
    rest = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (-n,)}) for n in range(3, 9))
    assert halving.next_move((*three, *rest), plan) == halving.Move(kind="go_on", rung=2, trial="t2")
    waiting = (*three, *rest[:-1], replace(rest[-1], pending=True, values={}))
    assert halving.next_move(waiting, plan).kind == "wait"


def test_nobody_goes_on_early_unless_a_deadline_may_come_and_then_from_eta_results_on(part: Any) -> None:
    halving = part("halving")
    plan = halving.Plan(sizes=(9, 3, 1), early=True)
    two = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (n,)}) for n in range(2))
    assert halving.next_move(two, plan).kind == "begin"
    three = (*two, halving.Entry(trial="t2", number=2, rung=0, values={0: (-1,)}))
    assert halving.next_move(three, replace(plan, early=False)).kind == "begin"
    assert halving.next_move(three, plan) == halving.Move(kind="go_on", rung=1, trial="t1")


def test_a_rung_that_ranks_nothing_is_passed_over_by_all_who_stand_on_it(part: Any) -> None:
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(HORIZON, 3, 3)
    plan = planning.planned(9, steps, 3, first=1)
    assert plan.sizes == (9, 9, 3)
    stood = tuple(halving.Entry(trial=f"t{n}", number=n, rung=0, values={0: (0.0,)}) for n in range(2))
    assert halving.next_move(stood, plan) == halving.Move(kind="go_on", rung=1, trial="t0")
    entries = climbed(halving, plan, lambda number, rung: float(number))
    assert [sum(entry.rung >= rung for entry in entries) for rung in (1, 2)] == [9, 3]


@given(st.integers(1, 30), st.integers(1, 4), st.integers(2, 4), st.integers(2, 4), st.integers(0, 10**6))
def test_every_bracket_ends_inside_its_plan_and_failures_and_the_collapsed_stay(
        part: Any, trials: int, workers: int, eta: int, rungs: int, seed: int) -> None:
    dice = random.Random(seed)
    planning, halving = part("planning"), part("halving")
    steps = planning.ladder(3**9, eta, rungs)
    plan = planning.planned(trials, steps, eta, early=seed % 2 == 0)
    fate = {(n, rung): dice.choice([None, dice.random(), dice.random()]) for n in range(99) for rung in range(rungs)}
    fallen = {n for n in range(99) if dice.random() < 0.2}
    entries = climbed(halving, plan, lambda number, rung: fate[number, rung], workers, lambda number: number in fallen)
    assert len(entries) == plan.sizes[0] and not any(entry.pending for entry in entries)
    for rung in range(rungs - 1):
        above = [entry for entry in entries if entry.rung > rung]
        assert len(above) <= plan.sizes[rung + 1]
        assert all(fate[entry.number, rung] is not None and entry.number not in fallen for entry in above)
        able = [entry for entry in entries if rung in entry.values and entry.number not in fallen]
        assert len(above) == min(plan.sizes[rung + 1], len(able)), "no place is left empty that somebody could have"


def test_a_budget_that_cannot_pay_for_all_gets_a_smaller_bracket_and_a_large_one_a_wider(part: Any) -> None:
    planning = part("planning")
    steps = planning.ladder(HORIZON, 3, 3)
    small = planning.planned(27, steps, 3, paid_for=3 * HORIZON)
    assert planning.cost(small.sizes, steps) <= 3 * HORIZON and small.sizes == (13, 4, 1)
    wide = planning.planned(27, steps, 3, paid_for=20 * HORIZON)
    assert wide.sizes[0] == 27 and 7 * HORIZON < planning.cost(wide.sizes, steps) <= 20 * HORIZON
    assert planning.planned(27, steps, 3, paid_for=1).sizes[0] == 2


@given(st.integers(1, 60), st.integers(2, 5), st.integers(2, 5), st.floats(0.0, 50.0))
def test_a_bracket_never_costs_more_than_there_is_unless_it_is_the_smallest(
        part: Any, trials: int, eta: int, rungs: int, wholes: float) -> None:
    planning = part("planning")
    steps = planning.ladder(10_000, eta, rungs)
    plan = planning.planned(trials, steps, eta, paid_for=wholes * 10_000)
    assert planning.cost(plan.sizes, steps) <= wholes * 10_000 or plan.sizes[0] <= 2
    assert list(plan.sizes) == sorted(plan.sizes, reverse=True) and min(plan.sizes) >= 1


# ---- how well a rung ranks

def test_a_rung_is_judged_by_how_it_ranks_what_was_trained_to_the_end(part: Any) -> None:
    calibration = part("calibration")
    alike = [((float(n),), (n * 2.0,)) for n in range(20)]
    assert calibration.fidelity(alike).correlation == pytest.approx(1.0)
    assert calibration.fidelity(alike).advice == "shorten"
    against = [((float(n),), (-float(n),)) for n in range(20)]
    assert calibration.fidelity(against).advice == "drop"
    assert calibration.fidelity(alike[:7]) == calibration.Fidelity(pairs=7)
    assert calibration.fidelity([((0.0,), (float(n),)) for n in range(20)]).advice == "keep", "no order, no judgement"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=8, max_size=20))
def test_the_correlation_is_spearmans_and_lies_inside_its_bounds(part: Any, numbers: list[tuple[int, int]]) -> None:
    from scipy.stats import spearmanr

    found = part("calibration").fidelity([((float(a), 0.0), (float(b), 0.0)) for a, b in numbers])
    constant = min(len({a for a, _ in numbers}), len({b for _, b in numbers})) == 1
    assert (found.correlation is None) == constant
    if not constant:
        assert found.correlation == pytest.approx(spearmanr(*zip(*numbers, strict=True)).statistic)
        assert -1.0 <= found.low <= found.high <= 1.0


# ---- whole nights, under the core's own rules

def climbing(*, trials: int = 12, **options: Any) -> State:
    budget = options.pop("budget", None) or Budget(trials=trials)
    stages = options.pop("stages", ())
    space = options.pop("space", SPACE)
    campaign = content(search=True, space=space, budget=budget, stages=stages, skills=(
        SkillUse(name="hp-search", options={"sampler": "random", "audit_share": 0.0} | options),))
    return step(State(), seen_file(campaign), tasks={"walk": RICH})[0]


def history_of(state: State, campaign: str = NIGHT) -> History:
    return History(record=state.campaigns[campaign], task=RICH, trials=state.trials_of(campaign),
                   runs=tuple(run for run in state.runs.values() if run.campaign == campaign))


def view(state: State, *earlier: History) -> HostView:
    return HostView(Library(Path("nowhere")), NIGHT, lambda task: (*earlier, history_of(state)))


def night(skill: ModuleType, state: State, score: Score, *earlier: History, cores: int = 1, questions: int = 200
          ) -> tuple[State, list[Proposal], str]:
    """Let the daemon's rules and the skill play a campaign to its end; return it, the proposals and why it ended."""
    said: list[Proposal] = []
    for _ in range(questions):
        count = proposals_wanted(state, state.campaigns[NIGHT], cores)
        answer = skill.vbotd_propose(history_of(state), count, view(state, *earlier)) if count else []
        if isinstance(answer, Exhausted):
            return state, said, answer.why
        assert len(answer) <= count
        said += answer
        before = len(state.trials), sum(trial.rung for trial in state.trials.values())
        state, events = step(state, ProposalsSeen(campaign=NIGHT, proposals=tuple(answer)), tasks={"walk": RICH},
                             cores=cores)
        assert not [event for event in events if type(event).__name__ == "ProposalRefused"], events
        assert (len(state.trials), sum(trial.rung for trial in state.trials.values())) != before or any(
            not trial.judged for trial in state.trials.values()), "nothing proposed, and nothing to wait for"
        live = [run for run in state.runs.values() if run.is_live]
        if live:
            state, _ = step(state, finished(state, live[0], score), tasks={"walk": RICH}, cores=cores)
    raise AssertionError("the night does not end")


def finished(state: State, run: Run, score: Score) -> Any:
    train = next(one for one in reversed(tuple(state.runs.values()))
                 if one.trial == run.trial and one.kind == "train" and one.seed == run.seed)
    until = train.spec["train"]["until"]
    value = score(run, until)
    if run.kind == "train" and value is None:
        return ended(run.id, code=3, result={"outcome": "diverged", "reason": "not finite", "env_steps": until})
    result: dict[str, Any] = {"outcome": "finished", "env_steps": until, "simulated_s": 1.0}
    if run.kind == "train":
        result["checkpoint"] = {"path": f"checkpoints/ckpt_{until:012d}.pt", "sha256": "ab", "env_steps": until}
    else:
        result["metrics"] = {"eval/success_rate": {"value": value, "low": value - 0.05, "high": value + 0.05,
                                                   "n": 256}}
    return ended(run.id, result=result)


def rate(run: Run, until: int) -> float:
    """The score of a robot that learns the faster, the nearer its learning rate is to 3e-3."""
    distance = abs(math.log(run.spec["params"]["ppo.learning_rate"] / 3e-3))
    return round((1.0 - math.exp(-3.0 * until / HORIZON)) / (1.0 + distance), 3)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_night_promotes_the_best_from_their_checkpoints_and_confirms_the_winner(skill: ModuleType, cores: int
                                                                                  ) -> None:
    state, said, why = night(skill, climbing(), rate, cores=cores)
    trials = state.trials_of(NIGHT)
    assert len(trials) == 12 and why == "the rungs are climbed: 12 trials, 2 of them to the end"  # with the baseline
    learnt = [run for run in state.runs.values() if run.kind == "train" and run.seed == 1]
    assert all(run.spec["train"]["env_steps"] == HORIZON for run in learnt), "schedules keep the whole length"
    assert sum(run.spec["train"]["until"] == 1000 for run in learnt) == 12
    resumed = {run.trial for run in learnt if run.spec["resumed_env_steps"] == 1000}
    assert len(resumed - {trials[0].id}) in (3, 4) and all(run.spec["resume_from"] for run in learnt
                                                          if run.spec["resumed_env_steps"])
    best = max(trials, key=lambda trial: rate(next(run for run in learnt if run.trial == trial.id), HORIZON))
    confirmed = [trial for trial in trials if len(trial.seeds) > 1]
    assert {trial.id for trial in confirmed} == {best.id, trials[0].id}, "the winner and the baseline, nobody else"
    assert {trial.seeds for trial in confirmed} == {(1, 10_001, 10_002)} and trials[0].env_steps == HORIZON
    assert sum(one.extends != "" for one in said) >= 4


def test_what_is_refused_or_asked_again_is_the_same(skill: ModuleType) -> None:
    state, _, _ = night(skill, climbing(), rate)
    history = history_of(state)
    assert skill.vbotd_propose(history, 2, view(state)) == skill.vbotd_propose(history, 2, view(state))


def test_a_training_that_diverges_stays_where_it_is_and_the_night_goes_on(skill: ModuleType) -> None:
    def half(run: Run, until: int) -> float | None:
        return None if int(run.trial[-3:]) % 2 else rate(run, until)

    state, _, why = night(skill, climbing(), half)
    gone_on = {trial.number for trial in state.trials_of(NIGHT) if trial.rung}
    assert gone_on and not any(number % 2 for number in gone_on) and "12 trials" in why


def test_a_trial_past_its_peak_is_not_promoted_on(skill: ModuleType, part: Any) -> None:
    def falls(run: Run, until: int) -> float:
        return 0.1 if run.trial.endswith("t003") and until > 1000 else 0.9 if run.trial.endswith("t003") else 0.5

    state, _, _ = night(skill, climbing(confirm_seeds=0), falls)
    third = state.trials_of(NIGHT)[2]
    assert third.env_steps == 3000 and part("results").is_collapsed(history_of(state), third)


def test_while_all_are_on_the_floor_the_first_rung_is_passed_over(skill: ModuleType) -> None:
    def slow(run: Run, until: int) -> float:
        return 0.0 if until < 3000 else rate(run, until)

    state, _, _ = night(skill, climbing(confirm_seeds=0), slow)
    begun = [trial.proposal.env_steps for trial in state.trials_of(NIGHT)]
    assert begun[:4] == [1000] * 4 and begun[-1] == 3000
    assert all(trial.env_steps >= 3000 for trial in state.trials_of(NIGHT)), "who stood there goes on, too"
    before = history_of(state)
    before = replace(before, record=replace(before.record, id="before-1122"))
    _, said, _ = night(skill, climbing(confirm_seeds=0), slow, before)
    assert {one.env_steps for one in said if not one.extends} == {3000}, "the next campaign knows"


def test_a_small_budget_begins_fewer_and_keeps_back_what_confirming_costs(skill: ModuleType) -> None:
    budget = Budget(trials=27, env_steps=10 * HORIZON)
    state, _, _ = night(skill, climbing(budget=budget), rate)
    spent = sum(run.env_steps - run.spec["resumed_env_steps"] for run in state.runs.values() if run.kind == "train")
    assert 5 * HORIZON < spent <= 10 * HORIZON
    assert any(len(trial.seeds) > 1 for trial in state.trials_of(NIGHT))


def test_an_audit_trains_to_the_end_some_that_were_left_behind(skill: ModuleType) -> None:
    state, said, _ = night(skill, climbing(audit_share=0.5, confirm_seeds=0), rate)
    audited = [one for one in said if "what leaving costs" in one.why]
    assert 1 <= len(audited) <= 11 and all(one.env_steps == HORIZON for one in audited)
    assert sum(trial.env_steps == HORIZON for trial in state.trials_of(NIGHT)) == 1 + len(audited)


@pytest.mark.parametrize("constraints", [[], ["ppo.gamma >= 0.97"]])
def test_a_space_of_few_settings_is_climbed_too(skill: ModuleType, constraints: list[str]) -> None:
    few = SearchSpace(dimensions=(
        Dimension(key="ppo.learning_rate", kind="choice", choices=(3e-4, 1e-3, 3e-3, 5e-3)),
        Dimension(key="ppo.gamma", kind="choice", choices=(0.96, 0.98, 0.99))))
    state, _, why = night(skill, climbing(space=few, trials=27, confirm_seeds=0, constraints=constraints), rate)
    trials = state.trials_of(NIGHT)
    assert len(trials) == (8 if constraints else 12) and f"{len(trials)} trials, 1 of them to the end" in why
    assert next(trial for trial in trials if trial.env_steps == HORIZON).params["ppo.learning_rate"] == 3e-3


@pytest.mark.parametrize(("options", "steps"), [
    ({"trials": 8}, None), ({"strategy": "plain"}, None), ({"sampler": "grid"}, None),
    ({"trials": 8, "strategy": "halving"}, 1000), ({"eta": 2, "rungs": 2}, 4500), ({}, 1000),
    ({"stages": (Stage(name="near", task="walk"),)}, 1000)])
def test_the_strategy_is_halving_where_it_pays(skill: ModuleType, options: dict[str, Any], steps: int | None) -> None:
    state = climbing(**options)
    (first,) = skill.vbotd_propose(history_of(state), 1, view(state))
    assert first.env_steps == steps


# ---- what others know

def test_the_best_of_earlier_campaigns_is_tried_first_and_nothing_of_theirs_is_repeated(skill: ModuleType,
                                                                                        part: Any) -> None:
    earlier = history_of(night(skill, climbing(seed=5, confirm_seeds=0), rate)[0])
    earlier = replace(earlier, record=replace(earlier.record, id="before-1122"))
    best = part("confirm").winner(earlier)
    _, said, _ = night(skill, climbing(confirm_seeds=0), rate, earlier)
    begun = [one for one in said if not one.extends]
    assert begun[1].params == best.params and "earlier campaigns" in begun[1].why
    known = part("knowledge").knowledge(history_of(climbing()), [earlier])
    assert len(known.scored) == 4 and known.env_steps == 3000, "the longest with a result more than dimensions"
    other = replace(earlier, record=replace(earlier.record, content=replace(
        earlier.campaign, train=replace(earlier.campaign.train, num_envs=64))))
    assert not part("knowledge").knowledge(history_of(climbing()), [other]).observations
    repeated = [one for one in begun[3:] if any(one.params == trial.params for trial in earlier.trials)]
    assert not repeated


def test_a_persons_trial_competes_and_has_its_credit(skill: ModuleType, part: Any) -> None:
    state = climbing(trials=10, confirm_seeds=1)
    wish = Proposal(params={"ppo.learning_rate": 3e-3, "ppo.gamma": 0.98}, proposer="user", why="the textbook")
    state, _ = step(state, ProposalsSeen(campaign=NIGHT, proposals=(wish,)), tasks={"walk": RICH})
    state, _, _ = night(skill, state, rate)
    history = history_of(state)
    assert part("confirm").winner(history).proposal.proposer == "user"
    accounts = {one.proposer: one for one in part("credit").credits_of(history)}
    assert accounts["user"].trials == 1 and accounts["user"].best == "t001"
    assert accounts["hp-search"].trials == 9 and accounts["hp-search"].env_steps > HORIZON
    lines = skill.vbotd_wake_up([history]).lines
    assert any("who proposed: " in line and "user 1 trials" in line for line in lines)


def test_what_another_skill_changed_beside_the_space_teaches_the_sampler_nothing(skill: ModuleType, part: Any) -> None:
    state, _, _ = night(skill, climbing(confirm_seeds=0), rate)
    history = history_of(state)
    changed = replace(history.trials[3], params={**history.trials[3].params, "reward.alive": 2.0})
    other = replace(history, trials=(*history.trials[:3], changed, *history.trials[4:]))
    known = part("knowledge").knowledge(other)
    assert [one.trial for one in known.observations] == [t.id for t in other.trials if t is not changed]


def test_the_morning_section_tells_of_the_rungs_and_of_the_fresh_seeds(skill: ModuleType) -> None:
    state, _, _ = night(skill, climbing(trials=27), rate)
    lines = skill.vbotd_wake_up([history_of(state)]).lines
    assert "  - rungs: 27 at 1 k env steps" in next(line for line in lines if "rungs:" in line)
    assert any("with fresh seeds: t" in line and "the baseline t001" in line for line in lines)
    assert len(lines) <= 15


def test_presets_are_tried_first_and_strange_ones_are_told(skill: ModuleType) -> None:
    history = history_of(climbing(presets=["fast", "far", "typo"]))
    seen = HostView(Library(Path("nowhere")), NIGHT, presets=lambda task: {
        "fast": {"ppo.learning_rate": 5e-3, "reward.alive": 3.0}, "far": {"ppo.learning_rate": 0.05}})
    _, preset, searched = skill.vbotd_propose(history, 3, seen)
    assert preset.params == {"ppo.learning_rate": 5e-3, "ppo.gamma": 0.99} and "the preset fast" in preset.why
    assert "outside the space: far, typo" in searched.why


def test_the_host_shows_the_presets_of_a_task_and_the_campaigns_of_it(tmp_path: Path) -> None:
    from vbotd.host.asking import Ask, Desk
    from vbotd.host.registry import Registry
    from vbotd.host.wire import encode_arguments
    from vbotd.train import plugin
    history = history_of(climbing())
    desk = Desk(tmp_path, Registry.of_modules({"core": plugin}))
    ask = Ask(id=0, hook="propose", args=encode_arguments({"history": history, "count": 1}))
    seen = desk.arguments(ask)[0]["view"]
    assert "lazy-robot" in seen.presets("vbot_navigation_section001") and not seen.presets("no-such-task")
    assert seen.histories("walk") == (), "there is no store yet"


# ---- constraints and samplers

@pytest.mark.parametrize(("text", "holds"), [
    ("ppo.learning_rate <= 2e-3", True), ("ppo.learning_rate > 2 * ppo.gamma", False),
    ("0.5 * ppo.gamma < ppo.gamma", True), ("1 >= ppo.gamma", True)])
def test_constraints_compare_settings_and_numbers(part: Any, text: str, holds: bool) -> None:
    found = part("constraints").parse_constraint(text)
    assert found.holds({"ppo.learning_rate": 1e-3, "ppo.gamma": 0.99}) is holds
    assert found.holds({}), "what has no number binds nobody"


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_an_error_that_says_what_can_be_written(part: Any, text: str) -> None:
    try:
        found = part("constraints").parse_constraint(text)
    except ValueError as error:
        assert "write 'KEY <= NUMBER'" in str(error)
    else:
        assert found.keys


def test_a_block_with_an_unreadable_constraint_is_refused(skill: ModuleType) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        skill.Options.model_validate({"constraints": ["gamma is large"]})


def test_all_proposals_keep_to_the_constraints(skill: ModuleType) -> None:
    _, said, _ = night(skill, climbing(
        constraints=["ppo.learning_rate <= 2e-3", "ppo.learning_rate >= 5e-4"], sampler="tpe"), rate)
    assert all(5e-4 <= one.params["ppo.learning_rate"] <= 2e-3 for one in said if not one.extends)


def test_the_sampler_is_chosen_by_how_much_is_known_of_how_many_numbers(part: Any) -> None:
    automatic = part("study").automatic
    def numbers(count: int) -> SearchSpace:
        return SearchSpace(dimensions=tuple(Dimension(key=f"a.x{n}", kind="uniform", low=0, high=1)
                                            for n in range(count)))
    mixed = SearchSpace(dimensions=(*numbers(3).dimensions, Dimension(key="a.b", kind="choice", choices=(1, 2))))
    assert automatic(numbers(4), 12) == "gp" and automatic(numbers(12), 12) == "tpe"
    assert automatic(numbers(12), 60) == "cmaes" and automatic(numbers(4), 60) == "tpe"
    assert automatic(mixed, 12) == "tpe"


def test_first_points_lie_where_the_tasks_author_would_look(part: Any) -> None:
    card = replace(RICH, params=(replace(RICH.params[0], search=(2e-4, 8e-4)), *RICH.params[1:]))
    narrow = part("startup").prior(SPACE, card)
    points = [point for point, _ in zip(part("startup").spread_points(narrow, 3), range(64), strict=False)]
    rates = sorted(point["ppo.learning_rate"] for point in points)
    assert 2e-4 <= rates[0] < 2.5e-4 and 7e-4 < rates[-1] <= 8e-4
    assert sum(rate < 4e-4 for rate in rates) == 32, "log-uniform, and even"
