"""Rows of negative-envelope.json about what an envelope holds: plaintexts, methods and paths."""

MALFORMED = "MALFORMED_REQUEST"
GET = '{"method":"GET","path":"/countries/get"}'


def plaintext_rows():
    shape = "Not the object of section 2.4."
    for name, text in {
        "empty": "",
        "white space": "  ",
        "no object": "[]",
        "a string": '"GET /"',
        "cut": '{"method":"GET","path":"/countries/get"',
        "a byte after": GET + "x",
        "NUL after": GET + "\0",
        "a byte-order mark": "\ufeff" + GET,
        "no method": '{"path":"/countries/get"}',
        "no path": '{"method":"GET"}',
        "method null": '{"method":null,"path":"/countries/get"}',
        "path null": '{"method":"GET","path":null}',
        "method a number": '{"method":1,"path":"/countries/get"}',
        "path a list": '{"method":"GET","path":["/countries/get"]}',
        "method twice": '{"method":"GET","path":"/countries/get","method":"GET"}',
        "path twice, escaped": '{"method":"GET","path":"/countries/get","p\\u0061th":"/lang/get"}',
        "body twice": '{"method":"POST","path":"/users/login","body":1,"body":1}',
        "body twice, escaped": '{"method":"POST","path":"/users/login","body":1,"bod\\u0079":2}',
        "an unknown member twice": '{"method":"GET","path":"/countries/get","v":1,"v":1}',
        "a lone surrogate": '{"method":"GET","path":"/countries/get","v":"\\ud800"}',
        "a lone surrogate in the body": '{"method":"POST","path":"/users/login","body":"\\ud800"}',
        "a raw tab in the body": '{"method":"POST","path":"/users/login","body":"\t"}',
        "a bad number for a body": '{"method":"POST","path":"/users/login","body":01}',
        "no value for a body": '{"method":"POST","path":"/users/login","body":}',
        "a body that is no JSON, never sent with GET": '{"method":"GET","path":"/countries/get","body":nul}',
        "a body of 65 levels": '{"method":"POST","path":"/users/login","body":' + "[" * 65 + "]" * 65 + "}",
        "a body of 2,000 levels": '{"method":"POST","path":"/users/login","body":' + "[" * 2000 + "]" * 2000 + "}",
        "an unknown member of 17 levels": '{"method":"GET","path":"/countries/get","v":' + "[" * 16 + "]" * 16 + "}",
        "a member named body inside another, 17 levels": '{"method":"GET","path":"/countries/get","v":{"body":'
        + "[" * 15
        + "]" * 15
        + "}}",
    }.items():
        yield f"plaintext: {name}", text, MALFORMED, shape
    yield "plaintext: not UTF-8", GET[:-2].encode() + b"\xff" + GET[-2:].encode(), MALFORMED, shape
    for member in ("headers", "query"):
        for value in (
            "null",
            "[]",
            '""',
            "7",
            '{"accept":null}',
            '{"accept":1}',
            '{"accept":["a"]}',
            '{"accept":{}}',
            '{"accept":true}',
            '{"accept":"a","accept":"a"}',
            '{"accept":"a","\\u0061ccept":"b"}',
            '{"accept":"\\ud800"}',
        ):
            yield (
                f"plaintext: {member} {value}",
                f'{{"method":"GET","path":"/countries/get","{member}":{value}}}',
                MALFORMED,
                "An object of strings, no name twice.",
            )
    for value, why in (
        ('{"accept":"a","Accept":"b"}', "Header names are compared without case."),
        ('{"accept":"a\\r\\nHost: b"}', "A control character."),
        ('{"accept":"a\\u0000"}', "A control character."),
        ('{"accept":"a\\u007f"}', "A control character."),
        ('{"accept\\n":"a"}', "A control character."),
    ):
        yield f"plaintext: headers {value}", f'{{"method":"GET","path":"/countries/get","headers":{value}}}', MALFORMED, why


def route_rows():
    rule = "No rule says so; rules match raw segments, case-sensitively, like the method."
    for method, path in (
        ("get", "/countries/get"),
        ("HEAD", "/countries/get"),
        ("POST", "/countries/get"),
        ("GET", "/users/login"),
        ("DELETE", "/users/getbyid/1"),
        ("*", "/countries/get"),
        ("GET", "/"),
        ("GET", "/countries"),
        ("GET", "/countries/get/all"),
        ("GET", "/Countries/get"),
        ("GET", "/countries/%67et"),
        ("GET", "/users/getbyid"),
        ("GET", "/users/getbyid/1/2"),
        ("GET", "/users/getbyid:id"),
        ("GET", "/admin"),
        ("CONNECT", "/countries/get"),
    ):
        yield f"route: {method} {path}", method, path, rule
    form = "A path is pchar and `/`, without `;`, without an empty, `.` or `..` segment."
    for path in (
        "",
        "countries/get",
        "//countries/get",
        "/countries//get",
        "/countries/get/",
        "/countries/./get",
        "/x/../countries/get",
        "/users/getbyid/",
        "/users/getbyid/.",
        "/users/getbyid/..",
        "/countries/get?a=1",
        "/countries/get#a",
        "/countries/get;a=1",
        "/users/getbyid/1;a",
        "http://example.com/countries/get",
        "/users/getbyid/a b",
        "/users/getbyid/a\\b",
        "/users/getbyid/caf\u00e9",
        "/users/getbyid/\U0001f511",
        '/users/getbyid/"',
        "/users/getbyid/<",
        "/users/getbyid/a|b",
        "/users/getbyid/^",
        "/users/getbyid/`",
        "/users/getbyid/{1}",
        "/users/getbyid/[1]",
        "/users/getbyid/\0",
        "/users/getbyid/\n",
        "/users/getbyid/\x7f",
        " /countries/get",
        "/countries/get ",
    ):
        yield f"path: {path!r}", "GET", path, form
    triplet = "A percent-triplet decodes to `/`, `\\`, `.`, `%` or a control character, is none, or breaks UTF-8."
    for tail in (
        "%2F",
        "a%2fb",
        "%5C",
        "%5c",
        "%2E",
        "%2e%2E",
        ".%2e",
        "%25",
        "%252e",
        "%00",
        "%0A",
        "%0d",
        "%1F",
        "%7F",
        "%7f",
        "%",
        "%4",
        "%g1",
        "%4g",
        "%u0041",
        "%%41",
        "%FF",
        "%C3",
        "%C3%28",
        "%C0%AF",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%80",
        "%E2%82",
        "%E2%82x",
    ):
        yield f"path: {tail}", "GET", "/users/getbyid/" + tail, triplet
