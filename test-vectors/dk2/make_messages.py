"""messages.json: texts as foreign peers may write them, and what they say."""

import json

from . import messages, roles
from .envelope import LIMIT, NonceSet, Window, counter_nonce
from .exchange import CLIENT_IDENTITY, SERVER_IDENTITY, Exchange, compact, pair, scalar, text_member
from .primitives import b64, b64url

HEADERS = [["X-Dynamic-Key-Version", "2"], ["Content-Type", "application/json"]]
POLICY = {
    "clients": [{"type": "internal", "clientId": "internal-web-client"}, {"type": "external", "clientId": "partner-acme-corp"}],
    "schemes": ["SCHEME-EC-AES2", "SCHEME-EC-AES1"],
    "preference": "client",
    "leastMode": "plain",
    "identities": [],
}
PLAIN_CLIENT, PLAIN_SERVER = bytes.fromhex("2a2b2c2d"), bytes.fromhex("aabbccdd")
# As long as the nonces that the crate draws, so that its gateway, given these bytes, comes to the same T.
SHORT_NONCE = bytes(range(0x80, 0x90))


# A writer with habits: order, white space, escapes.


def foreign(value, gap="", backwards=False, escaped=""):
    """JSON text. Characters of `escaped` become \\u escapes, or `\\/`."""

    def string(text):
        out = ""
        for c in text:
            if c == "/" and "/" in escaped:
                out += "\\/"
            elif c in escaped or c in '"\\' or c < " ":
                units = c.encode("utf-16-be")
                out += "".join(f"\\u{units[i] << 8 | units[i + 1]:04X}" for i in range(0, len(units), 2))
            else:
                out += c
        return f'"{out}"'

    def write(item):
        if isinstance(item, dict):
            members = list(item.items())[::-1] if backwards else item.items()
            inner = [f"{string(name)}{gap}:{gap}{write(member)}" for name, member in members]
            return "{" + gap + (gap + "," + gap).join(inner) + gap + "}"
        if isinstance(item, list):
            return "[" + gap + (gap + "," + gap).join(map(write, item)) + gap + "]"
        return string(item) if isinstance(item, str) else json.dumps(item)

    return gap + write(value) + gap


def nested(depth):
    """A value `depth` levels deep, arrays and objects in turn, with names that repeat inside."""
    text = '{"n":1,"n":2}'
    for level in range(depth - 1):
        text = f"[{text},[]]" if level % 2 else f'{{"x":{text},"x":null}}'
    return text


def with_member(text, member):
    """Puts raw members in front of an object's others."""
    opening = text.index("{") + 1
    return text[:opening] + member + "," + text[opening:]


# Exchanges.


def expectation(found):
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}


def request_expectation(plaintext):
    found = messages.request(plaintext)
    return found | {"body": None if found["body"] is None else found["body"].decode()}


def exchange(x, hello_text, answer_text, calls):
    """`calls`: (counter, plaintext, instance or random bytes, status, response, rewrite). Each text is
    read by the roles before it is written down."""
    assert messages.hello(hello_text.encode()) == x.hello | ({} if x.mode == "plain" else {"features": x.features})
    scheme = roles.gateway(policy_for(x), HEADERS, hello_text.encode())[1]
    pins = [x.server.jwk] if x.server else []
    keys = roles.client(x.mode, x.client_private, x.hello, pins, answer_text.encode())
    out = {"name": x.name, "mode": x.mode, "clientPrivate": scalar(x.client_private), "serverPrivate": scalar(x.server_private)}
    for role, identity, private in (("server", x.server, SERVER_IDENTITY), ("client", x.client, CLIENT_IDENTITY)):
        if identity:
            out[f"{role}Identity"] = {"private": scalar(private), "jwk": identity.jwk, "kid": identity.kid}
    out |= {
        "hello": {"text": hello_text, "expect": expectation(messages.hello(hello_text.encode()))},
        "answer": {"text": answer_text, "expect": expectation(messages.answer(answer_text.encode()))},
        "Z": x.z.hex(),
    }
    if x.mode == "plain":
        assert keys == x.key
        out |= {"key": x.key.hex(), "clientNoncePrefix": PLAIN_CLIENT.hex(), "serverNoncePrefix": PLAIN_SERVER.hex()}
    else:
        assert scheme == x.scheme and keys.t == x.keys.t
        out |= {"transcriptInput": x.input.hex(), "T": x.keys.t.hex(), "proof": b64(x.keys.proof)}
        if x.client:
            out["clientSignature"] = b64url(x.client_signature)
    gateway = session(x)
    out["requests"] = [call(x, gateway, *one) for one in calls]
    return out


