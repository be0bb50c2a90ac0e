"""The CI/CD components: what they promise about inputs, order, secrets, people and what fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from components import TEMPLATES, Reference, component, declared_inputs, documents
from ruamel.yaml import YAML

BIN = Path(sys.executable).parent
NAMES = sorted(path.stem for path in TEMPLATES.glob("*.yml"))
SCHEDULE = {"if": '$CI_PIPELINE_SOURCE == "schedule"', "when": "never"}
GLOBAL = {"stages", "workflow", "default", "variables", "include", "image", "cache", "before_script", "after_script"}
ORDER = ["compliance", "plan", "approval", "apply", "verification", "service_tests"]
SECRETS = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_WEBHOOK_URL", "RUNBOOK_SIGNING_KEY", "RUNBOOK_AGE_KEY"}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """What `extends` makes of two jobs: hashes are merged, all else is replaced."""
    found = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


def whole(pipeline: dict[str, Any], name: str) -> dict[str, Any]:
    """A job with all that it extends."""
    job, found = dict(pipeline[name]), dict[str, Any]()
    above = job.pop("extends", [])
    for each in [above] if isinstance(above, str) else above:
        found = merged(found, whole(pipeline, each))
    return merged(found, job)


def lines(pipeline: dict[str, Any], script: Any) -> Iterator[str]:
    """The lines of a script with what it refers to in them."""
    for item in script if isinstance(script, list) else [script]:
        if isinstance(item, Reference):
            yield from lines(pipeline, pipeline[item[0]][item[1]])
        else:
            yield item


def jobs(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The jobs of a pipeline by name, whole; no hidden ones."""
    return {name: whole(pipeline, name) for name in pipeline if name not in GLOBAL and not name.startswith(".")}


