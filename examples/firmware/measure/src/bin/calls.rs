//! Runs both roles in all modes and schemes, and the bare primitives, and prints what each call costs.
#![no_std]
#![no_main]

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use board::cost::{self, Cost, Report};
use board::random::Repeatable;
use board::semihosting::exit;
use board::timer;
use core::hint::black_box;
use dynamic_key::Secret;
use dynamic_key::crypto::Provider as _;
use dynamic_key::crypto::software::{PinnedKey, TrafficKey};
use dynamic_key::crypto::{Aead, Signer, Verified, Verifier};
use dynamic_key::envelope::Envelope;
use dynamic_key::handshake::{ClientHandshake, ClientNeed, ServerHandshake, ServerNeed};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, Now, ServerSession, Session};
use measure::bare::{self, Gcm};
use measure::provider::{Chosen, Identity, Pins, Provider};
use measure::{Open, TOKEN, config, facts};

type ClientSession<K> = Session<Provider<K>, TOKEN>;
type GatewaySession<K> = ServerSession<Provider<K>>;

const SIZES: [(usize, &str, &str); 3] =
    [(64, "seal-64", "open-64"), (256, "seal-256", "open-256"), (1024, "seal-1024", "open-1024")];
/// How many signatures are verified.
const SIGNATURES: u32 = 8;
/// The gateway's identity.
const IDENTITY: [u8; 32] = [7; 32];

#[cortex_m_rt::entry]
fn main() -> ! {
    timer::start();
    bare_curve();
    bare_aead::<Aes128Gcm>(Scheme::EcAes1);
    bare_aead::<Aes256Gcm>(Scheme::EcAes2);
    for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned] {
        for scheme in [Scheme::EcAes1, Scheme::EcAes2] {
            if mode == Mode::Plain && scheme == Scheme::EcAes1 {
                continue; // plain mode knows one scheme
            }
            match scheme.aead() {
                Aead::Aes128Gcm => run(Chosen::new, mode, scheme),
                Aead::Aes256Gcm => run(Chosen::aes256, mode, scheme),
            }
        }
    }
    nesting();
    exit(0)
}

fn bare_curve() {
    let report = Report { scheme: "-", mode: "-", role: "bare" };
    let mut rng = Repeatable::new(1);
    let (key, point) = report.call("generate", || bare::generate(&mut rng)).unwrap();
    let (peer_key, peer) = bare::generate(&mut rng).unwrap();
    let z = report.call("agree", || bare::agree(&key, &peer)).unwrap();
    assert_eq!(bare::agree(&peer_key, &point).unwrap(), z);
    report.call("derive", || bare::derive(&black_box([0; 32]), &z)).unwrap();

    let signing = p256::ecdsa::SigningKey::from_slice(&IDENTITY).unwrap();
    let message = black_box([0x42; 54]);
    report.call("sign", || bare::sign(&signing, &message)).unwrap();
}

fn bare_aead<A: Gcm>(scheme: Scheme) {
    let report = Report { scheme: scheme.name(), mode: "-", role: "bare" };
    let (key, nonce, mut buffer) = (black_box([1; 32]), black_box([2; 12]), [0x42; 1024]);
    let key = &key[..scheme.aead().key_len()];
    for (size, seal, open) in SIZES {
        let text = &mut buffer[..size];
        let tag = report.call(seal, || bare::seal::<A>(key, &nonce, b"v2:session", text)).unwrap();
        report.call(open, || bare::open::<A>(key, &nonce, b"v2:session", text, &tag)).unwrap();
    }
}

fn run<K: TrafficKey>(provider: fn(Repeatable) -> Provider<K>, mode: Mode, scheme: Scheme) {
    let provider = |seed| provider(Repeatable::new(seed));
    let (mut client, mut gateway) = handshake(provider(1), provider(2), mode, scheme);
    exchange(provider(3), provider(4), mode, scheme, &mut client, &mut gateway);
}

