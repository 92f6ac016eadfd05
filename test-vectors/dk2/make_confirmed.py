"""confirmed.json was made elsewhere: every value in it is computed again here."""

import json

from .agreement import Keys, plain_key, proof_text, signed_by, transcript_input
from .envelope import request_aad, seal
from .exchange import SERVER_IDENTITY, sealed_pair
from .groups import agree, group_of, public_key
from .primitives import Identity, b64, es256_verifies, sha256, unb64, unb64url


def differences(text):
    """Names of the values that do not come out again. Signatures there were made with random
    nonces, so they are verified."""
    document = json.loads(text)
    found = list(compare("plain", document["plain"], plain(document["plain"])))
    for given in document["cases"]:
        again = case(given)
        message = signed_by("server", bytes.fromhex(again["T"]))
        if "serverSignature" in given:
            if not es256_verifies(given["serverJwk"], unb64url(given["serverSignature"]), message):
                found.append(f"{given['name']}: serverSignature")
            again["serverSignature"] = given["serverSignature"]
        found += compare(given["name"], given, again)
    return found


def plain(given):
    private = {who: int(given[f"{who}Private"], 16) for who in ("client", "server")}
    keys = {who: public_key("P-256", private[who]) for who in private}
    z = agree("P-256", private["client"], keys["server"])
    key = plain_key(z, given["sessionId"])
    envelope = given["envelope"]
    aad = request_aad(given["sessionId"])
    data = seal(key, None, unb64(envelope["nonce"]), envelope["plaintext"].encode(), aad)
    return given | {
        "clientPublicKey": b64(keys["client"]),
        "serverPublicKey": b64(keys["server"]),
        "Z": z.hex(),
        "key": key.hex(),
        "envelope": envelope | {"aad": aad, "data": b64(data)},
    }


def case(given):
    fields = {int(number): bytes.fromhex(value) for number, value in given["fields"].items()}
    scheme = fields[12].decode()
    group = group_of(scheme)
    client, server = (int(given[f"{who}Private"], 16) for who in ("client", "server"))
    fields |= {2: public_key(group, client), 10: public_key(group, server)}
    out = dict(given)
    if "serverJwk" in given:
        identity = Identity(SERVER_IDENTITY)
        out["serverJwk"] = identity.jwk
        fields[17] = identity.kid.encode()
    z = agree(group, client, fields[10])
    data = transcript_input(fields)
    keys = Keys(scheme, z, sha256(data))
    out |= {
        "fields": {str(number): value.hex() for number, value in fields.items()},
        "transcriptInput": data.hex(),
        "T": keys.t.hex(),
        "Z": z.hex(),
        "PRK": keys.prk.hex(),
        "proof": proof_text(keys),
        "keys": {label: value.hex() for label, value in keys.labels.items()},
    }
    if "envelopes" in given:
        out["envelopes"] = [envelope(fields[13].decode(), keys, one) for one in given["envelopes"]]
    return out


def envelope(session_id, keys, given):
    return sealed_pair(
        session_id,
        (keys["client write"], keys["client iv"]),
        (keys["server write"], keys["server iv"]),
        given["counter"],
        given["plaintext"].encode(),
        given["response"]["instance"],
        given["response"]["status"],
        given["response"]["plaintext"].encode(),
    )


def compare(name, given, again):
    for key in given.keys() | again.keys():
        if given.get(key) != again.get(key):
            yield f"{name}: {key}"
