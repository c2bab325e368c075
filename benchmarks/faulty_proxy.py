"""A proxy in front of a real server that can make it hang in several ways, and be well again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Fault = Literal["silent", "head only", "health only", "breaks off"]
FAULTS: dict[Fault, str] = {
    "silent": "accepts connections and stays silent",
    "head only": "sends the head of each response and nothing more",
    "health only": "responds to GET /health, and to no call",
    "breaks off": "sends the first bytes of each response, then nothing",
}

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST_BYTES = 200


class FaultyProxy:
    """Passes everything on to the server at ``port`` on this machine, except where ``fault`` is set."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._well = asyncio.Event()
        self._well.set()
        self.fault: Fault | None = None
        self.url = ""

    def hang(self, fault: Fault) -> None:
        """Hang, also in responses that are on their way."""
        self.fault = fault
        self._well.clear()

    def recover(self) -> None:
        """Be well again."""
        self.fault = None
        self._well.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        connection = _Connection(self, reader, requests, answers, writer)
        pumps = [asyncio.create_task(connection.ask()), asyncio.create_task(connection.answer())]
        with suppress(asyncio.CancelledError):  # which asyncio would report
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for end in (writer, requests):
            end.close()

    async def until_well(self) -> None:
        """Wait for the end of the fault."""
        await self._well.wait()


class _Connection:
    def __init__(
        self,
        proxy: FaultyProxy,
        reader: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._requests, self._answers, self._writer = reader, requests, answers, writer
        self._is_call = False
        self._n_sent = 0

    async def ask(self) -> None:
        with suppress(OSError):
            while data := await self._reader.read(2**16):
                if data.startswith((b"GET ", b"POST ")):
                    self._is_call, self._n_sent = data.startswith(b"POST "), 0
                self._requests.write(data)
                await self._requests.drain()

    async def answer(self) -> None:
        with suppress(OSError):
            while data := await self._answers.read(2**16):
                match self._proxy.fault:
                    case "silent":
                        await self._proxy.until_well()
                    case "health only" if self._is_call:
                        await self._proxy.until_well()
                    case "head only":
                        self._writer.write(HEAD if not self._n_sent else b"")
                        await self._proxy.until_well()
                        return
                    case "breaks off" if self._is_call and self._n_sent + len(data) > FIRST_BYTES:
                        first = max(FIRST_BYTES - self._n_sent, 0)
                        self._writer.write(data[:first])
                        data = data[first:]
                        await self._proxy.until_well()
                self._n_sent += len(data)
                self._writer.write(data)
                await self._writer.drain()


@asynccontextmanager
async def faulty_proxy(port: int) -> AsyncIterator[FaultyProxy]:
    """Run a proxy in front of ``port`` until the end of the block."""
    proxy = FaultyProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.recover()
        server.close()
