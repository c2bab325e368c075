"""A page of another site, in a real browser: nothing that it sends to the service runs, and it reads nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from epf.service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving

ROUTES = {
    "/solve": '{"problem": "2 + 2?"}',
    "/score": '{"problem": "2?", "steps": ["3"]}',
    "/v1/chat/completions": '{"model": "epf-1", "messages": [{"role": "user", "content": "2?"}]}',
    "/entropy/ranking": '{"student_scores": [[1, 2]], "teacher_scores": [[0, 1]]}',
}

SEND = """async ([base, routes]) => {
  const results = []
  for (const [route, body] of Object.entries(routes)) {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json', null]) {
      for (const mode of ['no-cors', 'cors']) {
        const headers = type === null ? {} : {'content-type': type}
        const data = type === null ? new Blob([body]) : body
        const sent = await fetch(base + route, {method: 'POST', mode, headers, body: data}).catch(() => null)
        results.push(sent === null || sent.type === 'opaque' ? '' : await sent.text())
      }
    }
    navigator.sendBeacon(base + route, body)
    const form = document.createElement('form')
    Object.assign(form, {method: 'post', action: base + route, enctype: 'text/plain', target: 'hidden'})
    const field = document.createElement('input')
    Object.assign(field, {name: body.slice(0, -1) + ', "x": "', value: '"}'})
    form.append(field)
    const frame = Object.assign(document.createElement('iframe'), {name: 'hidden'})
    const done = new Promise(resolve => frame.addEventListener('load', resolve, {once: true}))
    document.body.append(frame, form)
    await done
    const answered = new Promise(resolve => frame.addEventListener('load', resolve, {once: true}))
    form.submit()
    await answered
    frame.remove()
    form.remove()
  }
  return results.filter(text => text !== '')
}"""


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    """A site that serves an empty page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>x</title><body></body>")

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("site", ["cross-site", "same-site", "without an origin"])
def test_what_a_foreign_page_sends_never_runs(site: str, page: Page, foreign_port: int) -> None:
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
        port = client.base_url.port
        page.goto(f"http://{'localhost' if site == 'same-site' else '127.0.0.1'}:{foreign_port}/")
        frame = page.main_frame
        if site == "without an origin":  # a sandboxed frame, whose origin is null
            page.set_content('<iframe sandbox="allow-scripts allow-forms" srcdoc="<body></body>"></iframe>')
            frame = page.frames[-1]
        base = f"http://localhost:{port}"
        assert frame.evaluate(SEND, [base, ROUTES]) == []
        counted = _posts(client)
        assert {status for status, _ in counted} == {"403"}
        assert sum(n for _, n in counted) >= 4 * len(ROUTES)
        assert client.post("/solve", json={"problem": "2 + 2?"}).status_code == 200


def _posts(client: httpx.Client) -> list[tuple[str, float]]:
    """Status and number of the POST requests that the server has seen."""
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("epf_http_requests_total{") and 'method="POST"' in line]
    return [(line.partition('status="')[2].partition('"')[0], float(line.split()[-1])) for line in found]
