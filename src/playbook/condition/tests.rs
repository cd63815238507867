use super::*;
use chrono::{DateTime, TimeDelta, Utc};

const CONTAINER: Nameable<'static> =
    Nameable { target: Some(Looks::Container), steps: &[], failed: false, approval: false };

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> [(String, Option<Value>); N] {
    pairs.map(|(name, value)| (name.to_owned(), Some(Value::Text(value.to_owned()))))
}

fn given() -> Given {
    let mut given = Given::default();
    let long = "x".repeat(5000);
    given.record(
        "labels",
        texts([
            ("depth", "1200"),
            ("severity", "critical"),
            ("queue-name", "mails"),
            ("word", "many"),
            ("long", &long),
        ]),
    );
    given.record("annotations", texts([("summary", "Größe 🙂 over limit")]));
    given.record(
        "alert",
        [
            ("name", Some(Value::Text("QueueBacklog".to_owned()))),
            ("starts_at", Some(Value::Time(at("2026-11-23T08:30:00Z")))),
            ("age", Some(Value::Span(TimeDelta::minutes(5)))),
        ],
    );
    let labels = [("tier".to_owned(), "front".to_owned()), ("com.example.team".to_owned(), "shop".to_owned())];
    given.record(
        "target",
        [
            ("name", Some(Value::Text("web-1".to_owned()))),
            ("state", Some(Value::Text("running".to_owned()))),
            ("exit_code", Some(Value::Int(0))),
            ("oom_killed", Some(Value::Bool(false))),
            ("restart_count", Some(Value::Int(3))),
            ("running_for", None),
            ("labels", Some(Value::Texts(labels.into()))),
        ],
    );
    given.record("run", [("dry_run", Some(Value::Bool(false)))]);
    given.record("limits", [("runs", Some(Value::Int(3))), ("per", Some(Value::Span(TimeDelta::hours(1))))]);
    given
}

fn parsed(source: &str) -> Condition {
    Condition::parse(source, CONTAINER).unwrap_or_else(|flaws| panic!("{source}: {flaws:?}"))
}

fn answer(source: &str) -> Result<bool, String> {
    parsed(source).evaluate(&given()).map_err(|error| error.to_string())
}

#[test]
fn a_condition_is_true_or_false() {
    for (source, want) in [
        ("true", true),
        ("!true", false),
        ("target.state == \"running\" && alert.age > duration(\"2m\")", true),
        ("target.state == 'exited' || alert.age < duration('2m')", false),
        ("int(labels.depth) > 1000", true),
        ("double(labels.depth) / 1000.0 >= 1.2", true),
        ("int(labels.depth) % 1000 == 200 && -int(labels.depth) < 0", true),
        ("labels.severity in [\"critical\", \"page\"]", true),
        ("!(labels.severity in ['info'])", true),
        ("target.exit_code in [137, 143]", false),
        ("has(labels.team)", false),
        ("has(labels.team) && labels.team == 'shop'", false),
        ("!has(labels.team) || labels.team == 'shop'", true),
        ("\"team\" in labels", false),
        ("\"depth\" in labels && \"tier\" in target.labels", true),
        ("labels[\"queue-name\"] == 'mails'", true),
        ("labels[\"depth\"] == labels.depth", true),
        ("target.labels.tier == 'front' && target.labels[\"com.example.team\"] == 'shop'", true),
        ("has(target.labels.owner)", false),
        ("has(target.running_for)", false),
        ("!has(target.running_for) || target.running_for > duration('10m')", true),
        ("annotations.summary.contains('🙂') && annotations.summary.startsWith(\"Größe\")", true),
        ("target.name.endsWith('-1') && size(target.name) == 5 && target.name.size() == 5", true),
        ("alert.starts_at < timestamp('2026-11-23T09:00:00Z')", true),
        ("alert.starts_at + alert.age == timestamp('2026-11-23T08:35:00Z')", true),
        ("alert.starts_at.getHours() == 8 && alert.starts_at.getHours('Europe/Berlin') == 9", true),
        ("alert.starts_at.getDayOfWeek() == 1", true),
        ("alert.age.getSeconds() == 300 && limits.per - alert.age == duration('55m')", true),
        ("target.oom_killed ? target.restart_count < 2 : target.restart_count < 5", true),
        ("target.restart_count > limits.runs", false),
        ("run.dry_run == false", true),
        ("string(target.restart_count) + 'x' == '3x'", true),
        ("target.state == \"running\" // a comment\n  && true", true),
        // What is not needed for the answer is not looked at.
        ("true || int(labels.word) > 1", true),
        ("false && labels.team == 'x'", false),
    ] {
        assert_eq!(answer(source), Ok(want), "{source}");
    }
}

