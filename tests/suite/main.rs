//! Whole-program tests: the real binary, real sockets on loopback, real servers.

mod cli;
mod lab_drills;
mod support;
