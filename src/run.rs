//! A run: from a plan to a journal.

pub mod conductor;
pub mod engine;
mod error;
pub mod event;
pub mod guardrail;
pub mod health;
mod input;
pub mod mail;
pub mod outputs;
pub mod people;
pub mod recorder;
pub mod recover;
pub mod script;
pub mod signals;
pub mod step;
pub mod stop;
pub mod undo;
