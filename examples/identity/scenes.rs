//! Three identities and a relay: what they tell each other.

use crate::identity::attacks::{forks, in_its_name, passed_on};
use crate::identity::device::{Arrived, Device, Trouble};
use crate::identity::telling::{about, decoded, is_refused, read, shortened, told, wants};
use crate::services::{Services, line};
use crate::story::{Look, Story};
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::Identity;
use dynamic_key::identity::message::Ask;
use dynamic_key::identity::package::Action;
use dynamic_key::identity::profile::{Known, Pin};
use dynamic_key::identity::response::Pages;
use dynamic_key::identity::{ChainError, IdentityError};
use dynamic_key::jose::{JoseError, KeyRef};
use dynamic_key_secure_element::chip::{Bus, Chip, Make};
use dynamic_key_secure_element::{ElementSigner, SecureElement};
use getrandom::SysRng;
use std::time::{Duration, Instant};

const RECIPE: &str = r#"{"title":"Feijoada","hours":6}"#;
const PASSWORD: &str = "correct horse battery staple";

pub(super) type Outcome = Result<(), Trouble>;

/// Who plays, and what they know of each other.
pub(super) struct Cast<'s, 'c> {
    pub(super) services: &'s Services,
    /// A user whose signing key is in a chip.
    pub(super) user: Device<'s, ElementSigner<'c, Bus>>,
    /// A content vault whose keys are in memory.
    pub(super) vault: Device<'s, Identity>,
    /// Somebody else, registered like the others.
    pub(super) mallory: Device<'s, Identity>,
    pub(super) user_known: Known,
    pub(super) vault_known: Known,
}

/// The whole story.
pub(crate) fn identities(services: &Services, story: &mut Story) -> Result<(), String> {
    let mut scalar = [0; 32];
    getrandom::fill(&mut scalar).map_err(line)?;
    scalar[0] &= 0x7f; // below the order of the group
    let (_chip, bus) = Chip::power_on(scalar, SysRng, Make::default()).map_err(line)?;
    let element = SecureElement::new(bus).map_err(|trouble| format!("{trouble:?}"))?;
    let signer = element.signer().map_err(|trouble| format!("{trouble:?}"))?;
    let mut cast = registration(services, signer, story).map_err(line)?;
    for scene in [
        package,
        once,
        denied_and_revoked,
        listening,
        passed_on,
        in_its_name,
        new_keys,
        forks,
        recovery,
        events,
    ] {
        if let Err(why) = scene(&mut cast, story) {
            story.broken(&line(why));
        }
    }
    Ok(())
}

fn registration<'s, 'c>(
    services: &'s Services,
    signer: ElementSigner<'c, Bus>,
    story: &mut Story,
) -> Result<Cast<'s, 'c>, Trouble> {
    story.scene(
        "Registration",
        "A user, whose signing key is in a chip, and a content vault, all in software.",
    );
    let mut user = Device::register(services, signer, &signer.public(), "user")?;
    let mut vault = Device::in_software(services, "vault")?;
    let mallory = Device::in_software(services, "user")?;
    for (name, me, kid) in [("user", &user.me, user.signer.kid()), ("vault", &vault.me, vault.signer.kid())] {
        story.check(me.kid() == kid, format_args!("{name} is {} with key {kid}", me.address()));
    }
    // Address and key id were told in person: the relay is trusted for neither.
    let user_known = vault.look_up(&Pin::new(user.me.clone()))?;
    let vault_known = user.look_up(&Pin::new(vault.me.clone()))?;
    story.check(
        *vault_known.signs_as() == vault.me && *user_known.signs_as() == user.me,
        "each has looked the other up, and verified it from the key id that it was told",
    );
    let stranger = KeyRef::new(vault.me.address(), mallory.signer.kid())?;
    let refused = user.look_up(&Pin::new(stranger));
    story.refusal(
        refused == Err(IdentityError::Chain(ChainError::Rollback).into()),
        &format!("another key than the one that was told: {}", told(&refused)),
    );
    Ok(Cast { services, user, vault, mallory, user_known, vault_known })
}

