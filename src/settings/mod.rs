//! `sickbay.yml`, the environment and the flags into [`Settings`]: complete, checked, or every problem with its place.
//!
//! A flag wins over the environment (`SICKBAY__WEB__LISTEN_ADDRESS`), the environment over the file, the file over the
//! default. Relative paths in the file are relative to the file's own directory, as in Prometheus; those of flags, of
//! the environment and of the defaults are relative to the working directory. Read [`Settings`], then [`load`].

mod alertmanagers;
mod bytes;
pub mod fixed;
mod layers;
mod limits;
mod notifiers;
mod problem;
mod raw;
mod resolve;
pub mod rules;
mod secret;
mod source;
mod types;

pub use problem::{Place, SettingsError, SettingsProblem};
pub use source::{load, login_name, no_color, secret_file};
pub use types::{
    AlertmanagerSettings, DockerHost, DockerSettings, DockerUrl, HttpNotifier, LimitSettings, LogFormat, LogLevel,
    LogSettings, NotifierSettings, Overrides, Sender, SenderAuth, Settings, WebSettings, WebhookSettings,
};

#[cfg(test)]
mod tests;
