"""What a file is, by its first bytes and a name that fits them."""

import pytest

from domain.attachment import NAME_MAX, check_name
from domain.errors import Invalid
from domain.media import HEAD_BYTES, KNOWN, TEXT, UNKNOWN, ZIP, extension_of, sniff

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
SAMPLES = {
    "image/png": (PNG, "a.PNG"),
    "image/jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a.jpeg"),
    "image/gif": (b"GIF89a\x01\x00", "a.gif"),
    "image/webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "a.webp"),
    "video/mp4": (b"\x00\x00\x00 ftypisom\x00\x00", "a.mp4"),
    "application/pdf": (b"%PDF-1.7\n", "a.pdf"),
    "application/zip": (b"PK\x03\x04\x14\x00", "a.zip"),
    "application/vnd.oasis.opendocument.text": (b"PK\x03\x04\x14\x00", "a.odt"),
    "application/x-tar": (b"a.txt".ljust(257, b"\x00") + b"ustar\x0000", "a.tar"),
    "text/plain": ("ünïcode\n".encode(), "a.txt"),
    "text/csv": (b"a;b\r\n\xe4;1\r\n", "figures.csv"),
    "text/markdown": (b"# Head\n", "README.md"),
    "application/json": (b'{"a": 1}', "a.json"),
}


@pytest.mark.parametrize("media_type", SAMPLES)
def test_a_file_is_what_its_bytes_and_its_name_say_together(media_type: str) -> None:
    head, name = SAMPLES[media_type]
    assert sniff(head, name) == media_type
    assert media_type in KNOWN
    assert sniff(head, name.rpartition(".")[0]) in (media_type, TEXT, ZIP), "without an extension the bytes alone count"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"MZ\x90\x00", "photo.png"),
        (b"\x7fELF\x02", "report.pdf"),
        (b"#!/bin/sh\nrm", "notes.txt"),
        (PNG, "photo.exe"),
        (PNG, "photo.jpg"),
        (b"plain text", "run.bat"),
        (b"plain text", "page.html"),
        (b"PK\x03\x04", "app.jar"),
        (b"\x00\x01\x02", "data.bin"),
        (b"text, and then \x00", "notes.txt"),
        (b"<!DOCTYPE html>", "notes.txt"),
        (b"  <!-- x -->\n<SCRIPT>", "notes.txt"),
        (b"\xef\xbb\xbf<html>", "notes.md"),
        (b"<?xml version='1.0'?><svg/>", "drawing.txt"),
        (b"<svg onload=x>", "drawing.svg"),
    ],
)
def test_what_does_not_fit_together_or_would_be_run_is_nothing_that_is_known(head: bytes, name: str) -> None:
    assert sniff(head, name) not in KNOWN


def test_text_may_be_of_any_alphabet_and_have_signs_in_it() -> None:
    for text in ("a < b && c > d", "<3", "<b", "\ufeffa"):
        assert sniff(text.encode(), "a.txt") == TEXT, text
    assert sniff("größer".encode("utf-16"), "a.txt") == TEXT
    assert sniff(b"a" * HEAD_BYTES + b"\x00", "a.txt") == TEXT, "only the first bytes are looked at"
    assert sniff(b"\x00", "") == UNKNOWN


def test_the_extension_is_what_follows_the_last_dot() -> None:
    found = {name: extension_of(name) for name in ("a.tar.GZ", ".profile", "a.", "a", "a.b c", "a.txt ", "")}
    assert found == {"a.tar.GZ": "gz", ".profile": "", "a.": "", "a": "", "a.b c": "", "a.txt ": "", "": ""}


@pytest.mark.parametrize("name", ["a.txt", "Bericht ünïcode 😀.pdf", "..a", "a" * NAME_MAX, '"quoted".txt'])
def test_a_file_may_be_called(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "../a", "a/b", "a\\b", "a\nb", "a\x00", ".", "..", "txt.\u202eexe.", "a" * (NAME_MAX + 1)]
)
def test_a_file_may_not_be_called(name: str) -> None:
    with pytest.raises(Invalid):
        check_name(name)
