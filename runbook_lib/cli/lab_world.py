"""The lab for another team's repository: a working copy, its stacks applied, and what stands in for its services."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..adapters.git import files_of
from ..adapters.terraform_folder import ensure_initialised
from ..errors import RunbookError, TerraformError
from ..lab.addresses import USERS, LabAddresses, World
from ..lab.process import control, running_lab, start_process, stop_process
from ..lab.statefile import end_strays, write_profiles
from ..models.config import RunbookConfig, ServiceConfig, StackConfig
from ..settings import Settings
from .demo_repository import Repository
from .lab_base import lab_terraform
from .lab_stacks import buckets, kept_elsewhere, override_backend, profiles, regions, unfit
from .working_copy import point_at_lab

__all__ = ["world_up"]

Tell = Callable[[str], None]
_APPLY = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")


def world_up(settings: Settings, folder: Path, tell: Tell) -> LabAddresses:
    """Start a lab and build the repository's own stacks on it, as they are written now.

    A stack that fails is told and left out; where none could be built nothing is left running.
    """
    tell("starting AWS, GitLab, Slack and the edge")
    lab = start_process(folder.resolve(), settings.root, _world(settings.config))
    try:
        world = _Building(settings, lab, tell)
        world.copy()
        world.build()
        order = {"regions": sorted(world.regions()), "stand_ins": list(_stand_ins(settings.config))}
        control(lab, "POST", "/lab/ready", order)
        return running_lab(lab.folder)
    except BaseException:
        end_strays(lab.folder)
        stop_process(lab.folder)
        raise


def _world(config: RunbookConfig) -> World:
    people = {name for stack in config.stacks for name in config.approval_of(stack).approvers}
    environments = tuple(config.gitlab.environment.replace("{stack}", stack) for stack in config.stacks)
    return World(people=tuple(sorted(people - set(USERS))), environments=environments)


@dataclass
class _Building:
    settings: Settings
    lab: LabAddresses
    tell: Tell
    stacks: dict[str, StackConfig] = field(default_factory=dict)

    def copy(self) -> None:
        """Lay the lab's copy down, each state where the lab can keep it, and no real key in reach."""
        _copy_files(self.settings.root, self.lab.repository)
        for name, stack in self.settings.config.stacks.items():
            folder = self.lab.repository / stack.path
            if not folder.is_dir():
                self.tell(f"{name}: left out: there is no folder {stack.path}")
                continue
            if kind := override_backend(folder):
                self.tell(f"{name}: GitLab keeps its state in place of {kind}")
            kept = "" if kept_elsewhere(folder) else stack.state or name
            self.stacks[name] = stack.model_copy(update={"state": kept})
        folders = [self.lab.repository / stack.path for stack in self.stacks.values()]
        write_profiles(self.lab, {name for folder in folders for name in profiles(folder)})
        for bucket in sorted({found for folder in folders for found in buckets(folder)}):
            _make_bucket(self.lab, *bucket)

    def build(self) -> None:
        """Apply every stack; one that needs another's outputs is tried again once that is there."""
        self.stacks = {name: stack for name, stack in self.stacks.items() if self._ready(name, stack)}
        self._commit()
        failed: dict[str, RunbookError] = {}
        left = dict(self.stacks)
        while left:
            failed = {name: error for name, stack in left.items() if (error := self._apply(name, stack))}
            if len(failed) == len(left):
                break
            left = {name: left[name] for name in failed}
        for name, error in failed.items():
            self.tell(f"{name}: could not be built: {error.message}")
        if len(failed) == len(self.stacks):
            first = next(iter(failed.values()), None)
            raise TerraformError(
                "no stack could be built on the lab", first.remedy if first else "See the lines above."
            )
        self.tell(f"base built: {', '.join(name for name in self.stacks if name not in failed)}")

    def regions(self) -> set[str]:
        """Every region in which a stack may have instances."""
        named = {stack.region for stack in self.stacks.values()} - {""}
        return named.union(*(regions(self.lab.repository / stack.path) for stack in self.stacks.values()))

    def _ready(self, name: str, stack: StackConfig) -> bool:
        self.tell(f"{name}: terraform init")
        terraform = lab_terraform(self.settings, self.lab, stack, lambda line: None)
        try:
            ensure_initialised(terraform)
        except RunbookError as error:
            self.tell(f"{name}: left out: {error.message}")
            return False
        if why := unfit(terraform.directory):
            self.tell(f"{name}: left out: {why}")
        return not why

    def _apply(self, name: str, stack: StackConfig) -> RunbookError | None:
        self.tell(f"{name}: terraform apply")
        try:
            lab_terraform(self.settings, self.lab, stack, lambda line: None).run("apply", *_APPLY, *stack.plan_options)
        except RunbookError as error:
            return error
        return None

    def _commit(self) -> None:
        """Let the copy be a repository whose runbook.yml names the lab, and its commit the one last applied."""
        point_at_lab(self.lab.repository / "runbook.yml", self.lab, self._name_what_is_there)
        if self.stacks:
            copy = Repository.of_copy(Settings.load(self.lab.repository, checked=False), self.lab)
            copy.deployed("The base")
            copy.follow()

    def _name_what_is_there(self, document: Any) -> None:
        # A run of a stack that was left out would act on what is real.
        left_out = set(document["stacks"]) - set(self.stacks)
        for name in left_out:
            del document["stacks"][name]
        for name, stack in self.stacks.items():
            document["stacks"][name]["state"] = stack.state
        if document.get("default_stack") in left_out:
            del document["default_stack"]
        for place in (document, *document["stacks"].values()):
            if place.get("services"):
                place["services"] = [s for s in place["services"] if s["group"].get("stack") not in left_out]
        if not document["approval"].get("approvers"):
            document["approval"]["approvers"] = ["alex", "sam"]


def _copy_files(source: Path, target: Path) -> None:
    """What git does not ignore, whether it is committed or not; of a link only what lies in the repository."""
    listed = files_of(source)
    names = listed if listed is not None else [p.relative_to(source).as_posix() for p in source.rglob("*")]
    for name in names:
        path = source / name
        parts = path.relative_to(source).parts
        if {".git", ".lab", ".terraform", "outputs"}.intersection(parts) or not path.is_file():
            continue
        if path.resolve().is_relative_to(source.resolve()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


def _make_bucket(lab: LabAddresses, bucket: str, region: str, table: str) -> None:
    import boto3

    place = region or lab.aws_environment()["AWS_REGION"]
    keys = {"aws_access_key_id": lab.credentials.aws_key, "aws_secret_access_key": lab.credentials.aws_secret}
    s3 = boto3.client("s3", endpoint_url=lab.aws_url, region_name=place, **keys)
    if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        where = {} if place == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": place}}
        s3.create_bucket(Bucket=bucket, **where)
    if table:
        dynamodb = boto3.client("dynamodb", endpoint_url=lab.aws_url, region_name=place, **keys)
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


def _stand_ins(config: RunbookConfig) -> Iterator[dict[str, Any]]:
    services: list[ServiceConfig] = [*config.services]
    for stack in config.stacks.values():
        services += stack.services or ()
    for service in services:
        url = urlsplit(service.url.replace("{address}", "192.0.2.1"))
        if url.scheme == "http":
            yield {
                "port": url.port or 80,
                "path": url.path or "/",
                "status": service.status,
                "text": service.contains,
            }
