"""One handshake with every fact fixed: the two messages, the keys, and envelopes under them."""

import json
from dataclasses import dataclass, field

from . import envelope
from .agreement import agree_keys, plain_key, signed_by
from .groups import agree, group_of, public_key
from .primitives import Identity, b64, b64url
from .roles import dynamic_key_fields

SERVER_IDENTITY = 29  # the scalar behind the gateway's key of confirmed.json
CLIENT_IDENTITY = 31
STRANGER = 37  # an identity that nobody pins or registers

NONCE_C = bytes(range(0x00, 0x10))
NONCE_S = bytes(range(0x10, 0x30))
TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def scalar(private):
    return f"{private:064x}"


@dataclass
class Exchange:
    name: str
    mode: str = "confirmed"  # plain, confirmed, pinned or mutual
    scheme: str = "SCHEME-EC-AES2"
    client_private: int = 3
    server_private: int = 5
    client_key: bytes = None  # another valid encoding of the client's key
    offered: list = field(default_factory=lambda: ["SCHEME-EC-AES2", "SCHEME-EC-AES1"])
    features: list = field(default_factory=list)
    selected: list = field(default_factory=list)
    client_nonce: bytes = NONCE_C
    server_nonce: bytes = NONCE_S
    device_id: str = "browser-uuid-v4"
    platform: str = "browser"
    client_type: str = "internal"
    client_id: str = "internal-web-client"
    session_id: str = "opaque-session-id"
    token: str = TOKEN
    expires_at: str = "2026-06-04T00:00:00.000Z"
    expires_in: str = "3600"
    expire_token: str = "0"
    gateway_signs: bool = False  # in confirmed mode: a gateway with an identity always signs

    def __post_init__(self):
        signs = self.gateway_signs or self.mode in ("pinned", "mutual")
        self.server = Identity(SERVER_IDENTITY) if signs else None
        self.client = Identity(CLIENT_IDENTITY) if self.mode == "mutual" else None
        group = "P-256" if self.mode == "plain" else group_of(self.scheme)
        self.hello = {
            "clientPublicKey": self.client_key or public_key(group, self.client_private),
            "deviceId": self.device_id,
            "platform": self.platform,
            "clientType": self.client_type,
            "clientId": self.client_id,
        }
        self.answer = {
            "serverPublicKey": public_key(group, self.server_private),
            "sessionId": self.session_id,
            "token": self.token,
            "expireToken": self.expire_token,
            "expiresAt": self.expires_at,
        }
        if self.mode == "plain":
            self.z = agree(group, self.server_private, self.hello["clientPublicKey"])
            self.key = plain_key(self.z, self.session_id)
            return
        self.hello |= {"supportedSchemes": self.offered, "nonce": self.client_nonce, "features": self.features}
        self.answer |= {"scheme": self.scheme, "nonce": self.server_nonce, "features": self.selected, "expiresIn": self.expires_in}
        if self.client:
            self.hello["kid"] = self.client.kid
        if self.server:
            self.answer["kid"] = self.server.kid
        self.fields = dynamic_key_fields(self.hello, self.answer)
        self.input, self.z, self.keys = agree_keys(self.fields, self.client_private, self.answer["serverPublicKey"])
        other_end = agree_keys(self.fields, self.server_private, self.hello["clientPublicKey"])
        assert other_end[1] == self.z
        self.answer["proof"] = self.keys.proof
        if self.server:
            self.answer["signature"] = self.server.sign(signed_by("server", self.keys.t))
        if self.client:
            self.client_signature = self.client.sign(signed_by("client", self.keys.t))

    def hello_json(self):
        """The hello as a dict in the order of §2.1."""
        out = {
            "clientPublicKey": b64(self.hello["clientPublicKey"]),
            "device": {"id": self.device_id, "platform": self.platform},
            "client": {"type": self.client_type, "clientId": self.client_id},
        }
        if self.mode != "plain":
            out["keyAgreement"] = {"supportedSchemes": list(self.offered), "nonce": b64(self.client_nonce), "features": list(self.features)}
        if self.client:
            out["keyAgreement"]["identity"] = {"kid": self.client.kid}
        return out

    def answer_json(self):
        out = {
            "serverPublicKey": b64(self.answer["serverPublicKey"]),
            "sessionId": self.session_id,
            "token": self.token,
            "expireToken": int(self.expire_token),
            "expiresAt": self.expires_at,
        }
        if self.mode != "plain":
            out["keyAgreement"] = {
                "scheme": self.scheme,
                "nonce": b64(self.server_nonce),
                "features": list(self.selected),
                "expiresIn": int(self.expires_in),
                "proof": b64(self.keys.proof),
            }
        if self.server:
            out["keyAgreement"]["identity"] = {"kid": self.server.kid, "signature": b64url(self.answer["signature"])}
        return out

    def direction(self, who):
        """(key, iv) that `client` or `server` writes with."""
        if self.mode == "plain":
            return self.key, None
        return self.keys[f"{who} write"], self.keys[f"{who} iv"]

    def seal_request(self, nonce, plaintext):
        return envelope.seal(*self.direction("client"), nonce, plaintext, envelope.request_aad(self.session_id))

    def response_aad(self, request_nonce, status):
        if self.mode == "plain":
            return envelope.request_aad(self.session_id)
        return envelope.response_aad(self.session_id, request_nonce, status)

    def seal_response(self, nonce, request_nonce, status, plaintext):
        return envelope.seal(*self.direction("server"), nonce, plaintext, self.response_aad(request_nonce, status))


