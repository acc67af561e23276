"""The connection breaks in the middle of a transfer; clients that can resume send and fetch only what is missing."""

import contextlib
import copy

import pytest

from support import processes
from support.content import content, write_file
from support.cutting_proxy import CuttingProxy
from support.sessions import assert_clean, connected
from support.servers.counted_minio import CountedMinioServer
from support.transfers import (curl_command, lftp_command, lftp_environment, rclone_environment,
                               sftp_command)

MIB = 1 << 20
SIZE, CUT = 40 * MIB, 16 * MIB
PIECE = 200_000
OVERHEAD = 1 * MIB  # SSH's and SFTP's own bytes, and the login

breaks = pytest.mark.parametrize("silent", [False, True], ids=["reset", "silent"])


class Sftp:
    comes_back = False  # by itself

    def __init__(self, server, folder, again="reput"):
        self.server, self.folder, self.again = server, folder, again
        self.environment = server.environment()

    def put(self, local, remote):
        return self._batch(f"put {local} {remote}")

    def put_again(self, local, remote):
        return self._batch(f"{self.again} {local} {remote}")

    def get(self, remote, local):
        return self._batch(f"get {remote} {local}")

    def get_again(self, remote, local):
        return self._batch(f"reget {remote} {local}")

    def _batch(self, command):
        return sftp_command(self.server, write_file(self.folder / "batch", command + "\n"))


class SftpPutA(Sftp):
    def __init__(self, server, folder):
        super().__init__(server, folder, "put -a")


class Lftp:
    comes_back = True

    def __init__(self, server, _):
        self.server, self.environment = server, lftp_environment(server)

    def put(self, local, remote):
        return lftp_command(self.server, f"put {local} -o {remote}")

    def put_again(self, local, remote):
        return lftp_command(self.server, f"put -c {local} -o {remote}")

    def get(self, remote, local):
        return lftp_command(self.server, f"get {remote} -o {local}")

    def get_again(self, remote, local):
        return lftp_command(self.server, f"get -c {remote} -o {local}")


class Curl:
    """With `-C -` it asks for the size, opens without TRUNC or APPEND, and writes from there on."""

    comes_back = False

    def __init__(self, server, _):
        self.server, self.environment = server, server.environment()

    def put(self, local, remote):
        return curl_command(self.server, remote, "-T", local)

    def put_again(self, local, remote):
        return curl_command(self.server, remote, "-C", "-", "-T", local)

    def get(self, remote, local):
        return curl_command(self.server, remote, "-o", local)

    def get_again(self, remote, local):
        return curl_command(self.server, remote, "-C", "-", "-o", local)


@contextlib.contextmanager
def cut(server, way, silent):
    """The server as clients reach it through a proxy, and the proxy."""
    proxy = CuttingProxy(server.port, way, CUT, silent)
    seen = copy.copy(server)
    seen.port = proxy.port
    try:
        yield seen, proxy
    finally:
        proxy.stop()


def run_until_cut(command, environment, proxy, folder, wait):
    """Runs a client until the connection breaks, and if it shall `wait` until it has given up; else kills it."""
    client = processes.Process(command, folder / "client.log", env=environment).start()
    try:
        processes.wait_until(lambda: proxy.broken.is_set() or not client.running(), "the cut", 120)
        assert proxy.broken.is_set(), client.log_tail()
        if wait:
            processes.wait_until(lambda: not client.running(), "the client gives up", 60)
            assert client.stop() != 0
    finally:
        if client.running():
            processes.kill_with_children(client.pid)
            client.stop()
    proxy.forget()


