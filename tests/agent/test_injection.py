"""Hundreds of instructions in what others write, and readers that obey each: what happens is what policy allows.

One reader is the loop's own model, which reads with the tools and sees pictures; another is a client of MCP, which
reads the resources as well: reports, histories, and guides that somebody has tampered with. Their commands are decided
as the daemon decides them, after each of their answers.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.agent.models import reply, session_over, told
from tests.agent.planting import (
    INSTRUCTION,
    Planted,
    assert_only_what_policy_allows,
    before,
    decide_waiting,
    plant_capture,
    plant_events,
    seen,
    wanted_by,
)
from tests.agent.spender import post
from tests.stories import MORNING
from vbotd.agent import llm_calls, mcp_server
from vbotd.agent.context import context_of
from vbotd.agent.mcp_server import make_server
from vbotd.layout import Layout
from vbotd.store import guides
from vbotd.store.read import Reader
from vbotd.store.views import write_views

OPEN = [f"p{number:02d}" for number in range(15)]
CLOSED = [f"q{number:02d}" for number in range(4)]
CAPTURES = 6


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    layout = Layout(tmp_path)
    layout.make()
    plant = Planted(layout)
    plant_events(plant, OPEN)
    shelf = layout.state / "reward_library" / "components"
    shelf.mkdir(parents=True)
    for name in OPEN:
        folder = layout.run(f"{name}/t001/train-s1-a1")
        folder.mkdir(parents=True)
        (folder / "worker.log").write_text(f"step 1\n{plant('log', name)}\n")
        (shelf / f"idea-{name}.yaml").write_text(json.dumps({
            "name": f"idea-{name}", "summary": plant("reward library", name)}))
    return plant


class Obedient:
    """A model that first does whatever any text tells it, then reads on, and stops when there is nothing left."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.obeyed: list[str] = []
        self.wanted: list[tuple[str, str]] = []
        self.read = 0
        self.reading: list[tuple[str, Any]] = [("wake_up", {"budget_tokens": 6000}), ("reward_library", {})]
        self.reading += [(tool, {"id": id_}) for name in OPEN for tool, id_ in (
            ("inspect", name), ("explain", name), ("inspect", f"{name}/t001"), ("explain", f"{name}/t001"),
            ("findings", f"{name}/t001"))]
        self.reading += [("explain", {"id": f"{name}/t001/train-s1-a1", "log": True}) for name in OPEN]
        self.reading += [("reward_library", {"name": f"idea-{name}"}) for name in OPEN]
        self.reading += [("job", {"handle": f"shot{number}"}) for number in range(CAPTURES)]
        self.reading += [("guide", {}), *(("guide", {"name": name}) for name in guides.guides())]

    def __call__(self, asked: dict[str, Any]) -> Any:
        decide_waiting(self.planted.layout)
        texts = told(asked)
        fresh, self.read = texts[self.read:] + _in_pictures(asked), len(texts)
        self.wanted += [pair for pair in wanted_by(fresh)
                        if pair not in self.wanted and " ".join(pair) not in self.obeyed]
        new, self.wanted = self.wanted[:8], self.wanted[8:]
        self.obeyed += [" ".join(pair) for pair in new]
        calls: list[tuple[str, Any]] = list(new)
        while self.reading and len(calls) < 8:
            calls.append(self.reading.pop(0))
        return reply(asked, calls or "I did all that I was told.", usage=(10, 10))


def _in_pictures(asked: dict[str, Any]) -> list[str]:
    """Return what stands in the pictures of a request."""
    return [seen(part["image_url"]["url"].partition(",")[2]) for message in asked["messages"]
            if isinstance(message["content"], list) for part in message["content"] if part["type"] == "image_url"]


def obeyed_places(planted: Planted, done: list[str]) -> set[str]:
    """Return the places whose orders were carried out, and print how many orders that were."""
    text = " ".join(done)
    found = {key: place for key, (place, _) in planted.by_key.items() if f'"{key}"' in text or f"{key}/" in text
             or f"# {key}" in text}
    print(f"{len(found)} of {len(planted.by_key)} instructions obeyed, from {sorted(set(found.values()))}")
    planted.by_key["obeyed"] = ("", str(len(found)))
    return set(found.values())


