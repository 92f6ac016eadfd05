"""What a gateway says to a hello and what a client says to an answer: the verdicts that every vector
is held against."""

from . import messages
from .agreement import agree_keys, plain_key, signed_by, text_list
from .envelope import open_data, request_aad, response_aad
from .groups import SCHEMES, STRENGTH, agree, group_of, read_spki
from .primitives import Refused, es256_verifies, thumbprint, unb64url

MODES = ["plain", "confirmed", "mutual"]  # as a gateway sees them: it cannot know who pins


class Retry(Refused):
    """409; the second argument is the scheme."""


def one_header(headers, name):
    """The value of a header, None where absent."""
    found = [value for key, value in headers if key.lower() == name.lower()]
    return found[0] if found else None


def check_headers(headers):
    if one_header(headers, "X-Dynamic-Key-Version") != "2":
        raise Refused("MISSING_VERSION")
    media_type = (one_header(headers, "Content-Type") or "").split(";")[0].strip()
    if media_type.lower() != "application/json":
        raise Refused("MALFORMED_REQUEST")
    for name in ("X-Dynamic-Key-Version", "Content-Type"):
        if sum(key.lower() == name.lower() for key, _ in headers) > 1:
            raise Refused("MALFORMED_REQUEST")


def mode_of(hello):
    if "supportedSchemes" not in hello:
        return "plain"
    return "mutual" if "kid" in hello else "confirmed"


def gateway(policy, headers, body):
    """The hello and the chosen scheme, or Refused with the code. Checks in the order of §2.1."""
    check_headers(headers)
    hello = messages.hello(body)
    check_client(policy, hello)
    if MODES.index(mode_of(hello)) < MODES.index(policy["leastMode"]):
        raise Refused("CONFIRMATION_REQUIRED")
    offered = hello.get("supportedSchemes", ["SCHEME-EC-AES2"])
    order = offered if policy["preference"] == "client" else STRENGTH
    common = [name for name in order if name in offered and name in policy["schemes"]]
    if not common:
        raise Refused("NO_COMMON_SCHEME")
    group, _ = read_spki(hello["clientPublicKey"])
    if group != group_of(common[0]):
        raise Retry("RETRY_WITH_SCHEME", common[0])
    return hello, common[0]


def check_client(policy, hello):
    claims = {"type": hello["clientType"], "clientId": hello["clientId"]}
    bound = {**claims, "deviceId": hello["deviceId"]}
    registered = {entry["kid"]: {k: v for k, v in entry.items() if k != "kid"} for entry in policy["identities"]}
    if claims not in policy["clients"] or ("kid" in hello and registered.get(hello["kid"]) != bound):
        raise Refused("CLIENT_NOT_ALLOWED")


# The client.


def dynamic_key_fields(hello, answer):
    """Fields 1…21 of the transcript, of what the two messages say."""
    texts = {
        1: "dynamic-key-v2",
        5: hello["deviceId"],
        6: hello["platform"],
        7: hello["clientType"],
        8: hello["clientId"],
        9: hello.get("kid", ""),
        12: answer["scheme"],
        13: answer["sessionId"],
        14: answer["expiresAt"],
        15: answer["token"],
        16: "",
        17: answer.get("kid", ""),
        18: answer["expiresIn"],
        19: answer["expireToken"],
    }
    return {number: text.encode() for number, text in texts.items()} | {
        2: hello["clientPublicKey"],
        3: hello["nonce"],
        4: text_list(hello["supportedSchemes"]),
        10: answer["serverPublicKey"],
        11: answer["nonce"],
        20: text_list(hello["features"]),
        21: text_list(answer["features"]),
    }


def client(mode, private, hello, pins, body, retried=None):
    """The keys (in plain mode the one key) of an answer, or Refused with a reason. `pins` are JWKs,
    `retried` is the scheme that a 409 named before."""
    try:
        answer = messages.answer(body)
    except Refused:
        raise Refused("malformed") from None
    if mode == "plain":
        z = with_reason("public key", lambda: agree("P-256", private, answer["serverPublicKey"]))
        return plain_key(z, answer["sessionId"])
    if "proof" not in answer or (mode != "confirmed" and "signature" not in answer):
        raise Refused("below mode")
    offered = set(hello["supportedSchemes"]) & set(SCHEMES)
    if answer["scheme"] not in offered or set(answer["features"]) - set(hello["features"]):
        raise Refused("not offered")
    if group_of(answer["scheme"]) != read_spki(hello["clientPublicKey"])[0] or retried not in (None, answer["scheme"]):
        raise Refused("not offered")
    fields = dynamic_key_fields(hello, answer)
    _, _, keys = with_reason("public key", lambda: agree_keys(fields, private, answer["serverPublicKey"]))
    return verified(keys, answer, None if mode == "confirmed" else pins)


def verified(keys, answer, pins):
    if answer["proof"] != keys.proof:
        raise Refused("proof")
    if pins is not None:
        jwk = next((jwk for jwk in pins if thumbprint(jwk) == answer["kid"]), None)
        if jwk is None or not es256_verifies(jwk, answer["signature"], signed_by("server", keys.t)):
            raise Refused("identity")
    return keys


