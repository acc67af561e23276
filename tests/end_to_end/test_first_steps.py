"""Starting for the first time, and what goes wrong then: directories, ports, signals, passwords."""

import json
import os
import re
import secrets
import signal
import socket
import stat
import time

import pytest

from support import processes
from support.content import write_file
from support.servers.quickstart import QuickstartServer

pytestmark = pytest.mark.quickstart


class NewcomersServer(QuickstartServer):
    """As its user starts it: no password file, so that the first start makes a password up."""

    def start_command(self):
        command = super().start_command()
        at = command.index("--password-file")
        return command[:at] + command[at + 2:]


@pytest.fixture
def newcomer():
    """Nothing has been started yet."""
    server = NewcomersServer()
    try:
        yield server
    finally:
        server.discard()


def postgres_in(folder):
    """Processes of PostgreSQL, initdb's too, that work for a folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline", "rb").read().decode(errors="replace")
            place = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if re.search(r"bin/(postgres|initdb)\b", command) and str(folder) in command + place:
            found.append(int(pid))
    return found


def test_the_password_is_not_lost_when_the_port_is_taken(newcomer):
    with socket.socket() as other:
        other.bind(("127.0.0.1", newcomer.port))
        other.listen()
        failed = processes.run(newcomer.start_command(), expect="failure", seconds=60)
    assert "in use" in failed.output and "password" not in failed.output
    newcomer.restart()
    shown = processes.wait_until(
        lambda: re.search(r"password +(\S+) +\(shown only this once\)", newcomer.logs()["shoebox"]),
        "the password is shown")
    newcomer.transport(newcomer.user, shown[1]).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_database_is_being_made_ends_it(newcomer, number):
    newcomer._process.start()
    draft = newcomer.folder_of_data / "postgres/data.new"
    processes.wait_until(lambda: list(draft.glob("*")), "initdb is at work", interval=0.005)
    assert postgres_in(newcomer.folder_of_data)
    before = time.monotonic()
    assert newcomer.stop_program(number) == 0
    assert time.monotonic() - before < 5
    assert not postgres_in(newcomer.folder_of_data)
    newcomer.restart()


def test_a_killed_start_leaves_no_postgres_behind(newcomer):
    newcomer._process.start()
    draft = newcomer.folder_of_data / "postgres/data.new"
    processes.wait_until(lambda: list(draft.glob("*")), "initdb is at work", interval=0.005)
    newcomer.kill()
    processes.wait_until(lambda: not postgres_in(newcomer.folder_of_data), "PostgreSQL ends", 10)
    newcomer.restart()


def test_a_signal_while_the_database_does_not_answer_ends_it(newcomer, tmp_path):
    processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"])
    with socket.socket() as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # Takes connections, and says nothing.
        for place in (closed, silent):
            file = write_file(tmp_path / "shoebox.yaml", json.dumps({
                "listen": [f"127.0.0.1:{newcomer.port}"], "host_keys": [str(tmp_path / "key")],
                "database": {"url": f"postgresql://x@127.0.0.1:{place.getsockname()[1]}/x"},
                "storage": {"backend": "local", "directory": str(tmp_path / "objects")}}).encode())
            server = processes.Process([newcomer.program, "serve", "--config", file],
                                       tmp_path / "log").start()
            time.sleep(1)
            assert server.running()
            before = time.monotonic()
            server.stop()
            assert time.monotonic() - before < 5


def test_a_directory_that_is_there_keeps_its_mode(newcomer):
    newcomer.folder_of_data.mkdir()
    newcomer.folder_of_data.chmod(0o1777)
    newcomer.restart()
    assert stat.S_IMODE(newcomer.folder_of_data.stat().st_mode) == 0o1777
    newcomer.stop_program()
    newcomer.restart()
    assert stat.S_IMODE(newcomer.folder_of_data.stat().st_mode) == 0o1777


def test_a_directory_with_other_things_in_it_is_refused_and_left_alone(newcomer):
    newcomer.folder_of_data.mkdir()
    newcomer.folder_of_data.chmod(0o1777)
    write_file(newcomer.folder_of_data / "letter.txt", b"mine")
    refused = processes.run(newcomer.start_command(), expect="failure", seconds=60)
    assert "letter.txt" in refused.output and "--data" in refused.output
    assert os.listdir(newcomer.folder_of_data) == ["letter.txt"]
    assert stat.S_IMODE(newcomer.folder_of_data.stat().st_mode) == 0o1777


def test_a_password_file_that_everybody_can_read_is_a_warning(newcomer, tmp_path):
    password = secrets.token_hex(8)
    file = write_file(tmp_path / "password", password.encode())
    file.chmod(0o644)
    newcomer._process.arguments += ["--password-file", str(file)]
    newcomer.restart()
    assert "can be read by everybody" in newcomer.logs()["shoebox"]
    newcomer.transport(newcomer.user, password).close()


def test_removing_a_user_needs_somebody_who_says_yes(server):
    server.add_user("bob", "correct")
    refused = server.command("user", "remove", "bob", expect="failure")
    assert "--yes" in refused.output
    server.command("user", "show", "bob")
    server.command("user", "remove", "bob", "--yes")
    assert "no user bob" in server.command("user", "show", "bob", expect="failure").output


def test_a_quota_that_nobody_can_count(server):
    refused = server.command("user", "add", "eve", "--password-stdin", "--quota", "10E",
                             stdin="correct\n", expect="failure")
    assert "quota is too large" in refused.output and "login name" not in refused.output
