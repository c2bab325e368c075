"""Serves SmolLM2 with llama.cpp's own HTTP server until the process ends: ``python -m tests.real.llama_server PORT``.

Runs in an environment with ``xllamacpp``, which brings that server as a Python module, and with the package of the model.
"""

import signal
import sys

from tests.real.convert import gguf_file

SLOTS = 8
CONTEXT = 2048
"""Number of requests at the same time, and maximum number of tokens of each."""


def main(port: int) -> None:
    """Serve on the loopback interface; the address goes to standard output when the server is ready."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf_file())
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT
    params.kv_unified = False
    # Threads of llama.cpp spin while they wait for each other, which is many times slower on a machine whose cores are busy.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = True
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
