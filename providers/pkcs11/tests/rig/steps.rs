//! A handshake step by step.

use dynamic_key::Error;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{PinnedKey, Pins};
use dynamic_key::crypto::{Provider, Signer};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerError, ServerFacts,
    ServerHandshake, ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now};

/// The token's steps as a client, and as a gateway whose identity is in it.
pub const CLIENT: &[usize] = &[0, 1, 7];
pub const GATEWAY: &[usize] = &[2, 3, 4, 5];

struct Everybody;

impl ServerPolicy for Everybody {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

/// What can be done between two others.
pub const STEPS: usize = 9;

/// What is agreed on beforehand.
pub struct Shake<'s> {
    pub scheme: Scheme,
    pub mode: Mode,
    /// The gateway's identity.
    pub pin: PinnedKey,
    /// The client's identity, for mutual mode.
    pub client: Option<&'s mut dyn Signer>,
}

/// A handshake up to both sessions; `before` is called before each step. After an error there must be no session.
pub fn shake<C: Provider, G: Provider>(
    client: &mut C,
    gateway: &mut G,
    signer: &mut impl Signer,
    shake: Shake<'_>,
    mut before: impl FnMut(usize),
) -> Result<(), Error> {
    let Shake { scheme, mode, pin, client: mut introduced } = shake;
    let (schemes, pins) = ([scheme], [pin]);
    let config = ClientConfig {
        mode,
        schemes: &schemes,
        identity: introduced.as_ref().map(|identity| identity.kid()),
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    };
    let mut there = ClientHandshake::<C, 64>::new(&config).unwrap();
    let mut here = ServerHandshake::<G>::new();
    let mut buffer = [0; 4096];
    let mut length = 0;
    let outcome = (0..STEPS).try_for_each(|step| {
        before(step);
        match step {
            0 => there.compute(client, &mut Pins(&pins)).map(drop),
            1 => there.hello(client, Now::UNKNOWN, &mut buffer).map(|written| length = written),
            2 => here.hello(gateway, &Everybody, &mut buffer[..length]).map_err(error),
            3 => here.compute(gateway).map(drop).map_err(error),
            4 => {
                let facts = ServerFacts {
                    session_id: "dynamic-key-pkcs11",
                    token: "e30.e30.c2ln",
                    expire_token: 0,
                    expires_at: Timestamp::from_unix_secs(1_780_531_200),
                    expires_in: 3600,
                    instance: 7,
                    identity: (mode >= Mode::Pinned).then(|| pin.kid()),
                    plain: Default::default(),
                };
                here.answer(gateway, &facts, &mut buffer).map(|written| length = written).map_err(error)
            }
            5 if here.need() == ServerNeed::Finish => Ok(()),
            5 => here.sign(signer, &mut buffer[..length]).map_err(error),
            6 => there.reply(200, &buffer[..length]),
            7 => there.compute(client, &mut Pins(&pins)).map(drop),
            _ => match &mut introduced {
                Some(identity) => there.sign(identity),
                None => Ok(()),
            },
        }
    });
    match outcome {
        Ok(()) => {
            assert_eq!((there.need(), here.need()), (ClientNeed::Finish, ServerNeed::Finish));
            assert!(there.finish().is_ok() && here.finish().is_ok());
        }
        Err(_) => {
            // Whoever failed has nothing; the other still waits.
            let dead = (there.need() == ClientNeed::Nothing, here.need() == ServerNeed::Nothing);
            assert!(dead.0 != dead.1, "{dead:?}");
            assert!(there.finish().is_err() && (here.finish().is_err() || dead.0));
        }
    }
    outcome
}

fn error(error: ServerError) -> Error {
    match error {
        ServerError::Refuse(refusal) => Error::Refused(refusal.code),
        ServerError::Misuse(error) => error,
    }
}
