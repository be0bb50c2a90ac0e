"""`make bench-masking`: how fast texts are masked, and that twice the text takes no more than twice the time.

    python -m benchmarks.bench_masking [--repeat 5]

Fails where an ordinary text is masked at less than 4 MB/s, or where twice a hostile one takes more than 2.5 times as
long.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from runbook_lib.domain.redaction import FINDERS, Redactor
from runbook_lib.domain.secret_patterns import SecretPattern

ROOT = Path(__file__).resolve().parent.parent
SLOWEST = 4e6
GROWTH = 2.5
ORDINARY = {
    "source": "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "runbook_lib").rglob("*.py"))),
    "log": "2026-01-01T03:00:00 INFO module.py:123 request id=4f3c2b1a GET /api/v1/items?page=3 200 12ms\n" * 8000,
    "numbers": "\n".join(f"{number} {number * 0.37:.5f} {number * 1.1:.3f}" for number in range(20_000)),
    "base64": "aB3/" * 200_000,
}
BEGINNINGS = (
    'token="',
    "password='",
    "password=",
    "'password': {",
    'name="password" ',
    "://a:",
    "curl -u a:",
    "a\\",
    "<a ",
)


def seconds(text: str, repeat: int) -> float:
    """The best of so many times, of this process's processor time."""
    redactor, best = Redactor(bound=600), float("inf")
    for _ in range(repeat):
        began = time.process_time()
        redactor.mask(text)
        best = min(best, time.process_time() - began)
    return best


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    bad = 0
    for name, text in ORDINARY.items():
        speed = len(text) / seconds(text, repeat)
        bad += speed < SLOWEST
        print(f"{name:10}  {speed / 1e6:6.1f} MB/s")
    hints = {hint for finder in FINDERS for hint in finder.hints}
    examples = {finder.caught[:-2] for finder in FINDERS if isinstance(finder, SecretPattern)}
    worst = (0.0, "")
    for piece in sorted({*hints, *examples, *BEGINNINGS}):
        once = seconds(piece * (40_000 // len(piece)), repeat)
        twice = seconds(piece * (80_000 // len(piece)), repeat)
        worst = max(worst, (twice / 80_000, piece))
        if twice > GROWTH * once + 0.005:
            bad += 1
            print(f"{piece!r} twice: {twice / once:.1f} times as long", file=sys.stderr)
    print(f"hostile     {1 / worst[0] / 1e6:6.2f} MB/s at worst, with {worst[1]!r}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
