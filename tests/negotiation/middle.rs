//! Both machines, and a man in the middle who edits what passes.

use crate::pool::{Pool, key_text};
use dynamic_key::codec::spki::Group;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, Refusal, ServerError, ServerFacts,
    ServerHandshake, ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now};
use dynamic_key::{Code, Error};
use serde_json::{Value, json};

/// What a gateway grants everybody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'p> {
    pub(crate) schemes: &'p [Scheme],
    pub(crate) preference: Preference,
    pub(crate) least_mode: Mode,
}

impl ServerPolicy for Policy<'_> {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        let Self { schemes, preference, least_mode } = *self;
        Some(ClientPolicy { schemes, preference, least_mode })
    }
}

/// What the man in the middle does, to every message that it fits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edit {
    Nothing,
    /// Puts another list in the place of the offer.
    Offer(Vec<String>),
    /// The same in the hello of one turn only.
    OfferAt(usize, Vec<String>),
    /// Puts features into the hello.
    Features(Vec<String>),
    /// Puts features into the answer.
    Selected(Vec<String>),
    /// Takes `keyAgreement` out of the hello.
    StripHello,
    /// Takes `keyAgreement` out of the answer.
    StripAnswer,
    /// Both.
    StripBoth,
    /// Puts another scheme into the answer.
    Scheme(String),
    /// Puts another scheme into the gateway's 409, or none.
    Conflict(Option<String>),
    /// Answers the hello of this turn with a 409 of its own, which may lack the scheme.
    Forge(usize, Option<String>),
    /// Puts a valid key of its own into the hello.
    ClientKey(Group),
    /// Puts a valid key of its own into the answer.
    ServerKey(Group),
}

impl Edit {
    fn hello(&self, turn: usize, hello: &mut Value) {
        match self {
            Self::Offer(names) => hello["keyAgreement"]["supportedSchemes"] = json!(names),
            Self::OfferAt(at, names) if *at == turn => {
                hello["keyAgreement"]["supportedSchemes"] = json!(names)
            }
            Self::Features(names) => hello["keyAgreement"]["features"] = json!(names),
            Self::StripHello | Self::StripBoth => strip(hello),
            Self::ClientKey(group) => hello["clientPublicKey"] = key(*group),
            _ => {}
        }
    }

    fn conflict(&self, error: &mut Value) {
        if let Self::Conflict(name) = self {
            error["scheme"] = json!(name);
            if name.is_none() {
                error.as_object_mut().unwrap().remove("scheme");
            }
        }
    }

    fn answer(&self, answer: &mut Value) {
        match self {
            Self::Scheme(name) if answer.get("keyAgreement").is_some() => {
                answer["keyAgreement"]["scheme"] = json!(name);
            }
            Self::Selected(names) if answer.get("keyAgreement").is_some() => {
                answer["keyAgreement"]["features"] = json!(names);
            }
            Self::StripAnswer | Self::StripBoth => strip(answer),
            Self::ServerKey(group) => answer["serverPublicKey"] = key(*group),
            _ => {}
        }
    }

    fn forged(&self, turn: usize) -> Option<Value> {
        let Self::Forge(at, name) = self else { return None };
        let mut error =
            json!({"status": 409, "code": Code::RetryWithScheme.name(), "message": "", "scheme": name});
        if name.is_none() {
            error.as_object_mut().unwrap().remove("scheme");
        }
        (*at == turn).then_some(error)
    }
}

fn strip(message: &mut Value) {
    message.as_object_mut().unwrap().remove("keyAgreement");
}

fn key(group: Group) -> Value {
    key_text(group, 900).into()
}

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Gateway(Code),
    Client(Error),
}

/// How a run ended, and in how many hellos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) scheme: Result<Scheme, Refused>,
    pub(crate) hellos: usize,
}

/// A client that offers `offer` in `mode`, and a gateway of this policy with an identity.
pub(crate) struct Pair<'p> {
    pub(crate) mode: Mode,
    pub(crate) offer: &'p [Scheme],
    pub(crate) policy: Policy<'p>,
    pub(crate) identity: &'p Identity,
    /// What the client pins.
    pub(crate) pins: &'p [PinnedKey],
}

