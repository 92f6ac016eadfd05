//! The command line of the client.

use crate::support::tcp::Origin;
use dynamic_key::Secret;
use dynamic_key::codec::json;
use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::Identity;
use dynamic_key::scheme::{NameList, Scheme};
use dynamic_key::session::{ClientType, Mode};
use std::ffi::OsString;
use std::fs;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
Makes a session with a gateway and sends requests sealed in it.

  client --gateway URL --client-id ID --pin KID [options] METHOD PATH [JSON]

  --gateway URL      http://HOST[:PORT]
  --client-id ID     the id under which the gateway knows this client
  --type TYPE        internal or external; internal if not given
  --mode MODE        what the session must be worth; the gateway's identity is checked from pinned mode on
                       mutual     as pinned, and the gateway knows the identity of this client
                       pinned     (the default) the gateway is one of those that --pin names
                       confirmed  safe against who only listens: whoever is in the middle can be the gateway
                       plain      the V2 contract and nothing more
  --pin KID          an identity that the gateway may have, as it prints it; several for a rotation
  --identity FILE    the identity of this client, for mutual mode: a private JWK (P-256)
  --scheme A,B       the schemes to offer, best first; SCHEME-EC-AES2,SCHEME-EC-AES1 if not given; built with the
                     feature ffdhe it has SCHEME-AES2 and SCHEME-AES1, too
  --device-id ID     example-client if not given
  --repeat N         sends the request N times in the one session
  --show-wire        shows what went over the wire, and what the ends see, on standard error

Prints the status and the body of each answer. Exit code: 0 if every status was 2xx, 1 if not or if anything
failed, 2 if the command line is wrong.
";

/// What is to be done.
pub(crate) enum Command {
    Help,
    Run(Box<Options>),
}

/// What the command line says, checked.
pub(crate) struct Options {
    pub(crate) gateway: Origin,
    pub(crate) client_id: String,
    pub(crate) client_type: ClientType,
    pub(crate) device_id: String,
    pub(crate) mode: Mode,
    pub(crate) pins: Vec<KeyId>,
    pub(crate) identity: Option<Identity>,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) repeat: u32,
    pub(crate) show_wire: bool,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
}

/// Reads the arguments; the error is a line for a person.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.map(|arg| arg.into_string().map_err(|arg| format!("{arg:?} is not UTF-8")));
    let (mut gateway, mut client_id, mut positional) = (None, None, Vec::new());
    let (mut client_type, mut mode) = (ClientType::Internal, Mode::Pinned);
    let (mut pins, mut identity, mut schemes) = (Vec::new(), None, Scheme::ELLIPTIC.to_vec());
    let (mut device_id, mut repeat, mut show_wire) = (String::from("example-client"), 1, false);
    while let Some(arg) = args.next().transpose()? {
        let mut value = || args.next().unwrap_or_else(|| Err(format!("{arg} wants a value")));
        match arg.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--gateway" => gateway = Some(Origin::parse(&value()?)?),
            "--client-id" => client_id = Some(named(&value()?, claim, CLAIM)?),
            "--device-id" => device_id = named(&value()?, claim, CLAIM)?,
            "--type" => client_type = named(&value()?, ClientType::from_name, "internal or external")?,
            "--mode" => mode = named(&value()?, Mode::from_name, "mutual, pinned, confirmed or plain")?,
            "--pin" => pins.push(named(&value()?, KeyId::parse, "a kid, 43 characters of base64url")?),
            "--identity" => identity = Some(identity_in(&value()?)?),
            "--scheme" => schemes = offered(&value()?)?,
            "--repeat" => repeat = named(&value()?, at_least_one, "a number from 1 on")?,
            "--show-wire" => show_wire = true,
            option if option.starts_with('-') => return Err(format!("there is no option {option}")),
            _ => positional.push(arg),
        }
    }
    if mode >= Mode::Pinned && pins.is_empty() {
        return Err(format!("{} mode wants --pin KID, the identity that the gateway must have", mode.name()));
    }
    if (mode == Mode::Mutual) != identity.is_some() {
        return Err("mutual mode, and no other, wants --identity FILE".into());
    }
    let mut positional = positional.into_iter();
    let (Some(method), Some(path), body, None) =
        (positional.next(), positional.next(), positional.next(), positional.next())
    else {
        return Err("METHOD, PATH and at most one JSON body are wanted".into());
    };
    if !path.starts_with('/') {
        return Err(format!("{path}: a path begins with /"));
    }
    if let Some(error) = body.as_deref().and_then(|body| json::value(body.as_bytes()).err()) {
        return Err(format!("the body: {error}"));
    }
    Ok(Command::Run(Box::new(Options {
        gateway: gateway.ok_or("--gateway is missing")?,
        client_id: client_id.ok_or("--client-id is missing")?,
        client_type,
        device_id,
        mode,
        pins,
        identity,
        schemes,
        repeat,
        show_wire,
        method,
        path,
        body,
    })))
}

/// What `text` names, or a line that says what was wanted.
fn named<T>(text: &str, find: impl Fn(&str) -> Option<T>, wanted: &str) -> Result<T, String> {
    find(text).ok_or_else(|| format!("{text:?} is not {wanted}"))
}

const CLAIM: &str = "1 to 64 printable characters of ASCII";

fn claim(text: &str) -> Option<String> {
    let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    ((1..=64).contains(&text.len()) && printable).then(|| text.into())
}

/// The identity whose private JWK (RFC 7517) is in the file.
fn identity_in(path: &str) -> Result<Identity, String> {
    let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let read = || {
        let [kty, crv, d] = json::object(&text, &["kty", "crv", "d"]).ok()?;
        let is = |value: Option<json::Value<'_>>, name: &str| {
            value.and_then(|value| value.string().ok()).is_some_and(|text| text.bytes().eq(name.bytes()))
        };
        let mut scalar = Secret::<32>::zero();
        let private = d?.string().ok()?.base64url(scalar.as_mut_bytes()).ok()?.len() == 32;
        (is(kty, "EC") && is(crv, "P-256") && private).then(|| Identity::from_bytes(&scalar).ok()).flatten()
    };
    read().ok_or_else(|| format!("{path} is not a private JWK of P-256"))
}

fn at_least_one(text: &str) -> Option<u32> {
    u32::from_str(text).ok().filter(|number| *number > 0)
}

fn offered(names: &str) -> Result<Vec<Scheme>, String> {
    let ours = |name: &str| Scheme::from_name(name).filter(|scheme| Scheme::SOFTWARE.contains(scheme));
    let offer: Vec<_> = names
        .split(',')
        .map(|name| named(name, ours, "a scheme that this client has"))
        .collect::<Result<_, _>>()?;
    if NameList::of_schemes(&offer).is_err() {
        return Err(format!("{names}: a scheme is offered twice"));
    }
    Ok(offer)
}
