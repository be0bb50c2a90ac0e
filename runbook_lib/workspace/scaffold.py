"""What `runbook init` writes in a repository that knows nothing of runbooks yet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..adapters.policies import policy_files
from ..adapters.root_modules import RootModule
from ..models.config import ComplianceConfig, RunbookConfig
from ..packaged import packaged
from ..repository import CONFIG_NAME, Repository

__all__ = [
    "BESIDE",
    "Answers",
    "Draft",
    "drafts",
    "ignored_locks",
    "included_component",
    "named_stacks",
    "parse",
    "unnamed",
]

PIPELINE = ".gitlab-ci.yml"
BESIDE = ".gitlab/ci/runbook.yml"
COMPONENT = "change"
MANIFEST = Path(__file__).with_name("slack-app.yml")
# Evidence, keys, caches and states; not .terraform.lock.hcl, which is committed.
IGNORED = (
    *("outputs/", ".lab/", ".cache/", ".venv/", "site/", "key.pem", "age.key"),
    *(".terraform/", "*.tfstate", "*.tfstate.*", "*.tfplan", "crash.log", ".ipynb_checkpoints/"),
)
LOCK = ".terraform.lock.hcl"
_INCLUDED = re.compile(
    rf"(?m)^[\s-]*(?:component:\s*[\"']?(?P<address>[^\s\"']+/{COMPONENT}@[^\s\"']+)|local:\s*[\"']?/?templates/{COMPONENT}\.yml)"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True)
class Answers:
    """What can't be read from the files. `component` is the address of the CI component; empty: it is put beside."""

    gitlab: str = ""
    project: str = ""
    approvers: tuple[str, ...] = ()
    channel: str = ""
    component: str = ""


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
        *_pipeline(root, stacks, answers),
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


def included_component(root: Path) -> str:
    """The address of the component that the repository's pipeline includes; empty if it includes none, or a file."""
    found = _INCLUDED.search(_text(root / PIPELINE)) or _INCLUDED.search(_text(root / BESIDE))
    return found["address"] or "" if found else ""


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


def _pipeline(root: Path, stacks: dict[str, RootModule], answers: Answers) -> Iterator[Draft]:
    local = f"templates/{COMPONENT}.yml"
    if not answers.component:
        for path in sorted(packaged("templates").glob("*.yml")):
            yield Draft(f"templates/{path.name}", path.read_text(encoding="utf-8"), "the pipeline's component")
    include = f"component: {_quoted(answers.component)}" if answers.component else f"local: /{local}"
    lines = [
        "# One change through the runbook: `runbook doctor` says what GitLab still needs for it.",
        "include:",
        f"  - {include}",
    ]
    inputs = _inputs(stacks)
    lines += ["    inputs:", *(f"      {name}: {value}" for name, value in inputs)] if inputs else []
    text = "\n".join([*lines, ""])
    there = _text(root / PIPELINE)
    # A pipeline of theirs that does without the component gets a file beside it, to be included.
    name = BESIDE if there and not _INCLUDED.search(there) else PIPELINE
    yield Draft(name, text, "the pipeline", edited=True, line=include)


def _inputs(stacks: dict[str, RootModule]) -> list[tuple[str, str]]:
    """What the component of this version wants to be told, of what is known here."""
    path = packaged("templates") / f"{COMPONENT}.yml"
    if not path.is_file():
        return []
    names = list(stacks)
    known = {"stack": _quoted(names[0]), "stacks": f"[{', '.join(map(_quoted, names))}]"}
    return [(name, known[name]) for name in _declared(path) if name in known]


def _declared(path: Path) -> list[str]:
    """The inputs that the header of a component declares."""
    from ruamel.yaml import YAML

    header = YAML(typ="safe").load(path.read_text(encoding="utf-8").partition("\n---")[0])
    return list((header.get("spec") or {}).get("inputs") or {})


def _config(stacks: dict[str, RootModule], answers: Answers, folder: str) -> str:
    approvers = ", ".join(map(_quoted, answers.approvers))
    lines = [
        "# What this repository governs. `runbook doctor` says what is missing or wrong here, and each field is in",
        "# docs/configuration.md of the toolkit.",
        "version: 1",
        "",
        "stacks:",
        *(line for name, module in stacks.items() for line in _stack(name, module)),
        "",
        "gitlab:  # a job whose CI_SERVER_URL or CI_PROJECT_PATH say otherwise is refused",
        f"  url: {_quoted(answers.gitlab or 'https://gitlab.com')}",
        f"  project: {_quoted(answers.project)}",
        "",
        "slack:",
        f"  channel: {_quoted(answers.channel)}  # SLACK_CHANNEL wins",
        "",
        "approval:",
        f"  approvers: [{approvers}]  # GitLab logins; who asks and who wrote never count",
        "  quorum: 1",
        "  expires_after: 4h",
        "",
        "compliance:",
        f"  policies: {folder}",
        f"  waivers: {folder}/waivers.yml",
        "",
    ]
    return "\n".join(lines)


def _stack(name: str, module: RootModule) -> Iterator[str]:
    yield f"  {_quoted(name)}:"
    yield f"    path: {_quoted(module.path)}"
    if module.backend == "http":
        yield f"    state: {_quoted(name)}  # its name in GitLab"
    if module.region:
        yield f"    region: {module.region}"
    if module.var_files:
        yield f"    # var_files: [{', '.join(map(_quoted, module.var_files))}]  # found, and read only if named here"
    yield "    services: []  # what is asked from outside after a change"


def _quoted(text: str) -> str:
    """A text as YAML, in quotes where it could be taken for something else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
