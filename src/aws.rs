//! AWS: one client per service from one configuration.

pub mod find;
pub mod target;
