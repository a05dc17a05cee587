"""Time zones, languages and preferences: what is taken, and what is refused with a pointer to it."""

from typing import Any

import pytest

from commands.preferences import LOCALE_MAX, check_locale, check_preferences, check_time_zone
from domain.errors import Invalid


def pointer_of(refused: pytest.ExceptionInfo[Invalid]) -> str:
    return str(refused.value.extra["errors"][0]["pointer"])


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_time_zone_is_one_of_iana(name: str) -> None:
    assert check_time_zone(name) == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "europe/berlin", "../etc/passwd", "/etc/localtime", "UTC\x00", "Factory"]
)
def test_another_name_is_no_time_zone(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_time_zone(name)
    assert (refused.value.code, pointer_of(refused)) == ("profile.time_zone", "/time_zone")


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("en", "en"),
        ("DE-ch", "de-CH"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("de-CH-1996", "de-CH-1996"),
        ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
        ("en-US-x-ACME-ab", "en-US-x-acme-ab"),
        ("zh-cmn-Hans-CN", "zh-cmn-Hans-CN"),
    ],
)
def test_a_language_tag_is_kept_in_its_usual_case(tag: str, kept: str) -> None:
    assert check_locale(tag) == kept


@pytest.mark.parametrize(
    "tag",
    ["", "e", "en_US", "en-", "-en", "en--US", "english-language", "en-US-u", "en-x", "d\u00e9", "en\n", "a" * 100],
)
def test_another_text_is_no_language_tag(tag: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_locale(tag)
    assert (refused.value.code, pointer_of(refused)) == ("profile.locale", "/locale")


def test_a_language_tag_has_an_end() -> None:
    assert check_locale("en" + "-x" + "-abcdefg" * 5)
    with pytest.raises(Invalid):
        check_locale("en" + "-u" + "-abcdefg" * (LOCALE_MAX // 8 + 1))


@pytest.mark.parametrize(
    "preferences",
    [
        {},
        {"notifications": {}},
        {"notifications": {"task.assigned": True, "comment.mentioned": False}},
        {"default_view": "my board"},
        {"default_view": None},
        {"theme": "dark", "columns": [1, {"a": None}]},
    ],
)
def test_preferences_are_kept_as_they_are(preferences: dict[str, Any]) -> None:
    assert check_preferences(preferences) == preferences


@pytest.mark.parametrize(
    ("preferences", "pointer"),
    [
        ({"notifications": None}, "/preferences/notifications"),
        ({"notifications": ["task.assigned"]}, "/preferences/notifications"),
        ({"notifications": {"Task Assigned": True}}, "/preferences/notifications"),
        ({"notifications": {"a" * 51: True}}, "/preferences/notifications"),
        (
            {"notifications": {f"{a}{b}": True for a in "abcdefghijk" for b in "abcdefghijk"}},
            "/preferences/notifications",
        ),
        ({"notifications": {"task.assigned": "yes"}}, "/preferences/notifications/task.assigned"),
        ({"notifications": {"task.assigned": 1}}, "/preferences/notifications/task.assigned"),
        ({"default_view": 7}, "/preferences/default_view"),
        ({"default_view": ""}, "/preferences/default_view"),
        ({"default_view": "x" * 101}, "/preferences/default_view"),
    ],
)
def test_what_the_program_knows_has_its_form(preferences: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_preferences(preferences)
    assert pointer_of(refused) == pointer
