//! Lists that are read page by page, newest first. Rows stand in the order of a moment and an id, so new ones do not shift the
//! pages that follow.

use super::LedgerError;
use crate::domain::query::QueryError;

/// Where a row stands among others: its moment, in UTC milliseconds, then its id.
pub(super) type Place = (i64, String);

/// The place after which a page begins.
///
/// # Errors
/// The cursor is none of [`page_of`].
pub(super) fn parse_cursor(cursor: &str) -> Result<Place, LedgerError> {
    let parts = cursor.split_once('_').and_then(|(at_ms, id)| Some((at_ms.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| QueryError::new("after", "is not the cursor of a page").into())
}

/// The first `limit` of the rows, and the cursor of the next page if there are more.
pub(super) fn page_of<R, T: TryFrom<R, Error = LedgerError>>(
    rows: Vec<R>,
    limit: u32,
    place: impl Fn(&T) -> (i64, &str),
) -> Result<(Vec<T>, Option<String>), LedgerError> {
    let limit = limit as usize;
    let has_more = rows.len() > limit;
    let shown = rows.into_iter().take(limit).map(T::try_from).collect::<Result<Vec<T>, LedgerError>>()?;
    let next = shown.last().filter(|_| has_more).map(|last| {
        let (at_ms, id) = place(last);
        format!("{at_ms}_{id}")
    });
    Ok((shown, next))
}
