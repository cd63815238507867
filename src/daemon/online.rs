//! For `check --online`: does what settings and playbooks name exist? It asks Docker, knocks where notices go, and asks the
//! Alertmanagers how they are. It sends no message and changes nothing: it holds a `Reader`, and a `Prober` whose calls name
//! nothing that exists.
//!
//! Only what is written out can be asked about: a target that an alert names is known when the alert comes. Read [`ask`].

use super::parts;
use super::permits::{self, Permits};
use crate::docker::{Reader, resolve};
use crate::engine::{may_be_treated, service_may_be_treated};
use crate::model::container::TargetReport;
use crate::model::owner::{OwnerLabels, unreadable};
use crate::model::permission::{Grant, Need, Why, missing};
use crate::model::reason::Reason;
use crate::model::step::HealthGoal;
use crate::model::target::{ComposeService, ContainerName, Selector, TargetQuery};
use crate::playbook::definition::{Playbook, Step, Verb, Which};
use crate::playbook::template::Template;
use crate::settings::{DockerHost, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that is not there, or not as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What the settings name.
    Setting {
        /// The key, such as `notifiers[0].http.url`.
        key: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// What a playbook names.
    Playbook {
        /// Which.
        name: Arc<str>,
        /// The key that names it.
        key: &'static str,
        /// Such as `online.missing`.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: &'static str,
    },
}

/// Asks about everything, on a runtime of its own.
///
/// # Errors
/// If nothing can be asked at all.
pub fn ask(settings: &Settings, playbooks: &[Playbook]) -> Result<Vec<Finding>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let mut findings = docker(settings, playbooks).await;
        findings.extend(notifiers(settings).await);
        findings.extend(alertmanagers(settings).await);
        Ok(findings)
    })
}

fn setting(key: impl Into<String>, message: String) -> Finding {
    Finding::Setting { key: key.into(), message }
}

async fn docker(settings: &Settings, playbooks: &[Playbook]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, host) in settings.docker.hosts.iter().enumerate() {
        let key =
            if settings.docker.hosts.len() == 1 { "docker.hosts".to_owned() } else { format!("docker.hosts[{index}]") };
        let reader = match parts::endpoint(host) {
            Ok(endpoint) => Reader::new(&endpoint, None).with_label_prefix(settings.labels.prefix.as_deref()),
            Err(error) => {
                findings.push(setting(key, error));
                continue;
            }
        };
        if let Err(error) = reader.version().await {
            findings.push(setting(key, format!("{error}; no target was looked for")));
            continue;
        }
        findings.extend(denied((settings, host), &key, playbooks).await);
        let here = |playbook: &&Playbook| playbook.enabled && host_of(settings, playbook) == Some(&*host.name);
        findings.extend(targets(settings, &reader, playbooks.iter().filter(here)).await);
    }
    findings
}

/// The host a playbook's target is on, if no alert is needed to know it.
fn host_of<'a>(settings: &'a Settings, playbook: &'a Playbook) -> Option<&'a str> {
    match playbook.target.as_ref()?.host.as_ref() {
        None => settings.docker.hosts.first().map(|host| &*host.name),
        Some(template) => template.literal().map(str::trim),
    }
}

async fn targets<'a>(
    settings: &Settings,
    reader: &Reader,
    playbooks: impl Iterator<Item = &'a Playbook>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Several playbooks may mean the same container.
    let mut seen: BTreeMap<String, TargetReport> = BTreeMap::new();
    for playbook in playbooks {
        let Some(query) = written_out(playbook) else { continue };
        let named = query.to_string();
        if !seen.contains_key(&named) {
            seen.insert(named.clone(), resolve(reader, &query).await);
        }
        if let Some(report) = seen.get(&named) {
            findings.extend(judge(settings, playbook, (&named, report)));
        }
    }
    findings
}

