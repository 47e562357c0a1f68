"""What is written over a frame? Time, speed, what is asked, reward, and which feet are on the ground."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vbotd.core.gait import FEET
from vbotd.train.rollout import Step

INK, DIM, DOWN, ALARM = (255, 255, 255), (165, 175, 185), (64, 200, 120), (255, 96, 80)
PANEL = (12, 16, 22, 190)
LINE_PX, MARGIN_PX, FOOT_PX = 19, 8, 13


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings along, so that pictures are the same on every machine."""
    return ImageFont.load_default(size=size)


def with_telemetry(frame: np.ndarray, step: Step, dt_s: float, title: str = "") -> np.ndarray:
    """Return a frame [H, W, 3] uint8 with a panel of telemetry at its foot, and a title at its head."""
    image = Image.fromarray(frame).convert("RGBA")
    width, height = image.size
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    top = height - 2 * LINE_PX - 2 * MARGIN_PX
    draw.rectangle((0, top, width, height), fill=PANEL)
    first, second = telemetry_lines(step, dt_s)
    draw.text((MARGIN_PX, top + MARGIN_PX), first, fill=INK, font=font(14))
    draw.text((MARGIN_PX, top + MARGIN_PX + LINE_PX), second, fill=DIM, font=font(14))
    left = width - len(FEET) * (FOOT_PX + 24) - MARGIN_PX
    draw_feet(draw, (left, top + MARGIN_PX), step.foot_contact)
    alarm = step.ending if step.ending in ("fall", "diverged") else f"{step.touching} contact" if step.touching else ""
    if alarm:
        draw.text((left, top + MARGIN_PX + LINE_PX), alarm, fill=ALARM, font=font(14))
    if title:
        draw.rectangle((0, 0, width, LINE_PX + MARGIN_PX), fill=PANEL)
        draw.text((MARGIN_PX, MARGIN_PX // 2 + 1), title, fill=INK, font=font(14))
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def telemetry_lines(step: Step, dt_s: float) -> tuple[str, str]:
    """Return what a step is, in two lines: motion and what is asked; posture and reward."""
    forward, left, yaw = step.velocity
    first = f"{step.time_s:5.2f} s   forward {forward:+z.2f}  left {left:+z.2f} m/s  yaw {yaw:+z.2f} rad/s"
    second = f"tilt {step.tilt_deg:.0f} deg   reward {step.reward / dt_s:+z.2f}/s, so far {step.total_reward:+z.2f}"
    return first, f"{asked_text(step)}   {second}" if asked_text(step) else second


def asked_text(step: Step) -> str:
    """Return what is asked of the robot, briefly; "" for a task that does not say."""
    if step.distance_m is not None:
        return f"{step.distance_m:.2f} m to go"
    if step.asked_velocity is not None:
        return "asked {:+z.2f} {:+z.2f} {:+z.2f}".format(*step.asked_velocity)
    return ""


def draw_feet(draw: ImageDraw.ImageDraw, at: tuple[int, int], contact: tuple[bool, ...]) -> None:
    """Draw the four feet in a row, each a square with its name: filled on the ground, hollow in the air."""
    x, y = at
    for name, down in zip(FEET, contact, strict=True):
        draw.rectangle((x, y + 2, x + FOOT_PX, y + 2 + FOOT_PX), fill=DOWN if down else None, outline=DOWN, width=2)
        draw.text((x + FOOT_PX + 3, y + 2), name, fill=INK if down else DIM, font=font(12))
        x += FOOT_PX + 24
