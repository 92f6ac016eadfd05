//! The end of a gateway: requests in flight are answered, new ones are not taken.

use crate::support::{Device, Program, Running, Upstream, demo, read_answer};
use dynamic_key::request::Request;
use dynamic_key::session::Mode;
use dynamic_key_gateway::Config;
use dynamic_key_gateway::config::Limits;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_request_in_flight_is_answered() {
    let (release, released) = channel::<()>();
    let upstream = Upstream::scripted(Box::new(move |stream| {
        let _ = released.recv();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    }));
    let mut gateway = Running::start(Config { upstream: Some(upstream.url()), ..demo() });
    let address = gateway.address;
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut idle).status, 200);

    let in_flight = thread::spawn(move || device.call(&Request::get("/countries/get")));
    upstream.request();
    gateway.stop();
    // It no longer listens, and still works.
    let refused = || TcpStream::connect(address).is_err();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !refused() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(refused());
    release.send(()).unwrap();
    assert_eq!(in_flight.join().unwrap(), (200, b"late".to_vec()));
    gateway.join();
}

#[test]
fn a_request_that_hangs_is_cut_off() {
    let upstream = Upstream::scripted(Box::new(|_| thread::sleep(Duration::from_secs(30))));
    let limits = Limits { drain: Duration::from_millis(200), ..demo().limits };
    let mut gateway = Running::start(Config { upstream: Some(upstream.url()), limits, ..demo() });
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let sealed = device.seal(&Request::get("/countries/get"));
    let hangs = thread::spawn(move || std::panic::catch_unwind(|| device.send(&sealed)).is_err());
    upstream.request();
    let started = Instant::now();
    gateway.join();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(hangs.join().unwrap(), "there is no answer");
}

#[cfg(unix)]
#[test]
fn signals_end_the_program_well() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(&["--demo", "--listen", "127.0.0.1:0"]);
        assert_eq!(
            program.line,
            format!("listening on http://{} identity {}\n", program.address, program.kid)
        );
        assert!(program.address.port() != 0 && program.kid.len() == 43);
        program.signal(signal);
        let (succeeded, rest, log) = program.finish();
        assert!(succeeded, "{log}");
        assert_eq!(rest, "", "one line on stdout and no more");
        assert!(log.contains("draining") && log.contains("stopped"), "{log}");
    }
}