def session(x):
    """The gateway's end of an exchange."""
    if x.mode == "plain":
        return roles.Session(x.session_id, x.direction("client"), NonceSet(PLAIN_SERVER))
    return roles.Session(x.session_id, x.direction("client"), Window(), x.client and x.client.jwk, x.keys.t)


def policy_for(x):
    identities = []
    if x.client:
        identities = [{"kid": x.client.kid, "type": x.client_type, "clientId": x.client_id, "deviceId": x.device_id}]
    clients = POLICY["clients"] + [{"type": x.client_type, "clientId": x.client_id}]
    return POLICY | {"identities": identities, "clients": clients}


def call(x, gateway, counter, plaintext, answerer, status, response, rewrite):
    nonce = PLAIN_CLIENT + counter.to_bytes(8, "big") if x.mode == "plain" else counter_nonce(0, counter)
    answer_nonce = PLAIN_SERVER + answerer if x.mode == "plain" else counter_nonce(answerer, counter)
    text = rewrite(pair(nonce, x.seal_request(nonce, plaintext)))
    answer_text = rewrite(pair(answer_nonce, x.seal_response(answer_nonce, nonce, status, response)))
    if x.mode == "mutual":
        text = with_member(text, f'"identity":{{"signature":"{b64url(x.client_signature)}"}}')
    assert gateway.request(HEADERS, text.encode()) == (messages.request(plaintext), None)
    client = roles.Outstanding(x.session_id, x.direction("server"), [nonce])
    assert client.response(status, answer_text.encode()) == response
    mark = {"nonce": b64(nonce)} if x.mode == "plain" else {"counter": counter, "nonce": b64(nonce)}
    return mark | {
        "text": text,
        "plaintext": plaintext.decode(),
        "expect": request_expectation(plaintext),
        "response": {"status": status, "text": answer_text, **text_member("plaintext", response)},
    }


def same(text):
    return text


def turned(text):
    """Data first, escapes, white space, an unknown member."""
    return with_member(foreign(json.loads(text), "\r\n\t ", True, "/+=A"), '"v":{"n":[null,{}]}')


# Requests.

GET = b'{"method":"GET","path":"/countries/get","headers":{},"query":{},"body":null}'
SHORT = b'{"path":"/lang/get","method":"GET"}'
SURROGATES = rb"""
{ "\u0062ody" : { "user" : "\ud83d\udd11 \u00e9\/" , "user" : [1e400, -0.0, "raw \ud834\udd1e"], "k\u0065y":{} } ,
  "query":{"q":"a b&c=d\/\u20ac\ud83d\ude00","":"", "e":""}, "headers":{"Accept-Language":"pt-PT, \u0061","Accept":"*\/*"},
  "x":{"body":null,"body":1}, "path":"\/users\/login","method":"P\u004fST"}"""
RAW = '{"method":"POST","path":"/users/login","body":"\u00fc\u20ac\U0001f511"}'.encode()
NUMBER = b'{"method":"POST","path":"/users/login","headers":{"accept":"application/json"},"body": -1.50E+2 }'
FALSE = b'{"method":"POST","path":"/users/login","body":false}'
GET_WITH_BODY = b'{"method":"GET","path":"/countries/get","body":{"never":"sent"}}'
PATH = b'{"method":"GET","path":"/users/getbyid/a%20b%C3%A9~!$&\'()*+,=:@-._","query":{"a":"1","A":"2"}}'
DEEP = b'{"method":"POST","path":"/users/login","body":' + b"[" * 62 + b"]" * 62 + b"}"
PADDED = b" \t\r\n" * 8 + SHORT + b"\n" * 33
COUNTRIES = b'{"countries":["UY","PT"]}'


