"""A TCP proxy that makes a network longer: everything arrives a fixed time later, nothing slower.

    delay_proxy.py LISTEN_PORT TARGET_PORT MILLISECONDS

Half of the delay is added in each direction, and all of it to the first bytes of a connection, as a
handshake would. Bytes on their way are kept in memory, up to `IN_FLIGHT_MAX` a direction.
"""

import asyncio
import collections
import socket
import sys

IN_FLIGHT_MAX = 256 << 20
PIECE = 1 << 20


class Direction(asyncio.Protocol):
    """Reads from one socket, and writes to the other one later."""

    def __init__(self, delay):
        self.delay, self.other, self.transport = delay, None, None
        self.waiting, self.bytes_waiting, self.timer = collections.deque(), 0, None
        self.extra, self.writable = 0.0, True
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport):
        self.transport = transport
        transport.max_size = PIECE
        transport.set_write_buffer_limits(0)  # asyncio's own buffer moves all that is behind, each time.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self._later(data)
        if self.bytes_waiting > IN_FLIGHT_MAX:
            self.transport.pause_reading()

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.writable = True
        if self.other and self.other.timer is None:
            self.other._deliver()

    def eof_received(self):
        self._later(None)
        return True

    def connection_lost(self, exc):
        self._later(None, close=True)

    def _later(self, data, close=False):
        self.waiting.append((self.loop.time() + self.delay + self.extra, data, close))
        self.extra = 0.0
        self.bytes_waiting += len(data or b"")
        if self.timer is None:
            self.timer = self.loop.call_at(self.waiting[0][0], self._deliver)

    def _deliver(self):
        now = self.loop.time()
        self.timer = None
        target = self.other.transport if self.other else None
        while self.waiting and self.waiting[0][0] <= now + 0.0005:
            if target and not target.is_closing() and not self.other.writable:
                return  # The other side's resume_writing() goes on.
            _, data, close = self.waiting.popleft()
            self.bytes_waiting -= len(data or b"")
            if target is None or target.is_closing():
                continue
            if data:
                target.write(data)
            elif close:
                target.close()
            elif target.can_write_eof():
                target.write_eof()
        if self.transport and not self.transport.is_closing() and self.bytes_waiting < IN_FLIGHT_MAX:
            self.transport.resume_reading()
        if self.waiting:
            self.timer = self.loop.call_at(self.waiting[0][0], self._deliver)


class Accepted(Direction):
    """The client's side: connects to the target."""

    def __init__(self, delay, target_port):
        super().__init__(delay)
        self.target_port = target_port
        self.extra = 2 * delay

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.pause_reading()
        self.loop.create_task(self._connect())

    async def _connect(self):
        try:
            _, self.other = await self.loop.create_connection(
                lambda: Direction(self.delay), "127.0.0.1", self.target_port)
        except OSError:
            self.transport.abort()
            return
        self.other.other = self
        self.transport.resume_reading()


async def main(listen_port, target_port, milliseconds):
    server = await asyncio.get_running_loop().create_server(
        lambda: Accepted(milliseconds / 2000, target_port), "127.0.0.1", listen_port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    except KeyboardInterrupt:
        pass
