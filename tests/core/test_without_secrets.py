"""Every sighting that can carry words of a worker or a plugin loses its secrets, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.given import content, seen_file
from vbotd.core import sighting as s
from vbotd.core.redaction import MASK
from vbotd.core.without_secrets import without_secrets
from vbotd.domain.finding import Finding
from vbotd.domain.skill import Exhausted, Opinion
from vbotd.domain.trial import CheckpointRef, Proposal

SECRET = "plain-words-of-a-key"
CHECKPOINT = CheckpointRef(path="n-1/t001/train-s1-a1/checkpoints/ckpt_000000000010.pt", sha256="ab" * 32, env_steps=10)
SAID, TOLD = f"401 with {SECRET}", f"401 with {MASK}"
FINDING = Finding(rule="r", level="error", message="m", value=0.5, stop=True)
RUN = s.RunSeen(run="n-1/t001/train-s1-a1", claim="shim", alive=False, last_checkpoint=CHECKPOINT)
RESULT = {"outcome": "diverged", "env_steps": 10, "checkpoint": {"path": CHECKPOINT.path, "sha256": "ab" * 32}}
PROPOSAL = Proposal(params={"ppo.learning_rate": 1e-3}, proposer="p", why="w")


@pytest.mark.parametrize(("said", "told"), [
    (replace(RUN, log_tail=SAID), replace(RUN, log_tail=TOLD)),
    (replace(RUN, result_problem=SAID), replace(RUN, result_problem=TOLD)),
    (replace(RUN, result=RESULT | {"reason": SAID, "findings": [{"message": SAID}]}),
     replace(RUN, result=RESULT | {"reason": TOLD, "findings": [{"message": TOLD}]})),
    (s.FindingsSeen(run=RUN.run, findings=(("core", replace(FINDING, message=SAID, fix=SAID, tag=SAID)),)),
     s.FindingsSeen(run=RUN.run, findings=(("core", replace(FINDING, message=TOLD, fix=TOLD, tag=TOLD)),))),
    (s.PluginTroubleSeen(plugin="p", hook="h", how="raised", detail=SAID),
     s.PluginTroubleSeen(plugin="p", hook="h", how="raised", detail=TOLD)),
    (s.LaunchFailedSeen(run=RUN.run, why=SAID), s.LaunchFailedSeen(run=RUN.run, why=TOLD)),
    (s.ProposalsSeen(campaign="n-1", proposals=(replace(PROPOSAL, why=SAID),), exhausted=(Exhausted(why=SAID),)),
     s.ProposalsSeen(campaign="n-1", proposals=(replace(PROPOSAL, why=TOLD),), exhausted=(Exhausted(why=TOLD),))),
    (s.OpinionsSeen(trial="n-1/t001", opinions=(("p", Opinion(verdict="discard", why=SAID)),)),
     s.OpinionsSeen(trial="n-1/t001", opinions=(("p", Opinion(verdict="discard", why=TOLD)),))),
], ids=lambda value: type(value).__name__)
def test_words_of_others_are_kept_without_secrets(said: s.Sighting, told: s.Sighting) -> None:
    assert without_secrets(said, (SECRET,)) == told
    assert without_secrets(told, (SECRET,)) == told


@pytest.mark.parametrize("sighting", [
    RUN, seen_file(content()), s.CommandSeen(key=SECRET, verb="note", args={"text": SAID}, principal="cli:ada")])
def test_what_a_person_wrote_and_what_says_nothing_is_taken_as_it_is(sighting: s.Sighting) -> None:
    assert without_secrets(sighting, (SECRET,)) is sighting
