"""GitLab's side of the demo: the pipeline that was started, its runner, and the approver who plays the manual job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from ..adapters.gitlab import GitLab
from ..adapters.store import RunStore
from ..errors import GitLabError
from ..lab.addresses import PROJECT_ID, LabAddresses
from ..models.steps import find_step
from ..workspace.records import request_file

__all__ = ["DemoRunner"]

POLL_SECONDS = 0.1
APPROVER = "alex"


class DemoRunner:
    """Follows the run folder and moves the pipeline's jobs along; approves, or rejects, as the lab's approver."""

    def __init__(self, lab: LabAddresses, run_dir: Path, *, reject: bool, tell: Callable[[str], None]) -> None:
        self._lab = lab
        self._run_dir = run_dir
        self._reject = reject
        self._tell = tell
        self._approver = GitLab(lab.gitlab_api, lab.credentials.gitlab[APPROVER], str(PROJECT_ID))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._pipeline = 0
        self._answered = False
        self.before_approval: Callable[[], object] = lambda: None

    def begin(self, commit: str) -> int:
        """Push the commit and start the pipeline as the requester; its id."""
        self._ask_gitlab("POST", "/lab/gitlab/commits", {"author": "riley", "sha": commit, "title": "The change"})
        address = f"{self._lab.gitlab_api}/projects/{PROJECT_ID}/pipeline"
        token = {"PRIVATE-TOKEN": self._lab.credentials.gitlab["riley"]}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(address, json={"ref": "main"}, headers=token, timeout=30)
            answer.raise_for_status()
        self._pipeline = int(answer.json()["id"])
        return self._pipeline

    def __enter__(self) -> DemoRunner:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._move_jobs()

    def _follow(self) -> None:
        # The approver is signed in before there is anything to approve.
        self._approver.current_user()
        while not self._done.wait(POLL_SECONDS):
            self._move_jobs()
            if not self._answered and self._asked():
                self._answer()
                self._move_jobs()

    def _move_jobs(self) -> None:
        # One job's end lets the next begin: go round until nothing moves any more.
        while any(self._move(job) for job in self._jobs()):
            pass

    def _move(self, job: Mapping[str, Any]) -> bool:
        if job["status"] == "pending":
            self._ask_gitlab("POST", f"/lab/gitlab/jobs/{job['id']}/start", {})
            return True
        ended = self._ended(str(job["name"])) if job["status"] == "running" else ""
        if ended:
            left = {"status": ended, "artifacts": self._artifacts(str(job["name"]))}
            self._ask_gitlab("POST", f"/lab/gitlab/jobs/{job['id']}/finish", left)
        return bool(ended)

    def _ended(self, name: str) -> str:
        store = RunStore(self._run_dir.parent, self._run_dir.name)
        step = find_step(store.steps, name)
        if step is None or (name == "approval" and self._asked()):
            # In a pipeline the approval job ends with the request, and the manual job waits.
            return "success"
        result = store.read_result(name)
        return "" if result is None else "failed" if result.outcome.stops else "success"

    def _artifacts(self, name: str) -> dict[str, str]:
        # What apply holds against its own copy: what was asked.
        store = RunStore(self._run_dir.parent, self._run_dir.name)
        asked = self._run_dir / request_file(store)
        if name != "approval" or not asked.is_file():
            return {}
        return {f"{self._run_dir.parent.name}/{store.run_id}/{request_file(store)}": asked.read_text()}

    def _asked(self) -> bool:
        store = RunStore(self._run_dir.parent, self._run_dir.name)
        return store.exists(request_file(store))

    def _answer(self) -> None:
        name = "reject" if self._reject else "apply"
        job = next(job for job in self._jobs() if job["name"] == name)
        if job["status"] != "manual":
            return
        self._answered = True
        self.before_approval()
        self._tell(f"demo: {APPROVER} plays the manual job {job['name']} in GitLab")
        try:
            self._approver.play(int(job["id"]), {"RUNBOOK_REASON": "Not during the sale."} if self._reject else None)
        except GitLabError as error:
            self._tell(f"demo: {error.message}")

    def _jobs(self) -> list[dict[str, Any]]:
        pipelines = self._ask_gitlab("GET", "/lab/gitlab/pipelines", None)
        return next((list(p["jobs"]) for p in pipelines if p["id"] == self._pipeline), [])

    def _ask_gitlab(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, self._lab.gitlab_url + path, json=body, timeout=30)
            answer.raise_for_status()
            return answer.json()
