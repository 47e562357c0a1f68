"""The verdict on a trial from its runs: which seed chooses, which report, what is compared with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.core.given import TASK, content, ended, seen_file, step
from vbotd.core.judge import CONFIRM, default_opinion, reported
from vbotd.core.opinions import dissenting
from vbotd.core.ranking import best_of, in_order, qualities, scored_run
from vbotd.core.report_best import best_trials
from vbotd.core.report_facts import Facts
from vbotd.core.report_text import _table
from vbotd.core.sighting import ProposalsSeen
from vbotd.core.state import State
from vbotd.core.verdict.claims import claims_of, spread_of
from vbotd.core.verdict.lengths import SCORE
from vbotd.domain.campaign import Budget, Campaign
from vbotd.domain.event import TrialJudged
from vbotd.domain.history import CampaignRecord
from vbotd.domain.metric import Measurement, MetricCard
from vbotd.domain.trial import CheckpointRef, Proposal, Run, Trial

SEEDS = (11, 12, 13, 14, 15, 16)
STEADY, HIGHER = (0.70, 0.74, 0.72, 0.69, 0.73, 0.71), (0.90, 0.93, 0.91, 0.90, 0.92, 0.91)


def trial(number: int, *, seeds: Sequence[int] = SEEDS, value: float | None = 0.9, **changes: object) -> Trial:
    score = None if value is None else measured(value)
    made = Trial(id=f"n/t{number:03d}", campaign="n", number=number, proposal=Proposal(params={}, proposer="x"),
                 params={"ppo.gamma": 0.9 + number / 100}, admitted_at=0.0, seeds=(1, *seeds), score=score,
                 judged=True, verdict="keep")
    return replace(made, **changes)  # type: ignore[arg-type]


def measured(value: float) -> Measurement:
    return Measurement(value=value, low=value - 0.02, high=value + 0.02, n=256)


def run(of: Trial, seed: int, value: float | None, *, purpose: str = SCORE, kind: str = "evaluate",
        **changes: object) -> Run:
    made = Run(id=f"{of.id}/{kind}-{purpose}-s{seed}", campaign="n", trial=of.id, kind=kind, seed=seed, attempt=1,
               status="ended", queued_at=0.0, purpose=purpose, outcome="finished",
               metrics={} if value is None else {"eval/success_rate": measured(value)})
    return replace(made, **changes)  # type: ignore[arg-type]


def runs_of(of: Trial, values: Sequence[float | None], *, first: float = 0.9, until: int = 1000) -> list[Run]:
    """The train run of the search seed, its score, and the scores of the report seeds; None: that training failed."""
    spec: Mapping[str, object] = {"train": {"until": until}}
    kept = CheckpointRef(path="x.pt", sha256="ab", env_steps=until)
    runs = [run(of, 1, None, kind="train", purpose="", spec=spec, checkpoint=kept), run(of, 1, first)]
    for seed, value in zip(of.seeds[1:], values, strict=False):
        runs.append(run(of, seed, None, kind="train", purpose="", checkpoint=kept,
                        outcome="diverged" if value is None else "finished"))
        runs += [] if value is None else [run(of, seed, value)]
    return runs


def opinion_of(one: Trial, runs: Sequence[Run], *others: Trial):
    return default_opinion(one, runs, others, TASK)


def test_one_seed_is_kept_and_told_what_would_confirm_it():
    one = trial(1, seeds=())
    said, score = opinion_of(one, runs_of(one, ()))
    assert said.verdict == "keep" and score == measured(0.9)
    assert said.why.endswith("one seed: 5 further ones, the same for it and the baseline, could confirm it")


def test_the_search_seed_chooses_whatever_the_others_had():
    one = trial(1)
    runs = [*runs_of(one, STEADY, first=0.5), run(one, 1, 0.95, purpose="reward:test")]
    assert opinion_of(one, runs)[1] == measured(0.5)
    assert scored_run(runs, SCORE, 1) is runs[1]


def test_six_pairs_that_are_clearly_better_are_promoted():
    base, better = trial(1), trial(2)
    said, _ = opinion_of(better, [*runs_of(base, STEADY), *runs_of(better, HIGHER)], base)
    assert said.verdict == "promote"
    assert said.why.startswith("better than t001: +19.7 points [") and "6 pairs of seeds, 6 won" in said.why


def test_three_of_three_is_not_confirmed():
    base, better = trial(1), trial(2)
    said, _ = opinion_of(better, [*runs_of(base, STEADY[:3]), *runs_of(better, HIGHER[:3])], base)
    assert said.verdict == "inconclusive" and "2 more seeds of both would confirm it" in said.why


def climbing(number: int, *scores: tuple[int, float]) -> tuple[Trial, list[Run]]:
    """A trial and the runs of its search seed: trained to so many env steps, then scored, and so on."""
    one = trial(number, seeds=(), value=scores[-1][1], env_steps=scores[-1][0])
    runs = []
    for until, value in scores:
        kept = CheckpointRef(path=f"{until}.pt", sha256="ab", env_steps=until)
        runs += [run(one, 1, None, kind="train", purpose="", spec={"train": {"until": until, "env_steps": 900}},
                     checkpoint=kept), run(one, 1, value)]
    return one, runs


def test_a_trial_of_the_first_rung_is_not_discarded_because_another_was_trained_to_the_end():
    long, of_long = climbing(1, (100, 0.30), (300, 0.60), (900, 0.95))
    short, of_short = climbing(2, (100, 0.31))
    said, _ = opinion_of(short, [*of_long, *of_short], long)
    assert said.verdict == "keep" and "not compared" not in said.why, "at 100 env steps it is as good as the other was"


def test_a_trial_is_discarded_by_what_a_rival_had_at_the_same_length():
    long, of_long = climbing(1, (100, 0.30), (900, 0.95))
    short, of_short = climbing(2, (100, 0.20))
    said, _ = opinion_of(short, [*of_long, *of_short], long)
    assert said.verdict == "discard" and "behind n/t001 with 30.0 % [28.0-32.0 %]" in said.why


def test_a_trial_of_the_last_rung_is_not_judged_by_the_short_ones():
    lucky, of_lucky = climbing(1, (100, 0.97))
    long, of_long = climbing(2, (100, 0.90), (900, 0.80))
    said, _ = opinion_of(long, [*of_lucky, *of_long], lucky)
    assert said.verdict == "keep" and said.why.endswith("; not compared with 1 trial trained further or less far")


def test_who_is_behind_the_best_is_told_so_and_not_sent_for_seeds():
    best, of_best = climbing(1, (900, 0.90))
    near, of_near = climbing(2, (900, 0.89))
    said, _ = opinion_of(near, [*of_best, *of_near], best)
    assert said.verdict == "keep" and said.why.endswith("one seed, and behind the best so far")


def test_the_report_says_of_a_trial_that_it_was_trained_less_far():
    record = CampaignRecord(id="n", sha256="", file="", status="open", accepted_at=0.0,
                            content=Campaign(version=1, name="n", task="walk", budget=Budget(trials=9)))
    (long, of_long), (short, of_short) = climbing(1, (300, 0.6), (900, 0.9)), climbing(2, (300, 0.7))
    shown = best_trials(Facts(now=1.0, records=(record,), trials=(long, short), runs=(*of_long, *of_short)))[0]
    lines = {line[2:8]: line for line in _table(shown) if line.startswith("| `t")}
    assert "after 300 of 900 env steps" in lines["`t002`"] and "env steps" not in lines["`t001`"]


def test_without_seeds_in_common_there_is_nothing_to_compare():
    base, better = trial(1, seeds=(21, 22)), trial(2)
    said, _ = opinion_of(better, [*runs_of(base, STEADY), *runs_of(better, HIGHER)], base)
    assert said.verdict == "keep" and "none that a trial before it has too" in said.why


@pytest.mark.parametrize("changes", [{"task": "other"}, {"stage": "far"}])
def test_only_like_is_compared_with_like(changes: dict[str, str]):
    base, better = trial(1), trial(2, **changes)
    assert claims_of((base, better), [*runs_of(base, STEADY), *runs_of(better, HIGHER)], TASK.metric) == ()


def test_who_trained_longer_is_not_compared_with_who_did_not():
    base, better = trial(1), trial(2)
    assert claims_of((base, better), [*runs_of(base, STEADY, until=500), *runs_of(better, HIGHER)], TASK.metric) == ()


def test_a_reference_without_results_yet_makes_a_claim_wait():
    base, better = trial(1), trial(2)
    said, _ = opinion_of(better, [*runs_of(base, ()), *runs_of(better, HIGHER)], base)
    assert said.verdict == "inconclusive" and said.why.startswith("0 pairs of seeds with t001")


def test_who_fails_on_a_seed_is_not_promoted():
    base, better = trial(1, seeds=(*SEEDS, 17)), trial(2, seeds=(*SEEDS, 17))
    said, _ = opinion_of(better, [*runs_of(base, (*STEADY, 0.7)), *runs_of(better, (*HIGHER, None))], base)
    assert said.verdict == "keep" and "it failed on seed 17, on which t001 did not" in said.why


def test_less_is_better_where_the_task_says_so():
    falls = MetricCard(tag="eval/success_rate", direction="min")
    base, better = trial(1), trial(2)
    claim = claims_of((base, better), [*runs_of(base, HIGHER), *runs_of(better, STEADY)], falls)[0]
    assert claim.ruling is not None and claim.ruling.verdict == "promote"
    assert claim.contest is not None and claim.contest.difference == pytest.approx(0.197, abs=1e-3)


def test_claims_of_one_night_against_one_baseline_are_corrected_together_and_others_one_by_one():
    base, better = trial(1), trial(2)
    alike = [trial(number) for number in range(3, 9)]
    other_base, other = trial(9, seeds=(21, 22, 23, 24, 25, 26)), trial(10, seeds=(21, 22, 23, 24, 25, 26))
    runs = [*runs_of(base, STEADY), *runs_of(better, [value + 0.02 for value in STEADY[1:] + STEADY[:1]]),
            *(r for one in (*alike, other_base, other) for r in runs_of(one, STEADY[::-1]))]
    alone = claims_of((base, better), runs, TASK.metric)[0]
    among = claims_of((base, better, *alike), runs, TASK.metric)[0]
    beside = claims_of((base, better, *alike, other_base, other), runs, TASK.metric)[0]
    assert alone.ruling is not None and among.ruling is not None and beside.ruling is not None
    assert alone.contest is not None and among.contest is not None and beside.contest is not None
    assert alone.ruling.p == alone.contest.p and alone.among == 1
    assert 3 * among.contest.p < among.ruling.p < 6 * among.contest.p and among.among == 7
    assert beside.ruling.p == pytest.approx(8 * beside.contest.p), "two baselines have no luck in common"


def test_the_reported_number_is_of_report_seeds_and_fresh_episodes_only():
    one = trial(1)
    runs = [*runs_of(one, STEADY, first=0.99), run(one, 1, 0.98, purpose=CONFIRM),
            *(run(one, seed, value, purpose=CONFIRM) for seed, value in zip(SEEDS, HIGHER, strict=True))]
    told = reported(one, runs)
    assert told is not None and told.seeds == SEEDS
    score = told.metrics["eval/success_rate"]
    assert score.value == pytest.approx(sum(HIGHER) / 6) and score.n == 6 * 256
    assert 0.89 < score.low < score.value < score.high < 0.93
    assert reported(one, runs[:-6]) is None, "the search seed's own number is that of its checkpoint"


def test_a_promoted_trial_is_the_best_and_a_best_that_was_luck_is_not():
    base, lucky, third = trial(1, value=0.7), trial(2, value=0.95), trial(3, value=0.9, seeds=())
    open_yet = replace(lucky, verdict="inconclusive")
    assert best_of((base, open_yet, third), TASK) == open_yet
    assert best_of((base, replace(lucky, verdict="discard"), third), TASK) == base
    promoted = replace(base, verdict="promote")
    assert best_of((promoted, lucky, third), TASK) == promoted
    assert best_of((replace(third, verdict="discard"), replace(base, seeds=(1,))), TASK) == replace(base, seeds=(1,))


def test_of_equal_scores_the_quality_decides_and_then_who_was_first():
    metric, quality = TASK.metric, MetricCard(tag="eval/goal_s", direction="min")
    trials = [trial(number, seeds=(1,), value=value) for number, value in ((1, 0.9), (2, 0.9), (3, 0.8), (4, 0.9))]
    slow = {trials[0].id: 5.0, trials[1].id: 4.0, trials[2].id: 1.0}
    assert [one.number for one in in_order(trials, metric, quality, slow)] == [2, 1, 4, 3]
    assert [one.number for one in in_order(trials, metric, quality)] == [1, 2, 4, 3]


def test_the_quality_is_of_the_search_seed():
    task = replace(TASK, quality=MetricCard(tag="eval/goal_s", direction="min"))
    one = trial(1)
    runs = [run(one, seed, None, metrics={"eval/goal_s": measured(seconds)}) for seed, seconds in ((1, 3.0), (11, 9.0))]
    assert qualities((one,), runs, task.quality) == {"n/t001": 3.0}


def test_the_report_shows_the_fresh_seeds_the_claim_and_what_one_seed_is_worth():
    record = CampaignRecord(id="n", sha256="", file="", status="open", accepted_at=0.0,
                            content=Campaign(version=1, name="n", task="walk", budget=Budget(trials=9)))
    base, better = trial(1, value=0.72), trial(2, value=0.96)
    others = [trial(number, value=0.7 + number / 100, seeds=()) for number in (3, 4, 5)]
    runs = [*runs_of(base, STEADY), *runs_of(better, HIGHER), *(r for one in others for r in runs_of(one, ())),
            *(run(better, seed, value, purpose=CONFIRM) for seed, value in zip(SEEDS, HIGHER, strict=True))]
    facts = Facts(now=1.0, records=(record,), trials=(base, better, *others), runs=tuple(runs))
    shown = {best.trial: best for best in best_trials(facts)[0].trials}
    best, single = shown["n/t002"], shown["n/t005"]
    assert best.over_report_seeds is not None and best.over_report_seeds.value == pytest.approx(sum(HIGHER) / 6)
    assert best.claim.startswith("promote: +19.7 points against t001 over 6 pairs, p ")
    assert best.seeds == 7 and len(best.report_runs) == 6 and best.expected is None
    assert single.expected is not None and single.seeds == 1 and not single.claim
    spread = spread_of(facts.trials, runs, TASK.metric)
    assert spread is not None and 0.01 < spread < 0.02


def test_a_verdict_is_given_anew_when_the_baseline_gets_its_seeds_later():
    state, _ = step(State(), seen_file(content(search=True, trials=2)))
    state = propose(state, *(Proposal(params={"ppo.learning_rate": rate}, proposer="x") for rate in (1e-3, 2e-3)))
    state, _ = lived_through(state)
    state, events = lived_through(propose(state, Proposal(params={}, proposer="x", extends="night-1123/t002",
                                                          seeds=SEEDS)))
    assert [(event.trial[-4:], event.verdict) for event in events] == [("t002", "keep")], "nothing to compare with yet"
    state, events = lived_through(propose(state, Proposal(params={}, proposer="x", extends="night-1123/t001",
                                                          seeds=SEEDS)))
    assert [event.trial[-4:] for event in events] == ["t001", "t002"] and events[-1].verdict == "promote"
    assert state.trials["night-1123/t002"].why.startswith("better than t001")
    assert step(state)[1] == (), "and once only"


def test_what_a_plugin_objected_is_heard_when_a_verdict_is_given_anew():
    who, opinion = dissenting("careful: keep — it hops: badly — so")
    assert (who, opinion.verdict, opinion.why) == ("careful", "keep", "it hops: badly — so")


def propose(state: State, *proposals: Proposal) -> State:
    return step(state, ProposalsSeen(campaign="night-1123", proposals=proposals))[0]


def lived_through(state: State) -> tuple[State, list[TrialJudged]]:
    """End all runs, t002 better than t001 on every seed, until nothing is at work; return the verdicts too."""
    judged: list[TrialJudged] = []
    while live := [run for run in state.runs.values() if run.is_live]:
        for one in live:
            value = 0.65 + 0.01 * (one.seed % 3) + (0.2 if "/t002/" in one.id else 0.0)
            state, events = step(state, ended(one.id, value=value))
            judged += [event for event in events if isinstance(event, TrialJudged)]
    return state, judged
