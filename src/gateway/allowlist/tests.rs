use super::*;
use std::string::ToString;
use std::vec;

const ANY: Rule<'static> = Rule {
    method: "GET",
    pattern: "/a",
    client_types: &[ClientType::Internal, ClientType::External],
    client_ids: &[],
    least_mode: Mode::Plain,
    forward_headers: &[],
};
const INTERNAL: Caller<'static> =
    Caller { client_type: ClientType::Internal, client_id: "internal-web-client", mode: Mode::Plain };
const EXTERNAL: Caller<'static> =
    Caller { client_type: ClientType::External, client_id: "partner-acme-corp", mode: Mode::Mutual };

/// The pattern by which `client` gets there.
fn find<'a>(rules: &'a [Rule<'a>], route: &str, client: &Caller<'_>) -> Result<&'a str, RouteError> {
    let (method, path) = route.split_once(' ').unwrap();
    Allowlist::new(rules).unwrap().find(method, path, client).map(|rule| rule.pattern)
}

#[test]
fn the_default_set() {
    for (route, pattern) in [
        ("POST /users/login", "/users/login"),
        ("GET /users/getbyid/42", "/users/getbyid/:id"),
        ("GET /users/getbyid/:id", "/users/getbyid/:id"),
        ("GET /qr/get/reverse/example-bfp", "/qr/get/reverse/:BFP"),
        ("GET /companies/getbyid/%C3%A9", "/companies/getbyid/:idCompany"),
        ("GET /countries/get", "/countries/get"),
        ("GET /lang/get", "/lang/get"),
    ] {
        assert_eq!(find(DEFAULT_RULES, route, &INTERNAL), Ok(pattern));
        assert_eq!(find(DEFAULT_RULES, route, &EXTERNAL), Err(RouteError::NotAllowed));
        assert_eq!(find(&[], route, &INTERNAL), Err(RouteError::NotAllowed));
    }
    for route in [
        "GET /users/login",
        "POST /countries/get",
        "get /countries/get",
        "Get /countries/get",
        "HEAD /countries/get",
        "OPTIONS /countries/get",
        " /countries/get",
        "GET\0 /countries/get",
        "GET /Countries/get",
        "GET /countries/GET",
        "GET /countries",
        "GET /countries/get/x",
        "GET /countries/%67et",
        "GET /countrie%73/get",
        "GET /users/getbyid",
        "GET /users/getbyid/1/2",
        "GET /USERS/getbyid/1",
        "GET /users/%67etbyid/1",
        "GET /get",
        "GET /x/countries/get",
        "GET /countries/ge",
        "GET /countries/gett",
        "GET /countries/get%20",
        "GET /countries/get=",
        "DELETE /users/getbyid/1",
    ] {
        assert_eq!(find(DEFAULT_RULES, route, &INTERNAL), Err(RouteError::NotAllowed), "{route}");
    }
    for route in [
        "GET /countries/get/",
        "GET //countries/get",
        "GET /countries//get",
        "GET /users/getbyid/",
        "GET /users/getbyid/..",
        "GET /users/getbyid/%2e%2e",
        "GET /users/getbyid/a%2fb",
        "GET /users/getbyid/..%2f..%2fadmin",
        "GET /users/getbyid/..;",
        "GET /users/getbyid/1;admin=1",
        "GET /users/getbyid/1?x=y",
        "GET /users/getbyid/1#",
        "GET /users/getbyid/..\\admin",
        "GET /users/getbyid/%5c",
        "GET /users/getbyid/%00",
        "GET /users/getbyid/%252e",
        "GET /users/./login",
        "GET /x/../countries/get",
        "GET countries/get",
        "GET http://h/countries/get",
        "GET /",
        "GET ",
        "GET /users/getbyid/a b",
        "GET /users/getbyid/1 HTTP/1.1\r\nHost: x",
        "GET /users/getbyid/%c0%af",
        "GET /users/getbyid/%",
    ] {
        assert_eq!(find(DEFAULT_RULES, route, &INTERNAL), Err(RouteError::Path), "{route}");
    }
}

#[test]
fn types_and_ids() {
    let rules = [
        Rule { client_types: &[ClientType::External], client_ids: &["partner-acme-corp"], ..ANY },
        Rule { pattern: "/b", client_types: &[ClientType::External], ..ANY },
        Rule {
            pattern: "/c",
            client_types: &[ClientType::Internal],
            client_ids: &["x", "internal-web-client"],
            ..ANY
        },
        Rule { pattern: "/d", ..ANY },
        // An internal client's id is not an external one's.
        Rule {
            pattern: "/e",
            client_types: &[ClientType::Internal],
            client_ids: &["partner-acme-corp"],
            ..ANY
        },
    ];
    let other = Caller { client_id: "Partner-acme-corp", ..EXTERNAL };
    for (path, internal, external, second) in [
        ("GET /a", false, true, false),
        ("GET /b", false, true, true),
        ("GET /c", true, false, false),
        ("GET /d", true, true, true),
        ("GET /e", false, false, false),
    ] {
        for (client, reaches) in [(INTERNAL, internal), (EXTERNAL, external), (other, second)] {
            let expected = if reaches { Ok(&path[4..]) } else { Err(RouteError::NotAllowed) };
            assert_eq!(find(&rules, path, &client), expected, "{path} {client:?}");
        }
    }
}

