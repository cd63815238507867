//! A plan as people read it: on what, every step, and with which numbers and addresses.

use crate::engine::limits;
use crate::model::action::TargetIdent;
use crate::model::container::Container;
use crate::model::duration::format_duration;
use crate::model::redact::clean;
use crate::model::resources::{self, mebibytes};
use crate::model::service::Service;
use crate::playbook::definition::{HttpSpec, LimitsSpec, Playbook, RaiseCpus, RaiseMemory, ScaleChange, Step, Verb};
use crate::playbook::template::Template;
use minijinja::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How much of an address is shown, in bytes.
const URL_LEN_MAX: usize = 2048;

/// What only the steps before it tell: an address that names it cannot be known yet.
const NOT_YET: [&str; 4] = ["steps", "failed", "approval", "diagnosis"];

/// The digits of a body's digest that are shown.
const DIGEST_DIGITS: usize = 12;

/// What the words are made from.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// What templates see.
    pub(super) values: &'a Value,
    /// The container as Docker shows it now.
    pub(super) container: Option<&'a Container>,
    /// The service as Docker shows it now.
    pub(super) service: Option<&'a Service>,
}

impl Known<'_> {
    /// Steps, and on what they are done.
    pub(super) fn plan(self, steps: &[Step], target: Option<&TargetIdent>) -> String {
        let steps = if steps.is_empty() {
            "nothing more".to_owned()
        } else {
            steps.iter().map(|step| self.step(step)).collect::<Vec<_>>().join("; ")
        };
        let Some(target) = target else { return steps };
        let image = self.container.map(|container| &*container.image).filter(|image| *image != target.image_id);
        let image = image.map(|image| format!("{image}, ")).unwrap_or_default();
        let (name, id, image_id) = (&target.name, target.id.short(), &target.image_id);
        format!("on {name} ({id}, image {image}{image_id}): {steps}")
    }

    /// What follows the end of the alert belongs to what people agree to: nobody is asked again then.
    pub(super) fn afterwards(self, playbook: &Playbook) -> String {
        match playbook.on_resolved.as_slice() {
            [] => String::new(),
            // What the target is like by then nobody knows.
            steps => {
                let later = Known { container: None, service: None, ..self };
                format!("; when the alert has ended: {}", later.plan(steps, None))
            }
        }
    }

    fn step(self, step: &Step) -> String {
        let word = step.verb.word();
        match &step.verb {
            Verb::Restart(spec) => {
                let also = if spec.start_if_stopped { " (started if it is stopped)" } else { "" };
                format!("{}{also}", with_time(word, spec.stop_timeout))
            }
            Verb::Stop(spec) => with_time(word, spec.stop_timeout),
            Verb::Scale(spec) => {
                let change = match spec.change {
                    ScaleChange::By(by) => format!("by {by}"),
                    ScaleChange::To(to) => format!("to {to}"),
                    ScaleChange::ToOriginal => "back to what it was".to_owned(),
                };
                let most = spec.max.map(|max| format!(", at most {max}")).unwrap_or_default();
                format!("{word} {change} (at least {}{most})", spec.min)
            }
            Verb::UpdateLimits(spec) => format!("{word}: {}", self.limits(spec)),
            Verb::Rollback(_) => self.images().map_or_else(|| word.to_owned(), |images| format!("{word} {images}")),
            Verb::Http(spec) => {
                let body = if spec.body.is_some() { ", with a body" } else { "" };
                format!("{word} {}{body}", self.request(spec))
            }
            Verb::Wait(span) => format!("{word} {}", format_duration(*span)),
            Verb::Notify(spec) => format!("{word} {}", spec.to.join(", ")),
            Verb::Capture(_) | Verb::Start | Verb::Verify(_) | Verb::Approve(_) | Verb::PausePlaybook(_) => {
                word.to_owned()
            }
        }
    }

    /// From which image to which, where the service is there to see.
    fn images(self) -> Option<String> {
        let service = self.service?;
        let previous = service.previous.as_ref()?;
        let (from, to) = (&service.image, &previous.image);
        Some(match &previous.change {
            Some(change) => format!("from {from} ({}) to {} ({to})", change.image_id, change.name),
            None => format!("from {from} to {to}"),
        })
    }

    /// A request to another system: how, and where to, as it will be sent, without secrets.
    pub(super) fn request(self, spec: &HttpSpec) -> String {
        let (method, source) = (spec.method, spec.url.source());
        match spec.url.render(self.values) {
            Ok(url) if names_later_steps(spec) => {
                let (url, source) = (clean(&url, URL_LEN_MAX), clean(source, URL_LEN_MAX));
                format!("{method} {url} (as far as it is known now, from {source})")
            }
            Ok(url) => format!("{method} {}", clean(&url, URL_LEN_MAX)),
            Err(_not_yet) => format!("{method} {}", clean(source, URL_LEN_MAX)),
        }
    }

    /// The same, with the length and the digest of what is sent along. The body itself may hold anything.
    pub(super) fn request_with_body(self, spec: &HttpSpec) -> String {
        let request = self.request(spec);
        let Some(body) = &spec.body else { return request };
        let is_known = !names_later(body);
        match body.render(self.values).ok().filter(|_| is_known) {
            Some(body) => {
                let digest: String = hex::encode(Sha256::digest(&body)).chars().take(DIGEST_DIGITS).collect();
                format!("{request} with a body of {} bytes (SHA-256 {digest}…)", body.len())
            }
            None => format!("{request} with a body that is not known yet"),
        }
    }

    /// From which limits to which where the container is there to see, and by which rule.
    pub(super) fn limits(self, spec: &LimitsSpec) -> String {
        let LimitsSpec::Raise { memory: more, cpus } = *spec else {
            return "the limits from before the run".to_owned();
        };
        let memory =
            more.map(|RaiseMemory { factor, max }| format!("memory x {factor}, to {} at most", mebibytes(max)));
        let cpu = cpus.map(|RaiseCpus { factor, max }| {
            format!("CPUs x {factor}, to {} at most", resources::cpus(limits::billionths(max)))
        });
        let rule = memory.into_iter().chain(cpu).collect::<Vec<_>>().join(", ");
        let exact = self
            .container
            .and_then(|container| limits::more((more, cpus), container).ok())
            .map(|change| change.words());
        exact.filter(|words| !words.is_empty()).map_or_else(|| rule.clone(), |exact| format!("{exact} ({rule})"))
    }
}

fn names_later_steps(spec: &HttpSpec) -> bool {
    spec.url.templates().any(names_later)
}

fn names_later(template: &Template) -> bool {
    let is_later = |path: &String| NOT_YET.contains(&path.split('.').next().unwrap_or_default());
    template.references().iter().any(is_later)
}

fn with_time(word: &str, stop_timeout: Option<Duration>) -> String {
    stop_timeout.map_or_else(|| word.to_owned(), |span| format!("{word} with {} to stop", format_duration(span)))
}
