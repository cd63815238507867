//! Why a request is not let in, in words and as HTTP says it.

use crate::people::{Role, WINDOW};
use crate::web::api::ApiError;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a request may change nothing, or see nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A page of another site is behind it.
    #[error("a page of another site may change nothing here")]
    Foreign,
    /// Nothing says which page is behind a form.
    #[error(
        "nothing says that one of our own pages has sent this form: the browser must send `Origin` or `Sec-Fetch-Site`, as \
         those since 2020 do"
    )]
    Unsaid,
    /// It comes from another machine, and there is no token that it could know.
    #[error(
        "only programs on the machine of the daemon may do this: set `web.api_token_file` or `people` to let others in"
    )]
    Elsewhere,
    /// No token, or not the right one.
    #[error("needs the header `Authorization: Bearer …` with the token of `web.api_token_file` or of one of `people`")]
    Token,
    /// Nobody who can be told from others.
    #[error(
        "only a person may do this: send the header `Authorization: Bearer …` with the token of one of `people` in the \
         settings"
    )]
    Nobody,
    /// A person without the role.
    #[error("you are known, and may not do this: it takes the role `{}` in the settings", .0.as_str())]
    Role(Role),
    /// None of the users who may come in.
    #[error(
        "needs a user of `basic_auth_users` in `web.config_file`, or the token or password of one of `people`, or the \
         token of `web.api_token_file`"
    )]
    Closed,
    /// Too many failures.
    #[error("too many attempts to prove who you are failed; try again in a minute")]
    TooOften,
}

impl Denied {
    /// As HTTP says it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Foreign | Self::Unsaid | Self::Elsewhere | Self::Role(_) => StatusCode::FORBIDDEN,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Token | Self::Nobody | Self::Closed => StatusCode::UNAUTHORIZED,
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = Json(ApiError::new(self.to_string()));
        match self {
            Self::Foreign | Self::Unsaid | Self::Elsewhere | Self::Role(_) => (self.status(), body).into_response(),
            Self::TooOften => {
                let later = [(header::RETRY_AFTER, WINDOW.as_secs().to_string())];
                (self.status(), later, body).into_response()
            }
            Self::Closed => {
                // Browsers ask for name and password then.
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"sickbay\"")];
                (self.status(), challenge, body).into_response()
            }
            Self::Token | Self::Nobody => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"sickbay\"")];
                (self.status(), challenge, body).into_response()
            }
        }
    }
}
