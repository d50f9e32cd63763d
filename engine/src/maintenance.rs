//! What happens by itself, in every process, any number of them: one service per file.

pub mod pruner;
pub mod rescuer;
pub mod stager;
