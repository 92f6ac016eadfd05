"""Whether secrets are in a log: searched for by value, in every form that a log could give them."""

import base64

WINDOW = 8  # bytes: a part of a secret that is as long as this is a leak
PUBLIC = [b'"/users/login",', b'"/users/getbyid/']  # of the rules, which are no secret and shown where one admits a request


def frames(raw):
    """The frames of a defmt stream, decoded: zero bytes end frames, whose own zeros are coded away (rzCOBS)."""
    return b"\xff\x00\xff".join(decoded(frame) for frame in bytes(raw).split(b"\0") if frame)


def decoded(frame):
    """One frame, read from its end: bits for up to seven bytes that are zero or follow, or a count of bytes that follow."""
    rest, out = list(frame), []
    while rest:
        code = rest.pop()
        if code < 0x80:
            for bit in range(7):
                if code & (0x40 >> bit):
                    out.append(0)
                elif rest:
                    out.append(rest.pop())
        else:
            count = 134 if code == 0xFF else (code & 0x7F) + 7
            if code != 0xFF:
                out.append(0)
            for _ in range(min(count, len(rest))):
                out.append(rest.pop())
    return bytes(reversed(out))


def forms(secret):
    """Every window of the secret as bytes, as lists of numbers, in hexadecimal, and what base64 makes of it."""
    for start in range(max(1, len(secret) - WINDOW + 1)):
        window = secret[start:start + WINDOW]
        if any(window in public for public in PUBLIC):
            continue
        yield "bytes", window
        for name, separator, number in [
            ("hexadecimal", "", "{:02x}"), ("hexadecimal", "", "{:02X}"), ("numbers", ", ", "{}"),
            ("numbers", ", ", "0x{:x}"), ("numbers", ", ", "{:x}"), ("numbers", ", ", "0x{:02x}"), ("numbers", ", ", "{:02x}"),
        ]:
            yield name, separator.join(number.format(byte) for byte in window).encode()
    for shift in range(3):
        # What does not depend on the neighbours, wherever the secret begins among groups of three.
        whole = secret[(3 - shift) % 3:]
        whole = whole[: len(whole) // 3 * 3]
        for start in range(0, max(1, len(whole) - 5), 3):
            part = whole[start:start + 9]
            if len(part) >= WINDOW:
                yield "base64", base64.b64encode(part)
                yield "base64", base64.urlsafe_b64encode(part)


def leaks(raw, text, secrets):
    """Which of the secrets, pairs of name and bytes, are in the stream or in its text, and how."""
    places = [("stream", bytes(raw)), ("frames", frames(raw)), ("text", text.encode())]
    found = set()
    for name, secret in secrets:
        for form, value in forms(secret):
            found |= {(name, form, place) for place, log in places if value in log}
    return found


def missed(raw, text, secrets):
    """The control: every secret is put into the log in every form, and those that the search then misses are returned."""
    lost = set()
    for name, secret in secrets:
        shown = [
            ("bytes", secret), ("hexadecimal", secret.hex().encode()), ("numbers", ", ".join(map(str, secret)).encode()),
            ("numbers", ", ".join(map(hex, secret)).encode()), ("base64", base64.b64encode(secret)),
            ("base64", base64.urlsafe_b64encode(b"?" + secret)), ("base64", base64.b64encode(b"??" + secret)),
        ]
        for form, value in shown:
            planted = leaks(bytes(raw) + value, text, [(name, secret)])
            if not any(found[1] == form for found in planted):
                lost.add((name, form))
    return lost
