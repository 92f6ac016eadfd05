//! The grants, one by one. Hours pass by telling the library so: its clock is its caller's.

use crate::services::{Scene, Services, Wire, debug, line};
use crate::story::Story;
use dynamic_key::Secret;
use dynamic_key::client::{TokenClient, TokenClientError};
use dynamic_key::session::{Now, Uptime};
use dynamic_key::token::{Config, Credentials, Need, Stop, TokenError, login, oauth};
use dynamic_key::transport::{Header, Request, Transport as _};
use dynamic_key_gateway::issuer::RESOURCE;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

pub(crate) const SCENES: [Scene; 5] =
    [client_credentials, api_key_login, code_with_proof, copied_refresh_token, suspended_client];

/// Where between the earliest and the latest moment a token is renewed: by chance, and here always in the middle.
const JITTER: u32 = 0x8000_0000;

type Outcome = Result<(), String>;
type Client<'c> = TokenClient<'c, Wire<'c>>;

fn client_credentials(services: &Services, story: &mut Story) -> Outcome {
    story.scene("Client credentials", "OAuth 2.0, spoken in JSON: obtained, used, refreshed, revoked.");
    let credentials = Credentials::confidential("merchant", "merchant-secret").map_err(line)?;
    let mut client = client(services, Config::new(&oauth::NOMBA, &credentials))?;
    let status = call(services, &mut client, hours(0), None)?;
    story.check(status == 200, format_args!("the resource knows the client: {status}"));
    let first = stored(&mut client)?;
    let status = call(services, &mut client, hours(1), None)?;
    story.check(status == 200, format_args!("an hour later the token is refreshed first: {status}"));
    story.check(stored(&mut client)? != first, "the refresh token was replaced");
    let token = token(&mut client, hours(1))?;
    client.tokens_mut().revoke();
    client.send_due(hours(1), JITTER, &mut [0; 2048]).map_err(debug)?;
    let status = present(services, &token, None)?;
    story.check(status == 401, format_args!("what was revoked is refused: {status}"));
    let need = client.tokens_mut().need(hours(1));
    story.check(
        need == Need::Stopped(Stop::Revoked),
        format_args!("the client says that it is over: {need:?}"),
    );
    Ok(())
}

fn api_key_login(services: &Services, story: &mut Story) -> Outcome {
    story.scene("Login with an API key", "There is nothing to refresh, so it logs in again.");
    let key = "platform-key";
    let credentials = Credentials::confidential("platform", "platform-secret")
        .and_then(|pair| pair.with_api_key(key))
        .map_err(line)?;
    let mut client = client(services, Config::new(&login::NILO, &credentials))?;
    let status = call(services, &mut client, hours(0), Some(key))?;
    story.check(status == 200, format_args!("key and token together are admitted: {status}"));
    let first = token(&mut client, hours(0))?;
    let status = present(services, &first, None)?;
    story.check(status == 401, format_args!("the token without the key is not: {status}"));
    story.check(token(&mut client, hours(1))? != first, "an hour later it has logged in again");
    Ok(())
}

fn code_with_proof(services: &Services, story: &mut Story) -> Outcome {
    story.scene(
        "A user's authorization",
        "In a browser, with PKCE: the code is worth nothing without its verifier.",
    );
    let credentials = Credentials::public("app").map_err(line)?;
    let redirect_uri = Some("http://127.0.0.1/callback");
    let mut client = client(services, Config { redirect_uri, ..Config::new(&oauth::RFC6749, &credentials) })?;
    let need = client.tokens_mut().need(hours(0));
    story.check(need == Need::Authorization, format_args!("the client says what it needs: {need:?}"));
    let mut random = Secret::zero();
    getrandom::fill(random.as_mut_bytes()).map_err(line)?;
    let mut room = [0; 1024];
    let url = client.tokens_mut().authorize("", &random, &mut room).map_err(line)?;
    let location = open(services, url)?;
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let forged = client.tokens_mut().authorized(&query.replace("state=", "state=x"));
    story.refusal(
        forged == Err(TokenError::State),
        &format!("a redirect with another state: {}", told(&forged)),
    );
    client.tokens_mut().authorized(query).map_err(line)?;
    let status = call(services, &mut client, hours(0), None)?;
    story.check(status == 200, format_args!("the code buys a token: {status}"));
    let status = call(services, &mut client, hours(1), None)?;
    story.check(status == 200, format_args!("an hour later its refresh token buys the next: {status}"));
    Ok(())
}

