"""`vbotd capture`: pictures of a policy's episodes, and on request what a model thinks of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vbotd.cli.checkpoint_of import find_checkpoint
from vbotd.cli.columns import columns
from vbotd.cli.commanding import json_option
from vbotd.cli.scores import HELD_OUT_INSTANCES
from vbotd.errors import VbotdError
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic

if TYPE_CHECKING:
    from vbotd.agent.ask import Endpoint


class NotAllCaptured(VbotdError):
    """The capture is there, but not all that was wanted of it."""


@click.command("capture")
@click.argument("name", required=False, default="", metavar="[TRIAL|RUN|CHECKPOINT]")
@click.option("--episodes", type=click.IntRange(min=1, max=16), default=1, show_default=True)
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True,
              help="The first episode: its number in an evaluation's episodes.csv.")
@click.option("--instances", type=click.IntRange(min=0), default=HELD_OUT_INSTANCES, show_default=True,
              help="Seed of the episode instances, as for 'vbotd evaluate'.")
@click.option("--seconds", type=click.FloatRange(min=0.1, max=300.0), default=10.0, show_default=True,
              help="At most so much of each episode.")
@click.option("--frames", type=click.IntRange(min=1, max=24), default=5, show_default=True,
              help="Moments at regular times, besides the events.")
@click.option("--cameras", default="track,side,top", show_default=True, metavar="A,B,...",
              help="Of each moment; the first one films. There are also overview and free.")
@click.option("--no-film", is_flag=True, help="Stills only; much faster.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: the run's capture/.")
@click.option("--ask", "question", metavar="TEXT", help="Ask the model of vbotd.yaml this about the contact sheet.")
@click.option("--look", "wants_look", is_flag=True,
              help="Ask that model how the robot moves, known answers mixed in: its error rate is measured.")
@json_option
def command(name: str, episodes: int, first: int, instances: int, seconds: float, frames: int, cameras: str,
            no_film: bool, out: Path | None, question: str | None, wants_look: bool, as_json: bool) -> None:
    """Take pictures of a policy, off-screen; by default of the champion of the last campaign.

    Frames at regular times and at events (a contact of anything but a foot, largest tilt, slip, goal, fall), a contact
    sheet, a film, and a gait diagram. 'capture.json' in the same folder lists them with what each shows, and how the
    robot moves by the kinematic gate, which needs no picture.
    """
    layout = Layout.find()
    checkpoint = find_checkpoint(layout, name)
    endpoint, refused = (None, "") if question is None and not wants_look else _endpoint(layout)
    target = out or folder_of(layout, checkpoint)
    if not as_json:
        click.echo(f"capturing {checkpoint}", err=True)
    asked = {"checkpoint": str(checkpoint), "episodes": episodes, "first": first, "instances": instances,
             "seconds": seconds, "frames": frames, "cameras": [camera.strip() for camera in cameras.split(",")],
             "film": not no_film}
    index = _take(asked, target)
    if endpoint is not None and question is not None:
        refused = _ask(endpoint, question, target, index)
    if endpoint is not None and wants_look:
        refused = "; ".join(filter(None, [refused, _look(endpoint, target, index)]))
    click.echo(json.dumps(index | {"folder": str(target.resolve())}) if as_json else _text(index, target))
    missing = [*index["missing"], *([f"the question was not answered: {refused}"] if refused else [])]
    if missing:
        raise NotAllCaptured("\n".join(missing))


def folder_of(layout: Layout, checkpoint: Path) -> Path:
    """Return where the pictures of a checkpoint go: into the run that made it, if that is one of ours."""
    run_dir = checkpoint.parent.parent
    if checkpoint.parent.name == "checkpoints" and layout.runs.resolve() in run_dir.parents:
        return run_dir / "capture"
    return layout.adhoc_runs / "captures" / checkpoint.stem


def _take(asked: Mapping[str, Any], target: Path) -> dict[str, Any]:
    from vbotd.train.threads import prepare
    prepare()
    from vbotd.train.capture import take
    from vbotd.train.capture_request import parse_request
    from vbotd.train.render import RenderError
    from vbotd.train.runio import SpecError
    try:
        return take(parse_request(asked), target)
    except (RenderError, SpecError) as err:
        raise VbotdError(str(err)) from err


def _endpoint(layout: Layout) -> tuple[Endpoint | None, str]:
    """Return the configured model, or why there is none."""
    from vbotd.agent.ask import ModelError, endpoint_of
    from vbotd.daemon.process import read_config
    try:
        return endpoint_of(read_config(layout).model), ""
    except ModelError as err:
        return None, str(err)


def _ask(endpoint: Endpoint, question: str, target: Path, index: dict[str, Any]) -> str:
    """Ask about the contact sheet, put the answer into the index, and return why there is none ("")."""
    from vbotd.agent.ask import ModelError, ask
    sheet = next((target / file["file"] for file in index["files"] if file["kind"] == "contact sheet"), None)
    if sheet is None:
        return "there is no contact sheet to ask about"
    try:
        opinion = ask(endpoint, _in_context(question, index), [sheet])
    except ModelError as err:
        return str(err)
    index["opinion"] = {"question": question, "label": opinion.label, "model": opinion.model, "text": opinion.text,
                        "seconds": opinion.seconds}
    write_json_atomic(target / "capture.json", index)
    return ""


def _look(endpoint: Endpoint, target: Path, index: dict[str, Any]) -> str:
    """Ask how the robot moves, put the answer into the index, and return what failed ("")."""
    from vbotd.agent.ask import ModelError
    from vbotd.agent.vision_run import opinion_of
    try:
        index["look"] = opinion_of(endpoint, target, seed=index["checkpoint"]["sha256"])
    except ModelError as err:
        return str(err)
    write_json_atomic(target / "capture.json", index)
    return "; ".join(index["look"]["failures"])


def _in_context(question: str, index: Mapping[str, Any]) -> str:
    cameras = ", ".join(index["request"]["cameras"])
    return (f"A contact sheet of a quadruped's simulated episodes, task {index['task']}: moments from left to right, "
            f"one row for each camera ({cameras}); over each moment its time, why it was chosen, velocities, and the "
            f"feet on the ground (filled: down; FR, FL, RR, RL).\n\n{question}")


def _text(index: Mapping[str, Any], target: Path) -> str:
    rows = [(str(e["episode"]), str(e["instance"]), f"{e['ending']} after {e['length_s']:.2f} s",
             f"{e['mean_forward_mps']:.2f} m/s", _wanted(e), f"{e['largest_tilt_deg']:.0f}°",
             f"{e['total_reward']:+.2f}", e["kinematics"]["class"]) for e in index["episodes"]]
    heads = ("episode", "instance", "ending", "forward", "asked", "tilt up to", "reward", "gait")
    lines = [columns(heads, rows), "", *(finding["message"] for finding in index["findings"]), ""]
    frames = sum(file["kind"] == "frame" for file in index["files"])
    lines += [f"{target / file['file']}  {file['shows']}" for file in index["files"] if file["kind"] != "frame"]
    if frames:
        lines.append(f"{target / 'frames'}  {frames} frames")
    lines.append(f"{target / 'capture.json'}  what each of them shows")
    opinion = index.get("opinion")
    if opinion:
        lines += ["", f"{opinion['label']}:", *(f"  {line}" for line in opinion["text"].splitlines())]
    look = index.get("look")
    if look:
        lines += ["", f"{look['label']}:", *(
            f"  episode {one['episode']}: {one['said']}, {one['confidence']:.0%} sure"
            + (f" ({one['seen']})" if one["seen"] else "") for one in look["episodes"])]
    return "\n".join(lines)


def _wanted(episode: Mapping[str, Any]) -> str:
    if episode["distance_m"] is not None:
        return f"{episode['distance_m']:.2f} m left"
    return "-" if episode["mean_asked_forward_mps"] is None else f"{episode['mean_asked_forward_mps']:.2f} m/s"
