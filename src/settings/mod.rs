//! `sickbay.yml`, the environment and the flags into [`Settings`]: complete, checked, or every problem with its place.
//!
//! A flag wins over the environment (`SICKBAY__WEB__LISTEN_ADDRESS`), the environment over the file, the file over the
//! default. Relative paths in the file are relative to the file's own directory, as in Prometheus; those of flags, of
//! the environment and of the defaults are relative to the working directory. Read [`Settings`], then [`load`].

mod alertmanagers;
mod bytes;
mod email;
pub mod fixed;
mod hosts;
mod labels;
mod layers;
mod limits;
mod links;
mod notifiers;
mod oidc;
mod patient;
mod people;
mod problem;
mod raw;
mod resolve;
pub mod rules;
pub mod schema;
mod secret;
mod shape;
mod shown;
mod slack;
mod socket;
mod source;
mod types;
pub mod web_file;

pub use problem::{About, Place, SettingsError, SettingsProblem};
pub use shown::{Mark, ShownFile};
pub use source::{load, login_name, no_color, place_of, secret_file, shown_file};
pub use types::{
    AlertmanagerSettings, DockerHost, DockerSettings, DockerTls, DockerUrl, HttpNotifier, LabelSettings, LimitSettings,
    LogFormat, LogLevel, LogSettings, NotifierSettings, NotifierTo, Overrides, Sender, SenderAuth, Settings,
    SlackNotifier, SocketSettings, WebSettings, WebhookSettings,
};

#[cfg(test)]
mod tests;
