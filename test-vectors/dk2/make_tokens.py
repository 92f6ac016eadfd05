"""tokens.json: tokens and what a gateway that issued the session says of them."""

import json

from . import token
from .exchange import SERVER_IDENTITY, STRANGER, scalar
from .primitives import Identity, Refused, b64, b64url, signature_der

SECRET = bytes(range(0x60, 0x80))
LONG_SECRET = bytes(range(200))
GATEWAY, OTHER = Identity(SERVER_IDENTITY), Identity(STRANGER)
EXPECTED = {"aud": "https://gateway.example", "sid": "opaque-session-id", "cid": "internal-web-client", "did": 'q"uote\\back/slash'}
IAT, EXP = 1780527600, 1780531200
CLAIMS = {**EXPECTED, "iat": IAT, "nbf": IAT, "exp": EXP}
KEYS = {"HS256": token.hs256_key(SECRET), "ES256": GATEWAY.jwk}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def made(alg, header=None, claims=None, key=None):
    header = {"alg": alg, "typ": "dk2+jwt"} if header is None else header
    claims = CLAIMS if claims is None else claims
    if alg == "HS256":
        return token.hs256(header, claims, key or KEYS["HS256"])
    return token.es256(header, claims, key or GATEWAY)


def without(name):
    return {key: value for key, value in CLAIMS.items() if key != name}


def text(value):
    return json.dumps(value, separators=(",", ":"))


