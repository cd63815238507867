//! The pages in headless Chromium, driven by Playwright, against the real daemon and a real Docker engine: each test is one
//! story of `pages.py`, with a daemon, containers and a browser of its own.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::Write;
use std::process::Command;

/// Plays one story of the pages, which must come to its end.
fn play(story: &str) {
    play_of("pages.py", story);
}

fn play_of(file: &str, story: &str) {
    let root = env!("CARGO_MANIFEST_DIR");
    let lock = std::env::temp_dir().join("sickbay-playwright.lock");
    let found =
        Command::new("flock").arg(lock).args(["bash", &format!("{root}/scripts/playwright.sh")]).output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "the browser cannot be had: {said}");
    let python = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let played = Command::new(python)
        .arg(format!("{root}/tests/browser/{file}"))
        .arg(story)
        .env("SICKBAY", env!("CARGO_BIN_EXE_sickbay"))
        .current_dir(root)
        .output()
        .unwrap();
    std::io::stdout().write_all(&played.stdout).unwrap();
    assert!(played.status.success(), "{story}: {}", String::from_utf8_lossy(&played.stderr));
}

#[test]
fn the_second_of_two_people_has_it_done_once_and_watches() {
    play("the_second_of_two_people_has_it_done_once_and_watches");
}

#[test]
fn two_people_have_it_done_without_a_script() {
    play("two_people_have_it_done_without_a_script");
}

#[test]
fn a_no_is_a_no() {
    play("a_no_is_a_no");
}

#[test]
fn a_no_is_a_no_without_a_script() {
    play("a_no_is_a_no_without_a_script");
}

#[test]
fn silence_is_a_no() {
    play("silence_is_a_no");
}

#[test]
fn what_has_ended_meanwhile_is_asked_no_more() {
    play("what_has_ended_meanwhile_is_asked_no_more");
}

#[test]
fn another_container_is_another_question() {
    play("another_container_is_another_question");
}

#[test]
fn text_from_outside_is_text_and_nobody_meets_a_barrier() {
    play("text_from_outside_is_text_and_nobody_meets_a_barrier");
}

#[test]
fn people_pause_and_resume_without_a_script() {
    play("people_pause_and_resume_without_a_script");
}

#[test]
fn nothing_moves_under_the_pointer() {
    play("nothing_moves_under_the_pointer");
}

#[test]
fn enter_in_a_comment_says_nothing() {
    play("enter_in_a_comment_says_nothing");
}

#[test]
fn who_is_out_in_one_tab_is_out_in_all() {
    play("who_is_out_in_one_tab_is_out_in_all");
}

#[test]
fn an_old_page_says_that_it_is_old() {
    play("an_old_page_says_that_it_is_old");
}

#[test]
fn the_provider_lets_somebody_in_who_goes_on_where_they_were_going() {
    play_of("oidc.py", "there_and_back");
}

#[test]
fn whom_the_provider_knows_and_we_do_not_is_not_let_in() {
    play_of("oidc.py", "nobody_of_ours");
}

/// Each story has a test of its own.
#[test]
fn no_story_is_left_out() {
    let root = env!("CARGO_MANIFEST_DIR");
    let python = std::fs::read_to_string(format!("{root}/tests/browser/pages.py")).unwrap();
    let (_, listed) = python.split_once("in [\n        (the_second").unwrap();
    let (listed, _) = listed.split_once("    ]").unwrap();
    let stories: Vec<&str> =
        listed.lines().filter_map(|line| line.trim().strip_prefix('(')?.split(',').next()).collect();
    let tests = include_str!("main.rs");
    assert!(stories.len() >= 9, "{stories:?}");
    for story in stories {
        assert!(tests.contains(&format!("play(\"{story}\")")), "{story} has no test");
    }
}

#[test]
fn a_link_shows_the_question_and_a_button_decides() {
    play("a_link_shows_the_question_and_a_button_decides");
}

#[test]
fn a_code_does_the_same_without_a_script() {
    play("a_code_does_the_same_without_a_script");
}