fn package(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "A content package",
        "Asked for and published, each signed by its sender and sealed to its recipient.",
    );
    cast.user.send(&cast.vault_known, &about(Action::Request, "recipes/42", None))?;
    let arrived = cast.vault.newest(&mut cast.user_known)?;
    story.check(
        arrived == Ok(wants(Action::Request, "recipes/42", None)),
        format_args!("the vault reads: {}", read(&arrived)),
    );
    let publish = about(Action::Publish, "recipes/42", Some(RECIPE));
    let body = cast.vault.send(&cast.user_known, &publish)?;
    let seen = cast.user.fetch(&Ask::default())?;
    story.quote(Look::Wire, "what the relay sees", &shortened(&seen.messages));
    let hidden = [RECIPE, "Feijoada", "recipes/42"];
    story.check(
        !hidden.iter().any(|secret| decoded(&seen.messages).contains(secret))
            && seen.messages.len() > body.len(),
        "nothing in it, decoded as far as it can be without the key, says what was published",
    );
    let arrived = cast.user.newest(&mut cast.vault_known)?;
    story.check(
        arrived == Ok(wants(Action::Publish, "recipes/42", Some(RECIPE))),
        format_args!("the user reads: {}", read(&arrived)),
    );
    Ok(())
}

fn once(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "Each message once",
        "The relay keeps a message until it ends, and hands it out as often as it likes.",
    );
    for part in 1..=3 {
        let content = part.to_string();
        cast.vault.send(&cast.user_known, &about(Action::Publish, "series", Some(&content)))?;
    }
    let (mut pages, mut taken, mut duplicates, mut turned) = (Pages::new(), vec![], vec![], vec![]);
    while !pages.is_done() {
        let page = cast.user.turn(&mut pages, 2)?;
        for outcome in cast.user.take(&page, &mut cast.vault_known)? {
            match outcome {
                Ok(arrived) => taken.extend(arrived.content),
                Err(IdentityError::Duplicate) => duplicates.push(IdentityError::Duplicate),
                Err(other) => return Err(other.into()),
            }
        }
        turned.push(page);
    }
    story.check(
        taken == ["3", "2", "1"] && turned.len() == 2,
        format_args!("{} pages of two, most recent first: {}", turned.len(), taken.join(", ")),
    );
    story.check(duplicates.len() == 1, "what was read before was recognized as a duplicate");
    let page = cast.user.fetch(&Ask::default())?;
    let again = cast.user.take(&page, &mut cast.vault_known)?;
    story.refusal(
        again.len() == 4 && again.iter().all(|outcome| *outcome == Err(IdentityError::Duplicate)),
        &format!("{} messages replayed: {}", again.len(), again.first().map_or_else(String::new, read)),
    );
    Ok(())
}

fn denied_and_revoked(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene("Denied and revoked", "One package is not given, the other one is taken back.");
    cast.user.send(&cast.vault_known, &about(Action::Request, "ledgers/1", None))?;
    let arrived = cast.vault.newest(&mut cast.user_known)?;
    story.check(arrived.is_ok(), format_args!("the vault reads: {}", read(&arrived)));
    let why = Some(r#""yours it is not""#);
    for (action, package, content) in [(Action::Deny, "ledgers/1", why), (Action::Revoke, "recipes/42", None)]
    {
        cast.vault.send(&cast.user_known, &about(action, package, content))?;
        let arrived = cast.user.newest(&mut cast.vault_known)?;
        story.check(
            arrived == Ok(wants(action, package, content)),
            format_args!("the user reads: {}", read(&arrived)),
        );
    }
    Ok(())
}

fn listening(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "Listening",
        "The user waits at the relay for what comes behind the last message it has seen.",
    );
    let seen = cast.user.fetch(&Ask { limit: Some(1), ..Ask::default() })?;
    let ask = Ask { first: seen.first, wait: Some(5), ..Ask::default() };
    let publish = about(Action::Publish, "news", Some("true"));
    let (vault, user, to) = (&mut cast.vault, &mut cast.user, &cast.user_known);
    let (page, waited, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            let sent = Instant::now();
            vault.send(to, &publish).map(|_| sent)
        });
        let page = user.listen(&ask);
        (page, Instant::now(), sender.join())
    });
    let sent = sent.map_err(|_| Trouble::Relay("the sender panicked".into()))??;
    let arrived = cast.user.take(&page?, &mut cast.vault_known)?;
    story.check(
        arrived == [Ok(wants(Action::Publish, "news", Some("true")))] && waited > sent,
        format_args!(
            "{} ms after the vault began to sign it, the user has it",
            waited.saturating_duration_since(sent).as_millis()
        ),
    );
    let newest = cast.user.fetch(&Ask::default())?.first;
    let none = cast.user.listen(&Ask { first: newest, wait: Some(0), ..ask })?;
    story.check(none.messages == "[]", "with nothing new and no time to wait the page is empty");
    Ok(())
}

