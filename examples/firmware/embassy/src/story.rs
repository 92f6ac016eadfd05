//! What the device does, and what must come of it.

use crate::counter::{Mark, Passed};
use crate::settings::Settings;
use crate::worker::{self, Awaited, AwaitedPin};
use board::semihosting::{print, print_number};
use core::future::poll_fn;
use core::iter::once;
use core::pin::pin;
use core::task::Poll;
use dynamic_key::Code;
use dynamic_key::client::AsyncClient;
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Now, Uptime};
use dynamic_key::transport::AsyncTransport;
use embassy_time::{Duration, Instant, with_timeout};

/// The room for a token.
const TOKEN: usize = 640;
/// One buffer for all that is sent and received.
const BUFFER: usize = 2048;

const LOGIN: &[u8] = br#"{"user":"demo","password":"demo"}"#;
const WRONG_LOGIN: &[u8] = br#"{"user":"demo","password":"guessed"}"#;

type Failed = &'static str;

fn now() -> Now {
    Now::uptime(Uptime::from_millis(Instant::now().as_millis()))
}

fn config() -> ClientConfig<'static> {
    ClientConfig::new(ClientType::Internal, "internal-web-client", "device-0001", "cortex-m")
}

fn check(holds: bool, what: Failed) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what) }
}

fn tell(what: &str, passed: Passed) {
    print(what);
    print(": ");
    print_number(u64::from(passed.ticks));
    print(" ticks, counted ");
    print_number(u64::from(passed.counted));
    print("\n");
}

/// Lives a device's life over what `connect` makes, a new one for each chapter.
///
/// # Errors
/// What was not as it should be.
pub async fn live<T: AsyncTransport>(
    settings: Settings,
    mut connect: impl FnMut() -> T,
) -> Result<(), Failed> {
    let mut client = AsyncClient::<_, _, _, TOKEN>::new(
        config(),
        Awaited(Software::new(settings.random("seed")?)),
        AwaitedPin,
        connect(),
    )
    .map_err(|_| "configuration")?;
    let mut buffer = [0; BUFFER];
    shake(&mut client, &mut buffer).await?;
    calls(&mut client, &mut buffer).await?;
    give_up(&mut client, &mut buffer).await?;
    drop(client);
    blocking(settings, connect(), &mut buffer).await
}

type Client<T> = AsyncClient<'static, Awaited, AwaitedPin, T, TOKEN>;

/// A handshake whose slow operations are awaited: the counter ticks through each of them.
async fn shake<T: AsyncTransport>(client: &mut Client<T>, buffer: &mut [u8]) -> Result<(), Failed> {
    client.ensure_session(now(), buffer).await.map_err(|_| "handshake")?;
    let log = worker::log();
    tell("generate, awaited", log.generate);
    tell("agree, awaited", log.agree);
    tell("verify, awaited", log.verify);
    for passed in [log.generate, log.agree, log.verify] {
        check(passed.never_stood_still(), "the counter stood still")?;
    }
    print("awaited: nothing blocked\n");
    Ok(())
}

/// Sealed requests.
async fn calls<T: AsyncTransport>(client: &mut Client<T>, buffer: &mut [u8]) -> Result<(), Failed> {
    countries(client, buffer).await?;
    let get = Request::get("/users/getbyid/42");
    let answer = client.request(now(), &get, buffer).await.map_err(|_| "get by id")?;
    check(answer.status == 200 && contains(answer.body, b"\"42\""), "id")?;
    let post = Request::post("/users/login", LOGIN);
    let answer = client.request(now(), &post, buffer).await.map_err(|_| "login")?;
    check(answer.status == 200 && contains(answer.body, b"\"demo\""), "login")?;
    let post = Request::post("/users/login", WRONG_LOGIN);
    let answer = client.request(now(), &post, buffer).await.map_err(|_| "wrong login")?;
    check(answer.status == 401 && answer.gateway_code().is_none(), "wrong login")?;
    let answer = client.request(now(), &Request::get("/secrets"), buffer).await.map_err(|_| "secrets")?;
    check(answer.gateway_code() == Some(Code::RouteNotAllowed), "forbidden route")?;
    print("calls: 5 answered as they should be\n");
    Ok(())
}

async fn countries<T: AsyncTransport>(client: &mut Client<T>, buffer: &mut [u8]) -> Result<(), Failed> {
    let answer =
        client.request(now(), &Request::get("/countries/get"), buffer).await.map_err(|_| "countries")?;
    check(answer.status == 200 && answer.body.starts_with(br#"{"countries":["#), "countries")
}

/// Handshakes and requests that are given up after ever longer times, and all goes on each time.
async fn give_up<T: AsyncTransport>(client: &mut Client<T>, buffer: &mut [u8]) -> Result<(), Failed> {
    let ever_longer = || once(None).chain((0..).map(|step: u64| Some(Duration::from_ticks(8 * step * step))));
    let (mut handshakes, mut requests) = (0, 0);
    for time in ever_longer() {
        client.logout();
        if let Some(outcome) = within(time, client.ensure_session(now(), buffer)).await {
            outcome.map_err(|_| "handshake after one that was given up")?;
            break;
        }
        handshakes += 1;
        check(client.facts().is_none(), "a session of half a handshake")?;
    }
    for time in ever_longer() {
        let post = Request::post("/users/login", LOGIN);
        if let Some(outcome) = within(time, client.request(now(), &post, buffer)).await {
            outcome.map_err(|_| "request after one that was given up")?;
            break;
        }
        requests += 1;
        check(client.is_outcome_unknown(), "a request may have left, and nobody knows")?;
        countries(client, buffer).await?;
        check(!client.is_outcome_unknown(), "this one is known")?;
    }
    print("given up: ");
    print_number(handshakes);
    print(" handshakes, ");
    print_number(requests);
    print(" requests, and all went on\n");
    check(handshakes > 0 && requests > 0, "the first poll completes nothing")
}

/// What comes of a future within this time, or of its first poll; it is dropped then.
async fn within<F: Future>(time: Option<Duration>, future: F) -> Option<F::Output> {
    match time {
        Some(time) => with_timeout(time, future).await.ok(),
        None => {
            let mut future = pin!(future);
            poll_fn(|context| match future.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => Poll::Ready(None),
            })
            .await
        }
    }
}

/// The same handshake with a provider that blocks: works, and the counter shows what it costs.
async fn blocking<T: AsyncTransport>(
    settings: Settings,
    transport: T,
    buffer: &mut [u8],
) -> Result<(), Failed> {
    let pins = [settings.key()?];
    let provider = Software::new(settings.random("other-seed")?);
    let mut client = AsyncClient::<_, _, _, TOKEN>::new(config(), provider, Pins(&pins), transport)
        .map_err(|_| "configuration")?;
    let start = Mark::now();
    client.ensure_session(now(), buffer).await.map_err(|_| "blocking handshake")?;
    let passed = start.passed();
    tell("handshake, blocking", passed);
    let log = worker::log();
    let slow = log.generate.ticks + log.agree.ticks + log.verify.ticks;
    check(passed.counted + slow / 2 < passed.ticks, "a blocking provider should have held the counter up")?;
    print("blocking: held up, as it must be\n");
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
