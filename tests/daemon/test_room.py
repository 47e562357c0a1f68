"""The size of `runs/` is looked at without a walk through what is over, and what must go goes before the cap is met."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.given import content
from vbotd.daemon import room
from vbotd.daemon.room import MEASURED_ANEW_S, Room
from vbotd.domain import event as e
from vbotd.layout import Layout
from vbotd.store.events import EventStore

CAP = 16_000
NOW = 1_000_000.0


class Place:
    """A workspace with the campaigns `old` and `new`, which are over, and `open`, which is not."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.layout.make()
        self.store = EventStore(self.layout.store)
        for name in ("old", "new", "open"):
            self.store.commit((e.CampaignAccepted(campaign=name, content=content(name), sha256=name, file="", text=""),
                               ), NOW)
        self.close("old")
        self.close("new")

    def close(self, name: str) -> None:
        self.store.commit((e.CampaignClosed(campaign=name, outcome="finished", why="", champion=f"{name}/t001"),), NOW)

    def write(self, campaign: str, trial: str, number: int, size: int = 1_000) -> Path:
        path = self.layout.run(f"{campaign}/{trial}/train-s1-a1") / "checkpoints" / f"ckpt_{number:012d}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_nothing_depends_on_goes_before_the_cap_is_met(place: Place) -> None:
    kept = [place.write("old", "t001", 1), place.write("open", "t002", 1)]
    old = [place.write("old", "t002", number) for number in range(1, 8)]
    new = [place.write("new", "t002", number) for number in range(1, 8)]
    gone = Room(place.layout).look(NOW, CAP)
    assert len(gone) == 2 and [path.exists() for path in old] == [False, False, *5 * [True]]
    assert all(path.exists() for path in (*kept, *new))


def test_what_was_written_between_two_looks_is_kept_free_until_the_next(place: Place) -> None:
    looking = Room(place.layout)
    for number in range(1, 9):
        place.write("old", "t002", number)
    assert looking.look(NOW, CAP) == ()
    for number in range(1, 6):
        place.write("open", "t002", number)
    assert len(looking.look(NOW + 60.0, CAP)) == 5  # twice as much may come: half of 16,000 bytes is left
    assert looking.look(NOW + 120.0, CAP) == ()


def test_the_folder_of_a_campaign_that_is_over_is_measured_once_an_hour(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    below = room.files_below
    monkeypatch.setattr(room, "files_below", lambda folder: (walked.append(Path(folder).name), below(folder))[1])
    for campaign in ("old", "new", "open"):
        place.write(campaign, "t001", 1)
    looking = Room(place.layout)
    for at, expected in ((NOW, ["new", "old", "open"]), (NOW + 60.0, ["open"]),
                         (NOW + MEASURED_ANEW_S, ["new", "old", "open"])):
        looking.look(at, CAP)
        assert sorted(where for where in walked if where in ("old", "new", "open")) == expected
        walked.clear()
    place.close("open")
    looking.look(NOW + MEASURED_ANEW_S + 60.0, CAP)
    looking.look(NOW + MEASURED_ANEW_S + 120.0, CAP)
    assert [where for where in walked if where in ("old", "new", "open")] == ["open"]


def test_where_nothing_more_may_go_it_is_tried_again_only_after_a_while_or_when_a_campaign_closes(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    listed = room.checkpoints_in
    monkeypatch.setattr(room, "checkpoints_in", lambda layout: (tried.append(1), listed(layout))[1])
    waiting = [place.write("open", "t002", number) for number in range(1, 18)]
    looking = Room(place.layout)
    assert [looking.look(NOW + 60.0 * minute, CAP) for minute in range(9)] == 9 * [()] and len(tried) == 1
    place.close("open")
    looking.look(NOW + 540.0, CAP)  # the folder is measured once more, and then known to be over
    assert len(looking.look(NOW + 600.0, CAP)) + len(waiting) - sum(path.exists() for path in waiting) > 0
    assert len(tried) >= 2


def test_a_checkpoint_that_cannot_be_deleted_is_left_for_the_next_time(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [place.write("old", "t002", number) for number in range(1, 18)]

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")
    looking = Room(place.layout)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        assert looking.look(NOW, CAP) == ()
    assert len(looking.look(NOW + room.IN_VAIN_S, CAP)) == 3
    assert sum(path.exists() for path in paths) == 14