def kept(raw, path, whole):
    """How much the server has of an upload that was cut: a prefix."""
    processes.wait_until(lambda: raw.stat(path).size >= CUT // 2, "what arrived is there")
    found = raw.get(path, PIECE)
    assert found == whole[:len(found)]
    return len(found)


@breaks
@pytest.mark.parametrize("kind", [Sftp, SftpPutA, Lftp, Curl])
def test_an_upload_goes_on_where_it_was_cut(server, remote, raw, tmp_path, kind, silent):
    path, whole = f"{remote}/film.mov", content(SIZE)
    source = write_file(tmp_path / "film.mov", whole)
    with cut(server, "sent", silent) as (seen, proxy):
        client = kind(seen, tmp_path)
        run_until_cut(client.put(source, path), client.environment, proxy, tmp_path,
                      wait=not silent and not client.comes_back)
        there = kept(raw, path, whole)
        processes.run(client.put_again(source, path), env=client.environment)
        assert raw.get(path, PIECE) == whole
        assert SIZE - CUT <= proxy.sent <= SIZE - there + OVERHEAD
    # If it was silent, the server sees only now that the first connection has gone.
    assert raw.get(path, PIECE) == whole


@breaks
@pytest.mark.parametrize("kind", [Sftp, Lftp, Curl])
def test_a_download_goes_on_where_it_was_cut(server, remote, raw, tmp_path, kind, silent):
    path, whole = f"{remote}/film.mov", content(SIZE)
    raw.put(path, whole, piece=PIECE)
    target = tmp_path / "film.mov"
    with cut(server, "received", silent) as (seen, proxy):
        client = kind(seen, tmp_path)
        run_until_cut(client.get(path, target), client.environment, proxy, tmp_path,
                      wait=not silent and not client.comes_back)
        there = target.read_bytes()
        assert CUT // 2 <= len(there) and there == whole[:len(there)]
        processes.run(client.get_again(path, target), env=client.environment)
        assert target.read_bytes() == whole
        assert SIZE - CUT <= proxy.received <= SIZE - len(there) + OVERHEAD


def test_lftp_comes_back_by_itself(server, remote, raw, tmp_path):
    path, whole = f"{remote}/film.mov", content(SIZE)
    source = write_file(tmp_path / "film.mov", whole)
    with cut(server, "sent", silent=False) as (seen, proxy):
        command = lftp_command(seen, "set net:reconnect-interval-base 1",
                               f"put {source} -o {path}", retries=5)
        processes.run(command, env=lftp_environment(seen))
        assert proxy.broken.is_set() and proxy.sent <= SIZE + CUT // 2
    assert raw.get(path, PIECE) == whole


@breaks
@pytest.mark.parametrize("way", ["sent", "received"])
def test_rclone_that_is_run_again_ends_with_the_whole_file(server, remote, raw, tmp_path, way, silent):
    """It cannot resume over SFTP, and begins again."""
    whole, local = content(SIZE), tmp_path / "local"
    local.mkdir()
    obscured = processes.run(["rclone", "obscure", "-"], stdin=server.password).stdout.strip()
    with cut(server, way, silent) as (seen, proxy):
        environment = rclone_environment(seen, obscured)
        if way == "sent":
            write_file(local / "film.mov", whole)
            command = ["rclone", "copy", local, f"box:{remote}"]
        else:
            raw.put(f"{remote}/film.mov", whole, piece=PIECE)
            command = ["rclone", "copy", f"box:{remote}", local]
        run_until_cut(command, environment, proxy, tmp_path, wait=not silent)
        processes.run(command, env=environment)
    assert raw.get(f"{remote}/film.mov", PIECE) == whole
    assert [path.name for path in local.iterdir()] == ["film.mov"] and list(raw.list(remote)) == [b"film.mov"]
    assert (local / "film.mov").read_bytes() == whole


def open_connections(server):
    log = server.logs()["shoebox"]
    return log.count("connection opened") - log.count("connection closed")


@pytest.mark.minio
@breaks
def test_only_what_is_missing_goes_to_the_store(tmp_path, silent):
    """Nothing is kept in the database: what is written goes to the store at once."""
    server = CountedMinioServer({"inline_max": 0, "flatten_after_quiet": "0s"})
    try:
        transport, raw = connected(server.start())
        source = write_file(tmp_path / "film.mov", content(SIZE))
        with cut(server, "sent", silent) as (seen, proxy):
            client = Sftp(seen, tmp_path)
            run_until_cut(client.put(source, "/film.mov"), client.environment, proxy, tmp_path,
                          wait=not silent)
            there = kept(raw, "/film.mov", source.read_bytes())
            processes.run(client.put_again(source, "/film.mov"), env=client.environment)
        assert SIZE <= server.store_traffic.sent <= SIZE + 512 * 1024 and there >= CUT // 2
        processes.wait_until(lambda: open_connections(server) == 1, "only our own is left")
        assert raw.get("/film.mov", PIECE) == source.read_bytes()
        assert server.query("SELECT incomplete FROM nodes WHERE name = 'film.mov'") == [["f"]]
        transport.close()
        assert_clean(server)
    finally:
        server.discard()
