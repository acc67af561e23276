"""The protocol's edges: what no good client sends, and what new ones may."""

import struct

import pytest

from support.content import content
from support.raw_sftp import (EXTENDED, F_CREAT, F_READ, F_WRITE, OK, OP_UNSUPPORTED, READ,
                              SETSTAT, STAT, STATUS, WRITE, Attrs, U64)


def test_version_is_three_whatever_the_client_hopes_for(server, _shared_connection):
    for version in (3, 6):
        client = server.raw_sftp(_shared_connection(), version)
        assert client.version == 3
        client.hang_up()


def test_extensions_that_clients_ask_for_are_offered(raw):
    for name in ("posix-rename@openssh.com", "statvfs@openssh.com", "fstatvfs@openssh.com",
                 "fsync@openssh.com", "limits@openssh.com", "copy-data"):
        assert name in raw.extensions, name


def test_limits_are_large_and_true(raw, remote):
    packet, read, write, _ = struct.unpack(">4Q", raw.extended("limits@openssh.com").ok())
    assert packet >= 34_000 and read >= 261_120 and write >= 261_120
    raw.put(f"{remote}/file", content(write), piece=write)
    handle = raw.open(f"{remote}/file", F_READ)
    assert raw.read(handle, 0, read) == content(write)[:read]
    raw.close(handle)


def test_unknown_extended_requests_are_unsupported(raw):
    reply = raw.extended("nonsense@example.org", "argument")
    assert reply.type == STATUS and reply.code == OP_UNSUPPORTED
    assert raw.realpath(".")


@pytest.mark.shoebox
def test_unknown_packet_types_are_unsupported(raw):
    for packet_type in (21, 22, 99, 255):
        assert raw.ask(packet_type).code == OP_UNSUPPORTED
    assert raw.realpath(".")


@pytest.mark.shoebox
def test_hard_links_are_unsupported(raw, remote):
    raw.put(f"{remote}/a", b"1")
    if "hardlink@openssh.com" in raw.extensions:
        raise AssertionError("offered, so it must be described and tested")
    assert raw.extended("hardlink@openssh.com", f"{remote}/a", f"{remote}/b").code == OP_UNSUPPORTED


def test_huge_reads_are_answered_in_part(raw, remote):
    raw.put(f"{remote}/file", content(1_000_000))
    handle = raw.open(f"{remote}/file", F_READ)
    for length in (1_000_000, 0xFFFFFFFF):
        part = raw.read(handle, 0, length)
        assert 0 < len(part) <= 262_144 and part == content(1_000_000)[:len(part)]
    raw.close(handle)


@pytest.mark.shoebox
def test_offsets_no_file_can_have(raw, remote):
    handle = raw.open(f"{remote}/file", F_READ | F_WRITE | F_CREAT)
    top = (1 << 64) - 1
    assert raw.status_of(WRITE, handle, U64(top), b"XX") != OK
    assert raw.ask(READ, handle, U64(top), 100).type == STATUS
    raw.ask(SETSTAT, remote + "/file", Attrs(size=top))
    raw.close(handle)
    assert raw.exists(remote)


@pytest.mark.shoebox
def test_malformed_packets_do_not_harm_the_others(server, raw, remote, _shared_connection):
    raw.put(f"{remote}/file", b"content")
    for packet in (struct.pack(">I", 0), struct.pack(">I", 0xFFFFFFFF), struct.pack(">IB", 1, STAT),
                   struct.pack(">IBII", 9, STAT, 1, 0xFFFFFFFF),
                   struct.pack(">IBI", 5, EXTENDED, 1), b"\0" * 100, b"\xff" * 100,
                   struct.pack(">IBIIII", 17, STAT, 1, 0, 0, 0)):
        other = server.raw_sftp(_shared_connection())
        try:
            other.channel.sendall(packet)
            other.send(STAT, remote)
            other.channel.settimeout(2)
            other.channel.recv(1000)
        except (OSError, EOFError):
            pass  # Ending the channel is an answer.
        other.hang_up()
        assert raw.get(f"{remote}/file") == b"content"


def test_second_init_and_requests_before_it_do_not_crash(server, raw, _shared_connection):
    channel = _shared_connection().open_session()
    channel.invoke_subsystem("sftp")
    channel.sendall(struct.pack(">IBII", 9, STAT, 1, 0))
    channel.close()
    assert raw.realpath(".")