def pair(nonce, data):
    """An envelope as JSON text."""
    return compact({"nonce": b64(nonce), "data": b64(data)})


def text_member(name, data):
    """Bytes as a text member where they are UTF-8, else as `…Hex`."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name + "Hex": data.hex()}


def case(x, envelopes):
    """The structure of confirmed.json. `envelopes`: (counter, request, instance, status, response)."""
    out = {
        "name": x.name,
        "mode": x.mode,
        "clientPrivate": scalar(x.client_private),
        "serverPrivate": scalar(x.server_private),
        "fields": {str(number): x.fields[number].hex() for number in sorted(x.fields)},
        "transcriptInput": x.input.hex(),
        "T": x.keys.t.hex(),
        "Z": x.z.hex(),
        "PRK": x.keys.prk.hex(),
        "keys": {label: value.hex() for label, value in x.keys.labels.items()},
        "proof": b64(x.keys.proof),
    }
    for role, identity in (("server", x.server), ("client", x.client)):
        if identity:
            signature = x.answer["signature"] if role == "server" else x.client_signature
            out |= {f"{role}Signature": b64url(signature), f"{role}Jwk": identity.jwk, f"{role}Kid": identity.kid}
    out["envelopes"] = [sealed(x, *one) for one in envelopes]
    return out


def sealed(x, *envelope_facts):
    return sealed_pair(x.session_id, x.direction("client"), x.direction("server"), *envelope_facts)


def sealed_pair(session_id, client, server, counter, request, instance, status, response):
    """A request and its answer in the counter modes; `client` and `server` are (key, iv)."""
    nonce, answer_nonce = envelope.counter_nonce(0, counter), envelope.counter_nonce(instance, counter)
    aad, answer_aad = envelope.request_aad(session_id), envelope.response_aad(session_id, nonce, status)
    data = envelope.seal(*client, nonce, request, aad)
    answer = envelope.seal(*server, answer_nonce, response, answer_aad)
    assert envelope.open_data(*client, nonce, data, aad) == request
    assert envelope.open_data(*server, answer_nonce, answer, answer_aad) == response
    return {
        "counter": counter,
        **text_member("plaintext", request),
        "aad": aad,
        "nonce": b64(nonce),
        "data": b64(data),
        "response": {
            "instance": instance,
            "status": status,
            **text_member("plaintext", response),
            "aad": answer_aad,
            "nonce": b64(answer_nonce),
            "data": b64(answer),
        },
    }
