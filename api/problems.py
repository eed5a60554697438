"""Every error as an RFC 9457 problem with a stable code; `detail` is what LangGraph's SDK shows."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.traffic import REQUEST_ID, route_of
from contracts.errors import (
    GatehouseError,
    InvalidRequest,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    Unauthenticated,
)
from engine.credentials.redactor import KNOWN
from engine.traces.ids import about

_LOG = logging.getLogger("gatehouse.api")
MEDIA_TYPE = "application/problem+json"


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem document."""
    app.add_exception_handler(GatehouseError, _known)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _by_status)
    app.add_exception_handler(Exception, _unknown)


class Problem(JSONResponse):
    """A document without any secret that this process knows, whatever an error may quote."""

    media_type = MEDIA_TYPE

    def render(self, content: object) -> bytes:
        return KNOWN.prose(super().render(content).decode()).encode()


def problem(error: GatehouseError) -> JSONResponse:
    """The document for an error: type, title, status, detail, code, category, hint and what the error adds."""
    body = {
        "type": f"urn:gatehouse:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "category": error.category,
        "hint": error.hint,
    }
    headers = {"WWW-Authenticate": "ApiKey, Bearer"} if isinstance(error, Unauthenticated) else {}
    if "retry_after_s" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after_s"])
    return Problem(error.facts | body, status_code=error.status, headers=headers)


async def _known(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, GatehouseError):
        raise error
    if error.status >= 500:
        _LOG.error("%s %s: %s %s", request.method, route_of(request.scope), error.code, error.detail)
    return problem(error)


async def _unfit(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return problem(MalformedBody(f"The body is not JSON: {found[0]['ctx']['error']}."))
    # A member's name may be text that cannot be sent back as it is.
    named = [".".join(map(str, e["loc"])).encode(errors="replace").decode() for e in found]
    listed = [{"where": where, "problem": e["msg"]} for where, e in zip(named, found, strict=True)]
    said = "; ".join(f"{e['where']}: {e['problem']}" for e in listed[:5])
    # A body that is not called JSON is not read as JSON, and then nothing in it is found.
    unread = "body" in named and "json" not in request.headers.get("content-type", "")
    hint = "Send the header 'content-type: application/json'." if unread else ""
    return problem(InvalidRequest(f"The request does not fit: {said}", hint=hint, facts={"errors": listed}))


async def _by_status(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 400:
        return problem(MalformedBody("The body is not JSON that can be read.", hint=str(error.detail)))
    if error.status_code == 404:
        return problem(NotFound(f"There is no {request.method} {request.url.path}.", hint="See /docs."))
    if error.status_code == 405:
        answer = problem(MethodNotAllowed(f"{request.method} {request.url.path} is not offered.", hint="See /docs."))
        answer.headers.update(error.headers or {})  # `Allow`
        return answer
    return problem(NotSupported(f"{request.method} {request.url.path}: {error.detail}", hint="See /docs."))


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    # The text of an unforeseen error may carry anything: it goes to the log and not to the caller. This is answered
    # outside of all else, so the id of the request is named here again.
    request_id = str(request.state.request_id)
    with about(request_id=request_id):
        _LOG.error("%s %s failed", request.method, route_of(request.scope), exc_info=error)
    failed = GatehouseError("The server failed. Nothing is known to be lost; the log has the details.")
    failed.facts["request_id"] = request_id
    answer = problem(failed)
    answer.headers[REQUEST_ID] = request_id
    return answer
