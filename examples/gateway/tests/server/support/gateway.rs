//! A gateway in a thread of this process, or as a program.

use dynamic_key::crypto::software::PinnedKey;
use dynamic_key_gateway::{Config, Server};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The demonstration on a free port.
pub fn demo() -> Config {
    Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::demo() }
}

/// A gateway that is being served; it ends with this value.
pub struct Running {
    pub address: SocketAddr,
    pub pin: PinnedKey,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (report, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async {
                let server = Server::bind(config).await.unwrap();
                report.send((server.local_addr(), server.identity())).unwrap();
                server.serve(async { stopped.await.unwrap_or_default() }).await;
            });
        });
        let (address, pin) = ready.recv().expect("the gateway starts");
        Self { address, pin, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks it to end, without waiting for it.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for its end.
    pub fn join(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the gateway ends well");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The gateway as a program.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    pub kid: String,
    /// The line that it printed when it was ready.
    pub line: String,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: JoinHandle<String>,
}

impl Program {
    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynamic-key-gateway"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: for what does not start.
    pub fn output(arguments: &[&str]) -> Output {
        Self::command(arguments).output().unwrap()
    }

    /// Starts it and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Self::command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut words = line.split(' ');
        let address = words.nth(2).expect("a line").strip_prefix("http://").unwrap().parse().unwrap();
        let kid = words.nth(1).unwrap().trim_end().to_owned();
        Self { child, address, kid, line, stdout, stderr }
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end: whether it succeeded, what else it printed, and what it logged.
    pub fn finish(mut self) -> (bool, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().success(), rest, self.stderr.join().unwrap())
    }
}

/// An empty folder for a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
