#!/usr/bin/env python3
"""A decoder of the tapes wire format in plain Python, written from core/docs/wire-format.md alone.

Reads a byte stream on standard input and prints one JSON object for each frame. It is a check on
the document: what it leaves open, this program gets wrong.
"""

import json
import struct
import sys

FRAME_LEN_MAX = 16384
METRICS_MAX = 1 << 20
BUCKETS_MAX = 1024
CELLS_MAX = 1024
LABELS_MAX = 16
DIMENSIONS_MAX = 3
SCALE_MAX = 4
UNITS = ["none", "seconds", "bytes", "celsius", "ratio", "volts", "amperes", "watts", "joules",
         "hertz", "meters", "grams"]


class Refused(Exception):
    """A frame, or a part of one, that cannot be read; the argument says why."""


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Reader:
    """Takes primitives (section 1) from the front of some bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def empty(self):
        return self.at == len(self.data)

    def take(self, length):
        if length > len(self.data) - self.at:
            raise Refused("malformed")
        self.at += length
        return self.data[self.at - length:self.at]

    def u8(self):
        return self.take(1)[0]

    def u32le(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64le(self):
        return struct.unpack("<Q", self.take(8))[0]

    def uvarint(self):
        value = 0
        for i in range(10):
            byte = self.u8()
            if i == 9 and byte > 1:
                raise Refused("malformed")
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value
        raise Refused("malformed")

    def uvarint32(self, limit=0xFFFFFFFF):
        value = self.uvarint()
        if value > limit:
            raise Refused("malformed")
        return value

    def zigzag(self):
        mapped = self.uvarint()
        return -(mapped + 1) // 2 if mapped & 1 else mapped // 2

    def bytes(self):
        return self.take(self.uvarint())

    def string(self):
        try:
            return self.bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("malformed") from None

    def origin(self):
        origin = self.bytes()
        if not 1 <= len(origin) <= 16:
            raise Refused("malformed")
        return origin.hex()


def unstuff(piece):
    """Undoes COBS (section 3); the piece has no zeros."""
    frame = bytearray()
    at = 0
    while at < len(piece):
        code = piece[at]
        block = piece[at + 1:at + code]
        if len(block) < code - 1:
            raise Refused("cobs")
        frame += block
        at += code
        if code != 0xFF and at < len(piece):
            frame.append(0)
    return bytes(frame)


def header(data):
    """Sections 2.1 and 2.2; returns the fields and a reader of the body."""
    if len(data) > FRAME_LEN_MAX:
        raise Refused("too_long")
    if len(data) < 5:
        raise Refused("truncated")
    if crc32c(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise Refused("crc")
    reader = Reader(data[:-4])
    first = reader.u8()
    if first >> 4 != 1:
        raise Refused("version")
    if reader.empty():
        raise Refused("truncated")
    flags = reader.u8()
    if flags & 0x02:
        raise Refused("auth")
    if flags & 0x0C:
        raise Refused("critical")
    fields = {"type": first & 15, "flags": flags}
    if flags & 1:
        fields["origin"] = reader.origin()
        fields["epoch"] = reader.u64le()
    else:
        fields["short"] = reader.u32le()
    fields["dictionary"] = [reader.uvarint32(METRICS_MAX), reader.u32le()]
    fields["seq"] = reader.uvarint()
    fields["uptime"] = reader.uvarint()
    return fields, reader


def hello(fields, reader):
    """Section 4."""
    body = {
        "origin": reader.origin(), "epoch": reader.uvarint(), "build_id": reader.uvarint(),
        "reset_reason": reader.u8(), "boot_count": reader.uvarint32(),
        "tick_hz": reader.uvarint32(), "metrics": reader.uvarint32(METRICS_MAX),
        "max_frame": reader.uvarint32(),
    }
    if body["tick_hz"] == 0:
        raise Refused("malformed")
    if "short" in fields:
        agrees = body["epoch"] & 0xFFFFFFFF == fields["short"]
    else:
        agrees = (body["origin"], body["epoch"]) == (fields["origin"], fields["epoch"])
    if not agrees:
        raise Refused("malformed")
    return body


def entry(body):
    """Section 5; raises Refused if the entry is to be quarantined."""
    reader = Reader(body)
    bits, kind = reader.u8(), reader.u8()
    if not 1 <= bits <= 64 or kind > 8:
        raise Refused("malformed")
    read = {"bits": bits, "kind": kind}
    if kind in (6, 7):
        scale, first, buckets = reader.u8(), reader.zigzag(), reader.uvarint32()
        if scale > SCALE_MAX or not 1 <= buckets <= BUCKETS_MAX:
            raise Refused("malformed")
        if first < -1022 << scale or first + buckets > 1022 << scale:
            raise Refused("malformed")
        read["geometry"] = [scale, first, buckets]
    unit, per, unit_name = reader.u8(), 1, ""
    if unit != 255 and unit >= len(UNITS):
        raise Refused("malformed")
    if unit != 0:
        per = reader.uvarint32()
    if unit == 255:
        unit_name = reader.string()
    elif unit != 0:
        unit_name = UNITS[unit]
    if per == 0:
        raise Refused("malformed")
    read["unit"] = [unit_name, per]
    read["name"], read["help"] = reader.string(), reader.string()
    read["labels"] = [[reader.string(), reader.string()]
                      for _ in range(reader.uvarint32(LABELS_MAX))]
    read["dimensions"], cells = [], 1
    for _ in range(reader.uvarint32(DIMENSIONS_MAX)):
        name, values = reader.string(), reader.uvarint32(CELLS_MAX)
        cells *= values
        if not 1 <= cells <= CELLS_MAX:
            raise Refused("malformed")
        read["dimensions"].append([name, [reader.string() for _ in range(values)]])
    return read


def dictionary(reader):
    """Section 5."""
    first, entries = reader.uvarint32(METRICS_MAX), []
    while not reader.empty():
        if first + len(entries) >= METRICS_MAX:
            raise Refused("malformed")
        entries.append(reader.bytes())
    listed = []
    for i, body in enumerate(entries):
        try:
            read = entry(body)
        except Refused:
            read = None
        listed.append({"id": first + i, "body": body.hex(), "entry": read})
    return {"entries": listed}


def histogram(reader):
    """Section 6.2."""
    total, low, high, zero, overflow = (reader.uvarint() for _ in range(5))
    buckets, bucket = [], 0
    for _ in range(reader.uvarint32(BUCKETS_MAX)):
        gap, length = reader.uvarint32(), reader.uvarint32()
        bucket += gap
        if bucket + length > BUCKETS_MAX:
            raise Refused("malformed")
        for _ in range(length):
            count = reader.uvarint()
            if count > 0:
                buckets.append([bucket, count])
            bucket += 1
    known = None if low > high else [low, high]
    return {"sum": total, "range": known, "zero": zero, "overflow": overflow, "buckets": buckets}


def value(shape, reader):
    """Section 6; floats as the bits that were sent, so that they can be compared."""
    if shape == 0:
        return {"unsigned": reader.uvarint()}
    if shape == 1:
        return {"signed": reader.zigzag()}
    if shape == 2:
        raw = reader.take(4)
        nan = struct.unpack("<f", raw)[0] != struct.unpack("<f", raw)[0]
        return None if nan else {"f32": struct.unpack("<I", raw)[0]}
    if shape == 3:
        raw = reader.take(8)
        nan = struct.unpack("<d", raw)[0] != struct.unpack("<d", raw)[0]
        return None if nan else {"f64": struct.unpack("<Q", raw)[0]}
    if shape == 4:
        return {"histogram": histogram(reader)}
    if shape == 5:
        raw = reader.bytes()
        return {"later": raw.hex()} if raw else None
    raise Refused("malformed")


def family(reader):
    """Section 6.1."""
    cells, cell = [], 0
    while True:
        key = reader.uvarint()
        if key == 0:
            return {"family": cells}
        if key < 8:
            raise Refused("malformed")
        cell += (key >> 3) - 1
        if cell >= CELLS_MAX:
            raise Refused("malformed")
        cells.append([cell, value(key & 7, reader)])
        cell += 1


def data(reader):
    """Section 6."""
    values, malformed, metric = [], False, 0
    try:
        while not reader.empty():
            key = reader.uvarint()
            metric += key >> 3
            if metric >= METRICS_MAX:
                raise Refused("malformed")
            values.append([metric, family(reader) if key & 7 == 6 else value(key & 7, reader)])
            metric += 1
    except Refused:
        malformed = True
    return {"values": values, "malformed": malformed}


def event(reader):
    """Section 6.3."""
    return {"registry_full": reader.uvarint32(), "frames_dropped": reader.uvarint32(),
            "epoch_collisions": reader.uvarint32()}


def frame(bare):
    """Section 2, of a frame as messages carry it."""
    fields, reader = header(bare)
    bodies = {0: lambda: hello(fields, reader), 1: lambda: dictionary(reader),
              2: lambda: data(reader), 3: lambda: event(reader)}
    fields["body"] = bodies.get(fields["type"], lambda: None)()
    return fields


def main():
    for piece in sys.stdin.buffer.read().split(b"\0"):
        if not piece:
            continue
        try:
            line = frame(unstuff(piece))
        except Refused as refused:
            line = {"refused": refused.args[0]}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
