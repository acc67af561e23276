"""Files up and down: with the store near and far, and with a distant client."""

import collections
import shutil

from clients import Client
from measure import attempt, measure, median, table
from peers import DelayProxy, OpenSsh


def store_tables(bench):
    """One table for each distance between servers and store."""
    kept, tables = {}, []
    for milliseconds in bench.options.latencies_ms:
        proxy = (DelayProxy(bench.minio.port, milliseconds, bench.folder) if milliseconds else None)
        try:
            for peer in bench.peers:
                # The local disk is as far away as before.
                if isinstance(peer, OpenSsh) and peer.name in kept:
                    continue
                peer.use_store(proxy.port if proxy else bench.minio.port)
                kept[peer.name] = _measure_peer(peer, bench)
        finally:
            for peer in bench.peers:
                peer.use_store(bench.minio.port)
            if proxy:
                proxy.stop()
        tables.append(table(f"The store {milliseconds:g} ms away (added to each round trip)",
                            {peer.name: kept[peer.name] for peer in bench.peers}))
    return "\n".join(tables)


def _operations(client, bench):
    """Name -> what to do. Each leaves what the next one needs."""
    files, size = bench.files, bench.options.size_mib

    def logins():
        for _ in range(20):
            client.batch("pwd")
    return {
        f"{size} MiB up": lambda: client.batch(f"put {files}/large large"),
        f"{size} MiB down": lambda: client.batch(f"get large {files}/back"),
        "rename of that file": lambda: client.batch("rename large renamed"),
        "500 files of 10 KB up": lambda: client.batch("mkdir many", "cd many",
                                                      f"put {files}/many/*"),
        "500 files of 10 KB down": lambda: client.batch(f"get -r many {files}/many-back"),
        "rename of their directory": lambda: client.batch("rename many moved"),
        "ls -l of 10,000 entries": lambda: client.batch("ls -ln listing"),
        "20 logins": logins,
    }


def _clean_up(client, files):
    shutil.rmtree(files / "many-back", ignore_errors=True)
    (files / "many-back").mkdir()
    (files / "back").unlink(missing_ok=True)
    client.batch("-rm renamed", "-rm large", "-rm moved/*", "-rmdir moved", "-rm many/*",
                 "-rmdir many")


def _measure_peer(peer, bench):
    """Name -> the median of the repetitions; what failed is missing."""
    client, runs = Client(peer, bench.folder), collections.defaultdict(list)
    for _ in range(bench.options.repeat):
        _clean_up(client, bench.files)
        for name, work in _operations(client, bench).items():
            done = attempt(peer, name, lambda work=work: measure(peer, work))
            if done:
                runs[name].append(done)
    _clean_up(client, bench.files)
    return {name: median(measured) for name, measured in runs.items()}


def client_table(bench):
    """Transfers of a distant client."""
    milliseconds = bench.options.client_latency_ms
    return table(f"The client {milliseconds:g} ms away (round trip)",
                 {peer.name: _far_client(peer, bench) for peer in bench.peers})


def _far_client(peer, bench):
    proxy = DelayProxy(peer.port, bench.options.client_latency_ms, bench.folder)
    client, results = Client(peer, bench.folder, proxy.port), {}
    try:
        for name, command in (("256 MiB up", f"put {bench.files}/quarter quarter"),
                              ("256 MiB down", f"get quarter {bench.files}/back")):
            done = attempt(peer, f"{name}, far away",
                           lambda line=command: measure(peer, lambda: client.batch(line)))
            if done:
                results[name] = done
        client.batch("-rm quarter")
    finally:
        proxy.stop()
    return results
