"""negative-answer.json: what a client must refuse. Each answer is proven and signed over what it says, so
that the one thing wrong is the one that the case names."""

import json

from . import roles
from .agreement import Keys, signed_by, transcript_input
from .exchange import SERVER_IDENTITY, STRANGER, Exchange, compact, scalar
from .groups import FFDHE, ffdhe_spki, p256_point, p256_spki, public_key
from .make_messages import nested, with_member
from .primitives import Identity, Refused, b64, b64url, sha256, signature_der

GATEWAY, OTHER = Identity(SERVER_IDENTITY), Identity(STRANGER)
EC = {"client_private": 67, "server_private": 71, "session_id": "sid-1", "token": "t.o.k"}
THREE = ["SCHEME-AES2", "SCHEME-EC-AES1", "SCHEME-EC-AES2"]
CLIENTS = {
    "plain": Exchange("", mode="plain", client_private=67, server_private=71),
    "confirmed": Exchange("", **EC),
    "pinned": Exchange("", mode="pinned", **EC),
    "mutual": Exchange("", mode="mutual", **EC),
    "features": Exchange("", features=["rt"], **EC),
    # offers a finite-field scheme, too, and sent its P-256 key
    "both groups": Exchange("", offered=["SCHEME-EC-AES2", "SCHEME-AES2", "SCHEME-EC-AES1"], **EC),
    # sent an ffdhe3072 key, was told SCHEME-EC-AES1, and sent a second hello with a P-256 key
    "retried": Exchange("", scheme="SCHEME-EC-AES1", offered=THREE, client_nonce=bytes(range(100, 116)), **EC),
}
REQUIRES = {"features": "features", "both groups": "ffdhe", "retried": "ffdhe"}
FIRST_EXPONENT = 2**275 + 9
FIRST_409 = '{"status":409,"code":"DYNAMIC_KEY_V2_RETRY_WITH_SCHEME","message":"Send another key.","scheme":"SCHEME-EC-AES1"}'


def forged(client, signer=GATEWAY, sign=None, hello=None, **changes):
    """The genuine answer with members of `messages.answer` changed, everything recomputed: a peer that
    knows Z and says something else. `sign` makes the signature from T."""
    x = CLIENTS[client]
    answer = {key: value for key, value in x.answer.items() if key not in ("proof", "signature")} | changes
    identity = {}
    if x.mode != "plain":
        if x.server and "kid" not in changes:
            answer["kid"] = signer.kid
        keys = Keys(x.scheme, x.z, sha256(transcript_input(roles.dynamic_key_fields(x.hello | (hello or {}), answer))))
        answer["proof"] = keys.proof
        if x.server:
            signature = sign(keys.t) if sign else signer.sign(signed_by("server", keys.t))
            identity = {"identity": {"kid": answer["kid"], "signature": signature if isinstance(signature, str) else b64url(signature)}}
    root = {
        "serverPublicKey": b64(answer["serverPublicKey"]),
        "sessionId": answer["sessionId"],
        "token": answer["token"],
        "expireToken": "@expireToken@",
        "expiresAt": answer["expiresAt"],
    }
    if x.mode != "plain":
        root["keyAgreement"] = {
            "scheme": answer["scheme"],
            "nonce": b64(answer["nonce"]),
            "features": answer["features"],
            "expiresIn": "@expiresIn@",
            "proof": b64(answer["proof"]),
        } | identity
    text = compact(root)
    for name in ("expireToken", "expiresIn"):
        text = text.replace(f'"@{name}@"', answer.get(name, ""))
    return text


def edited(client, path, value=..., **changes):
    """A forged answer with the member at `path` set, or without it, after the proof was made."""
    root = json.loads(forged(client, **changes))
    *parents, last = path.split(".")
    place = root
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return compact(root)


