"""Requests about names: listings, STAT, renames, however large the directories."""

import statistics
import time

from clients import Client
from measure import attempt, measure, plain_table, table
from support.raw_sftp import READDIR, STAT

STATS = 20_000
STATS_IN_FLIGHT = 64


def listing_table(bench):
    """`ls -l` of a long directory. rclone would need an object for each entry, and minutes."""
    entries, results = bench.options.entries, {}
    for peer in bench.peers_in("listing"):
        client, name = Client(peer, bench.folder), f"ls -l of {entries:,} entries"
        attempt(peer, f"{entries:,} entries made",
                lambda peer=peer: peer.make_listing("long-listing", entries))
        done = attempt(peer, name, lambda: measure(
            peer, lambda: client.batch("ls -ln long-listing")))
        results[peer.name] = {name: done} if done else {}
    return table("A long directory", results)


def stat_table(bench):
    """STAT of files in one directory, on one connection."""
    rows = []
    for peer in bench.peers_in("stat"):
        for in_flight in (1, STATS_IN_FLIGHT):
            count = STATS if in_flight > 1 else STATS // 10
            done = attempt(peer, f"{count:,} STATs, {in_flight} at once",
                           lambda: _stats(peer, bench, count, in_flight))
            if done:
                rows.append([peer.name, str(in_flight), f"{count / done.wall:,.0f}",
                             f"{done.cpu / count * 1e6:.0f}",
                             f"{done.database_cpu / count * 1e6:.0f}"])
    return plain_table("STAT on one connection", [
        "", "in flight", "STAT/s", "server CPU µs each", "PostgreSQL CPU µs each"], rows)


def _stats(peer, bench, count, in_flight):
    with Client(peer, bench.folder).raw() as raw:
        def work():
            waiting = []
            for number in range(count):
                path = f"listing/IMG_{number * 7919 % 10_000 + 1:08}.JPG"
                waiting.append(raw.send(STAT, path))
                if len(waiting) >= in_flight:
                    raw.reply(waiting.pop(0)).ok()
            for request_id in waiting:
                raw.reply(request_id).ok()
        return measure(peer, work)


def huge_table(bench):
    """A directory of a million, which only Shoebox gets: its rows are quickly made."""
    shoebox, entries = bench.peers[0], bench.options.huge_entries
    attempt(shoebox, f"{entries:,} entries made",
            lambda: shoebox.make_listing("huge", entries))
    with Client(shoebox, bench.folder).raw() as raw:
        raw.stat("huge")
        first, whole, names = [], None, 0
        for _ in range(5):
            begun = time.monotonic()
            handle = raw.open_directory("huge")
            raw.ask(READDIR, handle).ok()
            first.append(time.monotonic() - begun)
            raw.close(handle)
        begun = time.monotonic()
        handle = raw.open_directory("huge")
        names = sum(1 for _ in raw.entries(handle))
        whole = time.monotonic() - begun
        raw.close(handle)
        renames = _timed_renames(raw, "huge", 10)
        stats = _timed(lambda: raw.stat("huge/IMG_00000777.JPG"), 10)
    rows = [["OPENDIR and first READDIR", _milliseconds(first), f"{max(first) * 1e3:.1f}"],
            [f"all {names:,} names", f"{whole * 1e3:,.0f}", ""],
            ["RENAME of the directory", _milliseconds(renames), f"{max(renames) * 1e3:.1f}"],
            ["STAT of a file in it", _milliseconds(stats), f"{max(stats) * 1e3:.1f}"]]
    return plain_table(f"A directory of {entries:,} files in Shoebox",
                       ["", "median ms", "longest ms"], rows)


def _timed_renames(raw, name, count):
    taken = []
    for number in range(count):
        old, new = (name, f"{name}-renamed")[::1 if number % 2 == 0 else -1]
        taken += _timed(lambda old=old, new=new: raw.rename(old, new), 1)
    return taken


def _timed(work, count):
    taken = []
    for _ in range(count):
        begun = time.monotonic()
        work()
        taken.append(time.monotonic() - begun)
    return taken


def _milliseconds(taken):
    return f"{statistics.median(taken) * 1e3:.1f}"
