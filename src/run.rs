//! A run: from a plan to a journal.

pub mod event;
