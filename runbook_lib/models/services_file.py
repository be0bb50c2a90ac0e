"""services.yml: the services of a repository by themselves, with or without a runbook.yml beside it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from .base import Model
from .config import EnvironmentConfig, GitLabConfig, RunbookConfig, SlackConfig, StackConfig
from .service_config import ServiceConfig, ServiceRunConfig

__all__ = ["ONLY_STACK", "ServicesFile"]

# What a repository that only has services is called where a stack's name stands.
ONLY_STACK: Final = "services"
_LISTED: Final[tuple[str, ...]] = ("services", "service_tests")


class ServicesFile(Model):
    """All of services.yml. `slack`, `gitlab`, `environment` and `states` are for where there is no runbook.yml.

    `states` are the stacks whose outputs the services name, each with its state's name in GitLab.
    """

    version: Literal[1] = 1
    services: tuple[ServiceConfig, ...] = Field(min_length=1)
    service_tests: ServiceRunConfig = Field(default_factory=ServiceRunConfig)
    slack: SlackConfig | None = None
    gitlab: GitLabConfig | None = None
    environment: EnvironmentConfig | None = None
    states: dict[str, str] = {}

    def alone(self) -> RunbookConfig:
        """What is governed where this is the only file."""
        stacks = {ONLY_STACK: StackConfig(path=".")}
        stacks |= {name: StackConfig(path=f".states/{name}", state=state) for name, state in self.states.items()}
        return RunbookConfig(
            stacks=stacks,
            default_stack=ONLY_STACK,
            services=self.services,
            service_tests=self.service_tests,
            slack=self.slack or SlackConfig(),
            gitlab=self.gitlab or GitLabConfig(),
            environment=self.environment or EnvironmentConfig(),
        )

    def beside(self, config: RunbookConfig) -> RunbookConfig:
        """runbook.yml with these services; ValueError if both say the same thing."""
        told = config.model_fields_set
        said: list[str] = [name for name in _LISTED if name in told]
        said += [name for name in ("slack", "gitlab", "environment", "states") if getattr(self, name)]
        if said:
            raise ValueError(f"{said[0]} is said by runbook.yml")
        given = {"services": self.services, "service_tests": self.service_tests}
        return RunbookConfig.model_validate({**dict(config), **given})
