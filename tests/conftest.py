"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two processes with two torch threads each are twelve times slower than with one each (bench/slots.py).
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Examples are found by seed, not by the clock: a busy machine is no reason to fail.
settings.register_profile("vbotd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vbotd")
