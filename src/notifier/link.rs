//! A signed link on its way to the one person it is for. Whoever has it may vote: it is shown nowhere.

use secrecy::SecretString;

/// What one person can decide by.
#[derive(Clone, Debug)]
pub struct SignedLink {
    /// Whose it is.
    pub person: String,
    /// The page, with the token behind `#`.
    pub url: SecretString,
    /// What can be typed there where no script runs.
    pub code: SecretString,
}
