//! A transport that reaches a gateway over the worst of links: it loses, repeats, delays, reorders, cuts, flips, replays
//! and forges, all from one seed.

use dynamic_key::Code;
use dynamic_key::codec::retry_after::Unread;
use dynamic_key::transport::{Request, Response, Transport, TransportError};

use super::{Seeded, World};

#[derive(Clone, Debug)]
struct Message {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub struct Storm {
    pub world: World,
    pub rng: Seeded,
    /// Whether the link is honest for a while.
    pub calm: bool,
    /// How many hellos have left.
    pub hellos: usize,
    /// What happened, for the reader of a failed test.
    pub log: Vec<String>,
    /// All that was ever sent, and all that was ever answered: to be sent again.
    messages: Vec<Message>,
    answers: Vec<(u16, Vec<u8>)>,
    /// Messages that are still on their way.
    late: Vec<Message>,
    pending: Result<(u16, Vec<u8>), Broken>,
}

/// How an exchange broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Before a byte had left.
    Before,
    /// The stream ended.
    Ended,
    /// Nothing came.
    Silence,
}

impl TransportError for Broken {
    fn request_left(&self) -> bool {
        *self != Self::Before
    }

    fn is_timeout(&self) -> bool {
        *self == Self::Silence
    }
}

impl Storm {
    pub fn new(world: World, seed: u64) -> Self {
        Self {
            world,
            rng: Seeded(seed),
            calm: false,
            hellos: 0,
            log: vec![],
            messages: vec![],
            answers: vec![],
            late: vec![],
            pending: Err(Broken::Silence),
        }
    }

    /// The gateway's answer to `message`, which the man on the wire keeps, too.
    fn deliver(&mut self, message: &Message) -> (u16, Vec<u8>) {
        let answer = self.world.serve(&message.target, &message.headers, &message.body);
        self.answers.push(answer.clone());
        answer
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let at = self.rng.below(bytes.len());
            bytes[at] ^= 1 << self.rng.below(8);
        }
    }

    fn cut(&mut self, bytes: &mut Vec<u8>) {
        let length = self.rng.below(bytes.len() + 1);
        bytes.truncate(length);
    }

    /// What else is on the way arrives: late messages in any order, and old ones again.
    fn others(&mut self) {
        while !self.late.is_empty() && self.rng.once_in(2) {
            let at = self.rng.below(self.late.len());
            let message = self.late.swap_remove(at);
            self.deliver(&message);
        }
        if !self.messages.is_empty() && self.rng.once_in(4) {
            let at = self.rng.below(self.messages.len());
            let message = self.messages[at].clone();
            self.deliver(&message);
        }
    }

    fn there(&mut self, mut message: Message) -> Result<(u16, Vec<u8>), Broken> {
        let fate = if self.calm { usize::MAX } else { self.rng.below(20) };
        self.log.push(format!("{} there {fate}", message.target));
        match fate {
            0 => return Err(Broken::Ended),
            1 => {
                self.late.push(message);
                return Err(Broken::Silence);
            }
            2 => self.cut(&mut message.body),
            3 => self.flip(&mut message.body),
            4 => {
                self.deliver(&message);
            }
            5 => {
                let header = self.rng.below(message.headers.len());
                let mut value = std::mem::take(&mut message.headers[header].1).into_bytes();
                self.flip(&mut value);
                message.headers[header].1 = String::from_utf8_lossy(&value).into_owned();
            }
            _ => {}
        }
        Ok(self.deliver(&message))
    }

    fn back(&mut self, (mut status, mut body): (u16, Vec<u8>)) -> Result<(u16, Vec<u8>), Broken> {
        let fate = if self.calm { usize::MAX } else { self.rng.below(24) };
        self.log.push(format!("back {fate}, {status}"));
        match fate {
            0 => return Err(Broken::Ended),
            1 => return Err(Broken::Silence),
            2 => self.cut(&mut body),
            3 => self.flip(&mut body),
            4 => status = [200, 204, 400, 401, 409, 500, 503][self.rng.below(7)],
            5 | 6 => {
                let at = self.rng.below(self.answers.len());
                (status, body) = self.answers[at].clone();
            }
            7 | 8 => {
                let code = Code::ALL[self.rng.below(Code::ALL.len())];
                (status, body) = forged(code);
            }
            _ => {}
        }
        Ok((status, body))
    }
}

/// An unsealed error with this code.
pub fn forged(code: Code) -> (u16, Vec<u8>) {
    let mut body = vec![0; 512];
    let length = dynamic_key::handshake::Refusal::from(code).write(&mut body).unwrap();
    body.truncate(length);
    (code.status(), body)
}

impl Transport for Storm {
    type Error = Broken;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Broken> {
        if !self.calm && self.rng.once_in(40) {
            return Err(Broken::Before);
        }
        self.hellos += usize::from(request.target == "/api/info/v2");
        let headers = request.headers.iter().map(|header| (header.name().into(), header.value().concat()));
        let message = Message {
            target: request.target.into(),
            headers: headers.collect(),
            body: request.body.to_vec(),
        };
        self.messages.push(message.clone());
        if !self.calm {
            self.others();
        }
        self.pending = self.there(message).and_then(|answer| self.back(answer));
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Broken> {
        let (status, body) = std::mem::replace(&mut self.pending, Err(Broken::Silence))?;
        let room = buffer.get_mut(..body.len()).unwrap();
        room.copy_from_slice(&body);
        Ok(Response { status, content_type_is_json: true, retry_after: Unread::ABSENT, body: room })
    }
}
