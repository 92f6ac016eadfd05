"""key-agreement.json: §3, its agreements, messages and sealed fields, and what must be refused."""

import json

from . import roles
from .agreement import Keys, signed_by, transcript_input
from .envelope import counter_nonce, field_aad, open_data, seal
from .exchange import SERVER_IDENTITY, STRANGER, compact, scalar
from .groups import FFDHE, SCHEMES, agree, ffdhe_spki, group_of, public_key
from .make_messages import expectation, foreign, nested, with_member
from .messages import agreement_request, agreement_response
from .primitives import Identity, Refused, b64, b64url, sha256

GATEWAY, OTHER = Identity(SERVER_IDENTITY), Identity(STRANGER)
REFERENCE = "855ea6c5-720a-41e1-96f4-958c90e6e424"
NONCE = bytes.fromhex("0da63e9277b55f607a87c6b880b66edb")  # the source's example
EC_SCHEMES = ["SCHEME-EC-AES2", "SCHEME-EC-AES1"]
LOW, HIGH = 2**226 + 9, 2**275 + 9


class Agreement:
    def __init__(
        self,
        name,
        scheme="SCHEME-EC-AES2",
        client=13,
        server=17,
        offered=None,
        identifier=b"WindowsLOCATIONID:522524",
        nonce=NONCE,
        broker=b"Broker",
        reference=REFERENCE,
        signs=False,
        signer=GATEWAY,
    ):
        self.name, self.scheme, self.client, self.server = name, scheme, client, server
        group = group_of(scheme)
        self.request = {
            "identifier": identifier,
            "nonce": nonce,
            "publicKey": public_key(group, client),
            "supportedSchemes": offered or [scheme],
        }
        self.response = {"referenceId": reference, "identifier": broker, "publicKey": public_key(group, server), "scheme": scheme}
        if signs:
            self.response["kid"] = signer.kid
        self.fields = roles.key_agreement_fields(self.request, self.response)
        self.z = agree(group, client, self.response["publicKey"])
        self.input = transcript_input(self.fields)
        self.keys = Keys(scheme, self.z, sha256(self.input))
        self.response["proof"] = self.keys.proof
        if signs:
            self.response["signature"] = signer.sign(signed_by("server", self.keys.t))

    def request_json(self):
        return {
            "identifier": b64(self.request["identifier"]),
            "nonce": b64(self.request["nonce"]),
            "public_key": b64(self.request["publicKey"]),
            "supported_schemes": self.request["supportedSchemes"],
        }

    def response_json(self):
        out = {
            "client_reference_id": self.response["referenceId"],
            "identifier": b64(self.response["identifier"]),
            "proof": b64(self.keys.proof),
            "public_key": b64(self.response["publicKey"]),
            "scheme": self.response["scheme"],
        }
        if "signature" in self.response:
            out["identity"] = {"kid": self.response["kid"], "signature": b64url(self.response["signature"])}
        return out

    def direction(self, who):
        return self.keys[f"{who} write"], self.keys[f"{who} iv"]


def field(x, who, prefix, counter, plaintext, aad):
    nonce = counter_nonce(prefix, counter)
    data = seal(*x.direction(who), nonce, plaintext.encode(), aad)
    assert open_data(*x.direction(who), nonce, data, aad) == plaintext.encode()
    return {"counter": counter, "plaintext": plaintext, "aad": aad, "nonce": b64(nonce), "value": b64(nonce + data)}


def call(x, method, path, fields, status, instance, answers):
    """`fields`: (name, counter, plaintext) of the client; `answers` the same of the server."""
    reference = x.response["referenceId"]
    sent = [
        {"name": name, **field(x, "client", 0, counter, text, field_aad(reference, method, path, name))} for name, counter, text in fields
    ]
    first = counter_nonce(0, fields[0][1]) if fields else b""
    back = [
        {"name": name, **field(x, "server", instance, counter, text, field_aad(reference, method, path, name, status, first))}
        for name, counter, text in answers
    ]
    return {"method": method, "path": path, "fields": sent, "response": {"status": status, "instance": instance, "fields": back}}


