"""negative-envelope.json: requests and responses that must be refused, plaintexts and paths that must be
refused after they were opened, and runs of requests where some pass."""

from . import messages, roles
from .agreement import signed_by
from .envelope import LIMIT, counter_nonce, request_aad, response_aad, seal
from .exchange import STRANGER, Exchange, compact, pair
from .make_messages import HEADERS, PLAIN_CLIENT, PLAIN_SERVER, SHORT_NONCE, exchange, session, with_member
from .negative_plaintexts import plaintext_rows, route_rows
from .primitives import Identity, Refused, b64, b64url, sha256

SESSIONS = {
    "plain": Exchange("plain", mode="plain", client_private=79, server_private=83, session_id="sid-p"),
    "confirmed": Exchange("confirmed", client_private=79, server_private=83, session_id="sid-c", server_nonce=SHORT_NONCE),
    "mutual": Exchange(
        "mutual",
        mode="mutual",
        scheme="SCHEME-EC-AES1",
        offered=["SCHEME-EC-AES1"],
        client_private=79,
        server_private=83,
        session_id="sid-m",
        server_nonce=SHORT_NONCE,
    ),
}
C, P, M = SESSIONS["confirmed"], SESSIONS["plain"], SESSIONS["mutual"]
GET = b'{"method":"GET","path":"/countries/get"}'
MALFORMED, ENCRYPTION = "MALFORMED_REQUEST", "ENCRYPTION_ERROR"


def sealed(x, nonce, plaintext=GET, aad=None, direction=None):
    """An envelope text of the client; the rest is what an attacker or a faulty peer would do else."""
    key, iv = direction or x.direction("client")
    return pair(nonce, seal(key, iv, nonce, plaintext, request_aad(x.session_id) if aad is None else aad))


def numbered(counter, x=C, plaintext=GET):
    return sealed(x, counter_nonce(0, counter), plaintext)


def plain(counter, prefix=PLAIN_CLIENT):
    return sealed(P, prefix + counter.to_bytes(8, "big"))


def spoilt(text, at, bit=1):
    """The envelope with one bit of its data flipped."""
    nonce, data = parts(text)
    at %= len(data)
    return pair(nonce, data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])


def parts(text):
    found = messages.envelope(text.encode())
    return found["nonce"], found["data"]


def with_signature(text, signature):
    return with_member(text, '"identity":' + compact({"signature": signature}))


# Requests: (session, name, steps, why); a step is (text, code or None) and the last one is the point.


def spellings(text):
    """Envelopes that are malformed whatever is in them."""
    nonce, data = parts(text)
    n, d = b64(nonce), b64(data)
    return {
        "empty": "",
        "no object": "[]",
        "cut": text[:-1],
        "a byte after": text + "x",
        "a byte-order mark": "\ufeff" + text,
        "single quotes": text.replace('"', "'"),
        "no nonce": compact({"data": d}),
        "no data": compact({"nonce": n}),
        "nonce null": compact({"nonce": None, "data": d}),
        "data null": compact({"nonce": n, "data": None}),
        "nonce a number": compact({"nonce": 0, "data": d}),
        "data a list": compact({"nonce": n, "data": [d]}),
        "nonce twice": with_member(text, f'"nonce":"{n}"'),
        "data twice, escaped": with_member(text, f'"d\\u0061ta":"{d}"'),
        "an unknown member twice": with_member(text, '"v":1,"v":1'),
        "17 levels": with_member(text, '"v":' + "[" * 16 + "]" * 16),
        "17 levels in a member named body": with_member(text, '"body":' + "[" * 16 + "]" * 16),
        "a lone surrogate": with_member(text, '"v":"\\udead"'),
        "a raw line feed": with_member(text, '"v":"\n"'),
        "nonce empty": compact({"nonce": "", "data": d}),
        "nonce of 11": pair(nonce[1:], data),
        "nonce of 13": pair(b"\0" + nonce, data),
        "nonce of 16": pair(bytes(4) + nonce, data),
        "nonce in base64url": compact({"nonce": "_" * 16, "data": d}),
        "nonce with a line break": compact({"nonce": n + "\n", "data": d}),
        "data empty": compact({"nonce": n, "data": ""}),
        "data of 15": pair(nonce, data[:15]),
        "data without padding": compact({"nonce": n, "data": d.rstrip("=")}),
        "data with unused bits set": compact({"nonce": n, "data": unused_bits(d)}),
        "data in two parts": compact({"nonce": n, "data": d[:40] + " " + d[40:]}),
        "data with a line break": compact({"nonce": n, "data": d + "\r\n"}),
        "data with more padding": compact({"nonce": n, "data": d + "="}),
    }


