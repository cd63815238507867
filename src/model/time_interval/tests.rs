use super::*;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

fn at(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 16 { format!("{text}:00Z") } else { text.to_owned() };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, BadRange>) -> Option<Vec<T>> {
    Some(text.split_whitespace().map(|item| parse(item).unwrap_or_else(|error| panic!("{item}: {error}"))).collect())
}

/// `times 09:00-17:00 | weekdays monday:friday | in Europe/Berlin`
fn period(text: &str) -> Period {
    let mut period = Period::default();
    for part in text.split('|').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once(' ').unwrap_or((part, ""));
        match key {
            "times" => {
                let range = |item: &str| {
                    let (start, end) = item.split_once('-').unwrap();
                    TimeRange::new(TimeRange::minutes(start)?, TimeRange::minutes(end)?)
                };
                period.times = list(value, range);
            }
            "weekdays" => period.weekdays = list(value, Range::weekdays),
            "days" => period.days_of_month = list(value, Range::days_of_month),
            "months" => period.months = list(value, Range::months),
            "years" => period.years = list(value, Range::years),
            "in" => period.location = Location::parse(value).unwrap(),
            _ => panic!("{key}"),
        }
    }
    period
}

fn interval(name: &str, periods: &[&str]) -> TimeInterval {
    TimeInterval { name: name.into(), periods: periods.iter().map(|text| period(text)).collect() }
}

#[test]
fn a_moment_belongs_to_a_period_as_in_alertmanager() {
    for (text, inside, outside) in [
        // Nothing said holds always, an empty list never.
        ("", vec!["2026-11-23T00:00"], vec![]),
        ("times", vec![], vec!["2026-11-23T00:00"]),
        ("weekdays", vec![], vec!["2026-11-23T00:00"]),
        // The start belongs to it, the end does not; seconds do not count.
        (
            "times 09:00-17:00",
            vec!["2026-11-23T09:00", "2026-11-23T16:59:59Z"],
            vec!["2026-11-23T08:59:59Z", "2026-11-23T17:00", "2026-11-23T23:00"],
        ),
        ("times 22:00-24:00 00:00-06:00", vec!["2026-11-23T23:59:59Z", "2026-11-23T00:00"], vec!["2026-11-23T06:00"]),
        // Weekdays: 2026-11-23 is a Monday.
        (
            "weekdays monday:friday",
            vec!["2026-11-23T00:00", "2026-11-27T23:59"],
            vec!["2026-11-22T23:59", "2026-11-28T00:00"],
        ),
        ("weekdays Saturday SUNDAY", vec!["2026-11-28T12:00", "2026-11-29T12:00"], vec!["2026-11-30T12:00"]),
        ("weekdays sunday:monday", vec!["2026-11-29T12:00", "2026-11-30T12:00"], vec!["2026-11-28T12:00"]),
        // Days of the month, from its start and from its end.
        ("days 1:7", vec!["2026-11-01T00:00", "2026-11-07T23:59"], vec!["2026-11-08T00:00", "2026-10-31T23:59"]),
        ("days -1", vec!["2026-11-30T12:00", "2026-02-28T12:00", "2028-02-29T12:00"], vec!["2028-02-28T12:00"]),
        ("days -7:-1", vec!["2026-10-25T00:00", "2026-10-31T23:59"], vec!["2026-10-24T23:59", "2026-11-01T00:00"]),
        ("days 20:-1", vec!["2026-02-20T00:00", "2026-02-28T00:00"], vec!["2026-02-19T00:00", "2026-03-01T00:00"]),
        // What ends after the month is cut, what starts after it is left out.
        ("days 28:31", vec!["2026-02-28T12:00", "2026-04-30T12:00"], vec!["2026-03-01T12:00", "2026-02-27T12:00"]),
        ("days 29:31", vec!["2026-03-29T12:00"], vec!["2026-02-28T12:00", "2026-02-01T12:00"]),
        ("days -31:-28", vec!["2026-03-01T12:00", "2026-03-04T12:00", "2026-02-01T12:00"], vec!["2026-03-05T12:00"]),
        ("days -31:-30", vec!["2026-04-01T12:00"], vec!["2026-02-01T12:00", "2026-02-28T12:00"]),
        // Months by name and number; one that does not exist never holds.
        ("months december", vec!["2026-12-01T00:00"], vec!["2026-11-30T23:59"]),
        ("months 1:3 May:AUGUST", vec!["2026-03-31T00:00", "2026-08-01T00:00"], vec!["2026-04-01T00:00"]),
        ("months 14", vec![], vec!["2026-01-01T00:00", "2026-02-01T00:00", "2026-12-01T00:00"]),
        ("months 0:12", vec!["2026-01-01T00:00", "2026-12-01T00:00"], vec![]),
        ("years 2026:2027 2030", vec!["2026-01-01T00:00", "2030-12-31T23:59"], vec!["2028-01-01T00:00"]),
        // All parts at once.
        (
            "months december | days 24:26 | times 00:00-12:00 | years 2026",
            vec!["2026-12-24T11:59"],
            vec!["2026-12-24T12:00", "2026-12-27T08:00", "2027-12-24T08:00", "2026-11-24T08:00"],
        ),
        // By the clocks of the place: +01:00 in winter, +02:00 in summer.
        (
            "times 09:00-10:00 | in Europe/Berlin",
            vec!["2026-01-05T08:00", "2026-07-06T07:59"],
            vec!["2026-07-06T08:00"],
        ),
        ("weekdays monday | in Asia/Tokyo", vec!["2026-11-22T15:00"], vec!["2026-11-22T14:59", "2026-11-23T15:00"]),
        ("years 2027 | in Pacific/Auckland", vec!["2026-12-31T11:00"], vec!["2026-12-31T10:59"]),
        ("times 00:00-00:30 | in Asia/Kolkata", vec!["2026-11-22T18:30"], vec!["2026-11-22T18:29", "2026-11-22T19:00"]),
        ("times 00:00-12:00 | in UTC", vec!["2026-11-23T11:59"], vec!["2026-11-23T12:00"]),
    ] {
        let period = period(text);
        inside.iter().for_each(|moment| assert!(period.contains(at(moment)), "{text}: {moment} is inside"));
        outside.iter().for_each(|moment| assert!(!period.contains(at(moment)), "{text}: {moment} is outside"));
    }
}

