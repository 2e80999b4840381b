"""Writes `messages` and what zlib makes of them with each window.

A file is a row of messages: the length in four bytes, big-endian, then the bytes.
"""

import random
import zlib
from pathlib import Path

HERE = Path(__file__).parent
TAIL = b"\x00\x00\xff\xff"

random.seed(7692)
words = ["".join(random.choices("aeioubcdlmnrst", k=random.randint(2, 9))) for _ in range(300)]


def text(length):
    out = ""
    while len(out) < length:
        out += random.choice(words) + random.choice([" ", " ", ", ", ".\n"])
    return out[:length].encode()


messages = [text(length) for length in (1, 30, 200, 511, 512, 513, 3000)]
messages += [random.randbytes(600), b"z" * 3000]
# References as far back as each window reaches, and farther.
first = messages[3]
for far in (500, 1000, 2000, 4000, 8000, 16000):
    messages += [text(far - 500), first, first]
messages += [messages[6], b"x", bytes(range(256)) * 2]


def write(name, rows):
    data = b"".join(len(row).to_bytes(4, "big") + row for row in rows)
    (HERE / name).write_bytes(data)


write("messages", messages)
for bits in range(9, 16):
    for takeover in (True, False):
        rows = []
        context = zlib.compressobj(6, zlib.DEFLATED, -bits)
        for message in messages:
            if not takeover:
                context = zlib.compressobj(6, zlib.DEFLATED, -bits)
            row = context.compress(message) + context.flush(zlib.Z_SYNC_FLUSH)
            assert row.endswith(TAIL)
            rows.append(row[: -len(TAIL)])
        if takeover or bits == 9:
            write(f"window-{bits}" + ("" if takeover else "-alone"), rows)
