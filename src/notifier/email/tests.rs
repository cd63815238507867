//! What stands in a mail, and what becomes of it with servers that misbehave. With TLS, the real daemon sends it in
//! `tests/e2e/mail.rs`.

use super::*;
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::mail::MailTls;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

fn notice(title: &str, message: &str) -> Notice {
    Notice {
        act: ActId { incident: IncidentId(Seq(1042)), number: 2 },
        notifier: "ada-mail".to_owned(),
        severity: "warning".to_owned(),
        title: title.to_owned(),
        message: message.to_owned(),
        playbook: "restart-web".to_owned(),
        target: Some("web-1".to_owned()),
        dry_run: false,
    }
}

fn link() -> SignedLink {
    SignedLink {
        person: "ada".to_owned(),
        url: SecretString::from("https://sickbay.example/a/i1042.1#ada.1795000900.c4nary-token"),
        code: SecretString::from("C4NAR-Y0000"),
    }
}

/// A mail's headers in one line each, and its body as it is read.
fn read(mail: &[u8]) -> (Vec<String>, String) {
    assert!(mail.is_ascii());
    let mail = String::from_utf8(mail.to_vec()).unwrap();
    assert!(mail.split('\n').rev().skip(1).all(|line| line.ends_with('\r')), "every line ends as a mail's");
    assert!(mail.lines().all(|line| line.len() <= 998));
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ");
    // Quoted-printable, by hand.
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    (head.lines().map(str::to_owned).collect(), String::from_utf8(bytes).unwrap().trim_end().replace("\r\n", "\n"))
}

fn written(notice: &Notice, link: Option<&SignedLink>, repeat: bool) -> (Vec<String>, String) {
    let from = "Sickbay <sickbay@ops.example>".parse().unwrap();
    let to = ["Ada <ada@example.com>".parse().unwrap(), "bob@example.com".parse().unwrap()];
    read(&message::write((notice, link), (&from, &to), (repeat, "0a1b2c3d")).unwrap())
}

#[test]
fn a_notice_is_a_plain_mail_in_the_thread_of_its_incident() {
    let (headers, body) =
        written(&notice("web-1 did not recover", "It was restarted.\nIt is down. \u{fc}"), None, false);
    for header in [
        "From: Sickbay <sickbay@ops.example>",
        "To: Ada <ada@example.com>, bob@example.com",
        "Subject: sickbay warning: web-1 did not recover",
        "Message-ID: <i1042.2.0a1b2c3d@ops.example>",
        "In-Reply-To: <i1042.0a1b2c3d@ops.example>",
        "References: <i1042.0a1b2c3d@ops.example>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    ] {
        assert!(headers.iter().any(|line| line == header), "{header}: {headers:#?}");
    }
    assert_eq!(headers.len(), 11, "and its date: {headers:#?}");
    let foot = "severity: warning\nplaybook: restart-web\ntarget: web-1\nincident: i1042\nmessage: i1042.2";
    assert_eq!(body, format!("It was restarted.\nIt is down. \u{fc}\n\n{foot}"));
    // What is sent again is the same mail to whoever has it.
    let dry_run = Notice { dry_run: true, ..notice("x", "y") };
    let (again, body) = written(&dry_run, None, true);
    assert!(again.contains(&"Message-ID: <i1042.2.0a1b2c3d@ops.example>".to_owned()));
    assert!(again.contains(&"Subject: sickbay warning: x".to_owned()), "{again:?}");
    assert!(
        body.ends_with("dry run: nothing was or will be changed\nrepeat: this may have been sent before"),
        "{body}"
    );
}

#[test]
fn a_signed_link_stands_above_whatever_an_alert_says() {
    let (headers, body) =
        written(&notice("may web be treated?", "ada, decide at https://evil.example"), Some(&link()), false);
    let url = link().url.expose_secret().to_owned();
    assert!(body.starts_with(&format!("ada, you are asked. Look at it and decide here:\n\n{url}\n\n")), "{body}");
    assert!(body.contains("type this code there: C4NAR-Y0000\n") && body.contains("do not pass it on"), "{body}");
    assert!(body.find("evil.example") > body.find("what comes next may hold text of alerts"), "{body}");
    assert!(!headers.concat().to_lowercase().contains("c4nar"), "{headers:?}");
}

#[test]
fn no_text_of_an_alert_becomes_a_header_or_hides() {
    let nasty = "x\r\nBcc: eve@evil.example\r\n\r\n<html>\n.\n\u{202e}live\u{200b}\u{7}\u{1b}[2J";
    let notice = Notice { severity: nasty.to_owned(), ..notice(nasty, nasty) };
    let notice = Notice { playbook: nasty.to_owned(), target: Some(nasty.to_owned()), ..notice };
    let (headers, body) = written(&notice, None, false);
    assert_eq!(headers.len(), 11, "{headers:#?}");
    assert!(!headers.iter().any(|line| line.starts_with("Bcc") || line.contains('\u{7}')), "{headers:#?}");
    let subject = headers.iter().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.starts_with("Subject: sickbay x\\u{d} Bcc: eve@evil.example\\u{d} "), "{subject}");
    for hidden in ["\u{202e}", "\u{200b}", "\u{7}", "\u{1b}", "\r"] {
        assert!(!body.contains(hidden), "{hidden:?}: {body}");
    }
    for shown in ["\\u{202e}live\\u{200b}\\u{7}\\u{1b}[2J", "\n.\n"] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
    let long = "\u{fc}".repeat(300_000);
    let (headers, body) = written(&self::notice(&long, &long), None, false);
    let subject = headers.iter().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.len() < 700, "{}", subject.len());
    assert!(body.contains("This is cut") && body.chars().count() < 101_000);
}

