"""The object store or the database goes away and comes back: errors may come, wrong bytes never."""

import time

import pytest

from support import processes
from support.content import content, digest, write_file
from support.openssh_client import sftp
from support.raw_sftp import (CLOSE, F_CREAT, F_READ, F_TRUNC, F_WRITE, NO_SUCH_FILE, OK, STAT,
                              STATUS, WRITE, StatusError, U64)
from support.sessions import assert_clean, connected
from support.uploads import SlowUpload

pytestmark = pytest.mark.minio

NEW = F_WRITE | F_CREAT | F_TRUNC


def put_until_it_works(server, source, target):
    """As people do: try again, resuming."""
    def attempt():
        return sftp(server, [f"reput {source} {target}"], expect=None).status == 0
    processes.wait_until(attempt, f"{target} is uploaded", 120)


def test_the_store_dies_and_returns_during_an_upload(own_server, tmp_path):
    transport, raw = connected(own_server)
    raw.put("/film.mov", b"old content")
    source = write_file(tmp_path / "film.mov", content(100_000_000))
    upload = SlowUpload(own_server, source, "/film.mov", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, 40_000_000)
    own_server.minio.kill()
    own_server.minio.start()
    if not upload.wait():
        put_until_it_works(own_server, source, "/film.mov")
    assert raw.stat("/film.mov").size == 100_000_000
    assert raw.get("/film.mov") == source.read_bytes()
    transport.close()
    assert_clean(own_server)


@pytest.mark.large
def test_an_upload_waits_for_a_store_that_is_away_for_a_minute(own_server, tmp_path):
    """The client notices nothing but a pause."""
    transport, raw = connected(own_server)
    source = write_file(tmp_path / "film.mov", content(200_000_000))
    upload = SlowUpload(own_server, source, "/film.mov", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, 40_000_000)
    own_server.minio.kill()
    time.sleep(60)
    own_server.minio.start()
    assert upload.wait()
    assert digest(raw.get("/film.mov")) == digest(source)
    transport.close()
    assert_clean(own_server)


@pytest.mark.settings(**{"storage.retry_for": "3s"})
def test_an_upload_fails_clearly_when_the_store_stays_away(own_server, tmp_path):
    transport, raw = connected(own_server)
    raw.put("/film.mov", b"old content")
    source = write_file(tmp_path / "film.mov", content(60_000_000))
    own_server.minio.kill()
    failed = sftp(own_server, [f"put {source} /film.mov"], expect="failure", seconds=100)
    assert "Failure" in failed.stderr
    with pytest.raises(StatusError, match="The storage does not answer"):
        raw.put("/photo.jpg", content(1_000_000))
    own_server.minio.start()
    assert raw.get("/film.mov") == b"old content"
    transport.close()
    assert_clean(own_server)


def test_the_store_dies_and_returns_during_a_download(own_server, tmp_path):
    transport, raw = connected(own_server)
    raw.put("/film.mov", content(100_000_000), piece=200_000)
    batch = write_file(tmp_path / "batch", f"get /film.mov {tmp_path}/back\n")
    download = processes.Process(
        ["sftp", *own_server.ssh_options(), "-l", "200000", "-P", str(own_server.port), "-b", batch,
         own_server.spec()], tmp_path / "get.log", env=own_server.environment()).start()
    back = tmp_path / "back"
    processes.wait_until(lambda: back.exists() and back.stat().st_size > 30_000_000, "half is here")
    own_server.minio.kill()
    own_server.minio.start()
    processes.wait_until(lambda: not download.running(), "the download ends", 120)
    if download.stop() != 0:
        assert content(100_000_000).startswith(back.read_bytes()[:1_000_000])
        sftp(own_server, [f"get /film.mov {back}"])
    assert back.read_bytes() == content(100_000_000)
    transport.close()


@pytest.mark.settings(**{"storage.retry_for": "10s"})
def test_without_the_store_names_still_work_and_old_contents_survive(own_server):
    transport, raw = connected(own_server)
    raw.put("/large", content(5_000_000), piece=200_000)
    raw.mkdir("/folder")
    own_server.minio.kill()
    raw.rename("/large", "/folder/large")
    assert raw.stat("/folder/large").size == 5_000_000 and len(raw.list("/folder")) == 1
    handle = raw.open("/folder/large", NEW)
    replies = [raw.reply(raw.send(WRITE, handle, U64(offset),
                                  content(200_000))) for offset in range(0, 9_000_000, 200_000)]
    closed = raw.ask(CLOSE, handle)
    assert closed.code != OK, "nothing was stored, so CLOSE must not say so"
    assert all(reply.type == STATUS for reply in replies)
    own_server.minio.start()
    assert raw.get("/folder/large") == content(5_000_000)
    raw.put("/folder/large", content(9_000_000), piece=200_000)
    assert raw.get("/folder/large") == content(9_000_000)
    transport.close()
    assert_clean(own_server)


