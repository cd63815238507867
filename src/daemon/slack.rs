//! Posts to Slack what is said about clicks. Nothing depends on it: a vote is on disk before.

use crate::notifier::SlackAnswers;
use crate::web::slack::Answer;
use tokio::sync::mpsc;

/// Sends one answer after the other, each once.
pub async fn answer_clicks(slack: SlackAnswers, mut answers: mpsc::Receiver<Answer>) {
    while let Some(Answer { url, origin, bodies }) = answers.recv().await {
        for body in bodies {
            if let Err(why) = slack.send(&url, &origin, body).await {
                tracing::warn!(why, "an answer to a click in Slack was not delivered: the message stays as it was");
            }
        }
    }
}
