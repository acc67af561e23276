"""Prometheus' text format, read strictly: what a scraper would complain about is an error here."""

import math
import re
import urllib.request

from support.processes import Failed

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(rf"({NAME})(?:{{(.*)}})? (\S+)$")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count"),
            "counter": ("",), "gauge": ("",)}


class Scrape:
    """The families of one answer, by name: their type, help and samples."""

    def __init__(self, text):
        self.types, self.helps, self.samples = {}, {}, {}
        self._family = None
        if not text.endswith("\n"):
            raise Failed("the last line does not end")
        for line in text.splitlines():
            self._read(line)
        for name, kind in self.types.items():
            if kind == "histogram":
                self._check_histogram(name)

    def value(self, metric, **labels):
        """The sum over all samples of that name that have these labels; there must be one."""
        found = [value for (name, pairs), value in self.samples.items()
                 if name == metric and labels.items() <= dict(pairs).items()]
        if not found:
            raise Failed(f"no sample {metric} {labels}")
        return sum(found)

    def values_of(self, metric, label):
        """The values that a label has."""
        return {dict(pairs)[label] for name, pairs in self.samples if name == metric}

    def _read(self, line):
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment:
            kind, name, rest = comment.groups()
            target = self.helps if kind == "HELP" else self.types
            if name in target:
                raise Failed(f"{kind} twice: {name}")
            if kind == "TYPE" and rest not in SUFFIXES:
                raise Failed(f"unknown type: {line}")
            target[name] = rest
            self._family = name
            return
        sample = SAMPLE.fullmatch(line)
        if not sample:
            raise Failed(f"no sample: {line!r}")
        name, labels, number = sample.groups()
        allowed = [self._family + suffix for suffix in SUFFIXES[self.types[self._family]]]
        if name not in allowed:
            raise Failed(f"{name} stands among the samples of {self._family}")
        key = (name, self._labels(labels or ""))
        if key in self.samples:
            raise Failed(f"twice: {key}")
        value = float(number)
        if math.isnan(value) and self.types[self._family] != "summary":
            raise Failed(f"not a number: {line}")
        if value < 0 and self.types[self._family] != "gauge":
            raise Failed(f"negative: {line}")
        self.samples[key] = value

    @staticmethod
    def _labels(text):
        pairs, at = [], 0
        while at < len(text):
            label = LABEL.match(text, at)
            if not label:
                raise Failed(f"labels: {text!r}")
            pairs.append(label.groups())
            at = label.end()
        if len({name for name, _ in pairs}) != len(pairs):
            raise Failed(f"a label twice: {text!r}")
        return tuple(sorted(pairs))

    def _check_histogram(self, name):
        classes = {}
        for (sample, pairs), value in self.samples.items():
            if sample == name + "_bucket":
                others = tuple(pair for pair in pairs if pair[0] != "le")
                classes.setdefault(others, []).append((float(dict(pairs)["le"]), value))
        for others, bounds in classes.items():
            counts = [count for _, count in sorted(bounds)]
            if counts != sorted(counts) or max(bounds)[0] != math.inf:
                raise Failed(f"{name} {others}: {bounds}")
            if self.samples[(name + "_count", others)] != counts[-1]:
                raise Failed(f"{name} {others}: the count is not that of the last class")
            if (name + "_sum", others) not in self.samples:
                raise Failed(f"{name} {others} has no sum")


def scrape(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        if not answer.headers["Content-Type"].startswith("text/plain"):
            raise Failed(f"Content-Type: {answer.headers['Content-Type']}")
        return Scrape(answer.read().decode())