/// What the playbooks need and a proxy denies: for each playbook and each of its keys, all calls at once.
async fn denied((settings, host): (&Settings, &DockerHost), at: &str, playbooks: &[Playbook]) -> Vec<Finding> {
    let permits = match Permits::new(host, settings.dry_run, None) {
        Ok(permits) => permits,
        Err(error) => return vec![setting(at, error)],
    };
    let needs = permits::needed_at(settings, &host.name, playbooks);
    let needs: Vec<Need> = needs.into_iter().filter(|need| !need.optional).collect();
    let grants = permits.ask(&needs).await;
    let unknown = grants.iter().find_map(|(call, grant)| match grant {
        Grant::Unknown(why) if call.writes() => Some(why.clone()),
        Grant::Unknown(_) | Grant::Allowed | Grant::Denied => None,
    });
    let mut calls: BTreeMap<(Arc<str>, &'static str), Vec<String>> = BTreeMap::new();
    for need in missing(&needs, &grants) {
        for Why { playbook, what, optional } in &need.why {
            let Some(playbook) = playbook.as_ref().filter(|_| !optional) else { continue };
            let call = format!("{} {}", need.call.method(), need.call.shown());
            calls.entry((Arc::clone(playbook), what)).or_default().push(call);
        }
    }
    let place = |name: &str| playbooks.iter().position(|playbook| &*playbook.name == name);
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_by_key(|((name, _), _)| place(name));
    let told = calls.into_iter().map(|((name, key), calls)| Finding::Playbook {
        name,
        key,
        code: "online.denied",
        message: format!("the socket proxy or an authorization plugin denies what `{key}` needs: {}", calls.join(", ")),
        hint: "allow it there: `sickbay permissions` prints how",
    });
    told.chain(unknown.map(|why| setting(at, format!("{why}; what may be changed there is not known")))).collect()
}

/// The target, if no alert is needed to know it.
fn written_out(playbook: &Playbook) -> Option<TargetQuery> {
    let literal = |template: &Template| template.literal().map(str::to_owned);
    match &playbook.target.as_ref()?.which {
        Which::Container(name) => ContainerName::parse(&literal(name)?).ok().map(TargetQuery::Name),
        Which::Compose { project, service } => {
            let (project, service) = (literal(project)?, literal(service)?);
            if playbook.treats_a_service() {
                return ComposeService::parse(&format!("{project}/{service}")).map(TargetQuery::ComposeService);
            }
            Some(TargetQuery::Compose { project, service })
        }
        Which::Selector { labels, max } => {
            let labels = labels.iter().map(|(label, value)| Some((label.clone(), literal(value)?)));
            let (only, besides) = (None, Vec::new());
            Some(TargetQuery::Selector(Selector { labels: labels.collect::<Option<_>>()?, max: *max, only, besides }))
        }
        Which::Service(name) => ContainerName::parse(&literal(name)?).ok().map(TargetQuery::Service),
    }
}

fn judge(settings: &Settings, playbook: &Playbook, (named, report): (&str, &TargetReport)) -> Vec<Finding> {
    let finding = |(code, hint): (&'static str, &'static str), key, message: String| Finding::Playbook {
        name: Arc::clone(&playbook.name),
        key,
        code,
        message,
        hint,
    };
    let labels = |labels: &OwnerLabels| {
        let hint = "correct it, or remove it, where the container or the service is made";
        let told = unreadable(labels).into_iter().map(move |why| (("online.label", hint), why));
        told.map(|(what, why)| finding(what, "target", why)).collect::<Vec<_>>()
    };
    let not_treatable = |why| {
        let hint = "change its labels or `docker.protect`, or choose another target";
        finding(("online.not-treatable", hint), "target", why)
    };
    match report {
        TargetReport::Found(view) | TargetReport::Several { first: view, .. } => {
            let container = &view.container;
            let mut findings = labels(&container.labels);
            if let Some(why) = refusal(playbook, |action| may_be_treated(&settings.policy(), container, action)) {
                findings.push(not_treatable(why));
            }
            if container.health.is_none() && steps(playbook).any(asks_for_health) {
                let message = format!("{} has no health check, so it never becomes healthy", container.name);
                let hint = "give it a HEALTHCHECK, or leave `health` out";
                findings.push(finding(("online.no-health-check", hint), "health", message));
            }
            findings
        }
        TargetReport::FoundService(service) => {
            let why = refusal(playbook, |action| service_may_be_treated(&settings.policy(), service, action));
            labels(&service.labels).into_iter().chain(why.map(not_treatable)).collect()
        }
        TargetReport::Missing => {
            let message = format!("Docker knows no {named}");
            vec![finding(("online.missing", "correct the name, or start it"), "target", message)]
        }
        TargetReport::Ambiguous(names) => {
            let message = format!("{named} is {} containers: {}", names.len(), names.join(", "));
            vec![finding(("online.ambiguous", "name one of them with `container`"), "target", message)]
        }
        TargetReport::NoManager(why) => {
            let message =
                format!("{named} cannot be looked for, because the Docker host does not manage a swarm: {why}");
            let hint = "let sickbay talk to a manager, or start Swarm: `docker swarm init`";
            vec![finding(("online.no-swarm-manager", hint), "target", message)]
        }
        // What is denied has been reported by the calls that are.
        TargetReport::Denied(_) => Vec::new(),
        TargetReport::Unavailable(why) => {
            let message = format!("Docker did not say anything about {named}: {why}");
            let hint = "check that Docker answers, and that a socket proxy lets the question pass";
            vec![finding(("online.unknown", hint), "target", message)]
        }
    }
}

/// Why one of the playbook's actions would be refused on its target.
fn refusal(playbook: &Playbook, may: impl Fn(&str) -> Result<(), (Reason, String)>) -> Option<String> {
    let acts = steps(playbook).filter(|step| step.verb.acts());
    acts.filter_map(|step| may(step.verb.word()).err()).map(|(_, why)| why).next()
}

fn steps(playbook: &Playbook) -> impl Iterator<Item = &Step> {
    playbook.attempts.iter().flat_map(|attempt| &attempt.steps)
}

fn asks_for_health(step: &Step) -> bool {
    matches!(&step.verb, Verb::Verify(verify) if verify.spec.health == HealthGoal::Healthy)
}

/// Knocks at each, in the order of the settings.
async fn notifiers(settings: &Settings) -> Vec<Finding> {
    let made = match parts::notifiers(settings) {
        Ok(made) => made,
        Err(error) => return vec![setting("notifiers", error)],
    };
    let mut findings = Vec::new();
    for (index, notifier) in settings.notifiers.iter().enumerate() {
        let Some(way) = made.get(&notifier.name) else { continue };
        if let Err(why) = way.knock().await {
            let key = format!("notifiers[{index}].{}", notifier.to.as_str());
            findings.push(setting(key, format!("`{}` cannot be told anything: {why}", notifier.name)));
        }
    }
    findings
}

async fn alertmanagers(settings: &Settings) -> Vec<Finding> {
    let metrics = parts::metrics(0.0);
    let witnesses = match parts::alertmanagers(settings, &metrics) {
        Ok(witnesses) => witnesses,
        Err(error) => return vec![setting("alertmanagers", error)],
    };
    let answers = witnesses.how_are_they().await.into_iter().enumerate();
    let silent = answers.filter_map(|(index, answer)| answer.err().map(|why| (index, why)));
    silent.map(|(index, why)| setting(format!("alertmanagers[{index}].url"), why)).collect()
}
