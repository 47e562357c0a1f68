"""All numbers that the health rules compare with, in one frozen set with a version.

They were set on the curves of `corpus_curves.tuning_*` and on six real runs that are part of no measurement; what
they are worth is measured on others: `vbotd health --selftest`, `bench/health.py`. Whoever changes one raises
`version` and measures anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Rules of thumb with sources in brackets: [A] algorithms of the literature, [M] measured on our runs.

    `*_points` count kept points of a series (one an iteration in a short run), `*_blocks` hundredths of a run.
    """

    version: int = 3

    # The window that slow rules look at, and how often something must be seen.
    window_rate: float = 0.15  # of the run
    window_points: int = 10  # and at least so many
    persistence: int = 3

    # What counts as solved, and as not begun.
    solved_rate: float = 0.95
    target_rate: float = 0.8  # of the target; below, exploration is still needed
    idle_rate: float = 0.05  # success below that is none

    # Peak, then decline.
    collapse_grace_rate: float = 0.10  # of the run, in which nothing is a peak
    collapse_least_rate: float = 0.15  # of success; below, nothing is learnt that could be lost [M]
    collapse_drawdown: float = 0.15  # of the peak [A]
    collapse_critical: float = 0.40  # [A]
    collapse_sigmas: float = 4.5  # of the blocks' noise [M]; 3 [A] took the peak of a flat, noisy curve for one
    collapse_blocks: int = 3  # that a drawdown lasts
    collapse_critical_blocks: int = 3
    collapse_level_grace_blocks: int = 6  # after the curriculum went up
    collapse_level_step: float = 0.05  # relative rise of the level that counts as a step
    episodes_window: int = 500  # behind a point of a rate: the trainer's window

    # Updates.
    kl_warn: float = 2.0  # of the target, median of 10 [A]
    kl_error: float = 5.0
    kl_stop: float = 20.0
    kl_single: float = 1.0
    rate_growth: float = 5.0  # of the learning rate over its start [A]
    rate_pinned_points: int = 20
    clip_warn: float = 0.4
    clip_error: float = 0.6
    dead_kl: float = 0.001  # of the target; a small learning rate clips nothing either, and yet learns [M]
    dead_points: int = 50
    grad_growth: float = 10.0
    grad_points: int = 5

    # Exploration.
    std_share: float = 0.1  # of the first
    std_floor: float = 0.05
    std_growth: float = 1.5
    std_stop: float = 2.5
    std_points: int = 20
    std_creep: float = 1.2  # that never paused over most of a run in which nothing was learnt [M]
    std_creep_rank: float = 0.95  # Spearman of spread and time
    std_creep_begun: float = 0.5  # of the run

    # Value function.
    value_z: float = 8.0
    value_growth: float = 100.0
    value_baseline_points: int = 50
    explained_points: int = 20
    explained_grace_rate: float = 0.3

    # Plateau.
    plateau_idle_points: int = 100  # before a task that has not begun is called stalled [M]
    plateau_grace_rate: float = 0.3
    plateau_gain: float = 0.01  # of the score's range [A]
    plateau_p: float = 0.01  # neighbours are alike, which makes small p common [M]; [A] has 0.1

    # Features [A: Moalla et al. 2024].
    rank_loss: float = 0.30
    norm_growth: float = 1.5
    dead_share: float = 0.25

    # Reward against task.
    divergence_spearman: float = -0.5
    divergence_gain: float = 0.10  # of the return's range
    divergence_loss: float = 0.05  # of success
    statue_begun_rate: float = 0.4  # of the run
    pay_growth: float = 1.5  # of a second's pay; what grows more is skill

    # Exploits.
    sprint_length_loss: float = 0.4
    sprint_gain: float = 0.5
    chatter_warn: float = 0.5
    share_jump: float = 3.0

    # Drift, throughput, endings.
    drift_sigmas: float = 3.0
    drift_points: int = 5
    slow_share: float = 0.6
    silent_gaps: float = 3.0
    silent_at_least_s: float = 30.0
    blind_rate: float = 0.3
    ending_share: float = 0.5
    ending_begun_rate: float = 0.5


THRESHOLDS = Thresholds()
