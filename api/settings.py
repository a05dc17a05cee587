"""Settings, from the environment alone: `TASKFOLD_DATABASE_URL` and so on. A wrong one stops the start."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from api.defence.addresses import Network, networks
from commands.blob_disk import DiskBlobs
from commands.blobs import Limits
from commands.breached import Breached
from domain.media import KNOWN

PREFIX = "TASKFOLD_"


class SettingsError(RuntimeError):
    """A setting is missing or wrong; the text says which, what it was and what was expected."""


class Settings(BaseModel):
    """Everything that can be set. The field `database_url` is the variable `TASKFOLD_DATABASE_URL`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[str, Field(pattern="^postgres(ql)?://", description="the serving role's database")]
    migrate_url: Annotated[str | None, Field(description="the owner's; only `taskfold migrate` uses it")] = None
    redis_url: Annotated[str, Field(pattern="^(rediss?|unix)://")]
    secret_key: Annotated[str, Field(min_length=32, description="signs tokens; keep it, and keep it secret")]
    signup: Literal["open", "invite", "closed"] = "invite"
    public_url: Annotated[
        str, Field(pattern=r"^https?://[^/\s][^\s#?]*$", description="where people reach us: for links in mails")
    ] = "http://localhost:8000"
    smtp_url: Annotated[
        str | None,
        Field(
            pattern=r"^(smtps|smtp|smtp\+plain)://[^/]",
            description="who takes our mails; none: they stay in the outbox",
        ),
    ] = None
    mail_from: Annotated[str, Field(pattern=r"^[^\r\n]*[^@\s<]+@[^@\s>]+>?$", description="the sender of mails")] = (
        "taskfold@localhost"
    )
    cors_origins: Annotated[str, Field(description="comma-separated origins that may call from a browser")] = ""
    trusted_proxies: Annotated[str, Field(description="comma-separated networks of our own proxies")] = ""
    login_failures: Annotated[int, Field(ge=1, description="of an account from one address in 15 minutes")] = 10
    registrations: Annotated[int, Field(ge=1, description="from one network in 15 minutes")] = 100
    breached_passwords: Annotated[
        str | None, Field(description="a file of the SHA-1 hashes of passwords that are refused, sorted")
    ] = None
    invites: Annotated[int, Field(ge=1, description="by one member in 15 minutes")] = 100
    rate_seconds: Annotated[float, Field(ge=1, le=3_600, description="the window of the three limits")] = 10.0
    rate_token: Annotated[int, Field(ge=1)] = 5_000
    rate_account: Annotated[int, Field(ge=1)] = 10_000
    rate_address: Annotated[int, Field(ge=1)] = 20_000
    request_seconds: Annotated[float, Field(ge=1, le=3_600)] = 30.0
    hsts: Annotated[Literal["on", "off"], Field(description="whether clients may only use HTTPS")] = "off"
    log_format: Literal["auto", "json", "text"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    read_wait_ms: Annotated[int, Field(ge=0, le=60_000)] = 2_000
    command_wait_ms: Annotated[int, Field(ge=100, le=60_000)] = 10_000
    pool_size: Annotated[int, Field(ge=2, le=100)] = 10
    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 2_000_000
    blobs_dir: Annotated[str | None, Field(description="the folder where files are kept; none: none are")] = None
    attachment_bytes: Annotated[int, Field(ge=1, le=10_000_000_000, description="of one file")] = 25_000_000
    attachment_types: Annotated[str, Field(description="comma-separated media types that are taken; *: any")] = (
        "image/png,image/jpeg,image/gif,image/webp,image/avif,image/heic,image/tiff,"
        "video/mp4,video/webm,video/quicktime,audio/mpeg,audio/ogg,audio/wav,audio/flac,"
        "application/pdf,text/plain,text/csv,text/markdown,application/json,application/yaml,application/zip,"
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document,"
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,"
        "application/vnd.openxmlformats-officedocument.presentationml.presentation,"
        "application/vnd.oasis.opendocument.text,application/vnd.oasis.opendocument.spreadsheet,"
        "application/vnd.oasis.opendocument.presentation"
    )
    import_bytes: Annotated[int, Field(ge=1, le=2_000_000_000, description="of one file of tasks")] = 200_000_000
    upload_seconds: Annotated[float, Field(ge=1, le=3_000, description="for the bytes of one file")] = 600.0
    access_token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    second_factor: Annotated[
        Literal["optional", "required"], Field(description="whether who has none may do more than add one")
    ] = "optional"
    proof_seconds: Annotated[int, Field(ge=60, le=86_400, description="how long a given password is proof")] = 3_600
    trash_days: Annotated[int, Field(ge=0, le=36_500, description="until the trash is emptied; 0: never")] = 30
    drift_seconds: Annotated[float, Field(ge=0, le=86_400, description="between two looks for drift; 0: none")] = 10.0
    socket_ping_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    metrics: Annotated[Literal["on", "off"], Field(description="whether there is a page for Prometheus")] = "on"
    metrics_token: Annotated[str | None, Field(min_length=16, description="who reads metrics must send it")] = None
    metrics_dir: Annotated[str | None, Field(description="where processes that share a port add up metrics")] = None
    work_metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    work_metrics_port: Annotated[int | None, Field(ge=0, le=65_535, description="a worker's metrics")] = None
    socket_send_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    socket_buffer: Annotated[int, Field(ge=1, description="tasks whose changes may wait for a slow socket")] = 1_000

    @field_validator("attachment_types")
    @classmethod
    def _are_known(cls, value: str) -> str:
        unknown = sorted(media_types(value) - KNOWN - {"*"})
        if unknown:
            raise ValueError(f"must be * or media types that are recognized, of which {unknown[0]!r} is none")
        return value

    @property
    def trash(self) -> timedelta | None:
        """How long things lie in the trash; None: for ever."""
        return timedelta(days=self.trash_days) or None

    @property
    def files(self) -> Limits:
        """What files there may be."""
        return Limits(self.attachment_bytes, media_types(self.attachment_types))

    @property
    def blobs(self) -> DiskBlobs | None:
        """Where files are kept."""
        return None if self.blobs_dir is None else DiskBlobs(Path(self.blobs_dir))

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks(value)
        return value

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks whose word is taken for who asks."""
        return networks(self.trusted_proxies)

    @field_validator("breached_passwords")
    @classmethod
    def _is_a_file_of_hashes(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Breached(value).close()
            except OSError as error:
                raise ValueError(f"cannot be read: {error.strerror}") from error
        return value

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, value: str | None) -> str | None:
        try:
            named = value is None or bool(urlsplit(value).hostname and urlsplit(value).port != 0)
        except ValueError:
            named = False
        if not named:
            raise ValueError("must be scheme://user:password@host:port")  # and not what it is: it holds a password
        return value

    @property
    def origins(self) -> list[str]:
        """The origins that may call from a browser."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]


def prepare(settings: Settings) -> None:
    """See to it that files can be kept, where they are to be. Raises `SettingsError`."""
    try:
        if settings.blobs is not None:
            settings.blobs.prepare()
    except OSError as error:
        detail = f"must be a folder that can be written to, got {settings.blobs_dir!r}: {error.strerror}"
        raise SettingsError(f"{PREFIX}BLOBS_DIR: {detail}") from error


def media_types(text: str) -> frozenset[str]:
    """Those that a comma list names."""
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def load(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment; an empty one is not set. Raises `SettingsError` naming every wrong one."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if value and name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in Settings.model_fields
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        lines = [f"{PREFIX}{str(part['loc'][0]).upper()}: {_reason(dict(part))}" for part in error.errors()]
        raise SettingsError("; ".join(lines)) from error


def _reason(error: dict[str, object]) -> str:
    if error["type"] == "missing":
        return "is not set"
    secret = error["loc"] in (("secret_key",), ("database_url",), ("redis_url",), ("metrics_token",), ("smtp_url",))
    return f"{error['msg']}" if secret else f"{error['msg']}, got {error['input']!r}"
