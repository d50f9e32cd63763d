//! The ways out of this family.

pub mod docusign;
