"""Clients that vanish: phones, laptops that sleep, kill -9. What arrived is kept; resuming works."""

import pytest

from support import processes
from support.content import content, digest, write_file
from support.openssh_client import sftp
from support.raw_sftp import F_CREAT, F_READ, F_TRUNC, F_WRITE, OPEN, READ, WRITE, Attrs, U64
from support.uploads import SlowUpload

NEW = F_WRITE | F_CREAT | F_TRUNC


@pytest.mark.parametrize("resume", ["reput", "put -a"])
def test_a_killed_upload_is_resumed(server, remote, raw, tmp_path, resume):
    source = write_file(tmp_path / "film.mov", content(24_000_000))
    upload = SlowUpload(server, source, f"{remote}/film.mov", tmp_path)
    seen = upload.wait_for_bytes(raw, 6_000_000)
    upload.kill()
    # At once: the phone is back before the server has noticed that it was gone.
    sftp(server, [f"{resume} {source} {remote}/film.mov"])
    assert raw.stat(f"{remote}/film.mov").size == 24_000_000 > seen
    assert digest(raw.get(f"{remote}/film.mov")) == digest(source)


def test_a_resumed_upload_may_be_killed_again(server, remote, raw, tmp_path):
    source = write_file(tmp_path / "film.mov", content(30_000_000))
    upload = SlowUpload(server, source, f"{remote}/film.mov", tmp_path)
    upload.wait_for_bytes(raw, 5_000_000)
    upload.kill()
    batch = write_file(tmp_path / "batch", f"reput {source} {remote}/film.mov\n")
    again = processes.Process(
        ["sftp", *server.ssh_options(), "-l", "40000", "-P", str(server.port), "-b", batch,
         server.spec()], tmp_path / "again.log", env=server.environment()).start()
    processes.wait_until(lambda: raw.stat(f"{remote}/film.mov").size >= 14_000_000, "more is there")
    again.kill()
    sftp(server, [f"reput {source} {remote}/film.mov"])
    assert digest(raw.get(f"{remote}/film.mov")) == digest(source)


@pytest.mark.parametrize("size", [50_000, 3_000_000, 40_000_000])
def test_acknowledged_bytes_are_kept(server, remote, raw, size):
    whole = content(size)
    transport = server.transport()
    client = server.raw_sftp(transport)
    handle = client.open(f"{remote}/file", NEW)
    ids = [client.send(WRITE, handle, U64(offset), whole[offset:offset + 32_768])
           for offset in range(0, size, 32_768)]
    acknowledged = ids[:len(ids) * 2 // 3 + 1]
    for request_id in acknowledged:
        client.reply(request_id).ok()
    transport.close()  # Without CLOSE, with WRITEs unanswered.
    kept = min(len(acknowledged) * 32_768, size)
    processes.wait_until(lambda: raw.stat(f"{remote}/file").size >= kept, "the prefix is there")
    found = raw.get(f"{remote}/file")
    assert len(found) >= kept and found == whole[:len(found)]


def test_the_path_is_writable_at_once(server, remote, raw):
    for number in range(10):
        transport = server.transport()
        client = server.raw_sftp(transport)
        handle = client.open(f"{remote}/file", NEW)
        for offset in range(0, 2_000_000, 32_768):
            client.send(WRITE, handle, U64(offset), content(2_000_000, number)[offset:offset + 32_768])
        transport.close()
        raw.put(f"{remote}/file", content(300_000, number))
        assert raw.stat(f"{remote}/file").size >= 300_000
        assert raw.get(f"{remote}/file")[:300_000] == content(300_000, number)


def test_a_lost_editor_keeps_its_acknowledged_changes(server, remote, raw):
    whole = bytearray(content(2_000_000))
    raw.put(f"{remote}/file", bytes(whole))
    transport = server.transport()
    client = server.raw_sftp(transport)
    handle = client.open(f"{remote}/file", F_READ | F_WRITE)
    client.write(handle, 1_000_000, b"changed in the middle")
    transport.close()
    whole[1_000_000:1_000_021] = b"changed in the middle"
    processes.wait_until(lambda: raw.get(f"{remote}/file") == bytes(whole), "the change is there")


def test_clients_that_vanish_while_reading_cost_nothing(server, remote, raw):
    raw.put(f"{remote}/file", content(20_000_000), piece=200_000)
    for _ in range(20):
        transport = server.transport()
        client = server.raw_sftp(transport)
        handle = client.open(f"{remote}/file", F_READ)
        for offset in range(0, 8_000_000, 32_768):
            client.send(READ, handle, U64(offset), 32_768)
        transport.close()
    assert raw.get(f"{remote}/file") == content(20_000_000)


def test_many_handles_left_open_are_given_back(server, remote, raw):
    for _ in range(3):
        transport = server.transport()
        client = server.raw_sftp(transport)
        ids = [client.send(OPEN, f"{remote}/{number}", NEW, Attrs()) for number in range(100)]
        for request_id in ids:
            client.reply(request_id).ok()
        transport.close()
    assert len(raw.list(remote)) == 100
    raw.put(f"{remote}/7", b"again")
    assert raw.get(f"{remote}/7") == b"again"
