"""What ssh itself needs: one connection with many sessions, and answers to what is not offered."""

import pytest

from support import processes
from support.content import content, digest, write_file
from support.openssh_client import master, scp, sftp, ssh


def test_many_sessions_share_one_connection(server, remote, tmp_path, raw):
    source = write_file(tmp_path / "source", content(4_000_000))
    with master(server, tmp_path) as through:
        running = [processes.Process(
            ["sftp", *server.ssh_options(), *through, "-P", str(server.port), "-b",
             write_file(tmp_path / f"batch{number}", f"put {source} {remote}/{number}\n"),
             server.spec()], tmp_path / f"sftp{number}.log", env=server.environment()).start()
            for number in range(8)]
        for number, process in enumerate(running):
            processes.wait_until(lambda: not process.running(), f"upload {number} ends", 60)
        sftp(server, [f"get {remote}/7 {tmp_path}/back"], *through)
    assert digest(tmp_path / "back") == digest(source)
    for number in range(8):
        assert raw.get(f"{remote}/{number}") == source.read_bytes()


def test_killing_one_session_leaves_the_others(server, remote, tmp_path):
    source = write_file(tmp_path / "source", content(20_000_000))
    with master(server, tmp_path) as through:
        victim = processes.Process(
            ["sftp", *server.ssh_options(), *through, "-P", str(server.port), "-l", "8000", "-b",
             write_file(tmp_path / "batch", f"put {source} {remote}/victim\n"), server.spec()],
            tmp_path / "victim.log", env=server.environment()).start()
        processes.wait_until(lambda: "victim" in sftp(server, [f"ls {remote}"], *through).stdout,
                             "the upload has begun")
        victim.kill()
        scp(server, *through, source, server.spec(f"{remote}/file"))
        scp(server, *through, server.spec(f"{remote}/file"), tmp_path / "back")
    assert digest(tmp_path / "back") == digest(source)


@pytest.mark.shoebox
def test_a_shell_is_refused_at_once(server):
    refused = ssh(server, server.spec().rstrip(":"), expect="failure")
    assert refused.status != 0


@pytest.mark.shoebox
def test_forwarding_is_refused_and_the_connection_goes_on(server):
    transport = server.transport()
    try:
        with pytest.raises(Exception):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=10)
        with pytest.raises(Exception):
            transport.request_port_forward("", 0)
        assert server.raw_sftp(transport).realpath(".")
    finally:
        transport.close()


def test_keepalives_are_answered(server):
    transport = server.transport()
    try:
        # With success or failure, as the server likes; silence would hang here.
        transport.global_request("keepalive@openssh.com", wait=True)
        transport.global_request("nonsense@example.org", wait=True)
        assert transport.is_active() and server.raw_sftp(transport).realpath(".")
    finally:
        transport.close()