def exchanges():
    plain = Exchange("plain, a browser", mode="plain")
    plain_foreign = Exchange(
        "plain, a peer with other habits",
        mode="plain",
        client_private=7,
        server_private=11,
        session_id="S" * 64,
        token="A+/=._~-" * 4,
        expire_token="1780531200",
        device_id='a"b\\c/d',
    )
    browser = Exchange("confirmed, EC-AES2, a browser", server_nonce=SHORT_NONCE)
    low = Exchange(
        "confirmed, EC-AES1, reordered, escaped, spread over lines",
        scheme="SCHEME-EC-AES1",
        client_private=13,
        server_private=17,
        offered=["SCHEME-EC-AES1", "SCHEME-KYBER-9", "SCHEME-EC-AES2"],
        features=["rt", "new"],
        device_id='q"uote\\back/slash',
        platform="android",
        session_id="a.b_c~d-e" * 7,
        expires_in="0",
        server_nonce=SHORT_NONCE,
    )
    habits = Exchange(
        "pinned, EC-AES1, escaped and reordered, to a client without features",
        mode="pinned",
        scheme="SCHEME-EC-AES1",
        client_private=89,
        server_private=97,
        offered=["SCHEME-EC-AES1", "SCHEME-EC-AES2"],
        device_id='q"uote\\back/slash',
        platform="ios",
        session_id="~.-_" * 16,
        token="A+/=._~-" * 4,
        server_nonce=SHORT_NONCE,
    )
    signed = Exchange(
        "confirmed, EC-AES2, the gateway signs unasked",
        client_private=19,
        server_private=23,
        gateway_signs=True,
        client_type="external",
        client_id="partner-acme-corp",
        device_id="server-instance-id",
        platform="server",
        server_nonce=SHORT_NONCE,
    )
    pinned = Exchange(
        "pinned, EC-AES2, unknown members to the deepest level",
        mode="pinned",
        client_private=41,
        server_private=43,
        features=["rt"],
        expire_token="1780531200",
        server_nonce=SHORT_NONCE,
    )
    deep = Exchange(
        "pinned, EC-AES2, unknown members to the deepest level, to a client without features",
        mode="pinned",
        client_private=101,
        server_private=103,
        server_nonce=SHORT_NONCE,
    )
    mutual = Exchange(
        "mutual, EC-AES1, the signature in every envelope until an answer is opened",
        mode="mutual",
        scheme="SCHEME-EC-AES1",
        client_private=47,
        server_private=53,
        offered=["SCHEME-EC-AES1"],
        server_nonce=SHORT_NONCE,
    )
    limits = Exchange(
        "confirmed, EC-AES2, everything at its limit",
        client_private=59,
        server_private=61,
        offered=["A" * 32, "b", "0", "-", "c-1", "d", "e", "SCHEME-EC-AES2"],
        features=["f" + str(i) * 31 for i in range(8)],
        client_nonce=b"\xfb" * 32,
        server_nonce=b"\xff" * 16,
        device_id="~" * 64,
        platform=" " * 32,
        client_id="Z" * 64,
        session_id="~" * 64,
        token="." * 4096,
        expires_in=str(2**53 - 1),
        expire_token=str(2**53 - 1),
        expires_at="9999-12-31T23:59:59.999Z",
    )
    no_features = json.loads(compact(browser.hello_json()))
    del no_features["keyAgreement"]["features"]
    no_features_answer = json.loads(compact(browser.answer_json()))
    del no_features_answer["keyAgreement"]["features"]
    escaped = '/+=SDEa"\\{}'

    def deep_hello(x):
        text = with_member(compact(x.hello_json()), f'"future":{nested(15)}')
        return text.replace('"keyAgreement":{', f'"keyAgreement":{{"future":{nested(14)},')

    def deep_answer(x):
        return with_member(compact(x.answer_json()), f'"future":{nested(15)},"null":null,"Proof":"x"')

    return [
        exchange(
            plain,
            compact(plain.hello_json()),
            compact(plain.answer_json()),
            [(0, GET, bytes(8), 200, COUNTRIES, same), (1, RAW, b"\xff" * 8, 401, b"{}", same)],
        ),
        exchange(
            plain_foreign,
            foreign(plain_foreign.hello_json(), "\n ", True, escaped),
            foreign(plain_foreign.answer_json(), "\t", True, escaped),
            [(2**63, SURROGATES, bytes(range(8)), 200, COUNTRIES, turned), (5, SHORT, b"12345678", 200, b"", turned)],
        ),
        exchange(
            browser,
            compact(no_features),
            compact(no_features_answer),
            [
                (0, GET, 7, 200, COUNTRIES, same),
                (1, RAW, 7, 401, b"{}", same),
                (2, NUMBER, 8, 200, b"[]", same),
                (3, FALSE, 8, 200, b"", same),
                (40, PATH, 9, 404, bytes(range(200, 256)), same),
            ],
        ),
        exchange(
            low,
            foreign(low.hello_json(), "\r\n\t ", True, escaped),
            foreign(low.answer_json(), " ", True, escaped),
            [(0, SURROGATES, 0, 200, COUNTRIES, turned), (1, PADDED, 0xFFFFFFFF, 503, b" ", turned)],
        ),
        exchange(
            habits,
            foreign(habits.hello_json(), "\t\n", True, escaped),
            foreign(habits.answer_json(), "\r\n ", True, escaped + "_-"),
            [(0, SURROGATES, 0x80000000, 200, COUNTRIES, turned), (1, SHORT, 0, 200, b"", turned)],
        ),
        exchange(deep, deep_hello(deep), deep_answer(deep), [(0, DEEP, 1, 200, COUNTRIES, turned)]),
        exchange(signed, compact(signed.hello_json()), compact(signed.answer_json()), [(0, GET, 1, 200, COUNTRIES, same)]),
        exchange(
            pinned,
            deep_hello(pinned),
            deep_answer(pinned),
            [(0, DEEP, 1, 200, COUNTRIES, turned), (LIMIT - 1, GET_WITH_BODY, 2, 200, COUNTRIES, same)],
        ),
        exchange(
            mutual,
            foreign(mutual.hello_json(), "", True, "/"),
            foreign(mutual.answer_json(), "", True, "_-"),
            [(0, GET, 1, 200, COUNTRIES, same), (1, SURROGATES, 1, 200, b"{}", turned)],
        ),
        exchange(limits, compact(limits.hello_json()), compact(limits.answer_json()), [(0, GET, 1, 200, COUNTRIES, same)]),
    ]


