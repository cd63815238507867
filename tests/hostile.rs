//! No input makes `check` panic, hang, flood the terminal or use more than 256 MB: the real binary, with that much address
//! space and no more, on what somebody with a grudge would write. Each ends with exit code 1 and a clear first error.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests are tests too: a panic names its line"
)]

use proptest::prelude::*;
use proptest::sample::Index;
use sickbay::cli::check::{CheckArgs, Format, run as check};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Address space in KiB. Resident memory is never more than that.
const SPACE_KIB: u32 = 256 << 10;
/// For a test build, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// More than this on a terminal is a flood.
const PRINTED_MAX: usize = 256 << 10;

/// A playbook in which something can be put at one place.
fn playbook(matcher: &str, rest: &str) -> Vec<u8> {
    let head = format!("version: 1\nplaybooks:\n  - name: web\n    matchers:\n      - {matcher}\n");
    format!("{head}    target: {{container: web-1}}\n{rest}    steps:\n      - restart: {{}}\n").into_bytes()
}

fn notice(message: &str) -> Vec<u8> {
    let head = "version: 1\nplaybooks:\n  - name: web\n    matchers:\n      - alertname = \"Down\"\n    steps:\n";
    format!("{head}      - notify: {{to: [log], message: {message}}}\n").into_bytes()
}

/// Levels of anchors, each of which uses the one before ten times.
fn bomb(levels: usize, open: &str, close: &str) -> String {
    let mut text = format!("a0: &a0 {open}x{close}\n");
    for level in 1..=levels {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        _ = writeln!(text, "a{level}: &a{level} [{uses}]");
    }
    text
}

fn doubling() -> String {
    format!("\"{{% set a = labels.a %}}{}{{{{ a|length }}}}\"", "{% set a = a ~ a %}".repeat(40))
}

/// The first stands in the place of a matcher, the others follow.
fn large_regexes(regex: &str, count: usize) -> String {
    (0..count).map(|n| format!("'a{n} =~ \"{regex}\"'")).collect::<Vec<_>>().join("\n      - ")
}

fn of_keys(count: usize, tail: &str) -> Vec<u8> {
    (0..count).fold(String::new(), |text, key| text + "k" + &key.to_string() + ": " + tail + "\n").into_bytes()
}

fn bytes(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}

/// What is wrong with it, the text, and words of the first error.
fn hostile() -> Vec<Case> {
    [of_yaml(), of_bytes(), of_size(), of_playbooks(), of_matchers_and_texts()].concat()
}

/// A name, the text, and words of its first error.
type Case = (&'static str, Vec<u8>, &'static str);

fn of_yaml() -> Vec<Case> {
    let many = 100_000;
    vec![
        ("alias bomb", bytes(bomb(9, "[", "]")), "aliases written out"),
        ("alias bomb of maps", bytes(bomb(9, "{k: ", "}")), "aliases written out"),
        ("alias bomb of long text", bytes(bomb(4, &"y".repeat(500_000), "")), "with its aliases"),
        ("aliases of one anchor", bytes(format!("a: &a x\nb: [{}]\n", "*a, ".repeat(10_000))), "100 aliases"),
        ("an anchor within itself", bytes("a: &a [*a, *a]\n"), "anchor"),
        ("10 MB of comments", b"# x\n".repeat(2_500_000), "larger than 1 MiB"),
        ("10 MB on one line", b"x".repeat(10_000_000), "larger than 1 MiB"),
        ("10 MB of line ends", b"\n".repeat(10_000_000), "larger than 1 MiB"),
        ("10 MB of NUL", vec![0; 10_000_000], "larger than 1 MiB"),
        ("10 MB that are not UTF-8", vec![0xff; 10_000_000], "line 1 is not UTF-8"),
        ("brackets", b"[".repeat(many), "nested more than 32"),
        ("closed brackets", [b"[".repeat(many), b"]".repeat(many)].concat(), "nested more than 32"),
        ("closing brackets", b"]".repeat(many), "not YAML"),
        ("braces", b"{".repeat(many), "nested more than 32"),
        ("braces with keys", b"{a: ".repeat(many), "nested more than 32"),
        ("dashes", b"- ".repeat(many), "nested more than 32"),
        ("question marks", b"? ".repeat(many), "plain text"),
        ("double quotes", b"\"".repeat(many), "not YAML"),
        ("single quotes", b"'".repeat(many), "map of keys"),
        ("colons", b":".repeat(many), "not YAML"),
        ("anchors without an end", b"&a ".repeat(many), "not YAML"),
        ("exclamation marks", b"!".repeat(many), "not YAML"),
        ("percent signs", b"%".repeat(many), "not YAML"),
        ("bars", b"| ".repeat(many), "not YAML"),
        (
            "indentation",
            (0..1400).fold(Vec::new(), |text, depth| [text, b" ".repeat(depth), b"a:\n".to_vec()].concat()),
            "nested more than 32",
        ),
    ]
}

