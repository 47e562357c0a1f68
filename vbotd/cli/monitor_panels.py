"""What did one run do, as one picture? What became of its episodes, what paid, how it learnt, where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from statistics import fmean
from typing import TYPE_CHECKING, Any

from vbotd.cli.plot_style import COLOURS, GREY, plain_axes, smoothed
from vbotd.cli.run_view import RunView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The last one is drawn on top: a task may count every time-out as a success.
OUTCOMES = (("train/timeout_rate", "time-out", "#999999"), ("train/diverged_rate", "diverged", "#CC79A7"),
            ("train/fall_rate", "fall", "#D55E00"), ("train/success_rate", "success", "#009E73"))
ACTIVITIES = (("perf/simulation_rate", "simulation", "#0072B2"), ("perf/inference_rate", "inference", "#56B4E9"),
              ("perf/environment_rate", "environment", "#009E73"), ("perf/update_rate", "update", "#E69F00"),
              ("perf/waiting_rate", "waiting", "#999999"))
MAX_TERMS = 8  # that have a colour of their own; the others are one grey band
MAX_TASK_PANELS = 3
ROWS, COLUMNS = 4, 4
MAX_BANDS = 120  # points of a stacked band: more is noise


def draw_run(figure: Figure, view: RunView) -> None:
    """Draw all panels of a run into an empty figure."""
    figure.suptitle(f"{view.name} — {view.state}, {view.diagnosis.env_steps:,} env steps", x=0.01, ha="left",
                    fontsize=14, parse_math=False)
    task = [tag for tag in sorted(view.points) if tag.startswith("task/")][:MAX_TASK_PANELS]
    grid = figure.add_gridspec(ROWS, COLUMNS)

    def panel(row: int, column: int, title: str, wide: int = 1) -> Axes:
        axes: Axes = figure.add_subplot(grid[row, column:column + wide])
        axes.set_title(title, loc="left", fontsize=11, parse_math=False)
        return axes

    _outcomes(panel(0, 0, "how episodes end, rate"), view)
    _line(panel(0, 1, "episode length, s"), view, "train/episode_length_s")
    _line(panel(0, 2, "episode return"), view, "train/episode_return")
    _line(panel(0, 3, "explained variance of the value, 1 is perfect"), view, "ppo/explained_variance", top=1.0)
    _rewards(panel(1, 0, "what the reward terms pay, per second", wide=2), panel(1, 2, ""), view)
    _line(panel(1, 3, "standard deviation of the action"), view, "ppo/action_std")
    _line(panel(2, 0, "KL divergence of an update"), view, "ppo/kl", log=True, target=view.kl_target)
    _line(panel(2, 1, "learning rate"), view, "ppo/learning_rate", log=True)
    _line(panel(2, 2, "share of actions that the update clips"), view, "ppo/clip_fraction", zero=True)
    _line(panel(2, 3, "env steps a second"), view, "perf/env_steps_per_s", zero=True)
    _activities(panel(3, 0, "share of the wall time"), view)
    for column, tag in enumerate(task):
        _line(panel(3, 1 + column, f"task: {tag.removeprefix('task/')}"), view, tag)
    for axes in figure.axes:
        plain_axes(axes)
        if axes.get_subplotspec().rowspan.stop == ROWS:  # type: ignore[union-attr]  # all are in the grid
            axes.set_xlabel("env steps", color=GREY)


def _line(panel: Axes, view: RunView, tag: str, *, log: bool = False, zero: bool = False, top: float = nan,
          target: float = nan) -> None:
    """Draw a series faintly, its running mean boldly, and the latest value as a number."""
    points = [point for point in view.points.get(tag, ()) if isfinite(point[1]) and (not log or point[1] > 0)]
    if not points:
        _nothing(panel)
        return
    smooth = smoothed(points)
    panel.plot(*zip(*points, strict=True), color=COLOURS[0], alpha=0.25, linewidth=0.8)
    panel.plot(*zip(*smooth, strict=True), color=COLOURS[0], linewidth=1.8)
    panel.annotate(_number(smooth[-1][1]), smooth[-1], xytext=(5, 0), textcoords="offset points", color=COLOURS[0],
                   fontsize=9, va="center", annotation_clip=False)
    if log:
        panel.set_yscale("log")
        _few_log_ticks(panel)
    if zero:
        panel.set_ylim(bottom=0)
    if isfinite(top):
        panel.set_ylim(top=top + 0.03)
    if isfinite(target):
        panel.axhline(target, color=GREY, linestyle="--", linewidth=1, label=f"target {target:g}")
        panel.legend(frameon=False, fontsize=9, loc="lower right")


def _few_log_ticks(panel: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    low, high = panel.get_ylim()
    wide = high / low > 30
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def _outcomes(panel: Axes, view: RunView) -> None:
    shown = False
    for tag, name, colour in OUTCOMES:
        points = [point for point in view.points.get(tag, ()) if isfinite(point[1])]
        if not points or (name == "diverged" and not any(value for _, value in points)):
            continue
        smooth = smoothed(points)
        panel.plot(*zip(*points, strict=True), color=colour, alpha=0.25, linewidth=0.8)
        panel.plot(*zip(*smooth, strict=True), color=colour, linewidth=1.8, label=f"{name} {smooth[-1][1]:.0%}",
                   linestyle="--" if name == "time-out" else "-")
        shown = True
    panel.set_ylim(-0.03, 1.03)
    if shown:
        panel.legend(frameon=False, fontsize=9, loc="best")
    else:
        _nothing(panel)


def _rewards(panel: Axes, beside: Axes, view: RunView) -> None:
    """Stack what pays above zero and what is charged below it, the black line is the sum; the names go beside."""
    beside.axis("off")
    tags = [tag for tag in view.points if tag.startswith("reward/") and any(isfinite(v) for _, v in view.points[tag])]
    size = {tag: fmean(abs(v) for _, v in view.points[tag] if isfinite(v)) for tag in tags}
    tags.sort(key=lambda tag: (-size[tag], tag))
    if not tags:
        _nothing(panel)
        return
    steps, columns = _aligned(view, tags)
    named, rest = tags[:MAX_TERMS], tags[MAX_TERMS:]
    bands = [(tag.removeprefix("reward/"), columns[tag], colour) for tag, colour in zip(named, COLOURS, strict=False)]
    if rest:
        bands.append((f"{len(rest)} smaller ones", [sum(row) for row in zip(*(columns[t] for t in rest), strict=True)],
                      "#CCCCCC"))
    above, below = [0.0] * len(steps), [0.0] * len(steps)
    for name, values, colour in bands:
        up = [a + max(v, 0.0) for a, v in zip(above, values, strict=True)]
        down = [b + min(v, 0.0) for b, v in zip(below, values, strict=True)]
        panel.fill_between(steps, above, up, color=colour, linewidth=0, label=f"{name} {values[-1]:+.3g}")
        panel.fill_between(steps, below, down, color=colour, linewidth=0)
        above, below = up, down
    panel.plot(steps, [a + b for a, b in zip(above, below, strict=True)], color="black", linewidth=1.5, label="sum")
    panel.axhline(0, color="#888888", linewidth=0.8)
    legend = beside.legend(*panel.get_legend_handles_labels(), frameon=False, fontsize=10, loc="center left",
                           bbox_to_anchor=(-0.08, 0.5), title="latest, per second", alignment="left")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _activities(panel: Axes, view: RunView) -> None:
    known = [row for row in ACTIVITIES if view.points.get(row[0])]
    if not known:
        _nothing(panel)
        return
    steps, columns = _aligned(view, [tag for tag, _, _ in known])
    below = [0.0] * len(steps)
    for tag, name, colour in known:
        up = [b + v for b, v in zip(below, columns[tag], strict=True)]
        panel.fill_between(steps, below, up, color=colour, linewidth=0, label=f"{name} {columns[tag][-1]:.0%}")
        below = up
    panel.set_ylim(0, 1)
    panel.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=9, loc="lower right")


def _aligned(view: RunView, tags: Sequence[str]) -> tuple[list[int], dict[str, list[float]]]:
    """Return series on common env steps, as means of up to `MAX_BANDS` windows; what is not finite counts as 0."""
    rows: dict[int, dict[str, float]] = {}
    for tag in tags:
        for step, value in view.points[tag]:
            rows.setdefault(step, {})[tag] = value if isfinite(value) else 0.0
    steps = sorted(rows)
    window = -(-len(steps) // MAX_BANDS)
    groups = [steps[k:k + window] for k in range(0, len(steps), window)]
    return [group[-1] for group in groups], {
        tag: [fmean(rows[step].get(tag, 0.0) for step in group) for group in groups] for tag in tags}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _nothing(panel: Any) -> None:
    panel.text(0.5, 0.5, "no points", transform=panel.transAxes, ha="center", va="center", color=GREY)
