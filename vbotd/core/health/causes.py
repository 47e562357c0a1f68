"""Which finding is the cause, and which only follow from it? The root is shown, not a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vbotd.domain.finding import Finding

# child: its possible causes. Whatever is found together with `non-finite` follows from that.
CAUSES: Mapping[str, tuple[str, ...]] = {
    "kl-high": ("rate-runaway",),
    "clip-high": ("kl-high", "rate-runaway"),
    "gradients-grow": ("kl-high", "rate-runaway", "value-loss"),
    "value-loss": ("kl-high", "rate-runaway"),
    "value-blind": ("kl-high", "value-loss"),
    "exploration-collapse": ("kl-high", "rate-runaway"),
    "exploration-growth": ("kl-high",),
    "features-shrink": ("kl-high",),
    "units-die": ("kl-high", "features-shrink"),
    "collapse": ("kl-high", "exploration-collapse", "exploration-growth", "value-loss", "features-shrink",
                 "observations-drift", "sprint-crash", "curriculum-cheat", "reward-without-success"),
    "reward-without-success": ("sprint-crash", "term-gaming"),
    "stalled": ("collapse", "exploration-collapse", "exploration-growth", "kl-high", "updates-dead", "rate-starved",
                "paid-to-live", "touch-and-die", "fly-through", "units-die"),
    "falls": ("kl-high", "exploration-growth", "sprint-crash", "touch-and-die", "collapse"),
    "chatter": ("exploration-growth",),
    "updates-dead": ("exploration-collapse",),
}  # fmt: skip
FINAL = "non-finite"


def folded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings without those that follow from another one, which names them.

    A finding that asks to stop the run is never hidden behind one that does not: it stays, and says what it follows
    from.
    """
    by_rule = {finding.rule: finding for finding in findings}
    causes = {rule: cause for rule in by_rule if (cause := root(rule, frozenset(by_rule)))}
    kept, follows = list[Finding](), dict[str, list[str]]()
    for finding in findings:
        cause = causes.get(finding.rule, "")
        if not cause:
            kept.append(finding)
        elif finding.stop and not any(each.stop for each in findings if each.rule == cause):
            kept.append(replace(finding, message=f"{finding.message}; it follows from {cause}"))
        else:
            follows.setdefault(cause, []).append(finding.rule)
    return tuple(_with_children(finding, follows.pop(finding.rule, [])) for finding in kept)


def root(rule: str, found: frozenset[str]) -> str:
    """Return the first cause of a rule among those found, "" where it is a cause itself."""
    if rule == FINAL:
        return ""
    if FINAL in found:
        return FINAL
    cause = next((each for each in CAUSES.get(rule, ()) if each in found), "")
    return (root(cause, found) or cause) if cause else ""


def _with_children(finding: Finding, children: Sequence[str]) -> Finding:
    names = ", ".join(dict.fromkeys(children))
    return replace(finding, message=f"{finding.message}; from it follow: {names}") if names else finding