#[test]
fn a_value_that_is_missing_or_of_no_use_gives_an_error_and_never_an_answer() {
    for (source, part) in [
        ("labels.team == 'shop'", "`labels.team` is absent; ask `has(…)` first"),
        ("labels.team != 'shop'", "`labels.team` is absent"),
        ("labels['com.example/team'] == ''", "`labels[\"com.example/team\"]` is absent"),
        ("target.labels.owner == 'x'", "`target.labels.owner` is absent"),
        ("target.running_for > duration('1m')", "`target.running_for` is absent"),
        ("annotations.text.contains('x')", "`annotations.text` is absent"),
        ("int(labels.word) > 1", "`int` cannot read its value"),
        ("double(labels.word) > 1.0", "`double` cannot read its value"),
        ("bool(labels.word)", "`bool` cannot read its value"),
        ("duration(labels.word) > duration('1s')", "duration"),
        ("timestamp(labels.word) > alert.starts_at", "timestamp"),
        ("1 / target.exit_code == 1", "division by zero"),
        ("1 % target.exit_code == 1", "division by zero"),
        ("9223372036854775807 + target.restart_count > 0", "too large"),
        ("target.restart_count * 9223372036854775807 > 0", "too large"),
        ("-9223372036854775808 - target.restart_count < 0", "too large"),
        ("int(double(labels.depth) * 1e300) > 0", ""),
        ("timestamp('9999-12-31T23:00:00Z') + duration('2h') > alert.starts_at", ""),
        ("alert.starts_at.getHours(labels.word) == 1", "many"),
        ("[1, 2][target.restart_count] == 1", ""),
        ("labels.long == ''", "`labels.long` is longer than 4096 bytes"),
    ] {
        let error = answer(source).expect_err(source);
        assert!(error.contains(part) && error.chars().count() < 200, "{source}: {error}");
    }
}

