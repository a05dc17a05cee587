"""Changing passwords and addresses. These calls take no idempotency keys: a link can be used once anyway."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import Response

from api.asking import Asker, Asking
from api.defence.body import sound_body
from api.defence.throttle import account_name
from api.openapi import problems_of
from api.people import ConfirmBody, EmailBody, ForgottenBody, PasswordBody, ProofBody, ResetBody
from api.policies import Open, guarded
from api.security_log import ABOUT
from api.services import Services
from commands.execute import Call

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(sound_body)])


@router.post(
    "/password",
    status_code=204,
    operation_id="changePassword",
    summary="Change your password",
)
@guarded(Open.SELF)
async def change_password(request: Request, asker: Asker, body: Annotated[PasswordBody, Body()]) -> Response:
    """All your other sessions end. Passwords that many people have are refused; nothing else is asked of them."""
    async with guessing(request, asker):
        await asker.services.credentials.change_password(
            called(request, asker), asker.identity.session_id, body.current_password, body.new_password
        )
    return Response(status_code=204)


@router.post(
    "/proof",
    status_code=204,
    operation_id="proveYourself",
    summary="Give your password again",
)
@guarded(Open.SELF)
async def prove(request: Request, asker: Asker, body: Annotated[ProofBody, Body()]) -> Response:
    """For an hour, as after a login, this session may end others and make personal access tokens."""
    async with guessing(request, asker):
        await asker.services.credentials.prove(asker.identity.workspace_id, asker.identity.user_id, body.password)
    await asker.services.sessions.prove(asker.identity.session_id)
    return Response(status_code=204)


@router.post(
    "/password/forgot",
    status_code=202,
    response_class=Response,
    operation_id="forgetPassword",
    summary="Ask for a new password",
)
@guarded(Open.PUBLIC)
async def forget_password(request: Request, body: Annotated[ForgottenBody, Body()]) -> Response:
    """If there is such an account, its address gets a link. The answer is the same if there is none."""
    services: Services = request.app.state.services
    throttle, address = services.throttle, services.addresses.of(request.scope)
    async with throttle.attempt(throttle.guards.mail, address, account_name(body.workspace, body.email)):
        await services.credentials.forget_password(body.workspace, body.email)
    return Response(status_code=202)


@router.post(
    "/password/reset",
    status_code=204,
    operation_id="resetPassword",
    summary="Choose a new password",
    responses=problems_of(401),
)
@guarded(Open.BEARER)
async def reset_password(request: Request, body: Annotated[ResetBody, Body()]) -> Response:
    """By the token of a link, once within 30 minutes. All sessions and personal tokens end: log in."""
    services: Services = request.app.state.services
    throttle = services.throttle
    async with throttle.attempt(throttle.guards.refresh, services.addresses.of(request.scope)):
        request.scope[ABOUT] = await services.credentials.reset_password(
            body.token, body.new_password, request.scope["request_id"]
        )
    return Response(status_code=204)


@router.post(
    "/email",
    status_code=202,
    response_class=Response,
    operation_id="changeEmail",
    summary="Ask for another address",
    responses=problems_of(409),
)
@guarded(Open.SELF)
async def change_email(request: Request, asker: Asker, body: Annotated[EmailBody, Body()]) -> Response:
    """The new address gets a link that is good once within 24 hours, the old one a notice. Nothing changes before."""
    throttle, address = asker.services.throttle, asker.services.addresses.of(request.scope)
    async with guessing(request, asker), throttle.attempt(throttle.guards.mail, address, asker.identity.user_id):
        await asker.services.credentials.request_email(called(request, asker), body.new_email, body.password)
    return Response(status_code=202)


@router.post(
    "/email/confirm",
    status_code=204,
    operation_id="confirmEmail",
    summary="Confirm an address",
    responses=problems_of(401, 409),
)
@guarded(Open.BEARER)
async def confirm_email(request: Request, body: Annotated[ConfirmBody, Body()]) -> Response:
    """By the token of a link. From then on one logs in with the new address; sessions go on."""
    services: Services = request.app.state.services
    throttle = services.throttle
    async with throttle.attempt(throttle.guards.refresh, services.addresses.of(request.scope)):
        request.scope[ABOUT] = await services.credentials.confirm_email(body.token, request.scope["request_id"])
    return Response(status_code=204)


def called(request: Request, asker: Asking) -> Call:
    """Who asks, for a command that takes no key."""
    return Call(asker.identity.workspace_id, asker.identity.user_id, request.scope["request_id"])


def guessing(request: Request, asker: Asking) -> AbstractAsyncContextManager[None]:
    """Who holds a stolen token guesses at the password no faster than who has none."""
    throttle = asker.services.throttle
    return throttle.attempt(throttle.guards.login, asker.services.addresses.of(request.scope), asker.identity.user_id)
