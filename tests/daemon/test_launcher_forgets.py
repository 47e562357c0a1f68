"""The launcher tells a run that it finds from one that it knows, and forgets the runs that nobody looks at any more."""

from __future__ import annotations

from pathlib import Path

from tests.daemon.test_bereft import running
from vbotd.daemon import shim
from vbotd.daemon.launch import LocalLauncher
from vbotd.layout import Layout
from vbotd.store.files import write_json_atomic


def test_a_run_is_adopted_once_and_known_for_as_long_as_it_is_looked_at(tmp_path: Path) -> None:
    layout, runs = Layout(tmp_path), [running(f"token-{number}") for number in range(3)]
    launcher = LocalLauncher(layout)
    for number, run in enumerate(runs):  # one after the other in the same folder
        layout.run(run.id).mkdir(parents=True, exist_ok=True)
        write_json_atomic(layout.run(run.id) / "claim", {"by": "shim", "token": run.token, "pid": 1,
                                                         "boot_id": shim.boot_id()})
        known = []
        for _ in range(4):
            launcher.tend()
            known.append(launcher.look(run).adopted_here)
        assert known == [False, True, True, True], number
    assert launcher._known | launcher._looked == {"token-2"}


def test_a_run_whose_claim_is_not_there_yet_stays_known_until_it_comes(tmp_path: Path) -> None:
    layout, run = Layout(tmp_path), running("slow-token")
    launcher = LocalLauncher(layout)
    launcher._looked.add(run.token)  # as `start` leaves it
    folder = layout.run(run.id)
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{}")
    for _ in range(3):
        launcher.tend()
        launcher.look(run)
    write_json_atomic(folder / "claim", {"by": "shim", "token": run.token, "pid": 1, "boot_id": shim.boot_id()})
    launcher.tend()
    assert launcher.look(run).adopted_here
