"""The files that people read: written whole, archived when something changed, and grown once."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.stories import FLAT_NIGHT, MORNING, scheduled, tell
from vbotd.domain.event import CampaignPaused
from vbotd.domain.skill import Section
from vbotd.layout import Layout
from vbotd.store import views
from vbotd.store.events import EventStore
from vbotd.store.read import Reader
from vbotd.store.views import last_sections, write_views


def write(layout: Layout, now: float = MORNING, **changes: object) -> list[str]:
    """Write the views and return what was written, below the state folder."""
    with Reader(layout.store) as reader:
        written = write_views(layout, reader, now, **({"daemon_alive": True} | changes))
    return [str(path.relative_to(layout.state)) for path in written]


def test_the_first_writing_makes_everything(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    folder = "campaigns/flat-night-1123"
    assert write(layout) == ["WAKE_UP.md", "wake_up.json", f"{folder}/campaign.yaml", f"{folder}/status.yaml",
                             f"{folder}/report.md", "tasks/vbot_walk_flat/REPORT.md"]
    assert layout.wake_up.read_text().startswith("# WAKE_UP: 2026-11-24 ")
    assert (layout.campaign("flat-night-1123") / "campaign.yaml").read_text() == FLAT_NIGHT
    assert json.loads(layout.wake_up_json.read_text())["version"] == 1


def test_a_second_writing_writes_the_report_only(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    write(layout)
    assert write(layout, MORNING + 60) == ["WAKE_UP.md", "wake_up.json"]


def test_a_material_change_archives_the_report_before(tmp_path: Path) -> None:
    layout = tell(tmp_path, "crash")
    write(layout)
    before = layout.wake_up.read_bytes()
    assert write(layout, MORNING + 60, daemon_alive=False)[0] == "archive/WAKE_UP-20261124T073000Z.md"
    assert (layout.wake_up_archive / "WAKE_UP-20261124T073000Z.md").read_bytes() == before


def test_the_archive_keeps_the_newest(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(views, "KEPT_REPORTS", 3)
    layout = tell(tmp_path, "crash")
    for minute in range(6):
        write(layout, MORNING + 60 * minute, daemon_alive=minute % 2 == 0)
    assert sorted(path.name for path in layout.wake_up_archive.iterdir()) == [
        f"WAKE_UP-20261124T073{minute}00Z.md" for minute in (2, 3, 4)]


def test_the_report_of_a_campaign_grows_once_and_keeps_what_stands_there(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    report = layout.campaign("flat-night-1123") / "report.md"
    report.parent.mkdir(parents=True)
    report.write_text("# my own notes\n\nthe terrain was wet\n")
    write(layout)
    grown = report.read_text()
    assert grown.startswith("# my own notes\n\nthe terrain was wet\n\n<!-- vbotd: closed by event 36 -->\n## Closed ")
    assert "`eval/success_rate` on fresh episodes 98.4 % [96.1-99.4 %] of 256" in grown
    write(layout, MORNING + 60)
    assert report.read_text() == grown


def test_status_is_yaml_and_follows_the_campaign(tmp_path: Path) -> None:
    layout = tell(tmp_path, "crash")
    write(layout)
    path = layout.campaign("flat-night-1123") / "status.yaml"
    status = yaml.safe_load(path.read_text())
    assert (status["status"], status["trials"]) == ("open", {"judged": 1, "admitted": 2, "budget": 9})
    assert status["best"]["score"]["run"] == "flat-night-1123/t001/score-s1-a1"
    store = EventStore(layout.store)
    store.commit((CampaignPaused(campaign="flat-night-1123", why="enough"),), MORNING)
    store.close()
    assert "campaigns/flat-night-1123/status.yaml" in write(layout, MORNING + 1)
    assert yaml.safe_load(path.read_text())["why"] == "enough"


def test_views_come_back_after_they_were_deleted(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    write(layout)
    for path in (layout.wake_up, layout.campaign("flat-night-1123") / "status.yaml"):
        path.unlink()
    assert "campaigns/flat-night-1123/status.yaml" in write(layout)
    assert layout.wake_up.exists()


def test_a_damaged_wake_up_json_is_replaced(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    write(layout)
    layout.wake_up_json.write_text("{")
    assert write(layout) == ["WAKE_UP.md", "wake_up.json"]


def test_sections_of_the_last_report_can_be_shown_without_the_plugins(tmp_path: Path) -> None:
    layout = tell(tmp_path, "success")
    assert last_sections(layout) == ()
    sections = (("gallop", Section(title="Gaits", lines=("all trot",))),)
    write(layout, sections=sections)
    assert last_sections(layout) == sections


def test_a_scheduled_campaign_has_its_views(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    store = EventStore(layout.store)
    at, event = scheduled()
    store.commit((event,), at)
    store.close()
    assert "campaigns/weekly-1123/status.yaml" in write(layout)
