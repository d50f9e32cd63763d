//! DocuSign behind the port: eSignature v2.1 over HTTP, signed in by a JWT grant. Everything here is about how DocuSign wants to be spoken to; what is to be said
//! is the jobs' affair.

mod client;
mod faults;
mod key;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;

pub use client::DocuSign;
pub use key::{KeyError, PrivateKey, secret_file};

/// By this custom field an envelope is found again when its transaction id is forgotten.
pub const REFERENCE_FIELD: &str = "compline_reference";
/// Every envelope of this worker has it, so that its stray drafts can be told from those of people.
pub const OURS_FIELD: &str = "compline_worker";
