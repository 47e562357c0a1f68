"""The verbs that read: what they say, what their JSON looks like, and how they fail."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable

import pytest
from click.testing import Result

from tests.stories import STORIES
from vbotd.domain.event import CampaignAccepted
from vbotd.store.read import Reader

Vbotd = Callable[..., Result]


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("args", [("status",), ("report",), ("log",), ("watch", "--json")])
def test_reading_verbs_work_on_every_story(vbotd: Vbotd, name: str, args: tuple[str, ...]) -> None:
    result = vbotd(name, *args)
    assert result.exit_code == 0
    assert result.output.strip()


def test_status_shows_what_runs_without_a_daemon(vbotd: Vbotd) -> None:
    output = vbotd("crash", "status").output
    assert "daemon: not running — 'vbotd run' starts it" in output
    assert "cores: 1 of " in output
    assert "flat-night-1123/t002/train-s1-a1  running" in output and "41.0 % of 1,500,000" in output
    assert "'vbotd resume slope-night-1123'" in output


def test_status_names_the_daemon_that_holds_the_lock(vbotd: Vbotd, tmp_path) -> None:  # type: ignore[no-untyped-def]
    vbotd("success", "status")
    with open(tmp_path / "success" / "state" / "vbotd.lock", "w") as file:
        file.write("pid 4121, since 2026-11-23 21:00:00\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "daemon: running (pid 4121, since 2026-11-23 21:00:00)" in vbotd("success", "status").output


def test_status_json_has_the_documented_shape(vbotd: Vbotd) -> None:
    said = json.loads(vbotd("crash", "status", "--json").output)
    assert set(said) == {"version", "at", "home", "daemon", "cores", "cores_busy", "last_event", "campaigns", "closed",
                         "runs"}
    assert said["daemon"] == {"running": False, "holder": ""}
    assert said["runs"][0]["heartbeat"]["env_steps"] == 615_000


def test_status_of_an_empty_workspace_says_what_to_do(tmp_path, vbotd: Vbotd) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "empty").mkdir()
    assert "'vbotd new TASK --submit' makes one" in vbotd("empty", "status").output


def test_report_json_is_the_report(vbotd: Vbotd) -> None:
    said = json.loads(vbotd("success", "report", "--json").output)
    assert said["version"] == 1 and isinstance(said["needs"], list) and said["cores_busy"] == 0


def test_report_without_a_store_says_so(tmp_path, vbotd: Vbotd) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "empty").mkdir()
    result = vbotd("empty", "report")
    assert result.exit_code == 1
    assert "there is no store here yet" in result.output


def test_log_prints_one_line_an_event_and_filters(vbotd: Vbotd) -> None:
    assert len(vbotd("success", "log", "-n", "1000").output.splitlines()) == 36
    ended = vbotd("success", "log", "--kind", "runended", "--campaign", "flat").output.splitlines()
    assert len(ended) == 6 and all("RunEnded" in line for line in ended)
    assert len(vbotd("success", "log", "--run", "flat-night-1123/t002/train-s1-a1").output.splitlines()) == 5


def test_log_json_is_one_object_a_line(vbotd: Vbotd) -> None:
    lines = [json.loads(line) for line in vbotd("success", "log", "--json", "--after", "30").output.splitlines()]
    assert [line["seq"] for line in lines] == [31, 32, 33, 34, 35, 36]
    assert set(lines[0]) == {"seq", "at", "kind", "version", "data"}


def test_log_knows_its_kinds(vbotd: Vbotd) -> None:
    result = vbotd("success", "log", "--kind", "RunEnd")
    assert result.exit_code == 2 and "did you mean RunEnded" in result.output


@pytest.mark.parametrize(("text", "first"), [
    ("flat-night-1123", "campaign flat-night-1123: reached"),
    ("flat", "campaign flat-night-1123: reached"),
    ("flat-night-1123/t003", "trial flat-night-1123/t003: keep"),
    ("t003", "trial flat-night-1123/t003: keep"),
    ("flat/t003", "trial flat-night-1123/t003: keep"),
    ("t002/train-s1-a1", "run flat-night-1123/t002/train-s1-a1: diverged"),
    ("flat-night-1123/t003/conf", "run flat-night-1123/t003/confirm-s1-a1: finished"),
    ("36", "    36  "),
    ("event 36", "    36  "),
])
def test_explain_understands_ids_and_their_beginnings(vbotd: Vbotd, text: str, first: str) -> None:
    result = vbotd("success", "explain", *text.split())
    assert result.exit_code == 0
    assert result.output.startswith(first)


def test_explain_of_a_campaign_has_every_setting_with_its_origin(vbotd: Vbotd) -> None:
    said = json.loads(vbotd("success", "explain", "flat", "--json").output)
    origins = {item["key"]: (item["value"], item["origin"]) for item in said["settings"]}
    assert origins["budget.hours"] == ("8", "flat.yaml:5")
    assert origins["gate.eval/success_rate"] == (">= 0.95", "flat.yaml:10")
    assert origins["search.space.ppo.learning_rate"][1] == "flat.yaml:9"
    assert origins["evaluate.episodes"] == ("256", "default")
    assert said["kind"] == "campaign" and said["record"]["champion"] == "flat-night-1123/t003"


def test_explain_of_a_run_shows_its_end_and_its_log(vbotd: Vbotd, tmp_path) -> None:  # type: ignore[no-untyped-def]
    vbotd("all_failed", "status")
    folder = tmp_path / "all_failed" / "runs" / "flat-night-1123" / "t001" / "train-s1-a1"
    folder.mkdir(parents=True)
    (folder / "worker.log").write_bytes(b"building\n\x1b[31mRuntimeError: NaN\xff\n")
    output = vbotd("all_failed", "explain", "t001/train-s1-a1").output
    assert "exit code 1" in output and "reward term 'alive' is NaN in 3 of 1024" in output
    assert "  | [31mRuntimeError: NaN" in output and "\x1b" not in output


@pytest.mark.parametrize(("text", "hint"), [
    ("flta", "did you mean 'flat-night-1123'?"), ("zzz", "known: flat-night-1123"), ("999", "there is no event 999")])
def test_an_unknown_id_is_not_found(vbotd: Vbotd, text: str, hint: str) -> None:
    result = vbotd("success", "explain", text)
    assert result.exit_code == 5
    assert hint in result.output


def test_an_id_that_may_be_several_is_asked_for(vbotd: Vbotd) -> None:
    result = vbotd("crash", "explain", "t001")
    assert result.exit_code == 5 and "may be any of 2" in result.output


def test_review_is_one_page_on_a_task(vbotd: Vbotd) -> None:
    output = vbotd("success", "review").output
    assert len(output.splitlines()) < 60
    assert "best on fresh episodes: eval/success_rate 98.4 %" in output
    assert "vbotd train --from flat-night-1123/t003" in output
    said = json.loads(vbotd("success", "review", "vbot_walk_flat", "--json").output)
    assert said["verdicts"] == {"keep": 2, "discard": 1} and said["best"]["trial"] == "flat-night-1123/t003"


def test_review_of_an_unknown_task_is_not_found(vbotd: Vbotd) -> None:
    assert vbotd("success", "review", "vbot_fly").exit_code == 5


def test_reading_changes_nothing(vbotd: Vbotd, tmp_path) -> None:  # type: ignore[no-untyped-def]
    vbotd("success", "status")
    state = tmp_path / "success" / "state"
    before = sorted((str(p), p.stat().st_mtime_ns) for p in state.rglob("*"))
    for args in (("status",), ("report",), ("log",), ("explain", "flat"), ("review",)):
        vbotd("success", *args)
    assert before == sorted((str(p), p.stat().st_mtime_ns) for p in state.rglob("*"))


def test_the_accepted_text_is_in_the_event(vbotd: Vbotd, tmp_path) -> None:  # type: ignore[no-untyped-def]
    vbotd("success", "status")
    with Reader(tmp_path / "success" / "state" / "vbotd.db") as reader:
        event = reader.events(kinds=("CampaignAccepted",), limit=1)[0].event
    assert isinstance(event, CampaignAccepted) and event.text.startswith("version: 1\n")
