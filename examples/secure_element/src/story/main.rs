//! A device whose keys never leave its chip shakes hands with a gateway, calls it, loses its chip's power, and goes on: the
//! conversation on the bus, told as a story.
//!
//! ```text
//! cargo run --release -p dynamic-key-secure-element
//! ```
//!
//! Whatever it says was observed in the run that says it. Exit code 0 only if all went as told.

mod house;

use dynamic_key::client::Client;
use dynamic_key::crypto::{CryptoError, Provider};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::Now;
use dynamic_key_secure_element::chip::{Chip, Direction, Entry, Fault, Make, search};
use dynamic_key_secure_element::frame::{IDENTITY, NO_SLOT, Opcode, SLOTS, Status};
use dynamic_key_secure_element::{SecureElement, Trouble};
use getrandom::SysRng;
use house::{ANSWER, DEVICE, House};
use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// As long as a chip of today takes for a signature.
const LATENCY: Duration = Duration::from_millis(40);

fn main() -> ExitCode {
    match play() {
        Ok(true) => {
            println!("\nAll went as told.");
            ExitCode::SUCCESS
        }
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("the story could not be told to its end: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Tells, and remembers how much of the bus was told and whether all held.
struct Story {
    chip: Chip,
    told: usize,
    begun: Instant,
    holds: bool,
}

impl Story {
    fn chapter(&mut self, title: &str) {
        println!("\n═══ {title} ═══");
        self.begun = Instant::now();
    }

    fn check(&mut self, holds: bool, observed: &str) {
        println!("  {} {observed}", if holds { "✓" } else { "✗ NOT AS TOLD:" });
        self.holds &= holds;
    }

    /// What has gone over the bus since it was told last.
    fn bus(&mut self) {
        let log = self.chip.log();
        let news = log.get(self.told..).unwrap_or_default();
        self.told = log.len();
        println!("  {:<14} {:<16} {:>9} {:>10}   what it is", "command", "slot", "to chip", "to host");
        let mut bytes = 0_usize;
        for (at, command) in news.iter().enumerate() {
            bytes = bytes.saturating_add(command.bytes.len());
            if command.direction == Direction::ToChip {
                let next = news.get(at.saturating_add(1));
                println!("  {}", line(command, next.filter(|next| next.direction == Direction::ToHost)));
            }
        }
        println!("  {bytes} bytes in {:.0?}", self.begun.elapsed());
    }
}

/// One command and its answer.
fn line(command: &Entry, answer: Option<&Entry>) -> String {
    let byte = |at: usize| command.bytes.get(at).copied().unwrap_or(NO_SLOT);
    let opcode = Opcode::from_byte(byte(3));
    let name = opcode.map_or_else(String::new, |opcode| format!("{opcode:?}"));
    let slots = match (byte(4), byte(5)) {
        (NO_SLOT, NO_SLOT) => String::new(),
        (IDENTITY, _) => "identity".into(),
        (NO_SLOT, to) => format!("into {to}"),
        (key, NO_SLOT) => format!("{key}"),
        (key, to) => format!("{key}, into {to}"),
    };
    let status = answer.and_then(|answer| answer.bytes.get(6)).and_then(|status| Status::from_byte(*status));
    let came = match (answer, status) {
        (Some(answer), Some(Status::Done)) => format!("{} B", answer.bytes.len()),
        (Some(answer), Some(status)) if !answer.bytes.is_empty() => format!("{status:?}"),
        _ => "silence".into(),
    };
    let sent = format!("{} B", command.bytes.len());
    let label = opcode.and_then(|opcode| label(opcode, &command.bytes)).unwrap_or_default();
    format!("{name:<14} {slots:<16} {sent:>9} {came:>10}   {}{label}", opcode.map_or("", meaning))
}

/// What is expanded.
fn label(opcode: Opcode, command: &[u8]) -> Option<String> {
    let before = match opcode {
        Opcode::Expand => 7,
        Opcode::ExpandBytes => 8,
        _ => return None,
    };
    let info = command.get(before..command.len().checked_sub(2)?)?;
    let info = core::str::from_utf8(info).ok()?;
    Some(format!(": {}", info.strip_prefix("dynamic-key v2 ").unwrap_or(info)))
}

const fn meaning(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Reset => "all slots are erased, but the identity's",
        Opcode::Random => "random bytes, for a nonce",
        Opcode::Generate => "a private key that stays; its public half comes",
        Opcode::Validate => "a point, checked",
        Opcode::Agree => "the gateway's public key goes; the private key becomes Z",
        Opcode::Extract => "the transcript goes; Z becomes the PRK",
        Opcode::AsPrk => "the exporter serves as a PRK",
        Opcode::Expand => "a key is made, and stays",
        Opcode::ExpandBytes => "bytes that may leave",
        Opcode::Mac => "the transcript goes, the proof comes",
        Opcode::Seal => "plaintext goes, ciphertext comes",
        Opcode::Open => "ciphertext goes, plaintext comes",
        Opcode::Sign => "a statement goes, a signature comes",
        Opcode::Public => "the public key of the identity",
        Opcode::Verify => "the gateway's signature, verified by the key that is pinned",
        Opcode::Erase => "no longer needed",
        Opcode::Repeat => "once more, please",
        Opcode::Receive => "agree with a sender",
        Opcode::ConcatKdf => "derive a key-encryption key",
        Opcode::Wrap => "wrap a content key",
        Opcode::Unwrap => "unwrap a content key",
        Opcode::Dump => "what no chip has that is sold",
    }
}

fn play() -> Result<bool, Box<dyn Error>> {
    let mut scalar = [0; 32];
    getrandom::fill(&mut scalar).map_err(std::io::Error::other)?;
    // Below the order of the group, as all but one in 2³² are.
    if let Some(first) = scalar.first_mut() {
        *first &= 0x7f;
    }
    let make = Make { latency: LATENCY, sample: false };
    let (chip, bus) = Chip::power_on(scalar, SysRng, make)?;
    let mut story = Story { chip: chip.clone(), told: 0, begun: Instant::now(), holds: true };

    story.chapter("A device gets its power");
    println!(
        "  a chip with {SLOTS} slots for keys, {LATENCY:.0?} for an operation on the curve, and an identity"
    );
    let element = SecureElement::new(bus)?;
    let signer = element.signer()?;
    story.bus();
    println!("  identity {}", signer.public().kid());

    let house = House::new(signer.public())?;
    let pins = [house.pin()?];
    let (client_type, client_id, device_id) = DEVICE;
    let config = ClientConfig::new(client_type, client_id, device_id, "server");
    let mut client: Client<'_, _, _, _, 1024, _> =
        Client::mutual(config, element.provider(), element.verifier(&pins), signer, house)?;
    let (mut buffer, request) = ([0; 4096], Request::get("/countries/get"));

    story.chapter("It shakes hands, in mutual mode");
    client.ensure_session(Now::UNKNOWN, &mut buffer)?;
    story.bus();
    let held = chip.occupied();
    story.check(held == 3, &format!("a session is {held} slots: a key for each direction, and the exporter"));

    story.chapter("It calls");
    let answer = client.request(Now::UNKNOWN, &request, &mut buffer)?;
    let answered = answer.status == 200 && *answer.body == *ANSWER;
    story.bus();
    story.check(answered, "GET /countries/get is answered, by a gateway that knows whom it answers");

    story.chapter("The chip loses its power");
    chip.inject(0, Fault::PowerLostBefore, 1);
    let lost = client.request(Now::UNKNOWN, &request, &mut buffer).map(|answer| answer.status);
    story.bus();
    let failed = Err(dynamic_key::Error::Crypto(CryptoError::Failed).into());
    story.check(lost == failed, "the call fails at the device, before anything is sent");
    story
        .check(element.last_trouble() == Some(Trouble::Bus), "the driver says why: the chip does not answer");
    chip.mend();

    story.chapter("It begins anew");
    client.logout();
    let status = client.request(Now::UNKNOWN, &request, &mut buffer)?.status;
    story.bus();
    story.check(status == 200, "a fresh handshake, and the call is answered");

    story.chapter("It logs out");
    client.logout();
    let mut random = [0; 16];
    element.provider().fill(&mut random)?;
    story.bus();
    story.check(chip.occupied() == 0 && element.free_slots() == SLOTS, "every slot is empty");

    story.chapter("Under the microscope");
    let (log, secrets) = (chip.log(), chip.sightings());
    let mut kinds = BTreeMap::new();
    for secret in &secrets {
        let count: &mut u32 = kinds.entry(secret.kind).or_default();
        *count = count.saturating_add(1);
    }
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} × {kind:?}")).collect();
    println!("  {} secrets were in slots: {}", secrets.len(), kinds.join(", "));
    let bytes = log.iter().fold(0_usize, |sum, entry| sum.saturating_add(entry.bytes.len()));
    let finds = search(&log, &secrets);
    let searched = "no 16 bytes of any of them, either way round, raw, in hex or in base64";
    story.check(finds.is_empty(), &format!("{bytes} bytes went over the bus: {searched}"));
    Ok(story.holds)
}
