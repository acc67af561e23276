"""Counts the bytes that go to a TCP server and come from it."""

import socket
import threading

from support.relay import Relay


class CountingProxy(Relay):
    """`sent` and `received` are bytes as the client sees them, headers and all."""

    def __init__(self, target_port):
        self._lock = threading.Lock()
        self.sent = self.received = 0
        super().__init__(target_port)

    def reset(self):
        with self._lock:
            self.sent = self.received = 0

    def serve(self, client):
        with self.connect() as server:
            back = threading.Thread(target=self._move, args=(server, client, "received"), daemon=True)
            back.start()
            self._move(client, server, "sent")
            back.join()

    def _move(self, source, sink, name):
        try:
            while piece := source.recv(1 << 18):
                with self._lock:
                    setattr(self, name, getattr(self, name) + len(piece))
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
                try:
                    end.shutdown(how)
                except OSError:
                    pass
