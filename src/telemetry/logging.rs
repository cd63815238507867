//! Log lines on stderr: logfmt, or JSON for machines.
//!
//! The libraries that carry requests would print bodies and headers, and with them secrets, at `debug` and `trace`. They
//! are held at `info` whatever the level says. Read [`init`] first.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterFn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// Crates that see request bodies and headers.
const TALKATIVE: &[&str] = &["bollard", "h2", "hyper", "hyper_util", "reqwest", "rustls", "tower"];

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=info target=… …`
    #[default]
    Logfmt,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, LoggingError> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            other => Err(LoggingError::Format(other.to_owned())),
        }
    }
}

/// Why logging could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggingError {
    /// Not a format.
    #[error("{0:?} is not a log format; use logfmt or json")]
    Format(String),
    /// Not a level, nor a list of `target=level`.
    #[error("{filter:?} is not a log level: {problem}; use error, warn, info, debug, trace or target=level,…")]
    Level {
        /// As written.
        filter: String,
        /// What the parser says.
        problem: String,
    },
    /// Called twice.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sets another level while the process runs.
#[derive(Clone)]
pub struct LevelSwitch(Arc<dyn Fn(EnvFilter) + Send + Sync>);

impl LevelSwitch {
    /// A switch that moves nothing, where nothing is logged.
    #[must_use]
    pub fn unconnected() -> Self {
        Self(Arc::new(|_level| {}))
    }

    /// `filter` is what [`init`] takes.
    ///
    /// # Errors
    /// [`LoggingError`] if the filter does not parse; the level stays.
    pub fn set(&self, filter: &str) -> Result<(), LoggingError> {
        (self.0)(parse(filter)?);
        Ok(())
    }
}

impl fmt::Debug for LevelSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelSwitch")
    }
}

/// Starts logging to stderr for the whole process. `filter` is a level or what `RUST_LOG` may hold.
///
/// # Errors
/// [`LoggingError`] if the filter does not parse, or if logging was set up before.
pub fn init(format: LogFormat, filter: &str) -> Result<LevelSwitch, LoggingError> {
    let (subscriber, level) = subscriber(format, filter, std::io::stderr)?;
    subscriber.try_init().map_err(|_set_before| LoggingError::AlreadySet)?;
    Ok(level)
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .map_err(|error| LoggingError::Level { filter: filter.to_owned(), problem: error.to_string() })
}

/// The same, to any writer.
fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync, LevelSwitch), LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (level, handle) = reload::Layer::new(parse(filter)?);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Logfmt => {
            let builder = tracing_logfmt::builder().with_span_name(false).with_span_path(false);
            Box::new(builder.layer().with_writer(writer))
        }
        LogFormat::Json => {
            Box::new(tracing_subscriber::fmt::layer().json().flatten_event(true).with_ansi(false).with_writer(writer))
        }
    };
    // It fails only once the subscriber is gone, and then nothing is logged at all.
    let switch = LevelSwitch(Arc::new(move |level| drop(handle.reload(level))));
    Ok((Registry::default().with(lines.with_filter(cap())).with(level), switch))
}

/// Holds the talkative crates at `info`.
fn cap() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| {
        let target = metadata.target();
        let crate_name = target.split_once("::").map_or(target, |(first, _)| first);
        *metadata.level() <= tracing::Level::INFO || !TALKATIVE.contains(&crate_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, write: impl FnOnce()) -> String {
        logged_switching(format, filter, |_switch| write())
    }

    fn logged_switching(format: LogFormat, filter: &str, write: impl FnOnce(&LevelSwitch)) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let (subscriber, switch) = subscriber(format, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || write(&switch));
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn logfmt_is_one_line_with_dotted_fields() {
        let line = logged(LogFormat::Logfmt, "info", || tracing::info!(incident.id = "i1042", "restarted\nweb-1"));
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
        assert!(line.contains("level=info") && line.contains("incident.id=i1042"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn json_is_one_object_per_line() {
        let line = logged(LogFormat::Json, "info", || tracing::info!(incident.id = "i1042", "restarted\nweb-1"));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["incident.id"], "i1042");
        assert_eq!(object["message"], "restarted\nweb-1");
    }

    #[test]
    fn the_level_counts_and_the_talkative_are_held_at_info() {
        for filter in ["trace", "debug,bollard::docker=trace,hyper_util=debug"] {
            let lines = logged(LogFormat::Logfmt, filter, || {
                tracing::debug!(target: "sickbay::web", "ours");
                tracing::debug!(target: "bollard::docker", "secret-body");
                tracing::trace!(target: "hyper_util::client", "secret-header");
                tracing::info!(target: "bollard", "connected");
            });
            assert!(lines.contains("ours") && lines.contains("connected") && !lines.contains("secret"), "{lines}");
        }
        assert_eq!(logged(LogFormat::Logfmt, "error", || tracing::warn!("hidden")), "");
    }

    #[test]
    fn the_level_can_be_set_while_it_logs_and_the_talkative_stay_held() {
        let lines = logged_switching(LogFormat::Logfmt, "warn", |switch| {
            let both = || {
                tracing::info!("told");
                tracing::debug!(target: "hyper", "secret-header");
            };
            both();
            switch.set("trace").unwrap();
            both();
            assert!(switch.set("sickbay=loud").is_err());
            both();
            switch.set("error").unwrap();
            both();
        });
        assert_eq!(lines.matches("told").count(), 2, "{lines}");
        assert!(!lines.contains("secret"), "{lines}");
    }

    #[test]
    fn a_wrong_level_or_format_says_what_is_right() {
        assert!(matches!(init(LogFormat::Json, "sickbay=loud"), Err(LoggingError::Level { .. })));
        assert_eq!("xml".parse::<LogFormat>(), Err(LoggingError::Format("xml".to_owned())));
    }
}
