"""§2.1, §2.4, §3: the messages, read to the letter. Everything that is wrong is MALFORMED_REQUEST."""

import datetime
import re

from .primitives import unb64, unb64url
from .strictjson import malformed, parse

NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
SESSION_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
BODY_DEPTH = 64
LIMIT = 1 << 20


def need(condition):
    if not condition:
        raise malformed()


def get(members, name):
    need(name in members)
    return members[name]


def printable(value, longest):
    text = value.string()
    need(1 <= len(text) <= longest and all(" " <= c <= "~" for c in text))
    return text


def names(value, fewest):
    found = value.strings()
    need(fewest <= len(found) <= 8 and len(set(found)) == len(found))
    need(all(NAME.fullmatch(name) for name in found))
    return found


def nonce(value):
    data = unb64(value.string())
    need(16 <= len(data) <= 32)
    return data


def kid(value):
    text = value.string()
    need(len(text) == 43 and len(unb64url(text)) == 32)
    return text


def hello(body):
    """§2.1. `keyAgreement` members are present in the result if the mode is not plain."""
    need(len(body) <= LIMIT)
    root = parse(body).members()
    device, client = get(root, "device").members(), get(root, "client").members()
    out = {
        "clientPublicKey": unb64(get(root, "clientPublicKey").string()),
        "deviceId": printable(get(device, "id"), 64),
        "platform": printable(get(device, "platform"), 32),
        "clientType": printable(get(client, "type"), 64),
        "clientId": printable(get(client, "clientId"), 64),
    }
    if "keyAgreement" in root:
        agreement = root["keyAgreement"].members()
        out["supportedSchemes"] = names(get(agreement, "supportedSchemes"), 1)
        out["nonce"] = nonce(get(agreement, "nonce"))
        out["features"] = names(agreement["features"], 0) if "features" in agreement else []
        if "identity" in agreement:
            out["kid"] = kid(get(agreement["identity"].members(), "kid"))
    return out


def timestamp(value):
    text = value.string()
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text, re.ASCII))
    try:
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise malformed() from None
    return text


def answer(body):
    """§2.1, status 200."""
    root = parse(body).members()
    out = {
        "serverPublicKey": unb64(get(root, "serverPublicKey").string()),
        "sessionId": get(root, "sessionId").string(),
        "token": get(root, "token").string(),
        "expireToken": get(root, "expireToken").digits(),
        "expiresAt": timestamp(get(root, "expiresAt")),
    }
    need(SESSION_ID.fullmatch(out["sessionId"]) and TOKEN.fullmatch(out["token"]))
    if "keyAgreement" in root:
        agreement = root["keyAgreement"].members()
        out["scheme"] = get(agreement, "scheme").string()
        need(NAME.fullmatch(out["scheme"]))
        out["nonce"] = nonce(get(agreement, "nonce"))
        out["features"] = names(agreement["features"], 0) if "features" in agreement else []
        out["expiresIn"] = get(agreement, "expiresIn").digits()
        if "proof" in agreement:  # without one it is below every mode, which is the client's to say
            out["proof"] = unb64(agreement["proof"].string())
            need(len(out["proof"]) == 32)
        out.update(identity(agreement))
    return out


def identity(members):
    if "identity" not in members:
        return {}
    found = members["identity"].members()
    out = {"kid": kid(get(found, "kid")), "signature": unb64url(get(found, "signature").string())}
    need(len(out["signature"]) == 64)
    return out


def envelope(body):
    """§2.4: nonce, data and, in mutual mode, the client's signature as its text."""
    root = parse(body).members()
    out = {"nonce": unb64(get(root, "nonce").string()), "data": unb64(get(root, "data").string())}
    need(len(out["nonce"]) == 12 and len(out["data"]) >= 16)
    if "identity" in root:
        out["signature"] = get(root["identity"].members(), "signature").string()
    return out


def request(plaintext):
    """§2.4, the request inside an envelope. `body` is its raw bytes, or None."""
    root = parse(plaintext, BODY_DEPTH).members()
    out = {"method": get(root, "method").string(), "path": get(root, "path").string()}
    for name in ("headers", "query"):
        members = root[name].members() if name in root else {}
        out[name] = {key: value.string() for key, value in members.items()}
    lower = [key.lower() for key in out["headers"]]
    need(len(set(lower)) == len(lower))
    for key, text in out["headers"].items():
        need(not re.search(r"[\x00-\x1f\x7f]", key + text))
    body = root.get("body")
    out["body"] = None if body is None or body.kind == "null" or out["method"] in ("GET", "HEAD") else body.raw
    return out


def path_allowed(path):
    """§2.5, before any rule is looked at."""
    if not re.fullmatch(r"(/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)+|/", path):
        return False
    decoded = [bytes.fromhex(triplet[1:]) for triplet in re.findall(r"%..", path)]
    if any(byte in b"/\\.%" or byte < b" " or byte == b"\x7f" for byte in decoded):
        return False
    try:
        re.sub(rb"%(..)", lambda m: bytes.fromhex(m[1].decode()), path.encode()).decode()
    except UnicodeDecodeError:
        return False
    return not {".", ".."} & set(path.split("/"))


def agreement_request(body):
    """§3."""
    root = parse(body).members()
    out = {
        "identifier": unb64(get(root, "identifier").string()),
        "nonce": nonce(get(root, "nonce")),
        "publicKey": unb64(get(root, "public_key").string()),
        "supportedSchemes": names(get(root, "supported_schemes"), 1),
    }
    need(1 <= len(out["identifier"]) <= 255)
    return out


def agreement_response(body):
    """§3, status 200."""
    root = parse(body).members()
    out = {
        "referenceId": get(root, "client_reference_id").string(),
        "identifier": unb64(get(root, "identifier").string()),
        "proof": unb64(get(root, "proof").string()),
        "publicKey": unb64(get(root, "public_key").string()),
        "scheme": get(root, "scheme").string(),
    }
    need(out["referenceId"] and 1 <= len(out["identifier"]) <= 255 and len(out["proof"]) == 32)
    if "expires_in" in root:
        out["expiresIn"] = root["expires_in"].digits()
    out.update(identity(root))
    return out
