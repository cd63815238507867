//! The command line.

pub mod check;

mod drawing;
