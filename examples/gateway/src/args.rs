//! The command line.

use crate::config::{Config, ConfigError};
use crate::{issuer, relay};
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tracing::Level;

/// What `--help` prints.
pub const HELP: &str = "\
dynamic-key-gateway: a Dynamic Key V2 gateway

usage: dynamic-key-gateway (--config FILE | --demo) [options]

  --config FILE          read the configuration from a TOML file
  --demo                 a sample upstream and two sample clients, every mode accepted

These stand above the file:

  --listen ADDR          address and port; port 0 takes a free one
  --upstream URL         http://host[:port][/prefix]
  --audience ORIGIN      the gateway's origin, in its tokens
  --identity FILE        the identity key, PEM or JWK; generated where there is none
  --token-secret FILE    the token secret in hexadecimal; generated where there is none
  --issuer FILE          issue tokens to sample clients, too, and keep what was issued in this file
  --relay FILE           relay identities of a sample application, and keep them and their messages in this file
  --session-seconds N    how long a session lasts
  --log LEVEL            error, warn, info (the default), debug or trace; to stderr
  --help
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Serve.
    Serve {
        /// With this configuration.
        config: Box<Config>,
        /// Logging this much.
        level: Level,
    },
}

/// Reads the command line, without the program's name, and the file that it names.
///
/// # Errors
/// [`ConfigError`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, ConfigError> {
    let (mut file, mut demo, mut level) = (None::<PathBuf>, false, Level::INFO);
    let mut flags = Flags::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("demo") => demo = true,
            Long("config") => file = Some(parser.value().map_err(usage)?.into()),
            Long("listen") => flags.listen = Some(value(&mut parser)?),
            Long("upstream") => flags.upstream = Some(value(&mut parser)?),
            Long("audience") => flags.audience = Some(value(&mut parser)?),
            Long("identity") => flags.identity = Some(parser.value().map_err(usage)?.into()),
            Long("token-secret") => flags.token_secret = Some(parser.value().map_err(usage)?.into()),
            Long("issuer") => flags.issuer = Some(parser.value().map_err(usage)?.into()),
            Long("relay") => flags.relay = Some(parser.value().map_err(usage)?.into()),
            Long("session-seconds") => flags.session_seconds = Some(value(&mut parser)?),
            Long("log") => level = value(&mut parser)?,
            other => return Err(usage(other.unexpected())),
        }
    }
    let mut config = match (file, demo) {
        (Some(file), false) => Config::load(&file)?,
        (None, true) => Config::demo(),
        _ => return Err(usage("either --config FILE or --demo is needed (see --help)")),
    };
    flags.apply(&mut config);
    Ok(Command::Serve { config: Box::new(config), level })
}

/// What stands above the file.
#[derive(Default)]
struct Flags {
    listen: Option<std::net::SocketAddr>,
    upstream: Option<String>,
    audience: Option<String>,
    identity: Option<PathBuf>,
    token_secret: Option<PathBuf>,
    issuer: Option<PathBuf>,
    relay: Option<PathBuf>,
    session_seconds: Option<u32>,
}

impl Flags {
    fn apply(self, config: &mut Config) {
        config.listen = self.listen.unwrap_or(config.listen);
        config.upstream = self.upstream.or(config.upstream.take());
        config.audience = self.audience.or(config.audience.take());
        config.identity = self.identity.or(config.identity.take());
        config.token_secret = self.token_secret.or(config.token_secret.take());
        config.issuer = self.issuer.map(issuer::Settings::demo).or(config.issuer.take());
        if let Some(database) = self.relay {
            config.relay = Some(relay::Settings::demo(Some(database)));
        }
        if let Some(seconds) = self.session_seconds {
            config.session = Duration::from_secs(seconds.into());
        }
    }
}

fn value<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    parser: &mut lexopt::Parser,
) -> Result<T, ConfigError> {
    parser.value().and_then(|value| value.parse()).map_err(usage)
}

fn usage(reason: impl ToString) -> ConfigError {
    ConfigError::Usage { reason: reason.to_string() }
}