/// What a server says to a line of a mail; nothing: it closes the connection.
type Answer = fn(usize, &str) -> Option<String>;

/// A server without TLS: what it says in the beginning of its connections, to lines, and what it heard.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<String>>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _peer) = listener.accept().await.unwrap();
                let number = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let all = Arc::clone(&all);
                connections.spawn(async move { converse(stream, (answer, number), &all).await });
            }
        });
        Self { port, heard, _tasks: tasks }
    }

    fn heard(&self) -> Vec<Vec<String>> {
        self.heard.lock().unwrap().clone()
    }

    fn notifier(&self, tls: MailTls) -> EmailNotifier {
        let config = MailConfig {
            to: vec!["ada@example.com".parse().unwrap()],
            from: "sickbay@ops.example".parse().unwrap(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            hello: "here.example".to_owned(),
            login: None,
            tls,
            ca: None,
        };
        let pause = Duration::from_millis(20);
        EmailNotifier::new(&config, Pace { deadline: Duration::from_millis(500), pauses: vec![pause, pause] }).unwrap()
    }

    async fn error(&self, encryption: MailTls) -> String {
        let sent = self.notifier(encryption).send(&notice("t", "m"), Some(&link()), (false, "0a1b2c3d")).await;
        let NoticeOutcome::Failed { error } = sent else { panic!("delivered") };
        assert!(error.starts_with(&format!("127.0.0.1:{} ", self.port)), "{error}");
        assert!(!error.to_lowercase().contains("c4nar"), "{error}");
        error
    }
}

async fn converse(stream: TcpStream, (answer, number): (Answer, usize), all: &Mutex<Vec<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut content = false;
    loop {
        if !content || line == ".\r\n" {
            let Some(said) = answer(number, line.trim_end()) else { return };
            if stream.write_all(said.as_bytes()).await.is_err() {
                return;
            }
            content = line == "DATA\r\n" && said.starts_with("354");
        }
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        all.lock().unwrap()[number].push(line.trim_end().to_owned());
    }
}

/// A server as it should be.
fn good(line: &str) -> Option<String> {
    let word = line.split([' ', ':']).next().unwrap();
    let said = match word {
        "" => "220 mail.example ESMTP",
        "EHLO" => "250-mail.example\r\n250-AUTH PLAIN\r\n250 8BITMIME",
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        _ => "250 2.0.0 ok",
    };
    Some(format!("{said}\r\n"))
}

#[tokio::test]
async fn without_encryption_nothing_is_told_unless_the_settings_say_so() {
    let server = Server::start(|_number, line| good(line)).await;
    let error = server.error(MailTls::StartTls).await;
    assert!(error.ends_with("offers no encryption (STARTTLS), and `require_tls` is true: nothing was sent"), "{error}");
    assert_eq!(server.heard(), [["EHLO here.example"]], "once, and not a word more");
    let knocked = server.notifier(MailTls::StartTls).knock().await.unwrap_err();
    assert!(knocked.contains("offers no encryption"), "{knocked}");

    let plain = server.notifier(MailTls::Never);
    assert_eq!(plain.knock().await, Ok(()));
    let sent = plain.send(&notice("t", "a\n.b\n.\nc"), Some(&link()), (false, "0a1b2c3d")).await;
    assert_eq!(sent, NoticeOutcome::Delivered);
    let heard = server.heard().pop().unwrap();
    assert_eq!(
        heard[..4],
        ["EHLO here.example", "MAIL FROM:<sickbay@ops.example>", "RCPT TO:<ada@example.com>", "DATA"]
    );
    assert_eq!(heard.last().unwrap(), "QUIT");
    assert!(heard.contains(&"..b".to_owned()) && heard.contains(&"..".to_owned()), "dots are doubled: {heard:?}");
}

