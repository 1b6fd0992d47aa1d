"""Very many pages that wait, in one process: they hear, or they look."""

import asyncio
import json
import time

HOST = "127.0.0.1"


async def hear(port, urls, go):
    """Open all streams, call ``go``, and return when each page heard of a change."""
    heard = {}

    async def listen(pk, reader):
        await reader.readuntil(b"data: changed\n\n")
        heard[pk] = time.time()

    opened = {}
    for pk, url in urls.items():
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(f"GET {url} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        opened[pk] = reader, writer
    for reader, _ in opened.values():
        await reader.readuntil(b"data: waiting\n\n")
    return await _while(
        go, [listen(pk, each) for pk, (each, _) in opened.items()], heard
    )


async def look(port, pages, go):
    """Let each page look as often as it is told to; return when each saw a change."""
    seen = {}

    async def page(pk, url, headers):
        # Not all at one moment: their users did not ask at one.
        await asyncio.sleep(hash(pk) % 1000 / 1000)
        while True:
            body = await _get(port, url, headers)
            if body["final"]:
                seen[pk] = time.time()
                return
            await asyncio.sleep(body["poll_after"])

    return await _while(go, [page(*each) for each in pages], seen)


async def _while(go, waits, times):
    """Run ``go`` in a thread while all wait, and return when those heard that were."""
    tasks = [asyncio.create_task(each) for each in waits]
    # Whoever looks has looked once before the first answer.
    await asyncio.sleep(2)
    answered = await asyncio.to_thread(go)
    while not answered.keys() <= times.keys():
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return [1000 * (times[pk] - when) for pk, when in answered.items()]


async def _get(port, url, headers):
    reader, writer = await asyncio.open_connection(HOST, port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"GET {url} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{fields}\r\n"
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])
