//! Whole-program tests: the real binary and the real clients, on real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aborts;
mod aws_faults;
mod bad_files;
mod bad_luck;
mod calibrate;
mod contract;
mod crashes;
mod disks;
mod dns_cutover;
mod escapes;
mod experiments;
mod exports;
mod fuzz;
mod guardrails;
mod haproxy;
mod imports;
mod interlocks;
mod kinds;
mod lab_drills;
mod ledgers;
mod mariadb;
mod moto;
mod moto_crashes;
mod moto_drills;
mod permissions;
mod pg_drill;
mod postgres;
mod redis_sentinel;
mod secrets;
mod stalls;
mod stress;
mod support;
mod support_dns;
mod support_gate;
mod support_kinds;
mod support_lab;
mod support_mariadb;
mod support_moto;
mod support_pg;
mod support_proxy;
mod support_redis;
mod verdicts;
mod watchers;
