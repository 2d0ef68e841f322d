//! The assistant by a language model, against recorded exchanges in the providers' wire formats.

mod fails;
mod model;
mod shop;
mod standin;
