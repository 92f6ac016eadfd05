"""The rows of negative-json.json: texts that are no JSON, too deep, or repeat a name."""

import json

from .edits import BASE, KID, MALFORMED, future, identified
from .exchange import compact
from .make_messages import escape_all, with_member
from .primitives import b64

OWN_KEY = b64(BASE.hello["clientPublicKey"])


def doubled(text, member):
    """The text with a second spelling of a member in front of the object that has it."""
    name = json.loads("{" + member + "}").popitem()[0]
    at = text.index(f'"{name}"')
    return text[:at] + member + "," + text[at:]


def grammar():
    text = compact(BASE.hello_json())
    not_json = {
        "an empty body": "",
        "white space alone": " \r\n\t",
        "null": "null",
        "an array": f"[{text}]",
        "a string": '"{}"',
        "a number": "2",
        "an empty object": "{}",
        "cut before the last brace": text[:-1],
        "cut in the middle": text[:100],
        "an opening brace": "{",
        "a closing brace too many": text + "}",
        "a second value": text + text,
        "a comma after the value": text + ",",
        "NUL after the value": text + "\0",
        "a letter before the value": "x" + text,
        "a byte-order mark": "\ufeff" + text,
        "a comma after the last member": text[:-1] + ",}",
        "a comma before the first member": "{," + text[1:],
        "two commas": text.replace(",", ",,", 1),
        "no comma": text.replace(",", " ", 1),
        "a semicolon": text.replace(",", ";", 1),
        "an equals sign": text.replace(":", "=", 1),
        "no colon": text.replace(":", " ", 1),
        "two colons": text.replace(":", "::", 1),
        "a name without quotes": text.replace('"device"', "device"),
        "single quotes": text.replace('"', "'"),
        "a comment": text + "/**/",
        "a line comment": "//\n" + text,
        "a name that is a number": with_member(text, "1:2"),
        "a member without a value": with_member(text, '"future":'),
        "a form feed between": text.replace(",", ",\f", 1),
        "a vertical tab between": text.replace(",", ",\v", 1),
        "a no-break space between": text.replace(",", ",\u00a0", 1),
        "a line separator between": text.replace(",", ",\u2028", 1),
        "a BOM between": text.replace(",", ",\ufeff", 1),
        "DEL between": text.replace(",", ",\x7f", 1),
    }
    values = [
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e2",
        "1e",
        "1e+",
        "0x10",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "True",
        "nul",
        "nulL",
        "truefalse",
        "undefined",
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1",
        "[}",
        "{]",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{1:1}",
        "1 2",
        "\uff11",
    ]
    strings = {
        "\\x41": "no such escape",
        "\\'": "no such escape",
        "\\U0041": "no such escape",
        "\\u00g0": "not hexadecimal",
        "\\u+041": "a sign among the digits",
        "\\u 041": "a space among the digits",
        "\\u004": "three digits",
        "\\u{41}": "another language's escape",
        "\\0": "no such escape",
        "\\": "an escape that eats the quote",
        "\\ud800": "a lone high surrogate",
        "\\udc00": "a lone low surrogate",
        "\\uDBFF\\uD83D\\uDE00": "a high surrogate, then a pair",
        "\\ude00\\ud83d": "a pair in the wrong order",
        "\\ud83d\\n": "a high surrogate before another escape",
        "\\ud83dx": "a high surrogate before a letter",
        "\\ud83d\\u0041": "a high surrogate before a letter, escaped",
        "\\ud83d \\ude00": "a pair with a space between",
        "\t": "a raw tab",
        "\n": "a raw line feed",
        "\0": "a raw NUL",
        "\x1f": "a raw 0x1F",
    }
    bytes_in = {
        "0xFF": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "an encoded surrogate": b"\xed\xa0\x80",
        "past U+10FFFF": b"\xf4\x90\x80\x80",
        "a sequence cut short": b"\xe2\x82",
        "a lone continuation byte": b"\x80",
        "an overlong NUL": b"\xc0\x80",
    }
    rows = [
        (name, body, MALFORMED, "Not one JSON object of RFC 8259 with the members that are required.") for name, body in not_json.items()
    ]
    rows += [(f"unknown member: {value}", future(value), MALFORMED, "An unknown member is ignored only if it is JSON.") for value in values]
    rows += [
        (f"unknown string: {why}, {body!r}", future(f'"{body}"'), MALFORMED, "No string of RFC 8259, or one that has no Unicode value.")
        for body, why in strings.items()
    ]
    rows += [
        (f"unknown name: {why}", with_member(text, f'"{body}":1'), MALFORMED, "Names are strings, too.")
        for body, why in (("\\ud800", "a lone high surrogate"), ("\n", "a raw line feed"), ("\\x41", "no such escape"))
    ]
    rows += [
        (f"bytes: {name}", future('"@"').encode().replace(b"@", body), MALFORMED, "The text is not UTF-8.")
        for name, body in bytes_in.items()
    ]
    rows += [
        ("UTF-16", text.encode("utf-16-le"), MALFORMED, "The text is not UTF-8."),
        ("UTF-16 with a byte-order mark", text.encode("utf-16"), MALFORMED, "The text is not UTF-8."),
        ("a BOM and nothing else", "\ufeff", MALFORMED, "No value."),
    ]
    return rows


