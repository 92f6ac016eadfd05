#!/usr/bin/env python3
"""Fills corpus/ with seeds from ../test-vectors: the messages there, in the input format that each target describes."""

import base64
import hashlib
import json
import os
import pathlib

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "test-vectors"
LARGEST = 4096


def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def seed(target, data):
    if len(data) > LARGEST:
        return
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def octets(case, name="text"):
    """A text of the vectors as bytes."""
    return bytes.fromhex(case[name + "Hex"]) if name + "Hex" in case else case[name].encode()


def some(data):
    """Behind its length in one byte."""
    return bytes([min(len(data), 255)]) + data[:255]


def many(data):
    """Behind its length in two bytes."""
    return len(data).to_bytes(2, "big") + data


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


MESSAGES = load("messages")
ANSWERS = load("negative-answer")
ENVELOPES = load("negative-envelope")
AGREED = load("dynamic-key-v2")
KEY_AGREEMENT = load("key-agreement")
TOKENS = load("tokens")["tokens"]
REGISTRATION = load("nix-registration")
HELLOS = [
    *(exchange["hello"] for exchange in MESSAGES["exchanges"]),
    *MESSAGES["hellos"],
    *load("negative-json")["hello"],
    *load("negative-hello")["hello"],
]
STATUSES = [200, 409, 400, 401, 403, 404, 429, 502, 503, 204, 302, 500]  # of the target `answer`
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
CLIENTS = {"plain": 0, "confirmed": 1, "pinned": 2}


def texts():
    """Every JSON text."""
    for case in HELLOS:
        yield octets(case)
    for exchange in MESSAGES["exchanges"]:
        yield octets(exchange["answer"])
        for request in exchange["requests"]:
            yield from (octets(request), octets(request, "plaintext"), octets(request["response"]))
    for case in ANSWERS["answer"]:
        yield octets(case)
    for case in ENVELOPES["plaintext"] + ENVELOPES["route"]:
        yield octets(case, "plaintext")
    for case in ENVELOPES["response"]:
        yield octets(case)
    for case in ENVELOPES["request"] + ENVELOPES["runs"]:
        for step in case["steps"]:
            yield octets(step)


def answers():
    """Answers as the target takes them: client, status, text."""
    for exchange in MESSAGES["exchanges"]:
        if exchange["mode"] in CLIENTS:
            yield CLIENTS[exchange["mode"]], 200, octets(exchange["answer"])
    for name, client in ANSWERS["clients"].items():
        if name in CLIENTS:
            yield CLIENTS[name], 200, octets(client, "accepted")
    for case in ANSWERS["answer"]:
        if case["client"] in CLIENTS:
            yield CLIENTS[case["client"]], case["status"], octets(case)


def wycheproof(name):
    """The groups of a JSON Web set of Project Wycheproof, where WYCHEPROOF_JSON_WEB names their folder: they are no part of the repository."""
    folder = os.environ.get("WYCHEPROOF_JSON_WEB")
    return json.loads((pathlib.Path(folder) / f"{name}.json").read_text())["testGroups"] if folder else []


def jose():
    """Signed and encrypted messages as they were made, and headers for messages that are made right."""
    registration = load("nix-registration")
    for number, name in enumerate(("sigPubKey", "encPubKeyJwk")):
        seed("jwk", bytes([number]) + json.dumps(registration[name]).encode())
    for token in registration["jws"].values():
        header, payload, _ = token.split(".")
        seed("jws", b"\x01" + token.encode())
        seed("jws", b"\0" + some(unpadded(header)) + unpadded(payload))
    for group in wycheproof("json_web_signature_test"):
        key = group.get("public", group.get("private"))
        seed("jwk", b"\0" + json.dumps({name: value for name, value in key.items() if name != "d"}).encode())
        for test in group["tests"]:
            seed("jws", b"\x01" + test["jws"].encode())
    for group in wycheproof("json_web_encryption_test"):
        for test in group["tests"]:
            seed("jwe", b"\0" + test["jwe"].encode())
    to_key = '{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"a/b","cty":"JWS","apu":"QQ","epk":EPK}'
    salted = '{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"AAAAAAAAAAAAAAAAAAAAAA","p2c":10000}'
    seed("jwe", b"\x03" + some(to_key.encode()) + b"text")
    seed("jwe", b"\x04" + some(salted.encode()) + b"text")
    seed("jwe", b"\x02" + some(b"JWS") + b"text")


