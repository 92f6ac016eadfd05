//! Session objects, and how they are made, read and destroyed.

use crate::token::Token;
use core::fmt;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use dynamic_key::crypto::CryptoError;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// A key or a secret in the token: a session object, which is destroyed when the last clone of this is dropped, and lives no longer
/// than its session in any case. Printed as `…`.
#[derive(Clone)]
pub struct Handle(Arc<Object>);

struct Object {
    token: Token,
    handle: ObjectHandle,
}

impl Drop for Object {
    fn drop(&mut self) {
        // A token that does not destroy it now does so when the session is closed.
        let _ = self.token.with(|session| session.destroy_object(self.handle));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Handle {
    /// Takes charge of a session object.
    pub(crate) fn new(token: &Token, handle: ObjectHandle) -> Self {
        Self(Arc::new(Object { token: token.clone(), handle }))
    }

    /// Makes one from attributes, which are erased.
    pub(crate) fn create(token: &Token, attributes: Vec<Attribute>) -> Result<Self, CryptoError> {
        let attributes = Erased(attributes);
        let handle = token.with(|session| session.create_object(&attributes.0))?;
        Ok(Self::new(token, handle))
    }

    /// Derives another from this one.
    pub(crate) fn derive(
        &self,
        mechanism: &Mechanism<'_>,
        attributes: &[Attribute],
    ) -> Result<Self, CryptoError> {
        derive(&self.0.token, self.0.handle, mechanism, attributes)
    }

    /// The value of one that may be read.
    ///
    /// # Security
    /// The wrapper reads it through a buffer of its own, which it frees without erasing.
    pub(crate) fn value(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        read(&self.0.token, self.0.handle, AttributeType::Value).map(Zeroizing::new)
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0.token
    }

    pub(crate) fn object(&self) -> ObjectHandle {
        self.0.handle
    }
}

/// Derives a session object from any key of the token.
pub(crate) fn derive(
    token: &Token,
    base: ObjectHandle,
    mechanism: &Mechanism<'_>,
    attributes: &[Attribute],
) -> Result<Handle, CryptoError> {
    let handle = token.with(|session| session.derive_key(mechanism, base, attributes))?;
    Ok(Handle::new(token, handle))
}

/// One attribute of any object.
pub(crate) fn read(
    token: &Token,
    object: ObjectHandle,
    attribute: AttributeType,
) -> Result<Vec<u8>, CryptoError> {
    let attributes = token.with(|session| session.get_attributes(object, &[attribute]))?;
    match attributes.into_iter().next() {
        Some(Attribute::Value(bytes) | Attribute::EcPoint(bytes)) => Ok(bytes),
        _ => Err(CryptoError::Failed),
    }
}

/// A secret that stays in the token and does what `uses` say.
pub(crate) fn secret(key_type: KeyType, length: u16, uses: &[Attribute]) -> Vec<Attribute> {
    let mut attributes = template(key_type, false);
    attributes.push(Attribute::ValueLen(Ulong::from(u64::from(length))));
    attributes.extend_from_slice(uses);
    attributes
}

/// A secret that may be read.
pub(crate) fn readable(length: u16) -> Vec<Attribute> {
    let mut attributes = template(KeyType::GENERIC_SECRET, true);
    attributes.push(Attribute::ValueLen(Ulong::from(u64::from(length))));
    attributes
}

/// A secret whose value comes from here, and which does not leave the token again.
pub(crate) fn imported(key_type: KeyType, value: &[u8], uses: &[Attribute]) -> Vec<Attribute> {
    let mut attributes = template(key_type, false);
    attributes.push(Attribute::Value(value.to_vec()));
    attributes.extend_from_slice(uses);
    attributes
}

fn template(key_type: KeyType, extractable: bool) -> Vec<Attribute> {
    // Room for what follows: a vector that grows would leave a copy of a value behind.
    let mut attributes = Vec::with_capacity(12);
    attributes.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(key_type),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(!extractable),
        Attribute::Extractable(extractable),
    ]);
    attributes
}

/// Attributes whose values are erased on drop.
struct Erased(Vec<Attribute>);

impl Drop for Erased {
    fn drop(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::Value(value) = attribute {
                value.zeroize();
            }
        }
    }
}
