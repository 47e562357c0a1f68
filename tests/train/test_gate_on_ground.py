"""The kinematic gate on ground that is not flat: bumps, a ramp, a platform. Heights are those above the feet."""

from __future__ import annotations

from pathlib import Path

import pytest

from vbotd.core.kinematic_gate import GateWord, judge_clip
from vbotd.train import cheat_film
from vbotd.train.clip import clip_of
from vbotd.train.probes import PROBES
from vbotd.train.tasks import registry
from vbotd.train.tasks.environment import Environment
from vbotd.train.tasks.settings import resolve
from vbotd.train.worker import build

SECTION, ROUGH = "vbot_navigation_section011", "vbot_walk_rough"
HOME_M = 0.28  # of the base above flat ground


@pytest.fixture(autouse=True)
def mujoco_log_stays_in_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cheat_film, "LONGEST_S", 6.0)


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("mujoco"))
        return {name: build(card := registry.find(name), resolve(card, {}), 1, 1, 1) for name in (SECTION, ROUGH)}


def seen(env: Environment, name: str, seed: int) -> tuple[GateWord, list[float]]:
    """Return what the gate says of a probe, and how high its base was in the world."""
    probe = next(probe for probe in PROBES if probe.name == name)
    steps = cheat_film.lived(env, probe, seed)
    return judge_clip(clip_of(steps, env.sim.model, env.options.control_dt_s)), [float(step.qpos[2]) for step in steps]


@pytest.mark.parametrize(("task", "probe", "seed", "climbs"), [
    (SECTION, "walk", 9, 0.05), (SECTION, "walk", 6, 0.4), (SECTION, "walk", 8, 0.0), (ROUGH, "follow", 1, 0.0),
], ids=["over bumps", "down the ramp", "on the platform", "over a rough floor"])  # fmt: skip
def test_a_walker_is_called_walking(grounds: dict[str, Environment], task: str, probe: str, seed: int, climbs: float
                                    ) -> None:
    word, heights_m = seen(grounds[task], probe, seed)
    assert max(heights_m) > 0.4, "this is not flat ground"
    assert max(heights_m) - min(heights_m) > climbs
    assert word.kind == "walks" and word.passes, word.why
    assert 0.9 < word.motion.height < 1.6, "of its stance, wherever the ground is"


@pytest.mark.parametrize(("task", "seed", "least_m"), [(SECTION, 2, 0.4), (SECTION, 8, 1.5), (ROUGH, 1, 0.3)],
                         ids=["among bumps", "on the platform", "on a rough floor"])
def test_a_statue_is_called_standing_and_neither_walking_nor_lying(grounds, task: str, seed: int, least_m: float
                                                                  ) -> None:
    word, heights_m = seen(grounds[task], "stand", seed)
    assert min(heights_m) > least_m > HOME_M, "its base is higher than on flat ground"
    assert word.kind == "stands", word.why
    assert 0.85 < word.motion.height < 1.15


def test_who_cannot_hold_itself_on_the_ramp_is_not_called_standing(grounds) -> None:
    sitting, heights_m = seen(grounds[SECTION], "stand", 6)
    assert heights_m[0] > 0.8 and sitting.kind in ("lies", "falls", "drags")
    tumbled, _ = seen(grounds[SECTION], "stand", 4)
    assert tumbled.kind == "falls"
