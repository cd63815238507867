//! The only file that reads the environment, and the one that reads the settings file and the secret files.
//!
//! It decides nothing: what it reads goes through `layers` and `resolve`. Read [`load`] first.

use super::layers::{ENV_PREFIX, FILE_BYTES_MAX, Inputs, layer};
use super::patient;
use super::problem::{Place, SettingsError, SettingsProblem};
use super::resolve::resolve;
use super::secret::{self, SECRET_BYTES_MAX};
use super::shown::ShownFile;
use super::types::{Overrides, Settings};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Variables of Docker's own command line that we honour as well.
const DOCKER_VARIABLES: [&str; 3] = ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];

/// Reads the settings: flags over environment over file over defaults. Without a file, sickbay listens on loopback, reads
/// `rules/*.yaml`, drives the local Docker and keeps its log in `data/`.
///
/// # Errors
/// [`SettingsError`] with everything that is wrong and where.
pub fn load(overrides: Overrides, file: Option<&Path>) -> Result<Settings, SettingsError> {
    let file = match file {
        None => None,
        Some(path) => Some((path.display().to_string(), read_settings(path)?)),
    };
    let inputs = Inputs { overrides, file, env: environment() };
    let mut settings = resolve(layer(&inputs)?, &inputs, &read_secret)?;
    settings.own_container = own_container();
    Ok(settings)
}

/// Who sets a key, such as `notifiers[0].http.url`, in a file that was read before.
#[must_use]
pub fn place_of(key: &str, file: Option<&Path>) -> Place {
    let text = file.and_then(|path| Some((path.display().to_string(), read_settings(path).ok()?)));
    let inputs = Inputs { overrides: Overrides::default(), file: text, env: environment() };
    if key == "docker.hosts"
        && inputs.env.contains_key("DOCKER_HOST")
        && layer(&inputs).is_ok_and(|layered| layered.raw.docker.hosts.is_none())
    {
        return Place::Environment("DOCKER_HOST".to_owned());
    }
    layer(&inputs).map_or(Place::Default, |layered| layered.origins.place(key))
}

/// A settings file as it may be shown: whatever could be a secret is hidden. Empty if it cannot be read.
#[must_use]
pub fn shown_file(file: &Path) -> ShownFile {
    read_settings(file).map(|text| ShownFile::new(&text)).unwrap_or_default()
}

/// No more of it than a secret may have: `/dev/zero` has no end.
fn read_secret(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    // Room for the line's end, and one byte more to tell that it is too large.
    let enough = u64::try_from(SECRET_BYTES_MAX + 3).unwrap_or(u64::MAX);
    patient::open(path)?.take(enough).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether the environment asks for output without colour (<https://no-color.org>).
#[must_use]
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The name under which whoever calls is logged in, also behind `sudo`.
#[must_use]
pub fn login_name() -> Option<String> {
    let name = |variable| std::env::var_os(variable)?.into_string().ok().filter(|name| !name.is_empty());
    ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(name)
}

/// Reads a file that holds one secret.
///
/// # Errors
/// What is wrong with the file.
pub fn secret_file(path: &Path) -> Result<SecretString, String> {
    secret::from_file(path, read_secret(path))
}

fn read_settings(path: &Path) -> Result<String, SettingsError> {
    // One byte more tells that it is too large; a character may be cut by that.
    let enough = u64::try_from(FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = patient::open(path).and_then(|file| file.take(enough).read_to_end(&mut bytes)).and_then(|length| {
        if FILE_BYTES_MAX < length {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    });
    read.map_err(|cause| {
        let place = Place::File { path: path.display().to_string(), line: 0, column: 0 };
        let message = format!(
            "cannot read the settings file: {cause}; correct --config.file, or let the user sickbay runs as read it"
        );
        SettingsError { problems: vec![SettingsProblem::of_all(place, message)] }
    })
}

fn environment() -> BTreeMap<String, String> {
    let ours = |name: &str| name.starts_with(ENV_PREFIX) || DOCKER_VARIABLES.contains(&name);
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| ours(name))
        .collect()
}

/// The container this process runs in: Docker mounts `/etc/hostname` from a directory named after it.
fn own_container() -> Option<String> {
    std::fs::read_to_string("/proc/self/mountinfo").ok().and_then(|mounts| container_in(&mounts))
}

fn container_in(mounts: &str) -> Option<String> {
    let id = |line: &str| {
        let id = line.split_once("/containers/")?.1.split('/').next()?;
        let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        hex.then(|| id.to_owned())
    };
    mounts.lines().find_map(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_without_an_end_is_read_no_further_than_a_secret_goes() {
        let text = read_secret(Path::new("/dev/zero")).unwrap();
        assert!((SECRET_BYTES_MAX..2 * SECRET_BYTES_MAX).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn the_own_container_is_read_from_its_mounts() {
        let id = "4f".repeat(32);
        let mounts = format!(
            "700 690 0:45 / /proc rw - proc proc rw\n\
             709 690 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
        );
        assert_eq!(container_in(&mounts), Some(id));
        for host in ["", "26 1 8:1 / / rw - ext4 /dev/sda1 rw", "1 1 8:1 /containers/web/x /x rw - ext4 a rw"] {
            assert_eq!(container_in(host), None, "{host}");
        }
    }
}