def unused_bits(text):
    at = text.index("=") - 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:at] + alphabet[alphabet.index(text[at]) + 1] + text[at + 1 :]


def request_rows():
    def refused(session, name, text, why, code=ENCRYPTION, before=()):
        return session, name, [(one, None) for one in before] + [(text, code)], why

    body = GET + b"  "[: (1 - len(GET)) % 3]  # so that data ends in padding
    for name, text in spellings(numbered(0, plaintext=body)).items():
        yield refused("confirmed", f"malformed: {name}", text, "Not the two members of section 2.4.", MALFORMED)
    for name in ("nonce of 11", "nonce of 13", "data of 15", "nonce twice", "a byte after", "no data"):
        yield refused(
            "plain",
            f"malformed: {name}",
            spellings(sealed(P, PLAIN_CLIENT + bytes(8), body))[name],
            "Not the two members of section 2.4.",
            MALFORMED,
        )

    zero = counter_nonce(0, 0)
    why = "Sealed by the right key, but the counter modes have four zero bytes in front."
    for prefix in (1, 7, 0x01000000, 0x80000000, 0xFFFFFFFF):
        yield refused("confirmed", f"nonce prefix {prefix:08x}", sealed(C, counter_nonce(prefix, 0)), why)
    for counter in (LIMIT, LIMIT + 1, 2**32, 2**32 + 1, 2**56, 2**63, 2**64 - 1):
        yield refused("confirmed", f"counter {counter}", numbered(counter), "Sealed by the right key, but past the limit of 2^24 messages.")
    for counter in (0, 1, 63, 255, 256, 257, 65535, 65536, LIMIT - 1):
        yield refused("confirmed", f"counter {counter} twice", numbered(counter), "The same envelope again.", before=[numbered(counter)])
    yield refused(
        "confirmed", "counter 0 with another plaintext", numbered(0, plaintext=GET + b" "), "A counter passes once.", before=[numbered(0)]
    )
    yield refused(
        "confirmed",
        "counter 0 after 256 of them",
        numbered(0),
        "One byte of a counter is not the counter.",
        before=[numbered(n) for n in (0, 255, 256)],
    )
    yield refused(
        "confirmed", "counter 0 behind every window", numbered(0), "Older than any window of a sane width.", before=[numbered(LIMIT - 1)]
    )
    yield refused(
        "confirmed",
        "a counter seen before the window moved a little",
        numbered(5),
        "The window still remembers it.",
        before=[numbered(n) for n in (5, 36, 68)],
    )
    yield refused(
        "confirmed",
        "a counter seen before the window moved by a word",
        numbered(1),
        "The window still remembers it.",
        before=[numbered(n) for n in (1, 33, 64)],
    )

    why = "It does not authenticate."
    yield refused("confirmed", "the first bit flipped", spoilt(numbered(0), 0, 128), why)
    yield refused("confirmed", "the last bit of the ciphertext flipped", spoilt(numbered(0), -17), why)
    yield refused("confirmed", "the first bit of the tag flipped", spoilt(numbered(0), -16, 128), why)
    yield refused("confirmed", "the last bit of the tag flipped", spoilt(numbered(0), -1), why)
    nonce, data = parts(numbered(0))
    yield refused("confirmed", "the tag cut by one", pair(nonce, data[:-1]), why)
    yield refused("confirmed", "the tag cut to 12", pair(nonce, data[:-4]), why)
    yield refused("confirmed", "a byte more", pair(nonce, data + b"\0"), why)
    yield refused("confirmed", "the tag in front", pair(nonce, data[-16:] + data[:-16]), why)
    yield refused("confirmed", "the tag alone", pair(nonce, data[-16:]), why)
    yield refused("confirmed", "16 zero bytes", pair(nonce, bytes(16)), why)
    yield refused(
        "confirmed", "under the next counter", pair(counter_nonce(0, 1), data), "The nonce is not the one that it was sealed with."
    )
    yield refused("confirmed", "another session's id", sealed(C, zero, aad="v2:sid-x"), why)
    yield refused("confirmed", "no associated data", sealed(C, zero, aad=""), why)
    yield refused("confirmed", "the response's associated data", sealed(C, zero, aad=response_aad("sid-c", zero, 200)), why)
    yield refused("confirmed", "the server's key", sealed(C, zero, direction=C.direction("server")), why)
    yield refused("confirmed", "the server's iv", sealed(C, zero, direction=(C.direction("client")[0], C.direction("server")[1])), why)
    yield refused("confirmed", "no iv", sealed(C, zero, direction=(C.direction("client")[0], None)), why)
    yield refused("confirmed", "a reflected response", pair(counter_nonce(0, 0), C.seal_response(counter_nonce(0, 0), zero, 200, GET)), why)
    yield refused("confirmed", "another session's envelope", numbered(0, SESSIONS["mutual"]), why)
    yield refused("confirmed", "an empty plaintext under the wrong key", sealed(C, zero, b"", direction=(bytes(32), bytes(12))), why)

    yield refused("plain", "a nonce twice", plain(7), "The same envelope again.", before=[plain(7)])
    yield refused("plain", "a nonce twice, others between", plain(0), "The set never forgets.", before=[plain(n) for n in range(40)])
    yield refused(
        "plain",
        "a nonce twice, another plaintext",
        sealed(P, PLAIN_CLIENT + bytes(8), GET + b" "),
        "A nonce passes once.",
        before=[plain(0)],
    )
    yield refused("plain", "the server's prefix", plain(0, PLAIN_SERVER), "Reflection: whoever sealed it, the prefix is the server's.")
    yield refused(
        "plain",
        "a reflected response",
        pair(PLAIN_SERVER + bytes(8), P.seal_response(PLAIN_SERVER + bytes(8), zero, 200, GET)),
        "One key for both directions: the prefix tells a response from a request.",
    )
    yield refused("plain", "a bit flipped", spoilt(plain(0), 3), why)
    yield refused("plain", "another session's id", sealed(P, PLAIN_CLIENT + bytes(8), aad="v2:sid-x"), why)
    yield refused(
        "plain", "the associated data of the other modes", sealed(P, PLAIN_CLIENT + bytes(8), aad=response_aad("sid-p", zero, 200)), why
    )

    why, code = "Opened and committed, then looked at: the answer is sealed.", "CLIENT_NOT_ALLOWED"
    genuine = M.client_signature
    forgeries = {
        "one bit": genuine[:-1] + bytes([genuine[-1] ^ 1]),
        "all zero": bytes(64),
        "a stranger's": Identity(STRANGER).sign(signed_by("client", M.keys.t)),
        "the server's label": M.client.sign(signed_by("server", M.keys.t)),
        "the gateway's own signature": M.answer["signature"],
        "T alone": M.client.sign(M.keys.t),
        "another T": M.client.sign(signed_by("client", sha256(M.keys.t))),
        "r and s exchanged": genuine[32:] + genuine[:32],
    }
    yield refused("mutual", "no client signature", numbered(0, M), why, code)
    for name, signature in forgeries.items():
        yield refused("mutual", f"client signature: {name}", with_signature(numbered(0, M), b64url(signature)), why, code)
    yield refused(
        "mutual",
        "a right signature beside a flipped bit",
        with_signature(spoilt(numbered(0, M), 0), b64url(genuine)),
        "The envelope is authenticated first.",
    )
    yield refused(
        "mutual",
        "a wrong signature beside a flipped bit",
        with_signature(spoilt(numbered(0, M), 0), b64url(bytes(64))),
        "The envelope is authenticated first.",
    )
    yield refused(
        "mutual", "identity null", with_member(numbered(0, M), '"identity":null'), "null for a member that may be absent.", MALFORMED
    )
    yield refused(
        "mutual",
        "identity twice",
        with_signature(with_signature(numbered(0, M), b64url(genuine)), b64url(genuine)),
        "A name is repeated.",
        MALFORMED,
    )


