//! JSON as `serde_json` reads it, with the members of objects in their order and repeated names kept: the other opinion.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Why `serde_json` has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoJson {
    /// It is no JSON, or nests deeper than 127 levels.
    Malformed,
    /// A number is too large for an `f64`. That is a limit of `serde_json`: the grammar has none, and neither has the
    /// scanner, which never converts a number that nobody asks for.
    NumberTooLarge,
}

/// Reads `text`, which is one value.
pub fn parse(text: &[u8]) -> Result<Node, NoJson> {
    serde_json::from_slice(text).map_err(|error| {
        if error.to_string().starts_with("number out of range") {
            NoJson::NumberTooLarge
        } else {
            NoJson::Malformed
        }
    })
}

impl Node {
    /// The levels of arrays and objects.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(elements) => 1 + elements.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The members of an object whose names are to be looked up: at most 64, none repeated (§2.1).
    pub fn members(&self) -> Option<&[(String, Node)]> {
        match self {
            Self::Object(members) if members.len() <= 64 && !repeats(members) => Some(members),
            _ => None,
        }
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members()?.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// The string that is the member of this name.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn elements(&self) -> Option<&[Node]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The integer from 0 to 2⁵³ − 1; `serde_json` reads as such what is written in plain digits.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64().filter(|number| *number < 1 << 53),
            _ => None,
        }
    }

    /// Replaces or appends a member.
    pub fn set(&mut self, name: &str, value: Node) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(other, _)| other == name) {
            Some((_, place)) => *place = value,
            None => members.push((name.into(), value)),
        }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// The shortest text.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    /// The same value as somebody with other habits writes it: every character of a string escaped, the members in
    /// reverse, white space wherever it may be.
    pub fn foreign(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, true);
        out
    }

    fn write(&self, out: &mut String, foreign: bool) {
        let space = if foreign { " \t\r\n" } else { "" };
        out.push_str(space);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::String(text) => put_string(out, text, foreign),
            Self::Array(elements) => {
                out.push('[');
                for (place, element) in elements.iter().enumerate() {
                    out.push_str(if place == 0 { "" } else { "," });
                    element.write(out, foreign);
                }
                out.push_str(space);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for place in 0..members.len() {
                    let (name, value) = &members[if foreign { members.len() - 1 - place } else { place }];
                    out.push_str(if place == 0 { "" } else { "," });
                    out.push_str(space);
                    put_string(out, name, foreign);
                    out.push_str(space);
                    out.push(':');
                    value.write(out, foreign);
                }
                out.push_str(space);
                out.push('}');
            }
        }
        out.push_str(space);
    }
}

fn repeats(members: &[(String, Node)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

fn put_string(out: &mut String, text: &str, foreign: bool) {
    if !foreign {
        out.push_str(&serde_json::to_string(text).unwrap());
        return;
    }
    out.push('"');
    for unit in text.encode_utf16() {
        out.push_str("\\u");
        out.extend(
            [12, 8, 4, 0].map(|shift| char::from(b"0123456789aBcDeF"[usize::from(unit >> shift & 15)])),
        );
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(serde_json::Number::from_f64(value).map_or(Node::Null, Node::Number))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::String(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
                let mut array = Vec::new();
                while let Some(element) = elements.next_element()? {
                    array.push(element);
                }
                Ok(Node::Array(array))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
                let mut object = Vec::new();
                while let Some(member) = members.next_entry()? {
                    object.push(member);
                }
                Ok(Node::Object(object))
            }
        }
        deserializer.deserialize_any(Values)
    }
}