@pytest.mark.settings(**{"storage.retry_for": "3s"})
def test_who_reads_gets_the_old_content_when_a_writer_fails(own_server):
    transport, raw = connected(own_server)
    old = content(5_000_000)
    raw.put("/file", old, piece=200_000)
    reader, writer = raw.open("/file", F_READ), raw.open("/file", NEW)
    own_server.minio.kill()
    for offset in range(0, 9_000_000, 200_000):
        raw.ask(WRITE, writer, U64(offset), content(200_000))
    with pytest.raises(StatusError):
        raw.fsync(writer)
    own_server.minio.start()
    assert raw.read(reader, 1_000_000, 30_000) == old[1_000_000:1_030_000]
    assert raw.stat("/file").size == 5_000_000 and raw.get("/file") == old
    assert raw.ask(WRITE, writer, U64(0), b"more").code != OK
    assert raw.ask(CLOSE, writer).code != OK
    assert raw.get("/file") == old
    raw.close(reader)
    transport.close()
    assert_clean(own_server)


def stop_in_time(server):
    """SIGTERM: a clean end, and soon enough for whoever stops services."""
    begun = time.monotonic()
    assert server.stop_program() == 0
    assert time.monotonic() - begun < 5


@pytest.mark.settings(destage_after="1s")
def test_the_server_stops_in_time_while_the_store_is_away(own_server):
    transport, raw = connected(own_server)
    own_server.minio.kill()
    for number in range(5):
        raw.put(f"/note{number}", content(50_000, number), piece=25_000)
    processes.wait_until(lambda: "store retried" in own_server.logs()["shoebox"],
                         "destaging waits for the store", 60)
    stop_in_time(own_server)
    transport.close()
    own_server.minio.start()
    own_server.restart()
    transport, raw = connected(own_server)
    for number in range(5):
        assert raw.get(f"/note{number}") == content(50_000, number)
    transport.close()
    assert_clean(own_server)


@pytest.mark.settings(part_size="5MiB")
def test_stopping_while_the_store_is_away_keeps_the_parts_it_has(own_server):
    transport, raw = connected(own_server)
    whole = content(14_000_000)
    handle = raw.open("/film.mov", NEW)
    for offset in range(0, len(whole), 200_000):
        raw.write(handle, offset, whole[offset:offset + 200_000])
    processes.wait_until(lambda: {"part.1", "part.2"} <= {
        part.name for part in own_server.minio.parts_of_uploads()}, "two parts are there")
    own_server.minio.kill()
    stop_in_time(own_server)
    transport.close()
    own_server.query("UPDATE objects SET lease_until = now() - interval '1 second'"
                     " WHERE state = 'staging'")
    own_server.minio.start()
    own_server.restart()
    transport, raw = connected(own_server)
    processes.wait_until(lambda: raw.stat("/film.mov").size > 0, "the upload is finished", 60)
    assert raw.get("/film.mov") == whole[:2 * 5 * 2**20]
    transport.close()
    assert_clean(own_server)


def test_the_database_restarts_during_an_upload(own_server, tmp_path):
    transport, raw = connected(own_server)
    source = write_file(tmp_path / "film.mov", content(60_000_000))
    upload = SlowUpload(own_server, source, "/film.mov", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, 20_000_000)
    own_server.postgres.restart()
    assert upload.wait(), "the client notices nothing but a pause"
    assert raw.get("/film.mov") == source.read_bytes()
    transport.close()
    assert_clean(own_server)


def test_sessions_outlive_a_restart_of_the_database(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", content(300_000))
    own_server.postgres.restart()
    processes.wait_until(lambda: raw.status_of(STAT, "/file") == OK, "the session works again")
    assert raw.get("/file") == content(300_000)
    raw.put("/file", b"new")
    transport.close()
    another, raw = connected(own_server)
    assert raw.get("/file") == b"new"
    another.close()
    assert_clean(own_server)


def test_without_the_database_requests_fail_and_nobody_hangs(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", b"content")
    own_server.postgres.stop()
    reply = raw.ask(STAT, "/other")
    assert reply.type == STATUS and reply.code not in (OK, NO_SUCH_FILE)
    own_server.postgres.start()
    processes.wait_until(lambda: raw.status_of(STAT, "/file") == OK, "the session works again")
    assert raw.get("/file") == b"content"
    transport.close()