/// What is written, words of the complaint, and what is underlined (anything, where that is empty).
const WRONG: &[(&str, &str, &str)] = &[
    // Names.
    ("target.state == 'dead' && targt.name == 'y'", "unknown name `targt`", "targt"),
    ("lables.depth == '1'", "did you mean `labels`?", "lables"),
    ("running == target.state", "a text stands in quotes", "running"),
    ("steps.back.elapsed == '1'", "unknown name `steps`", "steps"),
    ("target.helth == 'x'", "did you mean `target.health`?", "helth"),
    ("target.lables.x == 'x'", "did you mean `target.labels`?", "lables"),
    ("alert.severity == 'x'", "`alert` has `name`, `fingerprint`", "severity"),
    ("has(alert.severity)", "there is no `alert.severity`", "has"),
    ("alert.name.upper == 'x'", "`alert.name` has no field `upper`", "upper"),
    ("labels.a.b == 'x'", "`labels.a` has no field `b`", "b"),
    ("labels == annotations", "`labels` is not a value by itself", "labels"),
    ("size(target.labels) > 0", "`target.labels` is not a value by itself", "labels"),
    ("target == alert", "`target` has `name`", "target"),
    ("labels[target.name] == 'x'", "must be written out", "name"),
    ("target.name in labels", "must be written out", "name"),
    ("'x'.y == 'z'", "only names have fields", "'x'"),
    // Types.
    ("labels.depth > 100", "int(labels.x)", ">"),
    ("labels.depth == 100", "`==` cannot take string and int", "=="),
    ("alert.age > '2m'", "duration(\"2m\")", ">"),
    ("alert.age > 120", "a duration has a unit", ">"),
    ("alert.starts_at > '2026-01-01'", "timestamp(", ">"),
    ("int(labels.depth) / 2.0 > 1.0", "write both as double", "/"),
    ("!labels.depth", "`!` cannot take string", "!"),
    ("labels.a && true", "`&&` cannot take string and bool", "&&"),
    ("labels.a in ['x', 1]", "all be of one type", "["),
    ("labels.a in [1]", "`in` cannot take string and list of int", "in"),
    ("labels.a in []", "an empty list holds nothing", "["),
    ("true ? 1 : 'x'", "cannot take", "?"),
    ("target.oom_killed < true", "`<` cannot take bool and bool", "<"),
    ("labels.a.startsWith(1)", "`startsWith` cannot take string and int", "startsWith"),
    ("startsWith(labels.a, 'x')", "`startsWith` cannot take", "startsWith"),
    ("target.restart_count.contains('x')", "`contains` cannot take int and string", "contains"),
    ("alert.age.getDayOfWeek() == 1", "`getDayOfWeek` cannot take duration", "getDayOfWeek"),
    // The answer.
    ("labels.severity", "true or false; this is a string", ""),
    ("int(labels.depth)", "this is a int", ""),
    ("[true]", "this is a list of bool", ""),
    // What is left out, because its work has no bound or it means nothing here.
    ("labels.a.matches('.*')", "use startsWith, endsWith or contains", "matches"),
    ("[1, 2].all(x, x > 0)", "a condition has no loops", ""),
    ("[1, 2].exists(x, x > 0)", "a condition has no loops", ""),
    ("[1, 2].map(x, x * 2) == [2, 4]", "a condition has no loops", ""),
    ("['a'].filter(x, x == 'a') == ['a']", "a condition has no loops", ""),
    ("type(labels.a) == string", "no function `type`", "type"),
    ("labels.a.starsWith('x')", "did you mean `startsWith`?", "starsWith"),
    ("labels.a == null", "nothing is ever `null` here", "null"),
    ("size(b'abc') == 3", "no bytes", "b'abc'"),
    ("1u == 1u", "no unsigned numbers", "1u"),
    ("{'a': 1}['a'] == 1", "no maps", ""),
    ("x{a: 1} == x{a: 1}", "no maps and messages", ""),
    // Written-out values are tried.
    ("alert.age > duration('1d')", "write duration(\"24h\")", "'1d'"),
    ("duration('ten minutes') < alert.age", "a day is duration(\"24h\")", "'ten minutes'"),
    ("alert.starts_at > timestamp('yesterday')", "`timestamp` cannot read this", "'yesterday'"),
    ("int('many') > 1", "`int` cannot read this", "'many'"),
    ("bool('yes')", "labels.NAME == \"yes\"", "'yes'"),
    ("labels.zone-1 == 'x'", "write labels[\"zone-1\"]", "labels.zone-1"),
    ("labels.my-run == 'x'", "write labels[\"my-run\"]", "labels.my-run"),
    // Syntax.
    ("target.state = 'running'", "compare with `==`", "="),
    ("target.oom_killed and true", "write `&&` for and", "and"),
    ("target.state == 'running", "a text ends with the quote", "'"),
    ("target.state ==", "the end", ""),
    ("", "this is not a condition", ""),
    ("(target.oom_killed", "this is not a condition", ""),
    ("annotations.x == '🙂' && targt.x", "unknown name `targt`", "targt"),
    ("annotations.x == '🙂' ) ", "this is not a condition", ")"),
];

#[test]
fn what_cannot_be_right_is_refused_at_check_at_its_place() {
    for (source, part, blamed) in WRONG {
        let flaws = Condition::parse(source, CONTAINER).expect_err(source);
        let flaw = &flaws[0];
        let text = format!("{} {}", flaw.message, flaw.hint.as_deref().unwrap_or_default());
        assert!(text.contains(part), "{source}: {text}");
        let marked = flaw.span.and_then(|(start, end)| source.get(start..end)).unwrap_or_default();
        assert!(blamed.is_empty() || marked == *blamed, "{source}: marks {marked:?}");
    }
}

#[test]
fn every_flaw_is_reported_at_once() {
    let flaws = Condition::parse("targt.x == 1 && lables.y == 2 && target.helth == 'x'", CONTAINER).unwrap_err();
    assert_eq!(flaws.len(), 3, "{flaws:?}");
}