def run_rows():
    """Runs whose last step passes: what a refusal must not have changed, and what a window must let through."""

    def run(session, name, steps, why):
        return session, name, [step if isinstance(step, tuple) else (step, None) for step in steps], why

    forged_far = spoilt(numbered(LIMIT - 1), 0)
    yield run(
        "confirmed", "a forged copy first", [(spoilt(numbered(0), 0), ENCRYPTION), numbered(0)], "A failed open does not spend the counter."
    )
    yield run("confirmed", "a forged counter far ahead", [(forged_far, ENCRYPTION), numbered(0)], "A failed open does not move the window.")
    yield run(
        "confirmed", "forty forged envelopes", [(forged_far, ENCRYPTION)] * 40 + [numbered(0)], "Forged envelopes do not end a session."
    )
    yield run("confirmed", "malformed, then right", [("{", MALFORMED), numbered(0)], "A malformed envelope changes nothing.")
    yield run(
        "confirmed", "a replay, then the next", [numbered(0), (numbered(0), ENCRYPTION), numbered(1)], "A refused copy changes nothing."
    )
    yield run("confirmed", "out of order", [numbered(n) for n in (63, 0, 62, 1, 31, 32, 64, 2)], "Within 64 of the newest, each once.")
    yield run(
        "confirmed",
        "256 is not 0",
        [numbered(n) for n in (0, 256, 65536, 65792, LIMIT - 256, LIMIT - 1)],
        "Counters that share low bytes are different counters.",
    )
    yield run(
        "confirmed", "the last counters", [numbered(n) for n in (LIMIT - 2, LIMIT - 1, LIMIT - 3)], "2^24 messages, the last is 2^24 - 1."
    )
    yield run(
        "confirmed", "sparse, then behind", [numbered(n) for n in (1000, 937, 999, 938)], "Gaps are no offence; 937 is the oldest of 64."
    )
    yield run("plain", "a forged copy first", [(spoilt(plain(0), 0), ENCRYPTION), plain(0)], "A failed open does not remember the nonce.")
    yield run(
        "plain",
        "any order, any prefix",
        [plain(2**64 - 1), plain(0), plain(0, b"\0\0\0\0"), plain(0, b"\x7f\xff\xff\xff"), plain(5)],
        "Plain mode refuses only nonces that it has seen and the server's prefix.",
    )
    signed = [with_signature(numbered(n, M), b64url(M.client_signature)) for n in (0, 1)]
    yield run("mutual", "both signed, out of order", signed[::-1], "The signature is in every envelope until an answer was opened.")
    yield run("mutual", "signed, then not", [signed[0], numbered(1, M)], "Once verified, no more signature is needed.")
    yield run("mutual", "a flipped bit, then signed", [(spoilt(signed[0], 0), ENCRYPTION), signed[0]], "A failed open changes nothing.")


