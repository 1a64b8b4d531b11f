"""Reads messages in the wire format of protobuf, without their descriptions."""

import collections

FIXED_SIZES = {1: 8, 5: 4}  # by wire type


def read_varint(data, at):
    """The number at `at`, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{field number: [value]} of a message. Values are integers or bytes. A
    field that is missing has no values."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size = FIXED_SIZES.get(kind)
            if size is None:
                if kind != 2:
                    raise ValueError(f"wire type {kind}")
                size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
            if len(value) < size:
                raise ValueError("the message is cut off")
        found[tag >> 3].append(value)
    return found


def first(message, number, default=b""):
    """The first value of a field."""
    return message.get(number, [default])[0]
