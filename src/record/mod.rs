//! One fact, one line: how the incident log's records are written and read. `docs/INCIDENT_LOG.md` is the public text.
//!
//! Pure: bytes in, bytes out. Files belong to `incident_log/`. Read [`encode`] and [`decode`] first, then [`Chain`].

mod chain;
mod filter;
mod header;
mod json;
mod line;
pub mod schema;
mod schema_acts;
mod schema_services;
mod text;
mod time;
mod wire;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod sample_approvals;
#[cfg(test)]
mod sample_looks;
#[cfg(test)]
mod sample_requests;
#[cfg(test)]
mod sample_services;

pub use chain::{Break, Chain, Hash, Seal};
pub use filter::LogFilter;
pub use header::{Header, LogId};
pub use json::needs_escape;
pub use line::{Content, Decoded, LineError, RECORD_LEN_MAX, SCHEMA_VERSION, decode, encode};
