"""§2.1: RFC 8259 without latitude. Values keep their raw bytes, so that digits and bodies stay as sent."""

import re

from .primitives import Refused

NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
ESCAPES = {ord('"'): '"', ord("\\"): "\\", ord("/"): "/", ord("b"): "\b", ord("f"): "\f", ord("n"): "\n", ord("r"): "\r", ord("t"): "\t"}


def malformed():
    return Refused("MALFORMED_REQUEST")


class Value:
    """`kind` is object, array, string, number, true, false or null; `items` are (name, Value) pairs,
    Values, or the unescaped string; `raw` is the slice of the text."""

    def __init__(self, kind, items, raw):
        self.kind, self.items, self.raw = kind, items, raw

    def members(self):
        """The members of an object that the protocol defines: no name twice."""
        if self.kind != "object" or len({name for name, _ in self.items}) != len(self.items):
            raise malformed()
        return dict(self.items)

    def strings(self):
        """An array of strings."""
        if self.kind != "array":
            raise malformed()
        return [item.string() for item in self.items]

    def string(self):
        if self.kind != "string":
            raise malformed()
        return self.items

    def digits(self):
        """An integer 0 … 2^53-1 in plain digits, as sent."""
        if self.kind != "number" or not re.fullmatch(rb"[0-9]+", self.raw) or int(self.raw) >= 2**53:
            raise malformed()
        return self.raw.decode()


def parse(data, body_depth=None):
    """The one value of a text. The root has depth 1 and 16 is the deepest; where `body_depth` is
    given, the value of the root's member `body` may go to that depth."""
    try:
        data.decode()  # no surrogates, no overlong forms, nothing past U+10FFFF
    except UnicodeDecodeError:
        raise malformed() from None
    reader = _Reader(data, body_depth)
    value = reader.value(1, 16)
    reader.space()
    if reader.at != len(data):
        raise malformed()
    return value


class _Reader:
    def __init__(self, data, body_depth):
        self.data, self.at, self.body_depth = data, 0, body_depth

    def space(self):
        while self.peek() in b" \t\n\r" and self.at < len(self.data):
            self.at += 1

    def peek(self):
        return self.data[self.at : self.at + 1]

    def take(self, token):
        if not self.data.startswith(token, self.at):
            raise malformed()
        self.at += len(token)

    def value(self, depth, limit):
        self.space()
        start, first = self.at, self.peek()
        if first in (b"{", b"[") and depth > limit:
            raise malformed()
        if first == b"{":
            kind, items = "object", self.sequence(b"{", b"}", lambda: self.member(depth, limit))
        elif first == b"[":
            kind, items = "array", self.sequence(b"[", b"]", lambda: self.value(depth + 1, limit))
        elif first == b'"':
            kind, items = "string", self.string()
        elif number := NUMBER.match(self.data, start):
            kind, items, self.at = "number", None, number.end()
        else:
            kind, items = next((k for k in ("true", "false", "null") if self.data.startswith(k.encode(), start)), ""), None
            self.take(kind.encode() or b"a value")
        return Value(kind, items, self.data[start : self.at])

    def sequence(self, opening, closing, item):
        self.take(opening)
        self.space()
        items = []
        if self.peek() != closing:
            items.append(item())
            self.space()
            while self.peek() == b",":
                self.take(b",")
                items.append(item())
                self.space()
        self.take(closing)
        return items

    def member(self, depth, limit):
        self.space()
        name = self.string()
        self.space()
        self.take(b":")
        if depth == 1 and name == "body" and self.body_depth:
            limit = self.body_depth
        return name, self.value(depth + 1, limit)

    def string(self):
        self.take(b'"')
        out = ""
        while self.peek() != b'"':
            run = re.compile(rb'[^"\\\x00-\x1f]+').match(self.data, self.at)
            if run:
                out += run.group().decode()
                self.at = run.end()
            else:
                self.take(b"\\")
                out += self.escape()
        self.take(b'"')
        return out

    def escape(self):
        code = self.peek()
        if code and code[0] in ESCAPES:
            self.at += 1
            return ESCAPES[code[0]]
        unit = self.unit()
        if 0xD800 <= unit < 0xDC00:
            self.take(b"\\")
            low = self.unit()
            if not 0xDC00 <= low < 0xE000:
                raise malformed()
            return chr(0x10000 + (unit - 0xD800 << 10) + (low - 0xDC00))
        if 0xDC00 <= unit < 0xE000:
            raise malformed()
        return chr(unit)

    def unit(self):
        self.take(b"u")
        digits = self.data[self.at : self.at + 4]
        if not re.fullmatch(rb"[0-9A-Fa-f]{4}", digits):
            raise malformed()
        self.at += 4
        return int(digits, 16)
