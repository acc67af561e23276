"""`shoebox presign`: a URL that gives a file to whoever has it, for a while."""

import pathlib
import re
import shutil
import urllib.parse

import pytest

from support import processes
from support.content import content, write_file
from support.openssh_client import sftp
from support.processes import wait_until
from support.raw_sftp import F_CREAT, F_READ, F_TRUNC, F_WRITE
from support.sessions import assert_clean, connected

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"


def presign(server, path, *options, **keywords):
    return server.command("presign", server.user, path, *options, **keywords).stdout.strip()


def fetch(url, folder):
    """(status, headers by lower-case name, body) of a GET with curl, as a browser would ask."""
    body, head = folder / "fetched", folder / "head"
    status = processes.run(["curl", "-sS", "-o", body, "-D", head, "-w", "%{http_code}", url]).stdout
    headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head.read_text().lower(), re.MULTILINE))
    return int(status), headers, body.read_bytes() if body.exists() else b""


def inline_extents(server):
    """Of files as they are now, not of their history."""
    return server.query("SELECT count(*) FROM extents e JOIN nodes n ON n.version_id = e.version_id"
                        " WHERE e.inline IS NOT NULL")[0][0]


@pytest.mark.minio
def test_a_file_that_is_one_object(server, remote, tmp_path):
    data = JPEG + content(3_000_000)
    sftp(server, [f"put {write_file(tmp_path / 'photo.jpg', data)} {remote}/photo.jpg"])
    done = server.command("presign", server.user, f"{remote}/photo.jpg", "--expires", "10m")
    assert done.stdout.count("\n") == 1 and done.stdout.startswith(server.minio.url)
    assert "image/jpeg" in done.stderr and "2.9 MiB" in done.stderr
    assert "X-Amz-Expires=600" in done.stdout
    status, headers, body = fetch(done.stdout.strip(), tmp_path)
    assert (status, body == data) == (200, True)
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-disposition"] == 'attachment; filename="photo.jpg"'


@pytest.mark.minio
def test_a_browser_saves_it_under_its_name(server, raw, remote, tmp_path):
    name = 'Grüße "100%" & mehr.txt'
    raw.put(f"{remote}/{name}", b"Guten Tag!\n")
    url = presign(server, f"{remote}/{name}")
    status, headers, body = fetch(url, tmp_path)
    assert (status, body) == (200, b"Guten Tag!\n")
    assert headers["content-type"] == "text/plain"
    encoded = re.search(r"filename\*=utf-8''(\S+)$", headers["content-disposition"])
    assert urllib.parse.unquote(encoded[1]) == name.lower()
    saved = tmp_path / "saved"
    saved.mkdir()
    processes.run(["curl", "-sSOJ", url], cwd=saved)
    assert (next(saved.iterdir())).read_bytes() == b"Guten Tag!\n"


@pytest.mark.minio
@pytest.mark.settings(destage_after="1h", flatten_after_quiet="1h")
def test_files_that_are_not_one_object_become_one(own_server, tmp_path):
    server = own_server
    transport, raw = connected(server)
    small = content(10_000)
    raw.put("/small", small)
    pieces = bytearray(content(7_000_000))
    raw.put("/pieces", bytes(pieces), piece=200_000)
    for offset, length in ((3_000_000, 50), (6_999_990, 300_000), (7, 5)):
        handle = raw.open("/pieces", F_READ | F_WRITE)
        edit = content(length, offset)
        pieces[offset:offset + length] = edit
        for at in range(0, length, 200_000):
            raw.write(handle, offset + at, edit[at:at + 200_000])
        raw.close(handle)
    assert inline_extents(server) != "0"
    reading = raw.open("/pieces", F_READ)
    assert raw.read(reading, 100, 100) == pieces[100:200]

    for path, expected in (("/small", small), ("/pieces", bytes(pieces))):
        url = presign(server, path)
        status, headers, body = fetch(url, tmp_path)
        assert (status, body == expected) == (200, True), path
        assert headers["content-type"] == "application/octet-stream"
        assert presign(server, path).split("?")[0] == url.split("?")[0], "it was made once"
    assert inline_extents(server) == "0"

    assert raw.read(reading, 6_999_995, 100) == pieces[6_999_995:7_000_095]
    raw.close(reading)
    assert raw.get("/pieces") == bytes(pieces) and raw.get("/small") == small
    transport.close()
    assert_clean(server)