fn of_bytes() -> Vec<Case> {
    vec![
        ("not UTF-8", b"version: 1\nplaybooks: \"\xc3\x28\"\n".to_vec(), "line 2 is not UTF-8"),
        ("half a surrogate", b"version: 1\n# \xed\xa0\x80\n".to_vec(), "line 2 is not UTF-8"),
        ("UTF-16", b"\xff\xfev\x00e\x00r\x00".to_vec(), "line 1 is not UTF-8"),
        ("NUL bytes", b"version: 1\0\nplaybooks: []\0\n".to_vec(), "not YAML"),
        ("control characters", (1..32).collect(), "not YAML"),
        ("a BOM and nothing", bytes("\u{feff}"), "the file is empty"),
        ("a BOM in the middle", bytes("version: 1\n\u{feff}playbooks: 3\n"), "not"),
        ("lone CR", bytes("version: 2\rplaybooks:\r  - name: A B\r"), "version: 1"),
    ]
}

fn of_size() -> Vec<Case> {
    let many = 100_000;
    vec![
        ("a line of 1 MB", bytes(format!("version: 1\nplaybooks: {}\n", "x".repeat(1_000_000))), "is a list"),
        ("a key of 1 MB", bytes(format!("{}: 1\n", "k".repeat(1_000_000))), "not YAML"),
        (
            "a line of 1 MB before the mistake",
            bytes(format!("{{version: 1, x: \"{}\", playbooks: 2}}", "é".repeat(500_000))),
            "unknown key `x`",
        ),
        ("100,000 keys", of_keys(many, "1"), "more than 20000 values"),
        ("9,000 unknown keys", of_keys(9_000, "1"), "unknown key `k0`"),
        ("the same key 9,000 times", b"a: 1\n".repeat(9_000), "stands twice"),
        (
            "100,000 playbooks with an error",
            [b"version: 1\nplaybooks:\n".to_vec(), b"- {}\n".repeat(many)].concat(),
            "more than 20000",
        ),
        (
            "15,000 playbooks with an error",
            [b"version: 1\nplaybooks:\n".to_vec(), b"- {}\n".repeat(15_000)].concat(),
            "needs the key",
        ),
    ]
}

fn of_playbooks() -> Vec<Case> {
    let down = "alertname = \"Down\"";
    let many = 100_000;
    vec![
        (
            "a huge number",
            playbook(down, &format!("    limits: {{runs: {}, per: 1h}}\n", "9".repeat(many))),
            "whole number",
        ),
        (
            "a huge duration",
            playbook(down, &format!("    limits: {{runs: 1, per: {}h}}\n", "9".repeat(many))),
            "not a duration",
        ),
        ("a huge exponent", playbook(down, "    limits: {runs: 1e999999999, per: 1h}\n"), "whole number"),
        (
            "deep parentheses in a condition",
            playbook(down, &format!("    if: {}1{}\n", "(".repeat(many), ")".repeat(many))),
            "condition",
        ),
        (
            "500 parentheses in a condition",
            playbook(down, &format!("    if: {}true{}\n", "(".repeat(500), ")".repeat(500))),
            "nested more than 32",
        ),
        (
            "1000 exclamation marks in a condition",
            playbook(down, &format!("    if: \"{}true\"\n", "!".repeat(1000))),
            "nested more than 32",
        ),
        (
            "minus signs in a condition",
            playbook(down, &format!("    if: \"{}1 == 1\"\n", "-".repeat(900))),
            "nested more than 32",
        ),
        (
            "a condition of 1 MB",
            playbook(down, &format!("    if: '{}'\n", "labels.a == \"x\" || ".repeat(50_000))),
            "condition",
        ),
    ]
}

