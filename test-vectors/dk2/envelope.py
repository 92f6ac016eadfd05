"""§2.4 envelopes of all modes, both directions, and §3 sealed fields."""

from .primitives import Refused, b64, gcm_open, gcm_seal, unb64

LIMIT = 2**24  # messages for one key and direction, without `ku`


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def counter_nonce(prefix, counter):
    """uint32 prefix (0, or the gateway's instance id) ‖ uint64 counter."""
    return prefix.to_bytes(4, "big") + counter.to_bytes(8, "big")


def request_aad(session_id):
    return f"v2:{session_id}"


def response_aad(session_id, request_nonce, status):
    return f"v2:{session_id}:{b64(request_nonce)}:{status:03}"


def field_aad(reference_id, method, path, name, status=None, request_nonce=b""):
    """§3. With a status it is a field of the server's answer."""
    aad = f"key-agreement:{reference_id}:{method} {path}:{name}"
    return aad if status is None else f"{aad}:{status}:{b64(request_nonce)}"


def seal(key, iv, nonce, plaintext, aad):
    """The `data` bytes. `iv` is the direction's; None in plain mode, where the wire nonce is the AEAD's."""
    return gcm_seal(key, xor(nonce, iv) if iv else nonce, plaintext, aad.encode())


def open_data(key, iv, nonce, data, aad):
    return gcm_open(key, xor(nonce, iv) if iv else nonce, data, aad.encode())


def read(envelope):
    """(nonce, data) of an envelope's two strings; MALFORMED_REQUEST where a length cannot be."""
    nonce, data = unb64(envelope["nonce"]), unb64(envelope["data"])
    if len(nonce) != 12 or len(data) < 16:
        raise Refused("MALFORMED_REQUEST")
    return nonce, data


class Window:
    """The gateway's replay window of the counter modes: check first, commit after authentication."""

    def __init__(self, width=1024):
        self.width, self.next, self.seen = width, 0, set()

    def check(self, nonce):
        counter = int.from_bytes(nonce[4:], "big")
        if nonce[:4] != bytes(4) or counter >= LIMIT or counter in self.seen or counter + self.width < self.next:
            raise Refused("ENCRYPTION_ERROR")
        return counter

    def commit(self, counter):
        self.seen.add(counter)
        self.next = max(self.next, counter + 1)


class NonceSet:
    """The gateway's replay check of plain mode. A top bit of 1 marks the server's own prefix."""

    def __init__(self, server_prefix):
        self.prefix, self.seen = server_prefix, set()

    def check(self, nonce):
        if nonce[:4] == self.prefix or nonce in self.seen:
            raise Refused("ENCRYPTION_ERROR")
        return nonce

    def commit(self, nonce):
        self.seen.add(nonce)
