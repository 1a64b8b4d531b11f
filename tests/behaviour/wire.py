"""The messages of ShouldRateLimit as bytes.

Written by hand, so that a test can also send bytes that no library would
encode: unknown enum numbers, text that is not UTF-8, repeated fields.
"""

import struct

from protobuf_reader import fields, first

UNITS = {"unknown": 0, "second": 1, "minute": 2, "hour": 3, "day": 4,
         "month": 5, "year": 6, "week": 7}
CODES = {1: "OK", 2: "OVER"}


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def number_field(number, value):
    """An encoded integer; nothing for 0, as in proto3."""
    return varint(number << 3) + varint(value) if value else b""


def bytes_field(number, value):
    """An encoded field of bytes, text or a message, also if it is empty."""
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode_descriptor(descriptor):
    out = b"".join(
        bytes_field(1, bytes_field(1, key) + bytes_field(2, value))
        for key, value in descriptor.entries)
    if descriptor.limit:
        requests, unit = descriptor.limit
        out += bytes_field(2, number_field(1, requests) + number_field(2, unit))
    if descriptor.hits is not None:
        out += bytes_field(3, number_field(1, descriptor.hits))
    return out + number_field(4, descriptor.negative)


def encode_request(domain, descriptors, hits=0):
    return (bytes_field(1, domain)
            + b"".join(bytes_field(2, encode_descriptor(descriptor))
                       for descriptor in descriptors)
            + number_field(3, hits))


def decode_value(data):
    """A google.protobuf.Value as a Python value."""
    message = fields(data)
    if 2 in message:
        return struct.unpack("<d", message[2][0])[0]
    if 3 in message:
        return message[3][0].decode()
    if 4 in message:
        return bool(message[4][0])
    if 5 in message:
        return decode_struct(message[5][0])
    if 6 in message:
        return [decode_value(item)
                for item in fields(message[6][0]).get(1, [])]
    return None


def decode_struct(data):
    pairs = [fields(pair) for pair in fields(data).get(1, [])]
    return {first(pair, 1, b"").decode(): decode_value(first(pair, 2, b""))
            for pair in pairs}


class Status:
    """The answer to one descriptor. limit is (requests, unit) or None, name is
    that of the limit, and reset is in seconds or None."""

    def __init__(self, data):
        message = fields(data)
        self.code = CODES.get(first(message, 1, 0), "UNKNOWN")
        self.remaining = first(message, 3, 0)
        self.limit = self.reset = None
        self.name = ""
        if 2 in message:
            limit = fields(message[2][0])
            self.limit = (first(limit, 1, 0), first(limit, 2, 0))
            self.name = first(limit, 3, b"").decode()
        if 4 in message:
            duration = fields(message[4][0])
            self.reset = first(duration, 1, 0) + first(duration, 2, 0) / 1e9


class Answer:
    """A decoded RateLimitResponse."""

    def __init__(self, data):
        message = fields(data)
        self.overall = CODES.get(first(message, 1, 0), "UNKNOWN")
        self.statuses = [Status(status) for status in message.get(2, [])]
        self.headers, self.request_headers = [
            [(first(header, 1, b"").decode(), first(header, 2, b"").decode())
             for header in map(fields, message.get(number, []))]
            for number in (3, 4)]
        self.body = first(message, 5, b"").decode()
        self.metadata = (decode_struct(message[6][0]) if 6 in message
                         else None)
        self.quota = message.get(7)
