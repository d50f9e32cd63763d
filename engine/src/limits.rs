//! Limits of rate and concurrency across all processes.
//!
//! A limit is a rule of the configuration ([`store::rule`]). Every process that works publishes it to the store, so
//! all processes and the SQL function go by the same rules ([`book`]). A job that some rule holds for is given a
//! lane at the door, which names its buckets; when the rules change, the jobs that wait are given new ones
//! ([`keeper`]). How often jobs call a provider is limited apart from how often they start ([`limiter`]), and so is how
//! often callers of the API call ([`callers`]). Who may start is decided by [`store::ledger`], in the transaction that claims.

mod absence;
pub mod book;
pub mod callers;
pub mod keeper;
pub mod limiter;
pub mod redis;
pub mod usage;
