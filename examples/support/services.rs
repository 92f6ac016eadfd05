//! An issuer of tokens and a relay of identities, in one gateway on a free loopback port.

use crate::story::Story;
use crate::support::Clock;
use crate::support::tcp::{Dial, Origin};
use dynamic_key::jose::jwt::Times;
use dynamic_key::jose::{Hs256Key, api_key};
use dynamic_key::transport::http1::Http1;
use dynamic_key::transport::{Header, Request, Transport as _};
use dynamic_key_gateway::{Config, Server, issuer, relay};
use std::fmt::{Debug, Display};
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Runtime;

/// A part of a story; what it returns is why it could not be played to its end.
pub(crate) type Scene = fn(&Services, &mut Story) -> Result<(), String>;

/// HTTP/1.1 over TCP.
pub(crate) type Wire<'s> = Http1<'s, Dial>;

/// Where they are reached. Their databases are in a folder that ends with this.
pub(crate) struct Services {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    /// The API key of the relay's application.
    api_key: relay::ApiKey,
    folder: PathBuf,
}

impl Services {
    pub(crate) fn start(runtime: &Runtime) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("dynamic-key-services-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(line)?;
        let relay = relay::Settings::demo(Some(folder.join("relayed.redb")));
        let api_key = relay.applications.iter().flat_map(|application| &application.keys).next().cloned();
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            issuer: Some(issuer::Settings::demo(folder.join("issued.redb"))),
            relay: Some(relay),
            ..Config::demo()
        };
        let server = runtime.block_on(Server::bind(config)).map_err(line)?;
        let address = server.local_addr();
        runtime.spawn(server.serve(pending()));
        let origin = Origin::parse(&format!("http://{address}"))?;
        Ok(Self { address, origin, api_key: api_key.ok_or("the relay has no API key")?, folder })
    }

    /// A token for the relay, signed by the API key, good for a minute.
    pub(crate) fn api_token(&self) -> Result<String, String> {
        let now = Clock::start().now().wall.ok_or("there is no clock")?;
        let times = Times { issued_at: now, not_before: now, expires: now.saturating_add_secs(60) };
        let audience = format!("http://{}", self.address);
        let claims = api_key::Claims { key_id: &self.api_key.id, audience: &audience, times };
        let key = Hs256Key::from_secret(self.api_key.secret.as_bytes()).map_err(line)?;
        Ok(api_key::sign(&key, &claims, &mut [0; 512]).map_err(line)?.to_owned())
    }

    /// What the relay tells of a customer's latest events: status and body.
    pub(crate) fn events(&self, customer: &str) -> Result<(u16, String), String> {
        let token = self.api_token()?;
        let headers = [Header::bearer(&token).map_err(line)?];
        let target = format!("/v1/customer/{customer}/stream/events");
        let mut wire = self.wire()?;
        wire.send(&Request { method: "GET", target: &target, headers: &headers, body: &[] }).map_err(line)?;
        let mut buffer = vec![0; 1 << 16];
        let answer = wire.receive(&mut buffer).map_err(line)?;
        Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
    }

    pub(crate) fn wire(&self) -> Result<Wire<'_>, String> {
        Http1::new(self.origin.dial().map_err(line)?, self.origin.host()).map_err(line)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Tells one chapter, with services of its own; 0 only if all went as told.
pub(crate) fn tell(chapter: &str, scenes: &[Scene]) -> ExitCode {
    let mut story = Story::begin();
    let played = Runtime::new().map_err(line).and_then(|runtime| {
        let services = Services::start(&runtime)?;
        story.chapter(chapter);
        story.say(&format!("issuer and relay  http://{}", services.address));
        play(&services, scenes, &mut story);
        Ok(())
    });
    if let Err(why) = played {
        story.broken(&why);
    }
    if story.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays scenes one by one; one that breaks off does not keep the others from being played.
pub(crate) fn play(services: &Services, scenes: &[Scene], story: &mut Story) {
    for scene in scenes {
        if let Err(why) = scene(services, story) {
            story.broken(&why);
        }
    }
}

/// An error as a person reads it.
pub(crate) fn line(error: impl Display) -> String {
    error.to_string()
}

/// An error that has no words for a person.
pub(crate) fn debug(error: impl Debug) -> String {
    format!("{error:?}")
}
