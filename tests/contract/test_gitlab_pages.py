from __future__ import annotations

import dataclasses

from fastapi.testclient import TestClient

from runbook_lib.lab.gitlab.app import create_app
from runbook_lib.lab.gitlab.config import default_config


def test_link_to_a_pipeline_or_job_leads_to_the_labs_page() -> None:
    config = dataclasses.replace(default_config(), page_url="http://127.0.0.1:1/")
    with TestClient(create_app(config), follow_redirects=False) as client:
        for page in ("pipelines/1001", "jobs/1005"):
            answer = client.get(f"/{config.project.path}/-/{page}")
            assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:1/")
        assert client.get("/other/project/-/jobs/1").status_code == 404
