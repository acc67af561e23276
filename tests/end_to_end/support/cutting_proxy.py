"""A network that is lost in the middle of a transfer."""

import select
import threading

from support.relay import Relay, reset


class CuttingProxy(Relay):
    """Breaks one connection, the first after `limit` bytes went one `way`: "sent" or "received", as the client
    sees them. Both ends get a RST or, if it is `silent`, nothing more until let_go() closes it; the server
    cannot know that the client has gone. Later connections are left alone.

    `sent` and `received` count the bytes of all connections since forget().
    """

    def __init__(self, target_port, way, limit, silent):
        self.sent = self.received = 0
        self.broken = threading.Event()
        self._way, self._limit, self._silent = way, limit, silent
        self._released = threading.Event()
        super().__init__(target_port)

    def forget(self):
        self.sent = self.received = 0

    def let_go(self):
        self._released.set()

    def stop(self):
        self.let_go()
        super().stop()

    def serve(self, client):
        with self.connect() as server:
            # One thread for both ways: a socket that another one waits for is not reset by its close.
            while not self._is_over():
                for source in select.select([client, server], [], [])[0]:
                    if not self._move(source, client, server):
                        return
            self._break(client, server)

    def _move(self, source, client, server):
        piece = source.recv(1 << 16)
        if source is client:
            self.sent += len(piece)
            server.sendall(piece)
        else:
            self.received += len(piece)
            client.sendall(piece)
        return piece

    def _is_over(self):
        return not self.broken.is_set() and getattr(self, self._way) >= self._limit

    def _break(self, client, server):
        self.broken.set()
        if self._silent:
            self._released.wait()
        else:
            reset(client)
            reset(server)
