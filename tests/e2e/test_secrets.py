"""A value that only Terraform knows, in a run whose notebooks print it: it is found in no file, log or message."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, slack_threads

SECRET = "known-to-terraform-alone"
# Nothing but its name says what it is.
CALLED = "called-a-s3cret"
CONNECTED = "inside-a-connection-7"
SECRETS = (SECRET, CALLED, CONNECTED)
# Put together by Terraform, so that it stands in no file of the repository.
SENSITIVE = """
resource "terraform_data" "database" {
  input = sensitive(join("-", ["known", "to", "terraform", "alone"]))
}

resource "terraform_data" "site" {
  input = { admin_password = join("-", ["called", "a", "s3cret"]) }
  provisioner "local-exec" {
    command = "true ${self.id}"
  }
}

output "admin_password" {
  value = terraform_data.site.output.admin_password
}

output "connection" {
  value = "Server=db.internal;Uid=app;Pwd=${join("-", ["inside", "a", "connection", "7"])};Pooling=true"
}

output "database" {
  value     = { password = terraform_data.database.output }
  sensitive = true
}
"""
STATE = "from runbook_lib.workspace.states import read_state\nprint(read_state(step.settings, step.run.stack))"
# What each notebook prints by itself before its decision.
PRINTED = {
    "02_plan": "print([found.after for found in change.plan.changes if found.type == 'terraform_data'])",
    "04_apply": STATE,
    "05_verification": STATE,
}


@pytest.fixture
def leaking(desk: Desk) -> Iterator[Desk]:
    """A working copy with a sensitive value, and notebooks that print it."""
    with (desk.root / "runbook.yml").open("a") as config:
        config.write("\nsteps:\n  apply:\n    own_notebook: true\n")
    desk.repository.deployed("Let apply have a notebook of its own")
    path = desk.root / "terraform/access/database.tf"
    path.write_text(SENSITIVE)
    for name, source in PRINTED.items():
        notebook = desk.root / f"notebooks/{name}.ipynb"
        document = json.loads(notebook.read_text())
        cell = {"cell_type": "code", "id": "print", "metadata": {}, "execution_count": None, "outputs": []}
        document["cells"].insert(-2, cell | {"source": source})
        notebook.write_text(json.dumps(document))
    yield desk
    path.unlink()


def leaks(folder: Path) -> list[str]:
    # The plan file is Terraform's own, and holds every value: it is compressed, and only Developers get it.
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS)]


def test_what_terraform_or_a_name_calls_sensitive_is_in_no_file_log_or_message(leaking: Desk) -> None:
    asked = leaking.run("compliance", "plan", "approval", "-p", "approval.wait=false")
    assert asked.returncode == 0, asked.stderr
    assert leaking.runbook("approve", leaking.run_id, user="alex").returncode == 0
    done = leaking.run("apply", "verification")
    assert done.returncode == 0, done.stderr
    # Who approved was shown what else Terraform was to run.
    assert (
        "local-exec provisioner of terraform_data.site runs: (made from self.id)"
        in (leaking.store.read_json("03_approval/request.json")["code"])
    )
    for name in PRINTED:
        shown = leaking.store.read_text(f"{name}/notebook.ipynb")
        assert shown.count("[MASKED]") >= 1, f"{name} printed it"
    assert leaks(leaking.store.dir) == []
    said = asked.stderr + asked.stdout + done.stderr + done.stdout + json.dumps(slack_threads(leaking.lab))
    assert not [secret for secret in SECRETS if secret in said]
    # It was there to be found: the plan file holds it.
    listed = ["unzip", "-p", str(leaking.store.path("02_plan/plan.tfplan")), "tfplan"]
    planned = subprocess.run(listed, check=True, capture_output=True).stdout
    assert all(secret.encode() in planned for secret in SECRETS)
