"""The agent loop against a scripted endpoint: what it says in both protocols, how it ends, what is in the record."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.calls import Caller, over_story
from tests.agent.models import reply, scripted, session_over, told
from tests.stories import MORNING
from tests.waiting import wait_until
from vbotd.agent.ask import ModelError
from vbotd.agent.ledger import Ledger
from vbotd.agent.llm import MOST_CALLS_A_TURN, shortened
from vbotd.agent.llm_session import only_session
from vbotd.agent.llm_wire import Answer, Said, Told, answer_of, most_tokens_in, recorded, request_of
from vbotd.agent.registry import Picture
from vbotd.agent.tools import OWN
from vbotd.core.agent_turns import turn_taken
from vbotd.core.sighting import CommandSeen
from vbotd.core.spending import Caps, total
from vbotd.domain import event as e
from vbotd.errors import LockHeld
from vbotd.store.events import EventStore
from vbotd.store.read import Reader

NIGHT, OPEN = "flat-night-1123", "slope-night-1123"
APIS = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture
def crash(tmp_path: Path) -> Caller:
    return over_story(tmp_path, "crash")


def waiting(caller: Caller, beginning: str = "") -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(caller.layout.commands.glob(f"{beginning}*.json"))]


def spent(caller: Caller, now: float | None = None):
    ledger = Ledger(layout=caller.layout, caps=Caps(tokens_a_day=1, tokens_a_session=1))
    return total(ledger.today().values())


@APIS
def test_it_reads_acts_and_says_what_it_did(crash: Caller, chat, api: str):
    chat.script = scripted([("status", {})], [("note", {"key": "n1", "id": OPEN, "text": "it hops"})],
                           last="I noted that it hops.")
    ending = session_over(crash.layout, chat, api=api).run("look after the night")
    assert (ending.ending, ending.turns, ending.calls, ending.said) == ("done", 3, 2, "I noted that it hops.")
    assert [asked["path"] for asked in chat.asked] == [
        "/v1/responses" if api == "responses" else "/v1/chat/completions"] * 3
    assert {tool.get("name") or tool["function"]["name"] for tool in chat.asked[0]["tools"]} == {
        tool.name for tool in OWN}
    # What it was told grows by the answers of the tools, and nothing else.
    first, second, third = (told(asked) for asked in chat.asked)
    assert first == ["look after the night"]
    assert second[:1] == first and json.loads(second[1])["campaigns"][0]["id"] == NIGHT
    assert third[:2] == second and json.loads(third[2])["status"] == "queued"
    command, = waiting(crash, "n1")
    assert (command["verb"], command["principal"]) == ("note", "agent:llm")


@APIS
def test_every_call_and_answer_is_in_the_record(crash: Caller, chat, api: str):
    chat.script = scripted([("status", {})], last="All is well.")
    ending = session_over(crash.layout, chat, api=api).run("look")
    first, second = (turn_taken(CommandSeen(key=c["key"], verb=c["verb"], args=c["args"], principal=c["principal"]))
                     for c in waiting(crash, "turn-"))
    assert (first.key, first.session, first.turn, first.how) == ("turn-s1-001", "s1", 1, "answered")
    assert json.loads(first.asked) == [{"said": "look"}]
    assert json.loads(first.answered)[0]["calls"][0]["name"] == "status"
    # The second tells only what was new: the tool's answer. Together they are the whole conversation.
    assert [sorted(entry) for entry in json.loads(second.asked)] == [["call", "tool"]]
    assert json.loads(second.answered)[0]["answer"] == "All is well."
    assert first.tokens + second.tokens == ending.tokens == spent(crash).tokens > 0
    assert first.usd + second.usd == pytest.approx(ending.usd) == pytest.approx(spent(crash).usd)


def test_a_turn_is_in_the_store_once_whoever_tells_it_again(crash: Caller):
    turn = turn_taken(CommandSeen(key="turn-s1-001", verb="agent_turn", principal="agent:llm", args={
        "session": "s1", "turn": 1, "asked": "[]", "answered": "x" * 99_000, "how": "answered", "tokens": 7}))
    store = EventStore(crash.layout.store)
    store.commit((turn,), MORNING)
    assert store.has_command("turn-s1-001")
    assert not store.rebuild()
    store.close()
    with Reader(crash.layout.store) as reader:
        stored, = reader.last_events(kinds=("AgentTurn",))
        assert reader.answer("turn-s1-001") == (True, "noted")
    assert isinstance(stored.event, e.AgentTurn)
    assert len(stored.event.answered) <= 32_000 and "characters…" in stored.event.answered


@pytest.mark.parametrize(("calls", "words"), [
    ([("fly", {})], "there is no tool 'fly'"), ([("status", "{broken")], "no JSON object"),
    ([("status", "[1]")], "JSON object"), ([("note", {"id": OPEN})], "'key' is missing"),
    ([("inspect", {"id": "../../etc/passwd"})], "an id has letters"), ([("status", {"path": "/etc"})], "no argument"),
])
def test_a_call_that_makes_no_sense_is_answered_with_words_and_the_loop_goes_on(crash: Caller, chat, calls, words: str):
    chat.script = scripted(calls, last="I see.")
    assert session_over(crash.layout, chat).run("go").ending == "done"
    assert words in told(chat.asked[1])[-1]


def test_of_too_many_calls_in_one_answer_the_last_are_not_made(crash: Caller, chat):
    chat.script = scripted([("note", {"key": f"n{k}", "id": OPEN, "text": "x"}) for k in range(MOST_CALLS_A_TURN + 3)])
    assert session_over(crash.layout, chat).run("go").calls == MOST_CALLS_A_TURN
    assert len(waiting(crash, "n")) == MOST_CALLS_A_TURN
    assert sum("not called" in text for text in told(chat.asked[1])) == 3


def test_turns_are_bounded(crash: Caller, chat):
    chat.script = lambda asked: reply(asked, [("status", {})])
    ending = session_over(crash.layout, chat, turns=4).run("go")
    assert (ending.ending, ending.turns, len(chat.asked)) == ("turns", 4, 4)


@pytest.mark.parametrize("cap", [{"tokens_a_session": 30_000}, {"tokens_a_day": 30_000}, {"usd_a_day": 0.03}])
def test_tokens_and_money_are_bounded_before_a_call_is_made(crash: Caller, chat, cap: dict[str, Any]):
    caps = Caps(**{"tokens_a_day": 10**9, "tokens_a_session": 10**9} | cap)
    chat.script = lambda asked: reply(asked, [("status", {})])
    ending = session_over(crash.layout, chat, turns=100, caps=caps).run("go")
    assert ending.ending == "budget" and 0 < ending.turns < 10
    assert next(iter(cap)).split("_")[0] in ("tokens", "usd") and "vbotd.yaml: agents." in ending.why
    assert spent(crash).tokens <= caps.tokens_a_day and spent(crash).usd <= (caps.usd_a_day or 1.0)


@pytest.mark.parametrize(("script", "tries", "words", "costs"), [
    (lambda asked: (500, b'{"error": {"message": "oh"}}', {}), 3, "HTTP 500: oh", True),
    (lambda asked: (429, b"{}", {}), 3, "too many requests", False),
    (lambda asked: (401, b"{}", {}), 1, "check the key", False),
    (lambda asked: (307, b"", {"Location": "http://127.0.0.1:9/v1"}), 1, "HTTP 307", False),
    (lambda asked: (200, b"\x00\xff no json", {}), 3, "is no chat completion", True),
    (lambda asked: (200, b'{"choices": []}', {}), 3, "is no chat completion", True),
    (lambda asked: (200, b'{"choices": [{"message": {"tool_calls": 7}}]}', {}), 3, "is no chat completion", True),
    (lambda asked: (200, b" " * (1 << 21), {}), 3, "more than 1,048,576 bytes", True),
])
def test_an_endpoint_that_gives_no_answer_is_tried_a_few_times_and_what_it_may_have_cost_counts(
        crash: Caller, chat, script, tries: int, words: str, costs: bool):
    chat.script = script
    ending = session_over(crash.layout, chat).run("go")
    assert (ending.ending, len(chat.asked)) == ("endpoint", tries)
    assert words in ending.why
    recorded_turns = waiting(crash, "turn-")
    assert len(recorded_turns) == tries and all(words in turn["args"]["how"] for turn in recorded_turns)
    assert (spent(crash).tokens > 0) is costs
    assert spent(crash).tokens == ending.tokens == sum(turn["args"]["tokens"] for turn in recorded_turns)


def test_an_endpoint_that_is_down_costs_nothing(crash: Caller, chat):
    chat.close()
    ending = session_over(crash.layout, chat).run("go")
    assert (ending.ending, ending.tokens, spent(crash).tokens) == ("endpoint", 0, 0)
    assert "cannot be reached" in ending.why


def test_an_endless_answer_is_given_up(crash: Caller, chat):
    chat.hold = True
    ending = session_over(crash.layout, chat, timeout_s=0.3).run("go")
    assert ending.ending == "endpoint" and "within 0.3 s" in ending.why
    assert spent(crash).tokens > 0  # it may have been billed


def test_an_answer_that_breaks_off_is_one_that_did_not_come(crash: Caller, chat):
    chat.hold = True
    ends = threading.Thread(target=lambda: (wait_until(lambda: chat.asked), setattr(chat, "hold", False)))
    ends.start()
    chat.script = scripted("never heard", last="Here I am.")
    ending = session_over(crash.layout, chat).run("go")
    ends.join()
    assert (ending.ending, ending.said) == ("done", "Here I am.")
    assert "broke off" in waiting(crash, "turn-")[0]["args"]["how"]


def test_an_endpoint_that_recovers_is_asked_on(crash: Caller, chat):
    failures = [(500, b"", {}), (200, b"{", {})]
    chat.script = lambda asked: failures.pop(0) if failures else reply(asked, "Here I am.")
    ending = session_over(crash.layout, chat).run("go")
    assert (ending.ending, ending.turns, len(chat.asked)) == ("done", 1, 3)


def test_without_a_count_of_the_endpoint_all_that_was_set_aside_is_spent(crash: Caller, chat):
    def uncounted(asked: dict[str, Any]) -> Any:
        status, body, headers = reply(asked, "Hm.")
        return status, json.dumps({**json.loads(body), "usage": {"prompt_tokens": -5}}).encode(), headers
    chat.script = uncounted
    ending = session_over(crash.layout, chat).run("go")
    assert ending.tokens >= len(json.dumps(chat.asked[0]["messages"])) + 500


@APIS
def test_it_ends_its_turn_by_sleeping(crash: Caller, chat, api: str):
    chat.script = scripted([("sleep_until", {"key": "z1", "until": "trial_judged", "id": NIGHT})])
    ending = session_over(crash.layout, chat, api=api).run("go")
    assert (ending.ending, ending.why, len(chat.asked)) == ("asleep", "it sleeps: z1", 1)


def test_a_session_that_waits_is_told_what_ended_its_sleep(crash: Caller, chat):
    chat.script = scripted([("sleep_until", {"key": "z1", "until": "trial_judged", "id": NIGHT})], last="Good morning.")
    session = session_over(crash.layout, chat, once=False)
    looks = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            store = EventStore(crash.layout.store)
            store.commit((e.TrialJudged(campaign=NIGHT, trial=f"{NIGHT}/t002", verdict="keep", why="good"),), MORNING)
            store.close()

    session.caller.pause = pause
    assert session.run("go").ending == "done"
    assert len(looks) == 3 and len(chat.asked) == 2  # waiting asks nobody
    assert "The sleep z1 is over" in told(chat.asked[1])[-1] and "TrialJudged" in told(chat.asked[1])[-1]


def test_one_session_at_a_time(crash: Caller):
    with only_session(crash.layout), pytest.raises(LockHeld, match="another session"), only_session(crash.layout):
        pass
    with only_session(crash.layout):
        pass


def test_pictures_are_shown_where_the_model_sees(crash: Caller):
    picture = Picture(shows="a <<sheet>>", mime="image/png", base64="aGk=")
    history = [Said(text="go"), Answer(text="", calls=()), Told(call="c1", text="{}", pictures=(picture,)),
               Told(call="c2", text="{}")]
    chat = request_of("chat", "m", "i", history, OWN[:1], 100)
    assert [message["role"] for message in chat["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert chat["messages"][-1]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGk="
    responses = request_of("responses", "m", "i", history, OWN[:1], 100)
    assert responses["input"][2 - 1]["output"][1]["image_url"] == "data:image/png;base64,aGk="
    assert json.loads(recorded(history))[2]["pictures"] == ["a <<sheet>>"]  # by what they show
    assert most_tokens_in(chat) > 3_000


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from([
        "choices", "message", "content", "tool_calls", "function", "name", "arguments", "id", "output", "type", "text",
        "usage", "prompt_tokens", "call_id"]), inner, max_size=4), max_leaves=12)


@APIS
@settings(max_examples=150, deadline=None)
@given(value=json_values)
def test_whatever_an_endpoint_sends_is_an_answer_or_an_error(api: str, value: Any):
    try:
        answer = answer_of(api, json.dumps(value).encode(), "http://h")
    except ModelError as error:
        assert "http://h" in str(error) or "tool without a name" in str(error)
    else:
        assert isinstance(answer.text, str) and all(isinstance(call.arguments, str) for call in answer.calls)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 4_000), max_size=40), most=st.integers(0, 20_000))
def test_a_long_conversation_loses_its_oldest_tool_answers_only(sizes: list[int], most: int):
    history = [Told(call=f"c{k}", text="x" * size) if k % 2 else Said(text="y" * size) for k, size in enumerate(sizes)]
    kept = shortened(history, most)
    assert len(kept) == len(history) and kept[-12:] == history[-12:]
    assert all(after == before or (isinstance(before, Told) and isinstance(after, Told) and after.call == before.call)
               for before, after in zip(history, kept, strict=True))
    if sum(map(len, (entry.text for entry in history))) <= most:
        assert kept == history


def test_a_token_is_never_longer_than_what_is_set_aside(crash: Caller, chat):
    chat.script = scripted([("status", {})])
    session_over(crash.layout, chat).run("go ärgerlich 漢字")
    for asked in chat.asked:
        body = {key: value for key, value in asked.items() if key != "path"}
        assert most_tokens_in(body) >= len(json.dumps(body["messages"], ensure_ascii=False, separators=(",", ":")))
