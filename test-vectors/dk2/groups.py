"""§1: the four schemes, the two kinds of groups, and public keys as SubjectPublicKeyInfo."""

from cryptography.hazmat.primitives.asymmetric import ec

from .primitives import Refused

SCHEMES = {  # name: (group, bytes of the AEAD key)
    "SCHEME-AES1": ("ffdhe2048", 16),
    "SCHEME-AES2": ("ffdhe3072", 32),
    "SCHEME-EC-AES1": ("P-256", 16),
    "SCHEME-EC-AES2": ("P-256", 32),
}
STRENGTH = ["SCHEME-EC-AES2", "SCHEME-AES2", "SCHEME-EC-AES1", "SCHEME-AES1"]


def group_of(scheme):
    return SCHEMES[scheme][0]


# RFC 7919: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1, g = 2, q = (p-1)/2.


def _floor_of_e_times_two_to_the(bits):
    guard = 64
    total, term, n = 0, 1 << (bits + guard), 1
    while term:
        total += term
        term //= n
        n += 1
    return total >> guard


def _ffdhe(bits, x):
    return 2**bits - 2 ** (bits - 64) + (_floor_of_e_times_two_to_the(bits - 130) + x) * 2**64 - 1


FFDHE = {"ffdhe2048": _ffdhe(2048, 560316), "ffdhe3072": _ffdhe(3072, 2625351)}


# DER, as much of it as a SubjectPublicKeyInfo needs.


def der(tag, *contents):
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def der_integer(value):
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def der_bits(body):
    return der(0x03, b"\0", body)


def der_oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        seven = [arc & 0x7F]
        while arc := arc >> 7:
            seven.append(0x80 | arc & 0x7F)
        out += bytes(reversed(seven))
    return der(0x06, bytes(out))


EC_PUBLIC_KEY, P256 = der_oid("1.2.840.10045.2.1"), der_oid("1.2.840.10045.3.1.7")
DH_KEY_AGREEMENT, DH_PUBLIC_NUMBER = der_oid("1.2.840.113549.1.3.1"), der_oid("1.2.840.10046.2.1")


def spki(algorithm, parameters, key):
    return der(0x30, der(0x30, algorithm, parameters), der_bits(key))


def p256_spki(point):
    return spki(EC_PUBLIC_KEY, P256, point)


def ffdhe_spki(group, y, private_value_length=None, x942=False):
    """PKCS #3 `dhKeyAgreement`, as we write it; the other two forms are accepted ones."""
    p = der_integer(FFDHE[group])
    g = der_integer(2)
    if x942:
        q = der_integer((FFDHE[group] - 1) // 2)
        return spki(DH_PUBLIC_NUMBER, der(0x30, p, g, q), der_integer(y))
    length = b"" if private_value_length is None else der_integer(private_value_length)
    return spki(DH_KEY_AGREEMENT, der(0x30, p, g, length), der_integer(y))


# Keys.

P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def p256_point(scalar):
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def public_key(group, private):
    """The SPKI that goes with a private key, an int."""
    if group == "P-256":
        return p256_spki(p256_point(private))
    return ffdhe_spki(group, pow(2, private, FFDHE[group]))


def read_spki(data):
    """The group and public value of valid SPKI bytes; INVALID_PUBLIC_KEY for all others."""
    template = p256_spki(bytes(65))[:-65]
    if len(data) == 91 and data.startswith(template) and data[len(template)] == 4:
        x, y = int.from_bytes(data[-64:-32], "big"), int.from_bytes(data[-32:], "big")
        if x < P256_P and y < P256_P and (y * y - x**3 + 3 * x - P256_B) % P256_P == 0:
            return "P-256", (x, y)
        raise Refused("INVALID_PUBLIC_KEY")
    return _read_ffdhe(data)


def _take(data, tag):
    """The contents of the DER element at the front, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise Refused("INVALID_PUBLIC_KEY")
    start, length = 2, data[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    body, rest = data[start : start + length], data[start + length :]
    if der(tag, body) + rest != data:
        raise Refused("INVALID_PUBLIC_KEY")
    return body, rest


def _take_integer(data):
    body, rest = _take(data, 0x02)
    value = int.from_bytes(body, "big", signed=True)
    if value < 0 or der_integer(value) != der(0x02, body):
        raise Refused("INVALID_PUBLIC_KEY")
    return value, rest


def _read_ffdhe(data):
    """The three accepted encodings: PKCS #3 with and without privateValueLength, and X9.42."""
    body, after_all = _take(data, 0x30)
    algorithm, bits = _take(body, 0x30)
    bits, after_bits = _take(bits, 0x03)
    y, after_y = _take_integer(bits[1:])
    oid, parameters = _take(algorithm, 0x06)
    parameters, after_parameters = _take(parameters, 0x30)
    p, rest = _take_integer(parameters)
    g, rest = _take_integer(rest)
    group = next((name for name, prime in FFDHE.items() if prime == p), None)
    if der(0x06, oid) == DH_KEY_AGREEMENT and rest:
        length, rest = _take_integer(rest)
        group = group if 1 <= length <= p.bit_length() else None
    elif der(0x06, oid) == DH_PUBLIC_NUMBER:
        q, rest = _take_integer(rest)
        group = group if q == (p - 1) // 2 else None
    elif der(0x06, oid) != DH_KEY_AGREEMENT:
        group = None
    ends = after_all + after_bits + after_y + after_parameters + rest
    if group is None or g != 2 or bits[:1] != b"\0" or ends or not 2 <= y <= p - 2:
        raise Refused("INVALID_PUBLIC_KEY")
    return group, y


def agree(group, private, peer_spki):
    """Z, or INVALID_PUBLIC_KEY."""
    peer_group, value = read_spki(peer_spki)
    if peer_group != group:
        raise Refused("INVALID_PUBLIC_KEY")
    if group == "P-256":
        key = ec.EllipticCurvePublicNumbers(*value, ec.SECP256R1()).public_key()
        return ec.derive_private_key(private, ec.SECP256R1()).exchange(ec.ECDH(), key)
    p = FFDHE[group]
    z = pow(value, private, p)
    if z in (0, 1, p - 1):
        raise Refused("INVALID_PUBLIC_KEY")
    return z.to_bytes(p.bit_length() // 8, "big")
