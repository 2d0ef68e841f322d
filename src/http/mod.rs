//! HTTP

pub mod pages;
