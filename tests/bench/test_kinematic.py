"""The 40 reference clips: what our own policies did, by construction, against the gate's word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vbotd.core.clip import Clip
from vbotd.core.kinematic_gate import GateWord, judge_clip
from vbotd.train.clip import ARRAYS, read_clips, write_clips

CLIPS = Path(__file__).parents[2] / "bench" / "kinematic-clips.npz"
MOST_BYTES = 1 << 20


@pytest.fixture(scope="module")
def judged() -> list[tuple[str, GateWord]]:
    return [(label, judge_clip(clip)) for label, clip in read_clips(CLIPS)]


def test_there_are_forty_of_every_kind(judged: list[tuple[str, GateWord]]):
    labels = Counter(label.split(":")[0] for label, _ in judged)
    assert labels == {"walks": 8, "stands": 7, "falls": 7, "lies": 6, "drags": 6, "limps": 6}
    assert CLIPS.stat().st_size < MOST_BYTES


def test_no_crash_and_no_statue_walks(judged: list[tuple[str, GateWord]]):
    walking = [label for label, word in judged if word.kind == "walks" and not label.startswith("walks")]
    assert walking == []


def test_the_gate_agrees_with_nearly_all(judged: list[tuple[str, GateWord]]):
    wrong = [f"{label} -> {word.kind}: {word.why}" for label, word in judged if label.split(":")[0] != word.kind]
    assert len(wrong) <= 0.05 * len(judged), wrong


def test_a_file_of_clips_holds_what_was_written(tmp_path: Path):
    clips = read_clips(CLIPS)[:3]
    write_clips(tmp_path / "again.npz", clips)
    for (label, one), (again, other) in zip(clips, read_clips(tmp_path / "again.npz"), strict=True):
        assert (label, one.ending, one.dt_s) == (again, other.ending, other.dt_s)
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9, err_msg=name)


def test_half_of_a_walk_is_a_walk_too():
    walks = [clip for label, clip in read_clips(CLIPS) if label.startswith("walks: straight")]
    half = {name: getattr(walks[0], name)[:150] for name in ARRAYS}
    assert judge_clip(Clip(dt_s=0.02, nominal_height_m=walks[0].nominal_height_m, **half)).kind == "walks"