#[test]
fn the_hour_that_is_skipped_or_repeated_is_read_off_the_clock() {
    // Berlin skips 02:00 to 03:00 on 2026-03-29 and lives it twice on 2026-10-25.
    let night = period("times 02:00-03:00 | in Europe/Berlin");
    let minutes = |from: &str| {
        let start = at(from);
        (0..24 * 60).filter(|ahead| night.contains(start + TimeDelta::minutes(*ahead))).count()
    };
    assert_eq!(minutes("2026-03-28T23:00"), 0, "no such hour");
    assert_eq!(minutes("2026-10-24T22:00"), 120, "both of them");
    assert_eq!(minutes("2026-06-01T22:00"), 60);
    let late = period("times 03:00-04:00 | in Europe/Berlin");
    assert!(late.contains(at("2026-03-29T01:00")) && !late.contains(at("2026-03-29T00:59")));
}

#[test]
fn days_from_the_end_are_counted_by_the_calendar_also_where_clocks_are_set() {
    // March in New York is an hour short of 31 days, and November an hour longer than 30.
    let last = period("days -1 | in America/New_York");
    assert!(last.contains(at("2026-03-31T12:00")) && !last.contains(at("2026-03-30T12:00")));
    assert!(last.contains(at("2026-11-30T12:00")) && !last.contains(at("2026-11-29T12:00")));
    let first = period("days -31 | in America/New_York");
    assert!(first.contains(at("2026-03-01T12:00")) && !first.contains(at("2026-03-02T12:00")));
}

