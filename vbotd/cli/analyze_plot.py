"""How do the scores of a campaign look over each searched setting? One panel a setting, one dot a trial."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from vbotd.cli.plot_style import COLOURS, GREY, PlotsMissing
from vbotd.core.importance import Importance
from vbotd.core.wording import setting
from vbotd.domain.metric import MetricCard
from vbotd.domain.trial import Trial
from vbotd.store.files import write_atomic

MOST_PANELS = 12
COLUMNS = 3
MOST_WORDS = 12  # values without an order that a panel has room for


def plot(campaign: str, trials: Sequence[Trial], found: Sequence[Importance], metric: MetricCard,
         logs: Collection[str], path: Path) -> None:
    """Write a PNG with a panel a setting, the most important first; a trial without a score is a cross at the bottom.

    Writes: `path`, whole or not at all.
    Raises: PlotsMissing, naming what to install.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as err:
        raise PlotsMissing('a plot needs matplotlib, which is not installed — pip install "vbotd[plots]"') from err
    shown = found[:MOST_PANELS]
    wide = min(COLUMNS, len(shown))
    rows = -(-len(shown) // wide)
    figure = Figure(figsize=(4.4 * wide + 0.6, 3.4 * rows + 0.7), dpi=100,
                    layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.1))
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, wide, squeeze=False).flat)
    for panel, each in zip(axes, shown, strict=False):
        _draw(panel, each, trials, metric, log=each.key in logs)
    for panel in axes[len(shown):]:
        panel.axis("off")
    figure.suptitle(f"{campaign}: {metric.tag}, 95 % intervals; a cross has no score", x=0.01, ha="left", fontsize=12,
                    parse_math=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_atomic(path, picture.getvalue())


def _draw(panel: Any, each: Importance, trials: Sequence[Trial], metric: MetricCard, *, log: bool) -> None:
    having = [trial for trial in trials if each.key in trial.proposal.params]
    values = [trial.proposal.params[each.key] for trial in having]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    words = list(dict.fromkeys(sorted(setting(value) for value in values)))
    places = [float(value) if numeric else words.index(setting(value)) for value in values]  # type: ignore[arg-type]
    scored = [(x, trial.score) for x, trial in zip(places, having, strict=True) if trial.score is not None]
    if log and numeric and min(places) > 0:
        panel.set_xscale("log")
    if scored:
        panel.errorbar([x for x, _ in scored], [s.value for _, s in scored],
                       yerr=[[max(0.0, s.value - s.low) for _, s in scored],
                             [max(0.0, s.high - s.value) for _, s in scored]],
                       fmt="o", color=COLOURS[0], ecolor="#B5D3E7", markersize=4.5, linewidth=1.2)
    if metric.tag.endswith("_rate"):
        panel.set_ylim(-0.12, 1.05)
    failed = [x for x, trial in zip(places, having, strict=True) if trial.score is None]
    if failed:
        low, high = panel.get_ylim()
        panel.plot(failed, [low + 0.04 * (high - low)] * len(failed), "x", color=COLOURS[1], markersize=7)
        panel.set_ylim(low, high)
    if not numeric:
        panel.set_xticks(range(len(words[:MOST_WORDS])), words[:MOST_WORDS])
        panel.set_xlim(-0.5, len(words) - 0.5)
    told = "" if each.share is None or each.p is None else f"  explains {each.share:.0%}, p = {each.p:.2g}"
    panel.set_title(f"{each.key}{told}", loc="left", fontsize=10, parse_math=False)
    panel.grid(color="#EEEEEE", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(colors=GREY, labelsize=9, length=0, which="both")
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_visible(False)
