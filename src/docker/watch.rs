//! Listens to the engine's events for as long as the daemon runs, so that who was at a container is known even when the
//! engine has forgotten it. Decides nothing; a look at a target asks the engine as well.

use super::client::Reader;
use super::error::DockerError;
use super::events::{filters, parse};
use super::seen;
use crate::model::docker_call::DockerCall;
use std::time::Duration;

/// The first wait after the connection was lost. It doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest line that one event may be.
const LINE_LEN_MAX: usize = 1024 * 1024;

/// Listens for ever.
pub async fn watch_events(reader: Reader) {
    let mut wait = WAIT_MIN;
    loop {
        let heard = listen(&reader, &mut wait).await;
        reader.memory(|memory| memory.interrupted());
        if let Err(error) = heard {
            // The probe tells operators that Docker is away; here it is only a gap.
            tracing::debug!(%error, "docker's events are not heard");
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// Listens until the connection ends.
async fn listen(reader: &Reader, wait: &mut Duration) -> Result<(), DockerError> {
    // From the beginning: what the engine still knows comes first, and closes the gap if it can.
    let path = format!("/events?since=1&filters={}", filters());
    let mut stream = reader.open(DockerCall::Events, &path).await?;
    if let Some(now) = stream.answered_at {
        // Told without its fraction: by the next second, whatever happens is heard.
        reader.memory(|memory| memory.listening(now + chrono::TimeDelta::seconds(1)));
    }
    seen::look_at_all(reader).await?;
    let mut line = Vec::new();
    while let Some(chunk) = stream.next().await? {
        *wait = WAIT_MIN;
        line.extend_from_slice(&chunk);
        let Some(end) = line.iter().rposition(|byte| *byte == b'\n') else {
            if LINE_LEN_MAX < line.len() {
                return Err(DockerError::Invalid("one event is longer than 1 MiB".to_owned()));
            }
            continue;
        };
        let rest = line.split_off(end + 1);
        let told = std::mem::replace(&mut line, rest);
        for event in parse(&told) {
            // Of what the engine still knew from before, whatever is left was listed.
            let is_new = stream.answered_at.is_none_or(|opened| opened - chrono::TimeDelta::seconds(2) <= event.at);
            if is_new && reader.memory(|memory| memory.seen.calls_for_a_look(&event)) {
                seen::look_at(reader, &event).await;
            }
            reader.memory(|memory| memory.heard(event));
        }
    }
    Ok(())
}
