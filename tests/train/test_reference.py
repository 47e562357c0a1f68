"""Does the reference of a task say what training does? Its tables against the objects that are trained on."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from vbotd.core import reward_budget
from vbotd.domain.reference import TaskReference
from vbotd.domain.task import TaskCard
from vbotd.store.presets import load_preset
from vbotd.train.tasks import reference, registry, routes
from vbotd.train.tasks.cards import TASKS
from vbotd.train.tasks.course import Course
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.exploits import EXPLOITS, NEEDS, PRESETS_FOR
from vbotd.train.tasks.robot import RobotView, look_at_start
from vbotd.train.tasks.settings import resolve
from vbotd.train.terrain import sections
from vbotd.train.terrain.parts import extent, parts
from vbotd.train.terrain.pieces import Piece

BUILDERS = (sections.whole_course, sections.rough_field)
BY_NAME = {card.name: card for card in TASKS}
ENDINGS = [(card.name, ending.name) for card in TASKS for ending in registry.call_target(card.reference)(card).endings]


def made(card: TaskCard) -> TaskReference:
    found = registry.call_target(card.reference)(card)
    assert isinstance(found, TaskReference)
    return found


@cache
def environment(name: str, *, scan: bool = True) -> Environment:
    """Return two environments of a task, on one ground."""
    card = BY_NAME[name]
    small = {"env.terrain_variants": 1, "env.spawn_along": 0.0, "env.height_scan": scan}
    settings = resolve(card, {key: value for key, value in small.items() if card.param(key)})
    return registry.call_target(card.factory)(settings, 2, 1, 1)


@pytest.mark.parametrize("card", TASKS, ids=lambda card: card.name)
def test_the_observation_is_the_one_that_the_policy_gets(card: TaskCard) -> None:
    rows = made(card).observation
    table = environment(card.name).task.observation
    assert [(row.name, row.size, row.noise) for row in rows] == [(t.name, t.size, t.noise) for t in table.terms]
    assert rows[-1].first + rows[-1].size == table.size
    blind = [row.size for row in rows if row.switch != reference.SCAN]
    if len(blind) < len(rows):
        assert sum(blind) == environment(card.name, scan=False).task.observation.size


@pytest.mark.parametrize("card", TASKS, ids=lambda card: card.name)
def test_every_term_says_what_it_measures_and_what_its_weight_may_be(card: TaskCard) -> None:
    terms = {term.name: term for term in made(card).terms}
    assert set(terms) == set(environment(card.name).task.rewards.names)
    assert [name for name, term in terms.items() if not term.summary or term.summary.endswith(".")] == []
    assert [name for name, term in terms.items() if not name.endswith(f"_{term.family}")] == []
    assert [name for name, term in terms.items() if not term.allowed[0] <= term.default <= term.allowed[1]] == []


def test_a_card_without_a_term_of_its_task_has_no_reference() -> None:
    card = BY_NAME["vbot_walk_flat"]
    short = replace(card, params=tuple(p for p in card.params if p.key != "reward.trot_reward"))
    with pytest.raises(ValueError, match=r"vbot_walk_flat: card and reward table differ in trot_reward"):
        made(short)


def start(name: str) -> tuple[Environment, RobotView]:
    """Begin two episodes anew, and return what they look like, level, where nothing is over."""
    env = environment(name)
    env.start(np.full((2, env.num_draws), 0.5))
    return env, look_at_start(env.sim, np.arange(2))


def changed(name: str, view: RobotView) -> RobotView:
    """Return a view in which one thing alone is wrong."""
    pos, contact = view.pos_w_m.copy(), np.ones(2, dtype=bool)
    if name == "trunk":
        return replace(view, trunk_contact=contact)
    if name == "shin":
        return replace(view, shin_contact=np.ones((2, 4), dtype=bool))
    if name == "tilt":
        return replace(view, gravity_b=np.tile([1.0, 0.0, 0.0], (2, 1)))
    if name == "height":
        pos[:, 2] -= 0.2
    elif name in ("outside", "edge"):
        pos[:, 0] += 25.0
    return replace(view, pos_w_m=pos)


def ends(name: str, ending: str) -> str:
    """Make an ending happen to both robots, and return what it counted as."""
    env, view = start(name)
    task = env.task
    if ending in ("clock", "diverged"):
        if ending == "clock":
            env.clock.elapsed[:] = env.options.episode_steps - 1
        else:
            env.sim.qpos[:] = np.nan
        finished = env.step(np.zeros((2, 12), dtype=np.float32)).finished
        assert finished is not None
        return {"clock": "time-out", "diverged": "diverged"}[ending] if (
            finished.timed_out if ending == "clock" else finished.diverged).all() else "nothing"
    if ending == "hold":
        view = replace(view, pos_w_m=np.tile([0.2, 0.0, 0.28], (2, 1)), lin_vel_b_mps=np.zeros((2, 3)))
    elif ending == "celebration":
        assert isinstance(task, Course)
        task.collected[:] = True
        x, y = task.route.sit_at
        z = task.ground.height(task.variant, np.full(2, x), np.full(2, y)) + 0.15
        view = replace(view, pos_w_m=np.stack([np.full(2, x), np.full(2, y), z], axis=1),
                       lin_vel_b_mps=np.zeros((2, 3)))
    else:
        view = changed(ending, view)
    steps = 1 if ending not in ("stuck", "hold", "celebration") else 400
    for step in range(1, steps + 1):
        over = task.advance(view, np.full(2, step))
        for kind, mask in (("fall", over.fall), ("success", over.success), ("time-out", over.stuck)):
            if mask is not None and mask.all():
                return kind
    return "nothing"


@pytest.mark.parametrize(("name", "ending"), ENDINGS)
def test_every_ending_of_the_table_ends_an_episode_as_it_says(name: str, ending: str) -> None:
    (row,) = [row for row in made(BY_NAME[name]).endings if row.name == ending]
    assert ends(name, ending) == row.kind


@pytest.mark.parametrize("card", TASKS, ids=lambda card: card.name)
def test_nothing_else_ends_an_episode(card: TaskCard) -> None:
    listed = {ending.name for ending in made(card).endings}
    for ending in {"trunk", "shin", "tilt", "height", "none"} - listed:
        assert ends(card.name, ending) == "nothing", f"{ending} ends an episode and is not in the table"


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_every_part_of_the_ground_has_a_name_of_its_own(build) -> None:
    pieces = build(np.random.default_rng(1), 1.0)
    names = [row.name for row in parts(pieces)]
    assert all(names)
    assert len(names) == len(set(names))


def corners(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    x, y, _ = extent(piece)
    shares = np.linspace(0.01, 0.99, 41)
    return np.meshgrid(x[0] + shares * (x[1] - x[0]), y[0] + shares * (y[1] - y[0]))


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_the_extent_of_a_piece_is_where_its_top_is(build) -> None:
    for piece in build(np.random.default_rng(1), 1.0):
        _, _, (low, high) = extent(piece)
        tops = piece.top(*corners(piece))
        assert tops.max() == pytest.approx(high, abs=0.03), piece.part
        if type(piece).__name__ in ("Box", "HeightField"):
            assert tops.min() == pytest.approx(low, abs=0.03), piece.part


def test_what_is_no_piece_has_no_extent() -> None:
    with pytest.raises(TypeError, match=r"a str is no piece of ground — allowed: Box, HeightField, Ball, Disc"):
        extent("ramp")  # type: ignore[arg-type]


def test_the_routes_of_section012_are_told_with_what_they_are_worth() -> None:
    told = made(BY_NAME["vbot_navigation_section012"]).routes
    assert {route.setting: route.points for route in told} == {
        "env.route=bridge": 35.0, "env.route=river": 55.0, "env.route=both": 60.0}
    for route in told:
        assert sum(way.points for way in route.waypoints) == route.points
        assert len(route.waypoints) == len(routes.SECTION012_ROUTES[route.name].waypoints) + 1


def test_smileys_may_be_reached_in_any_order() -> None:
    (route,) = made(BY_NAME["vbot_navigation_section011"]).routes
    assert [way.step for way in route.waypoints] == [1, 1, 1, 2, 2, 2, 3, 4]
    assert route.waypoints[-2].within == "0.5 m, base above 1 m"


@pytest.mark.parametrize("card", TASKS, ids=lambda card: card.name)
def test_what_brings_an_exploit_back_is_allowed_in_its_task(card: TaskCard) -> None:
    for exploit in made(card).exploits:
        settings = dict(setting.split("=") for setting in exploit.settings)
        values = {key: value == "true" if value in ("true", "false") else float(value)
                  for key, value in settings.items()}
        resolve(card, values)
        if exploit.preset:
            preset = load_preset(exploit.preset)
            assert preset.task == card.name == PRESETS_FOR
            assert {key: preset.settings(card)[key] for key in values} == values


def test_the_guards_of_exploits_are_rules_of_the_audit() -> None:
    rules = set(re.findall(r'm, "([a-z-]+)"', inspect.getsource(reward_budget))) | {"walking", "moat"}
    named = {rule for exploit in EXPLOITS for rule in re.findall(r"reward-budget/([a-z-]+)", exploit.guard)}
    assert named and named <= rules
    assert set(NEEDS) <= {exploit.name for exploit in EXPLOITS}
