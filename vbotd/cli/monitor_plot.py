"""How do runs look as one picture? Small panels, one a series, the same run in the same colour in all of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from vbotd.cli.monitor_panels import draw_run
from vbotd.cli.plot_style import COLOURS, GREY, PlotsMissing, plain_axes, smoothed
from vbotd.cli.run_view import RunView
from vbotd.store.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = (
    ("train/success_rate", "success rate"), ("train/fall_rate", "fall rate"),
    ("train/episode_length_s", "episode length, s"), ("train/episode_return", "episode return"),
    ("ppo/kl", "KL divergence of an update"), ("ppo/action_std", "standard deviation of the action"),
    ("ppo/learning_rate", "learning rate"), ("perf/env_steps_per_s", "env steps a second"),
)
RATES = ("train/success_rate", "train/fall_rate")
COLUMNS = 4
MAX_REWARD_PANELS = 12
MAX_RUNS = 8


def plot(views: Sequence[RunView], path: Path) -> None:
    """Write a PNG: of one run everything that it logs; of several a panel a series, all over env steps.

    Writes: `path`, whole or not at all.
    Raises: PlotsMissing, naming what to install.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as err:
        raise PlotsMissing('a plot needs matplotlib, which is not installed — pip install "vbotd[plots]"') from err
    if len(views) == 1:
        figure = Figure(figsize=(18, 13), dpi=100, layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08))
        FigureCanvasAgg(figure)
        draw_run(figure, views[0])
        _save(figure, path)
        return
    shown = views[:MAX_RUNS]
    panels = [*PANELS, *((tag, f"{tag.removeprefix('reward/')}, per second") for tag in reward_tags(shown))]
    rows = -(-len(panels) // COLUMNS)
    spaced = ConstrainedLayoutEngine(h_pad=0.13, w_pad=0.1)  # inches
    figure = Figure(figsize=(16, 0.9 + 2.75 * rows), dpi=100, layout=spaced)
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(rows, COLUMNS, squeeze=False)
    axes = list(grid.flat)
    for panel, (tag, title) in zip(axes, panels, strict=False):
        _draw(panel, tag, title, shown)
    for panel in axes[len(panels):]:
        panel.axis("off")
    for panel in axes[max(0, len(panels) - COLUMNS):len(panels)]:
        panel.set_xlabel("env steps", color=GREY)
    _name_runs(figure, views, shown)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_atomic(path, picture.getvalue())


def reward_tags(views: Sequence[RunView]) -> list[str]:
    """Return the reward terms to show, those with the largest magnitude anywhere first."""
    size: dict[str, float] = {}
    for view in views:
        for tag, points in view.points.items():
            if tag.startswith("reward/"):
                values = [abs(value) for _, value in points if isfinite(value)]
                size[tag] = max(size.get(tag, 0.0), fmean(values) if values else 0.0)
    return sorted(size, key=lambda tag: (-size[tag], tag))[:MAX_REWARD_PANELS]


def _draw(panel: Axes, tag: str, title: str, views: Sequence[RunView]) -> None:
    panel.set_title(title, loc="left", fontsize=11, parse_math=False)
    for view, colour in zip(views, COLOURS, strict=False):
        points = view.points.get(tag, ())
        finite = [point for point in points if isfinite(point[1])]
        if not finite:
            continue
        smooth = smoothed(points)
        panel.plot(*zip(*finite, strict=True), color=colour, alpha=0.25, linewidth=0.8)
        panel.plot(*zip(*smooth, strict=True), color=colour, linewidth=1.8)
        panel.plot(*smooth[-1], "o", color=colour, markersize=4)
        if len(views) == 1:  # The figures of several would lie on each other; the table has them.
            panel.annotate(f"{smooth[-1][1]:.3g}", smooth[-1], xytext=(6, 0), textcoords="offset points",
                           color=colour, fontsize=9, va="center", annotation_clip=False)
        lost = [step for step, value in points if not isfinite(value)]
        for step in lost[:1]:
            panel.axvline(step, color=colour, linestyle=":", linewidth=1.2)
    if not panel.lines:
        panel.text(0.5, 0.5, "no points", transform=panel.transAxes, ha="center", va="center", color=GREY)
    if tag in RATES:
        panel.set_ylim(-0.03, 1.03)
    low, high = panel.get_ylim()
    if low < 0 < high and tag not in RATES:
        panel.axhline(0, color="#BBBBBB", linewidth=0.8, zorder=0)
    plain_axes(panel)


def _name_runs(figure: Any, views: Sequence[RunView], shown: Sequence[RunView]) -> None:
    from matplotlib.lines import Line2D

    if len(shown) == 1:
        figure.suptitle(f"{shown[0].name} — {shown[0].state}", x=0.01, ha="left", fontsize=13, parse_math=False)
        return
    lines = [Line2D([], [], color=colour, linewidth=2.5) for _, colour in zip(shown, COLOURS, strict=False)]
    legend = figure.legend(lines, [view.name for view in shown], loc="outside upper left", ncols=4, frameon=False,
                           fontsize=10)
    for label in legend.get_texts():
        label.set_parse_math(False)
    if len(views) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(views)} runs", x=0.99, ha="right", fontsize=10, color=GREY)