fn of_matchers_and_texts() -> Vec<Case> {
    let down = "alertname = \"Down\"";
    let many = 100_000;
    vec![
        ("huge repetitions", playbook("a =~ \"(a{1000}){1000}\"", ""), "matcher"),
        ("huge repetitions of classes", playbook("a =~ \"(\\\\pL{900}){900}\"", ""), "matcher"),
        ("nested repetitions", playbook("a =~ \"((((((a{30}){30}){30}){30}){30}){30})\"", ""), "matcher"),
        (
            "deep groups in a regex",
            playbook(&format!("'a =~ \"{}a{}\"'", "(".repeat(20_000), ")".repeat(20_000)), ""),
            "matcher",
        ),
        ("a matcher of 64 KiB", playbook(&format!("a = \"{}\" trailing", "x".repeat(64 << 10)), ""), "matcher"),
        ("a regex of 1 MB", playbook(&format!("'a =~ \"{}(\"'", "a|".repeat(500_000)), ""), "matcher"),
        ("a huge template", notice(&format!("\"{}{{{{\"", "{{ labels.a }}".repeat(60_000))), "longer than 65536"),
        (
            "deep parentheses in a template",
            notice(&format!("\"{{{{ {}1{} }}}}\"", "(".repeat(many), ")".repeat(many))),
            "template",
        ),
        (
            "deep lists in a template",
            notice(&format!("\"{{{{ {}1{} }}}}\"", "[".repeat(many), "]".repeat(many))),
            "template",
        ),
        ("a wide indent", notice("\"{{ labels.a|indent(2000000000) }}\""), "1 MiB"),
        ("a template that doubles", notice(&doubling()), "64 values"),
        ("a template with long sums", notice(&format!("\"{{{{ a {} }}}}\"", "~ a ".repeat(15_000))), "one tag"),
        ("many large regexes", playbook(&large_regexes("(\\\\pL{10}){9}", 60), ""), "too large together"),
        ("many regexes too large", playbook(&large_regexes("((\\\\pL{10}){10}){10}", 20), ""), "too large"),
        ("deep blocks in a template", notice(&format!("\"{}\"", "{% if labels.a %}".repeat(20_000))), "template"),
        (
            "a template that counts",
            notice("\"{% for i in range(1000000000) %}x{% endfor %}{{ labls }}\""),
            "unknown name `range`",
        ),
        (
            "a name of 1 MB",
            bytes(format!("version: 1\nplaybooks:\n  - name: {}\n", "n".repeat(1_000_000))),
            "needs the key",
        ),
        ("an id in every language", playbook(down, "    if: labels[\"\u{202e}\u{0}\"] == 1\n"), ""),
    ]
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the binary with little address space; ends it at the deadline.
fn run(args: &[&str], stdin: Option<&[u8]>) -> Option<Ended> {
    let script = format!("ulimit -v {SPACE_KIB}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sickbay")]).args(args).env("NO_COLOR", "1");
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let input = child.stdin.take();
    std::thread::scope(|scope| {
        // It need not read to the end: a broken pipe is fine.
        scope.spawn(|| input.zip(stdin).map(|(mut input, text)| input.write_all(text)));
        let out = scope.spawn(move || all_of(&mut out));
        let err = scope.spawn(move || all_of(&mut err));
        let begun = Instant::now();
        let code = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status.code()),
                None if DEADLINE < begun.elapsed() => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let (out, err) = (out.join().unwrap(), err.join().unwrap());
        code.map(|code| Ended { code, out, err })
    })
}

