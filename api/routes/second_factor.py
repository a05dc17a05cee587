"""The second factor: an authenticator whose code a login asks for, and recovery codes for who has lost it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api.asking import Asker, Asking, document
from api.commanding import Answer, CommandCall, CommandRoute
from api.documents import Body as ClosedBody
from api.openapi import problems_of
from api.people import Code, Password, ProofBody, UserDocument
from api.policies import Open, guarded
from api.routes.credentials import called, guessing
from api.routes.users import answer_user
from domain.policy import Action

router = APIRouter(prefix="/auth/second-factor", tags=["auth"])
commands = APIRouter(prefix="/users", tags=["users"], route_class=CommandRoute)

_PROBLEMS: Any = problems_of(404, 409)


class CodeBody(ClosedBody):
    """A code of the authenticator."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"otp": "492039"}]})

    otp: Code


class BothBody(CodeBody):
    """Everything that one logs in with: `otp` is a code of the authenticator, or a recovery code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "correct horse", "otp": "492039"}]}  # nosec B105
    )

    password: Password


class StandingDocument(BaseModel):
    """Whether a login asks for a second factor, since when, and how many recovery codes are left."""

    enabled: bool
    added_at: datetime | None
    recovery_codes: int


class EnrolmentDocument(BaseModel):
    """What an authenticator is to know: the same as text and as URI. It is not shown again."""

    secret: str
    otpauth_uri: str


class RecoveryDocument(BaseModel):
    """Codes to write down: each is good once instead of the authenticator's. They are not shown again."""

    recovery_codes: list[str]


@router.get(
    "",
    operation_id="getSecondFactor",
    summary="Whether you have a second factor",
    response_model=StandingDocument,
)
@guarded(Open.SELF)
async def get_second_factor(asker: Asker) -> Response:
    """One that was begun and not confirmed is none."""
    identity = asker.identity
    found = await asker.services.second_factors.standing(identity.workspace_id, identity.user_id)
    added_at, left = (None, 0) if found is None else found
    return document({"enabled": found is not None, "added_at": added_at, "recovery_codes": left})


@router.post(
    "",
    status_code=201,
    operation_id="beginSecondFactor",
    summary="Begin to have a second factor",
    response_model=EnrolmentDocument,
    responses=_PROBLEMS,
)
@guarded(Open.SELF)
async def begin(request: Request, asker: Asker, body: Annotated[ProofBody, Body()]) -> Response:
    """Give the secret to your authenticator, then confirm with its code. Beginning again replaces what was begun."""
    services = asker.services
    async with guessing(request, asker):
        await services.credentials.prove(asker.identity.workspace_id, asker.identity.user_id, body.password)
    account = (await services.accounts.profile(asker.identity.workspace_id, asker.identity.user_id))["email"]
    enrolment = await services.second_factors.begin(asker.identity.workspace_id, asker.identity.user_id, account)
    return document(enrolment._asdict(), 201)


@router.post(
    "/confirm",
    operation_id="confirmSecondFactor",
    summary="Have it from now on",
    response_model=RecoveryDocument,
    responses=_PROBLEMS,
)
@guarded(Open.SELF)
async def confirm(request: Request, asker: Asker, body: Annotated[CodeBody, Body()]) -> Response:
    """From now on a login asks for `otp` too. Write the recovery codes down."""
    async with guessing(request, asker):
        codes = await asker.services.second_factors.confirm(called(request, asker), body.otp)
    return document({"recovery_codes": codes})


@router.post(
    "/recovery-codes",
    operation_id="renewRecoveryCodes",
    summary="Get new recovery codes",
    response_model=RecoveryDocument,
    responses=_PROBLEMS,
)
@guarded(Open.SELF)
async def renew(request: Request, asker: Asker, body: Annotated[BothBody, Body()]) -> Response:
    """Those of before are good no longer."""
    await _prove_both(request, asker, body)
    codes = await asker.services.second_factors.renew(asker.identity.workspace_id, asker.identity.user_id)
    return document({"recovery_codes": codes})


@router.post(
    "/remove",
    status_code=204,
    operation_id="removeSecondFactor",
    summary="Have no second factor any more",
    responses=_PROBLEMS,
)
@guarded(Open.SELF)
async def remove(request: Request, asker: Asker, body: Annotated[BothBody, Body()]) -> Response:
    """With the password, and a code or a recovery code. Who has neither asks an admin."""
    await _prove_both(request, asker, body)
    await asker.services.second_factors.remove(called(request, asker), asker.identity.user_id)
    return Response(status_code=204)


@commands.post(
    "/{user_id}/second-factor/reset",
    operation_id="resetSecondFactor",
    summary="Take away a member's second factor",
    response_model=UserDocument,
    responses=problems_of(404, 409),
)
@guarded(Action.USER_RESET_FACTOR)
async def reset(call: CommandCall, user_id: UUID) -> Answer:
    """For admins, once they know who is asking: the member logs in with the password alone. Never for oneself."""
    receipt = await call.services.second_factors.remove(call.call, str(user_id), reset=True)
    return await answer_user(call, receipt)


async def _prove_both(request: Request, asker: Asking, body: BothBody) -> None:
    """Raises `WrongPassword`; it counts as a guess."""
    async with guessing(request, asker):
        await asker.services.credentials.prove(asker.identity.workspace_id, asker.identity.user_id, body.password)
        await asker.services.second_factors.prove(asker.identity.workspace_id, asker.identity.user_id, body.otp)
