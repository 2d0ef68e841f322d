//! The assistant with a language model, tested with recorded exchanges in the providers' wire formats.

mod fails;
mod model;
mod shop;
mod standin;