fn all_of(from: &mut impl Read) -> String {
    let mut all = Vec::new();
    _ = from.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

/// What is wrong with how it ended; nothing if all is well.
fn wrong(ended: Option<Ended>, words: &str) -> Option<String> {
    let Some(Ended { code, out, err }) = ended else { return Some(format!("did not end within {DEADLINE:?}")) };
    let shown: String = out.chars().take(1500).collect();
    // The first error is drawn with a cross; what a settings file has stands on the second line.
    let first = out.lines().position(|line| line.contains('×')).map_or(&*out, |at| {
        let offset: usize = out.lines().take(at).map(|line| line.len() + 1).sum();
        &out[offset..]
    });
    let first: String = first.lines().take(3).collect::<Vec<_>>().join(" ");
    if code != Some(1) || !err.is_empty() {
        return Some(format!("ended with {code:?}: {err}\n{shown}"));
    }
    if PRINTED_MAX < out.len() {
        return Some(format!("printed {} bytes", out.len()));
    }
    let clear = first.split_whitespace().collect::<Vec<_>>().join(" ");
    (!clear.contains(words)).then(|| format!("{words:?} is not in the first error: {shown}"))
}

/// Two at a time, so that the machine has room for other tests.
fn each<T: Sync>(cases: &[T], check: impl Fn(&T) -> Option<String> + Sync) {
    let (left, right) = cases.split_at(cases.len() / 2);
    let check = &check;
    let problems: Vec<String> = std::thread::scope(|scope| {
        let halves = [left, right].map(|half| scope.spawn(move || half.iter().filter_map(check).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

#[test]
fn no_rules_file_makes_check_panic_hang_flood_or_use_much_memory() {
    let folder = tempfile::tempdir().unwrap();
    each(&hostile(), |(name, text, words)| {
        let file = folder.path().join(format!("{}.yaml", name.replace([' ', ','], "-")));
        std::fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        let problem = wrong(run(&["check", path], None), words)?;
        Some(format!("{name}: {problem}"))
    });
}

#[test]
fn standard_input_is_read_with_the_same_care() {
    each(&hostile(), |(name, text, words)| {
        let problem = wrong(run(&["check", "-"], Some(text)), words)?;
        Some(format!("{name}: {problem}"))
    });
}

#[test]
fn what_programs_read_is_bounded_too() {
    let cases: Vec<_> = hostile()
        .into_iter()
        .flat_map(|case| ["json", "github", "sarif"].map(|format| (format, case.clone())))
        .collect();
    each(&cases, |(format, (name, text, _))| {
        let ended = run(&["check", "-o", format, "-"], Some(text));
        let problem = wrong(ended, "")?;
        Some(format!("{name} as {format}: {problem}"))
    });
}

#[test]
fn no_settings_file_does_it_either() {
    let folder = tempfile::tempdir().unwrap();
    // Settings of which nothing is said are the default ones.
    let cases: Vec<_> = hostile().into_iter().filter(|(name, ..)| *name != "a BOM and nothing").collect();
    each(&cases, |(name, text, _)| {
        let file = folder.path().join(format!("{}.yml", name.replace([' ', ','], "-")));
        std::fs::write(&file, text).unwrap();
        let path = format!("--config.file={}", file.display());
        let problem = wrong(run(&["check", &path], None), "")?;
        Some(format!("{name}: {problem}"))
    });
}

#[test]
fn standard_input_without_an_end_is_read_no_further_than_a_file_may_go() {
    let endless = b"playbooks: []\n".repeat(4 << 20);
    let ended = run(&["check", "-"], Some(&endless));
    assert_eq!(wrong(ended, "larger than 1 MiB"), None);
}

/// What an edit may put into a file.
const PIECES: [&str; 40] = [
    "\n",
    "  ",
    "\t",
    "-",
    "- ",
    ":",
    ": ",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "{{",
    "}}",
    "{%",
    "%}",
    "#",
    "&a ",
    "*a",
    "|\n",
    ">",
    "!",
    "? ",
    "null",
    "~",
    "0",
    "-1",
    "1e9",
    "99999999999",
    "é",
    "\u{1f642}",
    "\u{feff}",
    "\r",
    "\r\n",
    "\0",
    "none",
    "=~",
    "\\",
    ",",
];

/// One edit: what is done, where, how much of the file, and with what.
type Edit = (u8, Index, usize, Index);

fn edited(mut text: String, edits: &[Edit]) -> String {
    for (kind, at, length, piece) in edits {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let from = at.index(places.len());
        let range = places[from]..places[(from + length).min(places.len() - 1)];
        match kind {
            0 => text.replace_range(range, ""),
            1 => text.insert_str(range.start, PIECES[piece.index(PIECES.len())]),
            2 => text.replace_range(range, PIECES[piece.index(PIECES.len())]),
            3 => {
                let again = text[range].to_owned();
                text.insert_str(places[piece.index(places.len())], &again);
            }
            _ => {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                let (one, other) = (at.index(lines.len().max(1)), piece.index(lines.len().max(1)));
                if one < lines.len() && other < lines.len() {
                    lines.swap(one, other);
                }
                text = lines.concat();
            }
        }
    }
    text
}

fn fixtures() -> Vec<String> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["tests/fixtures/playbooks/valid", "tests/fixtures/playbooks/lint", "rules"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        paths.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_of_a_good_file_makes_check_panic(
        file in any::<Index>(),
        edits in prop::collection::vec((0..5_u8, any::<Index>(), 0..40_usize, any::<Index>()), 1..8),
    ) {
        let files = fixtures();
        let text = edited(files[file.index(files.len())].clone(), &edits);
        for output in [Format::Text, Format::Github, Format::Sarif] {
            let mut out = Vec::new();
            let args = CheckArgs { paths: vec![PathBuf::from("-")], output, ..CheckArgs::default() };
            let code = check(&args, false, &mut text.as_bytes(), &mut out).unwrap();
            prop_assert!(code <= 1, "{code}");
            let out = String::from_utf8(out).expect("what is printed is UTF-8");
            prop_assert!(code == 0 || !out.is_empty());
        }
    }
}
