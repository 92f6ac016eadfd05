"""negative-json.json and negative-hello.json: what a gateway must refuse, and with which code."""

import base64
import json

from . import roles
from .edits import BASE, CLIENT, KID, MALFORMED, MODE, PLAIN, SCHEME, VERSION, edited, identified, raw
from .exchange import STRANGER, compact
from .make_messages import HEADERS, POLICY, with_member
from .negative_json import OWN_KEY, grammar, shape
from .negative_keys import groups, keys
from .primitives import Identity, Refused, b64

CONFIRMED_ONLY = {"leastMode": "confirmed"}
REGISTERED = {
    "leastMode": "mutual",
    "identities": [{"kid": KID, "type": "internal", "clientId": "internal-web-client", "deviceId": "browser-uuid-v4"}],
}


def headers():
    text, version, kind = compact(BASE.hello_json()), *HEADERS
    garbage = "\x00"

    def case(name, code, why, *sent, body=text):
        return name, body, code, why, {"headers": list(sent)}

    def version_is(value):
        return case(f"version {value!r}", VERSION, "The header is not `2`.", [version[0], value], kind)

    def type_is(value):
        return case(f"content type {value!r}", MALFORMED, "The media type is not application/json.", version, [kind[0], value])

    return [
        case("no version", VERSION, "The header is absent.", kind),
        *map(version_is, ["", "1", "3", "02", "2.0", "+2", "2, 2", "v2"]),
        case("no version, wrong type, garbage", VERSION, "The version is looked at first.", [kind[0], "text/plain"], body=garbage),
        case("no content type", MALFORMED, "The header is absent.", version),
        *map(
            type_is,
            [
                "",
                "text/plain",
                "application/jsonp",
                "application/json-patch+json",
                "application/problem+json",
                "application/dk2",
                "text/json",
                "application/x-www-form-urlencoded",
                "json",
            ],
        ),
        case(
            "wrong type and a client that is not allowed",
            MALFORMED,
            "The content type is looked at before the body.",
            version,
            [kind[0], "text/plain"],
            body=edited("client.type", "partner"),
        ),
        case("version twice", MALFORMED, "A header that must be single is sent twice.", version, version, kind),
        case("content type twice", MALFORMED, "A header that must be single is sent twice.", version, kind, kind),
    ]