def played(row):
    name, label, steps, why = row
    gateway = session(SESSIONS[name])
    out = []
    for text, code in steps:
        request, is_sealed = gateway.request(HEADERS, text.encode())
        assert (None if is_sealed is None else request) == code, (row, request)
        out.append({"text": text} | ({"code": f"DYNAMIC_KEY_V2_{code}", "sealed": is_sealed} if code else {}))
    return {"name": label, "session": name, "steps": out, "why": why}


def opened(name, text, code, why):
    """A plaintext sealed in a fresh session."""
    data = text.encode() if isinstance(text, str) else text
    assert session(C).request(HEADERS, numbered(0, plaintext=data).encode()) == (code, True), (name, text)
    entry = {"plaintext": text} if isinstance(text, str) else {"plaintextHex": data.hex()}
    return {"name": name, **entry, "code": f"DYNAMIC_KEY_V2_{code}", "why": why}


# Responses: (session, name, requests sent, before, status, text, reason, why).


def response_rows():
    nonces = [counter_nonce(0, n) for n in range(3)]
    body = b'{"countries":["UY","PT"]}'

    def answer(counter, instance=7, status=200, request=None, x=C, direction=None, aad=None):
        request = nonces[counter] if request is None else request
        nonce = counter_nonce(instance, counter)
        aad = response_aad(x.session_id, request, status) if aad is None else aad
        return pair(nonce, seal(*(direction or x.direction("server")), nonce, body, aad))

    def row(name, text, why, reason="encryption", status=200, before=(), sent=nonces, session="confirmed"):
        return session, name, sent, before, status, text, reason, why

    for name, text in spellings(pair(counter_nonce(7, 0), C.seal_response(counter_nonce(7, 0), nonces[0], 200, body[:-1]))).items():
        yield row(f"malformed: {name}", text, "Not the two members of section 2.4.", "malformed")
    yield row("an upstream's body, unsealed", body.decode(), "Not an envelope.", "malformed")
    for code, status in roles.SEALED.items():
        yield row(
            f"{code}, unsealed",
            compact({"status": status, "code": f"DYNAMIC_KEY_V2_{code}", "message": ""}),
            "What happens after an open is answered sealed.",
            "unsealed",
            status,
        )
    why = "The status is in the associated data."
    for made, seen in ((200, 401), (401, 200), (404, 200), (200, 500), (502, 503)):
        yield row(f"sealed for {made}, seen with {seen}", answer(0, status=made), why, status=seen)
    why = "The request's nonce is in the associated data, its counter in the response's nonce."
    yield row("the answer to request 1 under counter 0", answer(0, request=nonces[1]), why)
    _, data = parts(answer(1))
    yield row("the answer to request 1, renumbered", pair(counter_nonce(7, 0), data), why)
    yield row("another instance id than it was sealed with", pair(counter_nonce(8, 1), data), why)
    for counter in (3, 255, 256, 65536, 2**24, 2**32, 2**63):
        yield row(
            f"counter {counter}, never sent", answer(counter, request=counter_nonce(0, counter)), "Only counters that are outstanding."
        )
    yield row("counter 0 with a high bit", answer(2**32, request=nonces[0]), "All 64 bits of the counter count.")
    yield row("the same answer twice", answer(0), "Each counter once.", before=[(200, answer(0))])
    yield row("a second answer from another instance", answer(0, 8), "Each counter once.", before=[(200, answer(0))])
    yield row("an answer before any request", answer(0), "Nothing is outstanding.", sent=[])
    why = "It does not authenticate."
    yield row("the first bit flipped", spoilt(answer(0), 0, 128), why)
    yield row("the last bit flipped", spoilt(answer(0), -1), why)
    yield row("the tag cut by one", pair(counter_nonce(7, 0), parts(answer(0))[1][:-1]), why)
    yield row("16 zero bytes", pair(counter_nonce(7, 0), bytes(16)), why)
    yield row("the client's key", answer(0, direction=C.direction("client")), why)
    yield row("no iv", answer(0, direction=(C.direction("server")[0], None)), why)
    yield row("the client's own request", numbered(0), why)
    yield row("the request's associated data", answer(0, aad=request_aad("sid-c")), why)
    yield row("another session's id", answer(0, aad=response_aad("sid-x", nonces[0], 200)), why)
    yield row("another session's answer", answer(0, x=M), why)

    sent = [PLAIN_CLIENT + bytes(8)]
    other = PLAIN_SERVER + bytes(range(8))

    def plain_answer(nonce, aad="v2:sid-p"):
        return pair(nonce, seal(*P.direction("server"), nonce, body, aad))

    yield row("plain: the client's own request", plain(0), "A nonce with its own prefix is refused.", sent=sent, session="plain")
    yield row(
        "plain: the client's own prefix",
        plain_answer(PLAIN_CLIENT + b"\xff" * 8),
        "A nonce with its own prefix is refused.",
        sent=sent,
        session="plain",
    )
    yield row("plain: a bit flipped", spoilt(plain_answer(other), 0), why, sent=sent, session="plain")
    yield row("plain: another session's id", plain_answer(other, "v2:sid-x"), why, sent=sent, session="plain")
    yield row(
        "plain: the associated data of the other modes",
        plain_answer(other, response_aad("sid-p", sent[0], 200)),
        why,
        sent=sent,
        session="plain",
    )
    yield row("plain: data of 15", pair(other, bytes(15)), "Not the two members of section 2.4.", "malformed", sent=sent, session="plain")


