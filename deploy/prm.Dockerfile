# The scoring server on vLLM. The base image brings torch and CUDA; of our dependencies it lacks only those named below.
# The tests run the same version, built for CPUs. Build it from the root of the project: see docker-compose.yml.
# vLLM's image runs as root, where its caches are; docker-compose.yml drops all capabilities.
FROM vllm/vllm-openai:v0.32.0
WORKDIR /src
COPY . .
RUN grep --extended-regexp '^(antlr4-python3-runtime|flatbuffers|latex2sympy2_extended|math-verify|onnxruntime)==' \
        deploy/constraints.txt > /tmp/missing.txt \
 && uv pip install --system --no-cache --no-deps --requirement /tmp/missing.txt . \
 && rm /tmp/missing.txt
WORKDIR /
EXPOSE 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 \
    CMD ["python3", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8001, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT []
CMD ["epf", "serve-prm", "--host", "0.0.0.0", "--port", "8001"]
