"""A secret of each kind, planted in every place: not one byte of it is left in the run folder or the log."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from urllib.parse import quote

from nbformat.v4 import new_code_cell

from runbook_lib.domain.redaction import Redactor
from runbook_lib.engine.display import LineDisplay
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.sequence import Job, run_sequence

from .conftest import Papermill, make_notebook
from .test_sequence import Recorder

PASSWORD = 'correct horse/battery&staple"'
TERRAFORM = "db-password-known-to-terraform-alone"
PLANTED = {
    "AWS key id": "AKIAIOSFODNN7EXAMPLE",
    "AWS secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "GitLab token": "glpat-Zz9yXx8wVv7uTt6sRr5q",
    "Slack token": "xoxb-111111111111-222222222222-abcdefABCDEFabcdefABCDEF",
    "password": PASSWORD,
    "Terraform": TERRAFORM,
    "base64": base64.b64encode(f"user:{PASSWORD}:x".encode()).decode()[8:-4],
    "url": quote(PASSWORD, safe=""),
    "hex": PASSWORD.encode().hex(),
    "value of a name": "named-secret",
    "parameter": "short-one",
}
CELLS = [
    "import os, json, base64, sys\nfrom urllib.parse import quote\npassword = os.environ['PLANTED_PASSWORD']",
    # Terraform's sensitive values are told to the engine before anything prints them.
    f"value = ''.join(chr(c) for c in {[ord(c) for c in TERRAFORM]})",
    "from runbook_lib.adapters.kernel import announce_secrets\nannounce_secrets([value])\nprint('state:', value)",
    "print(password)\nprint(password[:9], end='', flush=True)\nprint(password[9:])",
    "print(base64.b64encode(f'user:{password}:x'.encode()).decode())",
    "print(quote(password, safe=''), password.encode().hex())",
    f"key = '{PLANTED['AWS key id']}'\nprint(key, '{PLANTED['AWS secret']}', '{PLANTED['GitLab token']}')",
    f"print('{PLANTED['Slack token']}', file=sys.stderr)",
    "print((password + ' ') * 60_000)",
    "from IPython.display import HTML, JSON, display\ndisplay(HTML(f'<b>{password}</b>'), JSON({'a': [password]}))",
    "display({'text/plain': value}, raw=True, metadata={'note': password})",
    "shown = display('first', display_id=True)\nshown.update(password, metadata={'note': password})",
    "display(JSON({'a': {'api_key': 'named-' + 'secret'}}))\nprint('token:', token)",
    f"print('{PLANTED['GitLab token'][:9]}X\\b{PLANTED['GitLab token'][9:]}')",
    f"display({{'image/png': '{PLANTED['GitLab token']}'}}, raw=True)",
    "import ipywidgets\nbox = ipywidgets.Output()\nwith box:\n    print(password)\nipywidgets.Text(password)",
    new_code_cell("1", metadata={"note": f"{PASSWORD} {PLANTED['AWS key id']}"}),
    "try:\n    raise KeyError(password)\nexcept KeyError as error:\n    print(repr(error))",
    "print(json.dumps(json.dumps(password)))",
    "password",
    "raise ValueError(f'refused: {password} {value}')",
]


def leaks(text: bytes) -> list[str]:
    return [kind for kind, secret in PLANTED.items() if secret.encode() in text]


def test_no_planted_secret_is_in_any_file_of_the_run_or_in_its_log(tmp_path: Path) -> None:
    parameters = f"run_id: str = ''\nstack: str = ''\ntoken: str = ''\nnote: str = '{PLANTED['GitLab token']}'"
    make_notebook(tmp_path / "01_compliance.ipynb", "# Uses glpat-Zz9yXx8wVv7uTt6sRr5q", *CELLS, parameters=parameters)
    log = io.StringIO()
    job = Job(
        notebooks={"compliance": tmp_path / "01_compliance.ipynb"},
        run_dir=tmp_path / "outputs" / "r1",
        steps=BUILT_IN[:1],
        stack="main",
        cwd=tmp_path,
        parameters={"compliance": {"token": "short-one", "note": PASSWORD}},
        environment={"PLANTED_PASSWORD": PASSWORD},
        redactor=Redactor({"PLANTED_PASSWORD": PASSWORD}),
        display=LineDisplay(log),
    )
    summary = run_sequence(job, Recorder())
    assert summary.exit_status == 3
    files = [path for path in job.run_dir.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"notebook.ipynb", "notebook.html", "result.json"}
    assert any(path.name.startswith("output-") for path in files)
    assert {path.name: leaks(path.read_bytes()) for path in files if leaks(path.read_bytes())} == {}
    assert leaks(log.getvalue().encode()) == []
    assert "refused" in log.getvalue()


def test_plain_papermill_masks_what_the_environment_calls_a_secret(papermill: Papermill, tmp_path: Path) -> None:
    cells = [cell for cell in CELLS if "announce" not in str(cell) and "value" not in str(cell)]
    path = make_notebook(tmp_path / "in.ipynb", *cells, "1 / 0", parameters="note: str = ''\ntoken: str = ''")
    options = ("-p", "note", PASSWORD, "-p", "token", PLANTED["parameter"], "--log-output")
    done = papermill.run(path, *options, environ={"PLANTED_PASSWORD": PASSWORD})
    assert done.status == 1
    for file in tmp_path.iterdir():
        if file != path:
            assert leaks(file.read_bytes()) == [], file.name


def test_metadata_names_no_folder_and_no_user(papermill: Papermill, tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "in.ipynb", "print(1)")
    done = papermill.run(path)
    assert done.about["input_path"] == "in.ipynb"
    assert done.about["output_path"] == "in.out.ipynb"
    assert str(tmp_path) not in done.path.read_text()
