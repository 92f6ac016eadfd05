//! The log at its most talkative: no token, signature, address or message in it.

use crate::server::Program;
use crate::support::{Party, Written, call, now, request, token_at};
use dynamic_key::identity::me;
use dynamic_key::identity::message::Ask;
use serde_json::json;

#[test]
fn nothing_of_anybody_is_logged() {
    let program = Program::start(&[
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--audience",
        "https://relay.example",
        "--log",
        "trace",
    ]);
    let secret = "an API key of the demonstration, which is no secret";
    let token = token_at("demo-key", secret, "https://relay.example", now());
    let mut party = Party::join(program.address, &token);
    let to = party.me.address().to_owned();
    let mut asked: Vec<Written> = vec![party.message(&to, "one-id"), party.fetch(&Ask::default())];
    asked.push(party.ask(now(), me));
    let mut wrong = party.message(&to, "other-id");
    wrong.body = json!({"messages": [wrong.body.split('"').nth(3).unwrap(), "x"]}).to_string();
    asked.push(wrong);
    for written in &asked {
        call(program.address, &token, &request(written));
    }
    call(program.address, &format!("{token}x"), &request(&asked[0])).refused(401, 40_101);
    program.signal("TERM");
    let (_, stdout, log) = program.finish();
    assert_eq!(stdout, "");
    assert!(log.contains("endpoint=\"/v1/messages/send\" status=200 code=20021 transaction="), "{log}");
    assert!(log.contains("code=40001") && log.contains("code=40101"), "{log}");
    let kid = party.me.kid();
    let parts = token.split('.').chain(asked.iter().flat_map(|written| written.body.split(['"', '.'])));
    for part in parts.filter(|part| part.len() > 11).chain([secret, to.as_str(), kid.as_str(), "one-id"]) {
        assert!(!log.contains(part), "{part} is in the log:\n{log}");
    }
}
