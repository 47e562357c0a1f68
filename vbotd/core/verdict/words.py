"""A claim in sentences: how many pairs, how large the difference, how sure, and what would decide it."""

from __future__ import annotations

from vbotd.core.verdict.claims import Claim
from vbotd.core.verdict.contest import Contest
from vbotd.core.verdict.looks import FEWEST_PAIRS
from vbotd.core.verdict.ruling import Ruling
from vbotd.core.wording import counted, is_rate, number
from vbotd.domain.trial import Verdict


def verdict_of(claim: Claim) -> Verdict:
    """Return the verdict on a claim; whoever failed on a seed on which the reference did not is not promoted."""
    if claim.ruling is None:
        return "inconclusive"
    return "keep" if claim.ruling.verdict == "promote" and claim.failed else claim.ruling.verdict


def claim_words(claim: Claim, tag: str) -> str:
    """Return why a claim has its verdict."""
    other = claim.reference.rpartition("/")[2]
    if claim.contest is None or claim.ruling is None:
        pairs = len(claim.seeds)
        return (f"{counted(pairs, 'pair')} of seeds with {other}: nothing is known of the noise between seeds; "
                f"{FEWEST_PAIRS - pairs} more of both could confirm it") + _failures(claim, other)
    said = {"better": f"better than {other}", "worse": f"worse than {other}",
            "hopeful": f"not decided against {other}", "open": f"not decided against {other}",
            "alike": f"no different from {other} by more than one seed's luck",
            "not_worse": f"not worse than {other} by more than one seed's luck, and not shown to be better",
            "no_gain": f"no gain over {other} beyond one seed's luck"}[claim.ruling.ground]
    return f"{said}: {_numbers(claim, claim.contest, tag)}{_what_next(claim.ruling)}{_failures(claim, other)}"


def short_words(claim: Claim, tag: str) -> str:
    """Return a claim in a few words, for a table."""
    other = claim.reference.rpartition("/")[2]
    verdict = verdict_of(claim)
    if claim.contest is None or claim.ruling is None:
        pairs = len(claim.seeds)
        return (f"{verdict}: {counted(pairs, 'pair')} of seeds with {other}, {FEWEST_PAIRS - pairs} more of both could "
                "confirm it")
    ruling = claim.ruling
    more = (f", {counted(ruling.further, 'more seed')} of both would prove it with a chance of {ruling.chance:.0%}"
            if ruling.further else "")
    return (f"{verdict}: {lead(claim.contest.difference, tag)} against {other} over "
            f"{counted(claim.contest.pairs, 'pair')}, p {probability(claim.ruling.p)}{more}")


def lead(difference: float, tag: str) -> str:
    """Return a difference with its sign, that of two rates in percentage points."""
    return f"{difference * 100:+.1f} points" if is_rate(tag) else f"{difference:+.4g}"


def probability(p: float) -> str:
    """Return a p value with the digits that mean something."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _numbers(claim: Claim, contest: Contest, tag: str) -> str:
    assert claim.ruling is not None and claim.noise is not None, "a contest has both"
    better = contest.improvement
    return (f"{lead(contest.difference, tag)} [{lead(contest.low, tag)} to {lead(contest.high, tag)}] over "
            f"{counted(contest.pairs, 'pair')} of seeds, {contest.wins} won, p {probability(claim.ruling.p)} among "
            f"{counted(claim.among, 'claim')}; a run of it beats one of the other in {better['value'] * 100:.0f} % "
            f"[{better['low'] * 100:.0f}-{better['high'] * 100:.0f} %]; one setting's runs spread by "
            f"{number(claim.noise.spread, tag)}")


def _what_next(ruling: Ruling) -> str:
    if ruling.verdict != "inconclusive":
        return ""
    if ruling.further is None:
        return "; further seeds would hardly show more"
    return (f"; {counted(ruling.further, 'more seed')} of both would confirm it with a chance of "
            f"{ruling.chance * 100:.0f} %")


def _failures(claim: Claim, other: str) -> str:
    if not claim.failed:
        return ""
    named = ", ".join(str(seed) for seed in claim.failed[:5])
    return f"; it failed on seed {named}, on which {other} did not, so that it is not promoted"
