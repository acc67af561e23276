"""Stands between a client and a TCP server."""

import socket
import struct
import threading


class Relay:
    """Accepts connections on a free port of 127.0.0.1, and opens one to `target_port` for each; `serve` moves
    the bytes, on a thread of its own."""

    def __init__(self, target_port):
        self.target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def serve(self, client):
        raise NotImplementedError

    def connect(self):
        server = socket.create_connection(("127.0.0.1", self.target_port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            self.serve(client)
        except (OSError, EOFError):
            pass
        finally:
            client.close()


def reset(connection):
    """Closes it with a RST, as a host does that has gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
