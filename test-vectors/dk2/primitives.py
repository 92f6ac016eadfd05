"""Base64, hashes, HKDF, AES-GCM, ES256 and JWK thumbprints: what the protocol is made of."""

import base64
import json
import re

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class Refused(Exception):
    """The peer's bytes are not to be accepted; the argument says in one word or code why."""


# Base64: RFC 4648, canonical.


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text, reason="MALFORMED_REQUEST"):
    """§4 with padding; the round trip refuses every other spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(reason) from None
    if b64(data) != text:
        raise Refused(reason)
    return data


def unb64url(text, reason="MALFORMED_REQUEST"):
    """§5 without padding."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise Refused(reason)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url(data) != text:
        raise Refused(reason)
    return data


# Hashes and key derivation.


def sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def hmac_sha256(key, data):
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(data)
    return mac.finalize()


def hkdf_extract(salt, ikm):
    return hmac_sha256(salt if salt else bytes(32), ikm)


def hkdf_expand(prk, info, length):
    return HKDFExpand(hashes.SHA256(), length, info).derive(prk)


# AES-GCM with a 16-byte tag behind the ciphertext.


def gcm_seal(key, nonce, plaintext, aad):
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def gcm_open(key, nonce, data, aad):
    try:
        return AESGCM(key).decrypt(nonce, data, aad)
    except InvalidTag:
        raise Refused("ENCRYPTION_ERROR") from None


# ES256 and its keys.


class Identity:
    """An ES256 key pair made of a fixed scalar. Signatures follow RFC 6979 and are therefore repeatable."""

    def __init__(self, scalar):
        self.private = ec.derive_private_key(scalar, ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.jwk = {"kty": "EC", "crv": "P-256", "x": b64url(numbers.x.to_bytes(32, "big")), "y": b64url(numbers.y.to_bytes(32, "big"))}
        self.kid = thumbprint(self.jwk)

    def sign(self, message):
        der = self.private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def thumbprint(jwk):
    """RFC 7638: the required members in the order of their names, without white space."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64url(sha256(json.dumps(members, separators=(",", ":")).encode()))


def signature_der(signature):
    """r ‖ s in the form that JWS does not take."""
    return utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def es256_verifies(jwk, signature, message):
    if len(signature) != 64:
        return False
    x, y = (int.from_bytes(unb64url(jwk[name]), "big") for name in ("x", "y"))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(signature_der(signature), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):  # ValueError: the key is no point of the curve
        return False
    return True
