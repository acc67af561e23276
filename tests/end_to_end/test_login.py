"""Who gets in, and who does not."""

import secrets
import socket

import paramiko
import pytest

from support import processes
from support.openssh_client import sftp
from support.security_key import build_provider


@pytest.fixture
def another_user(server):
    name, password = "user" + secrets.token_hex(4), secrets.token_hex(8)
    server.add_user(name, password)
    return name, password


def login(server, user, password, source="127.0.0.1"):
    """Whether a login from a loopback address is accepted."""
    connection = socket.create_connection((server.host, server.port), 30, (source, 0))
    transport = paramiko.Transport(connection)
    try:
        transport.start_client(timeout=30)
        transport.auth_password(user, password, fallback=False)
        return transport.is_authenticated()
    except (paramiko.SSHException, EOFError):
        return False
    finally:
        transport.close()


def test_wrong_passwords_and_unknown_users_are_refused(server, another_user):
    name, password = another_user
    assert login(server, name, password)
    for wrong in ("", "wrong", password + "x", password[:-1], "x" * 5000):
        assert not login(server, name, wrong)
    assert not login(server, "nobody-knows", password)
    assert login(server, name, password)


def test_no_login_without_a_password(server):
    transport = paramiko.Transport((server.host, server.port))
    transport.start_client(timeout=30)
    with pytest.raises(paramiko.BadAuthenticationType) as refused:
        transport.auth_none(server.user)
    assert "password" in refused.value.allowed_types and "publickey" in refused.value.allowed_types
    with pytest.raises((paramiko.SSHException, EOFError)):
        transport.open_session(timeout=5)
    transport.close()


@pytest.mark.shoebox
def test_keyboard_interactive_asks_for_the_password(server, another_user):
    name, password = another_user
    for answer, accepted in ((password, True), ("wrong", False)):
        transport = paramiko.Transport((server.host, server.port))
        transport.start_client(timeout=30)
        try:
            transport.auth_interactive(name, lambda *_, given=answer: [given])
            assert accepted
        except paramiko.AuthenticationException:
            assert not accepted
        finally:
            transport.close()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa -b 521", "rsa -b 3072",
                                  "ed25519-sk", "ecdsa-sk"])
def test_each_type_of_key(server, another_user, tmp_path, kind):
    name, _ = another_user
    device = []
    if kind.endswith("-sk"):
        provider = build_provider(tmp_path)
        kind += f" -w {provider}"
        device = ["-o", f"SecurityKeyProvider={provider}"]
    for key in ("right", "wrong"):
        processes.run(["ssh-keygen", "-q", "-t", *kind.split(), "-N", "",
                       "-C", f"{key} key", "-f", tmp_path / key])
    server.add_key(name, tmp_path / "right.pub")

    def try_key(key, expect):
        sftp(server, ["pwd"], "-o", f"User={name}", "-o", f"IdentityFile={tmp_path / key}",
             "-o", "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey", *device,
             expect=expect)
    server_user, server.user = server.user, name
    try:
        try_key("right", 0)
        try_key("wrong", "failure")
    finally:
        server.user = server_user


def test_an_agent_with_many_keys_still_gets_to_its_password(server, tmp_path):
    """Keys are offered first: so many wrong ones must not use up the tries."""
    keys = []
    for number in range(5):
        processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / f"{number}"])
        keys += ["-o", f"IdentityFile={tmp_path / str(number)}"]
    sftp(server, ["pwd"], *keys, "-o", "IdentitiesOnly=yes",
         "-o", "PreferredAuthentications=publickey,password")


@pytest.mark.shoebox
def test_users_have_trees_of_their_own(server, raw, remote, another_user):
    name, password = another_user
    raw.put(f"{remote}/secret", b"anna's")
    transport = server.transport(name, password)
    other = server.raw_sftp(transport)
    assert other.list("/") == {} and not other.exists(f"{remote}/secret")
    other.put("/mine", b"not anna's")
    assert not raw.exists("/mine")
    transport.close()


@pytest.mark.shoebox
def test_a_disabled_user_is_refused(server, another_user, tmp_path):
    name, password = another_user
    processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"])
    server.add_key(name, tmp_path / "key.pub")
    key = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "key"))
    server.transport(name, key=key).close()
    server.disable_user(name)
    assert not login(server, name, password)
    with pytest.raises(paramiko.SSHException):
        server.transport(name, key=key)


@pytest.mark.shoebox
def test_guessing_is_throttled_and_others_are_unaffected(server, another_user):
    name, password = another_user
    assert login(server, server.user, server.password)
    for number in range(60):
        assert not login(server, name, f"guess {number}", source="127.0.0.9")
    assert not login(server, name, password, source="127.0.0.9")  # Now even the right one.
    assert login(server, server.user, server.password)


def test_a_client_that_never_speaks_does_not_block_others(server):
    silent = [socket.create_connection((server.host, server.port)) for _ in range(8)]
    assert login(server, server.user, server.password)
    for connection in silent:
        connection.close()


def test_the_host_key_is_ed25519_or_ecdsa_for_old_libssh2(server):
    for algorithms in ({"key_types": ["ssh-ed25519"]}, {"key_types": ["ecdsa-sha2-nistp256"]}):
        transport = paramiko.Transport((server.host, server.port))
        transport.get_security_options().key_types = algorithms["key_types"]
        try:
            transport.start_client(timeout=30)
            return
        except paramiko.SSHException:
            pass
        finally:
            transport.close()
    raise AssertionError("the server has neither an ed25519 nor an ECDSA host key")


@pytest.mark.parametrize("option", [
    "KexAlgorithms=curve25519-sha256", "KexAlgorithms=curve25519-sha256@libssh.org",
    "KexAlgorithms=ecdh-sha2-nistp256", "Ciphers=aes256-ctr", "Ciphers=aes256-gcm@openssh.com",
    "MACs=hmac-sha2-256", "MACs=hmac-sha2-256-etm@openssh.com"])
def test_algorithms_that_clients_depend_on(server, option):
    extra = ["-o", "Ciphers=aes256-ctr"] if option.startswith("MACs") else []
    sftp(server, ["pwd"], "-o", option, *extra)


@pytest.mark.shoebox
@pytest.mark.parametrize("option", [
    "KexAlgorithms=diffie-hellman-group1-sha1", "KexAlgorithms=diffie-hellman-group14-sha1",
    "Ciphers=3des-cbc", "Ciphers=aes128-cbc", "MACs=hmac-md5", "MACs=hmac-sha1"])
def test_broken_algorithms_are_not_offered(server, option):
    extra = ["-o", "Ciphers=aes256-ctr"] if option.startswith("MACs") else []
    sftp(server, ["pwd"], "-o", option, *extra, expect="failure")
