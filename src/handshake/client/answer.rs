//! What the client makes of an answer: checks it against what was demanded, takes its facts, completes the transcript.

use super::{AwaitReply, ClientHandshake, Confirmation};
use crate::agreement::transcript::{ServerFields, Transcript, TranscriptHash};
use crate::codec::base64::Base64Error;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::Timestamp;
use crate::crypto::Provider;
use crate::error::{Code, Error, Incompatible, Peer};
use crate::handshake::dynamic_key::{
    AnswerFields, ChoiceFields, ErrorFields, IdentityFields, MAX_NONCE, nonce,
};
use crate::scheme::{NameList, Scheme};
use crate::session::{Expiry, Mode, Now, copy_bounded, is_session_id, is_token};

impl<P: Provider, const TOKEN: usize, const OUTSTANDING: usize> ClientHandshake<'_, P, TOKEN, OUTSTANDING> {
    /// The scheme that an error names for another try.
    #[inline(never)]
    pub(super) fn named_scheme(&self, status: u16, body: &[u8], group: Group) -> Result<Scheme, Error> {
        let unexpected = Error::Peer(Peer::UnexpectedStatus(status));
        let fields = ErrorFields::parse(body).map_err(|_| unexpected)?;
        match fields.code.filter(|code| code.status() == status) {
            Some(Code::RetryWithScheme) => {
                let scheme = fields.scheme.ok_or(Peer::Malformed)?;
                let offered = self.config.mode != Mode::Plain && self.config.schemes.contains(&scheme);
                if !offered || self.named.is_some() || scheme.group() == group {
                    return Err(Peer::Downgrade.into());
                }
                Ok(scheme)
            }
            Some(code) => Err(Error::Refused(code)),
            None => Err(unexpected),
        }
    }

    /// Checks the answer against what was demanded, takes its facts, and completes the transcript.
    #[inline(never)]
    pub(super) fn choose(&mut self, body: &[u8], waiting: &AwaitReply<P>) -> Result<PublicKey, Error> {
        let (group, transcript) = (waiting.group, waiting.transcript.as_ref());
        let answer = AnswerFields::parse(body, transcript.is_some());
        let answer = answer.as_ref().map_err(|error| *error)?; // where it is: it is large
        let mut der = [0; Group::MAX_SPKI_LEN];
        let der = match answer.public_key.base64(&mut der) {
            Ok(der) => der,
            Err(Base64Error::BufferTooSmall(_)) => return Err(Peer::InvalidPublicKey.into()),
            Err(_) => return Err(Peer::Malformed.into()),
        };
        let peer = PublicKey::from_spki(der).map_err(|_| Peer::InvalidPublicKey)?;
        if peer.group() != group {
            return Err(Peer::InvalidPublicKey.into());
        }
        let mut room = [0; Timestamp::MAX_LEN];
        let expires_at = answer.expires_at.copy_to(&mut room).map_err(|_| Peer::Malformed)?;
        self.take_facts(answer, expires_at, waiting.sent)?;

        let (Some(transcript), Some(choice)) = (transcript, &answer.choice) else {
            return if self.config.mode == Mode::Plain { Ok(peer) } else { Err(Peer::Downgrade.into()) };
        };
        self.answer.facts.scheme = self.accept(choice, group)?;
        if choice.has_features()? {
            return Err(Peer::Downgrade.into()); // none was offered
        }
        let transcript = self.complete(transcript, answer, choice, der, expires_at)?;
        self.take_confirmation(transcript, choice)?;
        Ok(peer)
    }

    /// Completes the transcript.
    #[inline(never)] // one frame less in its caller's
    fn complete(
        &self,
        transcript: &Transcript,
        answer: &AnswerFields<'_>,
        choice: &ChoiceFields<'_>,
        public_key: &[u8],
        expires_at: &str,
    ) -> Result<TranscriptHash, Error> {
        let mut room = [0; MAX_NONCE];
        let nonce = nonce(choice.nonce, &mut room)?;
        let kid = choice.identity.as_ref().map(IdentityFields::kid).transpose()?;
        let fields = ServerFields {
            public_key,
            nonce,
            scheme: self.answer.facts.scheme,
            session_id: &self.answer.facts.id,
            expires_at,
            token: self.answer.facts.token.as_str(),
            identifier: &[],
            kid: kid.as_ref(),
            expires_in: choice.expires_in.as_str(),
            expire_token: answer.expire_token.as_str(),
            offered_features: NameList::NONE,
            selected_features: NameList::NONE,
        };
        transcript.clone().finish(&fields).map_err(|_| Peer::Malformed.into())
    }

    /// Takes what has to confirm the answer.
    #[inline(never)] // one frame less in its caller's
    fn take_confirmation(
        &mut self,
        transcript: TranscriptHash,
        choice: &ChoiceFields<'_>,
    ) -> Result<(), Error> {
        let confirmation = Confirmation { transcript, proof: choice.proof()?, identity: None };
        let confirmation = self.answer.confirmation.insert(confirmation);
        if let Some(identity) = &choice.identity {
            let signed = (identity.kid()?, identity.signature()?);
            // Below pinned mode nobody could verify the signature: it is in the transcript, and that is all.
            if self.config.mode >= Mode::Pinned {
                confirmation.identity = Some(signed);
            }
        }
        Ok(())
    }

    /// Takes the session's facts as the answer has them.
    #[inline(never)] // one frame less in its caller's
    fn take_facts(&mut self, answer: &AnswerFields<'_>, expires_at: &str, sent: Now) -> Result<(), Error> {
        let facts = &mut self.answer.facts;
        copy_bounded(answer.session_id, &mut facts.id)
            .filter(|()| is_session_id(&facts.id))
            .ok_or(Peer::Malformed)?;
        let length = answer.token.len();
        facts.token.copy_json(answer.token).ok_or(Incompatible::TokenTooLong { length })?;
        if !is_token(facts.token.as_str()) {
            return Err(Peer::Malformed.into());
        }
        let mut ends = Timestamp::parse(expires_at.as_bytes()).map_err(|_| Peer::Malformed)?;
        let expire_token = answer.expire_token.integer()?;
        if expire_token != 0 {
            ends = ends.min(Timestamp::from_unix_secs(expire_token));
        }
        let expires_in = match &answer.choice {
            Some(choice) => Some(choice.expires_in.integer()?),
            None => None,
        };
        facts.expiry = Expiry::new(sent, ends, expires_in);
        if facts.expiry.is_over(sent) {
            return Err(Incompatible::AlreadyExpired.into());
        }
        Ok(())
    }

    /// The scheme that the answer selects, if it is one that we may accept.
    fn accept(&self, choice: &ChoiceFields<'_>, group: Group) -> Result<Scheme, Error> {
        choice
            .scheme()
            .filter(|scheme| self.config.schemes.contains(scheme) && scheme.group() == group)
            .filter(|scheme| self.named.is_none_or(|named| named == *scheme))
            .filter(|_| self.config.mode < Mode::Pinned || choice.identity.is_some())
            .ok_or(Error::Peer(Peer::Downgrade))
    }
}
