#!/usr/bin/env python3
"""Writes the vectors of this directory, or with --check compares them with what is committed."""

import json
import sys
from pathlib import Path

from dk2 import (
    make_confirmed,
    make_dynamic_key,
    make_key_agreement,
    make_messages,
    make_negative_answer,
    make_negative_envelope,
    make_negative_hello,
    make_tokens,
)

HERE = Path(__file__).parent
MADE = {
    "dynamic-key-v2.json": make_dynamic_key.elliptic,
    "dynamic-key-v2-ffdhe.json": make_dynamic_key.finite_field,
    "key-agreement.json": make_key_agreement.make,
    "messages.json": make_messages.make,
    "negative-json.json": make_negative_hello.make_json,
    "tokens.json": make_tokens.make,
    "negative-envelope.json": make_negative_envelope.make,
    "negative-answer.json": make_negative_answer.make,
    "negative-hello.json": make_negative_hello.make_hello,
}


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("usage: generate.py [--check]")
    wrong = [f"confirmed.json: {name}" for name in make_confirmed.differences((HERE / "confirmed.json").read_text())]
    for name, make in MADE.items():
        text = json.dumps(make(), indent=1) + "\n"
        path = HERE / name
        if not arguments:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(name)
    for line in wrong:
        print("differs:", line)
    print(f"{1 + len(MADE)} files,", f"{len(wrong)} differences" if arguments or wrong else "written")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
