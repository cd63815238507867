//! A URL of a playbook: what of it is written out, and where values may stand.
//!
//! Alert text never becomes a scheme, a host or a port: those are written out. In path and query, values are
//! percent-encoded, so that none of them adds a segment or a parameter. Read [`UrlTemplate::parse`] first.

use super::template::{Template, TemplateError};
use crate::model::link_local::{address_of, is_link_local};
use minijinja::Value;

/// The only value that a host may be, where a playbook looks at its target: Docker's name of the container, which has
/// been found, has consented, and holds nothing but letters, digits, `_`, `.` and `-`.
const TARGET_NAME: &str = "{{ target.name }}";

/// What opens something to be filled in.
const OPENINGS: [&str; 3] = ["{{", "{%", "{#"];

/// A URL with values in its path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate {
    source: String,
    /// Scheme, host and port.
    origin: Template,
    /// Path and query; `None` if the URL ends before.
    rest: Option<Template>,
}

impl UrlTemplate {
    /// Checks a URL. `of_target`: whether the host may be `{{ target.name }}`.
    ///
    /// # Errors
    /// [`TemplateError`] with the place: no `http://` or `https://`, a value where none may be, user names, white space,
    /// or whatever is wrong with a template.
    pub fn parse(source: &str, roots: &[&str], of_target: bool) -> Result<Self, TemplateError> {
        let wrong = |message: String, span: Option<(usize, usize)>| TemplateError { message, span };
        let scheme = ["http://", "https://"].into_iter().find(|scheme| source.starts_with(scheme));
        let Some(scheme) = scheme else {
            return Err(wrong("a URL starts with `http://` or `https://`, written out".to_owned(), None));
        };
        let masked = source.replace(TARGET_NAME, &"x".repeat(TARGET_NAME.len()));
        let after = masked.get(scheme.len()..).unwrap_or_default();
        let end = scheme.len() + after.find(['/', '?', '#']).unwrap_or(after.len());
        let authority = source.get(scheme.len()..end).unwrap_or_default();
        let place = Some((scheme.len(), end));
        let named = if of_target { authority.replace(TARGET_NAME, "target") } else { authority.to_owned() };
        if OPENINGS.iter().any(|opening| named.contains(opening)) {
            let may =
                if of_target { format!("; of all values only `{TARGET_NAME}` may be one") } else { String::new() };
            return Err(wrong(format!("host and port are written out{may}"), place));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if named.is_empty() || !named.chars().all(plain) {
            let message =
                "this is no host with or without a port; user names and passwords do not belong into a playbook";
            return Err(wrong(message.to_owned(), place));
        }
        if let Some(message) = not_callable(&named) {
            return Err(wrong(message, place));
        }
        let rest = source.get(end..).unwrap_or_default();
        if let Some(at) = outside_of_tags(rest, |c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("a URL holds no white space".to_owned(), Some((end + at, end + at + 1))));
        }
        let shift =
            |error: TemplateError| TemplateError { span: error.span.map(|(from, to)| (from + end, to + end)), ..error };
        let origin = Template::parse(source.get(..end).unwrap_or_default(), roots)?;
        let rest = if rest.is_empty() { None } else { Some(Template::parse(rest, roots).map_err(shift)?) };
        Ok(Self { source: source.to_owned(), origin, rest })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The templates it is made of.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.origin).chain(&self.rest)
    }

    /// Fills in the values, percent-encoded but for the host.
    ///
    /// # Errors
    /// [`TemplateError`] if a value is missing or the template does too much work.
    pub fn render(&self, values: &Value) -> Result<String, TemplateError> {
        let mut url = self.origin.render(values)?;
        if let Some(rest) = &self.rest {
            url.push_str(&rest.render_percent_encoded(values)?);
        }
        Ok(url)
    }
}

/// What is wrong with host and port, both written out.
fn not_callable(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, rest))) => match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Some(format!("this is no host: {authority}")),
            port => (host, port),
        },
        Some(None) => return Some("the address is not closed with `]`".to_owned()),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let bad_port = |port: &&str| !port.is_empty() && !port.parse().is_ok_and(|port: u16| port != 0);
    if let Some(port) = port.filter(bad_port) {
        return Some(format!("`{port}` is no port; ports are numbers from 1 to 65535"));
    }
    let barred = address_of(host).is_some_and(is_link_local);
    barred.then(|| format!("{host} is a link-local address, which sickbay does not call"))
}

/// The first such character that is literal text.
fn outside_of_tags(text: &str, is: impl Fn(char) -> bool) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let tag = OPENINGS.iter().filter_map(|opening| rest.find(opening)).min();
        let literal = rest.get(..tag.unwrap_or(rest.len()))?;
        if let Some(at) = literal.find(&is) {
            return Some(from + at);
        }
        let tag = rest.get(tag?..)?;
        let close = ["}}", "%}", "#}"].iter().filter_map(|close| tag.find(close)).min()?;
        from += literal.len() + close + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    const ROOTS: [&str; 2] = ["labels", "target"];

    #[test]
    fn values_stand_in_path_and_query_alone_and_cannot_leave_them() {
        let values = context! {
            labels => context! { job => "a/b?c=d&e#f ü%", host => "evil.example" },
            target => context! { name => "web-1" },
        };
        for (source, want) in [
            ("http://api:8080", "http://api:8080"),
            ("https://api.example/x/{{ labels.job }}", "https://api.example/x/a%2Fb%3Fc%3Dd%26e%23f%20%C3%BC%25"),
            ("http://api/?a=1&job={{ labels.job|upper }}", "http://api/?a=1&job=A%2FB%3FC%3DD%26E%23F%20%C3%9C%25"),
            ("http://{{ target.name }}:8080/healthz", "http://web-1:8080/healthz"),
            ("http://[::1]:80/{% if labels.job == 'x' %}y{% endif %}", "http://[::1]:80/"),
        ] {
            let url = UrlTemplate::parse(source, &ROOTS, true).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(url.render(&values).unwrap(), want, "{source}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused_at_its_place() {
        for (source, of_target, place) in [
            ("{{ labels.url }}", true, None),
            ("ftp://api/", true, None),
            ("//api/", true, None),
            ("http://", true, Some((7, 7))),
            ("http://{{ labels.host }}/", true, Some((7, 24))),
            ("http://api:{{ labels.port }}/", true, Some((7, 28))),
            ("http://{{ target.name }}/", false, Some((7, 24))),
            ("http://api{% if true %}.evil{% endif %}/", true, Some((7, 39))),
            ("http://user:secret@api/", true, Some((7, 22))),
            ("http://api\\@evil/", true, Some((7, 16))),
            ("http://api/a b", true, Some((12, 13))),
            ("http://x:99999/y", true, Some((7, 14))),
            ("http://x:0/y", true, Some((7, 10))),
            ("http://x:8o/y", true, Some((7, 11))),
            ("http://[::1]:70000/", true, Some((7, 18))),
            ("http://[::1/", true, Some((7, 11))),
            ("http://169.254.169.254/", true, Some((7, 22))),
            ("http://[fe80::1]:80/", true, Some((7, 19))),
            ("http://2852039166/", true, Some((7, 17))),
            ("http://api/{{ targt.name }}", true, Some((14, 19))),
        ] {
            let error = UrlTemplate::parse(source, &ROOTS, of_target).expect_err(source);
            assert_eq!(error.span, place, "{source}: {error}");
        }
    }
}
