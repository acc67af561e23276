"""What the log must and must not say."""

import re
import secrets

import pytest

from support import processes
from support.content import write_file
from support.openssh_client import sftp
from support.raw_sftp import CLOSE, F_CREAT, F_TRUNC, F_WRITE

pytestmark = pytest.mark.shoebox


def log_of(server):
    return server.logs()["shoebox"]


def wait_for_line(server, begin, *words):
    def found():
        return [line for line in log_of(server)[begin:].splitlines()
                if all(word in line for word in words)]
    return processes.wait_until(found, f"the log has a line with {words}")


def test_each_transfer_has_its_line(server, remote, tmp_path):
    begin = len(log_of(server))
    name = "photo-" + secrets.token_hex(4) + ".jpg"
    source = write_file(tmp_path / name, b"x" * 123_457)
    sftp(server, [f"put {source} {remote}/{name}", f"get {remote}/{name} {tmp_path}/back"])
    wait_for_line(server, begin, name, "123457", server.user)
    processes.wait_until(
        lambda: len([line for line in log_of(server)[begin:].splitlines()
                     if name in line and "123457" in line]) >= 2, "both directions are logged")


def test_logins_and_refusals_are_logged_with_the_address(server):
    begin = len(log_of(server))
    sftp(server, ["pwd"])
    wait_for_line(server, begin, server.user, "127.0.0.1")
    begin = len(log_of(server))
    wrong = server.askpass_for("certainly-wrong-" + secrets.token_hex(4))
    right, server.askpass = server.askpass, wrong
    try:
        sftp(server, ["pwd"], expect="failure")
    finally:
        server.askpass = right
    wait_for_line(server, begin, server.user, "127.0.0.1", "wrong_password")


def test_keys_that_nobody_has_are_one_refused_login(server, tmp_path):
    begin = len(log_of(server))
    keys = []
    for number in range(3):
        processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / f"{number}"])
        keys += ["-o", f"IdentityFile={tmp_path / str(number)}"]
    sftp(server, ["pwd"], *keys, "-o", "IdentitiesOnly=yes",
         "-o", "PreferredAuthentications=publickey", expect="failure")
    line, = wait_for_line(server, begin, "login refused", f"user={server.user} ", "127.0.0.1")
    assert "method=publickey" in line and "keys=3 reason=unknown_key" in line


def test_a_handshake_that_fails_says_why(server):
    begin = len(log_of(server))
    sftp(server, ["pwd"], "-o", "Ciphers=aes128-cbc", expect="failure")
    wait_for_line(server, begin, "connection closed", "handshake failed", "aes128-cbc")


def test_sessions_of_one_connection_have_numbers(server, remote):
    begin, transport = len(log_of(server)), server.transport()
    for name in ("first", "second"):
        server.raw_sftp(transport).put(f"{remote}/{name}", b"1")
    lines = [wait_for_line(server, begin, " transfer ", f"{remote}/{name}")[0]
             for name in ("first", "second")]
    transport.close()
    found = [re.search(r"conn=(\d+) channel=(\d+) req=\d+ ", line).groups() for line in lines]
    assert found[0][0] == found[1][0] and [channel for _, channel in found] == ["1", "2"]


def test_an_upload_has_its_line_though_its_client_hangs_up(server, remote):
    begin, transport = len(log_of(server)), server.transport()
    client = server.raw_sftp(transport)
    handle = client.open(f"{remote}/file", F_WRITE | F_CREAT | F_TRUNC)
    for offset in range(0, 600_000, 30_000):
        client.write(handle, offset, b"x" * 30_000)
    client.send(CLOSE, handle)
    transport.close()
    wait_for_line(server, begin, " transfer ", f"{remote}/file", "written=600000")


def test_no_password_and_no_content_is_logged(server, raw, remote):
    guess, secret = "guess-" + secrets.token_hex(8), "content-" + secrets.token_hex(8)
    raw.put(f"{remote}/file", secret.encode() * 10)
    raw.get(f"{remote}/file")
    with pytest.raises(Exception):
        server.transport(password=guess)
    wait_for_line(server, 0, "wrong_password")
    for text in server.logs().values():
        assert server.password not in text and guess not in text and secret not in text
        assert "minioadmin" not in text or "minio" in text


def test_names_cannot_forge_log_lines(server, raw, remote):
    begin = len(log_of(server))
    token = secrets.token_hex(4)
    raw.put(f"{remote}/a\nforged {token}\x1b[31m", b"1")
    line, = {line for line in wait_for_line(server, begin, token)
             if "forged" in line and remote.rsplit("/", 1)[1] in line}
    assert "\x1b" not in log_of(server)[begin:]
    assert not re.search(rf"^forged {token}", log_of(server)[begin:], re.M)
    assert line