#[test]
fn what_a_target_has_depends_on_what_it_is() {
    let of = |looks| Nameable { target: Some(looks), ..Nameable::default() };
    for (source, looks, words) in [
        ("target.replicas < 6", Looks::Container, Some("only a service has `target.replicas`")),
        ("target.replicas < 6 && target.labels.tier == 'x'", Looks::Service, None),
        ("target.health == 'healthy'", Looks::Service, Some("only a container has `target.health`")),
        ("target.helth == 'healthy'", Looks::Service, Some("there is no `target.helth`")),
        ("target.name == 'web' && target.image != ''", Looks::Service, None),
    ] {
        let flaw = Condition::parse(source, of(looks)).err().map(|flaws| flaws[0].message.clone());
        assert!(flaw.as_deref().unwrap_or_default().contains(words.unwrap_or_default()), "{source}: {flaw:?}");
        assert_eq!(flaw.is_some(), words.is_some(), "{source}: {flaw:?}");
    }
}

#[test]
fn a_step_sees_what_the_steps_before_it_left() {
    let steps = ["back", "told"];
    let sees = Nameable { steps: &steps, failed: true, ..CONTAINER };
    let mut given = given();
    let left = [("outcome", Value::Text("failure".to_owned())), ("elapsed", Value::Span(TimeDelta::seconds(12)))];
    given.record("steps", [("back", Some(Value::Record(left.into())))]);
    given.record("failed", texts([("name", "verify"), ("error", "still unhealthy")]));
    for (source, want) in [
        ("steps.back.outcome == 'failure' && steps.back.elapsed > duration('10s')", Ok(true)),
        ("failed.error.contains('unhealthy')", Ok(true)),
        ("has(steps.told.outcome)", Ok(false)),
        ("steps.told.outcome == 'success'", Err("`steps.told.outcome` is absent; ask `has(…)` first".to_owned())),
    ] {
        let condition = Condition::parse(source, sees).unwrap_or_else(|flaws| panic!("{source}: {flaws:?}"));
        assert_eq!(condition.evaluate(&given).map_err(|error| error.to_string()), want, "{source}");
    }
    for (source, words) in [
        ("steps.bakc.outcome == 'x'", "no earlier step has the id `bakc`"),
        ("steps.back.outcom == 'x'", "there is no `steps.back.outcom`"),
        ("steps.back == 'x'", "`steps.back` is not a value by itself"),
        ("steps == 'x'", "`steps` is not a value by itself"),
        ("approval.outcome == 'x'", "unknown name `approval`"),
    ] {
        let flaws = Condition::parse(source, sees).expect_err(source);
        assert!(flaws[0].message.contains(words), "{source}: {flaws:?}");
        assert!(flaws[0].hint.is_some(), "{source}: {flaws:?}");
    }
    assert!(Condition::parse("steps.back.outcome == 'x'", CONTAINER).is_err(), "a playbook's own `if` sees no steps");
}

/// A comparison, the text in it that can never be, and what is said about it.
const NEVER: &[(&str, &str, &str)] = &[
    ("target.state == \"runing\"", "\"runing\"", "`target.state` is never \"runing\" did you mean `running`?"),
    ("'Running' != target.state", "'Running'", "did you mean `running`? it is one of `created`, `running`, `paused`"),
    ("target[\"health\"] == 'sick'", "'sick'", "it is one of `starting`, `healthy`, `unhealthy`, `none`"),
    ("target.state in ['running', 'stopped']", "'stopped'", "it is one of `created`"),
    ("'stopped' in [target.state, target.health]", "'stopped'", "`target.state` or `target.health` is never"),
    ("target.restart_policy == 'unless_stopped'", "'unless_stopped'", "did you mean `unless-stopped`?"),
    (
        "steps.back.outcome == 'failed'",
        "'failed'",
        "did you mean `failure`? it is one of `success`, `failure`, `skipped`",
    ),
    ("failed.verdict == 'inefective'", "'inefective'", "did you mean `ineffective`?"),
    ("approval.outcome == 'timeout'", "'timeout'", "it is one of `denied`, `expired`"),
    ("approval.outcome == 'approved'", "'approved'", "it is one of `denied`, `expired`"),
    ("labels.a == 'x' && !(target.oom_killed || target.state != 'runing')", "'runing'", "did you mean `running`?"),
    ("target.oom_killed ? target.health == 'sick' : true", "'sick'", "`target.health` is never"),
    ("(target.oom_killed ? target.state : target.health) == 'sick'", "'sick'", "`target.state` or `target.health`"),
    ("target.state == (target.oom_killed ? 'dead' : 'runing')", "'runing'", "did you mean `running`?"),
    ("(target.state == 'runing') == true", "'runing'", "did you mean `running`?"),
];

