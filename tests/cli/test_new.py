"""new: a campaign that checks as it is, and that overwrites nothing."""

from __future__ import annotations

from pathlib import Path


def test_what_it_writes_passes_the_check(call, home: Path):
    called = call("new", "vbot_walk_flat", "--hours", "2", "--trials", "6", "--name", "My Walk", "--seed", "7")
    assert called.code == 0, called.err
    path = home / "campaigns" / "my-walk.yaml"
    assert "wrote campaigns/my-walk.yaml" in called.out
    assert "vbotd submit campaigns/my-walk.yaml" in called.out
    text = path.read_text()
    assert "budget: {hours: 2, trials: 6}" in text
    assert "seed: 7" in text
    assert call("check", str(path)).code == 0


def test_every_bundled_task_has_a_good_first_campaign(call, home: Path):
    for task in call("tasks", "--json").json()["tasks"]:
        out = home / f"{task['name']}.yaml"
        assert call("new", task["name"], "--out", str(out)).code == 0
        checked = call("check", str(out))
        assert checked.code == 0, checked.err


def test_a_name_that_is_taken_gets_a_number(call, home: Path):
    for _ in range(2):
        assert call("new", "vbot_walk_flat", "--name", "twice").code == 0
    assert sorted(path.name for path in (home / "campaigns").iterdir()) == ["twice-2.yaml", "twice.yaml"]


def test_a_file_that_is_there_is_not_touched(call, home: Path):
    mine = home / "mine.yaml"
    mine.write_text("mine")
    called = call("new", "vbot_walk_flat", "--out", str(mine))
    assert called.code == 1
    assert "not touched" in called.err
    assert mine.read_text() == "mine"


def test_an_unknown_task_is_answered_with_the_nearest(call, home: Path):
    called = call("new", "vbot_walk_flt")
    assert called.code == 5
    assert "did you mean 'vbot_walk_flat'" in called.err
    assert not (home / "campaigns").exists()


def test_submit_hands_it_in(call, home: Path):
    assert call("new", "vbot_walk_flat", "--name", "now", "--submit").code == 3
    assert (home / "state" / "inbox" / "now.yaml").exists()


def test_the_schema_is_where_the_file_says(call, home: Path):
    call("new", "vbot_walk_flat", "--name", "a")
    path = home / "campaigns" / "a.yaml"
    schema = path.read_text().splitlines()[0].partition("$schema=")[2]
    assert (path.parent / schema).exists()


def test_a_preset_fixes_its_settings_and_the_search_looks_around_them(call, home: Path):
    out = home / "lazy.yaml"
    called = call("new", "vbot_navigation_section001", "--preset", "lazy-robot", "--trials", "8", "--out", str(out))
    assert called.code == 0, called.err
    checked = call("check", str(out))
    assert checked.code == 0, checked.err
    text = out.read_text()
    assert "  alive_reward: 150\n" in text and "  fall_event: -10\n" in text and "  success_event: 0\n" in text
    assert "    reward.arrival_event: {uniform: [50, 200]}" in text
    assert "  # arrival_event: 50    # searched\n" in text


def test_presets_are_listed_with_their_tasks(call):
    listed = call("new", "--list-presets")
    assert listed.code == 0
    assert ["lazy-robot", "vbot_navigation_section001"] in [line.split()[:2] for line in listed.out.splitlines()]


def test_a_preset_of_another_task_is_refused(call, home: Path):
    called = call("new", "vbot_walk_flat", "--preset", "lazy-robot")
    assert called.code == 1
    assert "is for vbot_navigation_section001, not for vbot_walk_flat" in called.err
    assert call("new", "vbot_walk_flat", "--preset", "lazyrobot").code == 5
