"""What will a campaign take? Its skills are asked before it begins; nothing depends on what they say."""

from __future__ import annotations

from collections.abc import Mapping

from vbotd.domain.campaign import Campaign
from vbotd.domain.history import CampaignRecord, History
from vbotd.domain.skill import Estimate
from vbotd.errors import VbotdError
from vbotd.host.catalogue import Catalogue
from vbotd.layout import Layout


def estimates(campaign: Campaign, catalogue: Catalogue, layout: Layout) -> Mapping[str, Estimate]:
    """Return what the plugins of a campaign's skills expect to train, by plugin; those that say nothing are left out.

    Starts a plugin host where there is somebody to ask; if it does not answer in time, nothing is known.
    """
    owners = {catalogue.owner(use.name) for use in campaign.skills}
    if not any(card.name in owners and "estimate" in card.hooks for card in catalogue.plugins):
        return {}
    from vbotd.host.messages import AnswerArrived, Question
    from vbotd.host.one_shot import one_shot_answers
    record = CampaignRecord(id=campaign.name, content=campaign, sha256="", file="", status="open", accepted_at=0.0)
    history = History(record=record, task=catalogue.task(campaign.task), trials=(), runs=())
    try:
        answers = one_shot_answers(layout.home, Question(hook="estimate", args={"history": history}))
    except VbotdError:
        return {}
    return {answer.plugin: answer.value for answer in answers
            if isinstance(answer, AnswerArrived) and isinstance(answer.value, Estimate)}