def members():
    rows = []

    def add(name, body, why, code=MALFORMED):
        rows.append((name, body, code, why))

    for path in (
        "clientPublicKey",
        "device",
        "client",
        "device.id",
        "device.platform",
        "client.type",
        "client.clientId",
        "keyAgreement.supportedSchemes",
        "keyAgreement.nonce",
    ):
        add(f"{path} absent", edited(path), "The member is required.")
        add(f"{path} null", edited(path, None), "null is no value of this member.")
    for path in ("keyAgreement", "keyAgreement.features"):
        add(f"{path} null", edited(path, None), "A member that may be absent is not null.")
    for path, wrong in (
        ("clientPublicKey", 1),
        ("clientPublicKey", [OWN_KEY]),
        ("clientPublicKey", True),
        ("device", "browser"),
        ("device", []),
        ("client", "internal"),
        ("client", []),
        ("device.id", 7),
        ("device.platform", []),
        ("client.type", False),
        ("client.clientId", {}),
        ("keyAgreement", []),
        ("keyAgreement", "SCHEME-EC-AES2"),
        ("keyAgreement", False),
        ("keyAgreement", {}),
        ("keyAgreement.supportedSchemes", "SCHEME-EC-AES2"),
        ("keyAgreement.supportedSchemes", {}),
        ("keyAgreement.supportedSchemes", [1]),
        ("keyAgreement.supportedSchemes", ["SCHEME-EC-AES2", None]),
        ("keyAgreement.supportedSchemes", [["SCHEME-EC-AES2"]]),
        ("keyAgreement.nonce", 16),
        ("keyAgreement.nonce", []),
        ("keyAgreement.features", "rt"),
        ("keyAgreement.features", {"rt": True}),
        ("keyAgreement.features", [True]),
        ("keyAgreement.identity", None),
        ("keyAgreement.identity", KID),
        ("keyAgreement.identity", []),
        ("keyAgreement.identity", {}),
        ("keyAgreement.identity", {"kid": None}),
        ("keyAgreement.identity", {"kid": 43}),
    ):
        add(f"{path} is {compact(wrong)[:24]}", edited(path, wrong), "The member has another type, or lacks what it must hold.")
    for path, longest in (("device.id", 64), ("device.platform", 32), ("client.type", 64), ("client.clientId", 64)):
        add(f"{path} empty", edited(path, ""), "At least 1 character.")
        add(f"{path} of {longest + 1}", edited(path, "a" * (longest + 1)), f"At most {longest} characters.")
        add(f"{path} with a control character, escaped", raw(path, '"a\\u0000b"'), "Characters of 0x20-0x7E only.")
        add(f"{path} beyond ASCII", raw(path, '"caf\u00e9"'), "Characters of 0x20-0x7E only.")
    for escape in ("\\n", "\\u001f", "\\u007f", "\\u0080", "\\u00e9", "\\ud83d\\ude00", "\\ud800"):
        add(f"device.id with {escape}", raw("device.id", f'"a{escape}"'), "Characters of 0x20-0x7E only.")
    for name, wrong, why in (
        ("without padding", OWN_KEY.rstrip("="), "Padding is required."),
        ("padding cut by one", OWN_KEY[:-1], "Padding is required."),
        ("padding too long", OWN_KEY + "=", "One = too many."),
        ("padding of four", OWN_KEY + "====", "Padding where none belongs."),
        ("base64url", base64.urlsafe_b64encode(BASE.hello["clientPublicKey"]).decode() + "-", "Another alphabet."),
        ("unused bits set", OWN_KEY[:-3] + chr(ord(OWN_KEY[-3]) + 1) + "==", "Not canonical: the same bytes have another spelling."),
        ("a space before", " " + OWN_KEY, "White space is no base64."),
        ("a line break inside", OWN_KEY[:64] + "\n" + OWN_KEY[64:], "White space is no base64."),
        ("= in the middle", OWN_KEY[:60] + "=" + OWN_KEY[61:], "Padding in the middle."),
        ("one character", "A", "Not a multiple of four."),
        ("padding alone", "====", "No base64."),
        ("two values joined", "AA==AA==", "Padding in the middle."),
        ("a character beyond ASCII", OWN_KEY[:-4] + "\u00e9A==", "No base64."),
    ):
        add(f"clientPublicKey: {name}", edited("clientPublicKey", wrong), why)
    for name, wrong in (
        ("empty", ""),
        ("of 15 bytes", b64(bytes(15))),
        ("of 33 bytes", b64(bytes(33))),
        ("without padding", b64(bytes(16))[:-2]),
        ("with unused bits set", b64(bytes(16))[:-3] + "B=="),
        ("in base64url", b64(b"\xff" * 18).replace("/", "_")),
        ("in hexadecimal with a dash", "00-01020304050607"),
    ):
        add(f"nonce {name}", edited("keyAgreement.nonce", wrong), "16 to 32 bytes in canonical base64.")
    for member, fewest in (("supportedSchemes", 1), ("features", 0)):
        path = f"keyAgreement.{member}"
        for name, wrong in (
            ("nine names", [f"SCHEME-{n}" for n in range(8)] + ["SCHEME-EC-AES2"]),
            ("a duplicate", ["SCHEME-EC-AES2"] * 2),
            ("an unknown duplicate at the ends", ["x", "SCHEME-EC-AES2", "x"]),
            ("an empty name", ["SCHEME-EC-AES2", ""]),
            ("a name of 33", ["SCHEME-EC-AES2", "a" * 33]),
            ("an underscore", ["SCHEME-EC-AES2", "SCHEME_EC_AES1"]),
            ("a space", ["SCHEME-EC-AES2", "a b"]),
            ("a letter beyond ASCII", ["SCHEME-EC-AES2", "\u00e9"]),
            ("a dot", ["SCHEME-EC-AES2", "a.b"]),
            ("a NUL", ["SCHEME-EC-AES2", "a\0"]),
        ):
            add(f"{member}: {name}", edited(path, wrong), f"{fewest} to 8 different names of [A-Za-z0-9-]{{1,32}}.")
        add(f"{member}: a duplicate, escaped", raw(path, '["SCHEME-EC-AES2","SCHEME-EC-\\u0041ES2"]'), "Names are compared unescaped.")
    add("supportedSchemes: none", edited("keyAgreement.supportedSchemes", []), "1 to 8 names.")
    for name, kid in (
        ("of 42", KID[:-1]),
        ("of 44", KID + "A"),
        ("empty", ""),
        ("padded", KID + "="),
        ("in base64, not base64url", KID[:-2] + "+" + KID[-1]),
        ("with a full stop", KID[:-2] + "." + KID[-1]),
        ("with unused bits set", KID[:-1] + chr(ord(KID[-1]) + 1)),
        ("with an address", "me/" + KID),
    ):
        add(f"kid {name}", identified(kid), "The 43 characters of a base64url thumbprint.")
    add(
        "malformed and a client that is not allowed",
        with_member(edited("client.type", "partner"), '"a":1,"a":1'),
        "The shape is looked at first.",
    )
    return rows