def test_each_component_keeps_gitlabs_schema(tmp_path: Path) -> None:
    yaml = YAML()
    yaml.representer.add_representer(
        Reference, lambda dumper, data: dumper.represent_sequence("!reference", list(data))
    )
    for name in NAMES:
        header, _ = documents(name)
        inputs = {key: f"x/y/{key}@1" for key, spec in declared_inputs(name).items() if "default" not in spec}
        for number, document in enumerate((header, component(name, **inputs))):
            with (tmp_path / f"{name}-{number}.yml").open("w") as stream:
                yaml.dump(document, stream)
    written = sorted(tmp_path.iterdir())
    assert len(written) == 2 * len(NAMES)
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    done = subprocess.run([*command, *written], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_input_says_what_it_is_and_is_used(name: str) -> None:
    text = (TEMPLATES / f"{name}.yml").read_text()
    used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", text))
    inputs = declared_inputs(name)
    assert set(inputs) == used
    assert all(spec["description"] for spec in inputs.values())
    typed = {key: spec.get("type", "string") for key, spec in inputs.items()}
    kinds = {"array": list, "boolean": bool, "number": int, "string": str}
    assert [
        key for key, spec in inputs.items() if "default" in spec and type(spec["default"]) is not kinds[typed[key]]
    ] == []
    assert [key for key, spec in inputs.items() if "options" in spec and spec["default"] not in spec["options"]] == []


def test_every_input_is_documented() -> None:
    page = (TEMPLATES.parent / "docs/gitlab.md").read_text()
    rows = [line.split("|")[2] for line in page.splitlines() if line.startswith("| ") and line.count("|") == 5]
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert {name for component_ in NAMES for name in declared_inputs(component_)} == named


def test_no_component_has_a_keyword_that_gitlab_gives_no_effect() -> None:
    for name in NAMES:
        pipeline = component(name)
        assert "default" not in pipeline
        for job in jobs(pipeline).values():
            # A job that only starts another pipeline runs nowhere.
            assert not ("trigger" in job and {"image", "script", "retry", "timeout", "cache", "tags"} & set(job))


def test_what_runs_beside_the_change_alters_no_other_job_of_who_includes_it() -> None:
    assert [name for name in ("drift", "expired", "history", "service-tests") if GLOBAL & set(component(name))] == []
    assert set(component("service-tests")) == {
        ".service-tests", "service_tests", "service_tests_of_run", "service_tests_report",
    }  # fmt: skip


def test_each_job_of_a_change_is_one_command_of_the_runbook() -> None:
    scripts = {name: job["script"] for name, job in jobs(component("change")).items()}
    wanted = [
        "prepare",
        "compliance",
        "plan",
        "note",
        "approval",
        "apply",
        "reject",
        "verification",
        "service_tests",
        "sign",
        "failure",
    ]
    assert list(scripts) == wanted
    assert all(len(script) == 1 and script[0].startswith("runbook ") for script in scripts.values())
    assert list(jobs(component("drift"))) == ["drift", "expiring", "unanswered"]
    assert jobs(component("drift"))["unanswered"]["script"] == ["runbook unanswered"]


def test_stages_stand_in_the_runbooks_order() -> None:
    pipeline = component("change")
    stages = ["prepare", "validate", "plan", "approval", "deploy", "verify", "services", "sign", "failure"]
    assert pipeline["stages"] == stages
    assert list(dict.fromkeys(job["stage"] for job in jobs(pipeline).values())) == stages


def test_a_schedule_looks_for_drift_and_nothing_else() -> None:
    for name in ("change", "stacks"):
        kinds = {job: found["rules"][0] for job, found in jobs(component(name)).items()}
        assert {
            job for job, first in kinds.items() if first != SCHEDULE and "MERGE_REQUEST" not in first["if"]
        } == set()
    drift = jobs(component("drift"))["drift"]
    assert drift["rules"] == jobs(component("drift"))["unanswered"]["rules"] == [{"if": SCHEDULE["if"]}]
    assert drift["allow_failure"] == {"exit_codes": [1]}


def test_apply_waits_for_a_person_and_can_neither_be_cancelled_nor_repeated() -> None:
    apply = jobs(component("change", stack="network"))["apply"]
    _, unattended, rule = apply["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", False)
    # Only what nobody need approve: everything else it refuses, and a person starts it again.
    assert unattended == {"if": f'$RUNBOOK_APPLY == "automatic" && {rule["if"]}'}
    assert '$CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
    assert (apply["interruptible"], apply["retry"]) == (False, 0)
    assert apply["environment"] == {"name": "production/network", "action": "start", "deployment_tier": "production"}
    assert apply["resource_group"] == "runbook-network"


def test_nothing_that_may_have_asked_or_changed_anything_is_cancelled_by_a_newer_commit() -> None:
    found = {name: job["interruptible"] for name, job in jobs(component("change")).items()}
    assert {name for name, value in found.items() if value} == {"prepare", "compliance", "plan", "note"}
    own = YAML(typ="safe").load((TEMPLATES.parent / ".gitlab/ci/service-pipeline.yml").read_text())
    assert own["service_pipeline"]["interruptible"] is False
    assert own["service_pipeline"]["trigger"]["strategy"] == "mirror"


def test_a_push_that_touches_other_stacks_cancels_no_stack_s_pipeline_of_the_default_branch() -> None:
    # A later push's pipeline has the stacks of that push alone; a merge request's has all that it touches.
    flow = component("stacks", change="x/y/change@1")["workflow"]
    assert flow["auto_cancel"] == {"on_new_commit": "none"}
    assert [rule["if"] for rule in flow["rules"] if "auto_cancel" in rule] == [
        '$CI_PIPELINE_SOURCE == "merge_request_event"'
    ]
    flow = component("change", stack="network")["workflow"]
    assert flow["auto_cancel"] == {"on_new_commit": "interruptible"}
    (rule,) = (rule for rule in flow["rules"] if "auto_cancel" in rule)
    assert rule == {
        "if": '$CI_PIPELINE_SOURCE == "parent_pipeline" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH',
        "auto_cancel": {"on_new_commit": "none"},
    }


def test_a_no_has_a_job_of_its_own_that_holds_up_nothing() -> None:
    found = jobs(component("change"))
    apply, reject = found["apply"], found["reject"]
    (_, rule), (*_, of_apply) = reject["rules"], apply["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", True)
    assert rule["if"] == of_apply["if"]
    assert (reject["stage"], reject["dependencies"]) == (apply["stage"], ["approval"])
    # Else it would wait for the very apply that it is to keep from running.
    assert "resource_group" not in reject
    assert "reject" in apply["manual_confirmation"]
    assert reject["environment"]["action"] == "access"


def test_each_job_hands_the_whole_run_folder_to_the_next() -> None:
    found = jobs(component("change"))
    assert [found[name]["dependencies"] for name in ORDER] == [[], *([name] for name in ORDER[:-1])]
    for name in [*ORDER, "reject", "sign", "failure"]:
        kept = found[name]["artifacts"]
        assert kept["paths"] == ["outputs/$CI_PIPELINE_ID/"]
        assert (kept["when"], kept["access"]) == ("always", "developer")


def test_the_writing_role_is_apply_s_alone() -> None:
    pipeline = component("change")
    begun = {name: "\n".join(lines(pipeline, job["before_script"])) for name, job in jobs(pipeline).items()}
    assert [name for name, text in begun.items() if "AWS_APPLY_ROLE_ARN" in text] == ["apply"]
    audiences = {
        name: job["id_tokens"]["AWS_ID_TOKEN"]["aud"] for name, job in jobs(pipeline).items() if "id_tokens" in job
    }
    assert audiences.pop("apply") == "runbook-apply"
    assert set(audiences.values()) == {"sts.amazonaws.com"}
    assert {name for name, text in begun.items() if "AWS_PLAN_ROLE_ARN" in text} == {
        "prepare", "plan", "verification", "service_tests",
    }  # fmt: skip


def test_what_reads_or_runs_the_code_of_a_change_has_no_secret_of_chat_or_signature() -> None:
    pipeline = component("change", notes=True)
    for name in ("compliance", "plan", "note"):
        begins = next(lines(pipeline, jobs(pipeline)[name]["before_script"]))
        assert begins.startswith("unset ")
        assert set(begins.split()[1:]) == SECRETS
    # Those that are scoped to an environment never come there at all.
    assert {name for name, job in jobs(pipeline).items() if "environment" not in job} == {"compliance", "plan"}
    assert {job["environment"]["name"] for job in jobs(pipeline).values() if "environment" in job} == {
        "runbook", "runbook-notes", "production/$RUNBOOK_STACK", "evidence",
    }  # fmt: skip


def test_a_merge_request_gets_check_plan_and_note_and_nothing_that_holds_a_secret_of_the_branch() -> None:
    def comes(job: dict[str, Any]) -> bool:
        # By the rules of a merge request's pipeline: no schedule, no branch.
        for rule in job["rules"]:
            condition = rule.get("if", "$CI_MERGE_REQUEST_IID")
            if condition.startswith("$CI_MERGE_REQUEST_IID"):
                return rule.get("when") != "never" and '"false" == "true"' not in condition
        return False

    for wanted, notes in (
        (["prepare", "compliance", "plan"], False),
        (["prepare", "compliance", "plan", "note"], True),
    ):
        found = jobs(component("change", notes=notes))
        assert [name for name, job in found.items() if comes(job)] == wanted
    plan = found["plan"]["rules"][1]
    assert plan == {"if": "$CI_MERGE_REQUEST_IID", "variables": {"RUNBOOK_PARAM_PLAN_LOCK": "false"}}


@pytest.mark.parametrize("name", NAMES)
def test_an_installation_that_fails_ends_the_job_before_anything_else_runs(name: str, tmp_path: Path) -> None:
    pipeline = component(name, **({"change": "x/y/change@1"} if name == "stacks" else {}))
    jobs_of = {"change": "compliance", "stacks": "stacks", "service-tests": ".service-tests", "history": "pages"}
    job = jobs_of.get(name, name)
    begun = list(lines(pipeline, whole(pipeline, job)["before_script"]))
    script = "\n".join(["set -eo pipefail", *begun, "echo reached"])
    # No runbook on PATH, and no Makefile.
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "CI_PROJECT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "reached" not in done.stdout
    assert "error: runbook could not be installed" in done.stderr


def test_every_component_installs_in_the_same_way() -> None:
    def installs(name: str) -> str:
        text = (TEMPLATES / f"{name}.yml").read_text()
        return text[text.index("install_runbook() {") : text.index("mkdir -p .cache/terraform")]

    assert len({installs(name) for name in NAMES}) == 1


class Slack(HTTPServer):
    """Keeps what it is told."""

    def __init__(self, answer: str) -> None:
        super().__init__(("127.0.0.1", 0), Told)
        self.answer = answer
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Told(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer.encode())

    def log_message(self, *given: object) -> None:
        pass


def in_plain_words(pipeline: dict[str, Any], keyword: str, folder: Path, answer: str, **variables: str) -> Any:
    """Run the failure job's own words where nothing is installed; what Slack was told, and how it ended."""
    with Slack(answer) as slack:
        serving = threading.Thread(target=slack.serve_forever)
        serving.start()
        config = f'slack:\n  channel: "#infra"   # whom\n  api_url: {slack.url}/api/\napproval:\n  channel: no\n'
        (folder / "runbook.yml").write_text(config)
        script = "\n".join(["set -eo pipefail", *lines(pipeline, whole(pipeline, "failure")[keyword]), "echo reached"])
        given = {key: value.replace("SLACK", slack.url) for key, value in variables.items()}
        environment = {"PATH": "/usr/bin:/bin", "CI_PROJECT_DIR": str(folder), "CI_PIPELINE_URL": "https://gl/p/7"}
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment | given, capture_output=True, text=True, check=False
        )
        slack.shutdown()
        serving.join()
    return slack.told, done


