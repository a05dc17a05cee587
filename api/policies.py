"""Which policy guards a route: each endpoint names it, OpenAPI shows it, and a test refuses those that name none."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

from domain.policy import Action


class Open(StrEnum):
    """Policies of routes that are about no thing of a workspace."""

    PUBLIC = "public"  # nobody is asked who they are
    BEARER = "bearer"  # whoever holds the secret that the request carries: a refresh token, an invite, a mailed link
    SELF = "self"  # any member, about what is their own alone


_NAME: Final = "policy"

E = TypeVar("E", bound=Callable[..., Any])


def guarded(policy: Action | Open) -> Callable[[E], E]:
    """Name the policy of an endpoint. The rule itself is applied where the decision is made: see `domain/policy.py`."""

    def name(endpoint: E) -> E:
        setattr(endpoint, _NAME, policy)
        return endpoint

    return name


def policy_of(endpoint: Callable[..., Any] | None) -> Action | Open | None:
    """The policy that an endpoint names."""
    return getattr(endpoint, _NAME, None)
