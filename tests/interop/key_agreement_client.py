#!/usr/bin/env python3
"""Key Agreement by a foreign client: Python's http.client and `cryptography`, none of the crate's code.

    python3 key_agreement_client.py target/release/dynamic-key-gateway

Starts two gateways with an upstream of its own behind them, one whose identity signs and one whose does not, and performs all
four schemes, pinned and confirmed, with a sealed password at /rest/login, where user demo, password demo may log in and gets a
sealed session_token. Then what a gateway must refuse, and what a client must notice.
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
from dk2 import roles
from dk2.envelope import counter_nonce, field_aad, open_data, seal
from dk2.groups import group_of
from dk2.messages import agreement_response
from dk2.primitives import Refused, b64, b64url, unb64

SCHEMES = peer.EC + peer.FFDH
JSON = [("Content-Type", "application/json")]
LOGIN = "/rest/login"
CONFIG = """
upstream = "http://127.0.0.1:{port}"
schemes = ["SCHEME-EC-AES2", "SCHEME-EC-AES1", "SCHEME-AES2", "SCHEME-AES1"]
clients = [{{ type = "internal", id = "internal-web-client" }}]
limits = {{ handshakes_per_minute = 0, failures_per_minute = 0 }}

[key_agreement]
sign = {sign}

[[key_agreement.calls]]
method = "POST"
path = "/rest/login"
fields = ["password"]
answers = ["session_token"]
"""


class Upstream(http.server.BaseHTTPRequestHandler):
    """Lets user demo in, and keeps what it heard."""

    heard = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Upstream.heard.append((self.path, body))
        good = body == {"user": "demo", "password": "demo"}
        answer = json.dumps({"session_token": "a secret of the upstream"} if good else {"error": "wrong"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Request:
    def __init__(self, offered, group=None, identifier=b"a Python client"):
        group = group or group_of(offered[0])
        self.private, public = peer.key_pair(group)
        self.said = {
            "identifier": identifier,
            "nonce": secrets.token_bytes(secrets.choice([16, 32])),
            "publicKey": public,
            "supportedSchemes": offered,
        }

    def json(self, **changes):
        said = self.said
        return {
            "identifier": b64(said["identifier"]),
            "nonce": b64(said["nonce"]),
            "public_key": b64(said["publicKey"]),
            "supported_schemes": said["supportedSchemes"],
        } | changes

    def send(self, gateway, headers=JSON, **changes):
        return gateway.send("POST", "/rest/key-agreement", headers, json.dumps(self.json(**changes)).encode())


class Agreement:
    """The client's end; refuses what a client of this mode must refuse."""

    def __init__(self, gateway, mode, offered, pins, **options):
        self.gateway, request = gateway, Request(offered, **options)
        self.status, self.headers, self.body = request.send(gateway)
        if self.status != 200:
            raise Refused(f"status {self.status}")
        self.request, self.mode, self.pins = request, mode, pins
        self.keys = self.accept(self.body)
        self.response = agreement_response(self.body)
        self.id, self.counter = self.response["referenceId"], 0

    def accept(self, body):
        return roles.agreement_client(self.mode, self.request.private, self.request.said, self.pins, body)

    def seal(self, value, name="password", method="POST", path=LOGIN):
        """(nonce, what travels)."""
        nonce = counter_nonce(0, self.counter)
        self.counter += 1
        aad = field_aad(self.id, method, path, name)
        data = seal(self.keys["client write"], self.keys["client iv"], nonce, value.encode(), aad)
        return nonce, b64(nonce + data)

    def call(self, members, reference=None, headers=JSON):
        query = f"?client_reference_id={self.id if reference is None else reference}"
        return self.gateway.send("POST", LOGIN + query, headers, json.dumps(members).encode())

    def open(self, value, name, status, first):
        data = unb64(value)
        aad = field_aad(self.id, "POST", LOGIN, name, status, first)
        return data[:12], open_data(self.keys["server write"], self.keys["server iv"], data[:12], data[12:], aad).decode()


def refused(report, name, answer, status=400):
    report.check(f"{name}: {status}, empty", (answer[0], answer[2]) == (status, b""), (answer[0], answer[2][:200]))