#[test]
fn what_alertmanager_refuses_is_refused() {
    type Parse = fn(&str) -> Result<Range, BadRange>;
    for (parse, bad) in [
        (
            Range::weekdays as Parse,
            vec![
                "saturday:monday",
                "friday:monday",
                "mon",
                "1",
                "0:6",
                "",
                "monday:",
                "monday:friday:sunday",
                " monday",
            ],
        ),
        (
            Range::days_of_month as Parse,
            vec!["0", "32", "-32", "1:32", "0:5", "-5:5", "5:1", "-1:-2", "29:-1", "x", "1.5", "1:2:3", "monday"],
        ),
        (Range::months as Parse, vec!["december:january", "12:1", "sept", "", "june:", "1:2:3"]),
        (Range::years as Parse, vec!["2027:2026", "twenty", "", "2026:", "99999999999999999999"]),
    ] {
        bad.iter().for_each(|text| assert!(parse(text).is_err(), "{text:?}"));
    }
    for bad in ["9:00", "09:0", "0900", "24:01", "25:00", "09:60", "", "09:00:00", "ab:cd", "+9:00", "09-00", "09:00 "]
    {
        assert!(TimeRange::minutes(bad).is_err(), "{bad:?}");
    }
    for (start, end, good) in [
        ("00:00", "24:00", true),
        ("23:59", "24:00", true),
        ("09:00", "09:00", false),
        ("22:00", "06:00", false),
        ("24:00", "24:00", false),
    ] {
        let range = TimeRange::new(TimeRange::minutes(start).unwrap(), TimeRange::minutes(end).unwrap());
        assert_eq!(range.is_ok(), good, "{start} to {end}");
    }
    for (name, good) in [
        ("", true),
        ("UTC", true),
        ("Europe/Berlin", true),
        ("US/Eastern", true),
        ("Local", false),
        ("europe/berlin", false),
        ("Mars/Base", false),
        ("+02:00", false),
    ] {
        assert_eq!(Location::parse(name).is_ok(), good, "{name:?}");
    }
}

#[test]
fn an_interval_holds_where_any_of_its_periods_does() {
    let nights = interval("nights", &["times 22:00-24:00", "times 00:00-06:00 | weekdays saturday"]);
    assert!(nights.contains(at("2026-11-23T22:30")) && nights.contains(at("2026-11-28T05:00")));
    assert!(!nights.contains(at("2026-11-23T05:00")) && !nights.contains(at("2026-11-23T12:00")));
    assert!(!interval("nothing", &[]).contains(at("2026-11-23T12:00")), "without periods it never holds");
    let places = interval("places", &["in Asia/Tokyo", "in UTC", "times 00:00-01:00 | in Asia/Tokyo"]);
    let described: Vec<String> =
        places.locations().iter().map(|place| place.describe(at("2026-11-23T22:30"))).collect();
    assert_eq!(described, ["Tue 2026-11-24 07:30 Asia/Tokyo", "Mon 2026-11-23 22:30 UTC"]);
}

fn schedule(active: &[&str], mute: &[&str]) -> Schedule {
    let all = |texts: &[&str]| texts.iter().map(|text| interval(text, &[text]).into()).collect();
    Schedule { active: all(active), mute: all(mute) }
}

#[test]
fn a_schedule_is_open_in_an_active_interval_that_no_other_mutes() {
    for (active, mute, moment, want) in [
        (vec![], vec![], "2026-11-23T12:00", "open"),
        (vec!["times 09:00-17:00"], vec![], "2026-11-23T12:00", "open"),
        (vec!["times 09:00-17:00"], vec![], "2026-11-23T18:00", "outside"),
        (vec!["times 09:00-10:00", "times 18:00-19:00"], vec![], "2026-11-23T18:00", "open"),
        (vec![], vec!["months december", "weekdays monday"], "2026-11-23T12:00", "weekdays monday"),
        (vec![], vec!["weekdays sunday"], "2026-11-23T12:00", "open"),
        (vec!["times 09:00-17:00"], vec!["weekdays monday"], "2026-11-23T12:00", "weekdays monday"),
        (vec!["times 09:00-17:00"], vec!["weekdays monday"], "2026-11-23T18:00", "outside"),
    ] {
        let schedule = schedule(&active, &mute);
        let found = match schedule.at(at(moment)) {
            Standing::Open => "open",
            Standing::Outside => "outside",
            Standing::Muted(by) => &by.name,
        };
        assert_eq!(found, want, "{active:?} {mute:?} {moment}");
    }
}

#[test]
fn a_schedule_knows_how_long_it_says_the_same() {
    let office = schedule(&["times 09:00-17:00"], &["times 12:00-12:30"]);
    for (moment, want_s) in [
        ("2026-11-23T08:59:30Z", 30),
        ("2026-11-23T08:59:59.5Z", 1),
        ("2026-11-23T08:00:00Z", 3600),
        ("2026-11-23T04:00:10Z", 3590),
        ("2026-11-23T12:00:00Z", 1800),
        ("2026-11-23T16:59:00Z", 60),
        ("2026-11-23T09:00:00Z", 3600),
    ] {
        assert_eq!(office.same_for(at(moment)), Duration::from_secs(want_s), "{moment}");
    }
}
