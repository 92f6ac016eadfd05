"""§2.3 (and §3): transcript, key schedule, proof and signatures."""

from .groups import SCHEMES, agree, group_of
from .primitives import b64, hkdf_expand, hkdf_extract, hmac_sha256, sha256

FIELDS = 21


def text_list(names):
    """A list as the transcript takes it: uint8 count, then uint8 length and bytes of each name."""
    return bytes([len(names)]) + b"".join(bytes([len(n)]) + n.encode() for n in names)


def transcript_input(fields):
    """`fields` maps 1…21 to bytes."""
    out = b"dynamic-key transcript v2\0"
    for number in range(1, FIELDS + 1):
        out += len(fields[number]).to_bytes(2, "big") + fields[number]
    return out


class Keys:
    """All that is drawn from Z and T."""

    def __init__(self, scheme, z, t):
        self.t = t
        self.prk = hkdf_extract(t, z)
        length = SCHEMES[scheme][1]
        sizes = {
            "client write": length,
            "server write": length,
            "client iv": 12,
            "server iv": 12,
            "server proof": 32,
            "exporter": 32,
            "resumption": 32,
            "client update": 32,
            "server update": 32,
        }
        self.labels = {label: hkdf_expand(self.prk, b"dynamic-key v2 " + label.encode(), size) for label, size in sizes.items()}
        self.proof = hmac_sha256(self.labels["server proof"], t)

    def __getitem__(self, label):
        return self.labels[label]


def agree_keys(fields, private, peer_spki):
    """(transcript input, Z, Keys) for one side's private key and the other's public one."""
    scheme = fields[12].decode()
    z = agree(group_of(scheme), private, peer_spki)
    data = transcript_input(fields)
    return data, z, Keys(scheme, z, sha256(data))


def plain_key(z, session_id, salt=None, info=b"dynamic-key-v2"):
    """Plain mode. The default salt is the session id."""
    return hkdf_expand(hkdf_extract(session_id.encode() if salt is None else salt, z), info, 32)


def signed_by(role, t):
    """What the `server` or `client` identity signs."""
    return b"dynamic-key v2 " + role.encode() + b"\0" + t


def proof_text(keys):
    return b64(keys.proof)