def answered(row):
    name, label, sent, before, status, text, reason, why = row
    x = SESSIONS[name]
    client = roles.Outstanding(x.session_id, x.direction("server"), sent)
    for seen, earlier in before:
        client.response(seen, earlier.encode())
    try:
        raise AssertionError((label, client.response(status, text.encode())))
    except Refused as refused:
        assert refused.args[0] == reason, (label, refused.args)
    out = {"name": label, "session": name, "sent": [b64(nonce) for nonce in sent]}
    if before:
        out["before"] = [{"status": seen, "text": earlier} for seen, earlier in before]
    return out | {"status": status, "text": text, "reason": reason, "why": why}


def make():
    sessions = {}
    for name, x in SESSIONS.items():
        sessions[name] = exchange(x, compact(x.hello_json()), compact(x.answer_json()), [])
        del sessions[name]["requests"]
    out = {
        "source": "PROTOCOL sections 2.4 and 2.5, made by generate.py with Python cryptography: what must be refused once a session stands",
        "headers": HEADERS,
        "rules": [{"method": method, "path": path} for method, path in roles.RULES],
        "sessions": sessions,
        "request": [played(row) for row in request_rows()],
        "runs": [played(row) for row in run_rows()],
        "plaintext": [opened(*row) for row in plaintext_rows()],
        "route": [
            opened(name, compact({"method": method, "path": path}), "ROUTE_NOT_ALLOWED", why) for name, method, path, why in route_rows()
        ],
        "response": [answered(row) for row in response_rows()],
    }
    for part in ("request", "runs", "plaintext", "route", "response"):
        names = [(case.get("session"), case["name"]) for case in out[part]]
        assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return out
