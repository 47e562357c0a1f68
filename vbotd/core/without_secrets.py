"""What may a sighting say? What came from a worker or a plugin is without secrets before anything is decided from it.

The rule this protects: the store keeps what it was given for ever, so a key that a worker printed as its last words
must not reach it: not as a run's reason, not as a finding, not as a plugin's error. Names, numbers and sums stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from vbotd.core import sighting as s
from vbotd.core.redaction import redact, redact_text
from vbotd.core.sighting import Sighting
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Exhausted, Opinion
from vbotd.domain.trial import Proposal

Said = TypeVar("Said", Proposal, Exhausted, Opinion)


def without_secrets(sighting: Sighting, secrets: Sequence[str]) -> Sighting:
    """Return a sighting whose free texts are redacted: of the secrets that are known by value, and of what looks so."""
    match sighting:
        case s.RunSeen() if sighting.log_tail or sighting.result or sighting.result_problem:
            return replace(sighting, log_tail=redact_text(sighting.log_tail, secrets),
                           result_problem=redact_text(sighting.result_problem, secrets),
                           result=None if sighting.result is None else redact(sighting.result, secrets))
        case s.FindingsSeen():
            return replace(sighting, findings=tuple((by, _told(finding, secrets)) for by, finding in sighting.findings))
        case s.PluginTroubleSeen():
            return replace(sighting, detail=redact_text(sighting.detail, secrets))
        case s.LaunchFailedSeen():
            return replace(sighting, why=redact_text(sighting.why, secrets))
        case s.ProposalsSeen():
            return replace(sighting, proposals=_why(sighting.proposals, secrets),
                           exhausted=_why(sighting.exhausted, secrets))
        case s.OpinionsSeen():
            return replace(sighting, opinions=tuple((by, _why((opinion,), secrets)[0])
                                                    for by, opinion in sighting.opinions))
    return sighting


def _why(said: Iterable[Said], secrets: Sequence[str]) -> tuple[Said, ...]:
    return tuple(replace(each, why=redact_text(each.why, secrets)) for each in said)


def _told(finding: Finding, secrets: Sequence[str]) -> Finding:
    return replace(finding, message=redact_text(finding.message, secrets), fix=redact_text(finding.fix, secrets),
                   tag=redact_text(finding.tag, secrets))
