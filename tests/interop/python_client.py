#!/usr/bin/env python3
"""A foreign client against a running gateway: Python's http.client and `cryptography`, none of the crate's code.

    python3 python_client.py --gateway http://127.0.0.1:8080 --pin KID

Plain, confirmed and pinned handshakes with all four schemes, sealed requests, and the QA tables of the Dynamic Key
V2 portal with the status and code that docs/protocol.md section 2.6 names. The gateway knows internal-web-client and
partner-acme-corp, and an upstream where user demo, password demo may log in.

The cryptography is that of ../../test-vectors (see its requirements.txt).
"""

import argparse
import http.client
import json
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

VECTORS = Path(__file__).resolve().parents[2] / "test-vectors"
sys.path.insert(0, str(VECTORS))

from dk2 import roles, token
from dk2.envelope import counter_nonce, request_aad, seal
from cryptography.hazmat.primitives.asymmetric import dh
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dk2.groups import FFDHE, group_of, p256_point, p256_spki, public_key
from dk2.messages import answer as read_answer
from dk2.primitives import Identity, Refused, b64, thumbprint, unb64, unb64url

EC = ["SCHEME-EC-AES2", "SCHEME-EC-AES1"]
FFDH = ["SCHEME-AES2", "SCHEME-AES1"]
GET = {"method": "GET", "path": "/countries/get", "headers": {}, "query": {}, "body": None}
OUTSIDE = {"method": "GET", "path": "/not/on/the/allowlist"}
STATUS = {
    "MISSING_VERSION": 400,
    "INVALID_PUBLIC_KEY": 400,
    "MALFORMED_REQUEST": 400,
    "CLIENT_NOT_ALLOWED": 403,
    "NO_COMMON_SCHEME": 400,
    "RETRY_WITH_SCHEME": 409,
    "CONFIRMATION_REQUIRED": 400,
    "INVALID_SESSION": 400,
    "SESSION_EXPIRED": 401,
    "INVALID_TOKEN": 401,
    "ENCRYPTION_ERROR": 400,
    "ROUTE_NOT_ALLOWED": 404,
}


def login(user, password):
    return {"method": "POST", "path": "/users/login", "headers": {}, "query": {}, "body": {"user": user, "password": password}}


class Report:
    passed = failed = skipped = 0

    def check(self, name, good, seen=""):
        self.passed += bool(good)
        self.failed += not good
        print("ok  " if good else "FAIL", name, "" if good else f"- {seen}")

    def error(self, name, answer, code):
        """An unsealed error of section 2.6."""
        status, _, body = answer
        self.check(f"{name}: {STATUS[code]} {code}", status == STATUS[code] and is_error(body, status, code), (status, body[:200]))

    def skip(self, name, why):
        self.skipped += 1
        print("skip", name, "-", why)

    def attempt(self, name, step, *arguments):
        """A whole part; what it throws is one failure."""
        try:
            return step(*arguments)
        except Exception as problem:
            self.check(name, False, repr(problem))
            return None


def is_error(body, status, code):
    try:
        found = json.loads(body)
        return found["status"] == status and found["code"] == f"DYNAMIC_KEY_V2_{code}" and isinstance(found["message"], str)
    except (ValueError, KeyError, TypeError):
        return False


