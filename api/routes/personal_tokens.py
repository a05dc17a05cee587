"""Personal access tokens: what a person gives a program instead of a password. One manages one's own alone."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Response

from api.asking import Asker, Paged, document
from api.credentials import NewToken, NewTokenBody, TokenPage
from api.defence.body import sound_body
from api.openapi import problems_of
from api.policies import Open, guarded

router = APIRouter(prefix="/auth/tokens", tags=["auth"], dependencies=[Depends(sound_body)])


@router.get(
    "",
    operation_id="listTokens",
    summary="List your personal access tokens",
    response_model=TokenPage,
)
@guarded(Open.SELF)
async def list_tokens(asker: Asker, paging: Paged) -> Response:
    """Those that were not revoked, expired ones too, the newest first. The tokens themselves are not shown again."""
    identity, tokens = asker.identity, asker.services.personal
    return paging.answer(await tokens.page(identity.workspace_id, identity.user_id, paging.before, paging.most))


@router.post(
    "",
    status_code=201,
    operation_id="createToken",
    summary="Make a personal access token",
    response_model=NewToken,
    responses=problems_of(409),
)
@guarded(Open.SELF)
async def create_token(asker: Asker, body: Annotated[NewTokenBody, Body()]) -> Response:
    """The answer is the only one that shows the token. It works wherever an access token does, as far as its scopes.

    The password must have been given lately: a token outlives the session.
    """
    await asker.proved()
    shown, token = await asker.services.personal.create(
        asker.identity.workspace_id,
        asker.identity.user_id,
        name=body.name,
        scopes=[scope.value for scope in body.scopes],
        days=body.expires_in_days,
    )
    return document({**asdict(shown), "token": token}, 201)


@router.delete(
    "/{token_id}",
    status_code=204,
    operation_id="revokeToken",
    summary="Revoke a personal access token",
    responses=problems_of(404),
)
@guarded(Open.SELF)
async def revoke_token(asker: Asker, token_id: UUID) -> Response:
    """It ends at once here, within a second everywhere, its sockets within five."""
    await asker.services.personal.revoke(asker.identity.workspace_id, asker.identity.user_id, str(token_id))
    asker.services.revocations.add(str(token_id))
    return Response(status_code=204)
