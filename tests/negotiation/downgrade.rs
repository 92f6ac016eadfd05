//! All offers × policies × edits of a man in the middle: each run ends in a refusal, or in the scheme of the run that nobody
//! touched.

use crate::middle::{Edit, Pair, Policy, Refused};
use crate::support::Seeded;
use crate::{PREFERENCES, SCHEMES, expected, names, sequences, subsets};
use dynamic_key::Code;
use dynamic_key::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript};
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::software::Identity;
use dynamic_key::scheme::{NameList, Scheme};
use dynamic_key::session::Mode;
use std::collections::{BTreeMap, BTreeSet};

const UNKNOWN: &str = "SCHEME-X";

/// The offer with a name dropped, replaced, added or joined to its neighbour, or in another order: what a man in the middle
/// may make of it.
fn lists(offer: &[Scheme]) -> Vec<Vec<String>> {
    let mut lists: BTreeSet<Vec<String>> = BTreeSet::new();
    let own = names(offer);
    let all = [names(&Scheme::BY_STRENGTH), vec![UNKNOWN.into()]].concat();
    lists.extend(sequences(offer).iter().map(|list| names(list))); // drop and reorder
    for at in 0..=own.len() {
        for name in &all {
            let (before, after) = own.split_at(at);
            lists.insert([before, std::slice::from_ref(name), after].concat());
            if let [_, after @ ..] = after {
                lists.insert([before, std::slice::from_ref(name), after].concat());
            }
        }
        if let Some([first, second]) = own.get(at..at + 2) {
            for separator in ["", ",", "-", "\",\"", "\u{0}", "\u{e}", " "] {
                let joined = [first.as_str(), separator, second].concat();
                lists.insert([&own[..at], &[joined], &own[at + 2..]].concat());
            }
        }
    }
    lists.remove(&own);
    lists.into_iter().collect()
}

/// All but the offer's edits; `conflicts` where the gateway itself answers the first hello with a 409.
fn edits(conflicts: bool) -> Vec<Edit> {
    let all = [names(&Scheme::BY_STRENGTH), vec![UNKNOWN.into()]].concat();
    let groups: &[Group] =
        if SCHEMES.len() == 4 { &[Group::P256, Group::Ffdhe2048, Group::Ffdhe3072] } else { &[Group::P256] };
    let mut edits = vec![
        Edit::StripHello,
        Edit::StripAnswer,
        Edit::StripBoth,
        Edit::Features(vec!["rt".into()]),
        Edit::Features(vec!["rt".into(), "ku".into()]),
        Edit::Selected(vec!["rt".into()]),
        Edit::Forge(0, None),
    ];
    if conflicts {
        edits.extend([Edit::Conflict(None), Edit::Forge(1, None)]);
    }
    for name in &all {
        edits.push(Edit::Scheme(name.clone()));
        edits.push(Edit::Forge(0, Some(name.clone())));
        if conflicts {
            edits.push(Edit::Conflict(Some(name.clone())));
            edits.push(Edit::Forge(1, Some(name.clone())));
        }
    }
    for group in groups {
        edits.push(Edit::ClientKey(*group));
        edits.push(Edit::ServerKey(*group));
    }
    edits
}

fn kind(edit: &Edit) -> &'static str {
    match edit {
        Edit::Nothing => "nothing",
        Edit::Offer(_) => "offer",
        Edit::OfferAt(0, _) => "first offer",
        Edit::OfferAt(..) => "second offer",
        Edit::Features(_) => "features",
        Edit::Selected(_) => "selected features",
        Edit::StripHello => "strip hello",
        Edit::StripAnswer => "strip answer",
        Edit::StripBoth => "strip both",
        Edit::Scheme(_) => "scheme",
        Edit::Conflict(_) => "409",
        Edit::Forge(0, _) => "forged 409",
        Edit::Forge(..) => "second forged 409",
        Edit::ClientKey(_) => "client key",
        Edit::ServerKey(_) => "server key",
    }
}

/// How many runs of each kind were refused, and how many ended as untouched.
type Tally = BTreeMap<&'static str, (usize, usize)>;

/// What an untouched run has to come to, and in how many hellos.
fn untouched(pair: &Pair<'_>) -> (Result<Scheme, Refused>, usize) {
    let Policy { schemes, preference, least_mode } = pair.policy;
    if least_mode == Mode::Mutual {
        return (Err(Refused::Gateway(Code::ConfirmationRequired)), 1);
    }
    match expected(pair.offer, schemes, preference) {
        None => (Err(Refused::Gateway(Code::NoCommonScheme)), 1),
        Some(scheme) if scheme.group() == pair.offer[0].group() => (Ok(scheme), 1),
        Some(scheme) => (Ok(scheme), 2),
    }
}

