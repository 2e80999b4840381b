"""Prints the CPU microseconds of a call of aiohttp's jar, a line for each task of mod.rs."""

import asyncio
import statistics
import sys
import time

try:
    from aiohttp.cookiejar import CookieJar
    from yarl import URL

    CookieJar.update_cookies_from_headers
except (ImportError, AttributeError):
    sys.exit()

FOUND, OF_A_DOMAIN = sys.argv[1], int(sys.argv[2])
FIELDS = [
    f"c{n}=0123456789abcdef; Path=/p{n}; Max-Age=864000; HttpOnly; Secure"
    for n in range(OF_A_DOMAIN)
]
ROUNDS, SLICE = 30, 0.004


class Jar(CookieJar):
    # From 3.14 on it would hold 3,000.
    _limits_enabled = False


def filled(domains):
    jar = Jar()
    for domain in range(domains):
        jar.update_cookies_from_headers(FIELDS, URL(f"https://www.h{domain}.test/"))
    assert len(jar) == domains * OF_A_DOMAIN
    return jar


def spent(call, count):
    begin = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - begin


def show(task, call):
    count = 1
    while spent(call, count) < SLICE:
        count *= 2
    rounds = [spent(call, count) / count for _ in range(ROUNDS)]
    print(task, statistics.median(rounds) * 1e6)


async def main():
    url = URL("https://www.h0.test/p3/page")

    def header(jar, url):
        # As a session writes it.
        return jar.filter_cookies(url).output(header="", sep=";").strip()

    for task, domains in [("find-10", 1), ("find-1k", 100), ("find-100k", 10_000)]:
        jar = filled(domains)
        assert header(jar, url) == FOUND
        show(task, lambda: header(jar, url))
        if domains == 100:
            show("store", lambda: jar.update_cookies_from_headers(FIELDS, url))
    nobody = URL("https://nobody.test/p3/page")
    assert header(jar, nobody) == ""
    show("none-100k", lambda: header(jar, nobody))


asyncio.run(main())
