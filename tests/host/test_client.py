"""Real child processes: each way in which a plugin can fail costs one answer, is named, and the others answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import wait_until
from vbotd.domain.campaign import SkillUse
from vbotd.domain.event import CampaignClosed
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Opinion, Section
from vbotd.domain.trial import Proposal
from vbotd.host.messages import HostGone
from vbotd.testing import make_history

GOOD = """
    @hookimpl
    def vbotd_wake_up(histories):
        return Section(title="good", lines=("all is well",))
    """
GOOD_SECTION = Section(title="good", lines=("all is well",))
SHORT = {"opinion": 0.5, "proposal": 0.5, "import": 5.0}


def wake_up(talk: Any) -> tuple[dict[str, Any], Any]:
    return talk.ask("wake_up", args={"histories": []})


def bad(body: str) -> str:
    return f"""
    import os, sys, time
    @hookimpl
    def vbotd_wake_up(histories):
        {body}
    """


def fault(talk: Any) -> tuple[str, str, str]:
    (only,) = talk.faults()
    return only.plugin, only.hook, only.how


def test_a_plugin_that_raises_is_named_with_its_line(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("1 / 0"), b_good=GOOD))
    answers, done = wake_up(host)
    assert answers == {"b_good": GOOD_SECTION}
    assert not done.complete
    assert fault(host) == ("a_bad", "wake_up", "raised")
    assert host.faults()[0].detail == "ZeroDivisionError: division by zero at a_bad.py:7"


def test_a_plugin_that_exits_politely_is_caught_too(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("sys.exit(0)"), b_good=GOOD))
    assert wake_up(host)[0] == {"b_good": GOOD_SECTION}
    assert fault(host) == ("a_bad", "wake_up", "raised")


def test_a_plugin_that_hangs_is_killed_and_the_others_answer(workspace: Callable[..., Path],
                                                             talk: Callable[..., Any]) -> None:
    hang = "os.system('sleep 600 &'); open('host.pid', 'w').write(str(os.getpid())); time.sleep(600)"
    home = workspace(a_bad=bad(hang), b_good=GOOD)
    host = talk(home, deadlines=SHORT)
    answers, done = wake_up(host)
    assert answers == {"b_good": GOOD_SECTION}
    assert not done.complete
    assert fault(host) == ("a_bad", "wake_up", "timeout")
    assert "within 0.5 s" in host.faults()[0].detail
    group = int((home / "host.pid").read_text())
    wait_until(lambda: not any(_group_of(pid) == group for pid in psutil.pids()))  # with what it had started


def _group_of(pid: int) -> int:
    try:
        is_gone = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return -1 if is_gone else os.getpgid(pid)
    except (psutil.Error, OSError):
        return -1


def test_a_plugin_that_ends_the_process_is_blamed(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_good=GOOD, b_bad=bad("os._exit(1)"), c_good=GOOD))
    answers, done = wake_up(host)
    assert answers == {"a_good": GOOD_SECTION, "c_good": GOOD_SECTION}
    assert not done.complete
    assert fault(host) == ("b_bad", "wake_up", "died")
    assert "exit code 1" in host.faults()[0].detail
    assert not host.of(HostGone)


def test_a_segmentation_fault_is_blamed(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("import ctypes; ctypes.string_at(0)"), b_good=GOOD))
    assert wake_up(host)[0] == {"b_good": GOOD_SECTION}
    assert fault(host) == ("a_bad", "wake_up", "died")
    assert "SIGSEGV" in host.faults()[0].detail


def test_a_plugin_that_eats_memory_is_stopped_by_the_limit(workspace: Callable[..., Path],
                                                           talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("hoard = bytearray(8 << 30)"), b_good=GOOD))
    assert wake_up(host)[0] == {"b_good": GOOD_SECTION}
    assert host.faults()[0].plugin == "a_bad"
    assert host.faults()[0].detail.startswith("MemoryError")


def test_a_plugin_that_prints_and_reads_does_not_touch_the_protocol(workspace: Callable[..., Path],
                                                                    talk: Callable[..., Any]) -> None:
    home = workspace(a_loud="""
    import os, sys
    print('{"type": "catalogue"}')
    @hookimpl
    def vbotd_wake_up(histories):
        print('{"type": "done", "id": 1}', flush=True)
        os.write(1, b"straight to the descriptor\\n")
        assert sys.stdin.read() == ""
        return Section(title="loud", lines=("x",))
    """)
    host = talk(home)
    answers, done = wake_up(host)
    assert answers["a_loud"].title == "loud" and done.complete and not host.faults()
    assert "straight to the descriptor" in (home / "state" / "host.log").read_text()


def test_nonsense_is_refused_in_the_host(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("return {'title': 3}"), b_bad=bad("return Section(title='x', lines=5)"),
                          c_bad=bad("return Section(title='x' * (2 << 20), lines=('a',))"), d_good=GOOD))
    answers, done = wake_up(host)
    assert answers == {"d_good": GOOD_SECTION} and not done.complete
    assert [(one.plugin, one.how) for one in host.faults()] == [
        ("a_bad", "nonsense"), ("b_bad", "nonsense"), ("c_bad", "nonsense")]
    assert "answered dict" in host.faults()[0].detail
    assert "'lines'" in host.faults()[1].detail
    assert "bytes" in host.faults()[2].detail


def test_an_import_error_leaves_out_one_plugin(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad="import no_such_module", b_good=GOOD))
    assert [plugin.name for plugin in host.catalogue().plugins] == ["b_good"]
    assert fault(host) == ("a_bad", "import", "import")
    assert "no_such_module" in host.faults()[0].detail and "a_bad.py:3" in host.faults()[0].detail


def test_a_misspelt_hook_leaves_out_the_plugin_and_suggests_the_name(workspace: Callable[..., Path],
                                                                     talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad="@hookimpl\ndef vbotd_wakeup(histories): pass", b_good=GOOD))
    assert wake_up(host)[0] == {"b_good": GOOD_SECTION}
    assert host.faults()[0].detail == "plugin 'a_bad': unknown hook 'vbotd_wakeup' — did you mean 'vbotd_wake_up'?"


def test_death_and_hang_at_import_are_survived(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad="import os; os._exit(3)", b_bad="import time; time.sleep(600)", c_good=GOOD),
                deadlines={"import": 1.5})
    assert wake_up(host)[0] == {"c_good": GOOD_SECTION}
    assert [(one.plugin, one.hook, one.how) for one in host.faults()] == [
        ("a_bad", "import", "died"), ("b_bad", "import", "timeout")]
    assert {failure.name for failure in host.catalogue().failures} == {"a_bad", "b_bad"}


def test_a_host_killed_while_idle_is_started_again(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    home = workspace(good=GOOD)
    host = talk(home)
    host.catalogue()
    host.host._child._child.kill()  # as the kernel's out-of-memory killer would
    wait_until(lambda: host.of(HostGone))
    assert wake_up(host)[0] == {"good": GOOD_SECTION}
    assert not host.faults()


def test_a_blocked_plugin_is_not_asked(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(a_bad=bad("1 / 0"), b_good=GOOD))
    host.host.block("a_bad")
    answers, done = wake_up(host)
    assert answers == {"b_good": GOOD_SECTION} and done.complete


def test_an_error_of_the_asker_blames_nobody(workspace: Callable[..., Path], talk: Callable[..., Any]) -> None:
    host = talk(workspace(good=GOOD))
    answers, done = host.ask("judge", campaign="nowhere-1", trial="nowhere-1/t001")
    assert not answers and not done.complete and "StoreError" in done.detail
    assert not host.faults()


def test_secrets_do_not_reach_a_plugin(workspace: Callable[..., Path], talk: Callable[..., Any],
                                       monkeypatch: Any) -> None:
    monkeypatch.setenv("SOME_API_KEY", "1")
    monkeypatch.setenv("KEPT_TOKEN", "2")
    seen = bad("return Section(title='env', lines=tuple(n for n in ('SOME_API_KEY', 'KEPT_TOKEN') if n in os.environ))")
    host = talk(workspace(spy=seen), keep_env=["KEPT_TOKEN"])
    assert wake_up(host)[0]["spy"].lines == ("KEPT_TOKEN",)


def test_questions_queue_before_the_host_is_up_and_stop_is_safe_twice(workspace: Callable[..., Path],
                                                                      talk: Callable[..., Any]) -> None:
    host = talk(workspace(good=GOOD))
    first, second = wake_up(host), wake_up(host)
    assert first[0] == second[0]
    child = psutil.Process(host.host._child._child.pid)
    host.host.stop()
    host.host.stop()
    assert not child.is_running()


def test_the_host_ends_with_its_asker_even_inside_a_plugin_that_hangs(workspace: Callable[..., Path]) -> None:
    home = workspace(a_bad=bad("open('host.pid', 'w').write(str(os.getpid())); time.sleep(600)"))
    code = ("import sys, time; from pathlib import Path\n"
            "from vbotd.host.client import PluginHost; from vbotd.host.messages import Question\n"
            "host = PluginHost(Path(sys.argv[1]), on_message=lambda m: None, plugins_allowed=['a_bad'])\n"
            "host.start(); host.ask(Question(hook='wake_up', args={'histories': []})); time.sleep(600)")
    asker = subprocess.Popen([sys.executable, "-c", code, str(home)], cwd=Path(__file__).parents[2])
    try:
        pid = int(wait_until(lambda: (home / "host.pid").exists() and (home / "host.pid").read_text(), 20.0))
    finally:
        asker.kill()
        asker.wait()
    wait_until(lambda: _group_of(pid) == -1)


OPINIONS = """
    from dataclasses import replace
    from vbotd.domain.finding import Finding
    from vbotd.domain.trial import Proposal
    @hookimpl
    def vbotd_skills():
        return [SkillCard(name="my-skill", summary="all hooks", check=f"{__name__}:Options")]
    from pydantic import BaseModel
    class Options(BaseModel, extra="forbid"):
        power: int = 1
    @hookimpl
    def vbotd_propose(history, count, view):
        assert view.series("some/run/a1", "train/kl") == ()
        return [Proposal(params={"seed": view.seed("x")}, proposer="somebody", why="because")][:count]
    @hookimpl
    def vbotd_amend(proposal, history):
        return replace(proposal, params={**proposal.params, "env.slope_deg": 5.0})
    @hookimpl
    def vbotd_watch(run, series, history):
        return [Finding(rule="r", level="warning", message=f"{run.id} {len(series)} {list(series['x'])}")]
    @hookimpl
    def vbotd_judge(trial, history):
        try:
            trial.params["x"] = 1
        except TypeError as error:
            return Opinion(verdict="keep", why=str(error))
    @hookimpl
    def vbotd_follow_up(run, history):
        return (FollowUp(kind="capture", why="look"),)
    @hookimpl
    def vbotd_on_event(event):
        print("heard", type(event).__name__)
    """


def test_every_opinion_travels_and_only_the_named_skill_is_asked(workspace: Callable[..., Path],
                                                                 talk: Callable[..., Any]) -> None:
    home = workspace(mine=OPINIONS, other=OPINIONS.replace("my-skill", "other-skill"),
                     critic='@hookimpl\ndef vbotd_judge(trial):\n    return Opinion(verdict="discard", why="no")')
    host = talk(home)
    history = make_history([{"a": 1.0}], [0.5], skills=[SkillUse(name="my_skill")])
    trial, run = history.trials[0].id, history.runs[0].id

    def ask(hook: str, **args: Any) -> dict[str, Any]:
        answers, done = host.ask(hook, campaign=history.record.id, trial=trial, run=run,
                                 args={"history": history, **args})
        assert done.complete, (done, host.faults())
        return answers

    (proposal,) = ask("propose", count=2).pop("mine")
    assert proposal.proposer == "my-skill"  # whatever it called itself
    assert proposal.why == "because" and 0 <= proposal.params["seed"] < 2**32
    amended = ask("amend", proposal=Proposal(params={"a": 2}, proposer="x"))
    assert amended == {"mine": Proposal(params={"a": 2, "env.slope_deg": 5.0}, proposer="x")}
    assert ask("watch") == {"mine": [Finding(rule="r", level="warning", message=f"{run} 0 []")]}
    judged = ask("judge")
    assert list(judged) == ["mine", "critic"]
    assert "frozen" in judged["mine"].why and judged["critic"] == Opinion(verdict="discard", why="no")
    assert ask("follow_up")["mine"][0].kind == "capture"
    host.ask("on_event", args={"event": CampaignClosed(campaign="c", outcome="finished", why="w")})
    assert (home / "state" / "host.log").read_text().count("heard CampaignClosed") == 2


def test_skill_blocks_are_checked_with_the_skills_own_model(workspace: Callable[..., Path],
                                                            talk: Callable[..., Any]) -> None:
    host = talk(workspace(mine=OPINIONS))
    assert host.catalogue().skill("my_skill").schema["properties"]["power"]["default"] == 1
    blocks = [{"name": "my-skill", "options": {"powr": 2, "power": "high"}}, {"name": "my-skil"}]
    answers, done = host.ask("check", args={"skills": blocks})
    assert done.complete
    by_loc = {problem.loc: problem for problem in answers["mine"]}
    assert by_loc[("powr",)].fix == "did you mean 'power'?"
    assert "'high'" in by_loc[("power",)].message
    assert answers[""][0].fix == "did you mean 'my-skill'?"
