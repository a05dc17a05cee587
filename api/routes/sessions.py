"""Sessions: where one is logged in, and how to end that. One manages one's own alone."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.asking import Asker, Paged
from api.credentials import SessionPage
from api.openapi import problems_of
from api.policies import Open, guarded

router = APIRouter(prefix="/auth/sessions", tags=["auth"])


@router.get(
    "",
    operation_id="listSessions",
    summary="List your sessions",
    response_model=SessionPage,
)
@guarded(Open.SELF)
async def list_sessions(asker: Asker, paging: Paged) -> Response:
    """Where you are logged in, the newest first. `current` is the session that asks."""
    identity = asker.identity
    found = await asker.services.sessions.page(
        identity.workspace_id, identity.user_id, identity.session_id, paging.before, paging.most
    )
    return paging.answer(found)


@router.delete(
    "",
    status_code=204,
    operation_id="revokeOtherSessions",
    summary="End your other sessions",
)
@guarded(Open.SELF)
async def revoke_other_sessions(asker: Asker) -> Response:
    """All but the one that asks. Personal access tokens stay. The password must have been given lately."""
    await asker.proved()
    identity, services = asker.identity, asker.services
    ended = await services.sessions.revoke_all(identity.workspace_id, identity.user_id, but=identity.session_id)
    services.revocations.add(*ended)
    return Response(status_code=204)


@router.delete(
    "/{session_id}",
    status_code=204,
    operation_id="revokeSession",
    summary="End one of your sessions",
    responses=problems_of(404),
)
@guarded(Open.SELF)
async def revoke_session(asker: Asker, session_id: UUID) -> Response:
    """The session and its access tokens end: at once here, within a second everywhere, its sockets within five.

    For another one than one's own, the password must have been given lately.
    """
    identity, services = asker.identity, asker.services
    if str(session_id) != identity.session_id:
        await asker.proved()
    await services.sessions.revoke(identity.workspace_id, identity.user_id, str(session_id))
    services.revocations.add(str(session_id))
    return Response(status_code=204)
