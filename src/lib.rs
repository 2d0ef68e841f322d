//! microBazaar, a marketplace server in one program.

// What tests share is written for the crate's name.
#[cfg(test)]
extern crate self as microbazaar;

pub mod actors;
pub mod app;
pub mod bus;
pub mod cli;
pub mod config;
pub mod crash;
pub mod domain;
pub mod http;
pub mod integrations;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod views;
pub mod ws;
