"""What outside systems answered is kept while somebody listens, and nowhere else."""

from __future__ import annotations

import threading

from runbook_lib.adapters.heard import hear, listening


def test_the_last_answer_to_each_question_is_kept_for_every_listener_and_only_while_it_listens() -> None:
    hear("/before", 1)
    with listening() as outer:
        hear("/user", {"username": "riley"})
        with listening() as inner:
            hear("/user", {"username": "alex"})
            thread = threading.Thread(target=hear, args=("/job", {"id": 7}))
            thread.start()
            thread.join()
    hear("/after", 1)
    assert outer == {"/user": {"username": "alex"}, "/job": {"id": 7}}
    assert inner == outer


def test_of_a_very_long_answer_its_digest_is_kept() -> None:
    with listening() as answers:
        hear("/compare", {"diffs": "x" * 300_000})
    assert answers["/compare"]["bytes"] == 300_013
    assert len(answers["/compare"]["sha256"]) == 64
