//! The rules: what is understood, and whole conversations.

mod talks;
mod unasked;
mod understood;
