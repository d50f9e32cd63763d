//! The one integration binary.

mod architecture;
mod engine;
mod store;
mod support;
