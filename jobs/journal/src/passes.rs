//! The way of a ledger through the program: passes over its parts, each of which leaves summaries that add up.
//!
//! No pass holds more than a part for each thread, so that a ledger of any size passes; and since parts are worked on apart and their summaries added up, it
//! makes no difference how many there are, who works on which, and in what order.

pub mod read;
