"""Has mitmproxy list what it sees as squid does: each flow when it has ended."""

from pathlib import Path

LOG = Path("requests.log")


def listed(flow):
    request, status = flow.request, flow.response.status_code if flow.response else 0
    target = request.url
    if request.method == "CONNECT":
        target = f"{request.host}:{request.port}"
    head = "".join(f"{name}: {value}\\r\\n" for name, value in request.headers.items())
    with LOG.open("a") as log:
        log.write(f"{flow.client_conn.peername[1]} {request.method} {target} {status} {head}\n")


def response(flow):
    listed(flow)


def error(flow):
    listed(flow)


def http_connect(flow):
    listed(flow)
