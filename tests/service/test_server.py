"""The socket that the service listens on."""

import socket

from epf.service.server import listen


def test_connections_send_without_delay() -> None:
    """Otherwise the body of a response waits 40 ms for the acknowledgement of its header."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
