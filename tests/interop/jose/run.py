"""The crate's JOSE and `jwcrypto`, in both directions: it reads everything of ours, and we read what PROTOCOL §4 admits of its and
refuse the rest.

    python3 run.py PATH-TO-JOSE-PEER
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys

from jwcrypto import jwa, jwe, jwk, jws, jwt

jwa.default_max_pbkdf2_iterations = 700_000  # of theirs, so that they make what we are to refuse
PASSED, FAILED = [], []
PEER = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ours(op, **members):
    PEER.stdin.write(json.dumps({"op": op, **members}) + "\n")
    PEER.stdin.flush()
    line = PEER.stdout.readline()
    if not line:
        sys.exit(f"jose-peer ended at {op}")
    return json.loads(line)


def check(name, held, found=None):
    (PASSED if held else FAILED).append(name)
    print(f"ok {name}" if held else f"FAILED {name}: {found}")


def accepts(name, expected, op, **members):
    answer = ours(op, **members)
    check(name, answer == {"ok": expected}, answer)


def refuses(name, error, op, **members):
    answer = ours(op, **members)
    check(name, answer.get("error") == error, answer)


def theirs(name, expected, attempt):
    try:
        found = attempt()
    except Exception as error:  # whatever they refuse it with
        found = repr(error)
    check(name, found == expected, found)


def url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unurl(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public(key, **members):
    return {**key.export_public(as_dict=True), **members}


def with_header(token, change):
    head, *rest = token.split(".")
    header = json.loads(unurl(head))
    change(header)
    return ".".join([url(json.dumps(header).encode()), *rest])


SIGNING = jwk.JWK.generate(kty="EC", crv="P-256", use="sig")
ENCRYPTION = jwk.JWK.generate(kty="EC", crv="P-256", use="enc")
SIGNING_D, ENCRYPTION_D = (json.loads(key.export_private())["d"] for key in (SIGNING, ENCRYPTION))
ADDRESS, TGT, IAT = "igQQD@api.example", "/v1/identity#metaPublic", 1569116334
SIGNER, RECIPIENT = f"{ADDRESS}/{SIGNING.thumbprint()}", f"{ADDRESS}/{ENCRYPTION.thumbprint()}"
LENGTHS = [0, 1, 2, 3, 47, 48, 49, 1024, 5000]
JWS_HEADER = {"alg": "ES256", "iat": IAT, "kid": SIGNER, "tgt": TGT}
JWE_HEADER = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": RECIPIENT}
VERIFYING = {"jwk": public(SIGNING), "kid": SIGNER, "tgt": TGT}
DECRYPTING = {"private": ENCRYPTION_D}


def signed(payload, header, key=SIGNING, allowed=("ES256",)):
    message = jws.JWS(payload)
    message.allowed_algs = list(allowed)
    message.add_signature(key, protected=json.dumps(header))
    return message.serialize(compact=True)


def encrypted(plaintext, header, key=ENCRYPTION):
    message = jwe.JWE(plaintext, protected=json.dumps(header))
    message.allowed_algs = [header["alg"], header["enc"]]
    message.add_recipient(key)
    return message.serialize(compact=True)


def decrypted(token, key, algorithms):
    message = jwe.JWE()
    message.allowed_algs = algorithms
    message.deserialize(token, key)
    return message.payload, message.jose_header


def keys():
    for key, private, use in ((SIGNING, SIGNING_D, "sig"), (ENCRYPTION, ENCRYPTION_D, "enc")):
        made = ours("jwk", private=private, use=use)["ok"]
        check(f"our {use} key has their thumbprint", made["kid"] == key.thumbprint(), made)
        theirs(f"they import our {use} key", key.thumbprint(), lambda made=made: jwk.JWK(**made).thumbprint())
        accepts(f"we read their {use} key", key.thumbprint(), "thumbprint", jwk=public(key), use=use)
        other = "enc" if use == "sig" else "sig"
        refuses(f"not for {other}", "Key", "thumbprint", jwk=public(key), use=other)
        refuses(f"not with its private half ({use})", "Key", "thumbprint", jwk=public(key, d=private), use=use)
    for crv in ("P-384", "P-521", "secp256k1"):
        other = jwk.JWK.generate(kty="EC", crv=crv, use="sig")
        refuses(f"a key of {crv}", "Key", "thumbprint", jwk=public(other), use="sig")
        refuses(f"a key of {crv} that says P-256", "Key", "thumbprint", jwk=public(other, crv="P-256"), use="sig")
    for kty in ({"kty": "oct", "size": 256}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": "OKP", "crv": "X25519"}):
        other = json.loads(jwk.JWK.generate(**kty, use="sig").export())
        refuses(f"a key that is {kty}", "Key", "thumbprint", jwk=other, use="sig")


def signatures():
    for length in LENGTHS:
        payload = bytes(at & 0xFF for at in range(length))
        token = ours("sign", private=SIGNING_D, kid=SIGNER, iat=IAT, tgt=TGT, payload=url(payload))["ok"]

        def verify(token=token):
            message = jws.JWS()
            message.allowed_algs = ["ES256"]
            message.deserialize(token, SIGNING)
            return message.payload, message.jose_header

        theirs(f"they verify {length} bytes of ours", (payload, JWS_HEADER), verify)
        accepted = {"iat": IAT, "payload": url(payload)}
        accepts(f"we verify {length} bytes of theirs", accepted, "verify", token=signed(payload, JWS_HEADER), **VERIFYING)
    none = url(json.dumps({**JWS_HEADER, "alg": "none"}).encode()) + "." + url(b"{}") + "."
    refuses("alg none", "Malformed", "verify", token=none, **VERIFYING)
    refuses("alg none with a signature", "Header", "verify", token=none + signed(b"{}", JWS_HEADER).split(".")[2], **VERIFYING)
    for name, secret in (("pem", SIGNING.export_to_pem()), ("jwk", SIGNING.export_public().encode())):
        text = url(json.dumps({**JWS_HEADER, "alg": "HS256"}).encode()) + "." + url(b"{}")
        forged = f"{text}.{url(hmac.digest(secret, text.encode(), hashlib.sha256))}"
        refuses(f"HS256 with the public key as secret ({name})", "Malformed", "verify", token=forged, **VERIFYING)
    for crv, alg in (("P-384", "ES384"), ("P-521", "ES512"), ("secp256k1", "ES256K")):
        token = signed(b"{}", {**JWS_HEADER, "alg": alg}, jwk.JWK.generate(kty="EC", crv=crv), (alg,))
        answer = ours("verify", token=token, **VERIFYING)
        check(alg, answer.get("error") in ("Header", "Malformed"), answer)
    stranger = jwk.JWK.generate(kty="EC", crv="P-256")
    refuses("a stranger's signature", "Authentication", "verify", token=signed(b"{}", JWS_HEADER, stranger), **VERIFYING)
    refuses("b64 and crit", "Header", "verify", token=signed(b"{}", {**JWS_HEADER, "b64": True, "crit": ["b64"]}), **VERIFYING)
    embedded = {**JWS_HEADER, "jwk": public(SIGNING)}
    refuses("jwk", "Header", "verify", token=signed(b"{}", embedded), **VERIFYING)


def encryption():
    for length in LENGTHS:
        plaintext = bytes(at & 0xFF for at in range(length))
        token = ours("encrypt", jwk=public(ENCRYPTION), address=ADDRESS, cty="JWS", plaintext=url(plaintext))["ok"]

        def decrypt(token=token):
            payload, header = decrypted(token, ENCRYPTION, ["ECDH-ES+A256KW", "A256GCM"])
            header.pop("epk")
            return payload, header

        if length:  # they take no plaintext for no success (1.6.1), of their own messages, too
            theirs(f"they decrypt {length} bytes of ours", (plaintext, {**JWE_HEADER, "cty": "JWS"}), decrypt)
        accepts(f"we decrypt {length} bytes of theirs", url(plaintext), "decrypt", token=encrypted(plaintext, JWE_HEADER), **DECRYPTING)
    parties = {**JWE_HEADER, "apu": url(b"Alice"), "apv": url(b"Bob")}
    accepts("with parties", url(b"text"), "decrypt", token=encrypted(b"text", parties), **DECRYPTING)
    refuses("zip", "Header", "decrypt", token=encrypted(b"text" * 100, {**JWE_HEADER, "zip": "DEF"}), **DECRYPTING)
    for enc in ("A128GCM", "A192GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"):
        answer = ours("decrypt", token=encrypted(b"text", {**JWE_HEADER, "enc": enc}), **DECRYPTING)
        check(f"enc {enc}", answer.get("error") in ("Header", "Malformed"), answer)
    for alg in ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW"):
        answer = ours("decrypt", token=encrypted(b"text", {**JWE_HEADER, "alg": alg}), **DECRYPTING)
        check(f"alg {alg}", answer.get("error") in ("Header", "Malformed"), answer)
    for crv in ("P-384", "P-521"):
        other = jwk.JWK.generate(kty="EC", crv=crv)
        refuses(f"epk of {crv}", "Key", "decrypt", token=encrypted(b"text", JWE_HEADER, other), **DECRYPTING)
    okp = jwk.JWK.generate(kty="OKP", crv="X25519")
    refuses("epk of X25519", "Key", "decrypt", token=encrypted(b"text", JWE_HEADER, okp), **DECRYPTING)
    sealed = encrypted(b"text", JWE_HEADER)
    y = bytearray(unurl(json.loads(unurl(sealed.split(".")[0]))["epk"]["y"]))
    y[31] ^= 1
    off_curve = with_header(sealed, lambda header: header["epk"].update(y=url(y)))
    refuses("a point in epk that is not on the curve", "Key", "decrypt", token=off_curve, **DECRYPTING)


def passwords():
    password = b"Thus from my lips, by yours, my sin is purged."
    key = jwk.JWK(kty="oct", k=url(password))
    token = ours("encrypt-password", password=url(password), count=10_000, plaintext=url(b"text"), cty="jwk+json")["ok"]

    theirs("they open ours under a password", b"text",
           lambda: decrypted(token, key, ["PBES2-HS256+A128KW", "A256GCM"])[0])
    opening = {"password": url(password), "most": 600_000}

    def under(count, enc="A256GCM"):
        return encrypted(b"text", {"alg": "PBES2-HS256+A128KW", "enc": enc, "p2c": count}, key)

    for count in (10_000, 600_000):
        accepts(f"we open theirs with {count} iterations", url(b"text"), "decrypt-password", token=under(count), **opening)
    for count in (8_192, 9_999, 600_001):
        refuses(f"{count} iterations", "Header", "decrypt-password", token=under(count), **opening)
    few = with_header(under(10_000), lambda header: header.update(p2c=2**53 - 1))
    refuses("a count that nobody waits for", "Header", "decrypt-password", token=few, **opening)
    answer = ours("decrypt-password", token=under(10_000, "A128CBC-HS256"), **opening)
    check("CBC under a password", answer.get("error") in ("Header", "Malformed"), answer)
    other = {**opening, "password": url(b"guess")}
    refuses("another password", "Authentication", "decrypt-password", token=under(10_000), **other)


def packages():
    body = {"key": "value", "list": [1, 2]}
    packed = ours("pack", private=SIGNING_D, jwk=public(ENCRYPTION), sender=ADDRESS, recipient="bob", id="7", iat=IAT, tgt=TGT, body=body)["ok"]

    def unpack():
        inner, outer_header = decrypted(packed, ENCRYPTION, ["ECDH-ES+A256KW", "A256GCM"])
        message = jws.JWS()
        message.deserialize(inner.decode(), SIGNING)
        return outer_header["cty"], message.jose_header, json.loads(message.payload)

    named = {"aud": "bob", "jti": "7", "body": body}
    theirs("they open our package", ("JWS", JWS_HEADER, named), unpack)
    expected = {"private": ENCRYPTION_D, "jwk": public(SIGNING), "sender": ADDRESS, "recipient": "bob", "id": "7"}
    envelope = {**JWE_HEADER, "cty": "JWS"}
    token = encrypted(signed(json.dumps(named), JWS_HEADER).encode(), envelope)
    accepts("we open their package", body, "unpack", token=token, **expected)
    refuses("under another id", "Claim", "unpack", token=token, **{**expected, "id": "8"})


def tokens():
    key = jwk.JWK.generate(kty="oct", size=512)
    secret = json.loads(key.export())["k"]
    times = {"iat": 1000, "nbf": 900, "exp": 2000}
    token = ours("sign-token", secret=secret, kid="k@api.example", aud="api.example", **times)["ok"]

    def verify():
        message = jws.JWS()
        message.deserialize(token, key)
        return message.jose_header, json.loads(message.payload)

    theirs("they verify our token", ({"alg": "HS256", "kid": "k@api.example"}, {"aud": ["api.example"], **times}), verify)
    made = jwt.JWT(header={"alg": "HS256", "kid": "k@api.example"}, claims={"aud": "api.example", **times})
    made.make_signed_token(key)
    accepts("we verify theirs", None, "verify-token", secret=secret, kid="k@api.example", aud="api.example", now=1500, token=made.serialize())


for part in (keys, signatures, encryption, passwords, packages, tokens):
    part()
PEER.stdin.close()
print(f"{len(PASSED)} passed, {len(FAILED)} failed")
sys.exit(1 if FAILED else 0)
