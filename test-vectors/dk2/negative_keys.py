"""The rows of negative-hello.json about public keys and their groups."""

import base64

from .edits import BASE, KEY, PLAIN, RETRY, edited
from .exchange import compact
from .groups import (
    DH_KEY_AGREEMENT,
    DH_PUBLIC_NUMBER,
    EC_PUBLIC_KEY,
    FFDHE,
    P256,
    P256_B,
    P256_P,
    der,
    der_bits,
    der_integer,
    der_oid,
    ffdhe_spki,
    p256_point,
    p256_spki,
    public_key,
    spki,
)
from .primitives import Identity, b64

ALL = {"schemes": ["SCHEME-EC-AES2", "SCHEME-AES2", "SCHEME-EC-AES1", "SCHEME-AES1"]}


def square_root(value):
    """Modulo p of P-256, which is 3 modulo 4; None for a non-residue."""
    root = pow(value, (P256_P + 1) // 4, P256_P)
    return root if root * root % P256_P == value % P256_P else None


def keys():
    point = p256_point(3)
    x, y = point[1:33], point[33:]
    valid = p256_spki(point)
    small = next(n for n in range(1, 100) if square_root(n**3 - 3 * n + P256_B))
    small_y = square_root(small**3 - 3 * small + P256_B).to_bytes(32, "big")
    off = next(n for n in range(1, 100) if square_root(n**3 - 3 * n + P256_B) is None)
    twist = square_root(-(off**3 - 3 * off + P256_B)).to_bytes(32, "big")

    def plus_one(data):
        return (int.from_bytes(data, "big") + 1).to_bytes(32, "big")

    def outer(*contents):
        return der(0x30, *contents)

    algorithm = der(0x30, EC_PUBLIC_KEY, P256)
    not_on_curve = {
        "y + 1": p256_spki(b"\x04" + x + plus_one(y)),
        "x + 1": p256_spki(b"\x04" + plus_one(x) + y),
        "x and y exchanged": p256_spki(b"\x04" + y + x),
        "the origin": p256_spki(b"\x04" + bytes(64)),
        "all ones": p256_spki(b"\x04" + b"\xff" * 64),
        "y = 0": p256_spki(b"\x04" + x + bytes(32)),
        "a point of the twist": p256_spki(b"\x04" + off.to_bytes(32, "big") + twist),
        "a point of another curve (b is not looked at by the addition law)": p256_spki(
            b"\x04" + (1).to_bytes(32, "big") + (1).to_bytes(32, "big")
        ),
        "x + p, on the curve once reduced": p256_spki(b"\x04" + (small + P256_P).to_bytes(32, "big") + small_y),
        "x = p": p256_spki(b"\x04" + P256_P.to_bytes(32, "big") + square_root(P256_B).to_bytes(32, "big")),
    }
    other_form = {
        "no bytes": b"",
        "one zero byte": b"\0",
        "91 zero bytes": bytes(91),
        "the bare point": point,
        "x and y without the 04": x + y,
        "the point at infinity": p256_spki(b"\0"),
        "the point at infinity in 65 bytes": p256_spki(bytes(65)),
        "an empty bit string": p256_spki(b""),
        "compressed": p256_spki(bytes([2 + y[-1] % 2]) + x),
        "compressed, the other sign": p256_spki(bytes([3 - y[-1] % 2]) + x),
        "compressed tag before both coordinates": p256_spki(b"\x02" + x + y),
        "hybrid": p256_spki(bytes([6 + y[-1] % 2]) + x + y),
        "hybrid, the other sign": p256_spki(bytes([7 - y[-1] % 2]) + x + y),
        "tag 05": p256_spki(b"\x05" + x + y),
        "x alone": p256_spki(b"\x04" + x),
        "a point of 66 bytes": p256_spki(point + b"\0"),
        "a point of 64 bytes": p256_spki(point[:-1]),
        "a byte after the key": valid + b"\0",
        "a key after the key": valid + valid,
        "cut by one": valid[:-1],
        "a byte after the point in the sequence": outer(algorithm, der_bits(point), b"\0"),
        "NULL after the curve": outer(der(0x30, EC_PUBLIC_KEY, P256, b"\x05\0"), der_bits(point)),
        "one unused bit": outer(algorithm, der(0x03, b"\1", point)),
        "an octet string": outer(algorithm, der(0x04, b"\0", point)),
        "a long-form length": b"\x30\x81\x59" + valid[2:],
        "an indefinite length": b"\x30\x80" + valid[2:] + b"\0\0",
        "a set for the sequence": b"\x31" + valid[1:],
        "algorithm and key exchanged": outer(der_bits(point), algorithm),
        "id-ecDH": spki(der_oid("1.3.132.1.12"), P256, point),
        "the OID of RSA": spki(der_oid("1.2.840.113549.1.1.1"), P256, point),
        "the OID of X9.42": spki(DH_PUBLIC_NUMBER, P256, point),
        "secp256k1's OID over the point": spki(EC_PUBLIC_KEY, der_oid("1.3.132.0.10"), point),
        "P-384's OID over the point": spki(EC_PUBLIC_KEY, der_oid("1.3.132.0.34"), point),
        "brainpoolP256r1's OID over the point": spki(EC_PUBLIC_KEY, der_oid("1.3.36.3.3.2.8.1.1.7"), point),
        "no curve": outer(der(0x30, EC_PUBLIC_KEY), der_bits(point)),
        "NULL for the curve": spki(EC_PUBLIC_KEY, b"\x05\0", point),
        "the curve in explicit parameters": spki(
            EC_PUBLIC_KEY, der(0x30, der_integer(1), der(0x30, der_oid("1.2.840.10045.1.1"), der_integer(P256_P))), point
        ),
        "a 97-byte point of P-384": spki(EC_PUBLIC_KEY, der_oid("1.3.132.0.34"), b"\x04" + bytes(96)),
        "an X25519 key": der(0x30, der(0x30, der_oid("1.3.101.110")), der_bits(x)),
        "an Ed25519 key": der(0x30, der(0x30, der_oid("1.3.101.112")), der_bits(x)),
        "an RSA key": spki(der_oid("1.2.840.113549.1.1.1"), b"\x05\0", der(0x30, der_integer(2**511 + 111), der_integer(65537))),
        "PEM": b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(valid) + b"-----END PUBLIC KEY-----\n",
        "base64 of base64": base64.b64encode(valid),
        "a JWK": compact(Identity(3).jwk).encode(),
        "a private key": der(0x30, der_integer(0), algorithm, der(0x04, der(0x30, der_integer(1), der(0x04, bytes(31) + b"\3")))),
    }
    rows = [
        (f"key: {name}", edited("clientPublicKey", b64(key)), KEY, "The 91-byte template, but no point on the curve.")
        for name, key in not_on_curve.items()
    ]
    rows += [
        (f"key: {name}", edited("clientPublicKey", b64(key)), KEY, "Not the 91-byte template with an uncompressed point.")
        for name, key in other_form.items()
    ]
    rows += [
        ("key, plain: y + 1", edited("clientPublicKey", b64(not_on_curve["y + 1"]), PLAIN), KEY, "Plain mode validates, too."),
        ("key, plain: compressed", edited("clientPublicKey", b64(other_form["compressed"]), PLAIN), KEY, "Plain mode validates, too."),
        ("key, plain: no bytes", edited("clientPublicKey", "", PLAIN), KEY, "Plain mode validates, too."),
    ]
    return rows


def groups():
    """Finite fields: `requires` says so. The gateway accepts all four schemes."""
    exponent = 2**226 + 9
    p = FFDHE["ffdhe2048"]
    good = ffdhe_spki("ffdhe2048", pow(2, exponent, p))
    rows = []

    def add(name, offered, key, code, why, scheme=None, **gateway):
        root = BASE.hello_json()
        root["clientPublicKey"], root["keyAgreement"]["supportedSchemes"] = b64(key), offered
        more = {"requires": "ffdhe", "gateway": ALL | gateway} | ({"scheme": scheme} if scheme else {})
        rows.append((name, compact(root), code, why, more))

    ec = public_key("P-256", 3)
    retry = "The choice follows from the list alone and needs another group than the valid key that came."
    add("P-256 key, AES2 first", ["SCHEME-AES2", "SCHEME-EC-AES2"], ec, RETRY, retry, "SCHEME-AES2")
    add("P-256 key, AES1 only", ["SCHEME-AES1"], ec, RETRY, retry, "SCHEME-AES1")
    add("ffdhe2048 key, EC-AES1 first", ["SCHEME-EC-AES1", "SCHEME-AES1"], good, RETRY, retry, "SCHEME-EC-AES1")
    add("ffdhe2048 key, AES2 only", ["SCHEME-AES2"], good, RETRY, retry, "SCHEME-AES2")
    add(
        "ffdhe2048 key, AES1 first, the strongest preferred",
        ["SCHEME-AES1", "SCHEME-EC-AES1", "SCHEME-AES2"],
        good,
        RETRY,
        retry,
        "SCHEME-AES2",
        preference="strongest",
    )
    add(
        "ffdhe2048 key, AES1 first but off",
        ["SCHEME-AES1", "SCHEME-EC-AES1"],
        good,
        RETRY,
        retry,
        "SCHEME-EC-AES1",
        schemes=["SCHEME-EC-AES2", "SCHEME-EC-AES1"],
    )
    add(
        "invalid P-256 key, AES2 first",
        ["SCHEME-AES2", "SCHEME-EC-AES2"],
        ec[:-1] + bytes([ec[-1] ^ 1]),
        KEY,
        "The key is looked at before its group.",
    )
    for name, key in (
        ("y = 0", ffdhe_spki("ffdhe2048", 0)),
        ("y = 1", ffdhe_spki("ffdhe2048", 1)),
        ("y = p - 1", ffdhe_spki("ffdhe2048", p - 1)),
        ("y = p", ffdhe_spki("ffdhe2048", p)),
        ("y = p + 2", ffdhe_spki("ffdhe2048", p + 2)),
        ("y = -2", negative_y()),
        ("another prime", good.replace(p.to_bytes(256, "big"), (p - 2).to_bytes(256, "big"))),
        ("g = 5", good.replace(b"\x02\x01\x02", b"\x02\x01\x05", 1)),
        ("a byte after the key", good + b"\0"),
        ("X9.42 with another q", ffdhe_spki("ffdhe2048", 4, x942=True).replace(der_integer((p - 1) // 2), der_integer((p - 1) // 2 - 2))),
        ("X9.42 with j after q", x942_with(p, der_integer(2))),
        ("X9.42 without q", x942_without(p)),
        *other_encodings(good, p).items(),
    ):
        add(f"ffdhe2048: {name}", ["SCHEME-AES1"], key, KEY, "2 <= y <= p - 2 in exactly the group, in one of the accepted encodings.")
    p3 = FFDHE["ffdhe3072"]
    for name, value in (("0", 0), ("1", 1), ("p - 1", p3 - 1), ("p", p3), ("p + 1", p3 + 1), ("2^3072", 2**3072)):
        add(f"ffdhe3072: y = {name}", ["SCHEME-AES2"], ffdhe_spki("ffdhe3072", value), KEY, "2 <= y <= p - 2.")
    add(
        "ffdhe3072: g = 3",
        ["SCHEME-AES2"],
        ffdhe_spki("ffdhe3072", 4).replace(b"\x02\x01\x02", b"\x02\x01\x03", 1),
        KEY,
        "g of both groups is 2.",
    )
    for y, name in ((2, "2"), (p - 2, "p - 2")):
        for form in ({}, {"private_value_length": 225}, {"x942": True}):
            key = ffdhe_spki("ffdhe2048", y, **form)
            add(f"ffdhe2048 key, y = {name}, EC-AES2 first, {form or 'PKCS #3'}", ["SCHEME-EC-AES2"], key, RETRY, retry, "SCHEME-EC-AES2")
    return rows


def other_encodings(good, p):
    """What is not DER, or not of these two algorithms, around a valid y of 4."""
    p_, g, y = der_integer(p), der_integer(2), der_integer(4)
    q = der_integer((p - 1) // 2)
    pkcs3 = der(0x30, DH_KEY_AGREEMENT, der(0x30, p_, g))
    p4096 = 2**4096 - 2**4032 + 3

    def with_parameters(*parameters, oid=DH_KEY_AGREEMENT):
        return spki(oid, der(0x30, *parameters), y)

    def with_bits(bits):
        return der(0x30, pkcs3, bits)

    def long_form(element):
        """The same element with a length one byte longer than it needs."""
        first, length = element[1], element[1] & 0x7F
        if first < 0x80:
            return element[:1] + b"\x81" + element[1:]
        return element[:1] + bytes([0x80 | (length + 1)]) + b"\0" + element[2:]

    def indefinite(element):
        header = 2 if element[1] < 0x80 else 2 + (element[1] & 0x7F)
        return element[:1] + b"\x80" + element[header:] + b"\0\0"

    bits = der_bits(y)
    return {
        "y = 2^2048": ffdhe_spki("ffdhe2048", 2**2048),
        "y = -1": with_bits(der_bits(b"\x02\x01\xff")),
        "y with a zero too many": with_bits(der_bits(b"\x02\x02\0\x04")),
        "y of no bytes": with_bits(der_bits(b"\x02\0")),
        "y with the long form of its length": with_bits(der_bits(long_form(y))),
        "y as an OCTET STRING": with_bits(der_bits(der(0x04, b"\x04"))),
        "y without a tag": with_bits(der_bits(b"\x04")),
        "y and a byte": with_bits(der_bits(y + b"\0")),
        "y twice": with_bits(der_bits(y + y)),
        "no y": with_bits(der_bits(b"")),
        "a BIT STRING of no bytes": with_bits(b"\x03\0"),
        "no BIT STRING": der(0x30, pkcs3),
        "unused bits = 1": with_bits(der(0x03, b"\1", y)),
        "unused bits = 8": with_bits(der(0x03, b"\x08", y)),
        "a constructed BIT STRING": with_bits(der(0x23, bits)),
        "an OCTET STRING for the BIT STRING": with_bits(der(0x04, b"\0", y)),
        "a BIT STRING of indefinite length": with_bits(indefinite(bits)),
        "a BIT STRING with the long form of its length": with_bits(long_form(bits)),
        "a BIT STRING cut short": with_bits(bits[:-1]),
        "the whole of indefinite length": indefinite(good),
        "the whole with the long form of its length": long_form(good),
        "the whole a SET": b"\x31" + good[1:],
        "a length of four bytes": b"\x30\x84\0\0" + good[2:],
        "the first two bytes": good[:2],
        "the last byte missing": good[:-1],
        "an element after the BIT STRING": der(0x30, pkcs3, bits, b"\x05\0"),
        "an element after the parameters": der(0x30, der(0x30, DH_KEY_AGREEMENT, der(0x30, p_, g), b"\x05\0"), bits),
        "parameters of indefinite length": der(0x30, der(0x30, DH_KEY_AGREEMENT, indefinite(der(0x30, p_, g))), bits),
        "an algorithm of indefinite length": der(0x30, indefinite(pkcs3), bits),
        "an algorithm with the long form of its length": der(0x30, long_form(pkcs3), bits),
        "no parameters": der(0x30, der(0x30, DH_KEY_AGREEMENT), bits),
        "NULL for the parameters": der(0x30, der(0x30, DH_KEY_AGREEMENT, b"\x05\0"), bits),
        "the OID of elliptic curves": with_parameters(p_, g, oid=EC_PUBLIC_KEY),
        "the OID of RSA": with_parameters(p_, g, oid=der_oid("1.2.840.113549.1.1.1")),
        "the OID of DSA": with_parameters(p_, q, g, oid=der_oid("1.2.840.10040.4.1")),
        "the arc of PKCS #3 alone": with_parameters(p_, g, oid=der_oid("1.2.840.113549.1.3")),
        "PKCS #3's OID with an arc more": with_parameters(p_, g, oid=der_oid("1.2.840.113549.1.3.1.1")),
        "PKCS #3's OID with the long form of its length": with_parameters(p_, g, oid=long_form(DH_KEY_AGREEMENT)),
        "p with a zero too many": with_parameters(der(0x02, b"\0\0", p.to_bytes(256, "big")), g),
        "p negative": with_parameters(der(0x02, p.to_bytes(256, "big")), g),
        "the top of ffdhe3072's p": with_parameters(der_integer(FFDHE["ffdhe3072"] >> 1024 | 1), g),
        "p of 4096 bits": with_parameters(der_integer(p4096), g),
        "p + 2": with_parameters(der_integer(p + 2), g),
        "q for p": with_parameters(q, g),
        "g = 0": with_parameters(p_, der_integer(0)),
        "g = 4": with_parameters(p_, der_integer(4)),
        "g with a zero too many": with_parameters(p_, b"\x02\x02\0\x02"),
        "g before p": with_parameters(g, p_),
        "no g": with_parameters(p_),
        "privateValueLength = 0": with_parameters(p_, g, der_integer(0)),
        "privateValueLength = -1": with_parameters(p_, g, b"\x02\x01\xff"),
        "privateValueLength with a zero too many": with_parameters(p_, g, b"\x02\x03\0\0\xe1"),
        "privateValueLength = 2049": with_parameters(p_, g, der_integer(2049)),
        "privateValueLength as an OCTET STRING": with_parameters(p_, g, b"\x04\x01\xe1"),
        "an INTEGER after privateValueLength": with_parameters(p_, g, der_integer(225), der_integer(1)),
        "q for privateValueLength": with_parameters(p_, g, q),
        "X9.42: q before g": with_parameters(p_, q, g, oid=DH_PUBLIC_NUMBER),
        "X9.42: q negative": with_parameters(p_, g, der(0x02, b"\xff", ((p - 1) // 2).to_bytes(256, "big")), oid=DH_PUBLIC_NUMBER),
        "X9.42: q with a zero too many": with_parameters(
            p_, g, der(0x02, b"\0", ((p - 1) // 2).to_bytes(256, "big")), oid=DH_PUBLIC_NUMBER
        ),
        "X9.42: p for q": with_parameters(p_, g, p_, oid=DH_PUBLIC_NUMBER),
        "X9.42: q of ffdhe3072": with_parameters(p_, g, der_integer((FFDHE["ffdhe3072"] - 1) // 2), oid=DH_PUBLIC_NUMBER),
        "X9.42: validationParms after q": with_parameters(
            p_, g, q, der(0x30, der_bits(b"\1" * 20), der_integer(7)), oid=DH_PUBLIC_NUMBER
        ),
        "X9.42: privateValueLength for q": with_parameters(p_, g, der_integer(225), oid=DH_PUBLIC_NUMBER),
        "y alone": y,
    }


def negative_y():
    p = FFDHE["ffdhe2048"]
    parameters = der(0x30, der_integer(p), der_integer(2))
    return spki(DH_KEY_AGREEMENT, parameters, der(0x02, b"\xfe"))


def x942_with(p, more):
    return spki(DH_PUBLIC_NUMBER, der(0x30, der_integer(p), der_integer(2), der_integer((p - 1) // 2), more), der_integer(4))


def x942_without(p):
    return spki(DH_PUBLIC_NUMBER, der(0x30, der_integer(p), der_integer(2)), der_integer(4))