def client_409(hello, body, retried=None):
    """The scheme to retry with, or Refused("retry")."""
    try:
        scheme = messages.get(messages.parse(body).members(), "scheme").string()
    except Refused:
        raise Refused("malformed") from None
    offered = set(hello["supportedSchemes"]) & set(SCHEMES)
    if retried or scheme not in offered or group_of(scheme) == read_spki(hello["clientPublicKey"])[0]:
        raise Refused("retry")
    return scheme


def with_reason(reason, step):
    try:
        return step()
    except Refused:
        raise Refused(reason) from None


# §3.


def key_agreement_fields(request, response):
    texts = {1: "key-agreement", 12: response["scheme"], 13: response["referenceId"], 17: response.get("kid", "")}
    fields = {number: b"" for number in range(1, 22)}
    fields |= {number: text.encode() for number, text in texts.items()}
    return fields | {
        2: request["publicKey"],
        3: request["nonce"],
        4: text_list(request["supportedSchemes"]),
        5: request["identifier"],
        10: response["publicKey"],
        16: response["identifier"],
    }


def agreement_gateway(schemes, body):
    """The chosen scheme; every refusal is 400 with an empty body."""
    request = messages.agreement_request(body)
    group, _ = read_spki(request["publicKey"])
    common = [name for name in request["supportedSchemes"] if name in schemes and group_of(name) == group]
    if not common:
        raise Refused("NO_COMMON_SCHEME")
    return request, common[0]


def agreement_client(mode, private, request, pins, body):
    try:
        response = messages.agreement_response(body)
    except Refused:
        raise Refused("malformed") from None
    if mode == "pinned" and "signature" not in response:
        raise Refused("below mode")
    offered = set(request["supportedSchemes"]) & set(SCHEMES)
    if response["scheme"] not in offered or group_of(response["scheme"]) != read_spki(request["publicKey"])[0]:
        raise Refused("not offered")
    fields = key_agreement_fields(request, response)
    _, _, keys = with_reason("public key", lambda: agree_keys(fields, private, response["publicKey"]))
    return verified(keys, response, pins if mode == "pinned" else None)


# §2.4 and §2.5.

RULES = [
    ("POST", "/users/login"),
    ("GET", "/users/getbyid/:id"),
    ("GET", "/qr/get/reverse/:BFP"),
    ("GET", "/companies/getbyid/:idCompany"),
    ("GET", "/countries/get"),
    ("GET", "/lang/get"),
]


class Session:
    """The gateway's end after a handshake: `direction` is the client's (key, iv), `window` what
    remembers nonces, `client` the JWK whose signature over T is still missing."""

    def __init__(self, session_id, direction, window, client=None, t=b""):
        self.id, self.direction, self.window, self.client, self.t = session_id, direction, window, client, t
        self.plain = direction[1] is None

    def request(self, headers, body):
        """(request, None), or (code, whether the answer is sealed)."""
        try:
            check_headers(headers)
            found = messages.envelope(body)
            mark = self.window.check(found["nonce"])
            plaintext = open_data(*self.direction, found["nonce"], found["data"], request_aad(self.id))
        except Refused as refused:
            return refused.args[0], False
        self.window.commit(mark)
        try:
            return self.act(plaintext, found.get("signature")), None
        except Refused as refused:
            return refused.args[0], not self.plain

    def act(self, plaintext, signature):
        if self.client:
            if signature is None or not self.client_signed(signature):
                raise Refused("CLIENT_NOT_ALLOWED")
            self.client = None
        request = messages.request(plaintext)
        if not allowed(request["method"], request["path"]):
            raise Refused("ROUTE_NOT_ALLOWED")
        return request

    def client_signed(self, signature):
        return es256_verifies(self.client, unb64url(signature), signed_by("client", self.t))


def allowed(method, path):
    def matches(pattern):
        ours, theirs = pattern.split("/"), path.split("/")
        return len(ours) == len(theirs) and all(a == b or a.startswith(":") for a, b in zip(ours, theirs))

    return messages.path_allowed(path) and any(method == rule and matches(pattern) for rule, pattern in RULES)


# What a gateway says of a request only after it has opened it.
SEALED = {"ROUTE_NOT_ALLOWED": 404, "UPSTREAM_UNAVAILABLE": 502, "CLIENT_NOT_ALLOWED": 403, "CONFIRMATION_REQUIRED": 400}


class Outstanding:
    """The client's end: the nonces of requests that still want an answer."""

    def __init__(self, session_id, direction, nonces):
        self.id, self.direction, self.nonces = session_id, direction, list(nonces)
        self.plain = direction[1] is None

    def response(self, status, body):
        """The plaintext, or Refused with a reason."""
        if self.unsealed_code(body) in [f"DYNAMIC_KEY_V2_{code}" for code in SEALED]:
            raise Refused("unsealed")
        found = with_reason("malformed", lambda: messages.envelope(body))
        if self.plain:
            request = self.nonces[0] if self.nonces else None
            if request is None or found["nonce"][:4] == request[:4]:
                raise Refused("encryption")
            aad = request_aad(self.id)
        else:
            request = next((nonce for nonce in self.nonces if nonce[4:] == found["nonce"][4:]), None)
            if request is None:
                raise Refused("encryption")
            aad = response_aad(self.id, request, status)
        plaintext = with_reason("encryption", lambda: open_data(*self.direction, found["nonce"], found["data"], aad))
        self.nonces.remove(request)
        return plaintext

    def unsealed_code(self, body):
        try:
            root = messages.parse(body).members()
            return root["code"].string() if "code" in root and not self.plain else None
        except Refused:
            return None
