"""Writes the multipart bodies of this directory with aiohttp and the email package."""

import asyncio
import base64
import json
import pathlib
import random
import warnings
from email import message_from_bytes, policy
from email.generator import BytesGenerator
from email.message import EmailMessage
from io import BytesIO

import aiohttp
from aiohttp.multipart import content_disposition_filename, parse_content_disposition

HERE = pathlib.Path(__file__).parent
TEXT = "Grüße, world: a=b & c.  \r\n=\t\r\n.\r\n--limit\r\n--limit-\r\nlast"
BINARY = random.Random(5).randbytes(600) + b"\r\n--limit-x\r\r\n\r\n--limi" + bytes(range(256))


class Sink:
    """What a payload is written to."""

    def __init__(self):
        self.data = b""

    async def write(self, data):
        self.data += data


async def written(writer):
    sink = Sink()
    await writer.write(sink)
    return writer.headers["Content-Type"], sink.data


def named(disposition):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, params = parse_content_disposition(disposition)
    names = (content_disposition_filename(params, key) for key in ("name", "filename"))
    return dict(zip(("name", "filename"), names))


def part(data, disposition=None, **more):
    """What a reader is to find."""
    data = data.encode() if isinstance(data, str) else data
    return {"data": base64.b64encode(data).decode(), **named(disposition), **more}


def plain():
    writer = aiohttp.MultipartWriter("mixed", boundary="limit-1")
    writer.append(TEXT)
    writer.append(BINARY, {"X-Odd": "é; ü"})
    writer.append(b"")
    writer.append_json({"a": [1, None]})
    writer.append_form([("a", "1 2"), ("ü", "&")])
    json_text = '{"a": [1, null]}'
    return writer, [
        part(TEXT, text=TEXT),
        part(BINARY),
        part(b""),
        part(json_text, json={"a": [1, None]}),
        part("a=1+2&%C3%BC=%26", form=[["a", "1 2"], ["ü", "&"]]),
    ]


def coded():
    writer = aiohttp.MultipartWriter("related", boundary="a 'quoted' (boundary)?")
    found = []
    for transfer in (None, "base64", "quoted-printable", "binary"):
        for content in (None, "deflate", "gzip", "identity"):
            if transfer == "quoted-printable" and content in ("deflate", "gzip"):
                continue  # aiohttp cuts such data where it may not be cut.
            headers = {}
            if transfer:
                headers["Content-Transfer-Encoding"] = transfer
            if content:
                headers["Content-Encoding"] = content
            writer.append(TEXT, headers)
            found.append(part(TEXT, text=TEXT))
    return writer, found


def nested():
    inner = aiohttp.MultipartWriter("alternative", boundary="limit-inner")
    inner.append("one")
    inner.append("two")
    innermost = aiohttp.MultipartWriter("mixed", boundary="limit-inner-most")
    innermost.append(BINARY)
    inner.append(innermost)
    writer = aiohttp.MultipartWriter("mixed", boundary="limit")
    writer.append("before")
    writer.append(inner)
    writer.append(aiohttp.MultipartWriter("mixed", boundary="empty"))
    writer.append("behind")
    return writer, [
        part("before"),
        {"parts": [part("one"), part("two"), {"parts": [part(BINARY)]}]},
        {"parts": []},
        part("behind"),
    ]


def form(quote_fields):
    fields = aiohttp.FormData(quote_fields=quote_fields, default_to_multipart=True)
    found = []
    # aiohttp cannot write other names when it quotes them.
    more = () if quote_fields else ("ü;=,'*%", "€")
    for name in ("n", "a b", 'q"q', "b\\s", *more):
        for filename in (None, "a b.txt", 'fi"l\\é;.txt', "../up", "a%20b", "%C3%A9"):
            fields.add_field(name, TEXT, filename=filename)
    writer = fields()
    for payload, _, _ in writer:
        found.append(part(TEXT, payload.headers["Content-Disposition"], text=TEXT))
    return writer, found


def email():
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = "parts"
    message.set_content("Grüße, und mehr als ASCII\n", cte="quoted-printable")
    message.add_alternative("<p>" + "x" * 200 + "</p>\n", subtype="html", cte="quoted-printable")
    for name in ("a.bin", "grüße " * 20 + ".txt", "long " * 30, "a;b\"c\\d.txt", "it's.txt"):
        message.add_attachment(BINARY, "application", "octet-stream", filename=name)
    message.add_attachment("7bit\n", filename="plain.txt", cte="7bit")
    return message


def seen(message):
    """What the email package finds itself."""
    if message.is_multipart():
        return {"parts": [seen(inner) for inner in message.iter_parts()]}
    disposition = message.get("Content-Disposition")
    raw = "".join(str(disposition).splitlines()) if disposition is not None else None
    return part(message.get_payload(decode=True), raw)


def email_case(rules):
    message = email()
    random.seed(11)  # The boundaries.
    file = BytesIO()
    BytesGenerator(file, policy=rules).flatten(message)
    head, _, body = file.getvalue().partition(b"\r\n\r\n")
    lines = head.replace(b"\r\n ", b" ").split(b"\r\n")
    types = [line for line in lines if line.lower().startswith(b"content-type:")]
    again = message_from_bytes(file.getvalue(), policy=rules)
    return types[0].split(b": ", 1)[1].decode(), body, seen(again)["parts"]


async def main():
    cases = {}
    for name, (writer, found) in {
        "aiohttp-plain": plain(),
        "aiohttp-coded": coded(),
        "aiohttp-nested": nested(),
        "aiohttp-form": form(True),
        "aiohttp-form-unquoted": form(False),
    }.items():
        content_type, body = await written(writer)
        cases[name] = content_type, body, found
    # Folded header lines, then one line for each field.
    cases["email-mail"] = email_case(policy.SMTP)
    cases["email-http"] = email_case(policy.HTTP)
    expected = {}
    for name, (content_type, body, found) in cases.items():
        (HERE / f"{name}.body").write_bytes(body)
        expected[name] = {"content_type": content_type, "parts": found}
    text = json.dumps(expected, indent=1, ensure_ascii=True)
    (HERE / "expected.json").write_text(text + "\n")


asyncio.run(main())
