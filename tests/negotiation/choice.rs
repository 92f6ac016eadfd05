//! What a gateway chooses, and what it refuses first.

use crate::pool::{Pool, key_text};
use crate::{PREFERENCES, SCHEMES, expected, middle::Policy, names, sequences, subsets};
use dynamic_key::Code;
use dynamic_key::codec::spki::Group;
use dynamic_key::handshake::{ServerError, ServerHandshake, ServerNeed};
use dynamic_key::scheme::{NameList, Scheme, negotiate};
use dynamic_key::session::Mode;
use serde_json::json;

#[test]
fn every_offer_against_every_policy() {
    const FUTURE: &str = "SCHEME-FUTURE-9";
    let mut count = 0;
    for offer in sequences(&Scheme::BY_STRENGTH) {
        for unknown in 0..=offer.len() {
            let mut list = NameList::new();
            for (at, scheme) in offer.iter().enumerate() {
                if at == unknown {
                    list.push(FUTURE).unwrap();
                }
                list.push(scheme.name()).unwrap();
            }
            // Also that the order of a policy says nothing.
            for (accepted, preference) in sequences(&Scheme::BY_STRENGTH)
                .into_iter()
                .flat_map(|accepted| PREFERENCES.map(|p| (accepted.clone(), p)))
            {
                let choice = negotiate(&list, &accepted, preference);
                assert_eq!(choice, expected(&offer, &accepted, preference), "{offer:?} × {accepted:?}");
                count += 1;
            }
        }
    }
    assert_eq!(count, 261 * 65 * 2);
}

/// Hello by hello: every offer, policy and least mode, with a key of every group, in both kinds of hello.
#[test]
fn the_order_of_the_checks() {
    let groups: &[Group] =
        if SCHEMES.len() == 4 { &[Group::P256, Group::Ffdhe2048, Group::Ffdhe3072] } else { &[Group::P256] };
    let mut conflicts = 0;
    for group in groups {
        let key = key_text(*group, 1);
        for offer in sequences(SCHEMES) {
            let plain = offer.is_empty();
            let mut hello = json!({
                "clientPublicKey": key,
                "device": {"id": "d", "platform": "server"},
                "client": {"type": "internal", "clientId": "c"},
            });
            if !plain {
                hello["keyAgreement"] =
                    json!({"supportedSchemes": names(&offer), "nonce": "AAAAAAAAAAAAAAAAAAAAAA=="});
            }
            let hello = hello.to_string();
            for (schemes, preference) in
                subsets(SCHEMES).into_iter().flat_map(|schemes| PREFERENCES.map(|p| (schemes.clone(), p)))
            {
                for least_mode in [Mode::Plain, Mode::Confirmed, Mode::Mutual] {
                    let policy = Policy { schemes: &schemes, preference, least_mode };
                    let choice = match plain {
                        true => expected(&[Scheme::EcAes2], &schemes, preference),
                        false => expected(&offer, &schemes, preference),
                    };
                    let too_low = least_mode == Mode::Mutual || plain && least_mode > Mode::Plain;
                    let expected = match choice {
                        _ if too_low => Err((Code::ConfirmationRequired, None)),
                        None => Err((Code::NoCommonScheme, None)),
                        Some(scheme) if scheme.group() == *group => Ok(scheme.group()),
                        Some(_) if plain => Err((Code::InvalidPublicKey, None)),
                        Some(scheme) => Err((Code::RetryWithScheme, Some(scheme))),
                    };
                    conflicts += usize::from(matches!(expected, Err((Code::RetryWithScheme, _))));
                    let mut server = ServerHandshake::<Pool>::new();
                    let outcome = server.hello(&mut Pool::new(1), &policy, &mut hello.clone().into_bytes());
                    let outcome = match (outcome, server.need()) {
                        (Ok(()), ServerNeed::Generate(group)) => Ok(group),
                        (Err(ServerError::Refuse(refusal)), ServerNeed::Nothing) => {
                            Err((refusal.code, refusal.scheme))
                        }
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(outcome, expected, "{group:?} {offer:?} × {policy:?}");
                }
            }
        }
    }
    assert_eq!(conflicts > 1000, SCHEMES.len() == 4);
}
