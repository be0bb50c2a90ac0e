"""Every error that a person can meet, with what to do next.

    RunbookError                 exit status 2 unless said otherwise
    ├── UsageError               wrong parameter, option or spelling               2
    ├── ConfigError              runbook.yml, a policy, a waiver, a setting        2
    ├── InputError               a plan, a state or a file that can't be read      2
    ├── BlockedError             a gate said no                                    1
    │   └── ApprovalError        no valid decision for this very plan              1
    ├── EvidenceError            evidence that does not verify                     1
    ├── AdapterError             an outside system failed                          3
    │   ├── TerraformError
    │   │   └── StateLockedError
    │   ├── AwsError
    │   ├── GitLabError
    │   ├── ChatError            the chat that a run tells
    │   │   ├── SlackError
    │   │   ├── MessageRefusedError   this very message, for good
    │   │   ├── MessageDoubtedError   in a word that was never explained
    │   │   └── ChatSilentError       no answer in time
    │   ├── ServiceError
    │   └── StoreError           the run folder can't be written
    ├── EngineError              a notebook did not end by itself                  3
    └── InterruptedRunError      stopped by a signal                               128+N

Only `runbook_lib.cli` prints an error and turns it into an exit status.
"""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "ApprovalError",
    "AwsError",
    "BlockedError",
    "ChatError",
    "ChatSilentError",
    "ConfigError",
    "EngineError",
    "EvidenceError",
    "GitLabError",
    "InputError",
    "InterruptedRunError",
    "MessageDoubtedError",
    "MessageRefusedError",
    "RunbookError",
    "ServiceError",
    "SlackError",
    "StateLockedError",
    "StoreError",
    "TerraformError",
    "UsageError",
]


class RunbookError(Exception):
    """What happened (`message`) and what to do next (`remedy`)."""

    exit_status = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def _render_traceback_(self) -> list[str]:
        # IPython asks the exception itself first: a person who runs a notebook reads two lines, not thirty frames.
        lines = [f"error: {self.message}"]
        return [*lines, f"hint: {self.remedy}"] if self.remedy else lines


class UsageError(RunbookError):
    """A parameter, an option or a spelling that can't be taken."""


class ConfigError(RunbookError):
    """runbook.yml, a policy, a waiver or a setting is missing or wrong."""


class InputError(RunbookError):
    """A plan, a state or another input file can't be read for what it should be."""


class BlockedError(RunbookError):
    """A gate said no."""

    exit_status = 1


class ApprovalError(BlockedError):
    """There is no decision that allows this very plan to be applied."""


class EvidenceError(RunbookError):
    """A run folder is not what its manifest says."""

    exit_status = 1


class AdapterError(RunbookError):
    """A system outside this program failed or refused."""

    exit_status = 3


class TerraformError(AdapterError):
    """Terraform is missing, too old, or ended with an error."""


class StateLockedError(TerraformError):
    """Somebody else holds the state lock; `lock_id` is that lock's, as far as it is known."""

    def __init__(self, message: str, remedy: str = "", lock_id: str = "") -> None:
        super().__init__(message, remedy)
        self.lock_id = lock_id


class AwsError(AdapterError):
    """AWS refused or failed."""


class GitLabError(AdapterError):
    """GitLab refused or failed."""


class ChatError(AdapterError):
    """The chat that a run tells refused or failed."""


class MessageRefusedError(ChatError):
    """The chat refuses this very message: sending it again would not help. `code` is the chat's word for why.

    `instead` is what it may take in its place: `text` (the message in words), `unmarked` (without its key), `channel`
    (not as a reply), `thread` (in a new one, as this is gone or closed), `anew` (a new one, as the old can't change).
    """

    def __init__(self, message: str, remedy: str = "", code: str = "", instead: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.instead = instead


class MessageDoubtedError(ChatError):
    """The chat refuses in a word that it never explained: it may be for good."""


class ChatSilentError(ChatError):
    """The chat did not answer in time."""


class SlackError(ChatError):
    """Slack refused or failed."""


class ServiceError(AdapterError):
    """The service tests themselves could not be carried out."""


class StoreError(AdapterError):
    """The run folder can't be read or written."""


class EngineError(RunbookError):
    """A notebook did not come to an end by itself: time-out, dead kernel, full disk."""

    exit_status = 3


class InterruptedRunError(RunbookError):
    """A signal stopped the run."""

    def __init__(self, signal_number: int, message: str = "", remedy: str = "") -> None:
        super().__init__(message or f"stopped by signal {signal_number}", remedy)
        self.signal_number = signal_number
        self.exit_status = 128 + signal_number