def json_rows():
    text = forged("confirmed")
    agreement = '"keyAgreement":{'
    for name, body in {
        "empty": "",
        "no object": "[]",
        "cut": text[:-1],
        "a byte after": text + "x",
        "NUL after": text + "\0",
        "a byte-order mark": "\ufeff" + text,
        "a comma too many": text[:-1] + ",}",
        "single quotes": text.replace('"', "'"),
        "an error": '{"status":400,"code":"DYNAMIC_KEY_V2_MALFORMED_REQUEST","message":""}',
        "17 levels": with_member(text, '"future":' + "[" * 16 + "]" * 16),
        "17 levels below keyAgreement": text.replace(agreement, agreement + f'"future":{nested(15)},'),
        "2,000 levels": with_member(text, '"future":' + "[" * 2000 + "]" * 2000),
        "a lone surrogate": with_member(text, '"future":"\\ud83d"'),
        "a raw control character": with_member(text, '"future":"\n"'),
        "a leading zero": with_member(text, '"future":01'),
        "sessionId twice": with_member(text, '"sessionId":"sid-1"'),
        "token twice, escaped": with_member(text, '"t\\u006fken":"x"'),
        "an unknown member twice": with_member(text, '"future":1,"future":1'),
        "keyAgreement twice": with_member(text, '"keyAgreement":{}'),
        "scheme twice": text.replace(agreement, agreement + '"scheme":"SCHEME-EC-AES2",'),
        "proof twice, escaped": text.replace(agreement, agreement + '"pr\\u006fof":"AAAA",'),
        "an unknown member of keyAgreement twice": text.replace(agreement, agreement + '"v":1,"v":1,'),
    }.items():
        yield "confirmed", f"JSON: {name}", body, "malformed", "Not one object of section 2.1."
    pinned = forged("pinned")
    yield "pinned", "JSON: kid twice", pinned.replace('"kid"', f'"kid":"{GATEWAY.kid}","kid"'), "malformed", "A name is repeated."
    yield "plain", "JSON: a byte after", forged("plain") + "x", "malformed", "Not one object of section 2.1."
    yield "plain", "JSON: serverPublicKey twice", with_member(forged("plain"), '"serverPublicKey":""'), "malformed", "A name is repeated."


