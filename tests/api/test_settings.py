"""Settings: a wrong one stops the start with a line that names it."""

from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings, SettingsError, load, prepare
from domain.media import KNOWN

RIGHT = {
    "TASKFOLD_DATABASE_URL": "postgresql://a:password@b/c",  # pragma: allowlist secret
    "TASKFOLD_REDIS_URL": "redis://d",
    "TASKFOLD_SECRET_KEY": "s" * 32,
}


def test_what_is_set_is_read_and_the_rest_has_defaults() -> None:
    settings = load({**RIGHT, "TASKFOLD_CORS_ORIGINS": " https://a , ,https://b", "TASKFOLD_UNKNOWN": "x", "PATH": "y"})
    assert settings.database_url == RIGHT["TASKFOLD_DATABASE_URL"]
    assert settings.origins == ["https://a", "https://b"]
    assert (settings.signup, settings.log_format, settings.read_wait_ms) == ("invite", "auto", 2_000)
    assert load(RIGHT).origins == []


def test_an_empty_setting_is_none() -> None:
    """So that a file of settings can name all of them."""
    assert load({**RIGHT, "TASKFOLD_SMTP_URL": "", "TASKFOLD_SIGNUP": ""}) == load(RIGHT)
    with pytest.raises(SettingsError, match="TASKFOLD_SECRET_KEY: is not set"):
        load({**RIGHT, "TASKFOLD_SECRET_KEY": ""})


def test_where_mails_go_is_read() -> None:
    given = {
        "PUBLIC_URL": "https://tasks.example/app",
        "SMTP_URL": "smtp+plain://mail.example:2525",
        "MAIL_FROM": "Tasks <tasks@example.org>",
    }
    settings = load({**RIGHT, **{f"TASKFOLD_{name}": value for name, value in given.items()}})
    assert {name: getattr(settings, name.lower()) for name in given} == given


def test_every_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        load({})
    assert str(refused.value) == "; ".join(f"{name}: is not set" for name in RIGHT)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SIGNUP", "maybe", "got 'maybe'"),
        ("LOG_FORMAT", "xml", "got 'xml'"),
        ("LOG_LEVEL", "LOUD", "got 'LOUD'"),
        ("READ_WAIT_MS", "soon", "got 'soon'"),
        ("READ_WAIT_MS", "-1", "greater than or equal to 0"),
        ("POOL_SIZE", "1", "got '1'"),
        ("MAX_BODY_BYTES", "1", "got '1'"),
        ("ATTACHMENT_TYPES", "image/png,text/html", "'text/html' is none"),
        ("UPLOAD_SECONDS", "3601", "less than or equal to 3000"),
        ("SOCKET_PING_SECONDS", "0", "got '0'"),
        ("DATABASE_URL", "mysql://u:hunter2@x", "pattern"),  # pragma: allowlist secret
        ("REDIS_URL", "http://hunter2", "pattern"),
        ("SECRET_KEY", "hunter2", "32"),
        ("SMTP_URL", "mail.example:hunter2", "pattern"),
        ("SMTP_URL", "smtp://user:password@mail.example:hunter2", "must be scheme://user:password@host:port"),
        ("SMTP_URL", "smtp://u:hunter2@", "must be scheme://user:password@host:port"),
        ("SMTP_URL", "smtp://mail.example:0", "must be scheme://user:password@host:port"),
        ("MAIL_FROM", "nobody", "got 'nobody'"),
        ("MAIL_FROM", "a@b\nBcc: c@d", "got 'a@b"),
        ("PUBLIC_URL", "tasks.example", "got 'tasks.example'"),
        ("PUBLIC_URL", "https://tasks.example/#here", "got 'https://tasks.example/#here'"),
    ],
)
def test_a_wrong_setting_is_named_but_secrets_are_not_shown(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({**RIGHT, f"TASKFOLD_{name}": value})
    assert str(refused.value).startswith(f"TASKFOLD_{name}: ")
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_settings_never_change() -> None:
    settings: Any = Settings(database_url="postgres://a", redis_url="unix://b", secret_key="s" * 32)
    with pytest.raises(ValueError, match="frozen"):
        settings.signup = "open"


def test_a_place_for_files_is_made_and_one_that_cannot_be_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "some" / "where"
    prepare(load({**RIGHT, "TASKFOLD_BLOBS_DIR": str(place)}))
    assert (place.is_dir(), list(place.iterdir())) == (True, [])
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"TASKFOLD_BLOBS_DIR: must be a folder that can be written to, got .*file"):
        prepare(load({**RIGHT, "TASKFOLD_BLOBS_DIR": str(tmp_path / "file")}))
    prepare(load(RIGHT))


def test_which_files_are_taken_is_read() -> None:
    assert load(RIGHT).files.types < KNOWN
    read = load({**RIGHT, "TASKFOLD_ATTACHMENT_TYPES": " image/png ,*,", "TASKFOLD_ATTACHMENT_BYTES": "5"}).files
    assert (read.types, read.most_bytes) == (frozenset({"image/png", "*"}), 5)
