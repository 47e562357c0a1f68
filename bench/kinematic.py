"""Does the kinematic gate tell a walk from a crash, a statue, a crawl? Scenes made by construction, against its word.

    python bench/kinematic.py [--set measured|bars] [--keep] [--known]

`bars` are the scenes that the gate's bars were set on; `measured` (the default) are others: other seeds, sizes between
those, and six kinds of scene that the bars never saw. `passed`: no crash and no statue is called walking, and the gate
agrees with at least 95 % of the labels. `--keep` writes the 40 reference clips that the tests replay
(`kinematic-clips.npz`: the first of each kind of scene, whatever the gate says of it); `--known` draws the sheets with
known answers that are mixed into questions to a vision model.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vbotd.train.gl import RenderError, choose_gl

sys.path.insert(0, str(Path(__file__).with_name("_kinematic")))
with contextlib.suppress(RenderError):
    choose_gl()  # before mujoco is loaded, in case something is to be drawn

from play import Played, play
from scenes import HELD_OUT, MAKES

from vbotd.core.interval import of_rate
from vbotd.core.kinematic_gate import judge_clip

BARS_SIZES, BARS_SEED = (0.0, 0.15, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0), 0
MEASURED_SIZES, MEASURED_SEED = (0.1, 0.2, 0.33, 0.45, 0.67, 0.82, 0.95), 5000
CLIPS = Path(__file__).with_name("kinematic-clips.npz")
RESULTS = Path(__file__).with_name("results-kinematic.json")
KEPT = {"walks": 8, "stands": 7, "falls": 7, "lies": 6, "drags": 6, "limps": 6}
MIN_AGREEMENT = 0.95


def main() -> None:
    """Play the scenes, ask the gate, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("measured", "bars"), default="measured", dest="which")
    parser.add_argument("--keep", action="store_true", help=f"write bench/{CLIPS.name} anew")
    parser.add_argument("--known", action="store_true", help="draw vbotd/agent/known/ anew")
    parser.add_argument("--save", action="store_true", help=f"keep the result in bench/{RESULTS.name}")
    asked = parser.parse_args()
    played = scenes_of(asked.which)
    line = json.dumps(figures(played) | {"set": asked.which})
    print(line)
    if asked.save:
        RESULTS.write_text(line + "\n", encoding="utf-8")
    if asked.keep:
        keep(played)
    if asked.known:
        from known import draw_known

        draw_known(played)


def scenes_of(which: str) -> list[Played]:
    """Return the scenes of a set, played."""
    makes, sizes, seed = ((*MAKES, *HELD_OUT), MEASURED_SIZES, MEASURED_SEED) if which == "measured" else (
        MAKES, BARS_SIZES, BARS_SEED)  # fmt: skip
    return play([make(size, seed + number) for number, size in enumerate(sizes) for make in makes])


def figures(played: Sequence[Played]) -> dict[str, Any]:
    """Return how often the gate agrees with the labels of the scenes that came about, and each time it does not."""
    true = [one for one in played if one.came_about]
    said = [judge_clip(one.clip).kind for one in true]
    pairs = Counter((one.scene.label, kind) for one, kind in zip(true, said, strict=True))
    agreed = sum(count for (label, kind), count in pairs.items() if label == kind)
    walking = sum(pairs[label, "walks"] for label in ("falls", "stands", "lies"))
    wrong = [f"{one.scene.name} ({one.scene.label}): {kind}"
             for one, kind in zip(true, said, strict=True) if kind != one.scene.label]  # fmt: skip
    rate = of_rate(agreed, len(true))
    return {
        "clips": len(true), "agreement": round(rate["value"], 4), "low": round(rate["low"], 4),
        "high": round(rate["high"], 4),
        "crashes_and_statues_called_walking": walking, "passed": not walking and agreed >= MIN_AGREEMENT * len(true),
        "by_label": {label: f"{pairs[label, label]}/{sum(pairs[label, kind] for kind in set(said))}" for label in KEPT},
        "wrong": wrong, "did_not_come_about": len(played) - len(true),
    }  # fmt: skip


def reference(played: Sequence[Played]) -> Iterator[Played]:
    """Yield the scenes that are kept: of each label as many as `KEPT` says, each kind of scene in turn."""
    left, seen, turns = dict(KEPT), Counter[str](), []
    for one in played:
        if one.came_about:
            turns.append((seen[one.scene.name], one))
            seen[one.scene.name] += 1
    for _, one in sorted(turns, key=lambda turn: turn[0]):
        if left[one.scene.label]:
            left[one.scene.label] -= 1
            yield one


def keep(played: Sequence[Played]) -> None:
    """Write the reference clips."""
    from vbotd.train.clip import write_clips

    write_clips(CLIPS, [(f"{one.scene.label}: {one.scene.name}", one.clip) for one in reference(played)])


if __name__ == "__main__":
    main()
