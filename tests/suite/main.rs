//! Whole-program tests: the real binary and the real clients, on real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aws_faults;
mod bad_files;
mod bad_luck;
mod contract;
mod experiments;
mod exports;
mod lab_drills;
mod moto;
mod moto_drills;
mod pg_drill;
mod postgres;
mod support;
mod support_moto;
mod support_pg;
mod verdicts;