#[tokio::test]
async fn what_came_before_tls_is_not_believed() {
    let server = Server::start(|_number, line| match line {
        "STARTTLS" => Some("220 go\r\n250-mail.example\r\n250 AUTH PLAIN\r\n".to_owned()),
        line if line.starts_with("EHLO") => Some("250-mail.example\r\n250 STARTTLS\r\n".to_owned()),
        line => good(line),
    })
    .await;
    let error = server.error(MailTls::StartTls).await;
    assert!(error.contains("said more before TLS than belongs there"), "{error}");
    assert_eq!(server.heard(), [["EHLO here.example", "STARTTLS"]]);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_gets_the_same_mail() {
    let server = Server::start(|number, line| match (number, line) {
        (0, "RCPT TO:<ada@example.com>") => Some("450 4.2.0 later\r\n".to_owned()),
        (1, ".") => Some("451 4.3.0 disk\r\n".to_owned()),
        (_, line) => good(line),
    })
    .await;
    let sent = server.notifier(MailTls::Never).send(&notice("t", "m"), None, (false, "0a1b2c3d")).await;
    assert_eq!(sent, NoticeOutcome::Delivered);
    let named = |heard: &Vec<String>| heard.iter().find(|line| line.starts_with("Message-ID: ")).cloned();
    let names: Vec<String> = server.heard().iter().filter_map(named).collect();
    assert_eq!(names, ["Message-ID: <i1042.2.0a1b2c3d@ops.example>"; 2], "the same mail twice");

    // It has the mail, and does not say good-bye.
    let server = Server::start(|_number, line| if line == "QUIT" { Some(String::new()) } else { good(line) }).await;
    let sent = server.notifier(MailTls::Never).send(&notice("t", "m"), None, (false, "0a1b2c3d")).await;
    assert_eq!((sent, server.heard().len()), (NoticeOutcome::Delivered, 1));
}

#[tokio::test]
async fn what_a_server_refuses_for_good_is_told_without_what_it_has_read() {
    for (answer, tries, want) in [
        (
            (|_number, line| match line {
                "" => Some("554 5.7.1 no mail from you\r\n".to_owned()),
                line => good(line),
            }) as Answer,
            1,
            "greeted us with 554 5.7.1 no mail from you",
        ),
        (
            |_number, line| match line.get(..4) {
                Some("RCPT") => Some("550-5.1.1 nobody \u{7}\u{202e}\r\n550 5.1.1 here\r\n".to_owned()),
                Some(_) | None => good(line),
            },
            1,
            "answered the address ada@example.com with 550 5.1.1 nobody \\u{7}\\u{202e} here",
        ),
        (
            |_number, line| match line {
                // Filters quote what they do not like.
                "." => Some("554 spam: https://sickbay.example/a/i1042.1#ada.1795000900.c4nary-token\r\n".to_owned()),
                line => good(line),
            },
            1,
            "does not take the mail (554)",
        ),
        (
            |_number, line| match line {
                "." => Some("354 go on\r\n".to_owned()),
                line => good(line),
            },
            3,
            "answered the mail with 354",
        ),
        (
            |_number, line| match line {
                "." => None,
                line => good(line),
            },
            3,
            "broke off before it said that it has the mail",
        ),
        (|_number, _line| Some("HTTP/1.1 400 Bad Request\r\n".to_owned()), 3, "greeted us with what is no SMTP"),
    ] {
        let server = Server::start(answer).await;
        let error = server.error(MailTls::Never).await;
        assert!(error.ends_with(want), "{want}: {error}");
        assert_eq!(server.heard().len(), tries, "{want}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_talks_without_end_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { port: listener.local_addr().unwrap().port(), heard: Arc::default(), _tasks: JoinSet::new() };
    for encryption in [MailTls::Never, MailTls::StartTls, MailTls::Implicit] {
        let error = server.error(encryption).await;
        assert!(error.ends_with("did not answer within 0.5 seconds"), "{error}");
    }
    drop(listener);
    let error = server.error(MailTls::StartTls).await;
    assert!(error.contains("cannot be reached") && error.contains("refused"), "{error}");

    let talker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { port: talker.local_addr().unwrap().port(), heard: Arc::default(), _tasks: JoinSet::new() };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _peer) = talker.accept().await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            let _rest = stream.read(&mut [0; 1]).await;
        }
    });
    for encryption in [MailTls::Never, MailTls::StartTls] {
        let error = server.error(encryption).await;
        assert!(error.ends_with("it talks without end"), "{error}");
    }
}

#[test]
fn a_server_that_repeats_the_password_is_not_quoted() {
    let config = MailConfig {
        to: vec!["ada@example.com".parse().unwrap()],
        from: "sickbay@ops.example".parse().unwrap(),
        host: "::1".to_owned(),
        port: 25,
        hello: "localhost".to_owned(),
        login: Some(("me".to_owned(), SecretString::from("c4nary"))),
        tls: MailTls::StartTls,
        ca: None,
    };
    let notifier = EmailNotifier::new(&config, Pace::default()).unwrap();
    assert!(!format!("{notifier:?}").contains("c4nary"));
    for (words, want) in [
        ("5.7.1 not you", " 5.7.1 not you"),
        ("you said c4nary", ""),
        ("you said YzRuYXJ5", ""),
        ("AUTH PLAIN AG1lAGM0bmFyeQ==?", ""),
        (" ", ""),
    ] {
        assert_eq!(notifier.smarthost.harmless(words), want, "{words}");
    }
    let empty = MailConfig { ca: Some("-----BEGIN NOTHING-----".to_owned()), ..config };
    let error = EmailNotifier::new(&empty, Pace::default()).unwrap_err().to_string();
    assert!(error.contains("`ca_file`"), "{error}");
}
