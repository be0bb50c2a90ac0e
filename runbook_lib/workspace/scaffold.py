"""What `runbook init` writes in a repository that knows nothing of runbooks yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..adapters.policies import policy_files
from ..adapters.root_modules import RootModule
from ..models.config import ComplianceConfig, RunbookConfig
from ..models.config_values import AWS_REGION
from ..packaged import packaged
from ..repository import CONFIG_NAME, Repository
from .pipeline_file import (
    BESIDE,
    EACH,
    PIPELINE,
    Component,
    component_files,
    each_stack,
    included_component,
    many,
    pipeline_file,
    quoted,
)

__all__ = [
    "Answers",
    "Draft",
    "drafts",
    "ignored_locks",
    "known_component",
    "named_stacks",
    "parse",
    "unnamed",
]

MANIFEST = Path(__file__).parents[1] / "adapters/slack_manifest.yml"
# Evidence, keys, caches and states; not .terraform.lock.hcl, which is committed.
IGNORED = (
    *("outputs/", ".lab/", ".cache/", ".venv/", "site/", "key.pem", "age.key"),
    *(".terraform/", "*.tfstate", "*.tfstate.*", "*.tfplan", "crash.log", ".ipynb_checkpoints/"),
)
LOCK = ".terraform.lock.hcl"


@dataclass(frozen=True)
class Answers:
    """What can't be read from the files."""

    gitlab: str = ""
    project: str = ""
    approvers: tuple[str, ...] = ()
    channel: str = ""
    component: Component = field(default_factory=Component)


@dataclass(frozen=True)
class Draft:
    """One file as this version would write it. Of one that is `appended` to, what is there stays."""

    path: str
    text: str
    purpose: str
    appended: bool = False
    edited: bool = False  # by the team, as a matter of course: a difference says nothing
    line: str = ""  # what such a file has to hold all the same

    def missing(self, root: Path) -> bool:
        """Whether there is something to write."""
        return bool(self.text) if self.appended else not (root / self.path).exists()


def drafts(root: Path, modules: Sequence[RootModule], answers: Answers) -> tuple[Draft, ...]:
    """Every file, runbook.yml last: where that is there the repository was begun."""
    stacks = named_stacks(modules)
    folder = _policy_folder(root)
    return (
        *_policies(folder),
        Draft("slack-app.yml", MANIFEST.read_text(encoding="utf-8"), "the Slack app's manifest"),
        _ignore(root),
        *_pipeline(root, stacks, answers.component),
        Draft(CONFIG_NAME, _config(stacks, answers, folder), "what this repository governs", edited=True),
    )


def parse(text: str) -> RunbookConfig:
    """What a draft of runbook.yml says; a ValidationError would be a defect of ours."""
    from ruamel.yaml import YAML

    return RunbookConfig.model_validate(YAML(typ="safe").load(text))


def unnamed(root: Path, modules: Iterable[RootModule]) -> list[RootModule]:
    """The root modules that no stack of the repository's runbook.yml names; all that there is without one is new."""
    if not (root / CONFIG_NAME).is_file():
        return []
    paths = {PurePosixPath(stack.path) for stack in Repository(root, root / CONFIG_NAME).load().stacks.values()}
    return [module for module in modules if PurePosixPath(module.path) not in paths]


def known_component(root: Path) -> Component:
    """The component that the repository's pipeline includes already; an empty one if it includes none."""
    texts = (_text(root / PIPELINE), _text(root / BESIDE))
    return next((found for text in texts if (found := included_component(text))), Component())


def ignored_locks(root: Path) -> list[str]:
    """The lines of .gitignore that keep the provider lock files out of git, each with its number."""
    lines = _text(root / ".gitignore").splitlines()
    return [f".gitignore, line {number}: {line}" for number, line in enumerate(lines, 1) if line.strip().endswith(LOCK)]


def named_stacks(modules: Iterable[RootModule]) -> dict[str, RootModule]:
    """Each root module under a name: its folder's, or its path's where two folders are called the same."""
    modules = tuple(modules)
    short = [_name(module.path.rsplit("/", 1)[-1]) for module in modules]
    named: dict[str, RootModule] = {}
    for module, name in zip(modules, short, strict=True):
        wanted = name if short.count(name) == 1 else _name(module.path.replace("/", "-"))
        number = 2
        unique = wanted
        while unique in named:
            unique, number = f"{wanted}-{number}", number + 1
        named[unique] = module
    return named


