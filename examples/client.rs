//! A client on the command line: one session over TCP, requests sealed in it.
//!
//! ```text
//! cargo run --release --example client -- --gateway http://127.0.0.1:8080 --client-id internal-web-client \
//!     --type internal --pin KID GET /countries/get
//! ```
#![allow(clippy::large_stack_frames, reason = "a host has megabytes of stack")]

mod client {
    pub(crate) mod options;
}
mod support;

use client::options::{self, Command, Options};
use dynamic_key::client::{Client, Response};
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::Mode;
use dynamic_key::transport::http1::Http1;
use getrandom::SysRng;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use support::tap::{Side, Tape, Tapped, printable};
use support::tcp::Dial;
use support::{Clock, jwks};

/// Room for the longest body that the protocol takes by default, sealed.
const BUFFER: usize = dynamic_key::envelope::sealed_len(1 << 20);

/// Over HTTP/1.1, with the operating system's randomness, and room for the longest token that there may be.
type HttpClient<'o, S> = Client<'o, Software<SysRng>, Pins<'o>, Http1<'o, Tapped<Dial>>, 4096, S>;

fn main() -> ExitCode {
    let outcome = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(options)) => run(&options),
        Ok(Command::Help) => {
            print!("{}", options::USAGE);
            Ok(true)
        }
        Err(line) => {
            eprintln!("client: {line} (--help explains)");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(line) => {
            eprintln!("client: {line}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the requests; whether all were answered with success.
fn run(options: &Options) -> Result<bool, String> {
    let clock = Clock::start();
    let mut buffer = vec![0; BUFFER];
    let origin = &options.gateway;
    let dial = origin.dial().map_err(|error| format!("{}: {error}", origin.host()))?;
    let tape = options.show_wire.then(Tape::default);
    let connector = Tapped { connector: dial, tape: tape.clone() };
    let mut transport = Http1::new(connector, origin.host()).map_err(line)?;

    let mut keys = Vec::new();
    if options.mode >= Mode::Pinned {
        let fetched = jwks::fetch(&mut transport, &options.pins, &mut buffer);
        show_wire(tape.as_ref());
        keys = fetched?;
    } else if !options.pins.is_empty() {
        eprintln!("client: {} mode does not look at --pin", options.mode.name());
    }
    let config = ClientConfig {
        mode: options.mode,
        schemes: &options.schemes,
        ..ClientConfig::new(options.client_type, &options.client_id, &options.device_id, "server")
    };
    let (provider, pins) = (Software::new(SysRng), Pins(&keys));
    match options.identity.clone() {
        Some(identity) => {
            let client = Client::mutual(config, provider, pins, identity, transport).map_err(line)?;
            request(options, client, &clock, tape.as_ref(), &mut buffer)
        }
        None => {
            let client = Client::new(config, provider, pins, transport).map_err(line)?;
            request(options, client, &clock, tape.as_ref(), &mut buffer)
        }
    }
}

/// Makes the requests with `client`.
fn request<S: Signer>(
    options: &Options,
    mut client: HttpClient<'_, S>,
    clock: &Clock,
    tape: Option<&Tape>,
    buffer: &mut [u8],
) -> Result<bool, String> {
    let body = options.body.as_deref().map(str::as_bytes);
    let request = Request { body, ..Request::new(&options.method, &options.path) };
    let mut success = true;
    for _ in 0..options.repeat {
        let outcome = client.request(clock.now(), &request, buffer);
        show_wire(tape);
        if options.show_wire {
            show_ends(&request, outcome.as_ref().ok());
        }
        let answer = outcome.map_err(line)?;
        print_answer(&answer).map_err(line)?;
        success &= (200..300).contains(&answer.status);
    }
    Ok(success)
}

fn line(error: impl Display) -> String {
    error.to_string()
}

/// The status, then the body as it came.
fn print_answer(answer: &Response<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", answer.status)?;
    out.write_all(answer.body)?;
    if !answer.body.is_empty() && !answer.body.ends_with(b"\n") {
        writeln!(out)?;
    }
    out.flush()
}

/// What went over the wire since the last time.
fn show_wire(tape: Option<&Tape>) {
    for (sender, bytes) in tape.map(Tape::take).unwrap_or_default() {
        match sender {
            Side::Client => show("on the wire, client to gateway", &bytes),
            Side::Gateway => show("on the wire, gateway to client", &bytes),
        }
    }
}

/// What the two ends see of the same exchange.
fn show_ends(request: &Request<'_>, answer: Option<&Response<'_>>) {
    let mut plaintext = vec![0; request.plaintext_len()];
    if request.write(&mut plaintext).is_ok() {
        show("at the ends, the request", &plaintext);
    }
    if let Some(answer) = answer {
        show(&format!("at the ends, the answer, status {}", answer.status), answer.body);
    }
}

fn show(title: &str, text: &[u8]) {
    eprintln!("── {title}\n{}\n", printable(text).trim_end());
}
