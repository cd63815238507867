//! Whatever opens addresses before people do, or for them: mail scanners, previews, a browser that fetches ahead. However often
//! and with whatever proof they ask, only asking changes nothing.

use crate::house::{House, PROXY, bearer, routes};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

/// How often each path is asked.
const TIMES: usize = 1000;

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0) SafeLinks",
    "Slackbot-LinkExpanding 1.0",
    "BarracudaCentral",
    "WhatsApp/2.23",
    "python-requests/2.31",
    "Mozilla/5.0 (compatible; Googlebot/2.1)",
];

/// One connection after the other, each kept as long as the daemon keeps it.
struct Wire {
    port: u16,
    kept: Option<BufReader<TcpStream>>,
}

impl Wire {
    /// Asks, and reads the answer to its end; of one without an end, its head.
    fn ask(&mut self, method: &str, path: &str, headers: &str) -> u16 {
        let port = self.port;
        let reader = self.kept.get_or_insert_with(|| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        let text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n");
        reader.get_mut().write_all(text.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), None);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            reader.read_line(&mut head).unwrap();
            assert!(before < head.len(), "{method} {path}: cut off after {head:?}");
            let line = head.split_at(before).1.to_ascii_lowercase();
            length = length.or(line.strip_prefix("content-length:").map(|text| text.trim().parse::<usize>().unwrap()));
        }
        let ends = head.to_ascii_lowercase().contains("connection: close") || length.is_none();
        if method != "HEAD" {
            reader.read_exact(&mut vec![0; length.unwrap_or_default()]).unwrap();
        }
        if ends {
            self.kept = None;
        }
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// What a scanner may think of as well.
fn variants(house: &House, path: &str) -> [String; 4] {
    let (plan, token) = (house.plan(), house.link_token("ada"));
    [
        path.to_owned(),
        format!("{path}?vote=approve&plan={plan}&_method=POST"),
        format!("{path}?token={token}&decision=approve"),
        format!("{path}?scope=all&reason=x&by=ada&name=ada&password=t0ken-of-ada-long-enough"),
    ]
}

fn proofs(cookie: &str) -> [String; 4] {
    let (name, value) = bearer("ada");
    [
        String::new(),
        format!("Cookie: {cookie}\r\nSec-Fetch-Site: none\r\n"),
        format!("{name}: {value}\r\nX-HTTP-Method-Override: POST\r\nX-HTTP-Method: DELETE\r\n"),
        format!("Remote-User: ada\r\n{}: {}\r\n", PROXY.0, PROXY.1),
    ]
}

/// One path, so often: by every method that must not change anything, of every scanner, with every proof.
fn scan(house: &House, path: &str, cookie: &str) {
    let mut wire = Wire { port: house.sickbay.port, kept: None };
    let (variants, proofs) = (variants(house, path), proofs(cookie));
    for number in 0..TIMES {
        let method = ["GET", "HEAD", "OPTIONS", "GET", "HEAD"][number % 5];
        let path = &variants[number / 5 % variants.len()];
        let headers = format!("User-Agent: {}\r\n{}", AGENTS[number % AGENTS.len()], proofs[number / 7 % proofs.len()]);
        let status = wire.ask(method, path, &headers);
        assert!(status < 500 && (method != "OPTIONS" || [404, 405].contains(&status)), "{method} {path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_scanners_ask_of_any_path_a_thousand_times_changes_nothing() {
    let house = House::new("127.0.0.1");
    let (cookie, _) = house.session("ada");
    let mut paths: Vec<String> = ["/nothing", "/a/", "/favicon.ico", "/approvals", "//"].map(str::to_owned).to_vec();
    let incident = house.asked["incident"].as_str().unwrap();
    paths.extend(routes().iter().map(|(path, _)| {
        let id = if path.contains("incidents") { incident } else { house.id() };
        path.replace("{id}", id).replace("{scope}", "all").replace("{target}", "web")
    }));
    assert!(paths.iter().all(|path| !path.contains('{')), "{paths:?}");
    let before = house.state();
    thread::scope(|threads| {
        for share in paths.chunks(paths.len().div_ceil(4)) {
            let (house, cookie) = (&house, &*cookie);
            threads.spawn(move || share.iter().for_each(|path| scan(house, path, cookie)));
        }
    });
    assert!(house.state() == before, "{}", house.sickbay.story());
    assert!(!house.provider.asked().iter().any(|path| path == "/token"), "nobody was logged in");
    // And what a person does next is done, in the same session.
    let voted = house.vote_on_page(&[("Cookie", &cookie)], "approve");
    assert!(voted.status == 200 && voted.body.contains("counted: 1 of 2 agreed"), "{voted:?}");
}
