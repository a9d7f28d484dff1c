//! Whose usage a question is about, as the address says it: `user=everyone` or `user=<user id>`. Whether somebody may ask
//! it is decided in `http::auth`.

use super::QueryError;
use crate::domain::usage::UserId;

const EVERYONE: &str = "everyone";
const MAX_USER_ID_CHARS: usize = 64;

/// Their own, unless an admin chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whose {
    #[default]
    Own,
    Everyone,
    User(UserId),
}

impl Whose {
    /// What [`Self::to_param`] gives; an empty text is one's own. The error names the field `user`.
    pub fn parse(param: &str) -> Result<Self, QueryError> {
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match param {
            "" => Ok(Self::Own),
            EVERYONE => Ok(Self::Everyone),
            id if id.len() <= MAX_USER_ID_CHARS && id.chars().all(is_id) => Ok(Self::User(UserId(id.into()))),
            _ => Err(QueryError::new("user", "must be everyone or the id of a user")),
        }
    }

    /// As in the address; empty for one's own.
    pub fn to_param(&self) -> &str {
        match self {
            Self::Own => "",
            Self::Everyone => EVERYONE,
            Self::User(user) => &user.0,
        }
    }
}
