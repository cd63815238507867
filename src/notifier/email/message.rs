//! A notice as a mail: plain text, in one thread for each incident.
//!
//! All text is data. No header takes a line break, what hides is written by its number, and our own link stands above
//! whatever the alert says. Read [`write()`] first.

use super::super::link::SignedLink;
use super::super::text::one_line;
use crate::model::hidden::{by_number, hides};
use crate::model::notice::Notice;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use secrecy::ExposeSecret;
use std::fmt::Write;

/// A longer subject is cut.
const SUBJECT_LETTERS_MAX: usize = 150;

/// A longer text is cut; the rest is in the incident log.
const TEXT_LETTERS_MAX: usize = 100_000;

/// The whole mail, as it is sent.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn write(
    (notice, link): (&Notice, Option<&SignedLink>),
    (from, to): (&Mailbox, &[Mailbox]),
    (repeat, log): (bool, &str),
) -> Result<Vec<u8>, String> {
    // The numbers of acts are unique in one log, and a repeat has the number of what it repeats.
    let name = |of: &dyn std::fmt::Display| format!("<{of}.{log}@{}>", from.email.domain());
    let thread = name(&notice.act.incident);
    // Whoever is away must not answer, and no list is to take it for a person's.
    let auto = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    let mut builder = Message::builder().from(from.clone());
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    let message = builder
        .subject(subject(notice))
        .date_now()
        .message_id(Some(name(&notice.act)))
        .in_reply_to(thread.clone())
        .references(thread)
        .raw_header(auto)
        .singlepart(
            SinglePart::builder()
                .header(ContentType::TEXT_PLAIN)
                .header(ContentTransferEncoding::QuotedPrintable)
                .body(text(notice, link, repeat)),
        );
    Ok(message.map_err(|error| format!("the mail cannot be written: {error}"))?.formatted())
}

fn subject(notice: &Notice) -> String {
    one_line(&format!("sickbay {}: {}", notice.severity, notice.title), SUBJECT_LETTERS_MAX)
}

fn text(notice: &Notice, link: Option<&SignedLink>, repeat: bool) -> String {
    let mut text = String::new();
    if let Some(SignedLink { person, url, code }) = link {
        let (url, code) = (url.expose_secret(), code.expose_secret());
        let person = one_line(person, SUBJECT_LETTERS_MAX);
        text.push_str(&format!(
            "{person}, you are asked. Look at it and decide here:\n\n{url}\n\nWhere no script runs, type this code there: \
             {code}\nWhoever has this mail can decide as you: do not pass it on. Follow the link above alone: what comes \
             next may hold text of alerts.\n\n"
        ));
    }
    let mut letters = notice.message.trim_end().chars();
    for letter in letters.by_ref().take(TEXT_LETTERS_MAX) {
        match letter {
            '\n' => text.push('\n'),
            letter if hides(letter) => text.push_str(&by_number(letter)),
            letter => text.push(letter),
        }
    }
    if letters.next().is_some() {
        text.push_str("…\n\nThis is cut: the rest is in the incident log.");
    }
    text.push_str("\n\n");
    let mut told = |name: &str, value: &str| {
        let value = one_line(value, SUBJECT_LETTERS_MAX);
        writeln!(text, "{name}: {value}").expect("writing to memory");
    };
    told("severity", &notice.severity);
    told("playbook", &notice.playbook);
    if let Some(target) = &notice.target {
        told("target", target);
    }
    told("incident", &notice.act.incident.to_string());
    told("message", &notice.act.to_string());
    if notice.dry_run {
        told("dry run", "nothing was or will be changed");
    }
    if repeat {
        told("repeat", "this may have been sent before");
    }
    text
}
