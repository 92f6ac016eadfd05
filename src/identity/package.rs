//! Content packages: asked for, published, denied and revoked, each a message that only its recipient can read.
//!
//! What is done stands in the `tgt` of the signed message within, so that nothing that was signed to deny can be taken for what was
//! published; its body is `{"package":…}`, with `content` where there is any. A package to a route is sealed to the route's key, which all
//! who serve it share; it names the route as its recipient.

use super::IdentityError;
use super::draft::Author;
use super::message::{Received, is_id};
use super::profile::Known;
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, Value, put_string};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{KeyWrap, Recipient, Signer};
use crate::jose::jwk::Jwk;
use crate::jose::{JoseError, KeyRef, jws, package};
use crate::log::format_as;
use core::fmt;
use zeroize::Zeroize;

/// What is done with a content package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Action {
    /// It is asked for; `content` may say how.
    Request,
    /// Here it is: `content`.
    Publish,
    /// It is not given; `content` may say why.
    Deny,
    /// It is no longer to be used, and copies are to be deleted; there is no `content`.
    Revoke,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Request, Self::Publish, Self::Deny, Self::Revoke];

    /// The `tgt` of the signed message.
    #[must_use]
    pub const fn target(self) -> &'static str {
        match self {
            Self::Request => "/v1/messages/send#request",
            Self::Publish => "/v1/messages/send#publish",
            Self::Deny => "/v1/messages/send#deny",
            Self::Revoke => "/v1/messages/send#revoke",
        }
    }

    const fn takes(self, has_content: bool) -> bool {
        match self {
            Self::Request | Self::Deny => true,
            Self::Publish => has_content,
            Self::Revoke => !has_content,
        }
    }
}

/// What is said about a content package.
#[derive(Clone, Copy)]
pub struct Package<'a> {
    /// What is done with it.
    pub action: Action,
    /// The id of the content package: any text, which no two content packages of a vault share.
    pub package: &'a str,
    /// Any JSON value, as the action has it.
    pub content: Option<&'a [u8]>,
}

impl Package<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"package":"#);
        put_string(out, self.package);
        if let Some(content) = self.content {
            out.put(br#","content":"#);
            out.put(content);
        }
        out.put(b"}");
    }

    fn len(&self) -> usize {
        let mut count = Writer::new(&mut []);
        self.put(&mut count);
        count.position()
    }

    /// Signs it and encrypts it to the key `to.0` of the identity or route `to.1`, as the body of the message `id`, at the front of
    /// `buffer`. Slow.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`], and nothing has changed; [`IdentityError::Malformed`] for content that the action does not have or that
    /// is no JSON, and for an id that no message has; [`JoseError::Key`] where signer or key are not those that are named; [`JoseError::Crypto`].
    pub fn seal<'b, P: KeyWrap>(
        &self,
        provider: &mut P,
        signer: &mut dyn Signer,
        author: &Author<'_>,
        to: (&Jwk, &KeyRef),
        id: &str,
        buffer: &'b mut [u8],
    ) -> Result<&'b str, IdentityError> {
        if !self.action.takes(self.content.is_some()) || !is_id(id) {
            return Err(IdentityError::Malformed);
        }
        // By itself: what is no value could become other members.
        self.content.map(json::value).transpose()?;
        let header =
            jws::Header { issued_at: author.issued_at, kid: author.kid, target: self.action.target() };
        let (key, recipient) = to;
        let whole = |body| package::Package { header, recipient, id, body };
        // The body is put together behind where the package will end.
        let length = self.len();
        let sealed = whole(&[]).sealed_len_with(length);
        let needed = sealed.saturating_add(length);
        let (front, back) =
            buffer.split_at_mut_checked(sealed).ok_or(IdentityError::BufferTooSmall { needed })?;
        let back = back.get_mut(..length).ok_or(IdentityError::BufferTooSmall { needed })?;
        let mut out = Writer::new(back);
        self.put(&mut out);
        let packed = package::pack(provider, signer, key, &whole(out.finish_slice()?), front);
        back.zeroize();
        Ok(packed?)
    }
}

/// What is said is not printed.
impl fmt::Debug for Package<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package")
            .field("action", &self.action)
            .field("package", &self.package)
            .finish_non_exhaustive()
    }
}

format_as! { [] Package<'_>, package => "Package {{ action: {}, package: {=str} }}", package.action, package.package }

/// What was said about a content package, decrypted, verified and checked.
#[derive(Clone, Copy)]
pub struct Opened<'b> {
    /// What is done with it.
    pub action: Action,
    /// When, as the sender says.
    pub issued_at: Timestamp,
    /// The id of the content package.
    pub package: Str<'b>,
    /// What came with it.
    pub content: Option<Value<'b>>,
}

/// What was said is not printed.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("action", &self.action).finish_non_exhaustive()
    }
}

format_as! { [] Opened<'_>, opened => "Opened {{ action: {} }}", opened.action }

/// Opens the body of a message in place, with the recipient's key or that of the route to which the message is: who sent it, to whom
/// and under which id must be the same within. Slow.
///
/// # Errors
/// [`JoseError::Key`] for another key or another sender, [`JoseError::Claim`] for another recipient or id, [`JoseError::Header`],
/// [`JoseError::Authentication`]; [`IdentityError::Malformed`], also for content that the action does not have.
pub fn open<'b, P: KeyWrap, R: Recipient<SharedSecret = P::SharedSecret>>(
    provider: &mut P,
    recipient: &mut R,
    sender: &mut Known,
    message: Received<'b>,
) -> Result<Opened<'b>, IdentityError> {
    let signer = sender.signs_as().clone();
    let expected = package::Expected { sender: &signer, recipient: &message.to, id: &message.id };
    let received = package::unpack(provider, recipient, sender, &expected, message.body)?;
    let is_to = |action: &Action| received.target.is(action.target());
    let action = Action::ALL.into_iter().find(is_to).ok_or(JoseError::Header)?;
    let [package, content] = received.body.members(&["package", "content"])?;
    if !action.takes(content.is_some()) {
        return Err(IdentityError::Malformed);
    }
    let package = package.ok_or(IdentityError::Malformed)?.string()?;
    Ok(Opened { action, issued_at: received.issued_at, package, content })
}
