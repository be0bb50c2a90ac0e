"""How jupyter_client gets its kernels from the process that they are forked from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from .forking import ForkServer

__all__ = ["ForkProvisioner"]


class ForkProvisioner(LocalProvisioner):
    """Launches kernels by forking where that can be."""

    fork_server: ForkServer
    modules: tuple[str, ...] = ()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork, or start the command if the kernel is of another kind."""
        if not self.fork_server.can_be(cmd, kwargs["env"]):
            return await super().launch_kernel(cmd, **kwargs)
        errors = Path(kwargs["stderr"].name)
        process = await asyncio.to_thread(
            self.fork_server.fork, self.modules, cmd, kwargs["env"], kwargs["cwd"], errors
        )
        self.process = process  # type: ignore[assignment]  # it has what is asked of a Popen
        self.pid = self.pgid = process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info
