"""`shoebox check`: with each thing wrong in turn it says which, and everything else is fine."""

import json
import os

import pytest

from support import processes
from support.content import write_file

pytestmark = pytest.mark.minio


def check(server, settings, folder):
    """What `check` says of these settings: its lines by name, each with "ok" or what is wrong."""
    file = write_file(folder / "changed.yaml", json.dumps(settings, indent=1).encode())
    done = processes.run([server.program, "check", "--config", file], expect=None, seconds=60)
    lines = {}
    for line in done.stdout.splitlines():
        result, rest = line.split(None, 1)
        name, text = rest.split(": ", 1)
        lines[name] = "ok" if result == "ok" else f"{result} {text}"
    assert done.status == (1 if any(text.startswith("FAILED") for text in lines.values()) else 0)
    return lines


def failures(server, settings, folder):
    return {name: text for name, text in check(server, settings, folder).items() if text != "ok"}


@pytest.fixture
def settings(server):
    """A copy of the server's settings, with a port of its own, and the folder they are in."""
    found = json.loads(server.configuration.read_text())
    found["listen"] = [f"127.0.0.1:{processes.free_port()}"]
    return found, server.folder


def test_nothing_is_wrong(server, settings):
    assert set(check(server, *settings)) == {"settings", "database", "store", "host keys",
                                             "addresses", "directories", "open files"}
    assert failures(server, *settings) == {}


def test_the_server_that_runs_is_no_fault(server, settings):
    settings[0]["listen"] = [f"127.0.0.1:{server.port}"]
    assert failures(server, *settings) == {}


def test_a_misspelt_key_and_its_line(server, settings):
    settings[0]["storage"]["buckt"] = "x"
    (text,) = failures(server, *settings).values()
    lines = (settings[1] / "changed.yaml").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "buckt" in line)
    assert f"changed.yaml:{number}: unknown key 'storage.buckt'" in text


def test_a_taken_port(server, settings):
    with processes.socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings[0]["listen"] = [f"127.0.0.1:{other.getsockname()[1]}"]
        found = failures(server, *settings)
    assert list(found) == ["addresses"]
    assert "another program has the port" in found["addresses"]


def test_a_missing_and_a_readable_host_key(server, settings, tmp_path):
    settings[0]["host_keys"] = [str(tmp_path / "key")]
    assert "No such file" in failures(server, *settings)["host keys"]
    processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"])
    assert failures(server, *settings) == {}
    os.chmod(tmp_path / "key", 0o644)
    assert "others can read it" in failures(server, *settings)["host keys"]


def test_missing_directories(server, settings):
    settings[0].update(scratch_directory="/proc/none")
    assert "/proc/none" in failures(server, *settings)["directories"]
    settings[0].update(scratch_directory="/tmp", read_cache_directory="/etc/passwd/cache")
    assert "/etc/passwd is not a directory" in failures(server, *settings)["directories"]


def test_databases_that_do_not_let_us_in(server, settings):
    settings[0]["database"] = {"url": f"postgresql://shoebox@127.0.0.1:{processes.free_port()}/shoebox"}
    found = failures(server, *settings)
    assert list(found) == ["database"] and "Connection refused" in found["database"]
    settings[0]["database"] = {"url": server.postgres.url + "-none"}
    found = failures(server, *settings)
    assert list(found) == ["database"] and '"shoebox-none" does not exist' in found["database"]


def test_a_role_that_may_not_make_tables(server, settings):
    server.query("CREATE ROLE weak LOGIN")
    server.query("CREATE DATABASE bare")
    try:
        url = server.postgres.url.replace("shoebox@", "weak@").replace("/shoebox", "/bare")
        settings[0]["database"] = {"url": url}
        found = failures(server, *settings)
        assert list(found) == ["database"]
        assert "GRANT CREATE ON SCHEMA public TO weak" in found["database"]
    finally:
        server.query("DROP DATABASE bare")
        server.query("DROP ROLE weak")


def test_stores_that_do_not_let_us_in(server, settings, tmp_path):
    good = settings[0]["storage"]
    changes = [({"bucket": "no-such-bucket"}, "NoSuchBucket"),
               ({"access_key_id": "nobody"}, "check the key"),
               ({"secret_access_key_file": str(write_file(tmp_path / "secret", b"wrong"))},
                "check the key"),
               ({"endpoint": f"http://127.0.0.1:{processes.free_port()}"}, "does not answer")]
    os.chmod(tmp_path / "secret", 0o600)
    for change, reason in changes:
        settings[0]["storage"] = good | change
        found = failures(server, *settings)
        assert list(found) == ["store"]
        assert reason in found["store"]


def test_a_secret_that_everybody_can_read_is_a_warning(server, settings, tmp_path):
    secret = write_file(tmp_path / "secret", b"minioadmin\n")
    os.chmod(secret, 0o644)
    settings[0]["storage"]["secret_access_key_file"] = str(secret)
    file = write_file(settings[1] / "changed.yaml", json.dumps(settings[0]).encode())
    done = processes.run([server.program, "check", "--config", file])
    assert f"warning settings: {secret} can be read by everybody" in done.stdout


def test_a_database_of_a_newer_program(server, settings):
    server.query("INSERT INTO schema_migrations (name, sha256) VALUES ('9999_future', 'x')")
    try:
        found = failures(server, *settings)
    finally:
        server.query("DELETE FROM schema_migrations WHERE name = '9999_future'")
    assert list(found) == ["database"] and "run a newer program" in found["database"]
