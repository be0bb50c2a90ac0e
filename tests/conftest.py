"""What holds for every test."""

from __future__ import annotations

import signal

# A shell starts its background jobs with SIGINT ignored, and all their children inherit that: the tests, which
# interrupt themselves and others, want what a person at a terminal has.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
