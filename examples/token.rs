//! Every grant of `dynamic_key::token` against the issuer of the example gateway, over TCP on a free loopback port.
//!
//! ```text
//! cargo run --release --example token
//! ```
//!
//! Hours pass by telling the library so: its clock is its caller's. Exit code 0 only if all went as told.
#![allow(clippy::large_stack_frames, reason = "a host has megabytes of stack")]
#![allow(dead_code, reason = "not every example needs all that examples share")]

mod support;

use dynamic_key::Secret;
use dynamic_key::client::{TokenClient, TokenClientError};
use dynamic_key::session::{Now, Uptime};
use dynamic_key::token::{Config, Credentials, Need, Stop, TokenError, login, oauth};
use dynamic_key::transport::http1::Http1;
use dynamic_key::transport::{Header, Request, Transport};
use dynamic_key_gateway::issuer::{RESOURCE, Settings};
use dynamic_key_gateway::{Config as Gateway, Server};
use std::fmt::{Debug, Display};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use support::tcp::{Dial, Origin};
use tokio::runtime::Runtime;

type Outcome = Result<(), String>;
type Wire<'o> = Http1<'o, Dial>;

fn main() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("dynamic-key-token-{}", std::process::id()));
    let outcome = play(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    match outcome {
        Ok(()) => {
            println!("\nAll as told.");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("token: {why}");
            ExitCode::FAILURE
        }
    }
}

fn play(folder: &std::path::Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(line)?;
    let runtime = Runtime::new().map_err(line)?;
    let config = Gateway {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        issuer: Some(Settings::demo(folder.join("issued.redb"))),
        ..Gateway::demo()
    };
    let server = runtime.block_on(Server::bind(config)).map_err(line)?;
    let address = server.local_addr();
    runtime.spawn(server.serve(std::future::pending()));
    let issuer = Issuer { address, origin: Origin::parse(&format!("http://{address}"))? };
    println!("An issuer listens on http://{address}.");
    client_credentials(&issuer)?;
    api_key_login(&issuer)?;
    code_with_proof(&issuer)?;
    copied_refresh_token(&issuer)?;
    suspended_client(&issuer)
}

/// OAuth 2.0 client credentials, in JSON: obtained, used, refreshed, revoked.
fn client_credentials(issuer: &Issuer) -> Outcome {
    println!("\nClient credentials (JSON)");
    let credentials = Credentials::confidential("merchant", "merchant-secret").map_err(line)?;
    let mut client: TokenClient<_> =
        TokenClient::new(Config::new(&oauth::NOMBA, &credentials), issuer.wire()?).map_err(line)?;
    expect("the resource knows the client", issuer.call(&mut client, hours(0), None)?, 200)?;
    let first = stored(&mut client)?;
    expect("an hour later the token is refreshed first", issuer.call(&mut client, hours(1), None)?, 200)?;
    told("the refresh token was replaced", stored(&mut client)? != first)?;
    let token = client.access(hours(1), 0, &mut [0; 2048]).map_err(debug)?.token.to_owned();
    client.tokens_mut().revoke();
    client.send_due(hours(1), 0, &mut [0; 2048]).map_err(debug)?;
    expect("what was revoked is refused", issuer.present(&token, None)?, 401)?;
    told(
        "the client says that it is over",
        client.tokens_mut().need(hours(1)) == Need::Stopped(Stop::Revoked),
    )
}

/// A login with an API key: nothing to refresh, so it logs in again.
fn api_key_login(issuer: &Issuer) -> Outcome {
    println!("\nLogin with an API key");
    let key = "platform-key";
    let credentials = Credentials::confidential("platform", "platform-secret")
        .and_then(|pair| pair.with_api_key(key))
        .map_err(line)?;
    let mut client: TokenClient<_> =
        TokenClient::new(Config::new(&login::NILO, &credentials), issuer.wire()?).map_err(line)?;
    expect("key and token together are admitted", issuer.call(&mut client, hours(0), Some(key))?, 200)?;
    let first = token(&mut client, hours(0))?;
    expect("the token without the key is not", issuer.present(&first, None)?, 401)?;
    told("an hour later it has logged in again", token(&mut client, hours(1))? != first)
}

/// A user authorizes in a browser, and the code is exchanged with the verifier (RFC 7636).
fn code_with_proof(issuer: &Issuer) -> Outcome {
    println!("\nA user's authorization with PKCE");
    let credentials = Credentials::public("app").map_err(line)?;
    let redirect_uri = Some("http://127.0.0.1/callback");
    let config = Config { redirect_uri, ..Config::new(&oauth::RFC6749, &credentials) };
    let mut client: TokenClient<_> = TokenClient::new(config, issuer.wire()?).map_err(line)?;
    told("a user is needed", client.tokens_mut().need(hours(0)) == Need::Authorization)?;
    let mut random = Secret::zero();
    getrandom::fill(random.as_mut_bytes()).map_err(line)?;
    let mut room = [0; 1024];
    let url = client.tokens_mut().authorize("", &random, &mut room).map_err(line)?;
    let location = issuer.open(url)?;
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let forged = query.replace("state=", "state=x");
    told(
        "a redirect with another state is refused",
        client.tokens_mut().authorized(&forged) == Err(TokenError::State),
    )?;
    client.tokens_mut().authorized(query).map_err(line)?;
    expect("the code buys a token", issuer.call(&mut client, hours(0), None)?, 200)?;
    expect("an hour later its refresh token buys the next", issuer.call(&mut client, hours(1), None)?, 200)
}

