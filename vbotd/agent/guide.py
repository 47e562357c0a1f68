"""How is something done here? The guides, for who has no folder of them: the loop, and clients without resources."""

from __future__ import annotations

from pydantic import Field

from vbotd.agent.registry import Arguments, Context, Result, Tool, ToolError
from vbotd.core.wording import clean
from vbotd.store.guides import described, guides

LONGEST = 12_000  # characters; ours have about 3,000


class GuideArguments(Arguments):
    """Which guide."""

    name: str = Field(default="", max_length=80, description="default: list them")


class Guide(Result):
    """The guides by name, each with when to read it; or the text of one, which is ours and no data of others."""

    guides: dict[str, str] = Field(default={})
    text: str = ""


def guide(context: Context, arguments: GuideArguments) -> Guide:
    """Return what guides there are, or one of them without its front matter.

    Raises: ToolError where there is none of this name.
    """
    del context
    known = guides()
    if not arguments.name:
        return Guide(guides={name: clean(described(text), 200) for name, text in known.items()})
    if arguments.name not in known:
        raise ToolError(f"there is no guide '{clean(arguments.name, 80)}'; there are {', '.join(known) or 'none'}")
    text = known[arguments.name]
    return Guide(text=(text.split("---\n", 2)[2] if text.startswith("---\n") else text).strip()[:LONGEST])


TOOLS = (Tool(name="guide", summary="How things are done: guides for training, rewards, curricula, reading pictures.",
              args=GuideArguments, result=Guide, run=guide),)