def logins(report, name, agreement):
    for user, password, status in (("demo", "demo", 200), ("demo", "wrong", 401), ("nobody", "demo", 401), ("demo", "", 401)):
        first, sealed = agreement.seal(password)
        found, _, body = agreement.call({"user": user, "password": sealed})
        report.check(f"{name}: login {user}/{password} {status}", found == status, (found, body[:200]))
        heard = Upstream.heard[-1:] == [(LOGIN, {"user": user, "password": password})]
        report.check(f"{name}: login {user}/{password}, opened for the upstream", heard, Upstream.heard[-1:])
        if status == 200:
            token = json.loads(body).get("session_token", "")
            _, opened = agreement.open(token, "session_token", found, first)
            report.check(f"{name}: the token comes sealed", opened == "a secret of the upstream" and opened not in body.decode(), body)
            for what, other in (("status", (401, first)), ("call", (200, counter_nonce(0, 99))), ("call", (200, b""))):
                report.check(f"{name}: no token of another {what}", fails(agreement.open, token, "session_token", *other))


def fails(step, *arguments):
    try:
        step(*arguments)
        return False
    except Exception:
        return True


def schemes(report, gateway, pins, modes):
    for scheme in SCHEMES:
        for mode in modes:
            name = f"{scheme}, {mode}"
            agreement = report.attempt(name, Agreement, gateway, mode, [scheme], pins)
            if agreement is None:
                continue
            report.check(f"{name}: agreed and proven", agreement.response["scheme"] == scheme)
            report.check(f"{name}: {'signed' if pins else 'without identity'}", ("signature" in agreement.response) == bool(pins))
            report.check(f"{name}: Cache-Control no-store", agreement.headers.get("Cache-Control") == "no-store")
            report.attempt(name, logins, report, name, agreement)


def choices(report, gateway, pins):
    """Only schemes of the group whose key came are considered."""
    for offered, group, chosen in (
        (["SCHEME-AES2", "SCHEME-EC-AES1", "SCHEME-EC-AES2"], "P-256", "SCHEME-EC-AES1"),
        (["SCHEME-EC-AES2", "SCHEME-AES1", "SCHEME-AES2"], "ffdhe3072", "SCHEME-AES2"),
        (["SCHEME-NEW", "SCHEME-EC-AES2"], "P-256", "SCHEME-EC-AES2"),
    ):
        name = f"a key of {group}, offering {' '.join(offered)}"
        agreement = report.attempt(name, lambda: Agreement(gateway, "pinned", offered, pins, group=group))
        report.check(f"{name}: selects {chosen}", agreement and agreement.response["scheme"] == chosen)
    for offered, group in ((["SCHEME-AES2", "SCHEME-AES1"], "P-256"), (["SCHEME-EC-AES2"], "ffdhe2048"), (["SCHEME-NEW"], "P-256")):
        refused(report, f"a key of {group}, offering {' '.join(offered)}", Request(offered, group=group).send(gateway))
    for length in (1, 255):
        name, identifier = f"identifier of {length} bytes", secrets.token_bytes(length)
        made = report.attempt(name, lambda: Agreement(gateway, "pinned", peer.EC, pins, identifier=identifier))
        report.check(f"{name}: agreed", made)


def bad_requests(report, gateway):
    request = Request(peer.EC)
    key = request.said["publicKey"]
    for name, changes in (
        ("identifier empty", {"identifier": ""}),
        ("identifier of 256 bytes", {"identifier": b64(bytes(256))}),
        ("nonce of 15 bytes", {"nonce": b64(bytes(15))}),
        ("nonce of 33 bytes", {"nonce": b64(bytes(33))}),
        ("nonce absent", {"nonce": None}),
        ("key off the curve", {"public_key": b64(key[:-1] + bytes([key[-1] ^ 1]))}),
        ("key with a byte after", {"public_key": b64(key + b"\0")}),
        ("key of no bytes", {"public_key": ""}),
        ("no schemes", {"supported_schemes": []}),
        ("a scheme twice", {"supported_schemes": ["SCHEME-EC-AES2"] * 2}),
    ):
        refused(report, f"request, {name}", request.send(gateway, **changes))
    refused(report, "request as text/plain", request.send(gateway, [("Content-Type", "text/plain")]))
    refused(report, "request that is no JSON", gateway.send("POST", "/rest/key-agreement", JSON, b"{"))


