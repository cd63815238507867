//! The document of the API says what the daemon does: the same paths, the same shapes, and examples that are answers.

use super::pauses_tests::send;
use super::routes_tests::{peopled_site, ready};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Whoever may do it.
fn proof(path: &str, method: &str) -> (&'static str, &'static str) {
    let name = match method {
        "get" => "Bearer bob-has-a-long-token",
        "post" if path.starts_with("/api/v1/approvals") => "Bearer ada-has-a-long-token",
        _ => "Bearer eve-has-a-long-token",
    };
    ("authorization", name)
}

fn document() -> Value {
    serde_json::from_str(super::openapi::DOCUMENT).unwrap()
}

/// Every method of every path of the API that the router takes.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("routes.rs");
    let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", "));
    let routes = routes.filter(|(path, _)| path.starts_with("/api/"));
    let methods = ["get", "post", "put", "delete", "patch", "any"];
    let of = |(path, handlers): (&str, &str)| {
        let takes =
            |method: &&str| handlers.starts_with(&format!("{method}(")) || handlers.contains(&format!(".{method}("));
        // What takes any method looks at it itself.
        let name = |method: &str| if method == "any" { "post".to_owned() } else { method.to_owned() };
        methods.into_iter().filter(takes).map(|method| (path.to_owned(), name(method))).collect::<Vec<_>>()
    };
    routes.flat_map(of).collect()
}

/// The operations of the document, with the parameters of their paths filled in.
fn operations(document: &Value) -> Vec<(String, String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            let mut filled = path.clone();
            for parameters in [&item["parameters"], &operation["parameters"]].into_iter().filter_map(Value::as_array) {
                for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
                    let (name, value) = (parameter["name"].as_str().unwrap(), parameter["example"].as_str().unwrap());
                    filled = filled.replace(&format!("{{{name}}}"), value);
                }
            }
            assert!(!filled.contains('{'), "{method} {path}: a parameter has no example");
            found.push((path.clone(), method.clone(), filled, operation.clone()));
        }
    }
    found
}

/// Whether a value is what the document says of it.
fn fits(document: &Value, content: &Value, value: &Value, what: &str) {
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?}\n{value}");
}

#[test]
fn the_document_has_every_path_of_the_api_and_no_other() {
    let document = document();
    let told: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(path, method, ..)| (path, method)).collect();
    assert_eq!(told, routes());
    let ids: BTreeSet<String> =
        operations(&document).iter().map(|(.., operation)| operation["operationId"].to_string()).collect();
    assert_eq!(ids.len(), told.len(), "each has a name of its own");
}

#[tokio::test]
async fn its_examples_are_what_the_daemon_answers_and_its_shapes_hold_for_them() {
    let (document, json) = (document(), ("content-type", "application/json"));
    let (mut told, mut answered) = (Map::new(), Map::new());
    for (path, method, filled, operation) in operations(&document) {
        // Their tests are beside them.
        if matches!(&*path, "/api/v1/stream" | "/api/v1/slack/interactive") {
            continue;
        }
        let site = peopled_site(None);
        site.condition.send_replace(ready());
        let (key, line) = (format!("{} {path}", method.to_uppercase()), format!("{} {filled}", method.to_uppercase()));
        let request = &operation["requestBody"]["content"]["application/json"];
        let body = request["example"].clone();
        assert_eq!(body.is_null(), request.is_null(), "{key}: a body has an example");
        if !body.is_null() {
            fits(&document, request, &body, &key);
        }
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, mut answer) =
            send(&site.router, &line, ("192.0.2.7", &[json, proof(&path, &method)]), text.clone()).await;
        assert_eq!(status, 200, "{key}: {answer}");
        let content = &operation["responses"]["200"]["content"]["application/json"];
        fits(&document, content, &answer, &key);
        // What differs from one moment to the next.
        for changing in ["uptime_seconds", "delivery"] {
            if let Some(value) = answer.get_mut(changing) {
                *value = if value.is_number() { json!(0) } else { json!("0") };
            }
        }
        if key != "GET /api/v1/openapi.json" {
            told.insert(key.clone(), content["example"].clone());
            answered.insert(key.clone(), answer);
        }
        if operation["responses"].get("401").is_some() {
            let wrong = ("authorization", "Bearer of-somebody-else-altogether");
            let (status, answer) = send(&site.router, &line, ("192.0.2.7", &[json, wrong]), text).await;
            // The webhook's senders are others.
            assert!(status == 401 || path == "/api/v1/webhook", "{key}: {status} {answer}");
            if status == 401 {
                let content = &operation["responses"]["401"]["content"]["application/json"];
                fits(&document, content, &answer, &key);
            }
        }
    }
    let answers = Value::from(answered);
    assert!(Value::from(told) == answers, "the document has other examples than these answers:\n{answers}");
}
