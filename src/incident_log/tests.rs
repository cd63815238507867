use super::*;
use crate::model::fact::{Fact, Record};
use crate::model::id::Seq;
use crate::record::{Break, Hash, LogId, sample};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

const SEGMENT: &str = "incident_log/00000000000000000000.jsonl";

fn tempdir() -> TempDir {
    // Memory, where there is some: these tests sync thousands of times.
    tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir()).unwrap()
}

/// A data directory whose log has exactly these bytes.
fn dir_with(bytes: &[u8]) -> TempDir {
    let dir = tempdir();
    fs::create_dir(dir.path().join("incident_log")).unwrap();
    fs::write(dir.path().join(SEGMENT), bytes).unwrap();
    dir
}

fn sample_log() -> (Vec<u8>, Hash) {
    sample::log_of(sample::story("text"))
}

fn records(facts: Vec<Fact>, first: u64) -> Vec<Record> {
    facts.into_iter().zip(first..).map(|(fact, seq)| sample::record(seq, fact)).collect()
}

fn replayed(dir: &Path) -> Result<(Vec<Record>, OpenedLog), OpenError> {
    let mut all = Vec::new();
    let log = open(dir, |record| all.push(record))?;
    Ok((all, log))
}

fn damage(dir: &Path) -> Damage {
    match open(dir, drop) {
        Err(OpenError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

fn start(dir: &Path) -> (LogWriter, Receiver<LogEvent>) {
    let (events, told) = channel();
    let log = open(dir, drop).unwrap();
    (LogWriter::start(log, move |event| events.send(event).unwrap_or_default()).unwrap(), told)
}

fn append(writer: &LogWriter, records: Vec<Record>) {
    writer.try_reserve().unwrap().expect("room in the queue").append(records);
}

fn next(told: &Receiver<LogEvent>) -> LogEvent {
    told.recv_timeout(Duration::from_secs(10)).unwrap()
}

/// What `verify` concludes without waiting for a write under way.
fn verify_now(path: &Path) -> Conclusion {
    verify::verify_once(path).unwrap().0.conclusion
}

/// Writes these batches through the writer and waits until all is durable.
fn write(dir: &Path, batches: Vec<Vec<Record>>) -> Vec<LogEvent> {
    let (writer, told) = start(dir);
    for batch in batches {
        append(&writer, batch);
    }
    writer.close();
    told.iter().collect()
}

#[test]
fn what_was_written_is_replayed_and_the_next_start_goes_on() {
    let dir = tempdir();
    let data = dir.path().join("a/data");
    let first = records(sample::every_shape("x"), 0);
    let count = first.len() as u64;
    let events = write(&data, first.iter().map(|record| vec![record.clone()]).collect());
    let Some(LogEvent::Durable { last, head, size, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(*last, Seq(count - 1));

    let (again, log) = replayed(&data).unwrap();
    assert_eq!(again, first);
    assert_eq!((log.next_seq(), log.head(), log.size), (Seq(count), *head, *size));
    assert_eq!((log.recovered(), log.unknown_records()), (None, 0));
    let name = log.log_id();
    drop(log);

    let more = records(sample::story("y"), count);
    write(&data, vec![more.clone()]);
    let (all, log) = replayed(&data).unwrap();
    assert_eq!(all, [first, more].concat());
    assert_eq!(log.log_id(), name);
    assert_eq!(verify(&data).unwrap().conclusion, Conclusion::Clean);
}

#[test]
fn batches_that_wait_are_one_group_and_every_batch_is_covered() {
    let dir = tempdir();
    let batches: Vec<_> = (0..500).map(|seq| records(vec![Fact::LogClosed], seq)).collect();
    let events = write(dir.path(), batches);
    assert!(events.len() < 500, "{} syncs for 500 batches", events.len());
    assert!(matches!(events.last(), Some(LogEvent::Durable { last: Seq(499), .. })), "{:?}", events.last());
    assert_eq!(verify(dir.path()).unwrap().records, 500);
}

#[test]
fn everything_is_private_and_the_link_leads_to_the_active_segment() {
    let dir = tempdir();
    let data = dir.path().join("data");
    write(&data, vec![records(vec![Fact::LogClosed], 0)]);
    for (path, mode) in [("", 0o700), ("incident_log", 0o700), (SEGMENT, 0o600), ("lock", 0o600)] {
        let found = fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
    assert_eq!(fs::read_link(data.join("incident_log.jsonl")).unwrap(), Path::new(SEGMENT));
    assert_eq!(fs::read(data.join("incident_log.jsonl")).unwrap(), fs::read(data.join(SEGMENT)).unwrap());
}

#[test]
fn a_second_daemon_is_told_who_holds_the_log() {
    let dir = tempdir();
    let held = open(dir.path(), drop).unwrap();
    let error = open(dir.path(), drop).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    drop(held);
    open(dir.path(), drop).unwrap();
}

#[test]
fn what_stands_in_the_way_is_named() {
    let dir = tempdir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = open(&path, drop).unwrap_err();
        assert!(matches!(error, OpenError::InTheWay { .. }), "{error:?}");
    }
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("incident_log.jsonl"), "precious").unwrap();
    let error = open(&data, drop).unwrap_err().to_string();
    assert!(error.contains("incident_log.jsonl is not a symlink"), "{error}");
    assert_eq!(fs::read_to_string(data.join("incident_log.jsonl")).unwrap(), "precious");

    let other = dir_with(b"");
    fs::remove_file(other.path().join(SEGMENT)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", other.path().join(SEGMENT)).unwrap();
    assert!(open(other.path(), drop).is_err(), "a segment that is a symlink is not followed");
}

#[test]
fn a_log_cut_anywhere_is_clean_or_torn_and_never_loses_a_whole_record() {
    let (log, _) = sample_log();
    for cut in 0..=log.len() {
        let kept = &log[..cut];
        let whole = kept.iter().filter(|byte| **byte == b'\n').count();
        let at_boundary = kept.is_empty() || kept.ends_with(b"\n");
        let dir = dir_with(kept);
        let (report, _) = verify::verify_once(&dir.path().join(SEGMENT)).unwrap();
        assert_eq!(report.records, whole as u64, "cut at {cut}");
        assert_eq!(report.conclusion == Conclusion::Clean, at_boundary, "cut at {cut}");
        assert_eq!(matches!(report.conclusion, Conclusion::Torn { .. }), !at_boundary, "cut at {cut}");
        if cut % 17 == 0 || log.get(cut) == Some(&b'\n') {
            let (records, opened) = replayed(dir.path()).unwrap();
            assert_eq!(records.len(), whole);
            assert_eq!(opened.recovered().is_some(), !at_boundary);
            assert_eq!(fs::read(dir.path().join(SEGMENT)).unwrap(), log[..usize::try_from(report.bytes).unwrap()]);
        }
    }
}

#[test]
fn a_torn_end_is_kept_aside_and_the_log_goes_on() {
    let (log, _) = sample_log();
    for torn in [&b"{\"v\":1,\"seq\":13,\"ts"[..], b"\0\0\0\0", b"{\"v\":1,\0\0\0\n", b"noise\nmore noise\n", b"\xff"] {
        let dir = dir_with(&[&log, torn].concat());
        let (before, opened) = replayed(dir.path()).unwrap();
        let recovered = opened.recovered().unwrap().clone();
        assert_eq!((recovered.bytes, recovered.offset), (torn.len() as u64, log.len() as u64));
        assert_eq!(recovered.sha256, Hash::of(torn).to_string());
        assert_eq!(recovered.quarantine, "quarantine/13-1.bin");
        assert_eq!(fs::read(dir.path().join(&recovered.quarantine)).unwrap(), torn);
        drop(opened);

        write(dir.path(), vec![records(vec![Fact::LogRecovered(recovered)], 13)]);
        let (after, opened) = replayed(dir.path()).unwrap();
        assert_eq!(opened.recovered(), None);
        assert_eq!(after.len(), before.len() + 1);
    }
}

#[test]
fn damage_is_refused_with_its_place_and_nothing_is_touched() {
    let (log, _) = sample_log();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let edit = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut changed: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        change(&mut changed);
        changed.concat()
    };
    let flip = |lines: &mut Vec<Vec<u8>>, line: usize| {
        let just_before_the_seal = lines[line].len() - 155;
        lines[line][just_before_the_seal] ^= 1;
    };
    for (name, bytes, seq, want) in [
        ("bad line in the middle", edit(&|lines| flip(lines, 4)), 4, "hash to"),
        ("bad last line, whole in shape", edit(&|lines| flip(lines, 12)), 12, "hash to"),
        ("noise in the middle", edit(&|lines| lines.insert(5, b"noise\n".to_vec())), 5, "a whole record follows"),
        (
            "a hole",
            edit(&|lines| {
                let len = lines[7].len();
                lines[7] = vec![0; len];
            }),
            7,
            "a whole record follows",
        ),
        ("a line removed", edit(&|lines| drop(lines.remove(3))), 3, "record 4 stands where 3 belongs"),
        ("a line doubled", edit(&|lines| lines.insert(3, lines[3].clone())), 4, "record 3 stands where 4 belongs"),
        ("two lines swapped", edit(&|lines| lines.swap(8, 9)), 8, "record 9 stands where 8 belongs"),
        ("the beginning removed", edit(&|lines| drop(lines.remove(0))), 0, "record 1 stands where 0 belongs"),
        ("another version", edit(&|lines| lines[12][5] = b'2'), 12, "schema version 2"),
    ] {
        let dir = dir_with(&bytes);
        let found = damage(dir.path());
        assert_eq!(found.seq, Seq(seq), "{name}: {found}");
        assert!(found.to_string().contains(want), "{name}: {found}");
        let before: usize =
            bytes.split_inclusive(|byte| *byte == b'\n').take(usize::try_from(seq).unwrap()).map(<[u8]>::len).sum();
        assert_eq!(found.offset, before as u64, "{name}");
        assert_eq!(fs::read(dir.path().join(SEGMENT)).unwrap(), bytes, "{name}");
        assert!(!dir.path().join("quarantine").exists(), "{name}");
        assert_eq!(verify(dir.path()).unwrap().conclusion, Conclusion::Damaged(found), "{name}");
    }
}

#[test]
fn a_file_that_was_never_a_log_is_damage_and_the_beginning_of_a_first_record_is_not() {
    for (name, bytes, is_damage) in [
        ("another text", &b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1\n"[..], true),
        ("a finished line that is nothing", b"{}\n", true),
        ("the beginning of a record", b"{\"v\":1,\"seq\":0,\"ts\":\"2026", false),
        ("a record that never reached the disk", &[0; 512], false),
    ] {
        let dir = dir_with(bytes);
        assert_eq!(matches!(replayed(dir.path()), Err(OpenError::Damaged(_))), is_damage, "{name}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused_although_the_chain_holds() {
    let mut log = Vec::new();
    crate::record::encode(
        &sample::record(0, sample::alert("x", sample::taken())),
        sample::LOG,
        &Hash::GENESIS,
        &mut log,
    );
    let text = String::from_utf8(log).unwrap().replace("\"sight\":\"new\"", "\"sight\":\"odd\"");
    let hashed = text.rsplit_once(",\"hash\":").unwrap().0;
    let line = format!("{hashed},\"hash\":\"{}\"}}\n", Hash::of(hashed.as_bytes()));
    let dir = dir_with(line.as_bytes());
    let found = damage(dir.path()).to_string();
    assert!(found.contains("\"odd\" is not a first sight") && found.contains("newer sickbay"), "{found}");

    let unknown = line.replace("alert.received", "alert.imagined");
    let hashed = unknown.rsplit_once(",\"hash\":").unwrap().0;
    let dir = dir_with(format!("{hashed},\"hash\":\"{}\"}}\n", Hash::of(hashed.as_bytes())).as_bytes());
    let (records, opened) = replayed(dir.path()).unwrap();
    assert_eq!((records.len(), opened.unknown_records(), opened.next_seq()), (0, 1, Seq(1)));
}

fn segment(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("incident_log/{first:020}.jsonl"))
}

/// The sample log in three files, beginning with records 0, 5 and 9.
fn three_segments() -> TempDir {
    let (log, _) = sample_log();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let dir = dir_with(&lines[..5].concat());
    fs::write(segment(dir.path(), 5), lines[5..9].concat()).unwrap();
    fs::write(segment(dir.path(), 9), lines[9..].concat()).unwrap();
    fs::write(dir.path().join("incident_log/notes.txt"), "left alone").unwrap();
    dir
}

#[test]
fn several_segments_are_one_log() {
    let dir = three_segments();
    let (_, head) = sample_log();
    let (records, opened) = replayed(dir.path()).unwrap();
    assert_eq!((records.len(), opened.head()), (13, head));
    drop(opened);
    write(dir.path(), vec![self::records(vec![Fact::LogClosed], 13)]);
    let report = verify(&dir.path().join("incident_log")).unwrap();
    assert_eq!((report.segments, report.records, report.conclusion), (3, 14, Conclusion::Clean));
    assert_eq!(
        fs::read_link(dir.path().join("incident_log.jsonl")).unwrap(),
        Path::new("incident_log/00000000000000000009.jsonl")
    );
    let alone = verify(&segment(dir.path(), 5)).unwrap();
    assert_eq!((alone.records, alone.last, alone.conclusion), (4, Some(Seq(8)), Conclusion::Clean));
}

#[test]
fn a_missing_or_unfinished_segment_is_damage() {
    for first in [0, 5] {
        let dir = three_segments();
        fs::remove_file(segment(dir.path(), first)).unwrap();
        let found = damage(dir.path());
        assert_eq!(found.seq, Seq(first));
        assert!(matches!(found.problem, Problem::Gap(_)), "{found}");
    }
    let dir = three_segments();
    let path = segment(dir.path(), 5);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    assert_eq!(damage(dir.path()).problem, Problem::Unfinished);
}

type Change<'a> = &'a dyn Fn(&Path) -> std::io::Result<()>;

#[test]
fn a_file_changed_by_another_poisons_the_log() {
    let swap = |path: &Path| {
        fs::copy(path, path.with_extension("copy")).and_then(|_| fs::rename(path.with_extension("copy"), path))
    };
    let grow = |path: &Path| fs::OpenOptions::new().append(true).open(path)?.write_all(b"x");
    let shrink = |path: &Path| fs::OpenOptions::new().write(true).open(path)?.set_len(0);
    let changes: [(&str, Change<'_>); 4] = [
        ("has 0 bytes", &shrink),
        ("where sickbay wrote", &grow),
        ("moved or removed", &|path| fs::remove_file(path)),
        ("replaced by another file", &swap),
    ];
    for (want, change) in changes {
        let dir = tempdir();
        let (writer, told) = start(dir.path());
        append(&writer, records(vec![sample::opened()], 0));
        assert!(matches!(next(&told), LogEvent::Durable { last: Seq(0), .. }));
        change(&dir.path().join(SEGMENT)).unwrap();
        let before = fs::read(dir.path().join(SEGMENT)).ok();
        append(&writer, records(vec![Fact::LogClosed], 1));
        let event = next(&told);
        assert!(matches!(&event, LogEvent::Poisoned { error } if error.contains(want)), "{want}: {event:?}");
        assert!(writer.try_reserve().is_err(), "{want}");
        writer.close();
        assert_eq!(fs::read(dir.path().join(SEGMENT)).ok(), before, "{want}");
    }
}

#[test]
fn a_record_out_of_order_is_never_written() {
    let dir = tempdir();
    let events = write(dir.path(), vec![records(vec![sample::opened(), Fact::LogClosed], 1)]);
    assert!(matches!(&*events, [LogEvent::Poisoned { error }] if error.contains("record 1 was handed over where 0")));
    assert_eq!(fs::read(dir.path().join(SEGMENT)).unwrap(), b"");
}

#[test]
fn a_reader_follows_the_log_over_half_lines_and_new_segments() {
    let (log, _) = sample_log();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let dir = dir_with(&[lines[0], &lines[1][..50]].concat());
    let line = |reader: &mut LogReader| reader.next_line().unwrap().map(<[u8]>::to_vec);
    let chomped = |at: usize| Some(lines[at].strip_suffix(b"\n").unwrap().to_vec());

    let mut reader = LogReader::open(dir.path()).unwrap();
    assert_eq!(line(&mut reader), chomped(0));
    assert_eq!(line(&mut reader), None);
    fs::write(dir.path().join(SEGMENT), lines[..2].concat()).unwrap();
    assert_eq!(line(&mut reader), chomped(1));
    assert_eq!(line(&mut reader), None);
    fs::write(segment(dir.path(), 2), lines[2..].concat()).unwrap();
    for at in 2..lines.len() {
        assert_eq!(line(&mut reader), chomped(at));
    }
    assert_eq!(line(&mut reader), None);
}

#[test]
fn the_last_records_are_found_over_several_segments() {
    let dir = three_segments();
    for (wanted, want) in [(0, 0), (1, 1), (4, 4), (5, 5), (9, 9), (10, 10), (13, 13), (50, 13)] {
        let mut reader = LogReader::open_at_last(dir.path(), wanted).unwrap();
        let mut count = 0;
        while reader.next_line().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, want, "{wanted} wanted");
    }
}

#[test]
fn where_there_is_no_log_the_reader_says_so() {
    let dir = tempdir();
    for path in [dir.path().to_owned(), dir.path().join("nowhere")] {
        let error = LogReader::open(&path).unwrap_err();
        assert!(matches!(error, ReadError::NoLog(_)), "{error}");
        assert!(verify(&path).is_err());
    }
    fs::create_dir(dir.path().join("incident_log")).unwrap();
    assert!(matches!(LogReader::open(dir.path()), Err(ReadError::NoLog(_))));
}

#[test]
fn a_changed_bit_anywhere_is_reported() {
    let (log, _) = sample_log();
    let last_line = log.len() - 600;
    let dir = tempdir();
    let path = dir.path().join("log.jsonl");
    for bit in (0..log.len() * 8).step_by(11).chain(log.len() * 8 - 8..log.len() * 8) {
        let mut flipped = log.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let conclusion = verify_now(&path);
        assert_ne!(conclusion, Conclusion::Clean, "bit {bit}");
        assert!(last_line < bit / 8 || matches!(conclusion, Conclusion::Damaged(_)), "bit {bit}: {conclusion:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_mutation_that_is_more_than_a_cut_between_records_is_reported(
        at in any::<prop::sample::Index>(),
        removed in 0_usize..2000,
        put_in in prop_oneof![prop::collection::vec(any::<u8>(), 0..50), Just(vec![0; 700])],
    ) {
        let (log, _) = sample_log();
        let start = at.index(log.len());
        let mut mutated = log.clone();
        mutated.splice(start..(start + removed).min(log.len()), put_in);
        let silent = log.starts_with(&mutated) && (mutated.is_empty() || mutated.ends_with(b"\n"));
        let dir = dir_with(&mutated);
        let clean = verify_now(dir.path()) == Conclusion::Clean;
        prop_assert_eq!(clean, silent);
        if let Ok((_, opened)) = replayed(dir.path()) {
            drop(opened);
            prop_assert_eq!(verify_now(dir.path()), Conclusion::Clean);
        }
    }
}

#[test]
fn two_logs_cannot_be_mixed() {
    let mut log = Vec::new();
    let first = crate::record::encode(&sample::record(0, sample::opened()), LogId(1), &Hash::GENESIS, &mut log);
    crate::record::encode(&sample::record(1, Fact::LogClosed), LogId(2), &first, &mut log);
    let dir = dir_with(&log);
    assert!(matches!(damage(dir.path()).problem, Problem::Line(Break::Log { .. })));
}