def _policy_folder(root: Path) -> str:
    """`policies`, unless a folder of this name holds something else already."""
    usual = root / ComplianceConfig().policies
    if not usual.exists() or any((usual / path.name).is_file() for path in policy_files(packaged("policies"))):
        return usual.name
    return "runbook-policies"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""


def _name(text: str) -> str:
    # It becomes part of an environment's name in GitLab.
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "stack"


def _policies(folder: str) -> Iterator[Draft]:
    pack = packaged("policies")
    for path in policy_files(pack):
        yield Draft(f"{folder}/{path.name}", path.read_text(encoding="utf-8"), "policies")
    waivers = (pack / "waivers.yml").read_text(encoding="utf-8")
    head = waivers.partition("waivers:")[0]
    yield Draft(f"{folder}/waivers.yml", f"{head}waivers: []\n", "findings that somebody answers for", edited=True)


def _ignore(root: Path) -> Draft:
    there = _text(root / ".gitignore")
    lines = {line.strip().strip("/") for line in there.splitlines()}
    missing = [line for line in IGNORED if line.strip("/") not in lines]
    text = "\n".join(["# What runs and labs leave, and keys. The provider lock files are committed.", *missing, ""])
    gap = "" if not there else "\n" if there.endswith("\n") else "\n\n"
    return Draft(".gitignore", gap + text if missing else "", "what git is to leave out", appended=True)


def _pipeline(root: Path, stacks: Iterable[str], component: Component) -> Iterator[Draft]:
    if not component.address:
        for path, text in component_files().items():
            yield Draft(path, text, "the pipeline's components")
    names = tuple(stacks)
    if many(names):
        text, include = each_stack(component)
        yield Draft(EACH, text, "the pipeline of one stack", edited=True, line=include)
    text, include = pipeline_file(names, component)
    there = _text(root / PIPELINE)
    # A pipeline of theirs that does without the component gets a file beside it, to be included.
    name = BESIDE if there and included_component(there) is None else PIPELINE
    yield Draft(name, text, "the pipeline", edited=True, line=include)


def _config(stacks: dict[str, RootModule], answers: Answers, folder: str) -> str:
    approvers = ", ".join(map(quoted, answers.approvers))
    lines = [
        "# What this repository governs. `runbook doctor` says what is missing or wrong here, and each field is in",
        "# docs/configuration.md of the toolkit.",
        "version: 1",
        "",
        "stacks:",
        *(line for name, module in stacks.items() for line in _stack(name, module)),
        "",
        "gitlab:  # a job whose CI_SERVER_URL or CI_PROJECT_PATH say otherwise is refused",
        f"  url: {quoted(answers.gitlab or 'https://gitlab.com')}",
        f"  project: {quoted(answers.project)}",
        "",
        "slack:",
        f"  channel: {quoted(answers.channel)}  # SLACK_CHANNEL wins",
        "",
        "approval:",
        f"  approvers: [{approvers}]  # GitLab logins; who asks and who wrote never count",
        "  quorum: 1",
        "  expires_after: 4h",
        *_rules(len(set(answers.approvers))),
        "",
        "compliance:",
        f"  policies: {folder}",
        f"  waivers: {folder}/waivers.yml",
        "",
    ]
    return "\n".join(lines)


def _rules(approvers: int) -> Iterator[str]:
    # With fewer it could never be kept, and would keep runbook.yml from being read.
    if approvers > 1:
        yield "  rules:  # who must approve because of what a change does, beside the quorum"
        yield "    - {when: {opens: internet}, needs: 2}"


def _stack(name: str, module: RootModule) -> Iterator[str]:
    yield f"  {quoted(name)}:"
    yield f"    path: {quoted(module.path)}"
    if module.backend == "http":
        yield f"    state: {quoted(name)}  # its name in GitLab"
    # Other clouds that speak as AWS does have regions of their own, which their provider alone need know.
    if AWS_REGION.fullmatch(module.region):
        yield f"    region: {module.region}"
    if module.var_files:
        yield f"    # var_files: [{', '.join(map(quoted, module.var_files))}]  # found, and read only if named here"
    yield "    services: []  # what is asked from outside after a change"
