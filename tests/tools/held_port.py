# SPDX-License-Identifier: Apache-2.0
"""A port of loopback that nobody else gets while a test starts, kills and restarts its server."""

import socket


class HeldPort:
    """Bound, and not listened on. To a port that is merely found free another program may come
    first, if only with a connection that it opens. This one the kernel gives to nobody who asks for
    any port, and servers can listen on it by its number, for they set SO_REUSEADDR as this does.
    Held as long as the object lives."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()
