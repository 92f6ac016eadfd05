//! The gateway as a program. One line on stdout when it is ready, logs on stderr.

#![forbid(unsafe_code)]

use dynamic_key_gateway::args::{self, Command, HELP};
use dynamic_key_gateway::{Config, Server};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let (config, level) = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve { config, level }) => (config, level),
        Ok(Command::Help) => {
            let _ = io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return failed(&error),
    };
    start_log(level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(*config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    // Before anybody can know that this program is ready.
    let signalled = signals()?;
    let server = Server::bind(config).await?;
    let (address, kid) = (server.local_addr(), server.kid());
    let mut stdout = io::stdout();
    // Nobody may be reading: that is no reason not to serve.
    let _ = writeln!(stdout, "listening on http://{address} identity {kid}").and_then(|()| stdout.flush());
    server.serve(signalled).await;
    Ok(())
}

/// Only this program's own events: what a dependency might log is not known to be free of secrets.
fn start_log(level: Level) {
    let own = Targets::new().with_target("dynamic_key_gateway", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
    tracing_subscriber::registry().with(own).with(lines).init();
}

/// Catches SIGINT and SIGTERM from now on; the future is over when one has come.
#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The future is over when somebody has pressed Ctrl-C.
#[cfg(not(unix))]
fn signals() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn failed(error: &dyn Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "dynamic-key-gateway: {error}");
    ExitCode::FAILURE
}