def shape():
    text = compact(BASE.hello_json())
    deep = "Nested deeper than 16; the root is 1."
    depth = [
        ("17 levels of arrays", future("[" * 16 + "]" * 16)),
        ("17 levels of objects", future('{"a":' * 15 + "{}" + "}" * 15)),
        ("17 levels, arrays and objects in turn", future('[{"a":' * 8 + "1" + "}]" * 8)),
        ("17 levels below keyAgreement", text.replace('"keyAgreement":{', '"keyAgreement":{"future":' + "[" * 15 + "]" * 15 + ",")),
        ("17 levels in a member named body", with_member(text, '"body":' + "[" * 16 + "]" * 16)),
        ("2,000 levels", future("[" * 2000 + "]" * 2000)),
        ("2,000 levels that never close", future("[" * 2000)),
        ("2,000 levels of objects", future('{"":' * 2000 + "1" + "}" * 2000)),
        ("an array for the root, 17 levels", "[" * 17 + "]" * 17),
    ]
    twice = "A name is repeated in an object that the page defines, compared unescaped."
    own = f'"clientPublicKey":"{OWN_KEY}"'
    names = [
        ("clientPublicKey", own),
        ("clientPublicKey, escaped", own.replace("client", "\\u0063lient", 1)),
        ("clientPublicKey, every character escaped", escape_all("{" + own + "}")[1:-1]),
        ("keyAgreement", '"keyAgreement":null'),
        ("device", '"device":{}'),
        ("client", '"client":1'),
        ("device.id", '"id":"other"'),
        ("device.platform, escaped", '"\\u0070latform":"ios"'),
        ("client.type", '"type":"external"'),
        ("client.clientId", '"clientId":"internal-web-client"'),
        ("supportedSchemes", '"supportedSchemes":["SCHEME-EC-AES1"]'),
        ("nonce, escaped", '"nonc\\u0065":"AAECAwQFBgcICQoLDA0ODw=="'),
        ("features", '"features":["rt"]'),
    ]
    rows = [(name, body, MALFORMED, deep) for name, body in depth]
    rows += [(f"twice: {name}", doubled(text, member), MALFORMED, twice) for name, member in names]
    rows += [
        (f"twice: {name}", body, MALFORMED, twice)
        for name, body in (
            ("an unknown member of the root", with_member(text, '"future":1,"future":1')),
            ("an unknown member of the root, escaped", with_member(text, '"future":1,"futur\\u0065":1')),
            ("the empty name", with_member(text, '"":1,"":2')),
            ("a name of an emoji, raw and as a pair", with_member(text, '"\U0001f511":1,"\\ud83d\\udd11":2')),
            ("an unknown member of device", text.replace('"device":{', '"device":{"v":1,"v":1,')),
            ("an unknown member of keyAgreement, one at each end", text.replace('"features":[]', '"w":1,"features":[],"v":2,"w":3')),
            ("identity.kid", identified().replace('"kid"', f'"kid":"{KID}","kid"')),
            ("identity.kid, escaped", identified().replace('"kid"', f'"\\u006bid":"{KID}","kid"')),
        )
    ]
    return rows