#[test]
fn the_mode_is_at_least_the_rules() {
    let modes = [Mode::Plain, Mode::Confirmed, Mode::Mutual];
    assert!(modes.is_sorted());
    for least_mode in modes {
        for mode in modes {
            let rules = [Rule { least_mode, ..ANY }];
            let client = Caller { mode, ..INTERNAL };
            let expected = if mode >= least_mode { Ok("/a") } else { Err(RouteError::ModeTooWeak) };
            assert_eq!(find(&rules, "GET /a", &client), expected);
        }
    }
    // Whoever may not reach a route in any mode is not told that it exists.
    let rules = [Rule { least_mode: Mode::Mutual, client_types: &[ClientType::External], ..ANY }];
    assert_eq!(find(&rules, "GET /a", &INTERNAL), Err(RouteError::NotAllowed));
    // One rule of a route is enough.
    let rules =
        [Rule { least_mode: Mode::Mutual, ..ANY }, Rule { client_ids: &["internal-web-client"], ..ANY }];
    assert_eq!(find(&rules, "GET /a", &INTERNAL), Ok("/a"));
}

#[test]
fn the_most_specific_route_decides_alone() {
    let strict = Rule { least_mode: Mode::Mutual, ..ANY };
    let patterns = ["/u/:id", "/u/admin", "/:x/admin", "/:x/:y", "/u/:id/z", "/u/admin/:z"];
    for reversed in [false, true] {
        let mut rules = vec![
            Rule { pattern: patterns[0], ..ANY },
            Rule { pattern: patterns[1], ..strict },
            Rule { pattern: patterns[2], ..ANY },
            Rule { pattern: patterns[3], ..ANY },
            Rule { pattern: patterns[4], ..ANY },
            Rule { pattern: patterns[5], ..strict },
        ];
        if reversed {
            rules.reverse();
        }
        assert_eq!(find(&rules, "GET /u/admin", &INTERNAL), Err(RouteError::ModeTooWeak));
        assert_eq!(find(&rules, "GET /u/admin", &EXTERNAL), Ok("/u/admin"));
        assert_eq!(find(&rules, "GET /u/Admin", &INTERNAL), Ok("/u/:id"));
        assert_eq!(find(&rules, "GET /v/admin", &INTERNAL), Ok("/:x/admin"));
        assert_eq!(find(&rules, "GET /v/w", &INTERNAL), Ok("/:x/:y"));
        assert_eq!(find(&rules, "GET /u/admin/z", &INTERNAL), Err(RouteError::ModeTooWeak));
        assert_eq!(find(&rules, "GET /u/b/z", &INTERNAL), Ok("/u/:id/z"));
    }
}

#[test]
fn configuration_is_checked() {
    fn fault(rule: Rule<'_>) -> Option<(usize, RuleFault)> {
        Allowlist::new(&[ANY, rule]).err().map(|invalid| (invalid.index, invalid.fault))
    }
    assert_eq!(Allowlist::new(DEFAULT_RULES).err(), None);
    for method in ["GET", "M-SEARCH", "PATCH"] {
        assert_eq!(fault(Rule { method, ..ANY }), None);
    }
    for method in ["", "get", "Get", "GET ", "*", "-", "GET-", "G,T", "CONNECT", "TRACE", "GET\n"] {
        assert_eq!(fault(Rule { method, ..ANY }), Some((1, RuleFault::Method)), "{method:?}");
    }
    for pattern in ["/a", "/:a", "/a/:b_1/c", "/a:b", "/%C3%A9", "/a.b"] {
        assert_eq!(fault(Rule { pattern, ..ANY }), None, "{pattern}");
    }
    for pattern in [
        "", "/", "a", "/a/", "//a", "/a//b", "/.", "/..", "/a/../b", "/:", "/::a", "/:a-b", "/:a:b", "/:a/",
        "/{a}", "/a?", "/a?b=c", "/a#", "/a b", "/a;b", "/%2e", "/%2F", "/%", "/é", "/a\\b", ":a", "/<a>",
        "/a\n",
    ] {
        assert_eq!(fault(Rule { pattern, ..ANY }), Some((1, RuleFault::Pattern)), "{pattern:?}");
    }
    assert_eq!(fault(Rule { client_types: &[], ..ANY }), Some((1, RuleFault::ClientTypes)));
    let long = "x".repeat(65);
    for id in ["", &long, "é", "a\n", "\x7f"] {
        assert_eq!(fault(Rule { client_ids: &["ok", id], ..ANY }), Some((1, RuleFault::ClientId)), "{id:?}");
    }
    assert_eq!(fault(Rule { client_ids: &[&long[1..], "a b"], ..ANY }), None);
    assert_eq!(
        fault(Rule { forward_headers: &["x-a", "Content-Length"], ..ANY }),
        Some((1, RuleFault::Header))
    );
    let invalid = Allowlist::new(&[Rule { pattern: "/{id}", ..ANY }]).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "rule 0 (counted from 0): the pattern must be a path of plain segments and named parameters, such as /users/:id"
    );
}
