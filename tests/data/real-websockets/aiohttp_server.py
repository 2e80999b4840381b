"""aiohttp.web with WebSockets: aiohttp_server.py PORT [CERTIFICATE KEY]; see README.md."""

import asyncio
import ssl
import sys
from pathlib import Path

from aiohttp import WSMsgType, web


async def serve(request):
    what, *parameters = request.path[1:].split("/")
    ws = web.WebSocketResponse(
        protocols=["v2", "v1"], max_msg_size=0, autoping=what != "ping", compress=True
    )
    await ws.prepare(request)
    if what == "ping":
        await ws.ping(parameters[0].encode())
    if what == "close":
        await ws.close(code=int(parameters[0]), message=parameters[1].encode())
    reason = ""
    while not ws.closed:
        message = await ws.receive()
        if message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.type == WSMsgType.PONG:
            await ws.send_str(message.data.decode())
        elif message.type == WSMsgType.PING:
            await ws.pong(message.data)
        elif message.type == WSMsgType.CLOSE:
            reason = message.extra
    with open("closes", "a") as closes:
        closes.write(f"{ws.close_code} {reason}\n")
    return ws


async def main(port, *files):
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    app = web.Application()
    app.router.add_get("/{tail:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port), ssl_context=tls).start()
    Path("ready").touch()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
