//! Which client may reach which route, in which mode (§2.5). What no rule allows is refused.

use super::forward;
use super::path::{check_path, is_segment};
use crate::session::{ClientType, Mode};
use core::fmt;

/// What a gateway knows of a client when it asks for a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Caller<'a> {
    /// Its type.
    pub client_type: ClientType,
    /// Its `clientId`.
    pub client_id: &'a str,
    /// The mode of its session.
    pub mode: Mode,
}

/// A route and who may reach it.
///
/// # Security
///
/// Below [`Mode::Mutual`] `client_types` and `client_ids` compare claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rule<'a> {
    /// The method: capital letters, such as `GET`, with `-` between them. `HEAD` is a method of its own.
    pub method: &'a str,
    /// The path, such as `/users/getbyid/:id`. A segment that begins with `:` and a name matches any one segment;
    /// others match themselves, byte for byte. There are no other wildcards.
    pub pattern: &'a str,
    /// The types of client that reach it, at least one.
    pub client_types: &'a [ClientType],
    /// The clients of these types that reach it; none stands for all of them.
    pub client_ids: &'a [&'a str],
    /// The least mode of a session that reaches it.
    pub least_mode: Mode,
    /// Names of sealed headers that go on, besides `accept` and `accept-language`.
    pub forward_headers: &'a [&'a str],
}

/// The routes of the Dynamic Key V2 documentation, for internal clients in any mode. External clients reach none of
/// them until a rule names them.
pub const DEFAULT_RULES: &[Rule<'static>] = &[
    internal("POST", "/users/login"),
    internal("GET", "/users/getbyid/:id"),
    internal("GET", "/qr/get/reverse/:BFP"),
    internal("GET", "/companies/getbyid/:idCompany"),
    internal("GET", "/countries/get"),
    internal("GET", "/lang/get"),
];

const fn internal(method: &'static str, pattern: &'static str) -> Rule<'static> {
    Rule {
        method,
        pattern,
        client_types: &[ClientType::Internal],
        client_ids: &[],
        least_mode: Mode::Plain,
        forward_headers: &[],
    }
}

/// Rules that have been checked.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Allowlist<'a> {
    rules: &'a [Rule<'a>],
}

impl<'a> Allowlist<'a> {
    /// Checks `rules`. No rules are no routes.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] with the first rule that could not match what it seems to, or must not do what it says.
    pub fn new(rules: &'a [Rule<'a>]) -> Result<Self, InvalidRule> {
        for (index, rule) in rules.iter().enumerate() {
            if let Some(fault) = rule.fault() {
                return Err(InvalidRule { index, fault });
            }
        }
        Ok(Self { rules })
    }

    /// The rule by which `client` reaches `method` and `path`.
    ///
    /// Where several routes match, the most specific one decides, and no other: the one that has a literal where
    /// the other has a parameter, at the first segment in which they differ. So a rule for `/users/admin` is not
    /// undone by one for `/users/:id`. Several rules may be of one route: any of them will do.
    ///
    /// # Errors
    ///
    /// - [`RouteError::Path`] if the path fails [`check_path`];
    /// - [`RouteError::NotAllowed`] if no rule of the route is for this client, or there is no such route;
    /// - [`RouteError::ModeTooWeak`] if one is, but demands more than the mode of the session.
    pub fn find(&self, method: &str, path: &str, client: &Caller<'_>) -> Result<&'a Rule<'a>, RouteError> {
        check_path(path)?;
        let matching = self.rules.iter().filter(|rule| rule.method == method && rule.matches(path));
        let route = matching
            .clone()
            .max_by(|one, other| one.literals().cmp(other.literals()))
            .ok_or(RouteError::NotAllowed)?;
        let mut refusal = RouteError::NotAllowed;
        for rule in matching.filter(|rule| rule.literals().eq(route.literals()) && rule.is_for(client)) {
            if client.mode >= rule.least_mode {
                return Ok(rule);
            }
            refusal = RouteError::ModeTooWeak;
        }
        Err(refusal)
    }
}

impl Rule<'_> {
    /// Whether `path`, which has been checked, is of this route.
    fn matches(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.pattern.split(['/']), path.split(['/']));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(expected), Some(segment)) if expected == segment || expected.starts_with(':') => {}
                _ => return false,
            }
        }
    }

    /// For each segment of the pattern whether it is a literal. Of two routes that match a path, those with equal
    /// answers are the same.
    fn literals(&self) -> impl Iterator<Item = bool> {
        self.pattern.split(['/']).map(|segment| !segment.starts_with(':'))
    }

    fn is_for(&self, client: &Caller<'_>) -> bool {
        self.client_types.contains(&client.client_type)
            && (self.client_ids.is_empty() || self.client_ids.contains(&client.client_id))
    }

    fn fault(&self) -> Option<RuleFault> {
        let method = self
            .method
            .split(['-'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase()));
        if !method || matches!(self.method, "CONNECT" | "TRACE") {
            return Some(RuleFault::Method);
        }
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_part = |part: &str| part.strip_prefix(':').map_or_else(|| is_segment(part), is_name);
        if !self.pattern.strip_prefix('/').is_some_and(|parts| parts.split(['/']).all(is_part)) {
            return Some(RuleFault::Pattern);
        }
        if self.client_types.is_empty() {
            return Some(RuleFault::ClientTypes);
        }
        let is_id =
            |id: &&str| matches!(id.len(), 1..=64) && id.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if !self.client_ids.iter().all(is_id) {
            return Some(RuleFault::ClientId);
        }
        if !self.forward_headers.iter().all(|name| forward::may_be_named(name)) {
            return Some(RuleFault::Header);
        }
        None
    }
}

/// Why a request does not go on. Each is `DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED`, except [`RouteError::ModeTooWeak`], which
/// is `DYNAMIC_KEY_V2_CONFIRMATION_REQUIRED` (§2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RouteError {
    /// The path is one that two readers may understand differently.
    Path,
    /// No rule lets this client reach this route.
    NotAllowed,
    /// The client may reach the route, but not in the mode of this session.
    ModeTooWeak,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "the path is ambiguous or not a path",
            Self::NotAllowed => "no rule lets this client reach this route",
            Self::ModeTooWeak => "the route demands a stronger mode",
        })
    }
}

impl core::error::Error for RouteError {}

/// A rule that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidRule {
    /// Which one, counted from 0.
    pub index: usize,
    /// What is wrong with it.
    pub fault: RuleFault,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RuleFault {
    /// The method is not in capital letters, or is `CONNECT` or `TRACE`.
    Method,
    /// The pattern is no path that a request could have, or a parameter has no name of letters, digits and `_`.
    Pattern,
    /// No type of client reaches it.
    ClientTypes,
    /// A client id is not 1 to 64 printable ASCII characters.
    ClientId,
    /// A header to be forwarded has no header's name, or is one that must never be forwarded.
    Header,
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} (counted from 0): {}", self.index, self.fault)
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method must be in capital letters and not CONNECT or TRACE",
            Self::Pattern => {
                "the pattern must be a path of plain segments and named parameters, such as /users/:id"
            }
            Self::ClientTypes => "it names no type of client",
            Self::ClientId => "a client id must have 1 to 64 printable ASCII characters",
            Self::Header => "it forwards a header that has no valid name or must never be forwarded",
        })
    }
}

impl core::error::Error for InvalidRule {}

#[cfg(test)]
mod tests;
