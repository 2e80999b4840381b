"""Python's websockets: websockets_server.py PORT [CERTIFICATE KEY]; see README.md."""

import asyncio
import ssl
import sys
from pathlib import Path
from urllib.parse import unquote

import websockets

PROTOCOLS = ["v2", "v1"]


async def serve(ws):
    # Later versions have it with the request.
    path = getattr(ws, "path", None) or ws.request.path
    what, *parameters = unquote(path)[1:].split("/")
    if what == "ping":
        await (await ws.ping(parameters[0]))
        await ws.send(parameters[0])
    if what == "close":
        await ws.close(int(parameters[0]), parameters[1])
    if what == "pieces":
        count, size = map(int, parameters)
        await ws.send(chr(97 + n % 26) * size for n in range(count))
        await ws.send(bytes([n % 256]) * size for n in range(count))
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosedError:
        pass
    with open("closes", "a") as closes:
        closes.write(f"{ws.close_code} {ws.close_reason or ''}\n")


def choose(*arguments):
    """Before version 13 what is offered comes first, else behind the connection."""
    offered = next(argument for argument in arguments if isinstance(argument, list))
    return next((protocol for protocol in PROTOCOLS if protocol in offered), None)


async def main(port, *files):
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    settings = {
        "subprotocols": PROTOCOLS,
        "select_subprotocol": choose,
        "max_size": None,
        "ssl": tls,
    }
    async with websockets.serve(serve, "127.0.0.1", int(port), **settings):
        Path("ready").touch()
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
