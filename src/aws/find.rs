//! From a target as written to resources as found.

pub use super::target::Target;