@pytest.mark.minio
def test_a_url_ends_and_cannot_be_changed(server, raw, remote, tmp_path):
    raw.put(f"{remote}/secret", b"content")
    raw.put(f"{remote}/other", b"not yours")
    short = presign(server, f"{remote}/secret", "--expires", "1s")
    wait_until(lambda: fetch(short, tmp_path)[0] == 403, "the URL has expired")
    url = presign(server, f"{remote}/secret")
    assert fetch(url, tmp_path)[0] == 200
    other = presign(server, f"{remote}/other").split("?")[0]
    for changed in (url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
                    other + "?" + url.split("?")[1],
                    url + "&response-content-type=text%2Fhtml",
                    url[:-1] + ("0" if url[-1] != "0" else "1"),
                    url.split("?")[0]):
        status, _, body = fetch(changed, tmp_path)
        assert status == 403 and b"content" != body and b"not yours" not in body, changed


@pytest.mark.minio
def test_what_cannot_be_given_is_said_in_plain_words(server, raw, remote):
    raw.put(f"{remote}/empty", b"")
    raw.put(f"{remote}/file", b"content")
    raw.mkdir(f"{remote}/directory")
    for path, words in ((f"{remote}/missing", f"has no file {remote}/missing"),
                        (f"{remote}/file/below", "has no file"),
                        (f"{remote}/directory", "is a directory"),
                        (f"{remote}/empty", "is empty")):
        refused = server.command("presign", server.user, path, expect="failure")
        assert words in refused.stderr and refused.stdout == "", refused.output
    refused = server.command("presign", "nobody-here", "/file", expect="failure")
    assert "there is no user nobody-here" in refused.stderr
    for expires in ("0", "8d", "-1s", "soon"):
        server.command("presign", server.user, f"{remote}/file", f"--expires={expires}",
                       expect="failure")
    assert "X-Amz-Expires=604800&" in presign(server, f"{remote}/file", "--expires", "7d")


@pytest.mark.minio
@pytest.mark.settings(part_size="5MiB")
def test_uploads_that_have_not_ended(own_server):
    server = own_server
    transport, raw = connected(server)
    handle = raw.open("/upload", F_WRITE | F_CREAT | F_TRUNC)
    for number in range(60):
        raw.write(handle, number * 200_000, content(200_000))
    wait_until(lambda: server.query("SELECT count(*) FROM uploads")[0][0] == "1",
               "the upload has begun")
    refused = server.command("presign", server.user, "/upload", expect="failure")
    assert "an upload of the file is under way" in refused.stderr, refused.output
    transport.close()
    wait_until(lambda: server.query("SELECT count(*) FROM nodes WHERE incomplete")[0][0] == "1",
               "what arrived was kept")
    refused = server.command("presign", server.user, "/upload", expect="failure")
    assert "incomplete" in refused.stderr, refused.output


@pytest.mark.minio
@pytest.mark.settings(**{"storage.public_endpoint": "https://files.example.org"})
def test_the_url_names_the_endpoint_that_others_reach(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", b"content")
    transport.close()
    assert presign(own_server, "/file").startswith("https://files.example.org/shoebox/")


@pytest.mark.minio
def test_an_object_that_is_missing_is_noticed(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", content(300_000))
    transport.close()
    key = own_server.query("SELECT key FROM objects WHERE state = 'live'")[0][0]
    shutil.rmtree(pathlib.Path(own_server.minio.folder) / "shoebox" / key)
    refused = own_server.command("presign", own_server.user, "/file", expect="failure")
    assert "the store does not have" in refused.stderr and "fsck" in refused.stderr


@pytest.mark.quickstart
def test_a_local_directory_has_no_urls(server, raw, remote):
    raw.put(f"{remote}/file", b"content")
    refused = server.command("presign", server.user, f"{remote}/file", expect="failure")
    assert "speaks S3" in refused.stderr