/// Somebody copied a refresh token: when both have used it, neither has any more.
fn copied_refresh_token(issuer: &Issuer) -> Outcome {
    println!("\nA copied refresh token");
    let credentials = Credentials::confidential("merchant", "merchant-secret").map_err(line)?;
    let config = Config::new(&oauth::RFC6749, &credentials);
    let mut owner: TokenClient<_> = TokenClient::new(config, issuer.wire()?).map_err(line)?;
    let mut thief: TokenClient<_> = TokenClient::new(config, issuer.wire()?).map_err(line)?;
    token(&mut owner, hours(0))?;
    thief.tokens_mut().restore(&stored(&mut owner)?).map_err(line)?;
    let stolen = token(&mut thief, hours(0))?;
    expect("the thief's token is good", issuer.present(&stolen, None)?, 200)?;
    token(&mut owner, hours(1))?;
    expect("until the owner refreshes, too", issuer.present(&stolen, None)?, 401)?;
    expect("the owner has its credentials to begin anew", issuer.call(&mut owner, hours(1), None)?, 200)
}

/// A client that is suspended stops asking.
fn suspended_client(issuer: &Issuer) -> Outcome {
    println!("\nA suspended client");
    let credentials = Credentials::confidential("suspended", "suspended-secret").map_err(line)?;
    let config = Config::new(&oauth::RFC6749, &credentials);
    let mut client: TokenClient<_> = TokenClient::new(config, issuer.wire()?).map_err(line)?;
    let mut ask = || client.access(hours(0), 0, &mut [0; 2048]).err();
    let refused = TokenError::Refused { status: 403 };
    told("it is refused", matches!(ask(), Some(TokenClientError::Token(error)) if error == refused))?;
    let stopped = Need::Stopped(Stop::Suspended);
    told("and asks no more", matches!(ask(), Some(TokenClientError::Unavailable(need)) if need == stopped))
}

/// Where the issuer listens.
struct Issuer {
    address: SocketAddr,
    origin: Origin,
}

impl Issuer {
    fn wire(&self) -> Result<Wire<'_>, String> {
        Http1::new(self.origin.dial().map_err(line)?, self.origin.host()).map_err(line)
    }

    /// Calls the resource as a device does: with a token that is kept fresh, whose fate it tells.
    fn call<T: Transport>(
        &self,
        client: &mut TokenClient<'_, T>,
        now: Now,
        key: Option<&str>,
    ) -> Result<u16, String> {
        let access = client.access(now, 0x8000_0000, &mut [0; 2048]).map_err(debug)?;
        let (generation, status) = (access.generation, self.present(access.token, key)?);
        client.tokens_mut().used(generation, status);
        Ok(status)
    }

    /// Presents a token to the resource.
    fn present(&self, token: &str, key: Option<&str>) -> Result<u16, String> {
        let token = Header::bearer(token).map_err(line)?;
        let key = key.map(|key| Header::new("x-api-key", key)).transpose().map_err(line)?;
        let both = [token, key.unwrap_or(token)];
        let headers = if key.is_some() { &both[..] } else { both.split_at(1).0 };
        let mut wire = self.wire()?;
        wire.send(&Request { method: "GET", target: RESOURCE, headers, body: &[] }).map_err(debug)?;
        Ok(wire.receive(&mut [0; 2048]).map_err(debug)?.status)
    }

    /// Opens a URL as a browser does, and says where it is sent.
    fn open(&self, target: &str) -> Result<String, String> {
        let mut stream = TcpStream::connect(self.address).map_err(line)?;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .map_err(line)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(line)?;
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        location.map(Into::into).ok_or_else(|| format!("no redirect: {answer}"))
    }
}

fn hours(hours: u64) -> Now {
    Now::uptime(Uptime::from_millis(hours.saturating_mul(3_600_000)))
}

fn token<T: Transport>(client: &mut TokenClient<'_, T>, now: Now) -> Result<String, String> {
    Ok(client.access(now, 0x8000_0000, &mut [0; 2048]).map_err(debug)?.token.into())
}

fn stored<T: Transport>(client: &mut TokenClient<'_, T>) -> Result<String, String> {
    client.tokens_mut().refresh_token().map(Into::into).ok_or_else(|| "there is no refresh token".into())
}

fn expect(what: &str, status: u16, expected: u16) -> Outcome {
    told(&format!("{what}: {status}"), status == expected)
}

fn told(what: &str, is_so: bool) -> Outcome {
    if is_so {
        println!("  {what}");
        Ok(())
    } else {
        Err(format!("it is not so that {what}"))
    }
}

fn line(error: impl Display) -> String {
    error.to_string()
}

fn debug(error: impl Debug) -> String {
    format!("{error:?}")
}
