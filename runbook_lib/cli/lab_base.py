"""The lab's base: both Terraform stacks applied, as they were before the change."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..adapters.gitlab import state_address
from ..adapters.terraform import Terraform
from ..adapters.terraform_binary import cli_configuration, find_binary
from ..adapters.terraform_folder import ensure_initialised, validate
from ..domain.surroundings import terraform_variables
from ..errors import ConfigError
from ..lab import addresses
from ..lab.addresses import LabAddresses
from ..lab.process import control, running_lab, start_process, stop_process
from ..lab.statefile import end_strays
from ..models.config import StackConfig
from ..settings import Settings
from .background import Background
from .working_copy import ACCEPTED, copy_repository

__all__ = ["BASE_RULES", "lab_down", "lab_terraform", "lab_up"]

# The rules as the story begins, with the web rule on the wrong port, whatever a working copy holds by now.
BASE_RULES = Path(addresses.__file__).with_name("base.auto.tfvars")

# What the access stack looks up. Once these are there it need not wait for the instances, which take ten seconds.
_GROUPS = frozenset(f"aws_security_group.{name}" for name in ("admin", "web", "front_to_back"))
_APPLY = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")

Tell = Callable[[str], None]


def lab_up(settings: Settings, folder: Path, tell: Tell, *, tied: bool = False) -> LabAddresses:
    """Start a lab and build the story's base; `tied` ends the lab with this process, even if that is killed.

    On any failure nothing is left running.
    """
    tell("starting AWS, GitLab, Slack and the edge")
    lab = start_process(folder.resolve(), settings.root)
    try:
        _Base(settings, lab, tell).build()
        control(lab, "POST", "/lab/ready", {"tied": tied})
        return running_lab(lab.folder)
    except BaseException:
        stop_process(lab.folder)
        raise


def lab_down(folder: Path) -> LabAddresses | None:
    """End the lab of this folder and all that belongs to it; None if none was running."""
    return stop_process(folder.resolve())


@dataclass
class _Base:
    settings: Settings
    lab: LabAddresses
    tell: Tell
    created: set[str] = field(default_factory=set)
    groups_there: threading.Event = field(default_factory=threading.Event)

    def build(self) -> None:
        """Apply network, and access as soon as the groups are there."""
        network, access = self._terraform("network"), self._terraform("access")
        copy_repository(self.settings, self.lab)
        shutil.copyfile(BASE_RULES, access.directory / "rules.auto.tfvars")
        self.tell("network: terraform init")
        ensure_initialised(network)
        self.tell("network: terraform apply")
        applied = Background(lambda: network.run("apply", *_APPLY), self.groups_there.set)
        try:
            applied.start()
            self._build_access(access, applied)
            applied.result()
        except BaseException:
            applied.give_up(lambda: end_strays(self.lab.folder))
            raise
        self.tell(f"base built: {len(self.created)} resources, the web rule on port 8000")

    def _build_access(self, access: Terraform, network: Background) -> None:
        ensure_initialised(access)
        # As the base's own pipeline did. It costs no time: network's instances take longer.
        validate(access)
        self.groups_there.wait()
        if not self.created >= _GROUPS:
            network.result()
        self.tell("access: terraform apply")
        access.run("apply", *_APPLY)

    def _terraform(self, stack: str) -> Terraform:
        config = self.settings.config.stacks.get(stack)
        if config is None:
            raise ConfigError(f"runbook.yml has no stack {stack!r}", "The lab builds the stacks network and access.")
        directory = self.lab.repository / config.path
        _copy_stack(self.settings.root / config.path, directory)
        return lab_terraform(self.settings, self.lab, config, self._line)

    def _line(self, line: str) -> None:
        resource, done, _ = line.partition(": Creation complete")
        if done:
            self.created.add(resource)
        if self.created >= _GROUPS:
            self.groups_there.set()


def lab_terraform(settings: Settings, lab: LabAddresses, stack: StackConfig, tell: Tell) -> Terraform:
    """Terraform on the lab's copy of a stack, against the lab's AWS and GitLab."""
    listed = (*ACCEPTED, *settings.config.terraform.environment, *stack.environment)
    known = {**os.environ, **stack.environment, **lab.environment()}
    environment = terraform_variables({n: v for n, v in known.items() if n not in addresses.NOT_OURS}, listed)
    environment |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    environment |= {"AWS_REGION": stack.region, "AWS_DEFAULT_REGION": stack.region} if stack.region else {}
    environment |= {"TF_WORKSPACE": stack.workspace} if stack.workspace else {}
    environment |= state_address(lab.gitlab_api, addresses.PROJECT_PATH, stack.state) if stack.state else {}
    # The folder that the steps use as well: the copies stay initialised for a run on them.
    cache = settings.outputs / ".terraform-cli"
    environment |= cli_configuration(cache, settings.environment.provider_mirror, environment)
    binary = find_binary(settings.terraform_binary, settings.config.terraform.minimum, environment)
    return Terraform(lab.repository / stack.path, binary, environment, tell)


def _copy_stack(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise ConfigError(f"{source} is not there", "The lab needs the repository's terraform folder.")
    # What an init or a plan left in the working copy belongs to another state.
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfplan", "__pycache__")
    shutil.copytree(source, target, ignore=ignored)
