"""What ours is compared with over HTTP: the same two endpoints as FastAPI's own tutorial would write them.

They validate the body and the path and answer a response model; nothing is decided and nothing stored. With `--token`
they also verify an access token each time, in a dependency.
"""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import click
import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.cli.serve import uvicorn_options
from api.documents import AssignBody, AssigneeDocument, NewTask, TaskDocument
from api.signing_keys import ALGORITHM
from api.tokens import AUDIENCE, ISSUER
from domain.task_fields import Priority
from domain.workflow import Category

USER_ID = uuid4()
bearer = HTTPBearer()


def create_app(public_key: jwt.PyJWK | None) -> FastAPI:
    """The app; with a key, every call must bring a token that it verifies."""
    app = FastAPI()

    async def verified(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> dict[str, Any]:
        assert public_key is not None
        try:
            claims: dict[str, Any] = jwt.decode(
                credentials.credentials, public_key.key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.PyJWTError as error:
            raise HTTPException(401, "invalid token") from error
        return claims

    dependencies = [] if public_key is None else [Depends(verified)]

    @app.post("/api/v1/tasks", status_code=201, dependencies=dependencies)
    async def create_task(body: NewTask) -> TaskDocument:
        return _document(uuid4(), body.title, body.description, body.priority, body.due_at, body.tags)

    @app.post("/api/v1/tasks/{task_id}/assign", dependencies=dependencies)
    async def assign_task(task_id: UUID, body: AssignBody) -> TaskDocument:
        return _document(task_id, "a task", "", Priority.NORMAL, None, [], body.user_id)

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _document(
    task_id: UUID,
    title: str,
    description: str,
    priority: Priority,
    due_at: datetime | None,
    tags: list[str],
    user_id: UUID | None = None,
) -> TaskDocument:
    now = datetime.now(UTC)
    return TaskDocument(
        id=task_id,
        version=1,
        position=1,
        title=title,
        description=description,
        status="todo",
        category=Category.OPEN,
        priority=priority,
        start_at=None,
        due_at=due_at,
        due_on=None,
        due_zone=None,
        overdue_since=None,
        assignee=None if user_id is None else AssigneeDocument(type="user", id=user_id),
        project_id=None,
        key=None,
        subtasks=[],
        links=[],
        estimate_minutes=None,
        parent_id=None,
        tags=tags,
        series_id=None,
        occurrence=None,
        followed_by=None,
        created_by=USER_ID,
        created_at=now,
        updated_at=now,
        completed_at=None,
        deleted_at=None,
        purged_at=None,
    )


@click.command()
@click.option("--port", required=True, type=int)
@click.option("--token", "public_key", help="The public key of the tokens, as a JWK.")
def main(port: int, public_key: str | None) -> None:
    """Serve it as ours is served, by uvicorn's own HTTP."""
    key = None if public_key is None else jwt.PyJWK.from_json(public_key)
    options = {**uvicorn_options("127.0.0.1", port, 1), "http": "httptools", "proxy_headers": True}
    uvicorn.run(create_app(key), **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