def main():
    for case in HELLOS:
        seed("hello", b"\0" + octets(case))
        seed("gateway", b"\0\x01\0" + many(octets(case)))
    refused = KEY_AGREEMENT["refusedResponses"]
    for case in KEY_AGREEMENT["cases"]:
        seed("agreement_request", b"\0" + octets(case["request"]))
        seed("agreement_response", b"\4" + octets(case["response"]))
    for case in KEY_AGREEMENT["refusedRequests"]:
        seed("agreement_request", b"\0" + octets(case))
    for client, text in ((4, octets(refused, "accepted")), (5, octets(refused, "accepted")), *((0, octets(case)) for case in refused["cases"])):
        seed("agreement_response", bytes([client]) + text)
    for client, status, text in answers():
        for choice in (client, 4, 5, 6, 7, 14):  # as it is, proven to every client, and signed by another
            seed("answer", bytes([choice, STATUSES.index(status)]) + text)
        seed("client", bytes([client, 0, 0, 1]) + status.to_bytes(2, "big") + many(text))
    for text in texts():
        seed("json", text)
        seed("envelope", b"\0" + text)
        seed("request_plaintext", text)
    for envelope in AGREED["cases"][0]["envelopes"]:
        for part, side in ((envelope, 0), (envelope["response"], 1)):
            text = json.dumps({"nonce": part["nonce"], "data": part["data"]})
            seed("envelope", bytes([side | envelope["counter"] % 16 << 4]) + text.encode())
    for case in [*AGREED["cases"], *AGREED["plain"]]:
        for name in ("clientPublicKey", "serverPublicKey"):
            if name in case:
                seed("spki", base64.b64decode(case[name]))
        for number, field in case.get("fields", {}).items():
            seed("base64", b"\0" + bytes.fromhex(field))
            if number in ("2", "10"):
                seed("spki", bytes.fromhex(field))
    for _, _, text in answers():
        try:
            answer = json.loads(text)
            seed("timestamp", answer["expiresAt"].encode())
            seed("base64", b"\0" + answer["serverPublicKey"].encode())
            seed("spki", base64.b64decode(answer["serverPublicKey"], validate=True))
        except UNREADABLE:
            pass
    for case in ENVELOPES["route"] + ENVELOPES["plaintext"]:
        try:
            path = json.loads(octets(case, "plaintext"))["path"].encode()
            seed("route", bytes(4) + path)
        except UNREADABLE:
            pass
    for case in TOKENS:
        algorithm = ["HS256", "ES256"].index(case["alg"])
        seed("token", bytes([algorithm]) + (case["now"] - 1780527500).to_bytes(2, "big") + case["token"].encode())
        try:
            header, payload, _ = case["token"].split(".")
            seed("jwt", some(unpadded(header)) + unpadded(payload))
        except ValueError:
            pass
    jose()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRetry-After: 3\r\n"
    start = b"\0\x04\0\x02\x03\x11"
    for framed in (
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n",
        b"Connection: close\r\n\r\n{}",
    ):
        seed("http_response", start + head + framed)
        seed("http_response", start + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head + framed)
    for framed in (
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n",
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"Connection: close\r\n\r\nGET / HTTP/1.1\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    ):
        head = b"POST /api/info/v2 HTTP/1.1\r\nHost: gateway:8080\r\nContent-Type: application/json\r\n"
        seed("http1_request", b"\x04\0\x02\x03\x11" + head + framed)
    jws = REGISTRATION["jws"]
    body = json.dumps({"sigPubKey": REGISTRATION["sigPubKey"], **jws}).encode()
    seed("identity_registration", b"\x0f" + body)
    payloads = [unpadded(jws[name].split(".")[1]) for name in ("encPubKey", "metaPublic", "metaPrivate")]
    for flaw in range(13):
        seed("identity_registration", bytes([flaw]) + some(payloads[0]) + some(payloads[1]) + payloads[2])
        seed("identity_registration", bytes([flaw, 0]) + some(payloads[1]) + payloads[2])
    for links in (b"", b"\1\0\0\1", b"\3\0\0\1\0\0\2\0\0\3", b"\2\0\0\1\x08\0\2", b"\2\0\0\1\0\0\0"):
        seed("identity_chain", b"\0\0" + links)
    chain = [REGISTRATION["sigPubKey"], jws["encPubKey"]]
    seed("identity_chain", b"\1" + json.dumps(chain).encode())
    answer = {"status": 200, "code": 20001, "msg": "m", "txnID": "1", "first": "a", "last": "b", "continue": True, "body": {}}
    for case in (answer, {"status": 401, "code": 40101, "err": "no", "body": [1]}, {"status": 200, "code": 10001}):
        seed("identity_response", json.dumps(case).encode())
    for payload in ({"to": "a@b", "id": "1", "exp": 1, "body": "a.b.c.d.e"}, {"last": "a", "first": "b", "limit": 1, "wait": 2}, list(jws.values())):
        seed("identity_message", b"\0" + json.dumps(payload).encode())
    seed("identity_message", b"\1\0\0" + bytes(9) + b"a.b")
    issued = {"access_token": "eyJ.a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r 1"}
    login = {"access_token": "eyJ.a", "token_type": "bearer", "expiresIn": 1}
    for dialect, body in ((0, issued), (1, {"code": "00", "data": issued}), (2, login)):
        seed("issued", bytes([dialect, 0, 0, 0]) + json.dumps(body).encode())
    for status, error in ((3, "invalid_grant"), (4, "unauthorized_client"), (5, "x"), (3, "server_error"), (7, "x")):
        seed("issued", bytes([0, status, 0, 0]) + json.dumps({"error": error}).encode())
    for query in ("code=a.b&state=$", "state=$&error=access_denied", "c%6Fde=%41+%7e&state=$&x", "code=a&state=x"):
        seed("redirect", query.encode())
    for value in (
        "120",
        "4294967296",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ):
        seed("retry_after", value.encode())
    # A pinned session of AES-256 that has reserved 64 counters and lasts for ever, sealed and not.
    state = b"\x01\x02\0\x06client\0\x04" + (64).to_bytes(8, "big") + b"\xff" * 16
    state += 2 * (b"\x20" + b"k" * 32 + b"v" * 12) + b"\x07session" + many(b"token")
    for is_sealed in (0, 1):
        seed("stored", bytes([0, 0, is_sealed, 0]) + state)
    # In the targets of whole conversations zero is the honest next step.
    for target in ("client", "gateway", "link"):
        for first in range(16):
            seed(target, bytes([first]) + bytes(63))


main()
