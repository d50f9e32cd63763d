//! The port to whoever has envelopes signed, shaped by what the jobs need. DocuSign is its adapter; a second provider would differ in how a delivery is signed,
//! what events are called and where ids stand, and not in what the jobs do.

use std::path::Path;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use crate::args::SendEnvelopeArgs;
use crate::phase::Status;

/// An envelope as it is to be.
pub struct Draft<'a> {
    pub reference: &'a Reference,
    pub args: &'a SendEnvelopeArgs,
    /// The bytes of `args.documents`, in their order.
    pub documents: &'a [Vec<u8>],
}

/// By what the provider can find an envelope whose id was lost on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Whose it is, where several installations use one account.
    pub installation: String,
    /// One for each business key of an installation, whatever is asked for under it.
    pub key: String,
    /// Of what is asked for now, and ours alone; the provider forgets it after some days.
    pub transaction: String,
    /// Whether it has forgotten it by now.
    pub is_old: bool,
    /// From when on the envelope can have been made.
    pub since: Timestamp,
}

/// How it is looked for; each is a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Whether that knows drafts is not documented.
    Transaction,
    /// The custom field with the key, which is never forgotten: also what was asked for before.
    Key,
}

/// An envelope as a search finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub status: Status,
    pub made_at: Option<Timestamp>,
    /// As far as the answer says it.
    pub transaction: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    pub status: Status,
    pub changed_at: Option<Timestamp>,
    /// Of each recipient: his number in the envelope, and where he stands.
    pub recipients: Vec<(String, String)>,
}

/// What the provider said beside the answer: how much may still be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    pub remaining: Option<u32>,
    pub resets_at: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Answered<T> {
    pub value: T,
    pub budget: Budget,
}

pub type Answer<'a, T> = BoxFuture<'a, Result<Answered<T>, CallError>>;

pub trait SignatureProvider: Send + Sync + 'static {
    /// Makes the envelope, and sends it at once if so asked. Not repeatable.
    fn create<'a>(&'a self, draft: Draft<'a>, send: bool) -> Answer<'a, String>;
    /// All that carry the reference, the oldest first.
    fn find<'a>(&'a self, reference: &'a Reference, by: By) -> Answer<'a, Vec<Found>>;
    /// Sends the draft; sending it again does no harm.
    fn send<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()>;
    /// One envelope, asked for by its id. Providers ban who does that often.
    fn stand<'a>(&'a self, envelope: &'a str) -> Answer<'a, Stand>;
    /// Many at once; those that are not there are left out.
    fn stands<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, Vec<(String, Stand)>>;
    fn void<'a>(&'a self, envelope: &'a str, reason: &'a str) -> Answer<'a, ()>;
    fn remind<'a>(&'a self, envelope: &'a str) -> Answer<'a, ()>;
    /// Drafts of the installation that were made in this time.
    fn drafts<'a>(&'a self, installation: &'a str, from: Timestamp, to: Timestamp) -> Answer<'a, Vec<Found>>;
    fn delete_drafts<'a>(&'a self, envelopes: &'a [String]) -> Answer<'a, ()>;
    /// Brings the signed documents with the certificate into a file, as a ZIP. Returns how many bytes it has.
    fn documents<'a>(&'a self, envelope: &'a str, into: &'a Path) -> Answer<'a, u64>;
    fn audit_events<'a>(&'a self, envelope: &'a str) -> Answer<'a, Value>;
    /// Signs in anew and says where the account is, for whoever looks after it.
    fn probe(&self) -> Answer<'_, Vec<(&'static str, String)>>;
}

/// A call that gave nothing, and what is known of why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {}", self.told())]
pub struct CallError {
    pub doing: &'static str,
    pub fault: Fault,
    /// As the provider calls it. Its words are left out: they repeat what was sent, and that is somebody's.
    pub code: Option<String>,
    /// By which the provider finds the call in its own log.
    pub trace: Option<String>,
    pub status: Option<u16>,
    pub budget: Budget,
}

/// What is the matter, as far as it decides what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It did not get there.
    Away,
    /// Nobody knows whether it happened.
    Unknown,
    /// The token is not taken, not even a new one.
    Token,
    /// The user has not allowed the integration to act as him, or not all of it.
    Consent,
    /// The integration, its key or the user are not known there.
    SignIn,
    /// The user may not do it in this account.
    Permission,
    /// The account's calls of this hour are used up.
    HourlyLimit,
    /// Of this half minute.
    BurstLimit,
    /// This envelope was asked for too often.
    EnvelopeLimit,
    /// It can never be sent as it is.
    Refused,
    /// There is no such envelope.
    Missing,
    /// There is, and its documents are there no more.
    Gone,
    /// Somebody else changes it just now.
    Locked,
    /// The envelope is not in a state in which this can be done.
    State,
    /// It was made before under the same reference.
    Duplicate,
    /// What came is not whole.
    Torn,
}

impl Fault {
    /// Whether the account as a whole is at fault, so that no other job does any better.
    pub fn parks(self) -> bool {
        matches!(self, Fault::Token | Fault::Consent | Fault::SignIn | Fault::Permission)
    }

    /// Whether the envelope as it stands does not allow it. One whose documents are gone came to its end before.
    pub fn is_of_state(self) -> bool {
        matches!(self, Fault::State | Fault::Gone)
    }

    /// Whether the same call may do better at once.
    pub fn is_fleeting(self) -> bool {
        matches!(self, Fault::Away | Fault::Unknown | Fault::Torn)
    }
}

impl CallError {
    /// What was done, and what came of it.
    pub fn what(&self) -> String {
        format!("{}: {}", self.doing, self.answer())
    }

    fn told(&self) -> String {
        format!("{}; {}", self.answer(), self.remedy())
    }

    fn answer(&self) -> String {
        let code = match (&self.code, self.status) {
            (Some(code), _) => code.clone(),
            (None, Some(status)) => format!("status {status}"),
            (None, None) => "no answer".into(),
        };
        let trace = self.trace.as_deref().map(|trace| format!(" (trace token {trace})")).unwrap_or_default();
        format!("{code}{trace}")
    }

    /// What it means, and what helps.
    pub fn remedy(&self) -> &'static str {
        match self.fault {
            Fault::Away => "it was not reached",
            Fault::Unknown => "nobody knows whether it happened",
            Fault::Token => "the sign-in is not taken; `compline docusign doctor` says why",
            Fault::Consent => {
                "the user has not consented; `compline docusign doctor` prints the address to open"
            }
            Fault::SignIn => {
                "integration key, user, RSA key or environment do not fit together; `compline docusign doctor` says which"
            }
            Fault::Permission => "the user lacks a permission in the account; ask its administrator",
            Fault::HourlyLimit => "the calls of this hour are used up",
            Fault::BurstLimit => "too many calls in half a minute",
            Fault::EnvelopeLimit => "this envelope was asked for too often",
            Fault::Refused => "it is refused as it is",
            Fault::Missing => "there is no such envelope",
            Fault::Gone => "its documents are there no more",
            Fault::Locked => "somebody changes the envelope just now",
            Fault::State => "the envelope is not in a state for that",
            Fault::Duplicate => "there is one under this reference",
            Fault::Torn => "what came is not whole",
        }
    }
}