def member_rows():
    why = "Required, and of one form."
    for path in ("serverPublicKey", "sessionId", "token", "expireToken", "expiresAt"):
        for client in ("plain", "confirmed"):
            yield client, f"{path} absent", edited(client, path), "malformed", why
            yield client, f"{path} null", edited(client, path, None), "malformed", why
    for path in ("scheme", "nonce", "expiresIn"):
        yield "confirmed", f"{path} absent", edited("confirmed", f"keyAgreement.{path}"), "malformed", why
        yield "confirmed", f"{path} null", edited("confirmed", f"keyAgreement.{path}", None), "malformed", why
    for path, value in (
        ("keyAgreement", None),
        ("keyAgreement", []),
        ("keyAgreement", "x"),
        ("keyAgreement.features", None),
        ("keyAgreement.features", "rt"),
        ("keyAgreement.proof", None),
        ("keyAgreement.proof", 7),
        ("keyAgreement.identity", None),
        ("expireToken", "0"),
        ("expireToken", False),
        ("expiresAt", 1780531200),
        ("sessionId", 1),
        ("token", ["t"]),
        ("serverPublicKey", {}),
    ):
        yield (
            "confirmed",
            f"{path} is {json.dumps(value)}",
            edited("confirmed", path, value),
            "malformed",
            "Another type, or null for what may be absent.",
        )
    for session_id in ("", "a" * 65, "a b", "a/b", "a+b", "a=b", "a%41", "a:b", "caf\u00e9", "a\n", "a\0"):
        yield (
            "confirmed",
            f"sessionId {session_id[:4]!r} of {len(session_id)}",
            forged("confirmed", sessionId=session_id),
            "malformed",
            "[A-Za-z0-9._~-]{1,64}",
        )
    yield "plain", "sessionId with a colon", forged("plain", sessionId="a:b"), "malformed", "[A-Za-z0-9._~-]{1,64}"
    for token in ("", "a" * 4097, "a b", "a,b", 'a"b', "a\r\nX-Header: 1", "caf\u00e9", "a\0"):
        yield (
            "confirmed",
            f"token {token[:4]!r} of {len(token)}",
            forged("confirmed", token=token),
            "malformed",
            "[A-Za-z0-9._~+/=-]{1,4096}",
        )
    yield "plain", "token with a line break", forged("plain", token="a\r\nb"), "malformed", "[A-Za-z0-9._~+/=-]{1,4096}"
    for name in ("expiresIn", "expireToken"):
        for digits in (
            "-1",
            "-0",
            "1.0",
            "3600.5",
            "1e3",
            "36E2",
            str(2**53),
            str(2**64),
            str(2**64 + 3600),
            "9" * 40,
            '"3600"',
            "[]",
            "true",
        ):
            yield (
                "confirmed",
                f"{name} {digits}",
                forged("confirmed", **{name: digits}),
                "malformed",
                "An integer 0 ... 2^53-1 in plain digits.",
            )
    yield "plain", "expireToken -1", forged("plain", expireToken="-1"), "malformed", "An integer 0 ... 2^53-1 in plain digits."
    for at in (
        "",
        "tomorrow",
        "1780531200",
        "2026-06-04",
        "2026-13-04T00:00:00.000Z",
        "2026-00-04T00:00:00.000Z",
        "2026-02-30T00:00:00.000Z",
        "2025-02-29T00:00:00.000Z",
        "2026-06-31T00:00:00.000Z",
        "2026-06-04T24:00:01.000Z",
        "2026-06-04T00:60:00.000Z",
        "2026-06-04T00:00:00.000",
        "+2026-06-04T00:00:00.000Z",
        "2026-06-04T00:00:00.000Z ",
        "2026/06/04T00:00:00.000Z",
        "-026-06-04T00:00:00.000Z",
    ):
        yield (
            "confirmed",
            f"expiresAt {at!r}",
            forged("confirmed", expiresAt=at),
            "malformed",
            "No instant in the form that section 2.1 shows.",
        )
    for size in (0, 15, 33):
        yield "confirmed", f"nonce of {size}", forged("confirmed", nonce=bytes(size)), "malformed", "16 to 32 bytes."
    for path, value in (
        ("serverPublicKey", b64(p256_spki(p256_point(71)))[:-2]),
        ("keyAgreement.nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("keyAgreement.nonce", "AAAAAAAAAAAAAAAAAAAAAB=="),
        ("keyAgreement.proof", b64(bytes(31))),
        ("keyAgreement.proof", b64(bytes(33))),
        ("keyAgreement.proof", ""),
        ("keyAgreement.proof", b64url(CLIENTS["confirmed"].keys.proof)),
        ("keyAgreement.proof", b64(CLIENTS["confirmed"].keys.proof)[:-2] + "B="),
    ):
        yield (
            "confirmed",
            f"{path}: {value[:3]}...{value[-6:]}, {len(value)} characters",
            edited("confirmed", path, value),
            "malformed",
            "Canonical base64 of the length that belongs there.",
        )
    for features in (["rt", "rt"], ["f" + str(n) for n in range(9)], [""], ["a b"], ["a" * 33], ["r_t"]):
        yield (
            "confirmed",
            f"features {features[0][:4]!r}, {len(features)}",
            forged("confirmed", features=features),
            "malformed",
            "0 to 8 different names.",
        )
    for scheme in ("", "SCHEME_EC_AES2", "a" * 33):
        yield "confirmed", f"scheme {scheme[:8]!r} of {len(scheme)}", forged("confirmed", scheme=scheme), "malformed", "[A-Za-z0-9-]{1,32}"


def key_rows():
    point = p256_point(71)
    valid = p256_spki(point)
    compressed = p256_spki(bytes([2 + point[-1] % 2]) + point[1:33])
    for client in ("plain", "pinned"):
        for name, key in {
            "no bytes": b"",
            "compressed": compressed,
            "the bare point": point,
            "y + 1": valid[:-1] + bytes([valid[-1] + 1]),
            "the origin": p256_spki(b"\x04" + bytes(64)),
            "the point at infinity": p256_spki(b"\0"),
            "a byte after": valid + b"\0",
            "secp256k1's OID": valid.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2b8104000a") + b"\x05\x01\0"),
            "a long-form length": b"\x30\x81\x59" + valid[2:],
            "a finite-field key": ffdhe_spki("ffdhe2048", pow(2, 2**226 + 1, FFDHE["ffdhe2048"])),
        }.items():
            yield (
                client,
                f"server key: {name}",
                forged(client, serverPublicKey=key),
                "public key",
                "Not the 91-byte template with a point on the curve.",
            )


def agreement_rows():
    for client in ("confirmed", "pinned", "mutual"):
        yield (
            client,
            "no keyAgreement",
            edited(client, "keyAgreement"),
            "below mode",
            "The gateway answers in plain mode: no fallback by itself.",
        )
        yield client, "no proof", edited(client, "keyAgreement.proof"), "below mode", "Nothing is verified only if present."
        yield client, "a plain answer with a key of its own", forged("plain"), "below mode", "The gateway answers in plain mode."
    for client in ("pinned", "mutual"):
        yield client, "no identity", edited(client, "keyAgreement.identity"), "below mode", "A gateway without identity."
        yield client, "no identity, proven so", confirmed_for(client), "below mode", "A man in the middle has a proof, but no identity."
    for scheme in ("SCHEME-AES2", "SCHEME-AES1", "SCHEME-KYBER-9", "scheme-ec-aes2", "SCHEME-EC-AES"):
        yield "confirmed", f"scheme {scheme}", forged("confirmed", scheme=scheme), "not offered", "The client did not offer it."
    for client in ("confirmed", "features"):
        for features in (["ku"], ["rt", "ku"], ["RT"]):
            yield client, f"features {features}", forged(client, features=features), "not offered", "The client did not offer it."
    yield "confirmed", "features ['rt']", forged("confirmed", features=["rt"]), "not offered", "The client did not offer it."
    yield (
        "both groups",
        "AES2 with a P-256 key",
        forged("both groups", scheme="SCHEME-AES2"),
        "not offered",
        "The scheme's group is not the one whose key was sent; a 409 asks for another.",
    )
    yield (
        "retried",
        "EC-AES2 after a 409 that named EC-AES1",
        Exchange("", scheme="SCHEME-EC-AES2", offered=THREE, client_nonce=bytes(range(100, 116)), **EC),
        "not offered",
        "The reply to a retry must select the named scheme.",
    )


def confirmed_for(client):
    """A right answer for the client's hello, but without identity: field 17 is empty."""
    x = CLIENTS[client]
    answer = {key: value for key, value in x.answer.items() if key not in ("proof", "signature", "kid")}
    keys = Keys(x.scheme, x.z, sha256(transcript_input(roles.dynamic_key_fields(x.hello, answer))))
    root = json.loads(forged(client))
    del root["keyAgreement"]["identity"]
    root["keyAgreement"]["proof"] = b64(keys.proof)
    return compact(root)


def proof_rows():
    x = CLIENTS["confirmed"]
    proof = x.keys.proof
    for name, wrong in (
        ("first bit", bytes([proof[0] ^ 128]) + proof[1:]),
        ("last bit", proof[:-1] + bytes([proof[-1] ^ 1])),
        ("all zero", bytes(32)),
        ("reversed", proof[::-1]),
        ("T itself", x.keys.t),
        ("SHA-256 of T", sha256(x.keys.t)),
        ("of another Z", CLIENTS["pinned"].keys.proof),
        ("the key of the proof", x.keys["server proof"]),
        ("the exporter", x.keys["exporter"]),
    ):
        yield (
            "confirmed",
            f"proof: {name}",
            edited("confirmed", "keyAgreement.proof", b64(wrong)),
            "proof",
            'Not HMAC(k("server proof"), T).',
        )
    altered = "Altered on the way, after the proof was made."
    for path, value in (
        ("serverPublicKey", b64(public_key("P-256", 73))),
        ("sessionId", "sid-2"),
        ("token", x.token + "x"),
        ("expireToken", 1),
        ("expiresAt", "2026-06-04T00:00:00.001Z"),
        ("keyAgreement.scheme", "SCHEME-EC-AES1"),
        ("keyAgreement.nonce", b64(x.server_nonce[::-1])),
        ("keyAgreement.nonce", b64(x.server_nonce[:-1])),
        ("keyAgreement.expiresIn", 3601),
        ("keyAgreement.identity", {"kid": GATEWAY.kid, "signature": b64url(GATEWAY.sign(signed_by("server", x.keys.t)))}),
    ):
        yield "confirmed", f"altered: {path} {str(value)[:12]}", edited("confirmed", path, value), "proof", altered
    yield "features", "altered: features added", edited("features", "keyAgreement.features", ["rt"]), "proof", altered
    yield "features", "altered: features removed", edited("features", "keyAgreement.features", [], features=["rt"]), "proof", altered
    yield (
        "features",
        "hello altered: features stripped",
        forged("features", hello={"features": []}),
        "proof",
        "The gateway saw another hello than the client sent.",
    )
    for name, hello in {
        "stripped to the weaker scheme": {"supportedSchemes": ["SCHEME-EC-AES1"]},
        "schemes in another order": {"supportedSchemes": x.offered[::-1]},
        "a scheme added": {"supportedSchemes": x.offered + ["SCHEME-AES1"]},
        "features added": {"features": ["rt"]},
        "another nonce": {"nonce": bytes(16)},
        "another device": {"deviceId": "browser-uuid-v5"},
        "another platform": {"platform": "server"},
        "another client type": {"clientType": "external"},
        "another client": {"clientId": "partner-acme-corp"},
        "a kid added": {"kid": OTHER.kid},
        "another client key": {"clientPublicKey": public_key("P-256", 73)},
    }.items():
        yield (
            "confirmed",
            f"hello altered: {name}",
            forged("confirmed", hello=hello),
            "proof",
            "The gateway saw another hello than the client sent.",
        )
    yield (
        "mutual",
        "hello altered: kid replaced",
        forged("mutual", hello={"kid": OTHER.kid}),
        "proof",
        "The gateway saw another hello than the client sent.",
    )


def identity_rows():
    def signed(name, sign, why='No ES256 signature of the pinned key over "dynamic-key v2 server" 00 T.', reason="identity"):
        return "pinned", f"signature: {name}", forged("pinned", sign=sign), reason, why

    yield "pinned", "another identity, its own signature", forged("pinned", signer=OTHER), "identity", "The client does not pin it."
    yield "mutual", "another identity, its own signature", forged("mutual", signer=OTHER), "identity", "The client does not pin it."
    yield "pinned", "the client's own identity", forged("pinned", signer=Identity(31)), "identity", "The client does not pin it."
    genuine = CLIENTS["pinned"].answer["signature"]
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for row in (
        ("of another key", lambda t: OTHER.sign(signed_by("server", t))),
        ("the client's label", lambda t: GATEWAY.sign(signed_by("client", t))),
        ("T alone", lambda t: GATEWAY.sign(t)),
        ("no zero byte after the label", lambda t: GATEWAY.sign(b"dynamic-key v2 server" + t)),
        ("another T", lambda t: GATEWAY.sign(signed_by("server", sha256(t)))),
        ("one bit", lambda t: flip(GATEWAY.sign(signed_by("server", t)))),
        ("r and s exchanged", lambda t: exchanged(GATEWAY.sign(signed_by("server", t)))),
        ("all zero", lambda t: bytes(64)),
        ("r = 0", lambda t: bytes(32) + genuine[32:]),
        ("s = 0", lambda t: genuine[:32] + bytes(32)),
        ("r = n", lambda t: order.to_bytes(32, "big") + genuine[32:]),
        ("all ones", lambda t: b"\xff" * 64),
    ):
        yield signed(*row)
    shape = "64 bytes in canonical base64url."
    for name, respell in (
        ("empty", lambda s: ""),
        ("63 bytes", lambda s: b64url(s[:-1])),
        ("65 bytes", lambda s: b64url(s + b"\0")),
        ("padded", lambda s: b64url(s) + "=="),
        ("base64, not base64url", lambda s: b64(s)),
        ("unused bits set", lambda s: b64url(s)[:-1] + chr(ord(b64url(s)[-1]) + 1)),
        ("DER", lambda s: b64url(signature_der(s))),
        ("a space", lambda s: " " + b64url(s)),
    ):
        yield signed(name, lambda t, respell=respell: respell(GATEWAY.sign(signed_by("server", t))), shape, "malformed")
    for name, identity in (
        ("{}", {}),
        ("no signature", {"kid": GATEWAY.kid}),
        ("no kid", {"signature": b64url(genuine)}),
        ("null", None),
        ("an array", []),
        ("kid null", {"kid": None, "signature": b64url(genuine)}),
        ("signature null", {"kid": GATEWAY.kid, "signature": None}),
        ("kid of 42", {"kid": GATEWAY.kid[:-1], "signature": b64url(genuine)}),
        ("kid padded", {"kid": GATEWAY.kid + "=", "signature": b64url(genuine)}),
    ):
        yield (
            "pinned",
            f"identity: {name}",
            edited("pinned", "keyAgreement.identity", identity),
            "malformed",
            "kid of 43 characters and a signature.",
        )
    yield (
        "pinned",
        "kid replaced by a pinned one, signed by a stranger",
        edited("pinned", "keyAgreement.identity.kid", GATEWAY.kid, signer=OTHER),
        "proof",
        "The transcript says another kid.",
    )
    yield (
        "pinned",
        "a pinned kid in the transcript, signed by a stranger",
        forged("pinned", signer=OTHER, kid=GATEWAY.kid),
        "identity",
        "The signature is not the pinned key's.",
    )


def flip(signature):
    return signature[:40] + bytes([signature[40] ^ 4]) + signature[41:]


def exchanged(signature):
    return signature[32:] + signature[:32]


def retry_rows():
    """Status 409."""

    def body(scheme):
        return compact(
            {"status": 409, "code": "DYNAMIC_KEY_V2_RETRY_WITH_SCHEME", "message": "Send another key."}
            | ({} if scheme is ... else {"scheme": scheme})
        )

    for scheme in ("SCHEME-EC-AES2", "SCHEME-EC-AES1"):
        yield "confirmed", f"409 {scheme}", body(scheme), "retry", "Its group's key was already sent."
        yield "both groups", f"409 {scheme}", body(scheme), "retry", "Its group's key was already sent."
    for scheme in ("SCHEME-AES2", "SCHEME-AES1", "SCHEME-KYBER-9", "scheme-aes2"):
        yield "confirmed", f"409 {scheme}", body(scheme), "retry", "The client did not offer it."
    yield "both groups", "409 SCHEME-AES1", body("SCHEME-AES1"), "retry", "The client did not offer it."
    yield "retried", "a second 409, another scheme", body("SCHEME-AES2"), "retry", "The client retries at most once."
    yield "retried", "a second 409, the same scheme", body("SCHEME-EC-AES1"), "retry", "The client retries at most once."
    for name, text in (
        ("no scheme", body(...)),
        ("scheme null", body(None)),
        ("scheme is a list", body(["SCHEME-AES2"])),
        ("no JSON", "SCHEME-AES2"),
        ("empty", ""),
        ("scheme twice", with_member(body("SCHEME-AES2"), '"scheme":"SCHEME-AES2"')),
        ("a byte after", body("SCHEME-AES2") + "x"),
    ):
        yield "both groups", f"409 {name}", text, "malformed", "A 409 is JSON with one `scheme`."


def said(client, status, text):
    x = CLIENTS[client]
    retried = "SCHEME-EC-AES1" if client == "retried" else None
    try:
        if status == 409:
            roles.client_409(x.hello, text.encode(), retried)
        else:
            pins = [GATEWAY.jwk] if x.server else []
            roles.client(x.mode, x.client_private, x.hello, pins, text.encode(), retried)
    except Refused as refused:
        return refused.args[0]
    return None


def context(name, x):
    out = {"mode": x.mode, "clientPrivate": scalar(x.client_private), "hello": compact(x.hello_json())}
    if x.server:
        out["pins"] = [GATEWAY.jwk | {"kid": GATEWAY.kid}]
    if name in REQUIRES:
        out["requires"] = REQUIRES[name]
    if name == "retried":
        first = x.hello_json()
        first["clientPublicKey"] = b64(public_key("ffdhe3072", FIRST_EXPONENT))
        first["keyAgreement"]["nonce"] = b64(bytes(range(16)))
        out |= {"firstPrivate": f"{FIRST_EXPONENT:x}".zfill(70), "firstHello": compact(first), "first409": FIRST_409}
    return out


def make():
    rows = [(200, row) for part in (json_rows, member_rows, key_rows, agreement_rows, proof_rows, identity_rows) for row in part()]
    rows += [(409, row) for row in retry_rows()]
    cases = []
    for status, (client, name, text, reason, why) in rows:
        text = compact(text.answer_json()) if isinstance(text, Exchange) else text
        assert said(client, status, text) == reason, (client, name, said(client, status, text))
        cases.append({"name": name, "client": client, "status": status, "text": text, "reason": reason, "why": why})
    names = [(case["client"], case["name"]) for case in cases]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    accepted = {name: compact(x.answer_json()) for name, x in CLIENTS.items()}
    for name, text in accepted.items():
        assert said(name, 200, text) is None
    contexts = {name: context(name, x) | {"accepted": accepted[name]} for name, x in CLIENTS.items()}
    return {
        "source": "PROTOCOL sections 1 to 2.3, made by generate.py with Python cryptography: answers that a client must refuse",
        "clients": contexts,
        "answer": cases,
    }
