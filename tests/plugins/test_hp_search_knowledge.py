"""What a search takes from others: earlier campaigns, presets, people, other skills; and what it tells of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.core.given import step
from tests.plugins.searching import HORIZON, NIGHT, RICH, climbing, history_of, night, part, rate, search_skill
from vbotd.core.sighting import ProposalsSeen
from vbotd.domain.trial import Proposal
from vbotd.host.view import HostView, Library


@pytest.fixture(scope="module")
def skill() -> ModuleType:
    return search_skill()


def test_the_best_of_earlier_campaigns_is_tried_first_and_nothing_of_theirs_is_repeated(skill: ModuleType,
                                                                                        ) -> None:
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


def test_a_persons_trial_competes_and_has_its_credit(skill: ModuleType) -> None:
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


def test_what_another_skill_changed_beside_the_space_teaches_the_sampler_nothing(skill: ModuleType) -> None:
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
