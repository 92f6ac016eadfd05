//! Mailboxes against a model of them, with a clock of the test's own.

use super::mailbox::{Incoming, Page, Part};
use super::*;
use crate::relay::settings::Settings;

const NAMES: [&str; 3] = ["a", "b", "b@c"];

fn kid(name: &str) -> KeyId {
    let mut point = [4; 65];
    point[1..=name.len()].copy_from_slice(name.as_bytes());
    KeyId::of_point(&point)
}

fn record() -> Record {
    let signed = || Signed { text: "{}".into(), at: 0 };
    Record {
        application: "one".into(),
        registered: String::new(),
        successors: Vec::new(),
        signing: String::new(),
        encryption: signed(),
        public: String::new(),
        private: signed(),
        recovery: None,
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(bound).unwrap()
    }

    fn name(&mut self) -> &'static str {
        NAMES[usize::try_from(self.below(3)).unwrap()]
    }
}

/// What is kept, in the order in which it came.
#[derive(Default)]
struct Model {
    kept: Vec<(u64, Incoming)>,
    places: std::collections::BTreeMap<String, u64>,
}

impl Model {
    fn keep(&mut self, message: &Incoming, most: usize) -> Result<Option<u64>, Refusal> {
        let same = |(_, kept): &&(u64, Incoming)| kept.sender == message.sender && kept.id == message.id;
        if let Some((_, kept)) = self.kept.iter().find(same) {
            return if kept.hash == message.hash { Ok(None) } else { Err(Refusal::Reused) };
        }
        if !NAMES.contains(&message.recipient.as_str()) {
            return Err(Refusal::NoRecipient);
        }
        if self.kept.iter().filter(|(_, kept)| kept.recipient == message.recipient).count() == most {
            return Err(Refusal::Full);
        }
        let next = self.places.entry(message.recipient.clone()).or_default();
        let place = *next;
        *next = place.saturating_add(1);
        self.kept.push((place, message.clone()));
        Ok(Some(place))
    }

    fn page(&self, recipient: &str, part: &Part, now: u64) -> (Vec<(u64, String)>, bool) {
        let fits = |place: u64| {
            part.last.is_none_or(|last| place < last) && part.first.is_none_or(|first| place > first)
        };
        let all = self
            .kept
            .iter()
            .rev()
            .filter(|(place, kept)| kept.recipient == recipient && kept.expires > now && fits(*place));
        let mut messages: Vec<_> = all.map(|(place, kept)| (*place, kept.text.clone())).collect();
        let more = messages.len() > part.limit;
        messages.truncate(part.limit);
        (messages, more)
    }
}

#[test]
fn mailboxes_are_what_a_list_would_be() {
    let state = State::open(None).unwrap();
    for name in NAMES {
        state.register(name, &kid(name), &record(), 10).unwrap();
    }
    let settings = Settings { messages_per_identity: 6, ..Settings::demo(None) };
    let (mut dice, mut model, mut now) = (Dice(1), Model::default(), 1_000);
    let mut outcomes = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..4_000 {
        match dice.below(8) {
            0..=3 => {
                let (sender, id) = (dice.name(), dice.below(8).to_string());
                let recipient = if dice.below(20) == 0 { "nobody" } else { dice.name() };
                let variant = u8::try_from(dice.below(8) / 6).unwrap();
                let message = Incoming {
                    sender: sender.into(),
                    signer: kid(sender),
                    recipient: recipient.into(),
                    id,
                    expires: now + 1 + dice.below(12),
                    hash: [variant; 32],
                    text: dice.below(1_000).to_string(),
                };
                model.kept.retain(|(_, kept)| kept.expires > now);
                let expected = model.keep(&message, 6);
                let kept = state.keep(&[message], &settings, now).map(|places| places[0]);
                assert_eq!(kept, expected);
                *outcomes.entry(format!("{:?}", kept.map(|place| place.is_some()))).or_default() += 1;
            }
            4..=5 => {
                let mut cursor = || (dice.below(3) == 0).then(|| dice.below(200));
                let (last, first) = (cursor(), cursor());
                let part = Part { last, first, limit: usize::try_from(1 + dice.below(4)).unwrap() };
                let recipient = dice.name();
                let Page { messages, more } = state.page(recipient, &part, now).unwrap();
                assert_eq!((messages, more), model.page(recipient, &part, now), "{part:?}");
            }
            6 => now += dice.below(4),
            _ => assert!(!state.sweep(now).unwrap()),
        }
    }
    // All that can come has come.
    assert_eq!(outcomes.len(), 5, "{outcomes:?}");
}

#[test]
fn what_is_refused_leaves_nothing() {
    let state = State::open(None).unwrap();
    state.register("a", &kid("a"), &record(), 2).unwrap();
    let message = |id: &str, to: &str| Incoming {
        sender: "a".into(),
        signer: kid("a"),
        recipient: to.into(),
        id: id.into(),
        expires: 10,
        hash: [0; 32],
        text: "t".into(),
    };
    let settings = Settings::demo(None);
    let both = [message("1", "a"), message("2", "nobody")];
    assert_eq!(state.keep(&both, &settings, 0), Err(Refusal::NoRecipient));
    let part = Part { last: None, first: None, limit: 9 };
    assert!(state.page("a", &part, 0).unwrap().messages.is_empty());
    assert_eq!(state.keep(&both[..1], &settings, 0), Ok(vec![Some(0)]));

    let changed = |record: &mut Record| {
        record.public = "x".into();
        Err(Refusal::Older)
    };
    assert_eq!(state.update("a", &kid("a"), |record| changed(record).map(|()| true)), Err(Refusal::Older));
    assert_eq!(state.rotate("a", &kid("a"), &kid("n"), changed), Err(Refusal::Older));
    assert_eq!(state.identity("a").unwrap().unwrap(), record());
    // Nor is the key taken.
    assert_eq!(state.register("n", &kid("n"), &record(), 1), Err(Refusal::TooManyIdentities));
    assert_eq!(state.register("n", &kid("n"), &record(), 2), Ok(("n".into(), true)));
    assert_eq!(state.register("m", &kid("n"), &record(), 2), Ok(("n".into(), false)));
    let foreign = Record { application: "other".into(), ..record() };
    assert_eq!(state.register("m", &kid("n"), &foreign, 9), Err(Refusal::Taken));
    // An address that is taken by chance costs nobody anything.
    assert_eq!(state.register("a", &kid("z"), &record(), 9), Err(Refusal::Unavailable));
    assert_eq!(state.identity("a").unwrap().unwrap(), record());
    assert_eq!(state.register("z", &kid("z"), &record(), 9), Ok(("z".into(), true)));
}

#[test]
fn much_that_expires_at_once_goes_bit_by_bit() {
    let state = State::open(None).unwrap();
    state.register("a", &kid("a"), &record(), 1).unwrap();
    let messages: Vec<Incoming> = (0..600)
        .map(|id| Incoming {
            sender: "a".into(),
            signer: kid("a"),
            recipient: "a".into(),
            id: id.to_string(),
            expires: 10,
            hash: [0; 32],
            text: "t".into(),
        })
        .collect();
    let settings = Settings::demo(None);
    state.keep(&messages, &settings, 0).unwrap();
    assert!(!state.sweep(9).unwrap());
    assert!(state.sweep(10).unwrap() && state.sweep(10).unwrap());
    assert!(!state.sweep(10).unwrap() && !state.sweep(10).unwrap());
    let again = state.keep(&messages[..1], &settings, 0).unwrap();
    assert_eq!(again, [Some(600)], "no place comes twice");
}