def case(x, calls, request_text=None, response_text=None):
    request_text, response_text = request_text or compact(x.request_json()), response_text or compact(x.response_json())
    chosen = roles.agreement_gateway(list(SCHEMES), request_text.encode())[1]
    mode = "pinned" if "signature" in x.response else "confirmed"
    keys = roles.agreement_client(mode, x.client, x.request, [GATEWAY.jwk], response_text.encode())
    assert chosen == x.scheme and keys.t == x.keys.t
    width = 64 if group_of(x.scheme) == "P-256" else 0
    out = {"name": x.name, "mode": mode, "clientPrivate": f"{x.client:x}".zfill(width), "serverPrivate": f"{x.server:x}".zfill(width)}
    if width == 0:
        out["requires"] = "ffdhe"
    out |= {
        "request": {"text": request_text, "expect": expectation(agreement_request(request_text.encode()))},
        "response": {"text": response_text, "expect": expectation(agreement_response(response_text.encode()))},
        "fields": {str(number): x.fields[number].hex() for number in sorted(x.fields)},
        "transcriptInput": x.input.hex(),
        "T": x.keys.t.hex(),
        "Z": x.z.hex(),
        "PRK": x.keys.prk.hex(),
        "keys": {label: value.hex() for label, value in x.keys.labels.items()},
        "proof": b64(x.keys.proof),
    }
    if mode == "pinned":
        out |= {"serverSignature": b64url(x.response["signature"]), "serverJwk": GATEWAY.jwk, "serverKid": GATEWAY.kid}
    return out | {"calls": calls(x)}


def login(x):
    return [
        call(
            x,
            "POST",
            "/rest/login",
            [("password", 0, "p\u00e4\u00df \U0001f511"), ("pin", 1, "0000")],
            200,
            7,
            [("session_token", 0, "s3cret")],
        ),
        call(x, "POST", "/rest/login", [("password", 2, "")], 401, 7, [("hint", 1, ""), ("A.b_c-9", 2, "x" * 40)]),
        call(x, "GET", "/rest/me", [], 200, 0xFFFFFFFF, [("token", 3, "of a call without sealed fields")]),
    ]


def cases():
    habits = Agreement(
        "EC-AES1, with identity, a peer with other habits",
        scheme="SCHEME-EC-AES1",
        offered=["SCHEME-NEW", "SCHEME-EC-AES1", "SCHEME-EC-AES2"],
        client=19,
        server=23,
        nonce=b"\xff" * 32,
        signs=True,
    )
    future = f'"future":{nested(15)}'
    odd = (
        foreign(habits.request_json(), "\r\n\t ", True, "/+=SE"),
        with_member(foreign(habits.response_json(), " ", True, "/+=-_"), future + ',"expires_in":300'),
    )
    return [
        case(Agreement("EC-AES2, confirmed", offered=EC_SCHEMES), login),
        case(Agreement("EC-AES2, with identity", signs=True, client=29, server=31), login),
        case(habits, login, *odd),
        case(Agreement("EC-AES2 for the key that came, though AES2 is first", offered=["SCHEME-AES2", "SCHEME-EC-AES2"]), lambda x: []),
        case(
            Agreement("EC-AES2, identifiers of 255 bytes and of one, binary", identifier=bytes(range(255)), broker=b"\0", reference="r"),
            lambda x: [],
        ),
        case(Agreement("AES1", scheme="SCHEME-AES1", client=LOW, server=LOW + 1), login),
        case(
            Agreement(
                "AES2, with identity",
                scheme="SCHEME-AES2",
                client=HIGH,
                server=HIGH + 1,
                offered=["SCHEME-AES1", "SCHEME-AES2"],
                signs=True,
            ),
            login,
        ),
    ]


# Refusals.


def edited(root, name, value=...):
    out = dict(root)
    if value is ...:
        del out[name]
    else:
        out[name] = value
    return compact(out)


def json_spoilt(text, again):
    return {
        "empty": "",
        "no object": "[]",
        "cut": text[:-1],
        "a byte after": text + "x",
        "a byte-order mark": "\ufeff" + text,
        "17 levels": with_member(text, '"x":' + "[" * 16 + "]" * 16),
        "a name twice, escaped": with_member(text, again),
        "an unknown name twice": with_member(text, '"x":1,"x":1'),
        "a lone surrogate": with_member(text, '"x":"\\udc00"'),
    }