/// Runs each edit against a pair, and of the offer's edits those whose number is `number` modulo `every`.
fn judge(pair: &Pair<'_>, (number, every): (usize, usize), tally: &mut Tally) {
    let honest = pair.run(&Edit::Nothing);
    let context = || format!("{:?} {:?} × {:?}", pair.mode, pair.offer, pair.policy);
    assert_eq!((honest.scheme, honest.hellos), untouched(pair), "{}", context());
    let lists = lists(pair.offer).into_iter().enumerate().filter(|(at, _)| at % every == number % every);
    let offers = lists.flat_map(|(_, list)| {
        let second =
            (honest.hellos == 2).then(|| [Edit::OfferAt(0, list.clone()), Edit::OfferAt(1, list.clone())]);
        second.into_iter().flatten().chain([Edit::Offer(list)])
    });
    for edit in edits(honest.hellos == 2).into_iter().chain(offers) {
        let outcome = pair.run(&edit);
        let (refused, agreed) = tally.entry(kind(&edit)).or_default();
        match outcome.scheme {
            Err(_) => *refused += 1,
            Ok(scheme) => {
                assert_eq!(outcome.scheme, honest.scheme, "{} × {edit:?}", context());
                // A 409 that was followed binds the answer to the scheme that it named.
                if let Edit::Forge(_, name) | Edit::Conflict(name) = &edit {
                    assert!(name.as_deref() == Some(scheme.name()) || outcome.hellos == 1, "{edit:?}");
                }
                *agreed += 1;
            }
        }
    }
}

/// A world of clients and gateways: every offer, every policy.
fn enumerate(mode: Mode, every: usize, mut skip: impl FnMut(usize) -> bool) -> Tally {
    let identity = Identity::generate(&mut Seeded(5)).unwrap();
    let pins = [identity.public().unwrap()];
    let (mut tally, mut number) = (Tally::new(), 0);
    for offer in sequences(SCHEMES).into_iter().filter(|offer| !offer.is_empty()) {
        for schemes in subsets(SCHEMES) {
            for preference in PREFERENCES {
                number += 1;
                if skip(number) {
                    continue;
                }
                // Whether a stripped hello gets a plain answer or none.
                let least_mode = [Mode::Plain, Mode::Confirmed][number % 2];
                let policy = Policy { schemes: &schemes, preference, least_mode };
                let pair = Pair { mode, offer: &offer, policy, identity: &identity, pins: &pins };
                judge(&pair, (number, every), &mut tally);
            }
        }
    }
    tally
}

fn check(tally: &Tally) {
    println!("{tally:#?}");
    let agreed = |kind| tally.get(kind).map_or(0, |(_, agreed)| *agreed);
    // What the transcript covers does not pass. An answer's own scheme put where it stood does, and a 409 that says what the
    // gateway itself would have said.
    let proven = ["strip hello", "strip answer", "strip both", "features", "selected features", "client key"];
    for kind in proven.into_iter().chain(["server key", "offer", "first offer", "second offer"]) {
        assert!(kind.starts_with("first") || agreed(kind) == 0, "{kind}");
    }
    assert!(tally.values().all(|(refused, _)| *refused > 0));
    assert!(agreed("scheme") > 0 && (SCHEMES.len() < 4 || agreed("forged 409") > 0 && agreed("409") > 0));
}

#[test]
fn nobody_gets_a_scheme_that_an_untouched_run_does_not_choose() {
    check(&enumerate(Mode::Confirmed, 32, |_| false));
}

/// The same where signatures are made and verified, for some of the policies.
#[test]
fn nor_where_the_gateway_is_pinned() {
    check(&enumerate(Mode::Pinned, 40, |number| number % 29 != 0));
}

/// Every list that can stand in the place of another makes another transcript, so no edit of an offer survives the proof.
#[test]
fn no_two_offers_have_one_transcript() {
    let mut seen = BTreeMap::new();
    for offer in sequences(&Scheme::BY_STRENGTH) {
        for list in lists(&offer).into_iter().chain([names(&offer)]) {
            let mut encoded = NameList::new();
            if !list.iter().all(|name| encoded.push(name).is_ok()) {
                continue; // malformed: the gateway refuses it
            }
            let transcript = Transcript::begin(&ClientFields {
                binding: Binding::DynamicKeyV2,
                public_key: &[1],
                nonce: &[2; 16],
                schemes: encoded.as_bytes(),
                device_id: b"d",
                platform: "p",
                client_type: "internal",
                client_id: "c",
                kid: None,
            });
            let server = ServerFields {
                public_key: &[3],
                nonce: &[4; 16],
                scheme: Scheme::EcAes2,
                session_id: "s",
                expires_at: "",
                token: "t",
                identifier: &[],
                kid: None,
                expires_in: "1",
                expire_token: "0",
                offered_features: NameList::NONE,
                selected_features: NameList::NONE,
            };
            let hash = transcript.unwrap().finish(&server).unwrap();
            let other = seen.insert(hash, list.clone());
            assert!(other.as_ref().is_none_or(|other| *other == list), "{other:?} and {list:?}");
        }
    }
    assert!(seen.len() > 400, "{}", seen.len());
}
