"""Which checkpoints go when the disk is full, and which never do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.core.given import content
from vbotd.core.retention import MOST_HEADROOM, Kept, campaign_of, marks, named, to_delete
from vbotd.domain.finding import Finding
from vbotd.domain.history import CampaignRecord
from vbotd.domain.trial import CheckpointRef, Run

OLD = CampaignRecord(id="old", content=content(), sha256="1", file="", status="closed", accepted_at=1.0, closed_at=10.0,
                     champion="old/t001")
NEW = replace(OLD, id="new", sha256="2", closed_at=20.0, champion="new/t001")
OPEN = replace(OLD, id="open", sha256="3", status="paused", closed_at=None, champion="")


def ckpt(run: str, age: int, size: int = 10) -> Kept:
    return Kept(path=f"{run}/checkpoints/ckpt_{age:012d}.pt", size=size)


def run(run_id: str, **changes: object) -> Run:
    campaign, trial, _ = run_id.split("/")
    return replace(Run(id=run_id, campaign=campaign, trial=f"{campaign}/{trial}", kind="train", seed=1, attempt=1,
                       status="ended", queued_at=0.0), **changes)  # type: ignore[arg-type]


FILES = [ckpt(f"{campaign}/{trial}/train-s1-a1", age)
         for campaign in ("new", "open", "old") for trial in ("t001", "t002") for age in (1, 2)]


def test_nothing_goes_while_there_is_room():
    assert to_delete(FILES, 100, 100, (OLD, NEW, OPEN), ()) == ()


def test_the_longest_closed_campaign_gives_first_and_no_more_than_is_needed():
    gone = to_delete(FILES, 115, 100, (OLD, NEW, OPEN), ())
    assert [file.path for file in gone] == [file.path for file in FILES if file.path.startswith("old/t002")]


@given(st.integers(0, 200), st.integers(0, 200))
def test_champions_and_open_campaigns_are_never_touched_however_full_it_is(total: int, cap: int):
    gone = {file.path for file in to_delete(FILES, total, cap, (OLD, NEW, OPEN), ())}
    assert not [path for path in gone if path.startswith(("old/t001", "new/t001", "open/"))]


def test_what_a_verdict_names_goes_last_and_what_a_finding_names_never():
    judged = FILES[10].path  # of old/t002
    peak = "old/t002/train-s1-a1/checkpoints/ckpt_000000000002.pt"
    finding = Finding(rule="collapse", level="error", message="it fell after its peak",
                      fix="vbotd train walk --from runs/old/t002/train-s1-a1/checkpoints/ckpt_000000000002.pt.")
    runs = (run("old/t002/train-s1-a1", findings=(finding,),
                checkpoint=CheckpointRef(path=judged, sha256="", env_steps=1)),)
    assert {judged, peak} <= named(runs)
    spare = ckpt("old/t003/train-s1-a1", 9)
    assert to_delete([*FILES, spare], 10, 9, (OLD,), runs) == (spare,)
    assert to_delete([*FILES, spare], 1000, 1, (OLD,), runs) == (spare, FILES[10])


def test_a_source_of_a_warm_start_and_what_a_run_went_on_from_are_kept():
    source, start = FILES[2].path, FILES[3].path
    runs = (run("open/t002/train-s1-a1", spec={"warm_start": {"checkpoint": source}}),
            run("open/t001/train-s1-r1-a1", spec={"resume_from": start}))
    assert {source, start} <= named(runs)
    gone = {file.path for file in to_delete(FILES, 1000, 1, (OLD, NEW, OPEN), runs)}
    assert gone == {file.path for file in FILES if "/t002/" in file.path and not file.path.startswith("open/")} - {
        source, start}


def test_what_a_champion_began_with_is_kept_and_what_another_trial_began_with_goes_last():
    source, other = FILES[2], FILES[3]
    runs = (run("old/t001/train-s1-a1", spec={"warm_start": {"checkpoint": source.path}}),
            run("old/t002/train-s1-a1", spec={"warm_start": {"checkpoint": other.path}}))
    gone = to_delete(FILES, 1000, 1, (OLD, NEW, OPEN), runs)
    assert gone[-1] == other and source not in gone


def test_a_closed_campaign_with_a_live_run_is_left_alone():
    gone = to_delete(FILES, 1000, 1, (OLD,), (run("old/t002/train-s1-a1", status="running"),))
    assert gone == ()


CAP = 1_600


def test_a_sixteenth_of_the_cap_is_kept_free_before_anything_is_known() -> None:
    assert (marks(CAP).high, marks(CAP).low) == (1_500, 1_400)


def test_twice_what_was_written_between_two_looks_is_kept_free_and_never_more_than_a_quarter() -> None:
    assert (marks(CAP, [10, 150, 20]).high, marks(CAP, [10, 150, 20]).low) == (1_300, 1_000)
    assert marks(CAP, [5_000]).high == CAP - CAP * MOST_HEADROOM


@given(st.lists(st.integers(0, 400), max_size=60))
def test_the_cap_holds_at_every_moment_while_between_two_looks_no_more_comes_than_is_kept_free(
        written: list[int]) -> None:
    on_disk, grown = 0, [25]
    for size in written:
        size = min(size, CAP - marks(CAP, grown).high)
        on_disk += size
        assert on_disk <= CAP
        grown.append(size)
        levels = marks(CAP, grown)
        if on_disk > levels.high:
            files = [ckpt("old/t002/train-s1-a1", number, 1) for number in range(on_disk)]
            on_disk -= sum(file.size for file in to_delete(files, on_disk, levels.low, (OLD,), ()))


WHERE = st.sampled_from([f"{campaign}/{trial}/train-s1-a1" for campaign in ("old", "new", "open", "stranger")
                         for trial in ("t001", "t002", "t003")])


@given(st.lists(st.tuples(WHERE, st.integers(1, 50)), max_size=40), st.data(), st.integers(0, 400),
       st.integers(1, 2_000))
def test_what_is_needed_is_never_deleted_and_all_else_only_until_the_goal_is_reached(
        written: list[tuple[str, int]], data: st.DataObject, grown: int, cap: int) -> None:
    files = [ckpt(where, age, size) for age, (where, size) in enumerate(written)]
    some = st.sets(st.sampled_from(files)) if files else st.just(set())
    judged, peaks = data.draw(some), data.draw(some)
    runs = [*(run("/".join(file.path.split("/")[:3]), checkpoint=CheckpointRef(path=file.path, sha256="", env_steps=1))
              for file in judged),
            *(run("/".join(file.path.split("/")[:3]), findings=(Finding(
                rule="collapse", level="error", message="it fell", fix=f"go on from runs/{file.path}"),))
              for file in peaks)]
    total, goal = sum(file.size for file in files), marks(cap, [grown]).low
    gone = set(to_delete(files, total, goal, (OLD, NEW, OPEN), runs))
    may_go = {file for file in files if campaign_of(file.path) in ("old", "new") and "/t001/" not in file.path
              and file not in peaks}
    assert gone <= may_go
    assert not gone & judged or may_go - judged <= gone
    assert total - sum(file.size for file in gone) <= goal or gone == may_go
