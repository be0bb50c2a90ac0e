"""What only a lab has: order failures, say that the base stands, read the picture as the front would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Response

from ..models.base import Model
from .addresses import LabAddresses
from .faults import FaultOrder, Faults
from .front import Front
from .stand_in import StandIn

__all__ = ["Control", "Ready", "create_app"]


class Ready(Model):
    """The base stands. `tied` keeps the lab bound to the life of the process that built it.

    Of another world than the story's: the regions in which it has instances, and what answers at their ports.
    """

    tied: bool = False
    regions: tuple[str, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()


@dataclass(frozen=True)
class Control:
    """What the routes act on."""

    faults: Faults
    front: Front
    addresses: Callable[[], LabAddresses]
    ready: Callable[[Ready], LabAddresses]


def create_app(control: Control) -> FastAPI:
    """The routes."""
    app = FastAPI(title="Lab control", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/lab/status")
    def status() -> dict[str, Any]:
        return control.addresses().model_dump(mode="json", exclude={"credentials"})

    @app.post("/lab/ready")
    def ready(order: Ready) -> dict[str, Any]:
        return control.ready(order).model_dump(mode="json", exclude={"credentials"})

    @app.get("/lab/faults")
    def faults() -> FaultOrder:
        return control.faults.order

    @app.post("/lab/faults")
    def give_faults(order: FaultOrder) -> FaultOrder:
        return control.faults.give(order)

    @app.delete("/lab/faults")
    def heal() -> FaultOrder:
        return control.faults.give(FaultOrder(aws=None, web=None))

    @app.get("/lab/picture.png")
    def picture() -> Response:
        found = control.front.picture()
        if found is None:
            raise HTTPException(403, "AccessDenied")
        return Response(found, media_type="image/png")

    return app
