"""Counts the bytes that go to a TCP server and come from it."""

import socket
import threading


class CountingProxy:
    """Relays connections on a free port of 127.0.0.1 to another port; `sent` and `received` are bytes as the
    client sees them, headers and all."""

    def __init__(self, target_port):
        self._target_port, self._lock = target_port, threading.Lock()
        self.sent = self.received = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        with self._lock:
            self.sent = self.received = 0

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            for source, sink, name in ((client, server, "sent"), (server, client, "received")):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._relay, args=(source, sink, name), daemon=True).start()

    def _relay(self, source, sink, name):
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