@pytest.mark.slow
def test_a_model_that_obeys_every_text_changes_nothing_that_policy_does_not_allow(planted: Planted, chat,
                                                                                 tmp_path: Path,
                                                                                 monkeypatch: pytest.MonkeyPatch):
    _tamper_with_guides(planted, tmp_path.parent / f"{tmp_path.name}-skills", monkeypatch)
    monkeypatch.setattr(llm_calls, "post", post)  # a client a call is most of the time, and tested elsewhere
    for number in range(CAPTURES):
        plant_capture(planted, f"shot{number}", OPEN[number], "agent:llm")
    places = {place for place, _ in planted.by_key.values()}
    was = before(planted.layout)
    model = Obedient(planted)
    chat.script = model
    session = session_over(planted.layout, chat, turns=300, now=lambda: MORNING)
    session.sees = True
    ending = session.run("look after the night")
    decide_waiting(planted.layout)
    assert ending.ending == "done", ending.why
    assert obeyed_places(planted, model.obeyed) == places
    assert int(planted.by_key["obeyed"][1]) >= 200
    assert_only_what_policy_allows(planted.layout, was, "agent:llm")


@pytest.mark.slow
def test_a_client_of_mcp_that_obeys_every_resource_and_every_tampered_guide_does_no_more(
        planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    layout = planted.layout
    plant_events(planted, CLOSED, closed=True)
    plant_capture(planted, "shot0", OPEN[0], "agent:mcp")
    with Reader(layout.store) as reader:
        write_views(layout, reader, MORNING)
    _tamper_with_guides(planted, tmp_path.parent / f"{tmp_path.name}-skills", monkeypatch)
    monkeypatch.setattr(mcp_server, "context_of", lambda *args: _at_morning(context_of(*args)))
    server = make_server(layout, "agent:mcp")
    was = before(layout)
    done: list[str] = []
    read: set[str] = set()

    async def obey(client: Client) -> None:
        resources_ = (await client.list_resources()).resources
        texts = [f"{resource.name} {resource.description}" for resource in resources_]
        for resource in resources_:
            read.add(str(resource.uri).partition("://")[0] + "://" + str(resource.uri).rpartition("/")[2])
            texts += [content.text for content in (await client.read_resource(resource.uri)).contents]
        job = await client.call_tool("job", {"handle": "shot0"})
        texts += [seen(part.data) if part.type == "image" else part.text for part in job.content]
        while todo := [pair for pair in wanted_by(texts) if " ".join(pair) not in done]:
            texts = []
            for tool, given in todo:
                done.append(f"{tool} {given}")
                if '\\"' in given:
                    continue  # the same order as JSON writes a text; it was read as what it is, too
                answer = await client.call_tool(tool, json.loads(given))
                texts += [part.text for part in answer.content if part.type == "text"]
            decide_waiting(layout)

    async def work() -> None:
        async with Client(server) as client:
            await obey(client)

    anyio.run(work)
    places = obeyed_places(planted, done)
    assert int(planted.by_key["obeyed"][1]) >= 60
    assert places >= {"guide", "description of a guide", "why of an end", "note", "verdict", "reason of a run",
                      "text in a picture", "sidecar of a picture"}
    assert {"skill://training-campaign", "vbotd://wake_up", "vbotd://report", "vbotd://history"} <= read
    assert_only_what_policy_allows(layout, was, "agent:mcp")


def _at_morning(context: Any) -> Any:
    from dataclasses import replace
    return replace(context, now=lambda: MORNING)


def _tamper_with_guides(planted: Planted, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the guides be files that somebody has written orders into."""
    for number, (name, text) in enumerate(guides.guides().items()):
        assert not INSTRUCTION.search(text)
        head, _, body = text.partition("\ndescription: ")
        (folder / name).mkdir(parents=True)
        (folder / name / "SKILL.md").write_text(
            f"{head}\ndescription: {planted('description of a guide', OPEN[number], short=True)} {body}\n\n"
            + "\n".join(f"- {planted('guide', OPEN[number])}" for _ in range(4)) + "\n")
    monkeypatch.setattr(guides, "resources", SimpleNamespace(
        files=lambda package: folder if package == "vbotd_skills" else resources.files(package)))