fn copied_refresh_token(services: &Services, story: &mut Story) -> Outcome {
    story.scene("A copied refresh token", "When both have used it, neither has any more.");
    let credentials = Credentials::confidential("merchant", "merchant-secret").map_err(line)?;
    let config = Config::new(&oauth::RFC6749, &credentials);
    let (mut owner, mut thief) = (client(services, config)?, client(services, config)?);
    token(&mut owner, hours(0))?;
    thief.tokens_mut().restore(&stored(&mut owner)?).map_err(line)?;
    let stolen = token(&mut thief, hours(0))?;
    let status = present(services, &stolen, None)?;
    story.check(status == 200, format_args!("the thief's token is good: {status}"));
    token(&mut owner, hours(1))?;
    let status = present(services, &stolen, None)?;
    story.refusal(status == 401, &format!("the thief's token once the owner has refreshed: {status}"));
    let status = call(services, &mut owner, hours(1), None)?;
    story.check(status == 200, format_args!("the owner has its credentials to begin anew: {status}"));
    Ok(())
}

fn suspended_client(services: &Services, story: &mut Story) -> Outcome {
    story.scene("A suspended client", "It stops asking.");
    let credentials = Credentials::confidential("suspended", "suspended-secret").map_err(line)?;
    let mut client = client(services, Config::new(&oauth::RFC6749, &credentials))?;
    let mut ask = || match client.access(hours(0), JITTER, &mut [0; 2048]) {
        Ok(_) => Err("it got a token".to_owned()),
        Err(error) => Ok(error),
    };
    let refused = ask()?;
    let holds = matches!(&refused, TokenClientError::Token(TokenError::Refused { status: 403 }));
    story.check(holds, format_args!("it is refused: {refused:?}"));
    let stopped = ask()?;
    let holds = matches!(&stopped, TokenClientError::Unavailable(Need::Stopped(Stop::Suspended)));
    story.check(holds, format_args!("and asks no more: {stopped:?}"));
    Ok(())
}

fn client<'c>(services: &'c Services, config: Config<'c>) -> Result<Client<'c>, String> {
    TokenClient::new(config, services.wire()?).map_err(line)
}

/// Calls the resource as a device does: with a token that is kept fresh, whose fate it tells.
fn call(services: &Services, client: &mut Client<'_>, now: Now, key: Option<&str>) -> Result<u16, String> {
    let mut buffer = [0; 2048];
    let access = client.access(now, JITTER, &mut buffer).map_err(debug)?;
    let (generation, status) = (access.generation, present(services, access.token, key)?);
    client.tokens_mut().used(generation, status);
    Ok(status)
}

/// Presents a token to the resource.
fn present(services: &Services, token: &str, key: Option<&str>) -> Result<u16, String> {
    let token = Header::bearer(token).map_err(line)?;
    let key = key.map(|key| Header::new("x-api-key", key)).transpose().map_err(line)?;
    let both = [token, key.unwrap_or(token)];
    let headers = if key.is_some() { &both[..] } else { both.split_at(1).0 };
    let mut wire = services.wire()?;
    wire.send(&Request { method: "GET", target: RESOURCE, headers, body: &[] }).map_err(debug)?;
    Ok(wire.receive(&mut [0; 2048]).map_err(debug)?.status)
}

/// Opens a URL as a browser does, and says where it is sent.
fn open(services: &Services, target: &str) -> Result<String, String> {
    let address = services.address;
    let mut stream = TcpStream::connect(address).map_err(line)?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").map_err(line)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(line)?;
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.map(Into::into).ok_or_else(|| format!("no redirect: {answer}"))
}

fn hours(hours: u64) -> Now {
    Now::uptime(Uptime::from_millis(hours.saturating_mul(3_600_000)))
}

fn token(client: &mut Client<'_>, now: Now) -> Result<String, String> {
    Ok(client.access(now, JITTER, &mut [0; 2048]).map_err(debug)?.token.into())
}

fn stored(client: &mut Client<'_>) -> Result<String, String> {
    client.tokens_mut().refresh_token().map(Into::into).ok_or_else(|| "there is no refresh token".into())
}

fn told<T>(outcome: &Result<T, TokenError>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |_| "taken".into())
}
