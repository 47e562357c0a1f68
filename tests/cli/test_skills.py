"""The guides are listed, shown, copied and taken away again; what a user changed stays."""

from __future__ import annotations

from pathlib import Path


def test_guides_are_listed_and_shown(call):
    listed = call("skills", "--json").json()
    assert len(listed) == 8 and all(guide["description"] for guide in listed)
    assert "# Training with vbotd" in call("skills", "show", "training-pipeline").out
    missing = call("skills", "show", "training-pipelin")
    assert missing.code == 5 and "training-pipeline" in missing.err


def test_install_never_replaces_what_a_user_changed_and_remove_takes_the_rest_away(call, tmp_path: Path):
    assert call("skills", "install", "--into", str(tmp_path), "--target", ".claude", "--target", ".agents").code == 0
    mine = tmp_path / ".claude" / "skills" / "training-pipeline" / "SKILL.md"
    mine.write_text("my own")
    again = call("skills", "install", "--into", str(tmp_path), "--target", ".claude")
    assert "left alone" in again.err and mine.read_text() == "my own"
    assert call("skills", "install", "--into", str(tmp_path), "--target", ".claude", "--remove").code == 0
    assert [path.parent.name for path in (tmp_path / ".claude").rglob("SKILL.md")] == ["training-pipeline"]
    assert len(list((tmp_path / ".agents").rglob("SKILL.md"))) == 8
