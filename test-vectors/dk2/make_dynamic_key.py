"""dynamic-key-v2.json and dynamic-key-v2-ffdhe.json: the structure of confirmed.json, more of the space."""

from .agreement import plain_key
from .envelope import open_data, request_aad, seal
from .exchange import Exchange, case, compact, scalar, text_member
from .groups import FFDHE, agree, ffdhe_spki, public_key
from .primitives import b64

LONG_NAMES = [
    "SCHEME-EC-AES1",
    "SCHEME-AES1",
    "SCHEME-EC-AES2",
    "SCHEME-AES2",
    "SCHEME-KYBER-9",
    "x",
    "0-",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-01234",
]
EIGHT_FEATURES = ["rt", "ku", "bin", "nt", "a", "z" * 32, "Rt", "-"]
ODD_ID = "q\"uote\\back/slash <&> ~!@#$%^*()_+={}[]|:;',.? `"
Z_SHORT = 2**200 + 0x60  # with the client's 3, Z begins with a zero byte


def plaintext(method, path, body=None, **more):
    return compact({"method": method, "path": path, "headers": {}, "query": {}, "body": body} | more).encode()


GET = plaintext("GET", "/countries/get")
LOGIN = plaintext("POST", "/users/login", {"user": "u", "password": "p\u00e4\u00df \U0001f511"})
QUERY = plaintext("GET", "/lang/get", query={"q": "a b&c=d/\u20ac"}, headers={"accept-language": "pt"})
COUNTRIES = b'{"countries":["UY","PT"]}'

# (counter, request, instance, status, response)
ENVELOPES = [
    (0, GET, 0, 200, COUNTRIES),
    (1, LOGIN, 7, 401, b'{"error":"credentials"}'),
    (65537, QUERY, 0xFFFFFFFF, 200, b""),
    (
        2**24 - 1,
        plaintext("GET", "/users/getbyid/7"),
        0x01020304,
        502,
        b'{"status":502,"code":"DYNAMIC_KEY_V2_UPSTREAM_UNAVAILABLE","message":"The upstream did not answer."}',
    ),
]
BINARY = [(2, b" \r\n\t" + GET + b" " * 20, 7, 200, bytes(range(256))), (255, GET, 7, 404, b"x"), (256, GET, 8, 500, b"\0" * 17)]


def plain_case(name, client, server, session_id, salt=None, info=b"dynamic-key-v2"):
    spki = public_key("P-256", server)
    z = agree("P-256", client, spki)
    key = plain_key(z, session_id, salt, info)
    aad = request_aad(session_id)
    out = {
        "name": name,
        "clientPrivate": scalar(client),
        "serverPrivate": scalar(server),
        "clientPublicKey": b64(public_key("P-256", client)),
        "serverPublicKey": b64(spki),
        "sessionId": session_id,
        "salt": (session_id.encode() if salt is None else salt).hex(),
        "info": info.hex(),
        "Z": z.hex(),
        "key": key.hex(),
        "envelopes": [],
    }
    own, other = bytes.fromhex("7f000001"), bytes.fromhex("ff000001")
    for counter, request, random, response in (
        (0, GET, "0001020304050607", COUNTRIES),
        (1, LOGIN, "ffffffffffffffff", b""),
        (2**32, QUERY, "0000000000000000", bytes(range(128, 160))),
    ):
        nonce, answer_nonce = own + counter.to_bytes(8, "big"), other + bytes.fromhex(random)
        data, answer = (seal(key, None, n, text, aad) for n, text in ((nonce, request), (answer_nonce, response)))
        assert open_data(key, None, nonce, data, aad) == request
        out["envelopes"].append(
            {
                **text_member("plaintext", request),
                "aad": aad,
                "nonce": b64(nonce),
                "data": b64(data),
                "response": {**text_member("plaintext", response), "aad": aad, "nonce": b64(answer_nonce), "data": b64(answer)},
            }
        )
    return out