@pytest.mark.parametrize(("name", "keyword"), [("change", "before_script"), ("stacks", "script")])
def test_slack_hears_of_a_failure_also_where_nothing_could_be_installed(
    name: str, keyword: str, tmp_path: Path
) -> None:
    pipeline = component(name, **({"stack": "web"} if name == "change" else {"change": "x/y/change@1"}))
    told, done = in_plain_words(pipeline, keyword, tmp_path, '{"ok": true}', SLACK_BOT_TOKEN="xoxb-1")
    ((path, authorization, body),) = told
    assert (path, authorization, body["channel"]) == ("/api/chat.postMessage", "Bearer xoxb-1", "#infra")
    assert "https://gl/p/7" in body["text"]
    assert "xoxb-1" not in done.stdout + done.stderr
    # The job itself has failed all the same, where there was something else for it to do.
    assert (done.returncode, "reached" in done.stdout) == ((3, False) if name == "change" else (0, True))


def test_plain_words_go_to_a_webhook_where_there_is_no_token(tmp_path: Path) -> None:
    pipeline = component("change", stack="web")
    told, _ = in_plain_words(pipeline, "before_script", tmp_path, "ok", SLACK_WEBHOOK_URL="SLACK/hook")
    assert [(path, list(body)) for path, _, body in told] == [("/hook", ["text"])]
    assert "web" in told[0][2]["text"]


