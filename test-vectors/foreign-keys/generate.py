#!/usr/bin/env python3
"""Writes ../ffdhe-keys.json: finite-field keys as OpenSSL, Node, Python's cryptography and Java write them, and the secrets that each of
them agrees on with a key of ours. The keys are new each time. Needs openssl, node, a JDK and Python's cryptography."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import cryptography
from cryptography.hazmat.primitives.asymmetric import dh
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from dk2.groups import FFDHE, der, der_integer, ffdhe_spki, public_key

OURS = {"ffdhe2048": 2**226 + 9, "ffdhe3072": 2**275 + 9}
LENGTHS = {"ffdhe2048": 29, "ffdhe3072": 35}
BITS = {"ffdhe2048": 225, "ffdhe3072": 275}


def run(*command, data=None):
    return subprocess.run([str(part) for part in command], input=data, capture_output=True, check=True).stdout


def first_line(*command):
    return run(*command).decode().splitlines()[0]


def openssl(group, peer, folder, *, algorithm=None, parameters=None):
    """A key of the named group, or of written parameters."""
    key, other = folder / "key.pem", folder / "peer.der"
    other.write_bytes(peer)
    if parameters is None:
        run("openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", f"group:{group}", "-out", key)
    else:
        file = folder / "parameters.pem"
        file.write_bytes(run("openssl", "dhparam", "-inform", "DER", "-outform", "PEM", data=parameters))
        run("openssl", "genpkey", "-paramfile", file, "-out", key)
    spki = run("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER")
    z = run("openssl", "pkeyutl", "-derive", "-inkey", key, "-peerkey", other, "-peerform", "DER")
    return spki, z


def python(group, peer, q):
    key = dh.DHParameterNumbers(FFDHE[group], 2, q).parameters().generate_private_key()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return spki, key.exchange(load_der_public_key(peer))


def lines(output):
    return tuple(bytes.fromhex(line) for line in output.decode().split())


def keys(group, folder):
    p, x = FFDHE[group], OURS[group]
    peer, x942 = public_key(group, x), ffdhe_spki(group, pow(2, x, p), x942=True)
    with_length = der(0x30, der_integer(p), der_integer(2), der_integer(BITS[group]))
    hexadecimal = f"{p:x}"
    yield "OpenSSL", "DH", openssl(group, peer, folder, algorithm="DH")
    yield "OpenSSL", "DH of parameters with a private length", openssl(group, peer, folder, parameters=with_length)
    yield "OpenSSL", "DHX", openssl(group, x942, folder, algorithm="DHX")
    yield "Node", "generateKeyPairSync('dh', { prime, generator })", lines(run("node", HERE / "keys.mjs", hexadecimal, peer.hex()))
    yield "Python cryptography", "DHParameterNumbers(p, 2)", python(group, peer, None)
    yield "Python cryptography", "DHParameterNumbers(p, 2, q)", python(group, x942, (p - 1) // 2)
    for bits in (0, BITS[group]):
        yield "Java", f"DHParameterSpec(p, 2, {bits})", lines(run("java", HERE / "Keys.java", hexadecimal, peer.hex(), bits))


def main():
    tools = {
        "OpenSSL": first_line("openssl", "version"),
        "Node": first_line("node", "--version"),
        "Python cryptography": cryptography.__version__,
        "Java": first_line("java", "--version"),
    }
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for group in FFDHE:
            for tool, how, (spki, z) in keys(group, Path(folder)):
                ours = OURS[group].to_bytes(LENGTHS[group], "big").hex()
                cases.append(
                    {"tool": tool, "version": tools[tool], "how": how, "group": group}
                    | {"private": ours, "publicKey": spki.hex(), "Z": z.hex()}
                )
    source = "foreign-keys/generate.py, with the tools that each case names: private is ours, publicKey theirs, Z what they agree on"
    file = HERE.parent / "ffdhe-keys.json"
    file.write_text(json.dumps({"source": source, "cases": cases}, indent=1) + "\n")
    for case in cases:
        print(case["tool"], case["how"], case["group"], len(case["publicKey"]) // 2, len(case["Z"]) // 2, case["publicKey"][:28])


main()