def policy():
    rows = []

    def add(name, body, code, why, **gateway):
        rows.append((name, body, code, why, {"gateway": gateway} if gateway else {}))

    bad_key = b64(bytes(91))
    for name, path, value in (
        ("type", "client.type", "partner"),
        ("type in another case", "client.type", "Internal"),
        ("type with a space", "client.type", "internal "),
        ("type of 64 characters", "client.type", "i" * 64),
        ("clientId", "client.clientId", "nobody"),
        ("clientId in another case", "client.clientId", "Internal-Web-Client"),
        ("clientId cut", "client.clientId", "internal-web-clien"),
        ("clientId of the other type", "client.clientId", "partner-acme-corp"),
        ("type of another client", "client.type", "external"),
    ):
        add(f"unknown {name}", edited(path, value), CLIENT, "No such client.")
        add(f"unknown {name}, plain", edited(path, value, PLAIN), CLIENT, "No such client.")
    twisted = json.loads(edited("client.type", "partner"))
    twisted["clientPublicKey"] = bad_key
    twisted["keyAgreement"]["supportedSchemes"] = ["x"]
    add("unknown client, no common scheme, invalid key", compact(twisted), CLIENT, "The client is looked at first.")
    add(
        "unknown client, below the mode",
        edited("client.type", "partner", PLAIN),
        CLIENT,
        "The client is looked at before the mode.",
        **CONFIRMED_ONLY,
    )
    stranger = Identity(STRANGER).kid
    add("unregistered kid", identified(stranger), CLIENT, "The kid is not registered.", **REGISTERED)
    add("unregistered kid where none is needed", identified(stranger), CLIENT, "An identity that is claimed is looked up.")
    add("kid of another device", identified(device="browser-uuid-v5"), CLIENT, "The kid is bound to one device.", **REGISTERED)
    add(
        "kid of another client",
        identified(type="external", client="partner-acme-corp"),
        CLIENT,
        "The kid is bound to one client.",
        **REGISTERED,
    )
    add("plain where confirmed is required", compact(PLAIN.hello_json()), MODE, "A mode below the policy.", **CONFIRMED_ONLY)
    add("plain where mutual is required", compact(PLAIN.hello_json()), MODE, "A mode below the policy.", **REGISTERED)
    add("no kid where mutual is required", compact(BASE.hello_json()), MODE, "A hello without kid where mutual is required.", **REGISTERED)
    add(
        "plain and an invalid key where confirmed is required",
        edited("clientPublicKey", bad_key, PLAIN),
        MODE,
        "The mode is looked at before the key.",
        **CONFIRMED_ONLY,
    )
    add(
        "no kid and no common scheme where mutual is required",
        edited("keyAgreement.supportedSchemes", ["x"]),
        MODE,
        "The mode is looked at before the schemes.",
        **REGISTERED,
    )
    for name, offered in (
        ("unknown names only", ["SCHEME-KYBER-9", "x"]),
        ("another case", ["scheme-ec-aes2"]),
        ("a prefix", ["SCHEME-EC-AES"]),
        ("a longer name", ["SCHEME-EC-AES22"]),
        ("finite-field schemes, which are off", ["SCHEME-AES2", "SCHEME-AES1"]),
    ):
        add(f"schemes: {name}", edited("keyAgreement.supportedSchemes", offered), SCHEME, "Nothing that the gateway accepts is offered.")
    add(
        "schemes: the one that the gateway does not accept",
        edited("keyAgreement.supportedSchemes", ["SCHEME-EC-AES1"]),
        SCHEME,
        "Nothing that the gateway accepts is offered.",
        schemes=["SCHEME-EC-AES2"],
    )
    both = json.loads(edited("keyAgreement.supportedSchemes", ["x"]))
    both["clientPublicKey"] = bad_key
    add("no common scheme and an invalid key", compact(both), SCHEME, "The schemes are looked at before the key.")
    return rows


def make_json():
    return document("hellos that are no JSON of the page's kind", [with_code(row) for row in grammar() + shape()])


def make_hello():
    cases = [with_code(row) for row in headers() + members() + policy() + keys() + groups()]
    cases.append(
        {
            "name": "a body of 1 MiB and a byte",
            "text": compact(BASE.hello_json()),
            "padTo": (1 << 20) + 1,
            "code": f"DYNAMIC_KEY_V2_{MALFORMED}",
            "why": "Over the limit; the text is followed by spaces up to that length.",
        }
    )
    assert said(cases[-1])[0] == MALFORMED
    return document("hellos, in the order of the checks of section 2.1", cases)


def document(what, cases):
    assert len({case["name"] for case in cases}) == len(cases)
    return {
        "source": f"PROTOCOL sections 1, 2.1, 2.2 and 2.6, made by generate.py with Python cryptography: {what}",
        "headers": HEADERS,
        "gateway": POLICY,
        "hello": cases,
    }


def with_code(row):
    name, body, code, why, *more = row
    more = more[0] if more else {}
    entry = {"name": name, **text(body), "code": f"DYNAMIC_KEY_V2_{code}", **more, "why": why}
    assert said(entry) == (code, more.get("scheme")), (entry, said(entry))
    return entry


def text(body):
    if isinstance(body, str):
        return {"text": body}
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"textHex": body.hex()}


def said(entry):
    """What the gateway of roles.py answers."""
    body = bytes.fromhex(entry["textHex"]) if "textHex" in entry else entry["text"].encode()
    body += b" " * (entry.get("padTo", 0) - len(body))
    try:
        roles.gateway(POLICY | entry.get("gateway", {}), entry.get("headers", HEADERS), body)
    except roles.Retry as retry:
        return retry.args
    except Refused as refused:
        return refused.args[0], None
    return None, None
