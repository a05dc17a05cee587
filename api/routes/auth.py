"""Registering, logging in and out, and what a session opens. These calls take no idempotency keys."""

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Depends, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from api import problems
from api.asking import Asker
from api.contract.examples import BODIES, FORM
from api.defence.body import check_json, check_media_type, sound_body
from api.defence.throttle import account_name
from api.devices import device
from api.openapi import problems_of
from api.people import LoginBody, RefreshBody, RegisterBody, TicketDocument, TokensDocument
from api.policies import Open, guarded
from api.routes.invites import signup_closed
from api.routes.users import profile_document
from api.security_log import ABOUT, WHO
from api.services import Services
from commands.accounts import Registration
from commands.passwords import SHORTEST
from commands.sessions import TICKET_SECONDS, Session
from domain.errors import Forbidden, Invalid

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(sound_body)])
forms = APIRouter(prefix="/auth", tags=["auth"])  # whose bodies need not be JSON

_LOGIN: TypeAdapter[LoginBody] = TypeAdapter(LoginBody)
_FORM = "application/x-www-form-urlencoded"


@router.post(
    "/register",
    status_code=201,
    operation_id="register",
    summary="Register",
    response_model=TokensDocument,
    responses=problems_of(403, 409),
)
@guarded(Open.PUBLIC)
async def register(request: Request, body: Annotated[RegisterBody, Body()]) -> Any:
    """Join `main`, or where an invite leads to, or found a workspace of a new name, whose first user is its admin."""
    services: Services = request.app.state.services
    if services.settings.signup == "closed":
        raise signup_closed()
    if services.settings.signup == "invite" and body.invite is None:
        raise Forbidden("auth.invite_required", "registering here needs an invite that is valid")
    workspace = body.workspace if "workspace" in body.model_fields_set else None
    registration = Registration(body.email, body.password, body.display_name, workspace, body.invite)
    throttle, address = services.throttle, services.addresses.of(request.scope)
    async with throttle.attempt(throttle.guards.register, address):
        joined = await services.accounts.register(registration, request.scope["request_id"])
    await throttle.remember(address, account_name(joined.workspace, body.email))
    opened = await services.sessions.open(joined.workspace_id, joined.receipt.stream_id, device(request))
    return await _tokens(request, *opened)


@forms.post(
    "/login",
    operation_id="logIn",
    summary="Log in",
    response_model=TokensDocument,
    responses=problems_of(401),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": LoginBody.model_json_schema(), "example": BODIES["LoginBody"]},
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["username", "password"],
                        "properties": {
                            "username": {"type": "string", "maxLength": 254},
                            "password": {"type": "string", "format": "password", "minLength": SHORTEST},
                            "otp": {"type": "string", "maxLength": 64},
                            "workspace": {"type": "string", "maxLength": 40, "default": "main"},
                        },
                    },
                    "example": FORM,
                },
            },
        }
    },
)
@guarded(Open.PUBLIC)
async def log_in(request: Request) -> Any:
    """With JSON, or with the OAuth2 password form (RFC 6749 §4.3.2) whose `username` is the e-mail address.

    Who has a second factor is refused with 401 `auth.otp_needed` without `otp`.
    """
    services: Services = request.app.state.services
    try:
        body = await _login(request)
    except ValidationError as error:
        return problems.invalid(request, problems.of_body(error))
    throttle, address = services.throttle, services.addresses.of(request.scope)
    async with throttle.attempt(throttle.guards.login, address, account_name(body.workspace, body.email)):
        account = await services.accounts.log_in(body.workspace, body.email, body.password)
        await services.second_factors.check(account.workspace_id, account.user_id, body.otp)
    request.scope[ABOUT] = account.user_id
    await services.active(account.workspace_id, account.user_id)
    opened = await services.sessions.open(
        account.workspace_id, account.user_id, device(request), password_hash=account.password_hash
    )
    return await _tokens(request, *opened)


@router.post(
    "/refresh",
    operation_id="refresh",
    summary="Get new tokens",
    response_model=TokensDocument,
    responses=problems_of(401),
)
@guarded(Open.BEARER)
async def refresh(request: Request, body: Annotated[RefreshBody, Body()]) -> Any:
    """The refresh token is spent. Within 10 seconds it answers the same successor; later its session ends."""
    services: Services = request.app.state.services
    throttle = services.throttle
    async with throttle.attempt(throttle.guards.refresh, services.addresses.of(request.scope)):
        session, token = await services.sessions.refresh(body.refresh_token)
    return await _tokens(request, session, token)


@router.post(
    "/logout",
    status_code=204,
    operation_id="logOut",
    summary="Log out",
)
@guarded(Open.BEARER)
async def log_out(request: Request, body: Annotated[RefreshBody, Body()]) -> Response:
    """The session and its access tokens end: at once here, within a second everywhere."""
    services: Services = request.app.state.services
    session = request.scope[WHO] = await services.sessions.close(body.refresh_token)
    if session is not None:
        services.revocations.add(session.session_id)
    return Response(status_code=204)


@router.post(
    "/ws-ticket",
    operation_id="issueSocketTicket",
    summary="Get a socket ticket",
    response_model=TicketDocument,
)
@guarded(Open.SELF)
async def issue_ticket(asker: Asker) -> Any:
    """For clients that cannot send headers on a socket: opens one, once, within 30 seconds."""
    ticket = await asker.services.sessions.issue_ticket(asker.identity.session_id)
    return {"ticket": ticket, "expires_in": TICKET_SECONDS}


async def _login(request: Request) -> LoginBody:
    raw = await request.body()
    if not request.headers.get("content-type", "").startswith(_FORM):
        check_media_type(dict(request.scope["headers"]))
        check_json(raw)
        return _LOGIN.validate_json(raw)
    try:
        form = parse_qs(raw.decode(), strict_parsing=True, max_num_fields=20)
    except ValueError as error:
        raise Invalid("request.invalid", "", f"the form cannot be read: {error}") from error
    values = {"email": form.get("username", [""])[0], "password": form.get("password", [""])[0]}
    return _LOGIN.validate_python(values | {name: form[name][0] for name in ("workspace", "otp") if name in form})


async def _tokens(request: Request, session: Session, refresh_token: str) -> dict[str, Any]:
    services: Services = request.app.state.services
    request.scope[WHO] = session
    # Read from the log once the session is there: who is deactivated meanwhile is shut out by one or the other.
    user = await profile_document(services, session.workspace_id, session.user_id)
    limited = services.settings.second_factor == "required" and (
        await services.second_factors.standing(session.workspace_id, session.user_id) is None
    )
    return {
        "access_token": services.tokens.sign(session, limited=limited),
        "refresh_token": refresh_token,
        "token_type": "bearer",  # nosec B105
        "expires_in": services.tokens.lifetime_seconds,
        "user": user,
    }