def refused_requests():
    x = Agreement("", offered=EC_SCHEMES)
    root = x.request_json()
    key = x.request["publicKey"]
    rows = {f"JSON: {name}": text for name, text in json_spoilt(compact(root), '"n\\u006fnce":"AAAAAAAAAAAAAAAAAAAAAA=="').items()}
    for name in root:
        rows[f"{name} absent"], rows[f"{name} null"], rows[f"{name} a number"] = (
            edited(root, name),
            edited(root, name, None),
            edited(root, name, 7),
        )
    for name, values in {
        "identifier": ["", "QQ", "QR==", "Q_-_", b64(bytes(256))],
        "nonce": ["", b64(bytes(15)), b64(bytes(33)), b64(bytes(16))[:-2], b64(bytes(16))[:-3] + "B=="],
        "public_key": [
            "",
            b64(key)[:-2],
            b64(key[:-1]),
            b64(key + b"\0"),
            b64(key[:-1] + bytes([key[-1] ^ 1])),
            b64(key[26:]),
            b64(bytes(91)),
            "<public key>",
        ],
        "supported_schemes": [
            [],
            ["SCHEME-EC-AES2"] * 2,
            ["SCHEME_EC_AES2"],
            ["SCHEME-NEW"],
            ["SCHEME-AES2", "SCHEME-AES1"],
            ["SCHEME-EC-AES2", ""],
            ["SCHEME-EC-AES2", None],
            ["SCHEME-EC-AES2"] + [f"S{n}" for n in range(8)],
            "SCHEME-EC-AES2",
        ],
    }.items():
        for n, value in enumerate(values):
            rows[f"{name} {n}: {json.dumps(value)[:28]}"] = edited(root, name, value)
    out = []
    for name, text in rows.items():
        try:
            roles.agreement_gateway(EC_SCHEMES, text.encode())
            raise AssertionError(name)
        except Refused:
            out.append({"name": name, "text": text})
    return out


