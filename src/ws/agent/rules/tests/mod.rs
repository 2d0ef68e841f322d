//! Tests of the rules: single messages and whole conversations.

mod conversations;
mod instructions;
mod understood;
