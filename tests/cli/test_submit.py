"""submit: what became of the file, whoever is there to take it."""

from __future__ import annotations

from pathlib import Path

from tests.daemon.workspace import Workspace, campaign
from tests.waiting import wait_until


def inbox(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "state" / "inbox").glob("*"))


def test_without_a_daemon_a_file_waits_in_the_inbox(call, home, campaign_file):
    called = call("submit", str(campaign_file))
    assert called.code == 3
    assert "daemon not running" in called.err
    assert (home / "state" / "inbox" / "walk.yaml").read_bytes() == campaign_file.read_bytes()


def test_a_bad_file_is_not_handed_in_and_neither_is_its_good_neighbour(call, home, campaign_file):
    bad = home / "bad.yaml"
    bad.write_text("version: 1\nname: x\ntask: vbot_walk_flat\nbudgte: {trials: 2}\n")
    called = call("submit", str(campaign_file), str(bad))
    assert called.code == 4
    assert f"{bad}:4:1" in called.err
    assert inbox(home) == []


def test_without_the_check_the_daemon_is_left_to_judge(call, home):
    bad = home / "bad.yaml"
    bad.write_text("version: 1\n")
    assert call("submit", "--no-check", str(bad)).code == 3
    assert inbox(home) == ["bad.yaml"]


def test_from_the_standard_input(call, home, campaign_file):
    assert call("submit", "-", stdin=campaign_file.read_text()).code == 3
    assert inbox(home) == ["stdin.yaml"]


def test_a_missing_file_is_not_found(call):
    assert call("submit", "nowhere.yaml").code == 5


def test_again_is_other_bytes_of_the_same_campaign(call, home, campaign_file):
    call("submit", "--again", str(campaign_file))
    call("submit", "--again", str(campaign_file))
    assert len(inbox(home)) == 2
    for path in (home / "state" / "inbox").iterdir():
        assert path.read_text().startswith(campaign_file.read_text())


def test_a_daemon_accepts_knows_and_refuses(workspace: Workspace, home: Path, spawn):
    good, bad = home / "good.yaml", home / "bad.yaml"
    good.write_text(campaign("good", trials=1, train_s=30.0))
    bad.write_text("version: 1\nname: bad\ntask: no_such_task\n")
    workspace.start()
    wait_until(lambda: workspace.layout.store.exists() and workspace.events("CatalogueChanged"), 60)

    first = spawn("submit", str(good), "--json").json()["files"][0]
    assert first["status"] == "accepted"
    assert first["campaign"].startswith("good-")
    second = spawn("submit", str(good))
    assert second.code == 0
    assert f"are campaign {first['campaign']} already" in second.out
    third = spawn("submit", "--again", str(good))
    assert f"accepted as {first['campaign']}-2" in third.out

    for _ in range(2):  # the second time the store has the refusal already
        refused = spawn("submit", "--no-check", str(bad))
        assert refused.code == 4, refused
        assert "no_such_task" in refused.err
