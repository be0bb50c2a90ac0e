"""Where GitLab keeps a Terraform state. Apart from the client, which takes long to load and is not needed for it."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["state_address"]


def state_address(api_url: str, project: str, name: str) -> dict[str, str]:
    """The environment that points Terraform's http backend at a state in GitLab, without the credentials."""
    address = f"{api_url.rstrip('/')}/projects/{quote(project, safe='')}/terraform/state/{quote(name, safe='')}"
    return {
        "TF_HTTP_ADDRESS": address,
        "TF_HTTP_LOCK_ADDRESS": f"{address}/lock",
        "TF_HTTP_UNLOCK_ADDRESS": f"{address}/lock",
        "TF_HTTP_LOCK_METHOD": "POST",
        "TF_HTTP_UNLOCK_METHOD": "DELETE",
    }
