"""Writes what aiohttp 3.14 reads from a pickle: python expect.py PICKLE JSON"""

import asyncio
import json
import sys

import aiohttp


async def load(path):
    jar = aiohttp.CookieJar(unsafe=True)
    jar.load(path)
    return jar


pickled, path = sys.argv[1:]
asyncio.run(load(pickled)).save(path)
with open(path, encoding="utf-8") as file:
    saved = json.load(file)
for cookies in saved.values():
    for cookie in cookies.values():
        # Max-Age counts from the time of loading; in the file it is as it was.
        if cookie["key"] == "age":
            del cookie["expires_timestamp"]
with open(path, "w", encoding="utf-8") as file:
    json.dump(saved, file, indent=2)
    file.write("\n")
