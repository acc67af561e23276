"""An S3 store as networks and stores are on a bad day."""

import collections
import random
import threading
import time

from support.http_messages import Connection, Message
from support.relay import Relay, reset

FAULTS = ["refused", "broken", "slow down", "reset before", "reset after", "twice", "cut off", "delayed",
          "error in a 200"]
WITH_ERRORS_IN_200 = ("CompleteMultipartUpload", "UploadPartCopy")


class FaultyProxy(Relay):
    """Relays HTTP requests. With `probability` something happens to one: it is refused without being looked at,
    the connection breaks before the store has seen it or after the store has done it, the store gets it
    twice, its answer is cut off in the middle, comes late, or is an error in spite of its status 200.

    What happens to the n-th request of an operation depends on `seed` alone. `happened` counts faults,
    `requests` those of each operation. Every answer may be made to wait for `delay` seconds.
    """

    def __init__(self, target_port, seed, probability):
        self.seed, self.probability, self.delay = seed, probability, 0
        self.happened, self.requests = collections.Counter(), collections.Counter()
        self._lock = threading.Lock()
        super().__init__(target_port)

    def serve(self, client):
        requests, store = Connection(client), None
        try:
            while (request := requests.read_request()) is not None:
                fault, choose = self._draw(request.operation())
                if fault in ("refused", "broken", "slow down"):
                    client.sendall(refusal(fault))
                    continue
                if fault == "reset before":
                    return reset(client)
                if fault == "delayed":
                    time.sleep(choose.uniform(0.02, 0.4))
                if fault == "error in a 200" and choose.random() < 0.5:
                    client.sendall(error_in_200())
                    continue
                store = store or Connection(self.connect())
                answer = ask(store, request)
                time.sleep(self.delay)
                if fault == "twice":
                    answer = ask(store, request)
                if fault == "reset after":
                    return reset(client)
                if fault == "error in a 200":
                    client.sendall(error_in_200())
                    continue
                client.sendall(answer.head())
                if fault == "cut off" and answer.body:
                    client.sendall(answer.body[:len(answer.body) // 2])
                    return None
                client.sendall(answer.body)
        finally:
            if store:
                store.sock.close()

    def _draw(self, operation):
        """A fault or None, and where further choices come from."""
        with self._lock:
            self.requests[operation] += 1
            choose = random.Random(f"{self.seed}/{operation}/{self.requests[operation]}")
            fault = choose.choice(FAULTS) if choose.random() < self.probability else None
            if fault == "error in a 200" and operation not in WITH_ERRORS_IN_200:
                fault = "twice"
            if fault:
                self.happened[fault] += 1
            return fault, choose


def ask(store, request):
    store.sock.sendall(request.head() + request.body)
    return store.read_answer(request.method)


def refusal(fault):
    status, code = {"refused": ("503 Service Unavailable", "ServiceUnavailable"),
                    "broken": ("500 Internal Server Error", "InternalError"),
                    "slow down": ("503 Slow Down", "SlowDown")}[fault]
    return error(status, code)


def error_in_200():
    return error("200 OK", "InternalError")


def error(status, code):
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>Please try again.</Message></Error>").encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return Message(f"HTTP/1.1 {status}", headers).head() + body
