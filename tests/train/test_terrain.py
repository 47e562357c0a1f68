"""Is the ground what was published, and does the raster that the policy sees agree with the geoms that feet touch?"""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from vbotd.train.terrain import sections
from vbotd.train.terrain.ground import LANE_M, Ground
from vbotd.train.terrain.heightmap import CELL_M, height_map
from vbotd.train.terrain.pieces import NOTHING_M, Box, stairs
from vbotd.train.terrain.scene import compile_scene, variants

COURSE_Y = (-3.4, 33.7)


def test_a_height_map_has_the_stated_range_and_a_flat_border() -> None:
    heights = height_map(np.random.default_rng(1), (10.0, 3.0), 0.277, 0.5, 0.4)
    assert heights.min() >= 0.0
    assert 0.2 < heights.max() <= 0.277  # the border may hold the highest point
    assert np.all(heights[0] == 0.0) and np.all(heights[-1] == 0.0)


def test_a_height_map_is_correlated_over_the_stated_length_and_no_further() -> None:
    length_m = 0.6
    heights = height_map(np.random.default_rng(2), (60.0, 60.0), 1.0, length_m, 0.0)
    centred = heights - heights.mean()
    variance = (centred**2).mean()

    def correlation(cells: int) -> float:
        return float((centred[:, cells:] * centred[:, :-cells]).mean() / variance)

    at_length = round(length_m / CELL_M)
    assert correlation(at_length) == pytest.approx(math.exp(-1.0), abs=0.08)
    assert abs(correlation(4 * at_length)) < 0.1


def test_two_seeds_give_two_grounds_and_one_seed_gives_one() -> None:
    first, again, other = (
        Ground(variants(sections.start_and_bumps, 1, seed, [1.0]), (-5.0, 5.0), (-3.5, 9.0)) for seed in (1, 1, 2)
    )
    x, y = np.full((1, 200), 1.0), np.linspace(-1.4, 1.4, 200)[None]
    heights = [g.height(np.zeros(1, dtype=int), x, y) for g in (first, again, other)]
    assert np.array_equal(heights[0], heights[1])
    assert not np.array_equal(heights[0], heights[2])


def test_the_raster_agrees_with_rays_onto_the_geoms_of_every_variant() -> None:
    lanes = variants(sections.whole_course, 2, 3, [1.0, 0.5])
    model = compile_scene(lanes, 0.01)
    data = mujoco.MjData(model)
    data.qpos[:2] = (50.0, 50.0)  # the robot out of the way
    mujoco.mj_forward(model, data)
    ground = Ground(lanes, (-5.0, 5.0), COURSE_Y)
    rng = np.random.default_rng(4)
    errors = []
    for variant in (0, 1):
        for x, y in zip(rng.uniform(-4.9, 4.9, 400), rng.uniform(*COURSE_Y, 400), strict=True):
            hit = np.zeros(1, dtype=np.int32)
            start = np.array([x + variant * LANE_M, y, 10.0])
            distance = mujoco.mj_ray(model, data, start, np.array([0.0, 0.0, -1.0]), None, 1, -1, hit)
            seen = ground.height(np.array([variant]), np.array([x]), np.array([y]))[0]
            errors.append(abs(10.0 - distance - seen))
    # Beside an edge the nearest cell is on the other side of it; everywhere else they agree to millimetres.
    assert np.median(errors) < 0.002
    assert np.quantile(errors, 0.9) < 0.03


def test_below_the_bridge_is_the_river_bed() -> None:
    ground = Ground(variants(sections.stairs_bridge_and_bed, 1, 1, [1.0]), (-5.0, 5.0), (8.5, 25.0))
    here = np.zeros(1, dtype=int), np.array([-3.0]), np.array([17.8])
    assert ground.height(*here)[0] == pytest.approx(sections.bridge_height(17.8), abs=0.01)
    assert ground.height(*here, from_z=1.7)[0] == pytest.approx(1.3, abs=0.02)


@pytest.mark.parametrize(
    ("x", "y", "height"),
    [
        (0.0, -2.5, 0.0),  # START pad
        (0.0, 4.4795, 0.6645),  # middle of the ramp: half of 1.294, and its curvature-free plane
        (0.0, 7.83, 1.294),  # platform of section 011
        (3.0, 12.43, 1.394),  # first right step
        (3.0, 14.23, 2.294),  # last right step
        (-3.0, 12.43, 1.444),  # first left step
        (-3.0, 14.23, 2.794),  # last left step
        (-3.0, 17.8, 2.595),  # the bridge sags
        (0.0, 24.33, 1.294),  # exit pad
        (4.5, 32.5, 1.494),  # final slab
        (0.0, 31.23, 1.594),  # cap of the middle ball
    ],
)
def test_the_course_has_the_published_heights(x: float, y: float, height: float) -> None:
    ground = Ground(variants(sections.whole_course, 1, 1, [1.0]), (-5.0, 5.0), COURSE_Y)
    assert ground.height(np.zeros(1, dtype=int), np.array([x]), np.array([y]))[0] == pytest.approx(height, abs=0.02)


def test_the_ramp_rises_by_15_degrees() -> None:
    box = Box(centre=(0.0, 4.4795, 0.4056), half=(5.0, 2.5, 0.25), pitch_deg=15.0)
    low, high = box.top(np.zeros(2), np.array([2.5, 6.5]))
    assert math.degrees(math.atan2(high - low, 4.0)) == pytest.approx(15.0, abs=0.01)
    assert box.top(np.zeros(1), np.array([9.0]))[0] == NOTHING_M


def test_stairs_going_down_mirror_those_going_up() -> None:
    up, down = (
        stairs(first_y=0.0, run_m=0.2, rise_m=0.1, steps=10, base_m=1.0, x=(-1.0, 1.0), up=up) for up in (True, False)
    )
    tops = [[step.centre[2] + step.half[2] for step in flight] for flight in (up, down)]
    assert tops[0] == pytest.approx([1.1 + 0.1 * i for i in range(10)])
    assert tops[1] == pytest.approx(tops[0][::-1])


def test_lower_steps_keep_their_places_and_lower_what_lies_behind_them() -> None:
    low = Ground(variants(sections.whole_course, 1, 1, [1.0], [0.5]), (-5.0, 5.0), COURSE_Y)
    here = np.zeros(1, dtype=int)

    def height(x: float, y: float) -> float:
        return float(low.height(here, np.array([x]), np.array([y]))[0])

    assert height(3.0, 12.43) == pytest.approx(1.294 + 0.05, abs=0.005)  # first right step
    assert height(-3.0, 14.8) == pytest.approx(1.294 + 0.75, abs=0.005)  # landing of the left stairs
    assert height(0.0, 24.33) == pytest.approx(1.294, abs=0.005)  # the pads stay
    assert height(4.5, 27.58) == pytest.approx(1.294 + 0.05, abs=0.005)  # middle of the step's ramp
    assert height(4.5, 30.8) == pytest.approx(1.294 + 0.5 * 0.049, abs=0.01)  # random terrain's edge
    assert height(4.5, 32.5) == pytest.approx(1.294 + 0.1, abs=0.005)
    assert height(0.0, 31.23) == pytest.approx(1.294 + 0.15, abs=0.005)  # the ball's cap