fn handshake<K: TrafficKey>(
    mut device: Provider<K>,
    mut chip: Provider<K>,
    mode: Mode,
    scheme: Scheme,
) -> (ClientSession<K>, GatewaySession<K>) {
    let report = |role| Report { scheme: scheme.name(), mode: mode.name(), role };
    let (client_report, gateway_report) = (report("client"), report("gateway"));
    let mut buffer = [0; 1024];
    let mut identity = Identity::from_bytes(&Secret::new(IDENTITY)).unwrap();
    let pins = [identity.public().unwrap()];
    let schemes = [scheme];
    let config = black_box(config(mode, &schemes));

    let mut client = ClientHandshake::<Provider<K>, TOKEN>::new(&config).unwrap();
    let ClientNeed::Generate(group) = client.need() else { panic!() };
    let pair = client_report.call("generate", || device.generate(group));
    client_report.call("generated", || client.generated(pair)).unwrap();
    let length =
        client_report.call("hello", || client.hello(&mut device, Now::UNKNOWN, &mut buffer)).unwrap();
    client_report.value("wire", "hello", length as u64);

    let mut gateway = ServerHandshake::<Provider<K>>::new();
    gateway_report.call("hello", || gateway.hello(&mut chip, &Open, &mut buffer[..length])).unwrap();
    let ServerNeed::Generate(group) = gateway.need() else { panic!() };
    let pair = gateway_report.call("generate", || chip.generate(group));
    gateway_report.call("generated", || gateway.generated(pair)).unwrap();
    let (private, peer) = gateway_report.call("agreement", || gateway.agreement()).unwrap();
    let z = gateway_report.call("agree", || chip.agree(private, &peer));
    gateway_report.call("agreed", || gateway.agreed(z)).unwrap();
    let kid = (mode == Mode::Pinned).then(|| identity.kid());
    let facts = facts(kid);
    let length = gateway_report.call("answer", || gateway.answer(&mut chip, &facts, &mut buffer)).unwrap();
    if gateway.need() == ServerNeed::Sign {
        let statement = gateway_report.call("statement", || gateway.statement()).unwrap();
        let signature = gateway_report.call("sign", || identity.sign(statement.as_bytes()));
        gateway_report.call("signed", || gateway.signed(signature, &mut buffer[..length])).unwrap();
    }
    gateway_report.value("wire", "answer", length as u64);
    let gateway_session = gateway_report.call("finish", || gateway.finish()).unwrap();

    client_report.call("reply", || client.reply(200, &buffer[..length])).unwrap();
    let (private, peer) = client_report.call("agreement", || client.agreement()).unwrap();
    let z = client_report.call("agree", || device.agree(private, &peer));
    client_report.call("agreed", || client.agreed(&mut device, z)).unwrap();
    if client.need() == ClientNeed::Verify {
        let verification = client_report.call("verification", || client.verification()).unwrap();
        let outcome = verification.run(&mut Pins(&pins));
        client_report.call("verified", || client.verified(outcome)).unwrap();
        verifications(client_report, &pins, &mut identity, verification.message());
    }
    let client_session = client_report.call("finish", || client.finish()).unwrap();

    client_report.value("ram", "handshake", size_of::<ClientHandshake<'_, Provider<K>, TOKEN>>() as u64);
    client_report.value("ram", "session", size_of::<ClientSession<K>>() as u64);
    gateway_report.value("ram", "handshake", size_of::<ServerHandshake<Provider<K>>>() as u64);
    gateway_report.value("ram", "session", size_of::<GatewaySession<K>>() as u64);
    (client_session, gateway_session)
}

/// What a verification costs, and the primitive beside it. How long it takes depends on the bits of the signature: it is the mean of some.
fn verifications(report: Report, pins: &[PinnedKey], identity: &mut Identity, statement: &[u8]) {
    let (mut ours, mut bare) = (Cost::default(), Cost::default());
    let add = |sum: &mut Cost, cost: Cost| {
        sum.instructions += cost.instructions / SIGNATURES;
        sum.stack = sum.stack.max(cost.stack);
    };
    let mut message: [u8; 54] = statement.try_into().unwrap();
    for _ in 0..SIGNATURES {
        message[53] = message[53].wrapping_add(1);
        let signature = identity.sign(&message).unwrap();
        let (verified, cost) = cost::cost(|| Pins(pins).verify(&identity.kid(), &message, &signature));
        let _: Verified = verified.unwrap();
        add(&mut ours, cost);
        let (verified, cost) = cost::cost(|| bare::verify(pins[0].point(), &message, &signature));
        verified.unwrap();
        add(&mut bare, cost);
    }
    for (report, cost) in [(report, ours), (Report { mode: "-", role: "bare", ..report }, bare)] {
        report.value("instructions", "verify", cost.instructions.into());
        report.value("stack", "verify", cost.stack as u64);
    }
}

fn exchange<K: TrafficKey>(
    mut device: Provider<K>,
    mut chip: Provider<K>,
    mode: Mode,
    scheme: Scheme,
    client: &mut ClientSession<K>,
    gateway: &mut GatewaySession<K>,
) {
    let report = |role| Report { scheme: scheme.name(), mode: mode.name(), role };
    let (client_report, gateway_report) = (report("client"), report("gateway"));
    let mut buffer = [0x42; 1536];
    for (size, seal, open) in SIZES {
        let sealed = client_report.call(seal, || client.seal(&mut device, Now::UNKNOWN, &mut buffer, size));
        let (length, _) = sealed.unwrap();
        client_report.value("wire", seal, length as u64);
        let request = &mut buffer[..length];
        let opened = gateway_report.call(open, || {
            let envelope = Envelope::parse(request)?;
            gateway.open(&mut chip, envelope, request)
        });
        let request = opened.unwrap().committed();
        let sealed = gateway_report.call(seal, || gateway.seal(&mut chip, request, 200, &mut buffer, size));
        let length = sealed.map_err(|(error, _)| error).unwrap();
        gateway_report.value("wire", seal, length as u64);
        let text = client_report.call(open, || client.open(&mut device, 200, &mut buffer[..length])).unwrap();
        assert_eq!(text.len(), size);
        buffer.fill(0x42);
    }
}

/// JSON in a member that nobody asks for, nested ever deeper: accepted up to 16 levels, refused past them.
fn nesting() {
    let report = Report { scheme: "-", mode: "-", role: "client" };
    for (levels, figure) in [(1, "json-1"), (16, "json-16"), (17, "json-17"), (512, "json-512")] {
        let mut buffer = [0; 1200];
        let mut length = 0;
        let arrays = levels - 1;
        let parts = [
            (1, "{\"x\":"),
            (arrays, "["),
            (usize::from(arrays == 0), "0"),
            (arrays, "]"),
            (1, ",\"nonce\":\"AAAAAAAAAAAAAAAA\",\"data\":\"AAAAAAAAAAAAAAAAAAAAAAAA\"}"),
        ];
        for (count, part) in parts {
            for _ in 0..count {
                buffer[length..length + part.len()].copy_from_slice(part.as_bytes());
                length += part.len();
            }
        }
        let parsed = report.call(figure, || Envelope::parse(&mut buffer[..length]));
        assert_eq!(parsed.is_ok(), levels <= 16);
    }
}