def test_plain_words_that_reached_nobody_are_an_error(tmp_path: Path) -> None:
    pipeline = component("stacks", change="x/y/change@1")
    told, done = in_plain_words(
        pipeline, "script", tmp_path, '{"ok": false, "error": "invalid_auth"}', SLACK_BOT_TOKEN="x"
    )
    assert (len(told), done.returncode != 0, "invalid_auth" in done.stderr) == (1, True, True)
    assert in_plain_words(pipeline, "script", tmp_path, "")[1].returncode != 0


def test_shards_of_service_tests_alone_have_a_run_each_and_share_the_parents() -> None:
    pipeline = component("service-tests", shards=4)
    assert {pipeline[name]["parallel"] for name in ("service_tests", "service_tests_of_run")} == {4}
    assert "parallel" not in pipeline[".service-tests"]
    *_, last = lines(pipeline, pipeline[".service-tests"]["before_script"])
    asked = 'echo "$run $part"'

    def said(**variables: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", f"{last}\n{asked}"],
            env={"PATH": "/bin", "CI_PIPELINE_ID": "7", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    assert said() == "7 1/1"
    assert said(CI_NODE_INDEX="2", CI_NODE_TOTAL="4") == "7-2 2/4"
    assert said(CI_NODE_INDEX="2", CI_NODE_TOTAL="4", RUNBOOK_RUN_ID="6") == "6 2/4"
    assert said(CI_NODE_INDEX="1", CI_NODE_TOTAL="1") == "7 1/1"


def test_no_variable_makes_a_job_ask_a_part_of_the_services_alone_or_none() -> None:
    for shards, total, status in (
        ("1", None, 0),
        ("1", "1", 0),
        ("4", "4", 0),
        ("1", "5", 2),
        ("4", "5", 2),
        ("4", None, 2),
    ):
        pipeline = component("service-tests", shards=shards)
        script = "\n".join(lines(pipeline, pipeline[".service-tests"]["script"])).partition("set -- -p")[0]
        given = {"CI_NODE_TOTAL": total} if total else {}
        done = subprocess.run(["bash", "-euc", script], env={"PATH": "/bin", **given}, check=False, capture_output=True)
        assert done.returncode == status
    # An empty one is none: `== null` alone is false of it, and no job would be there.
    (rule,) = component("service-tests")["service_tests"]["rules"]
    assert rule == {"if": '$RUNBOOK_RUN_ID == null || $RUNBOOK_RUN_ID == ""'}


def test_drift_looks_at_the_stacks_that_are_named_and_else_at_all() -> None:
    def said(stacks: str) -> str:
        job = component("drift", stacks=stacks)["drift"]
        script = ["runbook() { echo $# $*; }", *job["script"]]
        done = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert said("web db") == "3 drift --stack=web --stack=db"
    assert said("") == "1 drift"


def test_the_page_of_all_runs_is_published_by_a_command_that_asks_who_can_open_it() -> None:
    job = whole(component("history", since="2026-01-31"), "pages")
    (command,) = job["script"]
    assert command == 'runbook history --fetch --since "2026-01-31" --rebuild --publish public > history.txt'
    assert job["artifacts"]["paths"] == ["public/"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    # The token that reads pipelines is this environment's, and no run folder is among what is uploaded.
    assert job["environment"] == {"name": "runbook-history", "action": "access"}
