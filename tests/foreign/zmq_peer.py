#!/usr/bin/env python3
"""Talks to tapes over libzmq, from core/docs/wire-format.md and std-adapters/docs/zeromq.md alone.

Takes one JSON object as its argument: `role`, `endpoint`, and for CURVE `public`, `secret` and, for
who connects, `server`.

`send`: sends what comes on standard input, a message in hexadecimal a line, by the socket `kind`;
with the kind DEALER prints each answer. `receive`: prints the port of a ROUTER, then a JSON object
for each frame that comes, acknowledges reports, and ends when standard input does. `pull`: prints
the port of a PULL socket, then each message that comes, in hexadecimal.
"""

import json
import struct
import sys
import threading

import zmq

import decode


def uvarint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(content):
    data = b"\xf0" + content
    return data + struct.pack("<I", decode.crc32c(data))


def kept(origin, epoch, first, last):
    """Section "Messages", variant 3."""
    return message(b"\x03" + b"\x22" * 16 + uvarint(len(origin)) + origin + uvarint(epoch)
                   + uvarint(first) + uvarint(last))


def read_answer(data):
    if data[0] != 0xF0 or message(data[1:-4]) != data:
        return {"wrong": data.hex()}
    reader = decode.Reader(data[1:-4])
    if reader.uvarint() != 3:
        return {"other": data.hex()}
    reader.take(16)
    origin = reader.take(reader.uvarint())
    return {"origin": origin.hex(), "epoch": reader.uvarint(), "first": reader.uvarint(),
            "last": reader.uvarint()}


def say(line):
    print(json.dumps(line), flush=True)


def send(config, socket):
    if "server" in config:
        socket.curve_serverkey = config["server"].encode()
    socket.linger = 5000
    socket.connect(config["endpoint"])
    for line in sys.stdin:
        parts = [bytes.fromhex(part) for part in line.strip().split(",")]
        socket.send_multipart(parts)
        if config.get("answers"):
            if socket.poll(config["answers"]):
                say(read_answer(socket.recv()))
            else:
                say(None)
    socket.close()


def receive(config, socket):
    if "secret" in config:
        socket.curve_server = True
    say(socket.bind_to_random_port(config["endpoint"]))
    runs = {}
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        if not socket.poll(20):
            continue
        identity, frame = socket.recv_multipart()
        fields = decode.frame(frame)
        say(fields)
        key = (identity, fields["origin"], fields["epoch"])
        first, last = runs.get(key, (fields["seq"], fields["seq"] - 1))
        runs[key] = (first, fields["seq"]) if fields["seq"] == last + 1 else (fields["seq"],) * 2
        if fields["type"] == 2 and fields["flags"] & 0x20:
            origin = bytes.fromhex(fields["origin"])
            socket.send_multipart([identity, kept(origin, fields["epoch"], *runs[key])])
    socket.close(0)


def pull(config, socket):
    say(socket.bind_to_random_port(config["endpoint"]))
    while True:
        say(socket.recv().hex())


def main():
    config = json.loads(sys.argv[1])
    context = zmq.Context()
    kind = getattr(zmq, config.get("kind", "ROUTER"))
    socket = context.socket(kind)
    if "secret" in config:
        socket.curve_publickey = config["public"].encode()
        socket.curve_secretkey = config["secret"].encode()
    if "heartbeat" in config:
        socket.heartbeat_ivl = config["heartbeat"]
        socket.heartbeat_timeout = 4 * config["heartbeat"]
    {"send": send, "receive": receive, "pull": pull}[config["role"]](config, socket)
    context.term()


if __name__ == "__main__":
    main()
