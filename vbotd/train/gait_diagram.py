"""How did the robot step through an episode? Foot contacts over time, with its speed below, as one picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from vbotd.core.gait import FEET, Gait, gait, spans
from vbotd.core.moments import Moment
from vbotd.train.overlay import font
from vbotd.train.rollout import Step

LEFT_PX, RIGHT_PX, TOP_PX = 62, 250, 44
BAR_PX, ROW_PX, GRAPH_PX, GAP_PX = 22, 32, 120, 46
PX_PER_S, MIN_PX, MAX_PX = 120, 600, 2400
PAPER, INK, GREY, GRID = (255, 255, 255), (30, 34, 40), (110, 118, 128), (228, 231, 235)
FEET_COLOURS = ((0, 114, 178), (213, 94, 0), (213, 94, 0), (0, 114, 178))  # a diagonal shares its colour
SPEED, ASKED, TILT = (0, 114, 178), (150, 156, 164), (204, 121, 167)
EVENT = (190, 40, 30)


def gait_diagram(steps: Sequence[Step], dt_s: float, title: str, events: Sequence[Moment] = ()) -> Image.Image:
    """Return the stances of the four feet, the forward speed against what is asked, and the tilt, over time.

    `events` are marked by a line each. Beside each foot stand its share of time on the ground, and its steps a
    second. Raises: ValueError without a step.
    """
    found = gait([step.foot_contact for step in steps], dt_s)
    length_s = len(steps) * dt_s
    width = min(max(round(length_s * PX_PER_S), MIN_PX), MAX_PX)
    graphs_top = TOP_PX + 4 * ROW_PX + 14
    height = graphs_top + 2 * (GRAPH_PX + GAP_PX) + 4
    image = Image.new("RGB", (LEFT_PX + width + RIGHT_PX, height), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((12, 12), title, fill=INK, font=font(17))

    def x_of(time_s: float) -> float:
        return LEFT_PX + time_s / length_s * width

    bottom = graphs_top + 2 * GRAPH_PX + GAP_PX
    for tick in _ticks(0.0, length_s, 10):
        draw.line((x_of(tick), TOP_PX, x_of(tick), bottom), fill=GRID)
        draw.text((x_of(tick), bottom + 6), f"{tick:g}", fill=GREY, font=font(12), anchor="ma")
    draw.text((LEFT_PX + width / 2, bottom + 22), "time in the episode, s", fill=GREY, font=font(12), anchor="ma")
    _draw_feet(draw, steps, found, dt_s, x_of, LEFT_PX + width + 12)
    for moment in events:
        x = x_of(moment.index * dt_s)
        draw.line((x, TOP_PX - 4, x, bottom), fill=EVENT, width=1)
        on_the_left = x > LEFT_PX + width - 160
        draw.text((x - 4 if on_the_left else x + 4, graphs_top - 12), moment.label, fill=EVENT, font=font(12),
                  anchor="ra" if on_the_left else "la")  # fmt: skip
    asked = [step.asked_velocity[0] if step.asked_velocity else math.nan for step in steps]
    speed = [step.velocity[0] for step in steps]
    _graph(draw, (graphs_top, LEFT_PX + width), "forward speed, m/s", x_of, dt_s,
           [(asked, ASKED, "asked"), (speed, SPEED, "done")])  # fmt: skip
    _graph(draw, (graphs_top + GRAPH_PX + GAP_PX, LEFT_PX + width), "tilt, deg", x_of, dt_s,
           [([step.tilt_deg for step in steps], TILT, "")])  # fmt: skip
    return image


def _draw_feet(
    draw: ImageDraw.ImageDraw,
    steps: Sequence[Step],
    found: Gait,
    dt_s: float,
    x_of: Callable[[float], float],
    right: int,
) -> None:
    for i, (name, colour) in enumerate(zip(FEET, FEET_COLOURS, strict=True)):
        y = TOP_PX + i * ROW_PX
        draw.text((12, y + BAR_PX / 2), name, fill=INK, font=font(15), anchor="lm")
        for begin_s, end_s in spans([step.foot_contact[i] for step in steps], dt_s):
            draw.rectangle((x_of(begin_s), y, x_of(end_s) - 1, y + BAR_PX), fill=colour)
        foot = found.feet[i]
        swing = "no swing" if foot.swing_s is None else f"swing {foot.swing_s:.2f} s"
        draw.text((right, y + BAR_PX / 2), f"down {foot.duty:.0%}, {foot.steps_per_s:.1f} steps/s, {swing}", fill=GREY,
                  font=font(12), anchor="lm")  # fmt: skip
    y = TOP_PX + 4 * ROW_PX + 20
    agree = (("diagonal feet agree", found.diagonal), ("feet of a side agree", found.lateral),
             ("feet of an end agree", found.same_end), ("no foot down", found.airborne))  # fmt: skip
    for k, (words, share) in enumerate(agree):
        draw.text((right, y + 18 * k), f"{words}: {share:.0%}", fill=GREY, font=font(12))


def _graph(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],  # top, right
    title: str,
    x_of: Callable[[float], float],
    dt_s: float,
    lines: Sequence[tuple[Sequence[float], tuple[int, int, int], str]],
) -> None:
    top, right = place
    finite = [value for values, _, _ in lines for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.1, *finite])
    ticks = _ticks(low, high, 4)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def y_of(value: float) -> float:
        return top + 18 + (GRAPH_PX - 18) * (high - value) / (high - low)

    draw.text((LEFT_PX, top + 1), title, fill=INK, font=font(13))
    for tick in ticks:
        draw.line((LEFT_PX, y_of(tick), right, y_of(tick)), fill=GRID)
        draw.text((LEFT_PX - 6, y_of(tick)), f"{tick:g}", fill=GREY, font=font(12), anchor="rm")
    named_x = LEFT_PX + font(13).getlength(title) + 20
    for values, colour, name in lines:
        points = [(x_of(i * dt_s), y_of(value)) for i, value in enumerate(values) if math.isfinite(value)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2, joint="curve")
        if points and name:
            draw.text((named_x, top + 1), name, fill=colour, font=font(13))
            named_x += font(13).getlength(name) + 14


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round numbers from at or above `low` to at or below `high`, about as many as wanted."""
    rough = max(high - low, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
    return [round(k * step, 9) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