def bad_responses(report, gateway, pins):
    """What somebody in the middle could make of a response: the client notices, each time for the right reason."""
    agreement = Agreement(gateway, "pinned", peer.EC, pins)
    root, other = json.loads(agreement.body), json.loads(Agreement(gateway, "pinned", peer.EC, pins).body)
    spoilt = bytearray(unb64(root["proof"]))
    spoilt[0] ^= 1
    stranger = dict(root["identity"], kid=b64url(bytes(32)))
    for name, changes, reason in (
        ("proof, one bit", {"proof": b64(spoilt)}, "proof"),
        ("proof of another agreement", {"proof": other["proof"]}, "proof"),
        ("client_reference_id", {"client_reference_id": other["client_reference_id"]}, "proof"),
        ("public_key", {"public_key": other["public_key"]}, "proof"),
        ("identifier", {"identifier": b64(b"somebody")}, "proof"),
        ("scheme", {"scheme": "SCHEME-EC-AES1"}, "proof"),
        ("scheme of another group", {"scheme": "SCHEME-AES1"}, "not offered"),
        ("kid", {"identity": stranger}, "proof"),
        ("signature of another agreement", {"identity": other["identity"]}, "identity"),
    ):
        try:
            agreement.accept(json.dumps(root | changes).encode())
            report.check(f"altered response, {name}: refused", False, "accepted")
        except Refused as seen:
            report.check(f"altered response, {name}: {reason}", seen.args[0] == reason, seen.args)
    bare = {name: value for name, value in root.items() if name != "identity"}
    report.check("response without identity: refused", fails(agreement.accept, json.dumps(bare).encode()))


def bad_fields(report, gateway, pins):
    agreement, other = (Agreement(gateway, "pinned", peer.EC, pins) for _ in range(2))
    _, sealed = agreement.seal("demo")
    data = unb64(sealed)

    def login(value, **options):
        return agreement.call({"user": "demo", "password": value}, **options)

    before = len(Upstream.heard)

    for name, value in (
        ("one bit of the tag", b64(data[:-1] + bytes([data[-1] ^ 1]))),
        ("one bit of the nonce", b64(data[:11] + bytes([data[11] ^ 1]) + data[12:])),
        ("one bit of the text", b64(data[:12] + bytes([data[12] ^ 1]) + data[13:])),
        ("a byte short", b64(data[:-1])),
        ("nonce and tag alone, cut", b64(data[:27])),
        ("no base64", "demo"),
        ("nothing", ""),
        ("null", None),
        ("of another name", agreement.seal("demo", name="pin")[1]),
        ("of another path", agreement.seal("demo", path="/rest/logout")[1]),
        ("of another method", agreement.seal("demo", method="PUT")[1]),
        ("of another agreement", other.seal("demo")[1]),
    ):
        refused(report, f"sealed password, {name}", login(value))
    refused(report, "no sealed password", agreement.call({"user": "demo"}))
    refused(report, "in another agreement", login(sealed, reference=other.id))
    refused(report, "in an unknown agreement", login(sealed, reference="unknown"))
    refused(report, "in no agreement", login(sealed, reference=""))
    refused(report, "as text/plain", login(sealed, headers=[("Content-Type", "text/plain")]))
    report.check("the upstream has heard of none of that", len(Upstream.heard) == before, Upstream.heard[before:])
    answer = login(sealed)
    report.check("after all that, the field itself opens: 200", answer[0] == 200, answer[0])
    refused(report, "the same field again", login(sealed))
    late = agreement.seal("demo")[1]
    report.check("a later field: 200", login(agreement.seal("demo")[1])[0] == 200)
    report.check("an earlier one that comes later: 200", login(late)[0] == 200)
    refused(report, "and again", login(late))


def start(program, folder, port, sign):
    """A gateway: the process, its address and its identity's id."""
    file = folder / f"gateway-{sign}.toml"
    file.write_text(CONFIG.format(port=port, sign=str(sign).lower()))
    command = [program, "--config", file, "--listen", "127.0.0.1:0", "--log", "error"]
    gateway = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    words = gateway.stdout.readline().split()
    if words[:2] != ["listening", "on"]:
        gateway.kill()
        raise RuntimeError("the gateway did not start")
    return gateway, peer.Gateway(words[2]), words[4]


def main():
    program, report, processes = Path(sys.argv[1]).resolve(), peer.Report(), []
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        try:
            process, gateway, kid = start(program, Path(folder), upstream.server_port, True)
            processes.append(process)
            process, unsigned, _ = start(program, Path(folder), upstream.server_port, False)
            processes.append(process)
            pins = peer.pinned_keys(report, gateway, kid)
            schemes(report, gateway, pins, ("pinned", "confirmed"))
            schemes(report, unsigned, [], ("confirmed",))
            report.check("a pinned client refuses a gateway that does not sign", fails(Agreement, unsigned, "pinned", peer.EC, pins))
            report.attempt("choices", choices, report, gateway, pins)
            report.attempt("bad requests", bad_requests, report, gateway)
            report.attempt("bad responses", bad_responses, report, gateway, pins)
            report.attempt("bad fields", bad_fields, report, gateway, pins)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
