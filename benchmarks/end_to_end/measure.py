"""What an operation costs, and tables of it."""

import collections
import os
import pathlib
import statistics
import sys
import time

import peers  # noqa: F401  (finds tests/end_to_end/support)
from support import processes

Measured = collections.namedtuple("Measured", "wall cpu database_cpu")


def measure(peer, work):
    """Runs `work`; its wall time, and CPU seconds up to when the server is quiet again. What was
    written before goes to the disk first: else the next one waits for it."""
    os.sync()
    cpu, database = peer.cpu(), peer.database_cpu()
    begun = time.monotonic()
    work()
    wall = time.monotonic() - begun
    processes.wait_until(lambda: settled(peer), "the server is quiet", 60, 0.2)
    return Measured(wall, peer.cpu() - cpu, peer.database_cpu() - database)


def settled(peer):
    """What a server does behind the answer counts as well: until its CPU time stands still."""
    before = peer.cpu()
    time.sleep(0.3)
    return peer.cpu() - before <= 0.01


def median(runs):
    return Measured(*(statistics.median(column) for column in zip(*runs)))


def attempt(peer, name, work):
    """What `work` returns; nothing, with a line on stderr, if it fails."""
    try:
        done = work()
    except Exception as failure:  # One operation of one peer must not end the run.
        print(f"  {peer.name}: {name} failed: {failure}", file=sys.stderr)
        return None
    shown = f": {done.wall:.2f} s" if isinstance(done, Measured) else ""
    print(f"  {peer.name}: {name}{shown}", file=sys.stderr, flush=True)
    return done


def table(title, results):
    """Markdown from peer -> operation -> Measured: seconds of each, ratios of the first to others."""
    first, *others = results
    short = {name: name.split(",")[0] for name in others}
    lines = [f"### {title}", "",
             "| | " + " | ".join(f"{name}: wall s | CPU s" for name in results) + " | " +
             " | ".join(f"wall ÷ {short[name]}" for name in others) + " |",
             "|---|" + "---:|" * (2 * len(results) + len(others))]
    for operation in dict.fromkeys(name for found in results.values() for name in found):
        cells, ours = [], results[first].get(operation)
        for name in results:
            cells += _cells(results[name].get(operation))
        for name in others:
            found = results[name].get(operation)
            cells.append(f"{ours.wall / found.wall:.2f}" if found and ours else "")
        lines.append(f"| {operation} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(found):
    if found is None:
        return ["failed", ""]
    cpu = f"{found.cpu:.2f}"
    if found.database_cpu >= 0.005:
        cpu += f" + {found.database_cpu:.2f}"
    return [f"{found.wall:.2f}" if found.wall >= 0.1 else f"{found.wall:.3f}", cpu]


def plain_table(title, columns, rows, note=""):
    """Markdown from rows of texts."""
    lines = [f"### {title}", ""] + ([note, ""] if note else [])
    lines += ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def proportional_memory(pids):
    """Memory of processes in bytes, what they share counted once."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024
