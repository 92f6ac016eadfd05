//! Futures that are dropped at every await: the stream goes with them, and nothing of the one exchange is taken for a
//! part of the next.

use crate::executor::{block_on, poll_times};
use crate::script::{Log, POST, POST_BYTES, Paused, Script, Scripted, Seen, connector};
use dynamic_key::transport::AsyncTransport;
use dynamic_key::transport::http1::{AsyncHttp1, Connect, Error, Single, Spent};
use std::cell::RefCell;
use std::rc::Rc;

const LATE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

type Http = AsyncHttp1<'static, Paused<Scripted>>;

fn http(first: &str, portion: usize) -> (Http, Rc<RefCell<Log>>) {
    let scripts = [Script::bringing(first).by(portion), Script::bringing(OK), Script::bringing(OK)];
    let (connector, log) = connector(scripts, true);
    (AsyncHttp1::new(Paused(connector), "gateway:8080").unwrap(), log)
}

async fn exchange(http: &mut Http) -> Seen {
    let mut buffer = [0xEE; 99];
    http.send(&POST).await.unwrap();
    http.receive(&mut buffer).await.map(Seen::from).unwrap()
}

/// Gives up an exchange after every number of polls, as the first one and on a stream that has carried one.
#[test]
fn the_next_exchange_is_whole_wherever_one_was_given_up() {
    for portion in [1, 8, OK.len()] {
        for carried in [false, true] {
            let first = if carried { format!("{OK}{LATE}") } else { LATE.into() };
            for polls in 0.. {
                // Portions that do not straddle two answers: what comes with one ends the stream.
                let (mut http, log) = http(&first, portion);
                if carried {
                    assert_eq!(block_on(exchange(&mut http)).body, b"{}");
                }
                if poll_times(exchange(&mut http), polls).is_some() {
                    assert!(polls > 4, "connect, write, flush, read");
                    break;
                }
                // The first poll of a first exchange only awaits the connection.
                let begun = polls > usize::from(!carried);
                assert_eq!(log.borrow().open, usize::from(carried && !begun), "the stream went along");
                assert_eq!(block_on(http.receive(&mut [0; 99])).unwrap_err(), Error::NotSent);
                let answer: &[u8] = if begun { b"{}" } else { b"late" };
                assert_eq!(block_on(exchange(&mut http)).body, answer);
                let whole = POST_BYTES.repeat(if carried && !begun { 2 } else { 1 });
                assert_eq!(*log.borrow().took.last().unwrap(), whole);
            }
        }
    }
}

#[test]
fn a_single_stream_is_spent() {
    let (mut scripted, log) = connector([Script::bringing(LATE)], true);
    let stream = scripted.connect().unwrap();
    let mut http = AsyncHttp1::new(Single::new(Paused(stream)), "h").unwrap();
    assert!(poll_times(http.send(&POST), 1).is_none());
    assert_eq!(log.borrow().open, 0);
    assert_eq!(block_on(http.send(&POST)).unwrap_err(), Error::Connect(Spent));
}
