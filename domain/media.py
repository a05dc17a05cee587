"""What a file is: by its first bytes, never by what somebody calls it.

A few signatures, and the rule of the WHATWG MIME Sniffing Standard (§7) for what is text. Where many kinds share one
form, text and ZIP archives, the extension of the name says which it is. No library: what is not recognized here is
refused unless the operator lets everything in, so there is nothing to keep up with.
"""

import re
from collections.abc import Mapping
from typing import Final

HEAD_BYTES: Final = 4_096  # so many are looked at

UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
ZIP: Final = "application/zip"

_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (257, b"ustar", "application/x-tar"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"#!", "text/x-script"),
)

# What the extension says of a form that many kinds share.
_BY_EXTENSION: Final[Mapping[str, Mapping[str, str]]] = {
    TEXT: {
        "txt": TEXT,
        "log": TEXT,
        "csv": "text/csv",
        "md": "text/markdown",
        "json": "application/json",
        "yaml": "application/yaml",
        "yml": "application/yaml",
    },
    ZIP: {
        "zip": ZIP,
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "odp": "application/vnd.oasis.opendocument.presentation",
    },
}

_EXTENSIONS: Final[Mapping[str, frozenset[str]]] = {
    "image/png": frozenset({"png"}),
    "image/jpeg": frozenset({"jpg", "jpeg"}),
    "image/gif": frozenset({"gif"}),
    "image/webp": frozenset({"webp"}),
    "image/tiff": frozenset({"tif", "tiff"}),
    "image/avif": frozenset({"avif"}),
    "image/heic": frozenset({"heic"}),
    "video/quicktime": frozenset({"mov"}),
    "video/mp4": frozenset({"mp4", "m4v", "m4a"}),
    "video/webm": frozenset({"webm", "mkv"}),
    "audio/wav": frozenset({"wav"}),
    "audio/mpeg": frozenset({"mp3"}),
    "audio/ogg": frozenset({"ogg", "oga", "opus"}),
    "audio/flac": frozenset({"flac"}),
    "application/pdf": frozenset({"pdf"}),
    "application/gzip": frozenset({"gz", "tgz"}),
    "application/x-7z-compressed": frozenset({"7z"}),
    "application/x-tar": frozenset({"tar"}),
}

KNOWN: Final = frozenset(_EXTENSIONS) | {media for kinds in _BY_EXTENSION.values() for media in kinds.values()}

# Bytes that no text has (MIME Sniffing §3: binary data bytes).
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_WIDE_TEXT: Final = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16
# How what a browser would run begins (MIME Sniffing §7.1), white space, a mark and comments before it left out.
_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->)*<(?:!doctype|\?xml|!--|/?(?:html|head|script|iframe|h1|div|font|table|a|style"
    rb"|title|b|body|br|p|svg|meta|link|img|object|embed|form)[\s/>])",
    re.IGNORECASE | re.DOTALL,
)


def sniff(head: bytes, name: str) -> str:
    """The media type of a file that begins so, where it also has a name that fits; else UNKNOWN."""
    form = _form(head[:HEAD_BYTES])
    extension = extension_of(name)
    if form in _BY_EXTENSION:
        return _BY_EXTENSION[form].get(extension, UNKNOWN) if extension else form
    return form if not extension or extension in _EXTENSIONS.get(form, ()) else UNKNOWN


def extension_of(name: str) -> str:
    """What follows the last dot of a name, in small letters; nothing where that is not short and plain."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem and re.fullmatch(r"[A-Za-z0-9]{1,10}", extension) else ""


def _form(head: bytes) -> str:
    for place, signature, media_type in _SIGNATURES:
        if head[place : place + len(signature)] == signature:
            return media_type
    if _MARKUP.match(head):
        return "text/html"
    return TEXT if head[:2] in _WIDE_TEXT or _BINARY.search(head) is None else UNKNOWN
