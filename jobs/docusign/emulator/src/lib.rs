//! DocuSign on loopback: OAuth and eSignature v2.1, with limits, faults, webhooks and a clock that can be moved.
//!
//! For people who build against DocuSign and want to see what their program does when an answer is lost, a limit is
//! hit, or a webhook comes twice. [`Emulator::start`] runs one inside a test; `compline emulate docusign` runs one for
//! every other program. What it does, and what it cannot know of the real service, is written in
//! `docs/reference/docusign-emulator.md`.
//!
//! Decisions are pure and stand in files of their own: `life.rs` and `routing.rs` (what becomes of an envelope),
//! `check.rs` (what is refused), `limits.rs`, `faults.rs`, `oauth.rs`, `rules.rs`. `state.rs` holds everything behind
//! one lock; `http/` is thin.

mod anchors;
mod check;
mod clock;
mod connect;
mod contract;
mod emulator;
mod envelope;
mod evidence;
mod faults;
mod house;
mod http;
mod json;
mod life;
mod limits;
mod oauth;
mod options;
mod pdf;
mod record;
mod refusal;
mod routing;
mod rules;
mod state;
mod switches;
mod view;

pub use clock::{Clock, Unmoved};
pub use connect::post::{Delivered, Mode};
pub use emulator::Emulator;
pub use faults::{Fault, KINDS, Rule};
pub use life::Act;
pub use oauth::PublicKey;
pub use options::{ACCOUNT_ID, ClockMode, INTEGRATION_KEY, Options, USER_ID};
pub use record::Recorded;
pub use refusal::Refusal;
pub use rules::violations;
pub use switches::{Again, Anchors, Delivery, Duplicate, HeaderCase, Polling, Reset, Retry, Switches};