def elliptic():
    one = "a" * 22
    return {
        "source": "PROTOCOL sections 1, 2.3 and 2.4, made by generate.py with Python cryptography",
        "plain": [
            plain_case("default salt and info", 3, 5, "opaque-session-id"),
            plain_case("Z begins with a zero byte, the longest session id", 3, Z_SHORT, "Az09._~-" * 8),
            plain_case("another gateway's choice: no salt, its own info", 7, 11, one, b"", b"nimbus"),
            plain_case("another gateway's choice: salt longer than a block, no info", 13, 17, one, bytes(range(80)), b""),
        ],
        "cases": [
            case(x, envelopes)
            for x, envelopes in (
                (
                    Exchange(
                        "confirmed, EC-AES2, shortest everything",
                        offered=["SCHEME-EC-AES2"],
                        device_id="d",
                        platform="p",
                        client_type="external",
                        client_id="c",
                        server_nonce=bytes(range(0x40, 0x50)),
                        session_id="s",
                        token="t",
                        expires_in="0",
                    ),
                    ENVELOPES,
                ),
                (
                    Exchange(
                        "confirmed, EC-AES1, longest everything but the token",
                        scheme="SCHEME-EC-AES1",
                        client_private=7,
                        server_private=11,
                        offered=LONG_NAMES,
                        features=EIGHT_FEATURES,
                        selected=["ku", "z" * 32],
                        client_nonce=bytes(range(0x80, 0xA0)),
                        device_id="~" * 64,
                        platform=" " * 32,
                        client_id="!" * 64,
                        session_id="Az09._~-" * 8,
                        expires_in=str(2**53 - 1),
                        expire_token=str(2**53 - 1),
                        expires_at="9999-12-31T23:59:59.999Z",
                    ),
                    ENVELOPES,
                ),
                (
                    Exchange(
                        "confirmed, EC-AES2, Z begins with a zero byte, device id that JSON must escape",
                        server_private=Z_SHORT,
                        device_id=ODD_ID,
                        platform='"\\/',
                        token="A" * 300,
                    ),
                    ENVELOPES[:2] + BINARY,
                ),
                (
                    Exchange(
                        "pinned, EC-AES2, unknown schemes and features first",
                        mode="pinned",
                        client_private=13,
                        server_private=17,
                        offered=["FUTURE-1", "SCHEME-FUTURE-9", "SCHEME-EC-AES2"],
                        features=["new", "rt"],
                        expire_token="1780531200",
                    ),
                    ENVELOPES,
                ),
                (
                    Exchange(
                        "pinned, EC-AES1, a feature selected",
                        mode="pinned",
                        scheme="SCHEME-EC-AES1",
                        client_private=19,
                        server_private=23,
                        offered=["SCHEME-EC-AES1", "SCHEME-EC-AES2"],
                        features=["rt"],
                        selected=["rt"],
                        client_nonce=bytes(17),
                        server_nonce=b"\xff" * 31,
                        platform="ios",
                    ),
                    ENVELOPES,
                ),
                (
                    Exchange(
                        "mutual, EC-AES2",
                        mode="mutual",
                        client_private=41,
                        server_private=43,
                        client_type="external",
                        client_id="partner-acme-corp",
                        device_id="server-instance-id",
                        platform="server",
                    ),
                    ENVELOPES,
                ),
                (
                    Exchange(
                        "mutual, EC-AES1, low power first",
                        mode="mutual",
                        scheme="SCHEME-EC-AES1",
                        client_private=47,
                        server_private=53,
                        offered=["SCHEME-EC-AES1"],
                        client_nonce=bytes(range(32)),
                        server_nonce=bytes(range(32, 48)),
                        device_id="sensor 0x7E ~",
                        platform="cortex-m4",
                    ),
                    ENVELOPES,
                ),
            )
        ],
    }


LOW, HIGH = (2**226 // 3) | 1, 0x555555555555555555555555555555555555555555555555555555555555555555555  # 225 and 275 bits


def finite_field():
    x942 = ffdhe_spki("ffdhe3072", pow(2, HIGH, FFDHE["ffdhe3072"]), x942=True)
    with_length = ffdhe_spki("ffdhe2048", pow(2, LOW, FFDHE["ffdhe2048"]), private_value_length=225)
    short = ENVELOPES[:1] + ENVELOPES[3:]
    return {
        "source": "PROTOCOL sections 1, 2.3 and 2.4 with the finite-field schemes, made by generate.py with Python integers "
        "and Python cryptography; the primes are computed from RFC 7919's formula",
        "cases": [
            case(x, short)
            for x in (
                Exchange(
                    "confirmed, AES1, Z begins with a zero byte",
                    scheme="SCHEME-AES1",
                    client_private=LOW,
                    server_private=2**225 + 17,
                    offered=["SCHEME-AES1", "SCHEME-EC-AES1"],
                ),
                Exchange(
                    "confirmed, AES2, Z begins with a zero byte",
                    scheme="SCHEME-AES2",
                    client_private=HIGH,
                    server_private=2**275 + 15,
                    offered=["SCHEME-AES2"],
                ),
                Exchange(
                    "pinned, AES1, a public value one byte short, privateValueLength in the client's key",
                    mode="pinned",
                    scheme="SCHEME-AES1",
                    client_private=LOW,
                    client_key=with_length,
                    server_private=2**225 + 604,
                    offered=["SCHEME-AES1"],
                ),
                Exchange(
                    "mutual, AES2, a public value one byte short, the client's key in the X9.42 form",
                    mode="mutual",
                    scheme="SCHEME-AES2",
                    client_private=HIGH,
                    client_key=x942,
                    server_private=2**275 + 60,
                    offered=["SCHEME-EC-AES2", "SCHEME-AES2"],
                ),
            )
        ],
    }
