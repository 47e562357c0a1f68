"""The captures of `fake_show`: the index, the sheets and the metrics of a real one, of episodes that never were."""

import json
import os

from PIL import Image

from vbotd.core.interval import of_rate


def capture(folder):
    spec = folder.spec()
    kind, episodes = spec.params.get("env.moves", "walks"), spec.capture["episodes"]
    assert spec.checkpoint and os.path.exists(spec.checkpoint)
    assert "EYES_KEY" not in os.environ, "the key is for runs that ask a model"
    out = folder.path / "capture"
    out.mkdir()
    files = []
    for k in range(1, episodes + 1):
        Image.new("RGB", (60, 20), (9 * k, 90, 30)).save(out / f"look_e{k}.jpg")
        files.append({"file": f"look_e{k}.jpg", "kind": "look sheet", "shows": "", "episode": k})
    (out / "capture.json").write_text(json.dumps({"files": files, "missing": [], "episodes": [
        {"episode": k, "kinematics": {"class": kind}} for k in range(1, episodes + 1)]}))
    passes = episodes if kind == "walks" else 0
    folder.write_result({
        "outcome": "finished", "reason": "", "env_steps": 10, "wall_s": 0.1, "simulated_s": 1.0, "checkpoint": None,
        "metrics": {"gait/passes": of_rate(passes, episodes),
                    "capture/stills": {"value": 4.0, "low": 4.0, "high": 4.0, "n": episodes}},
        "findings": [{"rule": "kinematic-gate", "level": "info" if passes else "error",
                      "message": f"the kinematic gate: {kind} in {episodes} of {episodes} episodes"}]})
