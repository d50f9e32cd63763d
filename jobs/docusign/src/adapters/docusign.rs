//! DocuSign behind the port: eSignature v2.1 over HTTP, signed in by a JWT grant. Everything here is about how DocuSign wants to be spoken to; what is to be said
//! is the jobs' affair.

mod client;
mod faults;
mod flight;
mod key;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;

pub use client::DocuSign;
pub use key::{KeyError, PrivateKey, secret_file};
/// The HTTP client that calls are made by.
pub use reqwest::Client as Http;

/// By this custom field all that was asked for under one business key is found.
pub const KEY_FIELD: &str = "compline_reference";
/// By this one what is asked for now, when its transaction id is forgotten.
pub const TRANSACTION_FIELD: &str = "compline_transaction";
/// Every envelope of this installation has it, so that its stray drafts can be told from those of people.
pub const OURS_FIELD: &str = "compline_installation";