#[test]
fn a_word_that_a_value_never_has_is_refused_with_the_words_it_can_have() {
    let sees = Nameable { steps: &["back"], failed: true, approval: true, ..CONTAINER };
    for (source, blamed, words) in NEVER {
        let flaws = Condition::parse(source, sees).expect_err(source);
        let text = format!("{} {}", flaws[0].message, flaws[0].hint.as_deref().unwrap_or_default());
        assert!(text.contains(words) && flaws.len() == 1, "{source}: {flaws:?}");
        assert_eq!(flaws[0].span.and_then(|(start, end)| source.get(start..end)), Some(*blamed), "{source}");
    }
    let two = Condition::parse("target.state == 'up' || target.health in ['sick', 'none', 'well']", sees).unwrap_err();
    assert_eq!(two.len(), 3, "each is named: {two:?}");
    for source in [
        "target.state in ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']",
        "target.health in ['starting', 'healthy', 'unhealthy', 'none']",
        "target.restart_policy in ['no', 'on-failure', 'always', 'unless-stopped']",
        "steps.back.outcome in ['success', 'failure', 'skipped'] && failed.verdict != 'unknown'",
        "approval.outcome == 'denied' || approval.outcome == 'expired'",
        // What is open may be anything, and so may a part of a word.
        "labels.state == 'runing' || target.labels.state == 'x' || target.name == 'runing'",
        "target.state.startsWith('run') || target.state + 'x' == 'runningx' || target.state == labels.state",
        "(target.oom_killed ? labels.a : target.state) == 'runing'",
        "(target.oom_killed ? 'gone' : target.state) == 'gone'",
        "labels.a in ['x', target.state]",
    ] {
        assert!(Condition::parse(source, sees).is_ok(), "{source}: {:?}", Condition::parse(source, sees));
    }
}

#[test]
fn without_a_target_none_can_be_named() {
    let flaws = Condition::parse("target.state == 'running'", Nameable::default()).unwrap_err();
    assert!(flaws[0].message.contains("no `target`"), "{flaws:?}");
    assert!(Condition::parse("labels.a == 'x'", Nameable::default()).is_ok());
}

/// On a smaller stack than that of the threads which decide.
fn on_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(3 << 19).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Every way to nest, this many levels.
fn nested(levels: usize) -> Vec<String> {
    let around = |before: &str, inner: &str, after: &str| before.repeat(levels) + inner + &after.repeat(levels);
    vec![
        around("", "true", "") + &" && true".repeat(levels),
        around("(", "true", ")"),
        around("!", "true", ""),
        around("!(", "true", ")"),
        around("-", "1 == 1", ""),
        around("-(", "1", ")") + " == 1",
        around("1+", "1 == 2", ""),
        around("", "1", "+1") + " == 2",
        around("(1+", "1", ")") + " == 2",
        around("[", "1", "]") + " == [1]",
        around("[1][", "0", "]") + " == 1",
        around("int(", "1", ")") + " == 1",
        around("has(", "labels.a", ")"),
        around("true?", "true", ":true"),
        around("false?true:", "true", ""),
        around("(true?true:", "true", ")"),
        around("", "labels", ".a") + " == ''",
        around("", "labels", "['a']") + " == ''",
        around("", "'a'", ".size()") + " == 1",
        around("", "true", " in [true]"),
        around("", "1", "<1"),
        around("{1:", "1", "}") + " == 1",
        around("[1].all(x,", "true", ")"),
        around("[1].map(x,", "1", ")") + " == [1]",
        around("x{a:", "1", "}") + " == 1",
        around("'", "", "'"),
        around("/", "", ""),
        around("\u{1f642}", "", ""),
    ]
}

#[test]
fn nothing_that_is_nested_or_long_exhausts_the_stack() {
    for source in [1, 2, 20, 28, 30, 31, 32, 33, 60, 96, 97, 128, 250, 500, 5000].into_iter().flat_map(nested) {
        on_a_small_stack(|| match Condition::parse(&source, CONTAINER) {
            Ok(condition) => drop(condition.evaluate(&given())),
            Err(flaws) => assert!(!flaws.is_empty()),
        });
    }
}