def refused_responses():
    def agreement(signs=True, **changes):
        return Agreement("", offered=["SCHEME-EC-AES2"], signs=signs, **changes)

    x, bare = agreement(), agreement(signs=False)
    root = x.response_json()
    rows = {f"JSON: {name}": (text, "malformed") for name, text in json_spoilt(compact(root), '"pr\\u006fof":""').items()}
    for name in list(root)[:-1]:
        for what, text in (("absent", edited(root, name)), ("null", edited(root, name, None)), ("a list", edited(root, name, []))):
            rows[f"{name} {what}"] = text, "malformed"
    for name, value in (
        ("client_reference_id", ""),
        ("identifier", ""),
        ("identifier", b64(bytes(256))),
        ("identifier", "QR=="),
        ("proof", ""),
        ("proof", b64(bytes(31))),
        ("proof", b64(bytes(33))),
        ("public_key", b64(bytes(91))[:-2]),
        ("identity", None),
        ("identity", []),
        ("identity", {}),
        ("identity", {"kid": GATEWAY.kid}),
        ("identity", {"kid": GATEWAY.kid[:-1], "signature": root["identity"]["signature"]}),
        ("identity", {"kid": GATEWAY.kid, "signature": b64url(bytes(63))}),
        ("expires_in", None),
        ("expires_in", "300"),
        ("expires_in", -1),
        ("expires_in", 1.5),
        ("expires_in", 2**53),
    ):
        rows[f"{name} is {json.dumps(value)[:40]}, {len(json.dumps(value))}"] = edited(root, name, value), "malformed"
    key = x.response["publicKey"]
    rows |= {
        "no identity": (compact(bare.response_json()), "below mode"),
        "identity removed": (edited(root, "identity"), "below mode"),
        "a scheme that was not offered": (compact(agreement(scheme="SCHEME-EC-AES1").response_json()), "not offered"),
        "an unknown scheme": (edited(root, "scheme", "SCHEME-NEW"), "not offered"),
        "a scheme of the other group": (edited(root, "scheme", "SCHEME-AES2"), "not offered"),
        "key: no bytes": (edited(root, "public_key", ""), "public key"),
        "key: off the curve": (edited(root, "public_key", b64(key[:-1] + bytes([key[-1] ^ 1]))), "public key"),
        "key: a byte after": (edited(root, "public_key", b64(key + b"\0")), "public key"),
        "key: the bare point": (edited(root, "public_key", b64(key[26:])), "public key"),
        "key: a finite-field key": (edited(root, "public_key", b64(ffdhe_spki("ffdhe2048", 4 + FFDHE["ffdhe2048"] // 2))), "public key"),
        "altered: client_reference_id": (edited(root, "client_reference_id", REFERENCE[:-1] + "5"), "proof"),
        "altered: identifier": (edited(root, "identifier", b64(b"Brokes")), "proof"),
        "altered: public_key": (edited(root, "public_key", b64(public_key("P-256", 19))), "proof"),
        "proof: one bit": (edited(root, "proof", b64(bytes([x.keys.proof[0] ^ 1]) + x.keys.proof[1:])), "proof"),
        "proof: all zero": (edited(root, "proof", b64(bytes(32))), "proof"),
        "proof: the source's example": (edited(root, "proof", "qck2eXsbiOpFJMGKEBzyPTidLwwCzsG8PgvyncQpeZU="), "proof"),
        "identity added to an agreement without": (compact(bare.response_json() | {"identity": root["identity"]}), "proof"),
        "another identity": (compact(agreement(signer=OTHER).response_json()), "identity"),
        "signature of another key": (
            edited(root, "identity", {"kid": GATEWAY.kid, "signature": b64url(OTHER.sign(signed_by("server", x.keys.t)))}),
            "identity",
        ),
        "signature with the client's label": (
            edited(root, "identity", {"kid": GATEWAY.kid, "signature": b64url(GATEWAY.sign(signed_by("client", x.keys.t)))}),
            "identity",
        ),
        "another nonce was answered": (compact(agreement(nonce=bytes(16)).response_json()), "proof"),
        "another identifier was answered": (compact(agreement(identifier=b"x").response_json()), "proof"),
        "another list was answered": (
            compact(Agreement("", offered=["SCHEME-EC-AES2", "SCHEME-EC-AES1"], signs=True).response_json()),
            "proof",
        ),
    }
    out = []
    for name, (text, reason) in rows.items():
        try:
            roles.agreement_client("pinned", x.client, x.request, [GATEWAY.jwk], text.encode())
            raise AssertionError(name)
        except Refused as refused:
            assert refused.args[0] == reason, (name, refused.args)
            out.append({"name": name, "text": text, "reason": reason})
    return {
        "clientPrivate": scalar(x.client),
        "request": compact(x.request_json()),
        "pins": [GATEWAY.jwk | {"kid": GATEWAY.kid}],
        "accepted": compact(root),
        "cases": out,
    }


def refused_fields():
    """Sealed fields of a client that must not open, in the agreement of `agreement` (the second case)."""
    x = Agreement("", signs=True, client=29, server=31)
    aad = field_aad(REFERENCE, "POST", "/rest/login", "password")

    def sealed(nonce=counter_nonce(0, 0), aad=aad, direction=x.direction("client")):
        return nonce + seal(*direction, nonce, b"secret", aad)

    good = sealed()
    rows = {
        "empty": "",
        "nonce and tag, a byte short": b64(good[:27]),
        "no base64": "secret",
        "without padding": b64(good)[:-1],
        "a bit flipped": b64(good[:-1] + bytes([good[-1] ^ 1])),
        "another counter": b64(counter_nonce(0, 1) + good[12:]),
        "nonce prefix 1": b64(sealed(counter_nonce(1, 0))),
        "counter past the limit": b64(sealed(counter_nonce(0, 2**24))),
        "another field's": b64(sealed(aad=field_aad(REFERENCE, "POST", "/rest/login", "pin"))),
        "another method's": b64(sealed(aad=field_aad(REFERENCE, "PUT", "/rest/login", "password"))),
        "another path's": b64(sealed(aad=field_aad(REFERENCE, "POST", "/rest/login2", "password"))),
        "the query in the path": b64(sealed(aad=field_aad(REFERENCE, "POST", f"/rest/login?client_reference_id={REFERENCE}", "password"))),
        "another agreement's": b64(sealed(aad=field_aad("r", "POST", "/rest/login", "password"))),
        "the server's key": b64(sealed(direction=x.direction("server"))),
        "a server's field": b64(
            sealed(
                counter_nonce(7, 0),
                field_aad(REFERENCE, "POST", "/rest/login", "password", 200, counter_nonce(0, 0)),
                x.direction("server"),
            )
        ),
        "no iv": b64(sealed(direction=(x.direction("client")[0], None))),
        "an envelope's associated data": b64(sealed(aad=f"v2:{REFERENCE}")),
    }
    return {
        "agreement": "EC-AES2, with identity",
        "method": "POST",
        "path": "/rest/login",
        "name": "password",
        "accepted": b64(good),
        "cases": [{"name": name, "value": value} for name, value in rows.items()],
    }


def make():
    return {
        "source": "PROTOCOL section 3, made by generate.py with Python cryptography",
        "schemes": EC_SCHEMES,
        "cases": cases(),
        "refusedRequests": refused_requests(),
        "refusedResponses": refused_responses(),
        "refusedFields": refused_fields(),
    }
