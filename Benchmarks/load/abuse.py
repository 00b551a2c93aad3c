"""Clients that misbehave: slow, silent, with malformed requests, or disconnecting in the middle of one."""
import asyncio
import os
import random
import socket
import struct
import threading
import zlib

from service import PICTURES, request

OCTETS = "application/octet-stream"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows):
    """Grey; `rows` of them are there."""
    data = zlib.compress(bytes((width + 1) * rows), 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def encode(body, kind=OCTETS):
    return request("POST", "/v1/encode", body, kind)


def picture(name):
    return encode(open(os.path.join(PICTURES, name), "rb").read())


def form(parts):
    part = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n"
    return encode(part * parts + b"--x--\r\n", "multipart/form-data; boundary=x")


def small():
    """{name: (request, statuses that may answer it)}: cheap to send."""
    chunked = b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    return {
        "header of 17 KiB": (request("GET", "/health", more="X: " + "x" * 17000 + "\r\n"), [431]),
        "200 fields": (request("GET", "/health", more="A: b\r\n" * 200), [431]),
        "request line of 9 KiB": (request("GET", "/" + "x" * 9000), [414]),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), [400]),
        "two lengths": (request("GET", "/health", more="Content-Length: 1\r\nContent-Length: 2\r\n"), [400]),
        "bad chunk size": (chunked + b"-5\r\nhello\r\n0\r\n\r\n", [400]),
        "60,000 chunks": (chunked + b"1\r\nx\r\n" * 60000 + b"0\r\n\r\n", [415]),
        "no such route": (request("POST", "/v1/nothing", b"x" * 1000, OCTETS), [404]),
        "no picture": (encode(b"GIF89a"), [415]),
        "cut JPEG": (picture("jpeg-cut-entropy.jpg"), [422]),
        "cut PNG": (picture("cut.png"), [422]),
        "absurd PNG": (picture("absurd.png"), [413]),
        "deep JSON": (encode(b"[" * 100000, "application/json"), [400]),
        "bad base64": (encode(b'{"input":"' + b"*" * 100000 + b'"}', "application/json"), [400]),
        "2,000 parts": (form(2000), [400, 413]),
        "token out of range": (
            request("POST", "/v1/decode", b'{"tokens":[' + b"99999999," * 63 + b"0]}", "application/json"), [422]),
        "npy that isn't": (request("POST", "/v1/decode", b"\x93NUMPY\x01\x00\xff\xff" + bytes(99), "application/x-npy"),
                           [400]),
    }


def large():
    """As `small`; megabytes to send or to decode."""
    return {
        "20 MiB of zeros": (encode(bytes(20 << 20)), [415]),
        "30 MiB announced": (encode(bytes(30 << 20)), [413]),
        "24 MP, half of it there": (encode(png(4900, 4900, 2450)), [422]),
        "16 MB of JSON": (encode(b'{"input":[' + b'"AAAA",' * 2000000 + b'""]}', "application/json"), [400]),
    }


def send_part(service, data, part, resets):
    """Sends a part of a request and closes the connection, with FIN or with RST."""
    with service.connect() as connection:
        try:
            connection.sendall(data[:int(len(data) * part)])
        except OSError:
            pass
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def disconnect(service, count, seed=0):
    """Sends the first part of `count` requests, each over a connection that is closed after it."""
    random_numbers = random.Random(seed)
    kinds = [picture("rgb8.png"), encode(bytes(3 << 20)), request("GET", "/metrics") * 50]
    for index in range(count):
        send_part(service, kinds[index % 3], random_numbers.choice([0.1, 0.5, 0.99, 1]), index % 2 == 0)


class SlowClients:
    """Connections that send a header or a body slowly, or don't read responses; one that is closed is reopened."""

    DRIP = 2  # seconds

    def __init__(self, service, count):
        self.port, self.count, self.open, self.reopened = service.port, count, 0, 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.main(),))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()
        self.loop.close()

    async def main(self):
        self.over = asyncio.Event()
        kinds = [self.drip_header, self.drip_body, self.read_nothing]
        tasks = [asyncio.create_task(self.keep(kinds[index % 3], index)) for index in range(self.count)]
        await self.over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def keep(self, kind, index):
        await asyncio.sleep(index / self.count * self.DRIP)
        while True:
            connection = socket.socket()
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await self.loop.sock_connect(connection, ("127.0.0.1", self.port))
                self.open += 1
                try:
                    await kind(connection)
                finally:
                    self.open -= 1
            except OSError:
                pass
            finally:
                connection.close()
            self.reopened += 1
            await asyncio.sleep(0.1)

    async def drip(self, connection, pieces):
        for piece in pieces:
            await self.loop.sock_sendall(connection, piece)
            await asyncio.sleep(self.DRIP)
        await self.loop.sock_recv(connection, 4096)

    async def drip_header(self, connection):
        await self.drip(connection, [bytes([byte]) for byte in request("GET", "/health", more="X-Slow: very\r\n")])

    async def drip_body(self, connection):
        head = b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
        await self.drip(connection, [head] + [b"x" * 100] * 1000)

    async def read_nothing(self, connection):
        await self.loop.sock_sendall(connection, request("GET", "/metrics") * 100)
        await asyncio.sleep(35)
        while await self.loop.sock_recv(connection, 65536):
            pass
