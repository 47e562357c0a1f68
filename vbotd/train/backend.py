"""Which engine simulates: the CPU's or the GPU's?"""

from __future__ import annotations

import importlib.util
import os
from typing import Literal

import mujoco

from vbotd.train.sim import BatchSimulator, Simulator

Backend = Literal["cpu", "gpu"]
SETTING = "VBOTD_BACKEND"


def choose() -> Backend:
    """Return the backend of this process.

    What decides: the environment variable `VBOTD_BACKEND`, `cpu` or `gpu`; unset or `auto`, it is `gpu` where
    `mujoco_warp` is installed (the extra `gpu`) and a CUDA device is there, else `cpu`. A policy's checkpoint
    serves both; a run resumes only on the backend that it began on.

    Raises: ValueError for any other value, and for `gpu` where there is none.
    """
    asked = os.environ.get(SETTING, "") or "auto"
    if asked not in ("auto", "cpu", "gpu"):
        raise ValueError(f"{SETTING} is '{asked}' — allowed: auto, cpu, gpu")
    if asked == "cpu":
        return "cpu"
    obstacle = gpu_obstacle()
    if asked == "gpu" and obstacle:
        raise ValueError(f"{SETTING} is 'gpu', but {obstacle} — set it to cpu or auto")
    return "cpu" if obstacle else "gpu"


def gpu_obstacle() -> str:
    """Return why nothing can be simulated on a GPU here, or an empty string.

    Order: asks for the package first, so that a machine without it never pays for loading Warp (a second). Never
    call this before a fork: it initialises CUDA.
    """
    if importlib.util.find_spec("mujoco_warp") is None:
        return "mujoco_warp is not installed"
    import warp

    warp.config.quiet = True  # it greets on stdout, where --json goes
    return "" if warp.is_cuda_available() else "no CUDA device"


def make_simulator(model: mujoco.MjModel, num_sims: int, threads: int) -> Simulator:
    """Build the simulations of a run on the chosen backend; `threads` are the CPU's."""
    if choose() == "cpu":
        return BatchSimulator(model, num_sims, threads)
    from vbotd.train.sim_warp import WarpSimulator  # loads Warp

    return WarpSimulator(model, num_sims)
