//! The one integration binary.

mod architecture;
mod store;
mod support;
