"""Who asks in a round: somebody with one role, whom no request can shut out for good.

Requests that are made up end sessions, change roles and passwords and deactivate people, the asker among them. That is
part of the contract too, so none is left out; the asker logs in again, and a keeper, an admin who asks nothing else,
undoes what was done to them.
"""

from typing import Any, Final

import httpx
from schemathesis import Case, Response

PASSWORDS: Final = ("correct horse", "battery staple")  # as in the examples, so that one of them is changed
ENDED: Final = {"auth.session_revoked", "auth.deactivated", "auth.token_revoked", "auth.token_expired"}
READER: Final = "reader"  # an admin's personal access token that may only read
ROLES: Final = ("admin", "manager", "member", "auditor", READER)


class Account:
    """Somebody with a password."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self.http = http
        self.email = f"{name}@example.com"
        self.password = PASSWORDS[0]
        body = {"email": self.email, "password": self.password, "display_name": name}
        self.tokens = _done(http.post("/auth/register", json=body))

    @property
    def id(self) -> str:
        return str(self.tokens["user"]["id"])

    def log_in(self) -> bool:
        """Have a session again, if the account is open."""
        answer = self.http.post("/auth/login", json={"email": self.email, "password": self.password})
        if answer.is_success:
            self.tokens = answer.json()
        return answer.is_success

    def ask(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Once more with a new session, where the one before has ended."""
        answer = self._ask(method, path, json)
        return self._ask(method, path, json) if answer.status_code == 401 and self.log_in() else answer

    def _ask(self, method: str, path: str, json: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return self.http.request(method, path, json=json, headers=headers)


class Persona:
    """The one who asks, and the keeper."""

    def __init__(self, base: str, role: str) -> None:
        self.http = httpx.Client(base_url=f"{base}/api/v1", timeout=30)
        self.role = "admin" if role == READER else role
        self.reads = role == READER
        self.keeper = Account(self.http, "keeper")
        self.own = Account(self.http, "asker")
        self.logins = 0
        self.mendings = 0
        # What was made or deleted long before, by a request with the same key, or came out of the trash again.
        self.revived: set[str] = set()
        self._furnish()
        self._give_role()
        self.token = self._issue()
        self._ended = self._demoted = False

    def _furnish(self) -> None:
        """A team, a project, and tasks, one in the trash: so that lists are not empty."""
        team = _done(self.keeper.ask("POST", "/teams", {"name": "a team"}))
        _done(self.keeper.ask("PUT", f"/teams/{team['id']}/members/{self.own.id}", {"role": "lead"}))
        project = _done(self.keeper.ask("POST", "/projects", {"name": "a project", "key": "HQ"}))
        _done(self.keeper.ask("PUT", f"/projects/{project['id']}/members/{self.own.id}", {"role": "lead"}))
        _done(self.own.ask("POST", "/tasks", {"title": "plan", "project_id": project["id"]}))
        for number in range(3):
            task = _done(self.own.ask("POST", "/tasks", {"title": f"report {number}", "tags": ["q4"]}))
        _done(self.own.ask("DELETE", f"/tasks/{task['id']}"))

    def _give_role(self) -> None:
        _done(self.keeper.ask("PUT", f"/users/{self.own.id}/role", {"role": self.role}))

    def _issue(self) -> str:
        if not self.reads:
            return str(self.own.tokens["access_token"])
        return str(_done(self.own.ask("POST", "/auth/tokens", {"name": "reader", "scopes": ["read"]}))["token"])

    def current(self) -> str:
        """A token that is good now."""
        if self._demoted:
            self._mend()
            self._demoted = False
        if self._ended:
            if not self.own.log_in():
                self._mend()
                assert self.own.log_in(), "the asker cannot come back"
            self.logins += 1
            self.token = self._issue()
            self._ended = False
        return self.token

    def _mend(self) -> None:
        """The keeper may have been shut out too; while the asker is an admin they help each other."""
        self.mendings += 1
        if not self.keeper.log_in():
            _done(self.own.ask("POST", f"/users/{self.keeper.id}/reactivate"))
        if self.keeper.ask("GET", "/users/profile").json()["role"] != "admin":
            _done(self.own.ask("PUT", f"/users/{self.keeper.id}/role", {"role": "admin"}))
        _done(self.keeper.ask("POST", f"/users/{self.own.id}/reactivate"))
        self._give_role()

    def _settle(self, position: str) -> None:
        """Reads follow the log by some milliseconds, unless they ask for a position, which not all of these do."""
        for path in (
            "/tasks?q=report&",
            "/teams?",
            "/users?",
            "/projects?",
            "/workflows?",
            "/templates?",
            "/notifications?",
        ):
            self.keeper.ask("GET", f"{path}limit=1&min_position={position}")

    def hear(self, case: Case[Any], response: Response) -> None:
        """Take note of what an answer did to the asker."""
        path = str(response.request.url)
        if response.status_code < 300 and "taskfold-position" in response.headers and case.method != "GET":
            self._settle(response.headers["taskfold-position"][0])
        if "idempotency-replayed" in response.headers or (
            response.status_code == 200 and case.path.endswith("/restore")
        ):
            self.revived.add(str(response.json().get("id")))
        if response.status_code == 401 and _code(response) in ENDED:
            self._ended = True
        if response.status_code == 204 and path.endswith("/auth/password") and isinstance(case.body, dict):
            self.own.password = str(case.body["new_password"])
        if response.status_code == 200 and path.split("?")[0].endswith(
            (f"{self.own.id}/role", f"{self.keeper.id}/role")
        ):
            self._demoted = True
        if response.status_code == 200 and path.split("?")[0].endswith(f"{self.keeper.id}/deactivate"):
            self._demoted = True


def _code(response: Response) -> str:
    try:
        return str(response.json().get("code"))
    except ValueError:
        return ""


def _done(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    return answer.json()
