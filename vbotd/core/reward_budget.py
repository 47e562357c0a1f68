"""Does a reward pay for the task, or for something easier? Numbers of probes in, findings out.

A probe is a policy that does one simple thing for a whole episode: it stands, it walks to the goal, it stops just
outside of it, it falls on purpose. What each earns shows what a learner will drift to, before anything is trained.
The thresholds are rules of thumb from the exploits that the predecessor's policies found; each finding names the
terms that pay for it and how much, so that a person can judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from vbotd.core.probe_sums import HONEST, MIN_TERM_SHARE, Measured, costs, num, payers, ratio
from vbotd.domain.finding import Finding, Level

RULE = "reward-budget"
STATUES = ("stand", "tremble", "crouch", "spin", "face")
CRASHES = ("fold", "sprint-fall", "touch-fall")
MOST_TUMBLES = 0.5  # of a walker's episodes; one that falls more often shows what falling costs

Rule = Callable[[Measured], Iterator[Finding]]


def check(measured: Measured) -> tuple[Finding, ...]:
    """Return everything that the rules have to say, the gravest first."""
    found = [finding for rule in RULES for finding in rule(measured)]
    return tuple(sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level)))


def is_overruled(rule: str, allowed: Sequence[str]) -> bool:
    """Say whether a campaign overrules a finding, by its name or by the part before the slash."""
    return any(rule == name or rule.startswith(f"{name}/") for name in allowed)


def statue(m: Measured) -> Iterator[Finding]:
    """Standing about must not earn what doing the task earns: 4,185 against 2,031 made statues."""
    ref = m.reference
    if ref is None or not m.of(STATUES):
        return
    worst = max(m.of(STATUES), key=lambda p: p.total)
    dividend = ratio(worst.total, ref.total)
    if dividend < 0.5:
        return
    yield _finding(
        m, "statue", dividend >= 1.0, dividend,
        f"'{worst.name}' earns {num(worst.total)} in an episode of {m.episode_s:g} s ({payers(worst)}), "
        f"{_times(dividend)} what '{ref.name}' earns by doing the task: {num(ref.total)} ({payers(ref)})",
        "lower what is paid for being there, shorten env.episode_s, or raise what is paid for the goal")  # fmt: skip


def alive_budget(m: Measured) -> Iterator[Finding]:
    """What being alive pays over an episode must stay below twice the goal: 4,500 against 50 made lazy robots."""
    alive = m.weights.get("alive_reward", 0.0) * m.episode_s
    goal = sum(w for name, w in m.weights.items() if name.endswith("_event") and w > 0 and name != "swing_event")
    if alive <= 0 or alive < 2.0 * goal:
        return
    yield _finding(
        m, "alive", True, ratio(alive, goal),
        f"alive_reward pays {num(alive)} over {m.episode_s:g} s, all one-time events of the goal together {num(goal)}",
        f"keep reward.alive_reward below {2.0 * goal / m.episode_s:.3g}", certain=True)  # fmt: skip


def walking(m: Measured) -> Iterator[Finding]:
    """On the way to the goal, walking must pay more per second than standing does: +134 against -430 made statues."""
    yield from _zone_pays(m, "far", "walking", "stand",
                          "raise what walking there pays, or lower the costs that it has")  # fmt: skip
    walker, still = m.probes.get("brisk"), m.probes.get("stand")
    if walker is None or still is None:
        return
    moving = [name for name, paid in walker.terms.items() if paid > 0 and ("velocity" in name or "progress" in name)]
    gain = sum(walker.terms[name] for name in moving)
    # What standing costs as well, such as time, is no cost of walking.
    dear = {name: paid - still.terms.get(name, 0.0) * walker.length_s / max(still.length_s, 1e-9)
            for name, paid in walker.terms.items() if name.endswith("_cost")}  # fmt: skip
    cost = -sum(dear.values())
    if not moving or cost < 0.5 * gain:
        return
    worst = ", ".join(f"{name} {num(paid)}" for paid, name in sorted((paid, name) for name, paid in dear.items())[:3])
    tumbles = walker.fall_rate > MOST_TUMBLES  # on stairs it does, and what a tumble costs is no cost of walking
    told = (f"; but it falls in {walker.fall_rate:.0%} of its episodes, and tumbling costs more than walking"
            if tumbles else ": who has not found the goal yet learns not to move")
    yield _finding(
        m, "walking", cost >= 0.8 * gain, ratio(cost, gain),
        f"for moving, 'brisk' (1 m/s) is paid {num(gain)} in an episode ({', '.join(moving)}) and charged {num(cost)} "
        f"more than for standing ({worst}){told}",
        "raise what moving towards the goal pays, or lower these costs", certain=not tumbles)  # fmt: skip


def moat(m: Measured) -> Iterator[Finding]:
    """Near the goal too: a penalty on speed within 2 m kept robots hovering at 1 m."""
    yield from _zone_pays(m, "near", "moat", "linger",
                          "lower reward.near_target_speed_cost or env.slowdown_radius_m")  # fmt: skip


def _zone_pays(m: Measured, zone: str, name: str, waits: str, fix: str) -> Iterator[Finding]:
    walkers = [p for p in m.of(HONEST) if zone in p.flow]
    waiting = m.probes.get(waits)
    if not walkers or waiting is None or "wait" not in waiting.flow:
        return
    best, still = max(walkers, key=lambda p: p.flow[zone]), waiting.flow["wait"]
    gain = best.flow[zone] - still
    if gain > 0:
        return
    yield _finding(
        m, name, True, gain,
        f"{'far from' if zone == 'far' else 'near'} the goal, without one-time events, '{best.name}' earns "
        f"{num(best.flow[zone])} per second on its way and '{waits}' {num(still)} by waiting: whoever walks loses "
        f"{num(-gain)} per second ({costs(best)} in an episode)",
        fix, certain=True)  # fmt: skip


def hover(m: Measured) -> Iterator[Finding]:
    """Stopping just outside must not pay like arriving: 97 % of it made robots stop at 0.52 m."""
    ref, probe = m.finisher, m.probes.get("hover")
    if ref is None or probe is None:
        return
    by_rate = ratio(probe.rate, ref.rate)
    from_there = 0.0 if probe.at_goal is None or ref.at_goal is None else ratio(probe.at_goal, ref.at_goal)
    worst = max(by_rate, from_there)
    if worst < 0.5:
        return
    yield _finding(
        m, "hover", worst >= 0.9, worst,
        f"stopping just outside the goal earns {num(probe.rate)} per second ({payers(probe)} in an episode), "
        f"'{ref.name}' {num(ref.rate)}, that is {by_rate:.0%}; discounted from the edge of the goal "
        f"{num(probe.at_goal or 0.0)} against {num(ref.at_goal or 0.0)}, {from_there:.0%}",
        "pay what is paid near the goal only once it was reached, or raise what arriving pays")  # fmt: skip


def farm(m: Measured) -> Iterator[Finding]:
    """Staying at the goal without finishing must not pay more than finishing: 12,726 against 611 did."""
    ref, probe = m.finisher, m.probes.get("loiter")
    if ref is None or probe is None:
        return
    by_sum = ratio(probe.total, ref.total)
    by_rate = ratio(probe.rate, ref.rate)
    if min(by_sum, by_rate) < 0.7:
        return
    yield _finding(
        m, "farm", min(by_sum, by_rate) >= 1.0, by_sum,
        f"'loiter' reaches the goal, never finishes, and earns {num(probe.total)} in an episode ({payers(probe)}), "
        f"{_times(by_sum)} what '{ref.name}' earns by finishing: {num(ref.total)}; per second {num(probe.rate)} "
        f"against {num(ref.rate)}",
        "give what is paid at the goal a budget (env.stop_budget_s), or raise reward.success_event")  # fmt: skip


def crash(m: Measured) -> Iterator[Finding]:
    """Falling early must not pay per second what the task pays: a reset costs nothing."""
    ref = m.finisher
    if ref is None or not m.of(CRASHES):
        return
    worst = max(m.of(CRASHES), key=lambda p: p.rate)
    pay = ratio(worst.rate, ref.rate)
    if pay < 0.6:
        return
    yield _finding(
        m, "crash", pay >= 0.8, pay,
        f"'{worst.name}' earns {num(worst.rate)} per second over episodes of {worst.length_s:.1f} s ({payers(worst)}; "
        f"{costs(worst, 1)} each), {pay:.0%} of the {num(ref.rate)} of '{ref.name}'",
        "cap what speed pays (env.forward_cap_mps), or make reward.fall_event cost more")  # fmt: skip


def run_past(m: Measured) -> Iterator[Finding]:
    """Running on without ever stopping must not pay like the task."""
    ref, probe = m.finisher, m.probes.get("sprint")
    if ref is None or probe is None:
        return
    pay = min(ratio(probe.rate, ref.rate), ratio(probe.total, ref.total))
    if pay < 0.6:
        return
    yield _finding(
        m, "run-past", pay >= 1.0, pay,
        f"'sprint' never stops and earns {num(probe.total)} in an episode, {num(probe.rate)} per second "
        f"({payers(probe)}), {pay:.0%} of '{ref.name}' ({num(ref.total)}, {num(ref.rate)} per second)",
        "cap what speed pays, or raise what stopping at the goal pays")  # fmt: skip


def suicide(m: Measured) -> Iterator[Finding]:
    """To die at once must be worth less than to live, for the beginner too."""
    die = m.probes.get("fold")
    ref = m.reference
    if die is None or ref is None:
        return
    beginners = m.of(("stand", "tremble"))
    best = max([*beginners, ref], key=lambda p: p.discounted)
    if die.discounted >= best.discounted:
        yield _finding(
            m, "suicide", True, die.discounted - best.discounted,
            f"falling at once is worth {num(die.discounted)} (discounted), more than anything else: '{best.name}' "
            f"{num(best.discounted)} ({costs(best)})",
            "lower the costs, or make reward.fall_event cost more", certain=True)  # fmt: skip
    elif beginners and die.discounted > max(p.discounted for p in beginners):
        first = max(beginners, key=lambda p: p.discounted)
        yield _finding(
            m, "suicide", False, die.discounted - first.discounted,
            f"falling at once is worth {num(die.discounted)} (discounted), and '{first.name}', which is all that a "
            f"beginner can do, {num(first.discounted)} ({costs(first)}): it may learn to fall first",
            "lower the costs, or make reward.fall_event cost more")  # fmt: skip


def horizon(m: Measured) -> Iterator[Finding]:
    """A goal so far away that the discount leaves nothing of it is not seen from the start."""
    ref = m.reference
    if ref is None or ref.goal_s is None:
        return
    left = m.gamma ** (ref.goal_s / m.control_dt_s)
    if left < 0.05:
        wanted = 0.05 ** (m.control_dt_s / ref.goal_s)
        yield _finding(
            m, "horizon", False, left,
            f"'{ref.name}' needs {ref.goal_s:.1f} s to the goal, {ref.goal_s / m.control_dt_s:.0f} control steps: a "
            f"discount of {m.gamma:g} leaves {left:.1%} of what arriving pays, so only shaping shows the way",
            f"ppo.gamma of {wanted:.4f} or more leaves 5 %")  # fmt: skip


def oscillation(m: Measured) -> Iterator[Finding]:
    """To and fro must not pay: a shaping term that does not give back what it gave is farmed."""
    ref, probe = m.finisher, m.probes.get("circle")
    if ref is None or probe is None:
        return
    leaking = {name: paid for name, paid in probe.terms.items()
               if "progress" in name and paid > 0.25 * max(ref.terms.get(name, 0.0), 1e-9)
               and paid > MIN_TERM_SHARE * abs(ref.total)}  # fmt: skip
    if not leaking:
        return
    named = ", ".join(f"{name} {num(paid)} ('{ref.name}': {num(ref.terms.get(name, 0.0))})"
                      for name, paid in leaking.items())  # fmt: skip
    total = ratio(probe.total, ref.total)
    yield _finding(
        m, "oscillation", total >= 1.0, total,
        f"walking in circles, which leads nowhere, is paid by {named}; it earns {num(probe.total)} in an episode, "
        f"{total:.0%} of doing the task",
        "do not clip a progress term at 0: what it pays on the way there it must take on the way back")  # fmt: skip


def short_episodes(m: Measured) -> Iterator[Finding]:
    """Two short episodes must not pay more than one long one: a reward that fades made robots die at half time."""
    lasting = [p for p in m.of(("stand", "crouch", "spin")) if p.length_s > 0.98 * m.episode_s and p.total > 0]
    if not lasting:
        return
    gain = min(2.0 * p.first_half / p.total - 1.0 for p in lasting)
    best = max((p for p in m.probes.values() if p.length_s > 0.98 * m.episode_s), key=lambda p: p.total)
    more, dying = gain * best.total, -2.0 * m.fall
    if gain < 0.05:
        return
    yield _finding(
        m, "short-episodes", more > dying, gain,
        f"the first half of an episode pays {(1 + gain) / 2:.0%} of it, so two episodes of {m.episode_s / 2:g} s pay "
        f"{gain:.0%} more than one of {m.episode_s:g} s: {num(more)} for '{best.name}' ({num(best.total)}), and two "
        f"falls cost {num(dying)}",
        "set env.time_decay to 0; time_cost makes haste pay without that", certain=True)  # fmt: skip


def unjudged(m: Measured) -> Iterator[Finding]:
    """Say that nothing could be compared with doing the task, where no probe can do it."""
    ref = m.reference
    if ref is not None and m.finisher is None:
        yield Finding(
            rule=f"{RULE}/unjudged", level="info", value=ref.success_rate,
            message=f"'{ref.name}' does the task in {ref.success_rate:.0%} of its episodes, so what hovering, farming, "
                    "running past and falling early pay could not be compared with it",
            fix="once a policy can do the task, compare its terms in 'vbotd monitor' with those of the probes"
        )  # fmt: skip


def dead(m: Measured) -> Iterator[Finding]:
    """A term with a weight that no probe ever moved may not be connected to anything."""
    silent = [name for name, weight in m.weights.items()
              if weight and not any(abs(p.terms.get(name, 0.0)) > 1e-12 for p in m.probes.values())]  # fmt: skip
    if silent and m.probes:
        yield Finding(
            rule=f"{RULE}/dead", level="info", message=f"no probe was ever paid or charged by {', '.join(silent)}",
            fix="a weight of 0 removes a term; if it should have counted here, look at what it measures")  # fmt: skip


RULES: tuple[Rule, ...] = (
    statue, alive_budget, walking, moat, hover, farm, crash, run_past, suicide, short_episodes, oscillation, horizon,
    unjudged, dead,
)  # fmt: skip


def _finding(m: Measured, name: str, broken: bool, value: float, message: str, fix: str, *,
             certain: bool = False) -> Finding:
    """Return a finding; `certain` says that it does not hang on the reference doing the task."""
    level: Level = "error" if broken and (certain or m.is_reliable) else "warning"
    ref = m.reference
    if broken and level == "warning" and ref is not None:
        message += f" (no error: '{ref.name}' itself does the task in {ref.success_rate:.0%} of its episodes only)"
    return Finding(rule=f"{RULE}/{name}", level=level, message=message, value=round(value, 4) if value < 1e12 else None,
                   fix=fix)  # fmt: skip


def _times(value: float) -> str:
    return f"{value:.2f} times" if value < 1e6 else "more than"
