"""Bumpy ground from a seed: band-limited noise of a stated range, correlation length and flat border."""

from __future__ import annotations

import numpy as np

# Below half of the shortest correlation length. MuJoCo tests every triangle below a foot, so coarser is faster.
CELL_M = 0.15


def height_map(
    rng: np.random.Generator,
    size_m: tuple[float, float],
    range_m: float,
    correlation_m: float,
    border_m: float,
) -> np.ndarray:
    """Return heights [rows, columns] in metres from 0 to `range_m`; rows run along y, columns along x.

    White noise is smoothed in the frequency domain by a Gaussian, so that the autocorrelation falls to 1/e at
    `correlation_m`; wavelengths below half of that vanish. Within `border_m` of each edge along y the ground
    falls smoothly to 0, so that pads and ramps join without a step.
    """
    columns, rows = (round(side / CELL_M) + 1 for side in size_m)
    wave_y = np.fft.fftfreq(rows, CELL_M)[:, None]
    wave_x = np.fft.rfftfreq(columns, CELL_M)[None, :]
    # A Gaussian autocorrelation exp(-(r/l)^2) has the spectrum exp(-(pi l f)^2); amplitudes are its square root.
    amplitude = np.exp(-0.5 * (np.pi * correlation_m) ** 2 * (wave_x**2 + wave_y**2))
    noise = rng.standard_normal((rows, columns))
    smooth = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, s=(rows, columns))
    smooth -= smooth.min()
    heights = smooth * (range_m / smooth.max())
    return heights * _border(rows, border_m)[:, None]


def _border(rows: int, border_m: float) -> np.ndarray:
    """Return [rows] in 0-1: 0 at both ends, 1 beyond the border, a half cosine between."""
    from_edge_m = np.minimum(np.arange(rows), np.arange(rows)[::-1]) * CELL_M
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(from_edge_m / max(border_m, 1e-9), 0.0, 1.0))
