"""What stands before every request, wired once."""

from dataclasses import dataclass
from typing import Self

from api.defence.addresses import Addresses
from api.defence.cors import Cors
from api.defence.deadlines import Deadlines
from api.defence.headers import Fixed
from api.defence.rates import Limits, Rates
from api.settings import Settings

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Front:
    """The parts, by name."""

    addresses: Addresses
    rates: Rates
    fixed: Fixed
    cors: Cors | None
    deadlines: Deadlines

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        limits = Limits(settings.rate_seconds, settings.rate_token, settings.rate_account, settings.rate_address)
        return cls(
            addresses=Addresses(settings.proxies),
            rates=Rates(limits, settings.secret_key),
            fixed=Fixed(limits.policy, hsts=settings.hsts == "on"),
            cors=Cors(settings.origins) if settings.origins else None,
            deadlines=Deadlines(settings.request_seconds),
        )

    @classmethod
    def open(cls) -> Self:
        """With limits that nobody reaches."""
        limits = Limits(60, 10**9, 10**9, 10**9)
        return cls(Addresses(()), Rates(limits, ""), Fixed(limits.policy, hsts=False), None, Deadlines(3_600))
