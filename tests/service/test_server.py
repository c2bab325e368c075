"""The socket that the service listens on."""

import socket

from epf.service.server import listen


def test_what_a_connection_is_sent_goes_out_at_once() -> None:
    """Else the body of an answer waits 40 ms for the client's system to acknowledge its head."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