def rows(alg):
    """(name, token, now, why it is refused or None)."""
    now = IAT + 100
    good = made(alg)
    header, claims, signature = good.split(".")
    raw = token.unb64url(signature)

    # Accepted.
    yield "issued", good, now, None
    yield "a second before its end", good, EXP - 1, None
    yield "at its beginning", good, IAT, None
    yield "iat and nbf 60 s ahead", good, IAT - 60, None
    yield "nbf 60 s ahead, iat long past", made(alg, claims=CLAIMS | {"nbf": now + 60}), now, None
    yield "iat 60 s ahead, nbf long past", made(alg, claims=CLAIMS | {"iat": now + 60}), now, None
    yield "claims in another order, spread out", made(alg, claims=json.dumps(dict(reversed(CLAIMS.items())), indent=2)), now, None
    yield "claims escaped", made(alg, claims=text(CLAIMS).replace("/", "\\/").replace('"sid"', '"\\u0073id"')), now, None
    yield "typ before alg", made(alg, header={"typ": "dk2+jwt", "alg": alg}), now, None
    yield (
        "an unknown claim, an unknown header member",
        made(alg, header={"alg": alg, "typ": "dk2+jwt", "kid": "k"}, claims=CLAIMS | {"jti": None}),
        now,
        None,
    )

    # Time.
    yield "at its end", good, EXP, "now >= exp; no leeway."
    yield "past its end", good, EXP + 59, "now >= exp; no leeway."
    yield "iat and nbf 61 s ahead", good, IAT - 61, "60 s of leeway."
    yield "nbf 61 s ahead", made(alg, claims=CLAIMS | {"nbf": now + 61}), now, "60 s of leeway."
    yield "iat 61 s ahead", made(alg, claims=CLAIMS | {"iat": now + 61}), now, "60 s of leeway."
    for name in ("iat", "nbf", "exp"):
        yield f"{name} absent", made(alg, claims=without(name)), now, "A claim that is checked is required."
        for bad in (None, str(CLAIMS[name]), True, [CLAIMS[name]], {}, -1):
            yield f"{name} is {text(bad)}", made(alg, claims=CLAIMS | {name: bad}), now, "Malformed is not absent, and neither is accepted."
        again = text(CLAIMS)[:-1]
        yield f"{name} twice", made(alg, claims=f'{again},"{name}":{CLAIMS[name]}}}'), now, "A repeated name is malformed."
        yield (
            f"{name} twice, escaped",
            made(alg, claims=f'{again},"\\u00{ord(name[0]):x}{name[1:]}":{CLAIMS[name]}}}'),
            now,
            "A repeated name is malformed.",
        )
        for digits in (str(2**64 + CLAIMS[name]), "9" * 400):
            yield (
                f"{name} of {len(digits)} digits",
                made(alg, claims=text(CLAIMS).replace(f'"{name}":{CLAIMS[name]}', f'"{name}":{digits}')),
                now,
                "An integer of at most 2^53-1; it neither wraps nor saturates.",
            )
        yield f"{name} with a leading zero", made(alg, claims=text(CLAIMS).replace(f'"{name}":', f'"{name}":0')), now, "No JSON."

    # Whose it is.
    for name, value in EXPECTED.items():
        yield f"{name} absent", made(alg, claims=without(name)), now, "A claim that is checked is required."
        for bad in (None, "", value + "x", value[:-1], value.upper(), [value], 7):
            yield (
                f"{name} is {text(bad)}",
                made(alg, claims=CLAIMS | {name: bad}),
                now,
                "Another session's, client's, device's or gateway's.",
            )
        yield f"{name} twice", made(alg, claims=text(CLAIMS)[:-1] + f',"{name}":{text(value)}}}'), now, "A repeated name is malformed."
    yield (
        "aud with a slash at the end",
        made(alg, claims=CLAIMS | {"aud": EXPECTED["aud"] + "/"}),
        now,
        "The configured origin, nothing else.",
    )
    yield "an unknown claim twice", made(alg, claims=text(CLAIMS)[:-1] + ',"x":1,"x":1}'), now, "A repeated name is malformed."

    # The header.
    other = "ES256" if alg == "HS256" else "HS256"
    for bad in ("none", "None", "NONE", "", other, "HS384", "ES384", "RS256", alg.lower(), None, [alg]):
        yield (
            f"alg {text(bad)}, the {alg} signature right",
            made(alg, header={"alg": bad, "typ": "dk2+jwt"}),
            now,
            "alg is the verifier's choice.",
        )
    yield (
        "alg none, no signature",
        token.signing_input({"alg": "none", "typ": "dk2+jwt"}, CLAIMS) + ".",
        now,
        "alg is the verifier's choice.",
    )
    yield (
        "alg none, the signature right",
        token.signing_input({"alg": "none", "typ": "dk2+jwt"}, CLAIMS) + "." + signature,
        now,
        "alg is the verifier's choice.",
    )
    yield f"alg swapped: a genuine {other} token", made(other), now, "alg is the verifier's choice."
    if alg == "ES256":
        for name, key in (
            ("x", token.unb64url(GATEWAY.jwk["x"])),
            ("the JWK", text(GATEWAY.jwk).encode()),
            ("the thumbprint", GATEWAY.kid.encode()),
        ):
            for claimed in ("HS256", "ES256"):
                yield (
                    f"alg swapped: HMAC with {name} as key, alg {claimed}",
                    token.hs256({"alg": claimed, "typ": "dk2+jwt"}, CLAIMS, key),
                    now,
                    "A public key is no HMAC key.",
                )
    yield "no alg", made(alg, header={"typ": "dk2+jwt"}), now, "alg is required."
    yield "alg twice", made(alg, header=f'{{"alg":"none","typ":"dk2+jwt","alg":"{alg}"}}'), now, "A repeated name is malformed."
    yield (
        "alg twice, escaped",
        made(alg, header=f'{{"\\u0061lg":"none","typ":"dk2+jwt","alg":"{alg}"}}'),
        now,
        "A repeated name is malformed.",
    )
    for bad in ("JWT", "dk2", "dk2+jwt ", "jwt", "", None, ["dk2+jwt"]):
        yield f"typ {text(bad)}", made(alg, header={"alg": alg, "typ": bad}), now, "typ is dk2+jwt."
    yield "no typ", made(alg, header={"alg": alg}), now, "typ is dk2+jwt."
    for name, value in (
        ("crit", ["exp"]),
        ("crit", []),
        ("zip", "DEF"),
        ("b64", False),
        ("jwk", OTHER.jwk),
        ("jku", "https://example.com"),
        ("x5c", []),
    ):
        yield (
            f"{name} {text(value)[:12]} in the header",
            made(alg, header={"alg": alg, "typ": "dk2+jwt", name: value}),
            now,
            "Section 4 refuses this member.",
        )

    # The form.
    yield "empty", "", now, "Three parts."
    for name, bad in (
        ("two parts", f"{header}.{claims}"),
        ("no signature", f"{header}.{claims}."),
        ("four parts", good + "."),
        ("five parts", "..".join([good] + ["x"])),
        ("no header", f".{claims}.{signature}"),
        ("no claims", f"{header}..{signature}"),
        ("dots alone", ".."),
        ("a space before", " " + good),
        ("a line feed after", good + "\n"),
        ("NUL after", good + "\0"),
        ("padding on the signature", good + "=="),
        ("padding on the header", f"{header}=.{claims}.{signature}"),
        ("base64, not base64url", f"{header}.{claims}.{b64(raw)}"),
        ("a bearer prefix", "Bearer " + good),
    ):
        yield name, bad, now, "Not the compact form in canonical base64url."
    yield "unused bits set in the signature", good[:-1] + chr(ord(good[-1]) + 1), now, "Not canonical."
    for name, bad in (
        ("claims are an array", "[]"),
        ("claims are empty", ""),
        ("claims cut", text(CLAIMS)[:-1]),
        ("a byte after the claims", text(CLAIMS) + "x"),
        ("a byte-order mark before the claims", "\ufeff" + text(CLAIMS)),
        ("claims nested too deep", text(CLAIMS)[:-1] + ',"x":' + "[" * 16 + "]" * 16 + "}"),
        ("a lone surrogate in the claims", text(CLAIMS)[:-1] + ',"x":"\\ud800"}'),
    ):
        yield name, made(alg, claims=bad), now, "The claims are one JSON object, read as section 2.1 reads."
    yield "the header is an array", made(alg, header="[]"), now, "The header is one JSON object."

    # The signature.
    for name, bad in (
        ("first bit", bytes([raw[0] ^ 128]) + raw[1:]),
        ("last bit", raw[:-1] + bytes([raw[-1] ^ 1])),
        ("cut by one", raw[:-1]),
        ("cut by half", raw[: len(raw) // 2]),
        ("a byte more", raw + b"\0"),
        ("all zero", bytes(len(raw))),
        ("all ones", b"\xff" * len(raw)),
    ):
        yield f"signature: {name}", f"{header}.{claims}.{b64url(bad)}", now, "The signature is wrong."
    yield (
        "claims exchanged",
        f"{header}.{token.signing_input('', CLAIMS | {'exp': EXP + 1})[1:]}.{signature}",
        now,
        "The signature is another text's.",
    )
    yield "a claim's base64url respelt", f"{header}.{claims[:-1] + chr(ord(claims[-1]) + 1)}.{signature}", now, "Not the signed bytes."
    if alg == "HS256":
        yield "the secret itself as key", made(alg, key=SECRET), now, "The key is derived from the secret."
        yield "another secret", made(alg, key=token.hs256_key(LONG_SECRET)), now, "Another key."
        yield "an empty key", made(alg, key=bytes(32)), now, "Another key."
    else:
        s = int.from_bytes(raw[32:], "big")
        yield "a stranger's key", made(alg, key=OTHER), now, "Another key."
        yield "signature in DER", f"{header}.{claims}.{b64url(signature_der(raw))}", now, "64 bytes, r and s."
        yield "r and s exchanged", f"{header}.{claims}.{b64url(raw[32:] + raw[:32])}", now, "The signature is wrong."
        yield "r = 0", f"{header}.{claims}.{b64url(bytes(32) + raw[32:])}", now, "0 < r, s < n."
        yield "s = 0", f"{header}.{claims}.{b64url(raw[:32] + bytes(32))}", now, "0 < r, s < n."
        yield "r = s = n", f"{header}.{claims}.{b64url(ORDER.to_bytes(32, 'big') * 2)}", now, "0 < r, s < n."
        if s + ORDER < 2**256:
            yield "s + n", f"{header}.{claims}.{b64url(raw[:32] + (s + ORDER).to_bytes(32, 'big'))}", now, "0 < r, s < n."


def said(alg, candidate, now):
    try:
        token.verify(candidate, alg, KEYS[alg], EXPECTED, now)
    except Refused:
        return False
    return True


def make():
    cases = []
    for alg in ("HS256", "ES256"):
        for name, candidate, now, why in rows(alg):
            assert said(alg, candidate, now) == (why is None), (alg, name)
            case = {"name": name, "alg": alg, "now": now, "token": candidate, "valid": why is None}
            cases.append(case | ({"why": why} if why else {}))
    names = [(case["alg"], case["name"]) for case in cases]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return {
        "source": "PROTOCOL section 2.8, made by generate.py with Python cryptography",
        "hs256": [{"secret": secret.hex(), "key": token.hs256_key(secret).hex()} for secret in (SECRET, LONG_SECRET)],
        "es256": {"private": scalar(SERVER_IDENTITY), "jwk": GATEWAY.jwk, "kid": GATEWAY.kid},
        "expected": EXPECTED,
        "leeway": token.LEEWAY,
        "issued": {"iat": IAT, "nbf": IAT, "exp": EXP},
        "tokens": cases,
    }
