//! A run: from a plan to a journal.

pub mod conductor;
pub mod event;
pub mod guardrail;
pub mod health;
