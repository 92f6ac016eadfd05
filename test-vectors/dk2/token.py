"""§2.8: the token, issued and verified."""

import json

from .primitives import Refused, b64url, es256_verifies, hkdf_expand, hkdf_extract, hmac_sha256, unb64url
from .strictjson import malformed, parse

LEEWAY = 60
REFUSED_HEADERS = {"crit", "zip", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"}


def hs256_key(secret):
    """From a secret of at least 32 bytes."""
    return hkdf_expand(hkdf_extract(b"", secret), b"dynamic-key v2 token", 32)


def signing_input(header, claims):
    """Both are JSON text or dicts."""
    return ".".join(
        b64url((part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))).encode()) for part in (header, claims)
    )


def hs256(header, claims, key):
    text = signing_input(header, claims)
    return f"{text}.{b64url(hmac_sha256(key, text.encode()))}"


def es256(header, claims, identity):
    text = signing_input(header, claims)
    return f"{text}.{b64url(identity.sign(text.encode()))}"


def verify(token, alg, key, expected, now):
    """The claims, or Refused. `alg` is the verifier's choice and `key` is of that kind: the derived HMAC
    key or a JWK. `expected` is aud, sid, cid and did of the session; `now` is in Unix seconds."""
    parts = token.split(".")
    if len(parts) != 3:
        raise malformed()
    header, claims, signature = (unb64url(part) for part in parts)
    signed = f"{parts[0]}.{parts[1]}".encode()
    genuine = hmac_sha256(key, signed) == signature if alg == "HS256" else es256_verifies(key, signature, signed)
    if not genuine:
        raise Refused("signature")
    header, claims = parse(header).members(), parse(claims).members()
    if text(header, "alg") != alg or text(header, "typ") != "dk2+jwt" or REFUSED_HEADERS & set(header):
        raise Refused("header")
    for name, value in expected.items():
        if text(claims, name) != value:
            raise Refused(name)
    times = {name: seconds(claims, name) for name in ("iat", "nbf", "exp")}
    if now >= times["exp"] or now + LEEWAY < times["nbf"] or now + LEEWAY < times["iat"]:
        raise Refused("time")
    return claims


def text(members, name):
    if name not in members:
        raise malformed()
    return members[name].string()


def seconds(members, name):
    if name not in members:
        raise malformed()
    return int(members[name].digits())
