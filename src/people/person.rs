//! One person of the settings, and what they may do.

use super::password::PasswordHash;
use super::token::TokenHash;
use sha2::{Digest, Sha256};

/// Somebody who can prove who they are.
#[derive(Clone, Debug)]
pub struct Person {
    /// Unique. Votes and everything else they do are recorded under it.
    pub name: String,
    /// Their groups: playbooks name these in `from`.
    pub groups: Vec<String>,
    /// What they may do, their groups' roles included.
    pub roles: Vec<Role>,
    /// How they log in.
    pub password: Option<PasswordHash>,
    /// What their programs present.
    pub token: Option<TokenHash>,
    /// Which user of this machine they are: over `web.socket` the kernel says so.
    pub uid: Option<u32>,
    /// Who they are in Slack: the ID of a user of the app's workspace.
    pub slack_user: Option<String>,
    /// The notifier that reaches this person alone: signed links are sent there. `None`: they get none.
    pub link_notifier: Option<String>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look.
    View,
    /// Decide about plans that name them or one of their groups.
    Approve,
    /// Pause, resume, reset, abort, reload.
    Operate,
    /// All of it.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::View, Self::Approve, Self::Operate, Self::Admin];

    /// The word in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Approve => "approve",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl Person {
    /// Whether they have this role. Everybody who is known may look.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        role == Role::View || self.roles.iter().any(|has| *has == role || *has == Role::Admin)
    }

    /// A digest of what they prove themselves with: another password or token makes another one.
    #[must_use]
    pub fn credentials(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.password.as_ref().map(PasswordHash::digest), self.token.as_ref().map(TokenHash::bytes)] {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.unwrap_or_default());
        }
        hash.finalize().into()
    }

    /// Whether these groups or people, as a playbook names them, are they or theirs.
    #[must_use]
    pub fn is_among(&self, from: &[String]) -> bool {
        from.iter().any(|who| *who == self.name || self.groups.contains(who))
    }
}
