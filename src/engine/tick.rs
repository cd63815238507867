//! What time alone brings about: episodes nobody speaks of any more come to an end.

use super::decide::Draft;
use super::intake;
use crate::model::incident::EpisodeEnd;
use std::time::Duration;

/// An episode open this long since it was first seen is ended. If its alert still fires, it is seen anew, and is then
/// too old to be acted on.
const EPISODE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many are ended at once, so that one tick stays short.
const EXPIRE_MAX: usize = 1000;

/// Ends episodes that are open for too long.
pub(super) fn expire(draft: &mut Draft<'_>) {
    let state = draft.state;
    let over = |seen| EPISODE_MAX < draft.now.perhaps_since(seen);
    let mut expired: Vec<_> = state
        .episodes()
        .filter(|(_, episode)| episode.ended.is_none() && over(&episode.seen))
        .map(|(fingerprint, episode)| (fingerprint, episode.incident))
        .collect();
    expired.sort_unstable_by_key(|(fingerprint, _)| *fingerprint);
    for (fingerprint, incident) in expired.into_iter().take(EXPIRE_MAX) {
        intake::end_episode(draft, fingerprint, incident, (EpisodeEnd::Expired, None));
    }
}
