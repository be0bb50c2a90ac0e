"""What holds for every test."""

from __future__ import annotations

import gc
import signal

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: no test of what holds for all inputs has a time to keep.
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A shell starts its background jobs with SIGINT ignored, nohup ignores SIGHUP, and all their children inherit that: the
# tests, which interrupt themselves and others, want what a person at a terminal has.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """Let Python look for garbage among what the tests make, not again and again among what was imported for them."""
    gc.set_threshold(50_000, 20, 20)
    gc.collect()
    gc.freeze()
