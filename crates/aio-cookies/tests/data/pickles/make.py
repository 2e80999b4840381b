"""Saves a cookie jar as the installed aiohttp does: python make.py FILE [PROTOCOL]

Only aiohttp up to 3.13 saves pickles. The cookies come the two ways in which a session stores
them: those of responses, by http.cookies, and those that a program sets.
"""

import asyncio
import pickle
import sys
from http.cookies import SimpleCookie

import aiohttp
from yarl import URL

RESPONSES = [
    ("https://www.example.com/a/b", "host=only"),
    ("https://www.example.com/a/b", "wide=all; Domain=example.com; Path=/"),
    ("https://www.example.com/a/b", "dotted=all; Domain=.example.com; Path=/x/"),
    ("https://www.example.com/", "until=2100; Expires=Fri, 01 Jan 2100 00:00:00 GMT"),
    ("https://www.example.com/", "age=year; Max-Age=31536000"),
    ("https://www.example.com/", "flags=all; Secure; HttpOnly; SameSite=Lax"),
    ("https://www.example.com/", 'quoted="a b; c\\054d\\"e"; Path=/'),
    ("https://www.example.com/", 'noted=old; Version=1; Comment="of a kind"'),
    ("https://xn--bcher-kva.example/", "idna=yes; Path=/"),
    ("http://localhost:8080/", "local=1"),
    ("http://127.0.0.1/", "address=1"),
]
PROGRAM = [
    ("https://www.example.com/", {"text": "ы é", "empty": "", "number": 1}),
    ("", {"shared": "v v"}),
]


async def fill():
    jar = aiohttp.CookieJar(unsafe=True)
    for url, header in RESPONSES:
        cookies = SimpleCookie(header)
        assert len(cookies) == 1, header
        jar.update_cookies(cookies, URL(url))
    for url, cookies in PROGRAM:
        jar.update_cookies(cookies, URL(url))
    # Looking cookies up left empty places behind, in some versions.
    jar.filter_cookies(URL("https://other.example/a/b"))
    return jar


jar = asyncio.run(fill())
if len(sys.argv) == 2:
    jar.save(sys.argv[1])
else:
    with open(sys.argv[1], "wb") as file:
        pickle.dump(jar._cookies, file, int(sys.argv[2]))
