//! The page of one incident of the real daemon.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::json;

const HTML: (&str, &str) = ("Accept", "text/html");

fn page(sickbay: &Sickbay, id: &str) -> String {
    let answer = request(sickbay.port, &format!("GET /incidents/{id}"), &[HTML], "").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self'"));
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_shown_with_the_playbook_as_it_was_whatever_is_loaded_by_now() {
    let docker = engine();
    let sickbay = Sickbay::running(DOWN, &settings(&docker));
    let evil = "<script>alert(1)</script>";
    let mut alert = firing(&json!({"alertname": "Down", "container": "web", "instance": evil}));
    alert["generatorURL"] = "http://prometheus.example/graph?g0.expr=up".into();
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
    let opened = sickbay.wait_for("alert.received", 1).remove(0);
    let id = opened["inc"].as_str().unwrap();
    assert!(opened["playbook_text"].as_str().unwrap().starts_with("name: down\n"), "{opened}");
    sickbay.wait_for("incident.closed", 1);

    let as_it_was = page(&sickbay, id);
    for want in [
        "It is loaded with this text now.",
        "- restart: {stop_timeout: 0s}\n",
        "<li><code>budget</code> yes</li>",
        "<dt>sends</dt><dd>POST &#x2f;containers&#x2f;",
        "<a href=\"http:&#x2f;&#x2f;prometheus.example&#x2f;graph?g0.expr=up\"",
        "instance=&quot;&lt;script&gt;alert(1)&lt;&#x2f;script&gt;&quot;",
    ] {
        assert!(as_it_was.contains(&want.replace("&quot;", "\"")) || as_it_was.contains(want), "{want}: {as_it_was}");
    }
    assert!(!as_it_was.contains(evil), "{as_it_was}");

    sickbay.write(&DOWN.replace("- restart: {stop_timeout: 0s}", "- wait: 1s"), &settings(&docker));
    assert_eq!(request(sickbay.port, "POST /-/reload", &[], "").unwrap().status, 200);
    let today = firing(&json!({"alertname": "Down", "container": "web", "instance": "another"}));
    assert_eq!(sickbay.post(&notification(&[today])).status, 200);
    let second = sickbay.wait_for("alert.received", 2).remove(1);
    let of_today = page(&sickbay, second["inc"].as_str().unwrap());
    assert!(of_today.contains("- wait: 1s\n") && of_today.contains("It is loaded with this text now."), "{of_today}");
    let later = page(&sickbay, id);
    assert!(later.contains("It has changed since.") && later.contains("- restart: {stop_timeout: 0s}\n"), "{later}");
    assert!(!later.contains("- wait: 1s"), "{later}");
    // For programs it stays what it was.
    let plain = request(sickbay.port, &format!("GET /incidents/{id}"), &[], "").unwrap();
    assert!(
        plain.body.contains("every gate said yes") && plain.header("content-type").unwrap().starts_with("text/plain")
    );
}
