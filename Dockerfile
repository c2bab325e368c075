# The service with its embedded pair and all entropy tools. It needs neither torch nor a GPU, and downloads nothing at startup.
# deploy/constraints.txt was generated for this Python on Debian, and the tests run on it. The image is pinned by tag only;
# pin its digest as well.
FROM python:3.11.15-slim-bookworm AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/epf
COPY deploy/constraints.txt deploy/constraints.txt
RUN pip --python /opt/epf/bin/python install --no-cache-dir --no-deps --requirement deploy/constraints.txt
COPY . .
RUN pip --python /opt/epf/bin/python install --no-cache-dir --no-deps . \
 && pip --python /opt/epf/bin/python check

FROM python:3.11.15-slim-bookworm AS epf
LABEL org.opencontainers.image.title="entropic-particle-filtering" \
      org.opencontainers.image.description="Entropic particle filtering over a language model and a process reward model"
COPY --from=build /opt/epf /opt/epf
ENV PATH=/opt/epf/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["epf", "serve", "--host", "0.0.0.0", "--port", "8000"]
