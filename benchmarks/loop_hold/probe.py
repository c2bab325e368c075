"""A stranger: asks for ``/healthz`` again and again until its standard input ends, then writes when, and how long it took.

``python -m benchmarks.loop_hold.probe PORT`` writes a JSON list of pairs of seconds, of a clock that all processes share.
"""

import http.client
import json
import sys
import time
from threading import Thread
from typing import Final

PAUSE_S: Final = 0.005


def main() -> None:
    """Ask and write."""
    ended = Thread(target=sys.stdin.read, daemon=True)
    ended.start()
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    times: list[tuple[float, float]] = []
    while ended.is_alive():
        begun_s = time.monotonic()
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        times.append((begun_s, time.monotonic() - begun_s))
        time.sleep(PAUSE_S)
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