fn new_keys(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "New keys",
        "The vault replaces both of its keys; the new ones hang on the old by its signature.",
    );
    let before = cast.vault_known.pin().clone();
    let old = cast.vault.rotate()?;
    story.say(&format!("{} is followed by {}", old.0.kid(), cast.vault.signer.kid()));
    cast.vault_known = cast.user.look_up(&before)?;
    story.check(
        *cast.vault_known.signs_as() == cast.vault.me
            && cast.vault_known.reached_as().kid() != before.key.kid()
            && before.key == old.0,
        "the user has followed the chain from the key that it trusted",
    );
    let publish = about(Action::Publish, "recipes/43", Some(RECIPE));
    cast.vault.send(&cast.user_known, &publish)?;
    let arrived = cast.user.newest(&mut cast.vault_known)?;
    story.check(
        arrived == Ok(wants(Action::Publish, "recipes/43", Some(RECIPE))),
        format_args!("signed with the new key: {}", read(&arrived)),
    );
    // Who has stolen the key that was replaced.
    let own = std::mem::replace(&mut cast.mallory.me, old.0.clone());
    let signer = std::mem::replace(&mut cast.mallory.signer, old.1);
    let outcome = cast.mallory.send(&cast.user_known, &publish);
    cast.mallory.me = own;
    let stolen = std::mem::replace(&mut cast.mallory.signer, signer);
    story.refusal(is_refused(&outcome), &format!("signed with the old one: {}", told(&outcome)));
    let refused = cast.usurp(&old.0, stolen)?;
    story.refusal(is_refused(&refused), &format!("a second successor of the old one: {}", told(&refused)));
    Ok(())
}

fn recovery(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene(
        "Another device",
        "The vault's keys are lost, but for what it left with the relay under a password.",
    );
    cast.vault.leave_keys(PASSWORD)?;
    let lost = cast.vault.me.clone();
    cast.user.send(&cast.vault_known, &about(Action::Request, "recipes/44", None))?;
    let pin = cast.vault_known.pin().clone();
    let refused = Device::recover(cast.services, &pin, "correct horse battery stable");
    story.refusal(
        matches!(refused, Err(Trouble::Refused(IdentityError::Jose(JoseError::Authentication)))),
        &format!("a wrong password: {}", told(&refused)),
    );
    cast.vault = Device::recover(cast.services, &pin, PASSWORD)?;
    story.check(
        cast.vault.me == lost && cast.vault.signer.kid() == lost.kid(),
        format_args!("the right one: {} again, with key {}", lost.address(), lost.kid()),
    );
    let arrived = cast.vault.newest(&mut cast.user_known)?;
    story.check(
        arrived == Ok(wants(Action::Request, "recipes/44", None)),
        format_args!("what came in the meantime can be read: {}", read(&arrived)),
    );
    let publish = about(Action::Publish, "recipes/44", Some(RECIPE));
    cast.vault.send(&cast.user_known, &publish)?;
    let arrived = cast.user.newest(&mut cast.vault_known)?;
    story.check(arrived.is_ok(), format_args!("and be answered: {}", read(&arrived)));
    Ok(())
}

impl<S: Signer> Device<'_, S> {
    /// The newest message, taken.
    fn newest(&mut self, sender: &mut Known) -> Result<Result<Arrived, IdentityError>, Trouble> {
        let page = self.fetch(&Ask { limit: Some(1), ..Ask::default() })?;
        let newest = self.take(&page, sender)?.into_iter().next();
        newest.ok_or_else(|| Trouble::Relay("there is no message".into()))
    }
}

fn events(cast: &mut Cast<'_, '_>, story: &mut Story) -> Outcome {
    story.scene("What the relay knows", "Who has written to whom, and when: the events of its customer.");
    let (told, others) = (cast.services.events("demo"), cast.services.events("another"));
    let (status, told) = told.map_err(Trouble::Relay)?;
    let told = told.split_once(r#""body":["#).map_or("", |(_, events)| events);
    let events: Vec<&str> =
        told.split_inclusive("},").filter(|event| event.contains("message.sent")).collect();
    story.quote(
        Look::Wire,
        "the last of them",
        events.first().map_or("", |event| event.trim_end_matches(',')),
    );
    let secrets = ["recipes", "Feijoada", "ledgers", PASSWORD];
    story.check(
        status == 200 && !events.is_empty() && !secrets.iter().any(|secret| told.contains(secret)),
        format_args!("{} messages among the latest events, and nothing of what they say", events.len()),
    );
    let (status, _) = others.map_err(Trouble::Relay)?;
    story.refusal(status == 403, &format!("the events of another customer: {status}"));
    Ok(())
}
