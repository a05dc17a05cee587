"""Files at tasks over HTTP: streamed both ways, judged by their content, kept and removed with what names them."""

import asyncio
import errno
import hashlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection

from api.downloads import disposition
from api.failpoints import FailpointError
from api.sweeper import Sweeper
from commands.attachments import forget_due, wanted
from commands.blob_disk import DiskBlobs
from commands.blobs import Blob
from domain import failpoints
from tests.house import Client, Database, House, Servers, position_of, refused

PDF = b"%PDF-1.7\n" + random.Random(1).randbytes(700_000)


async def put(client: Client, path: str, name: str = "report.pdf", data: bytes = PDF, **headers: str) -> httpx.Response:
    """As `curl -F file=@…` does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.http.post(path, files={"file": (name, data)}, headers={**client.headers, **named})


async def fetch(client: Client, path: str, **headers: str) -> httpx.Response:
    return await client.http.get(f"{path}/content", headers={**client.headers, **headers})


def files(house: House) -> list[Path]:
    assert house.settings.blobs_dir is not None
    return [path for path in Path(house.settings.blobs_dir).rglob("*") if path.is_file()]


async def test_a_file_is_put_at_a_task_read_and_taken_away(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    task = await ada.task(assignee={"id": bob.id})
    path = f"/tasks/{task['id']}/attachments"
    answer = await put(bob, path, "Bericht ünïcode 😀.pdf", idempotency_key="a")
    file = answer.json()
    own = f"{path}/{file['id']}"
    assert (answer.status_code, answer.headers["Location"], answer.headers["ETag"]) == (201, f"/api/v1{own}", '"1"')
    name = "Bericht ünïcode 😀.pdf"
    known = {"name": name, "size": len(PDF), "media_type": "application/pdf", "created_by": bob.id}
    assert {**file, **known, "task_id": task["id"], "sha256": hashlib.sha256(PDF).hexdigest()} == file
    again = await put(bob, path, "Bericht ünïcode 😀.pdf", idempotency_key="a")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (file, "true")
    other = await put(bob, path, "Bericht.pdf", idempotency_key="a")
    refused(other, 422, "idempotency.key_reused")

    listed = await ada.get(path)
    assert (listed.json(), listed.headers["ETag"]) == ({"items": [file], "next_cursor": None}, '"1"')
    assert (await ada.get(own)).json() == file
    content = await fetch(ada, own)
    assert content.content == PDF
    assert content.headers["content-type"] == "application/pdf"
    assert content.headers["content-disposition"] == disposition(name)
    assert content.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in content.headers.get_list("content-security-policy")
    assert content.headers["cache-control"] == "no-store"
    assert content.headers["Taskfold-Position"] == answer.headers["Taskfold-Position"]

    refused(await bob.call("DELETE", own, if_match='"0"'), 412, "precondition.failed")
    removed = await bob.call("DELETE", own, if_match='"1"')
    assert (removed.json(), removed.headers["ETag"]) == ({"items": [], "next_cursor": None}, '"2"')
    for gone in (await bob.get(own), await fetch(bob, own), await bob.call("DELETE", own)):
        refused(gone, 404, "attachment.not_found")
    assert (await ada.get(f"/tasks/{task['id']}")).json()["version"] == task["version"]


async def test_bare_bytes_do_as_well_as_a_form(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    bare = await ada.http.post(f"{path}?name=notes.txt", content=b"one\n", headers=ada.headers)
    formed = await put(ada, path, "notes.txt", b"one\n")
    assert (bare.status_code, bare.json()["sha256"]) == (201, formed.json()["sha256"])
    assert len(files(house)) == 1, "equal bytes are kept once"
    refused(await ada.http.post(path, content=b"one\n", headers=ada.headers), 422, "attachment.name")


def ranges() -> Iterator[tuple[str, slice]]:
    yield "bytes=0-9", slice(0, 10)
    yield "bytes=-10", slice(-10, None)
    yield "bytes=262140-262150", slice(262_140, 262_151)
    yield f"bytes=699000-{10**9}", slice(699_000, None)
    yield "bytes=700000-", slice(700_000, None)


async def test_a_download_is_resumed_by_range(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    own = f"{path}/{(await put(ada, path)).json()['id']}"
    for asked, part in ranges():
        answer = await fetch(ada, own, Range=asked)
        assert (answer.status_code, answer.content) == (206, PDF[part]), asked
        start, end, _ = part.indices(len(PDF))
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(PDF)}"
        same = await fetch(ada, own, Range=asked, **{"If-Range": answer.headers["etag"]})
        assert same.status_code == 206
        whole = await fetch(ada, own, Range=asked, **{"If-Range": '"another"'})
        assert (whole.status_code, whole.content) == (200, PDF)
    for whole_of in ("bytes=0-1,5-6", "bytes=5-1", "bytes=-", "lines=0-1", "bytes=a-b"):
        assert (await fetch(ada, own, Range=whole_of)).status_code == 200
    for past in (f"bytes={len(PDF)}-", "bytes=-0"):
        answer = await fetch(ada, own, Range=past)
        refused(answer, 416, "request.range")
        assert answer.headers["content-range"] == f"bytes */{len(PDF)}"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("report.pdf", "report.pdf"),
        ('a"b;c.txt', "a_b;c.txt"),
        ("naïve 😀.txt", "na_ve _.txt"),
        ("100%.txt", "100_.txt"),
    ],
)
def test_a_name_is_said_so_that_old_and_new_clients_understand_it(name: str, plain: str) -> None:
    said = disposition(name)
    assert said.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''")
    assert httpx.URL(f"http://a/{said.rpartition(chr(39))[2]}").path == f"/{name}"
    assert said.isascii()


FORMS: dict[str, tuple[str, bytes, int, str]] = {
    "two files": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na\r\n' * 2 + b"--b--\r\n",
        422,
        "request.invalid",
    ),
    "no file": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--b--\r\n',
        422,
        "request.invalid",
    ),
    "an empty name": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\na\r\n--b--\r\n',
        422,
        "attachment.name",
    ),
    "no end": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na',
        400,
        "request.malformed",
    ),
    "nothing": ("multipart/form-data; boundary=b", b"", 422, "request.invalid"),
    "no boundary": ("multipart/form-data", b"--b\r\n", 400, "request.malformed"),
    "a long boundary": (f"multipart/form-data; boundary={'b' * 300}", b"--b\r\n", 400, "request.malformed"),
    "no form": ("multipart/form-data; boundary=b", b"%PDF-1.7\n", 400, "request.malformed"),
    "a folder": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="../a.txt"\r\n\r\na\r\n--b--\r\n',
        422,
        "attachment.name",
    ),
    "an empty file": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n\r\n--b--\r\n',
        422,
        "attachment.empty",
    ),
    "a program": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nMZ\x90\x00\r\n--b--\r\n',
        415,
        "attachment.type",
    ),
}


async def test_what_is_refused_leaves_nothing(house: House) -> None:
    ada, bob = await house.user(), await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    head = await house.head()
    for what, (content_type, body, status, code) in FORMS.items():
        headers = {**ada.headers, "Content-Type": content_type}
        answer = await ada.http.post(path, content=body, headers=headers)
        assert answer.status_code == status, what
        problem = refused(answer, status, code)
        if code == "attachment.type":
            assert problem["media_type"] == "application/octet-stream"
            assert "image/png" in problem["allowed"]
    refused(await put(bob, path), 404, "task.not_found")
    refused(await ada.http.post(path, content=b"x"), 401, "auth.missing")
    assert (await house.head(), files(house)) == (head, [])


async def test_an_upload_may_be_larger_than_other_requests_and_not_larger_than_it_may(
    database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, attachment_bytes=300_000, max_body_bytes=100_000) as house:
        ada = await house.user()
        task = await ada.task()
        path = f"/tasks/{task['id']}/attachments"
        assert (await put(ada, path, data=PDF[:300_000])).status_code == 201
        refused(await put(ada, path, data=PDF[:300_001]), 413, "request.too_large")
        refused(await put(ada, path, data=PDF), 413, "request.too_large")

        async def unannounced() -> AsyncIterator[bytes]:
            for start in range(0, len(PDF), 50_000):
                yield PDF[start : start + 50_000]

        endless = await ada.http.post(f"{path}?name=a.pdf", content=unannounced(), headers=ada.headers)
        refused(endless, 413, "request.too_large")
        refused(await ada.call("PATCH", f"/tasks/{task['id']}", {"title": "x" * 100_001}), 413, "request.too_large")
        assert len(files(house)) == 1


async def test_an_upload_that_is_cut_off_leaves_nothing(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield PDF
        while not files(house):
            yield PDF[:100_000]
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(ada.http.post(f"{path}?name=a.pdf", content=endless(), headers=ada.headers))
    async with asyncio.timeout(20):
        await begun.wait()
        assert [path.parent.name for path in files(house)] == ["incoming"]
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
        while files(house):  # noqa: ASYNC110  (there is no event for it)
            await asyncio.sleep(0)
    assert (await ada.get(path)).json()["items"] == []


def sweeper(house: House, young_seconds: float = 0) -> Sweeper:
    assert house.settings.blobs_dir is not None
    return Sweeper(house.services.pool, DiskBlobs(Path(house.settings.blobs_dir), young_seconds))


async def test_a_crash_between_bytes_and_event_leaves_an_orphan_that_is_swept_away(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    kept = await put(ada, path, "kept.txt", b"kept")

    def crash(place: str) -> None:
        if place == failpoints.BLOB_KEPT:
            raise FailpointError(place)

    failpoints.install(crash)
    try:
        assert (await put(ada, path)).status_code == 500
    finally:
        failpoints.install(None)
    assert [item["id"] for item in (await ada.get(path)).json()["items"]] == [kept.json()["id"]]
    assert len(files(house)) == 2
    assert await sweeper(house, 3_600).run_once() == 0, "somebody may be about to name them"
    assert await sweeper(house).run_once() == 1
    assert [file.name for file in files(house)] == [kept.json()["sha256"]]
    assert (await put(ada, path)).status_code == 201


async def _erase(house: House, answer: httpx.Response) -> None:
    async with await AsyncConnection.connect(house.owner_url) as owner:
        await owner.execute("SELECT erase(workspace_id, %s, 'asked') FROM workspaces", (position_of(answer),))


async def test_bytes_go_with_the_erasure_of_the_fact_that_names_them(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    first, second = await put(ada, path, "a.pdf"), await put(ada, path, "b.pdf")
    other = await put(ada, path, "c.txt", b"another")
    await _erase(house, first)
    work = sweeper(house)
    assert await work.run_once() == 0, "another fact names them still"
    assert (await fetch(ada, f"{path}/{second.json()['id']}")).content == PDF
    await _erase(house, second)
    assert await work.run_once() == 1
    assert (work.removed, await work.run_once()) == (1, 0)
    assert [file.name for file in files(house)] == [other.json()["sha256"]]
    refused(await fetch(ada, f"{path}/{second.json()['id']}"), 404, "attachment.lost")
    house.services.streams.clear()
    assert [item["name"] for item in (await ada.get(path)).json()["items"]] == ["c.txt"]


async def test_bytes_of_a_file_that_was_taken_away_stay_for_a_month(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    file = (await put(ada, path)).json()
    await ada.call("DELETE", f"{path}/{file['id']}")
    work = sweeper(house)
    assert await work.run_once() == 0
    async with await AsyncConnection.connect(house.owner_url) as owner:
        cursor = await owner.execute("SELECT workspace_id::text, due_at - clock_timestamp() FROM blobs")
        workspace_id, left = (await cursor.fetchone()) or ("", None)
        assert left is not None
        assert 29 <= left.days <= 30
        assert await wanted(house.services.pool, Blob(workspace_id, file["sha256"]))
        await owner.execute("UPDATE blobs SET due_at = clock_timestamp() - interval '1 second'")
    assert await work.run_once() == 1
    assert files(house) == []
    assert await forget_due(house.services.pool) == []


async def test_files_that_many_put_at_once_are_all_there(house: House) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"
    answers = await asyncio.gather(*[put(ada, path, f"{n}.txt", b"%d" % (n % 3)) for n in range(12)])
    assert [answer.status_code for answer in answers] == [201] * 12
    items = (await ada.get(path)).json()["items"]
    assert sorted(item["name"] for item in items) == sorted(f"{n}.txt" for n in range(12))
    assert {file.name for file in files(house)} == {item["sha256"] for item in items}
    assert len(files(house)) == 3


async def test_a_disk_that_is_full_is_said_and_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await house.user()
    path = f"/tasks/{(await ada.task())['id']}/attachments"

    def full(_: int, __: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("commands.blob_disk.os.write", full)
        refused(await put(ada, path), 503, "attachment.no_room")
    assert files(house) == []
    assert (await put(ada, path)).status_code == 201


async def test_without_a_place_for_them_there_are_no_files(database: Database, servers: Servers) -> None:
    more: dict[str, Any] = {"blobs_dir": None}
    async with House.open(database, servers, **more) as house:
        ada = await house.user()
        path = f"/tasks/{(await ada.task())['id']}/attachments"
        refused(await put(ada, path), 403, "attachment.off")
        assert (await ada.get(path)).json()["items"] == []
