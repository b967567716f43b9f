//! What the verbs of the command line do, one file per verb.

pub mod actions;
pub mod check;
pub mod init;
pub mod probes;
mod reference;
