"""`vbotd watch`: it ends when nothing is open, and shows the same on a terminal and in a pipe."""

from __future__ import annotations

import io
from pathlib import Path

from tests.stories import tell
from vbotd.cli import watch
from vbotd.cli.watch import IDLE_LOOKS, is_busy, looks
from vbotd.layout import Layout
from vbotd.store.glance import glance


def test_it_ends_when_no_campaign_is_open(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    assert len(list(looks(layout, True, every_s=0.0))) == IDLE_LOOKS


def test_an_open_campaign_a_live_run_or_a_waiting_file_is_busy(tmp_path: Path) -> None:
    assert is_busy(tell(tmp_path / "a", "crash"), glance(Layout(tmp_path / "a"), 0.0))
    idle = tell(tmp_path / "b", "nothing")
    assert not is_busy(idle, glance(idle, 0.0))
    (idle.inbox / "x.yaml").write_text("version: 1\n")
    assert is_busy(idle, glance(idle, 0.0))


def test_a_pipe_gets_plain_lines(vbotd, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(watch.time, "sleep", lambda _: None)
    result = vbotd("success", "watch", "--until-idle")
    assert result.exit_code == 0
    assert "flat-night-1123  reached" in result.output and "\x1b" not in result.output


def test_a_terminal_gets_one_screen(tmp_path: Path) -> None:
    from rich.console import Console
    layout = tell(tmp_path, "crash")
    screen = io.StringIO()
    Console(file=screen, width=140).print(watch._picture(layout, glance(layout, 0.0)))
    shown = screen.getvalue()
    assert "slope-night-1123" in shown and "flat-night-1123/t002/train-s1-a1" in shown and "CommandRefused" in shown