impl Pair<'_> {
    pub(crate) fn run(&self, edit: &Edit) -> Outcome {
        let mut hellos = 0;
        let scheme = self.shake(edit, &mut hellos);
        Outcome { scheme, hellos }
    }

    fn shake(&self, edit: &Edit, hellos: &mut usize) -> Result<Scheme, Refused> {
        let config = ClientConfig {
            mode: self.mode,
            schemes: self.offer,
            ..ClientConfig::new(ClientType::Internal, "web", "device-1", "server")
        };
        let (mut device, mut chip) = (Pool::new(1), Pool::new(100));
        let mut client = ClientHandshake::<Pool, 64>::new(&config).unwrap();
        loop {
            match client.compute(&mut device, &mut Pins(self.pins)) {
                Ok(ClientNeed::Hello) => {}
                Ok(ClientNeed::Finish) => {
                    return Ok(client.finish().unwrap().facts().scheme());
                }
                Ok(need) => panic!("{need:?}"),
                Err(error) => return Err(self.over(&client, error)),
            }
            let mut buffer = [0; 2048];
            let length = client.hello(&mut device, Now::UNKNOWN, &mut buffer).unwrap();
            let turn = *hellos;
            *hellos += 1;
            assert!(*hellos <= 2, "a client retries once");
            let (status, answer) = match edit.forged(turn) {
                Some(forged) => (409, forged),
                None => {
                    let mut hello = serde_json::from_slice(&buffer[..length]).unwrap();
                    edit.hello(turn, &mut hello);
                    let (status, mut answer) = self.serve(&mut chip, hello.to_string().into_bytes());
                    if status == 200 {
                        edit.answer(&mut answer);
                    } else if status == 409 {
                        edit.conflict(&mut answer);
                    } else {
                        return Err(Refused::Gateway(
                            Code::from_name(answer["code"].as_str().unwrap()).unwrap(),
                        ));
                    }
                    (status, answer)
                }
            };
            if let Err(error) = client.reply(status, answer.to_string().as_bytes()) {
                return Err(self.over(&client, error));
            }
        }
    }

    fn over(&self, client: &ClientHandshake<'_, Pool, 64>, error: Error) -> Refused {
        assert_eq!(client.need(), ClientNeed::Nothing, "no way back from {error:?}");
        Refused::Client(error)
    }

    /// The gateway's answer to a hello.
    fn serve(&self, chip: &mut Pool, mut hello: Vec<u8>) -> (u16, Value) {
        match self.answer(chip, &mut hello) {
            Ok(answer) => (200, answer),
            Err(refusal) => {
                let mut body = vec![0; refusal.body_len()];
                refusal.write(&mut body).unwrap();
                (refusal.code.status(), serde_json::from_slice(&body).unwrap())
            }
        }
    }

    fn answer(&self, chip: &mut Pool, hello: &mut [u8]) -> Result<Value, Refusal> {
        let refused = |error| match error {
            ServerError::Refuse(refusal) => refusal,
            ServerError::Misuse(error) => panic!("{error:?}"),
        };
        let mut server = ServerHandshake::<Pool>::new();
        server.hello(chip, &self.policy, hello).map_err(refused)?;
        assert_eq!(server.compute(chip).map_err(refused)?, ServerNeed::Answer);
        let mut identity = self.identity.clone();
        let facts = ServerFacts {
            session_id: "opaque-session-id",
            token: "e30.e30.c2ln",
            expire_token: 0,
            expires_at: Timestamp::from_unix_secs(1_780_531_200),
            expires_in: 3600,
            instance: 7,
            identity: (self.mode == Mode::Pinned).then(|| identity.kid()),
            plain: Default::default(),
        };
        let mut buffer = [0; 4096];
        let length = server.answer(chip, &facts, &mut buffer).unwrap();
        if server.need() == ServerNeed::Sign {
            server.sign(&mut identity, &mut buffer[..length]).unwrap();
        }
        server.finish().unwrap();
        Ok(serde_json::from_slice(&buffer[..length]).unwrap())
    }
}
