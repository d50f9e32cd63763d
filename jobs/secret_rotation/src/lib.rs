//! The family of secret rotation: a secret gets a new value without a failed log-in, and the old one is proven dead.
//!
//! A rotation is a way through the phases of [`phase`], which [`rotate`] goes: a value is made and kept ([`store`]), the target takes it ([`target`]), it is tried,
//! readers get it, and when nobody uses the old one any more that is retired, and seen to be refused. How far each is stands in one record, [`run`].
//! Where secrets are kept and who takes them is behind two ports, with what speaks to the outside in [`adapters`].

use jobkit::Registry;

pub mod adapters;
pub mod config;
pub mod managed;
pub mod phase;
pub mod rotate;
pub mod run;
pub mod secret;
pub mod store;
pub mod sweep;
pub mod target;
#[cfg(test)]
mod tests;

pub use config::{Config, secrets};
pub use managed::{Managed, Secrets};
pub use rotate::Rotate;
pub use sweep::Sweep;

/// The rules of alerts that the family raises.
pub const RULES: [&str; 1] = [rotate::STUCK];

/// Adds the family's kinds and its rules.
pub fn register(registry: &mut Registry, secrets: &Secrets) {
    registry.add(Rotate { secrets: secrets.clone() });
    registry.add(Sweep { secrets: secrets.clone() });
    for rule in RULES {
        registry.add_rule(rule);
    }
}
