"""Settings for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Examples are found by seed, not by the clock: a busy machine is no reason to fail.
settings.register_profile("vbotd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vbotd")
