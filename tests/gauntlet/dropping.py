"""A thousand campaigns dropped at once into a folder whose events nobody hears: all decided, and soon."""

from __future__ import annotations

import time

from tests.gauntlet.kills import tidy
from tests.gauntlet.row import Row, Trial
from vbotd.chaos.scratch import CAMPAIGN, CONFIG, Scratch
from vbotd.errors import StoreError
from vbotd.store.read import Reader

FILES = 1000
BAR_S = 10.0
PATIENCE_S = 300.0
LATER = 'schedule: {at: "2099-01-01 00:00"}\n'


def dropped_at_once(trial: Trial) -> Row:
    """Drop them while a daemon runs, each for a time that is far, so that nothing is launched."""
    files = trial.times(FILES, 20)
    home = trial.folder / "w"
    home.mkdir()
    scratch = Scratch(home, config=CONFIG + "watch: polling\n", forked=True)
    aside = home / "aside"
    aside.mkdir()
    names = [f"night-{number:04d}" for number in range(files)]
    for name in names:
        (aside / f"{name}.yaml").write_text(CAMPAIGN.format(name=name, trials=1, train_s=0.1) + LATER)
    try:
        scratch.start()
        scratch.drop("first", trials=1)
        until = time.monotonic() + PATIENCE_S
        while not scratch.ledger() and time.monotonic() < until:  # it has its catalogue, and takes files
            time.sleep(0.02)
        began = time.monotonic()
        for name in names:
            (aside / f"{name}.yaml").rename(scratch.layout.inbox / f"{name}.yaml")
        while decided(scratch) < files and time.monotonic() < until:
            time.sleep(0.05)
        took_s = time.monotonic() - began
        while any(scratch.layout.inbox.glob("*.yaml")) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        tidy(scratch)
    with Reader(scratch.layout.store) as reader:
        known = [record.content.name for record in reader.records()]
    lost = sorted(set(names) - set(known))
    twice = sorted({name for name in known if known.count(name) > 1}) if len(known) > files + 1 else []
    wrong = [f"{name} was never decided" for name in lost] + [f"{name} became two campaigns" for name in twice]
    wrong += [f"{path.name} still waits" for path in scratch.layout.inbox.glob("*.yaml")]
    return Row(name="dropped at once", bar=f"all decided in {BAR_S:g} s, none lost", ok=not wrong and took_s <= BAR_S,
               failures=tuple(wrong[:5]),
               figure=f"{files - len(lost):,} of {files:,} campaigns decided in {took_s:.1f} s, {len(twice)} twice")


def decided(scratch: Scratch) -> int:
    """Return how many campaigns wait for their time."""
    try:
        with Reader(scratch.layout.store) as reader:
            return len(reader.records("scheduled"))
    except StoreError:
        return 0