class Gateway:
    def __init__(self, url):
        parts = urlsplit(url)
        self.kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.place, self.base = parts.netloc, parts.path.rstrip("/")

    def send(self, method, path, headers=(), body=None):
        """(status, headers, body). `headers` are pairs, so that one can be sent twice."""
        connection = self.kind(self.place, timeout=30)
        try:
            connection.putrequest(method, self.base + path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            try:
                connection.endheaders(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the end of a long body; the answer is there all the same
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


DEFAULT_HEADERS = [("X-Dynamic-Key-Version", "2"), ("Content-Type", "application/json")]


def without(headers, name):
    return [pair for pair in headers if pair[0] != name]


def key_pair(group):
    """A private number and the public key; a finite-field one as `cryptography` makes and writes it, which is the X9.42 form."""
    if group == "P-256":
        private = 1 + secrets.randbelow(2**255)
        return private, public_key(group, private)
    p = FFDHE[group]
    key = dh.DHParameterNumbers(p, 2, (p - 1) // 2).parameters().generate_private_key()
    return key.private_numbers().x, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Hello:
    """A fresh hello."""

    def __init__(self, mode, offered=EC, client=("internal", "internal-web-client"), group="P-256"):
        self.mode, (self.private, public) = mode, key_pair(group)
        self.said = {
            "clientPublicKey": public,
            "deviceId": f"python-{secrets.token_hex(8)}",
            "platform": "server",
            "clientType": client[0],
            "clientId": client[1],
        }
        if mode != "plain":
            self.said |= {"supportedSchemes": offered, "nonce": secrets.token_bytes(24), "features": []}

    def json(self):
        said = self.said
        out = {
            "clientPublicKey": b64(said["clientPublicKey"]),
            "device": {"id": said["deviceId"], "platform": said["platform"]},
            "client": {"type": said["clientType"], "clientId": said["clientId"]},
        }
        if self.mode != "plain":
            out["keyAgreement"] = {"supportedSchemes": said["supportedSchemes"], "nonce": b64(said["nonce"]), "features": []}
        return out

    def send(self, gateway, headers=DEFAULT_HEADERS, **changes):
        return gateway.send("POST", "/api/info/v2", headers, json.dumps(self.json() | changes).encode())


class Session:
    """A verified answer and the requests under it."""

    def __init__(self, gateway, hello, pins=()):
        self.gateway = gateway
        status, self.headers, body = hello.send(gateway)
        if status != 200:
            raise Refused(status, body)
        keys = roles.client(hello.mode, hello.private, hello.said, pins, body)
        found = read_answer(body)
        self.id, self.token, self.answer, self.plain = found["sessionId"], found["token"], found, hello.mode == "plain"
        self.transcript = None if self.plain else keys.t
        self.client = (keys, None) if self.plain else (keys["client write"], keys["client iv"])
        self.server = (keys, None) if self.plain else (keys["server write"], keys["server iv"])
        self.prefix, self.counter = bytes([secrets.randbelow(128)]) + secrets.token_bytes(3), 0

    def seal(self, request):
        """The next nonce and the envelope's text."""
        nonce = self.prefix + self.counter.to_bytes(8, "big") if self.plain else counter_nonce(0, self.counter)
        self.counter += 1
        data = seal(*self.client, nonce, json.dumps(request).encode(), request_aad(self.id))
        return nonce, json.dumps({"nonce": b64(nonce), "data": b64(data)}).encode()

    def request_headers(self):
        return DEFAULT_HEADERS + [("X-Session-Id", self.id), ("Authorization", f"Bearer {self.token}")]

    def post(self, text, headers=None):
        return self.gateway.send("POST", "/api/request/v2", headers or self.request_headers(), text)

    def open(self, nonce, answer):
        status, _, body = answer
        return roles.Outstanding(self.id, self.server, [nonce]).response(status, body)

    def call(self, request):
        """(status, plaintext): the answer must be sealed."""
        nonce, text = self.seal(request)
        answer = self.post(text)
        return answer[0], self.open(nonce, answer)


# The parts.


def handshakes(report, gateway, pins):
    """Every mode and scheme, with the requests of the QA table."""
    for mode, offered, wanted in (
        ("plain", None, None),
        ("confirmed", EC, EC[0]),
        ("confirmed", EC[1:], EC[1]),
        ("confirmed", ["SCHEME-NEW"] + EC[::-1], None),
        ("pinned", EC[:1], EC[0]),
        ("pinned", EC[1:], EC[1]),
        ("confirmed", FFDH, FFDH[0]),
        ("confirmed", FFDH[1:], FFDH[1]),
        ("pinned", FFDH[:1] + EC, FFDH[0]),
        ("pinned", FFDH[1:], FFDH[1]),
    ):
        name = mode if offered is None else f"{mode}, offering {' '.join(offered)}"
        if mode == "pinned" and not pins:
            report.skip(name, "no pinned key: --pin")
            continue
        report.attempt(name, one_session, report, gateway, name, Hello(mode, offered, group=group_of(wanted or EC[0])), wanted, pins)


def retries(report, gateway):
    """A key of another group than the choice needs: 409, and then the key that it needs."""
    for offered, group in ((FFDH[:1] + EC, "P-256"), (FFDH[1:], "P-256"), (EC[1:] + FFDH, "ffdhe3072"), (FFDH, "ffdhe2048")):
        name = f"a key of {group}, offering {' '.join(offered)}"
        answer = Hello("confirmed", offered, group=group).send(gateway)
        report.error(name, answer, "RETRY_WITH_SCHEME")
        named = json.loads(answer[2]).get("scheme")
        report.check(f"{name}: names {offered[0]}", named == offered[0], named)
        session = report.attempt(name, Session, gateway, Hello("confirmed", offered, group=group_of(offered[0])))
        report.check(f"{name}: then selects it", session and session.answer["scheme"] == offered[0])


def one_session(report, gateway, name, hello, wanted, pins):
    session = Session(gateway, hello, pins)
    report.check(f"{name}: handshake 200, proven", True)
    report.check(f"{name}: Cache-Control no-store", session.headers.get("Cache-Control") == "no-store", session.headers)
    if wanted:
        report.check(f"{name}: selects {wanted}", session.answer["scheme"] == wanted, session.answer["scheme"])
    status, plaintext = session.call(GET)
    report.check(f"{name}: GET /countries/get 200, sealed", status == 200 and json.loads(plaintext), (status, plaintext))
    for who, password, expected in (("demo", "demo", 200), ("demo", "wrong", 401), ("nobody", "demo", 401)):
        status, plaintext = session.call(login(who, password))
        report.check(f"{name}: POST /users/login {who}/{password} {expected}, sealed", status == expected, (status, plaintext))
    nonce, text = session.seal(OUTSIDE)
    answer = session.post(text)
    if session.plain:
        report.error(f"{name}: route outside the allowlist, unsealed", answer, "ROUTE_NOT_ALLOWED")
    else:
        plaintext = session.open(nonce, answer)
        sealed_error = answer[0] == 404 and is_error(plaintext, 404, "ROUTE_NOT_ALLOWED")
        report.check(f"{name}: route outside the allowlist, sealed: 404 ROUTE_NOT_ALLOWED", sealed_error, (answer[0], plaintext))
    status, _ = session.call(GET)
    report.check(f"{name}: the session lives on", status == 200, status)


def handshake_refusals(report, gateway):
    """What to test on /api/info/v2."""
    report.error(
        "hello without version", Hello("plain").send(gateway, without(DEFAULT_HEADERS, "X-Dynamic-Key-Version")), "MISSING_VERSION"
    )
    other = [("X-Dynamic-Key-Version", "1"), DEFAULT_HEADERS[1]]
    report.error("hello with version 1", Hello("confirmed").send(gateway, other), "MISSING_VERSION")
    report.error(
        "hello as text/plain", Hello("plain").send(gateway, [DEFAULT_HEADERS[0], ("Content-Type", "text/plain")]), "MALFORMED_REQUEST"
    )
    point = p256_point(1 + secrets.randbelow(2**255))
    for name, key in (
        ("no bytes", b""),
        ("off the curve", p256_spki(point[:-1] + bytes([point[-1] ^ 1]))),
        ("compressed", p256_spki(bytes([2 + point[-1] % 2]) + point[1:33])),
        ("the bare point", point),
        ("a byte after", p256_spki(point) + b"\0"),
    ):
        for mode in ("plain", "confirmed"):
            report.error(f"{mode} hello, clientPublicKey {name}", Hello(mode).send(gateway, clientPublicKey=b64(key)), "INVALID_PUBLIC_KEY")
    report.error("hello, clientPublicKey no base64", Hello("plain").send(gateway, clientPublicKey="<key>"), "MALFORMED_REQUEST")
    report.error("hello of an unknown client", Hello("plain", client=("internal", "nobody")).send(gateway), "CLIENT_NOT_ALLOWED")
    report.error("hello without a common scheme", Hello("confirmed", ["SCHEME-NEW"]).send(gateway), "NO_COMMON_SCHEME")


def request_refusals(report, gateway, mode):
    """What to test on /api/request/v2: each refusal, and that the session is none the worse for it."""

    def error(name, answer, code):
        report.error(f"{mode}: {name}", answer, code)

    session, other = Session(gateway, Hello(mode)), Session(gateway, Hello(mode))
    nonce, text = session.seal(GET)
    first = session.post(text)
    session.open(nonce, first)
    error("repeated nonce, the same envelope", session.post(text), "ENCRYPTION_ERROR")
    again = seal(*session.client, nonce, json.dumps(OUTSIDE).encode(), request_aad(session.id))
    error(
        "repeated nonce, another plaintext",
        session.post(json.dumps({"nonce": b64(nonce), "data": b64(again)}).encode()),
        "ENCRYPTION_ERROR",
    )
    if mode == "plain":
        error("reflected response", session.post(first[2]), "ENCRYPTION_ERROR")

    nonce, text = session.seal(GET)
    envelope = json.loads(text)
    data = unb64(envelope["data"])
    spoilt = {"nonce": envelope["nonce"], "data": b64(data[:-1] + bytes([data[-1] ^ 1]))}
    headers = session.request_headers()
    error("one bit of the tag", session.post(json.dumps(spoilt).encode()), "ENCRYPTION_ERROR")
    error("malformed envelope", session.post(text + b"x"), "MALFORMED_REQUEST")
    error("nonce of 11 bytes", session.post(json.dumps({"nonce": b64(bytes(11)), "data": envelope["data"]}).encode()), "MALFORMED_REQUEST")
    error("no version", session.post(text, without(headers, "X-Dynamic-Key-Version")), "MISSING_VERSION")
    error("no session", session.post(text, without(headers, "X-Session-Id")), "INVALID_SESSION")
    unknown = without(headers, "X-Session-Id") + [("X-Session-Id", secrets.token_urlsafe(24))]
    error("unknown session", session.post(text, unknown), "INVALID_SESSION")

    def with_token(value):
        return session.post(text, without(headers, "Authorization") + [("Authorization", f"Bearer {value}")])

    error("no token", session.post(text, without(headers, "Authorization")), "INVALID_TOKEN")
    error("token that is none", with_token("abc"), "INVALID_TOKEN")
    error("another session's token", with_token(other.token), "INVALID_TOKEN")
    header, claims, signature = session.token.split(".")
    error("token with another signature", with_token(f"{header}.{claims}.{signature[::-1]}"), "INVALID_TOKEN")
    error("token with alg none", with_token(token.signing_input({"alg": "none", "typ": "dk2+jwt"}, decoded(claims)) + "."), "INVALID_TOKEN")
    crossed = [("X-Session-Id", other.id), ("Authorization", f"Bearer {other.token}")]
    error("envelope in another session", session.post(text, DEFAULT_HEADERS + crossed), "ENCRYPTION_ERROR")

    answer = session.post(text)
    report.check(f"{mode}: after all that, the envelope itself passes", answer[0] == 200 and session.open(nonce, answer), answer[0])


def decoded(part):
    return json.loads(unb64url(part))


def expired_token(report, gateway, signer):
    """`signer` is the HS256 secret or the ES256 identity of the gateway under test, for only it can make such a token."""
    session = Session(gateway, Hello("confirmed"))
    header, claims, _ = map(str, session.token.split("."))
    now = int(time.time())
    nonce, text = session.seal(GET)

    def send(claims):
        make = token.es256 if isinstance(signer, Identity) else token.hs256
        forged = make(decoded(header), claims, signer if isinstance(signer, Identity) else token.hs256_key(signer))
        return session.post(text, without(session.request_headers(), "Authorization") + [("Authorization", f"Bearer {forged}")])

    past = decoded(claims) | {"iat": now - 7200, "nbf": now - 7200}
    report.error("expired token", send(past | {"exp": now - 1}), "INVALID_TOKEN")
    report.error("token of tomorrow", send(decoded(claims) | {"iat": now + 86400, "nbf": now + 86400, "exp": now + 90000}), "INVALID_TOKEN")
    report.error("token for another origin", send(decoded(claims) | {"aud": "https://other.example"}), "INVALID_TOKEN")
    report.error("token without exp", send({name: value for name, value in past.items() if name != "exp"}), "INVALID_TOKEN")
    answer = send(decoded(claims))
    report.check("the same token, made again: 200", answer[0] == 200 and session.open(nonce, answer), answer[0])


def expiring_session(report, gateway):
    """A session that serves as yet, and by when it no longer does."""
    session = Session(gateway, Hello("confirmed"))
    ends = time.monotonic() + int(session.answer["expiresIn"])
    status, _ = session.call(GET)
    report.check("a session of a few seconds: 200 at first", status == 200, status)
    return session, ends


def expired_session(report, session, ends):
    """Asks until the answer is another, or should have been."""
    while (answer := session.post(session.seal(GET)[1]))[0] == 200 and time.monotonic() < ends + 1:
        time.sleep(0.05)
    report.error("expired session", answer, "SESSION_EXPIRED")


def external_client(report, gateway):
    session = Session(gateway, Hello("confirmed", client=("external", "partner-acme-corp")))
    status, plaintext = session.call(OUTSIDE)
    sealed_error = status == 404 and is_error(plaintext, 404, "ROUTE_NOT_ALLOWED")
    report.check("external client: handshake 200, an unnamed route is a sealed 404", sealed_error, (status, plaintext))


def corpus(report, gateway):
    """The negative hellos and the unusual right ones, for a gateway of the files' default policy."""
    for file in ("negative-json.json", "negative-hello.json"):
        document = json.loads((VECTORS / file).read_text())
        for case in document["hello"]:
            if "gateway" not in case:
                body = bytes.fromhex(case["textHex"]) if "textHex" in case else case["text"].encode()
                body = body.ljust(case.get("padTo", 0))
                name, headers = f"{file}: {case['name']}", case.get("headers", document["headers"])
                code = case["code"].removeprefix("DYNAMIC_KEY_V2_")
                report.attempt(name, refused_hello, report, gateway, name, headers, body, code)
    document = json.loads((VECTORS / "messages.json").read_text())
    for case in document["hellos"]:
        status, _, body = gateway.send("POST", "/api/info/v2", case.get("headers", document["headers"]), case["text"].encode())
        scheme = json.loads(body).get("keyAgreement", {}).get("scheme", "SCHEME-EC-AES2")
        report.check(f"messages.json: {case['name']}", (status, scheme) == (200, case["scheme"]), (status, body[:200]))


def refused_hello(report, gateway, name, headers, body, code):
    report.error(name, gateway.send("POST", "/api/info/v2", headers, body), code)


def pinned_keys(report, gateway, pin):
    """A client that already pins the kid may fetch the key, for the kid is its thumbprint."""
    status, _, body = gateway.send("GET", "/.well-known/jwks.json")
    found = [key for key in json.loads(body)["keys"] if thumbprint(key) == pin]
    report.check("jwks.json has the pinned key", status == 200 and len(found) == 1, (status, body[:200]))
    report.check("jwks.json names it by its thumbprint", found and found[0].get("kid", pin) == pin and "d" not in found[0], found)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--pin", metavar="KID", help="thumbprint of the gateway's identity")
    parser.add_argument("--token-secret", metavar="HEX", type=bytes.fromhex, help="the gateway's HS256 secret, to make an expired token")
    parser.add_argument("--token-identity", metavar="HEX", type=lambda text: Identity(int(text, 16)), help="the same for ES256: the scalar")
    parser.add_argument("--expiring", metavar="URL", help="a gateway whose sessions last a few seconds")
    parser.add_argument("--corpus", metavar="URL", help="a gateway without finite-field schemes, which also gets every hello of test-vectors")
    options = parser.parse_args()
    report, gateway = Report(), Gateway(options.gateway)
    # It ends while the others are tried.
    expiring = options.expiring and report.attempt("expiring session", expiring_session, report, Gateway(options.expiring))
    pins = options.pin and report.attempt("jwks.json", pinned_keys, report, gateway, options.pin)
    handshakes(report, gateway, pins)
    report.attempt("retries", retries, report, gateway)
    report.attempt("hello refusals", handshake_refusals, report, gateway)
    for mode in ("plain", "confirmed"):
        report.attempt(f"{mode}: request refusals", request_refusals, report, gateway, mode)
    report.attempt("external client", external_client, report, gateway)
    signer = options.token_identity or options.token_secret
    if signer:
        report.attempt("expired token", expired_token, report, gateway, signer)
    else:
        report.skip("expired token", "only the gateway's own key makes one: --token-secret or --token-identity")
    if expiring:
        report.attempt("expired session", expired_session, report, *expiring)
    elif not options.expiring:
        report.skip("expired session", "only a gateway with short sessions ends one soon: --expiring")
    if options.corpus:
        report.attempt("corpus", corpus, report, Gateway(options.corpus))
    print(f"{report.passed} passed, {report.failed} failed" + (f", {report.skipped} skipped" if report.skipped else ""))
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
