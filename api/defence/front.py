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
FORM_BYTES = 16_384  # what a form adds to a file
UPLOADS = "/attachments"  # how the paths end to which files are sent
IMPORTS = f"{BASE}/tasks/import"


@dataclass(frozen=True, slots=True)
class Uploads:
    """How a request that sends a file differs: it may be larger, and take so many seconds more."""

    most_bytes: int
    more_seconds: float


@dataclass(frozen=True, slots=True)
class Front:
    """The parts, by name."""

    addresses: Addresses
    rates: Rates
    fixed: Fixed
    cors: Cors | None
    deadlines: Deadlines
    uploads: Uploads
    imports: Uploads

    def upload(self, method: str, path: str) -> Uploads | None:
        """How a request differs that sends a file; None where it sends none."""
        if method != "POST":
            return None
        return self.uploads if path.endswith(UPLOADS) else self.imports if path == IMPORTS else None

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
            uploads=Uploads(settings.attachment_bytes + FORM_BYTES, settings.upload_seconds - settings.request_seconds),
            imports=Uploads(settings.import_bytes, settings.upload_seconds - settings.request_seconds),
        )

    @classmethod
    def open(cls) -> Self:
        """With limits that nobody reaches."""
        limits = Limits(60, 10**9, 10**9, 10**9)
        return cls(
            Addresses(()),
            Rates(limits, ""),
            Fixed(limits.policy, hsts=False),
            None,
            Deadlines(3_600),
            Uploads(10**9, 0),
            Uploads(10**9, 0),
        )