#[test]
fn length_and_nesting_are_bounded() {
    let around =
        |times: usize, before: &str, inner: &str, after: &str| before.repeat(times) + inner + &after.repeat(times);
    for (source, part) in [
        (format!("labels.a == '{}'", "x".repeat(1011)), "it may have 1024"),
        (around(5000, "(", "true", ")"), "it may have 1024"),
        (around(10, "!(!", "true", ")"), ""),
        (around(11, "!(!", "true", ")"), "nested more than 32 levels"),
        (around(32, "(", "true", ")"), ""),
        (around(33, "(", "true", ")"), "nested more than 32 levels"),
        (around(500, "(", "true", ")"), "nested more than 32 levels"),
        ("!".repeat(32) + "true", ""),
        ("!".repeat(33) + "true", "nested more than 32 levels"),
        ("!".repeat(1000) + "true", "nested more than 32 levels"),
        ("- ".repeat(33) + "1 == 1", "nested more than 32 levels"),
        (format!("labels.a == '{}'", "(".repeat(500)), ""),
        (around(31, "1+(", "1", ")") + " == 32", "nested more than 32 levels"),
        (around(40, "[", "1", "]") + " == [1]", "nested more than 32 levels"),
        (around(120, "[", "1", "]") + " == [1]", "nested more than 32 levels"),
        ("1+".repeat(40) + "1 == 41", "nested more than 32 levels"),
        (format!("labels{} == ''", ".a".repeat(40)), "nested more than 32 levels"),
    ] {
        match Condition::parse(&source, CONTAINER) {
            Ok(_) => assert_eq!(part, "", "{source}"),
            Err(flaws) => assert!(!part.is_empty() && flaws[0].message.contains(part), "{source}: {flaws:?}"),
        }
    }
    for source in [
        format!("labels.a == '{}'", "x".repeat(1010)),
        around(30, "1+(", "1", ")") + " == 31",
        "1+".repeat(30) + "1 == 31",
        vec!["has(labels.a)"; 60].join(" && "),
    ] {
        assert!(Condition::parse(&source, CONTAINER).is_ok(), "{source}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(5000))]

    /// Whatever is written, reading and answering it ends, and without a panic.
    #[test]
    fn no_text_breaks_the_reader(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "labels", ".", "depth", "[", "]", "(", ")", "'", "\"", "\\", "==", "&&", "||", "!", "?", ":", "-", "1",
                "1.5", "in", "has(", "alert.age", "duration(", "'1h'", "target.labels", "{", "}", ",", " ", "\n", "//",
                "é", "🙂", "\u{0}", "r'", "b'", "'''", "null", "size(", "+", "%", "/", "9223372036854775807", "`",
                "target.exit_code", ".all(x, ", "x", "true",
            ]),
            0..24,
        ),
    ) {
        let source = parts.concat();
        match Condition::parse(&source, CONTAINER) {
            Ok(condition) => _ = condition.evaluate(&given()),
            Err(flaws) => for flaw in flaws {
                let marked = flaw.span.map(|(start, end)| source.get(start..end));
                proptest::prop_assert!(marked != Some(None), "{source:?}: {flaw:?}");
            },
        }
    }
}

#[test]
fn the_record_shows_what_was_looked_at_and_no_more() {
    let seen = |source: &str| parsed(source).seen(&given());
    let shown = seen("int(labels.depth) > 5 && has(labels.team) && alert.age < duration('1h') && target.oom_killed");
    let want =
        [("alert.age", "5m"), ("labels.depth", "1200"), ("labels.team", "(absent)"), ("target.oom_killed", "false")];
    assert_eq!(shown, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let long = seen("labels.long == ''");
    assert_eq!(long[0].1.chars().count(), 121);
    let many: Vec<String> = (0..30).map(|n| format!("has(labels.l{n})")).collect();
    assert_eq!(seen(&many.join("&&")).len(), 16);
    assert_eq!(seen("target.labels['com.example.team'] == ''")[0].0, "target.labels[\"com.example.team\"]");
}

#[test]
fn a_panic_can_be_caught() {
    // The guard against panics of the library is worth nothing in a build that aborts.
    let manifest = include_str!("../../../Cargo.toml");
    assert!(!manifest.contains("panic = \"abort\""));
}
