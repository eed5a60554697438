"""For machines that watch this process: metrics, liveness, readiness."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.door import TheEngine, comes_from_here, who
from engine.operations.gauges import exposition
from engine.operations.readiness import require_ready

router = APIRouter(tags=["operations"])


async def may_scrape(request: Request, engine: TheEngine) -> None:
    """This machine may scrape without a key; anybody else needs an operator's, unless this port is open for it."""
    if not (getattr(request.app.state, "metrics_open", False) or comes_from_here(request)):
        (await who(request, engine)).require("operator")


@router.get("/metrics", dependencies=[Depends(may_scrape)], response_class=PlainTextResponse)
async def metrics(engine: TheEngine) -> Response:
    """Counters of this process and gauges over the database, in Prometheus' text format."""
    return Response(await exposition(engine.database, engine.catalog.queues), media_type=CONTENT_TYPE_LATEST)


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """The process is alive; nothing else is looked at."""
    return {"live": True}


@router.get("/health/ready")
async def ready(engine: TheEngine) -> dict[str, Any]:
    """Whether this process can do its work: 503 names what is wrong with database, schema or worker."""
    return {"ready": True, "checks": await require_ready(engine.database, engine.vitals)}
