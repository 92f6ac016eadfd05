#!/usr/bin/env python3
"""Mutual mode by a foreign client: Python's `cryptography`, none of the crate's code, against the crate's gateway.

    python3 mutual_client.py target/release/dynamic-key-gateway

Starts the gateway with an upstream of its own behind it, a registered identity, and a route for mutual mode only, and plays
both the device that holds the identity and everybody else.
"""

import http.server
import json
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import python_client as peer
from dk2.agreement import signed_by
from dk2.groups import group_of
from dk2.primitives import Identity, b64url

DEVICE = "python-mutual"
CLIENT = ("internal", "internal-web-client")
ROUTE = {"method": "GET", "path": "/meters/read", "headers": {}, "query": {}, "body": None}
OPEN = {"method": "GET", "path": "/countries/get", "headers": {}, "query": {}, "body": None}

CONFIG = """
upstream = "http://127.0.0.1:{port}"
schemes = ["SCHEME-EC-AES2", "SCHEME-EC-AES1", "SCHEME-AES2", "SCHEME-AES1"]
clients = [{{ type = "internal", id = "internal-web-client" }}]
limits = {{ handshakes_per_minute = 0, failures_per_minute = 0 }}

[[identities]]
key = "device.jwk"
type = "internal"
client = "internal-web-client"
device = "{device}"

[[routes]]
method = "GET"
path = "/meters/read"
least_mode = "mutual"

[[routes]]
method = "GET"
path = "/countries/get"
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    """Counts what reaches it."""

    seen = []

    def do_GET(self):
        Upstream.seen.append(self.path)
        body = b'{"metres":[1,2,3]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class MutualHello(peer.Hello):
    """A hello that names an identity."""

    def __init__(self, identity, offered=peer.EC, device=DEVICE):
        super().__init__("pinned", offered, CLIENT, group_of(offered[0]))
        self.said |= {"deviceId": device, "kid": identity.kid}

    def json(self):
        out = super().json()
        out["keyAgreement"]["identity"] = {"kid": self.said["kid"]}
        return out


class MutualSession(peer.Session):
    def __init__(self, gateway, hello, pins, identity):
        super().__init__(gateway, hello, pins)
        self.signature = identity.sign(signed_by("client", self.transcript))

    def introduced(self, request, signature=None):
        """The nonce and the text of an envelope with the client's signature, or with another."""
        nonce, text = self.seal(request)
        envelope = json.loads(text) | {"identity": {"signature": b64url(signature or self.signature)}}
        return nonce, json.dumps(envelope).encode()


def ask(session, nonce, text):
    """(status, plaintext, how often the upstream was asked): the answer must be sealed."""
    before = len(Upstream.seen)
    answer = session.post(text)
    return answer[0], session.open(nonce, answer), len(Upstream.seen) - before


def refused(report, name, session, sealed, code):
    status, plaintext, reached = ask(session, *sealed)
    good = status == peer.STATUS[code] and peer.is_error(plaintext, status, code)
    report.check(f"{name}: {peer.STATUS[code]} {code}, sealed", good, (status, plaintext))
    report.check(f"{name}: the upstream hears nothing", reached == 0, reached)


def admitted(report, name, session, sealed):
    status, plaintext, reached = ask(session, *sealed)
    report.check(f"{name}: 200", status == 200 and "metres" in json.loads(plaintext), (status, plaintext))
    report.check(f"{name}: the upstream hears it once", reached == 1, reached)


def one_session(report, gateway, pins, identity, offered):
    name = f"mutual, offering {' '.join(offered)}"
    session = MutualSession(gateway, MutualHello(identity, offered), pins, identity)
    report.check(f"{name}: selects {offered[0]}", session.answer["scheme"] == offered[0], session.answer["scheme"])
    for turn in ("the first request", "a second one, introduced again"):
        admitted(report, f"{name}, {turn}", session, session.introduced(ROUTE))
    admitted(report, f"{name}, without introduction now", session, session.seal(ROUTE))


def unproven(report, gateway, pins, identity):
    """Whoever claims the identity and cannot sign, or signs something else."""
    session = MutualSession(gateway, MutualHello(identity), pins, identity)
    other = MutualSession(gateway, MutualHello(identity), pins, identity)
    flipped = session.signature[:-1] + bytes([session.signature[-1] ^ 1])
    wrong = {
        "nobody's signature": secrets.token_bytes(64),
        "one bit": flipped,
        "zeros": bytes(64),
        "another session's": other.signature,
        "the server's statement": identity.sign(signed_by("server", session.transcript)),
        "another key": Identity(4711).sign(signed_by("client", session.transcript)),
    }
    for request, place in ((ROUTE, "a route for mutual mode"), (OPEN, "an open route")):
        refused(report, f"no introduction, {place}", session, session.seal(request), "CLIENT_NOT_ALLOWED")
        for name, signature in wrong.items():
            refused(report, f"{name}, {place}", session, session.introduced(request, signature), "CLIENT_NOT_ALLOWED")
    admitted(report, "the right signature after all that", session, session.introduced(ROUTE))


def strangers(report, gateway, pins, identity):
    """Hellos that claim what is not theirs, and sessions that are worth less."""
    report.error("an identity that nobody registered", MutualHello(Identity(4711)).send(gateway), "CLIENT_NOT_ALLOWED")
    report.error("an identity of another device", MutualHello(identity, device="python-other").send(gateway), "CLIENT_NOT_ALLOWED")
    session = peer.Session(gateway, peer.Hello("pinned"), pins)
    refused(report, "a pinned session on a route for mutual mode", session, session.seal(ROUTE), "CONFIRMATION_REQUIRED")
    admitted(report, "the same session on an open route", session, session.seal(OPEN))


def start(program, folder, upstream):
    """The gateway, its address and its identity's id."""
    (folder / "gateway.toml").write_text(CONFIG.format(port=upstream, device=DEVICE))
    command = [program, "--config", folder / "gateway.toml", "--listen", "127.0.0.1:0", "--log", "error"]
    gateway = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    words = gateway.stdout.readline().split()
    if words[:2] != ["listening", "on"]:
        sys.exit("the gateway did not start")
    return gateway, words[2], words[4]


def main():
    program = Path(sys.argv[1]).resolve()
    report, identity = peer.Report(), Identity(1 + secrets.randbelow(2**255))
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "device.jwk").write_text(json.dumps(identity.jwk))
        process, url, kid = start(program, Path(folder), upstream.server_port)
        try:
            gateway = peer.Gateway(url)
            pins = report.attempt("jwks.json", peer.pinned_keys, report, gateway, kid)
            for scheme in peer.EC + peer.FFDH:
                report.attempt(scheme, one_session, report, gateway, pins, identity, [scheme])
            report.attempt("unproven", unproven, report, gateway, pins, identity)
            report.attempt("strangers", strangers, report, gateway, pins, identity)
        finally:
            process.terminate()
            process.wait()
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
