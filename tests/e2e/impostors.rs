//! Whoever is not who they seem: names that look like another one, identities that nobody has proved, and one person who comes
//! by every way.

use crate::house::{FORM, House, PROXY, form_token};
use crate::http::Answer;

/// What looks like `ada` to somebody: in another case, with letters of other alphabets, full width, composed, with what
/// nobody sees.
const ALIKE: [&str; 8] =
    ["Ada", "ADA", "\u{430}da", "\u{ff41}\u{ff44}\u{ff41}", "a\u{200b}da", "ad\u{e1}", "ada\u{301}", "\u{202e}ada"];

/// `approve` on the page, as whom these headers name.
fn as_named(house: &House, headers: &[(&str, &str)]) -> Answer {
    house.vote_on_page(headers, "approve")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_like_somebody_is_nobody_by_every_way() {
    let house = House::new("127.0.0.1");
    let (before, origin) = (house.state(), house.origin());
    for alike in ALIKE {
        let shown = as_named(&house, &[("Remote-User", alike), PROXY]);
        assert_eq!(shown.status, 401, "{alike:?} by a proxy: {shown:?}");
        let pressed = house.press(alike, "approve");
        assert_eq!(pressed.status, 403, "{alike:?} by a link that is signed for them: {pressed:?}");
        let encoded: String = alike.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("name={encoded}&password=t0ken-of-ada-long-enough");
        let entered = house.send("POST /login", &[FORM, ("Origin", &origin)], &body);
        assert_eq!((entered.status, entered.header("set-cookie")), (401, None), "{alike:?}: {entered:?}");
    }
    for alike in ["u0ada", "U0\u{410}DA", "U0ADA\u{200b}", "U0ADA ", "\u{ff35}0ADA", "U0ADA\u{301}", "UOADA"] {
        let said = house.click(alike, "sickbay_approve");
        assert!(said.contains("does not know you"), "{alike:?}: {said}");
    }
    assert!(house.state() == before, "{}", house.sickbay.story());
    assert!(house.click("U0ADA", "sickbay_approve").contains("counted: 1 of 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_a_header_is_believed_of_a_proxy_alone_and_only_if_it_is_one() {
    let ada = ("Remote-User", "ada");
    // From here, with the right secret, where the proxy is elsewhere.
    let house = House::new("127.0.0.2");
    let before = house.state();
    let told = as_named(&house, &[ada, PROXY]);
    assert_eq!((told.status, form_token(&told)), (401, None), "{told:?}");
    assert!(0.5 < house.sickbay.metric("sickbay_web_identities_ignored_total"), "it is counted");
    assert!(house.state() == before, "{}", house.sickbay.story());
    drop(house);

    let house = House::new("127.0.0.1");
    let before = house.state();
    let wrong = ("X-Proxy-Secret", "c4nary-of-the-proxy-0124");
    for headers in [
        &[ada][..],
        &[ada, wrong],
        &[ada, PROXY, PROXY],
        &[ada, wrong, PROXY],
        &[ada, ("X_Proxy_Secret", PROXY.1)],
        &[("Remote_User", "ada"), PROXY],
        &[("Remote-User ", "ada"), PROXY],
        &[("X-Remote-User", "ada"), PROXY],
        &[("X-Forwarded-User", "ada"), PROXY],
        &[ada, ("Remote-User", "eve"), PROXY],
        &[("REMOTE-USER", "eve"), ada, PROXY],
        &[ada, ada, PROXY],
        &[("Remote-User", "ada, eve"), PROXY],
        &[("Remote-User", "ada,"), PROXY],
        &[("Remote-User", "\"ada\""), PROXY],
        &[("Remote-User", ""), PROXY],
    ] {
        let told = as_named(&house, headers);
        assert!([400, 401].contains(&told.status), "{headers:?}: {told:?}");
    }
    assert!(house.state() == before, "{}", house.sickbay.story());
    // Headers are the same in any case.
    let told = as_named(&house, &[("REMOTE-USER", "ada"), PROXY]);
    assert!(told.status == 200 && told.body.contains("counted: 1 of 2"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_by_every_way_is_one_and_a_no_ends_it_for_all() {
    let house = House::new("127.0.0.1");
    let (cookie, _) = house.session("ada");
    let (session, proxy) = ([("Cookie", &*cookie)], [("Remote-User", "ada"), PROXY]);
    let all = || {
        let pages = [&session[..], &proxy].map(|headers| as_named(&house, headers));
        let others = [house.vote_by_api(("ada", "approve")), house.press("ada", "approve")];
        (pages, others, house.click("U0ADA", "sickbay_approve"))
    };
    for _ in 0..2 {
        let (pages, others, click) = all();
        for answer in pages.iter().chain(&others) {
            assert!(answer.status == 200 && answer.body.contains("1 of 2"), "{answer:?}");
        }
        assert!(click.contains("counts once: 1 of 2"), "{click}");
    }
    let votes = house.sickbay.records_of("approval.vote");
    assert_eq!((votes.len(), &votes[0]["by"]), (1, &"ada".into()), "{votes:?}");

    // Bob sees the mistake; then nobody's yes counts, by whatever way it comes.
    assert!(house.click("U0BOB", "sickbay_deny").contains("denied"));
    assert_eq!(house.sickbay.verdict_of(1), "denied", "{}", house.sickbay.story());
    let (pages, others, click) = all();
    for answer in pages.iter().chain(&others) {
        assert!([404, 409].contains(&answer.status), "{answer:?}");
    }
    assert!(click.contains("decided before"), "{click}");
    assert!([404, 409].contains(&house.vote_by_api(("bob", "approve")).status));
    assert_eq!(house.sickbay.records_of("approval.vote").len(), 2);
    assert_eq!(house.docker.count("POST", "/restart"), 0);
}