# Hellos that an over-strict reader would refuse.


def hellos():
    x = Exchange("")
    base = compact(x.hello_json())

    def member(raw):
        return with_member(base, f'"future":{raw}')

    texts = [
        (
            "header names and the media type without case, a parameter",
            base,
            [["x-dynamic-key-version", "2"], ["CONTENT-TYPE", "Application/JSON; charset=utf-8"]],
        ),
        ("white space around and between", " \t\r\n" + base.replace(",", " ,\n").replace(":", "\t: ") + "\r\n"),
        ("exactly 16 levels of arrays", member("[" * 15 + "]" * 15)),
        ("exactly 16 levels of objects", member('{"a":' * 14 + "{}" + "}" * 14)),
        ("many siblings at the deepest level", member("[" * 14 + ",".join(["[]"] * 50) + "]" * 14)),
        ("null for an unknown member", member("null")),
        ("unknown members that repeat names below the defined objects", member('{"a":1,"a":2,"\\u0061":3}')),
        ("names of known members inside an unknown one", member('{"clientPublicKey":null,"device":[]}')),
        ("a known name in another case is an unknown member", with_member(base, '"ClientPublicKey":1,"clientpublickey":2')),
        ("numbers of every shape", member("[0,-0,0.0,1e400,-1E-400,1.5e+3,123456789012345678901234567890]")),
        ("strings of every shape", member('["","\\"\\\\\\/\\b\\f\\n\\r\\t","\\u0000\\uFFFF\\uffff","\\uD83D\\uDE00\\udbff\\udfff"]')),
        ("raw characters of two, three and four bytes, and a raw 0x7F", member('"\u00e9\u20ac\U0001f511\x7f\ufffe"')),
        ("a byte-order mark inside a string is a character", member('"\ufeff"')),
        ("an unknown scheme in every other place", base.replace('["SCHEME-EC-AES2",', '["x","SCHEME-EC-AES2","y",')),
        ("the same name as a scheme and as a feature", base.replace('"features":[]', '"features":["SCHEME-EC-AES2"]')),
        ("names that differ in case are not duplicates", base.replace('"features":[]', '"features":["rt","RT","Rt"]')),
        ("a nonce whose base64 has plus and slash", base.replace(b64(x.client_nonce), b64(b"\xfb\xff\xfe" * 5 + b"\xff"))),
        ("every character escaped", escape_all(base)),
        ("an empty identity is an unknown name elsewhere", with_member(base, '"identity":null')),
        ("plain: an unknown member named nonce", with_member(compact(Exchange("", mode="plain").hello_json()), '"nonce":"x"')),
    ]
    out = []
    for name, text, *headers in texts:
        headers = headers[0] if headers else HEADERS
        hello, scheme = roles.gateway(POLICY, headers, text.encode())
        entry = {"name": name, "text": text, "scheme": scheme, "expect": expectation(hello)}
        out.append(entry | ({"headers": headers} if headers is not HEADERS else {}))
    return out


def escape_all(text):
    value = json.loads(text)
    every = "".join(sorted(set(text) - set('/"')))
    return foreign(value, escaped=every + '"')


def make():
    return {
        "source": "PROTOCOL sections 2.1 to 2.4, made by generate.py with Python cryptography",
        "headers": HEADERS,
        "gateway": POLICY,
        "exchanges": exchanges(),
        "hellos": hellos(),
    }
