"""aiohttp.web for the list of requests beside this file: server.py PORT DIRECTORY."""

import asyncio
import sys
import zlib
from pathlib import Path

from aiohttp import web

PORT, DIRECTORY = int(sys.argv[1]), Path(sys.argv[2])
TEXT = b"".join(b"line %d of the text\n" % number for number in range(500))
routes = web.RouteTableDef()


@routes.route("*", "/echo")
async def echo(request):
    """All that came; clients may differ in the order of headers and cookies."""
    body = await request.read()
    fields = sorted(
        f"{name}: {'; '.join(sorted(value.split('; ')))}" for name, value in request.headers.items()
    )
    head = "\n".join([f"{request.method} {request.path_qs} {request.version}", *fields])
    return web.Response(body=head.encode() + b"\n\n" + body, headers={"X-Length": str(len(body))})


@routes.get("/chunked/{count}/{size}")
async def chunked(request):
    count, size = int(request.match_info["count"]), int(request.match_info["size"])
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    if request.version >= (1, 1):
        response.enable_chunked_encoding()
    if "coding" in request.query:
        response.enable_compression(web.ContentCoding(request.query["coding"]))
    await response.prepare(request)
    for number in range(count):
        await response.write(b"%c" % (97 + number % 26) * size)
        if "slow" in request.query:
            await asyncio.sleep(0.01)
    await response.write_eof()
    return response


@routes.get("/coded/{coding}")
async def coded(request):
    response = web.Response(body=TEXT, content_type="text/plain")
    response.enable_compression(web.ContentCoding(request.match_info["coding"]))
    return response


@routes.get("/raw-deflate")
async def raw_deflate(request):
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(TEXT) + packer.flush()
    return web.Response(body=body, headers={"Content-Encoding": "deflate"})


@routes.get("/two-members")
async def two_members(request):
    halves = TEXT[:5000], TEXT[5000:]
    packers = [zlib.compressobj(wbits=31) for _ in halves]
    body = b"".join(p.compress(half) + p.flush() for p, half in zip(packers, halves))
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


@routes.get("/said/{coding}/{file}")
async def said(request):
    """A file of which it is said that it is coded so."""
    body = (DIRECTORY / request.match_info["file"]).read_bytes()
    return web.Response(body=body, headers={"Content-Encoding": request.match_info["coding"]})


@routes.get("/status/{status}")
async def status(request):
    number = int(request.match_info["status"])
    reason = request.query.get("reason")
    return web.Response(status=number, reason=reason, text=None if number in (204, 304) else "so\n")


@routes.route("*", "/redirect/{status}")
async def redirect(request):
    headers = {"Location": request.query["to"]}
    return web.Response(status=int(request.match_info["status"]), headers=headers, text="there\n")


@routes.get("/hops/{count}")
async def hops(request):
    count = int(request.match_info["count"])
    raise web.HTTPFound(f"/hops/{count - 1}" if count > 1 else "/echo?arrived=1")


@routes.get("/cookies")
async def cookies(request):
    response = web.HTTPSeeOther("/echo")
    response.set_cookie("one", "1")
    response.set_cookie("two", "a b", httponly=True, samesite="Lax")
    response.del_cookie("three")
    return response


@routes.get("/odd")
async def odd(request):
    head = [
        b"HTTP/1.1 200", b"X-Empty:", b"x-lower-CASE:   kept  inside \t", b"X-Twice: one",
        b"X-Latin: caf\xe9", b"X-UTF-8: caf\xc3\xa9", b"X-Twice: two", b"X-Colons: a:b::c",
        b"X!#$%&'*+-.^_`|~9: token", b"Content-Length: 3",
    ]
    return await Raw.send(request, b"\r\n".join(head) + b"\r\n\r\nodd")


@routes.get("/raw/{name}")
async def raw(request):
    return await Raw.send(request, RAW[request.match_info["name"]], "close" in request.query)


@routes.post("/limited")
async def limited(request):
    return web.Response(text=f"{len(await request.read())}\n")


@routes.get("/files/{path:.*}")
async def files(request):
    return web.FileResponse(DIRECTORY / request.match_info["path"])


@routes.get("/close")
async def close(request):
    response = web.Response(text="bye\n")
    response.force_close()
    return response


@routes.get("/fault")
async def fault(request):
    raise RuntimeError("as it should")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
RAW = {
    "trailers": CHUNKED + b"Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-More: 8\r\n\r\n",
    "extensions": CHUNKED + b"\r\n3;a=b\r\nabc\r\n00000A ; c=\"d;e\"\r\n0123456789\r\n0;last\r\n\r\n",
    "upper": b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "no-chunks": CHUNKED + b"\r\n0\r\n\r\n",
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"
    b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "until-close": b"HTTP/1.1 200 OK\r\n\r\nall that comes",
    "old": b"HTTP/1.0 200 Fine\r\nContent-Length: 3\r\n\r\nold",
    "old-kept": b"HTTP/1.0 200 Fine\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold",
    "close-said": b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 3\r\n\r\nbye",
    "close-among": b"HTTP/1.1 200 OK\r\nConnection: X-Id, close\r\nContent-Length: 3\r\n\r\nbye",
    "no-reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "long-reason": b"HTTP/1.1 200 All is well, and: (more)\r\nContent-Length: 2\r\n\r\nok",
    "reset-content": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    "bare-feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nok",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    "short-chunk": CHUNKED + b"\r\n9\r\nshort",
    "no-last-chunk": CHUNKED + b"\r\n5\r\nshort\r\n",
    "bad-chunk": CHUNKED + b"\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "not-gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    "nothing": b"",
}


class Raw(web.StreamResponse):
    """A response whose bytes, head and all, are as they are given."""

    keep_alive = True

    @classmethod
    async def send(cls, request, data, close=False):
        response = cls()
        response.data = data
        response.close = close
        return response

    async def prepare(self, request):
        request.transport.write(self.data)
        self.transport = request.transport

    async def write_eof(self, data=b""):
        if self.close:
            self.transport.close()




application = web.Application(client_max_size=1000)
application.add_routes(routes)
application.router.add_static("/", DIRECTORY, show_index=True)
web.run_app(application, host="127.0.0.1", port=PORT, print=None, access_log=None, handle_signals=False)
