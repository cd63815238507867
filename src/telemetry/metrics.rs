//! Every metric sickbay has, as methods that take plain values.
//!
//! Labels are bounded: names from the settings and the rules, codes from closed lists; never a container, a fingerprint
//! or a person. A metric is never read back to decide anything. [`Metrics`] is the type to read first.

use super::exposition;
use super::process::Process;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

type FloatGauge = Gauge<f64, AtomicU64>;

/// Of what is there only once it was set.
type NoLabels = [(&'static str, &'static str); 0];

/// Which build is running.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BuildInfo {
    /// The version, as in `--version`.
    pub version: String,
    /// The commit it was built from.
    pub revision: String,
    /// The compiler that built it.
    pub rustversion: String,
}

macro_rules! label_sets {
    ($($name:ident { $($label:ident: $kind:ty),+ })*) => {
        $(
            #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
            struct $name { $($label: $kind),+ }
        )*
    };
}

label_sets! {
    Code { code: u16 }
    Status { status: &'static str }
    PlaybookResult { playbook: String, result: &'static str }
    Run { playbook: String, outcome: &'static str, dry_run: bool }
    ActionOutcome { action: &'static str, outcome: &'static str }
    Action { action: &'static str }
    PlaybookReason { playbook: String, reason: &'static str }
    PlaybookCause { playbook: String, cause: &'static str }
    DockerRequest { host: String, operation: &'static str, code: String }
    DockerCall { host: String, operation: &'static str }
    DockerHost { host: String }
    AlertmanagerRequest { operation: &'static str, code: String }
    PlaybookOutcome { playbook: String, outcome: &'static str }
    NotifierOutcome { notifier: String, outcome: &'static str }
    Scope { scope: &'static str }
    Clicked { outcome: &'static str }
}

/// Makes the histograms of [`Metrics::action_ended`]: a restart takes between a tenth of a second and ten minutes.
#[derive(Clone, Debug)]
struct ActionBuckets;

impl MetricConstructor<Histogram> for ActionBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new([0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0])
    }
}

/// All metrics. Cheap to update from anywhere; share it in an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    webhook: WebhookMetrics,
    runs: RunMetrics,
    log: LogMetrics,
    docker_requests: Family<DockerRequest, Counter>,
    docker_calls_allowed: Family<DockerCall, Gauge>,
    alertmanager_requests: Family<AlertmanagerRequest, Counter>,
    docker_up: Family<DockerHost, Gauge>,
    docker_last_contact: Family<DockerHost, FloatGauge>,
    queue_length: Gauge,
    open_episodes: Gauge,
    incidents_open: Gauge,
    playbooks_loaded: Gauge,
    paused: Family<Scope, Gauge>,
    config_successful: Gauge,
    config_success_timestamp: FloatGauge,
    breakers_open: Gauge,
    storm_frozen: Gauge,
    approvals_pending: Gauge,
}

#[derive(Debug)]
struct WebhookMetrics {
    requests: Family<Code, Counter>,
    alerts: Family<Status, Counter>,
    truncated: Counter,
    identities_ignored: Counter,
    web_config_successful: Family<NoLabels, Gauge>,
    certificate_expires: Family<NoLabels, Gauge>,
    slack_requests: Family<Clicked, Counter>,
    link_requests: Family<Clicked, Counter>,
}

#[derive(Debug)]
struct RunMetrics {
    evaluations: Family<PlaybookResult, Counter>,
    runs: Family<Run, Counter>,
    actions: Family<ActionOutcome, Counter>,
    action_duration: Family<Action, Histogram, ActionBuckets>,
    suppressed: Family<PlaybookReason, Counter>,
    opened: Family<PlaybookCause, Counter>,
    notifications: Family<NotifierOutcome, Counter>,
    approvals: Family<PlaybookOutcome, Counter>,
    approval_wait: Histogram,
}

#[derive(Debug)]
struct LogMetrics {
    written: Counter,
    write_errors: Counter,
    last_write: FloatGauge,
    bytes: Gauge,
    last_seq: Gauge,
    head52: Gauge,
    poisoned: Gauge,
    stalled: Gauge,
}

/// Registers a metric and keeps a handle to it.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl WebhookMetrics {
    fn register(registry: &mut Registry) -> Self {
        Self {
            requests: add(registry, "webhook_requests", "Webhook requests by answer", Family::default()),
            alerts: add(registry, "webhook_alerts", "Alerts received, by their own status", Family::default()),
            truncated: add(
                registry,
                "webhook_truncated_alerts",
                "Alerts that the sender left out because of max_alerts",
                Counter::default(),
            ),
            identities_ignored: add(
                registry,
                "web_identities_ignored",
                "Requests that named a person in the header of proxies and came from no trusted one",
                Counter::default(),
            ),
            web_config_successful: add(
                registry,
                "web_config_last_read_successful",
                "Whether the files of web.config_file were taken as they are now",
                Family::default(),
            ),
            certificate_expires: add(
                registry,
                "web_certificate_expiry_timestamp_seconds",
                "When the certificate ends that clients are shown",
                Family::default(),
            ),
            slack_requests: add(
                registry,
                "slack_requests",
                "Requests that claim to be clicks in Slack, by what became of them",
                Family::default(),
            ),
            link_requests: add(
                registry,
                "link_requests",
                "Requests with a signed link or its code, by what became of them",
                Family::default(),
            ),
        }
    }
}

impl RunMetrics {
    fn register(registry: &mut Registry) -> Self {
        let durations = Family::new_with_constructor(ActionBuckets);
        let decisions = Histogram::new([10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 604_800.0]);
        Self {
            evaluations: add(registry, "evaluations", "Alerts evaluated, by playbook and result", Family::default()),
            runs: add(registry, "runs", "Incidents closed, by verdict", Family::default()),
            actions: add(registry, "actions", "Actions that ended, by outcome", Family::default()),
            action_duration: add(registry, "action_duration_seconds", "How long actions took", durations),
            suppressed: add(registry, "suppressed", "Runs that a gate refused, by reason", Family::default()),
            opened: add(registry, "incidents_opened", "Incidents opened by other incidents", Family::default()),
            approvals: add(registry, "approvals", "Approvals that ended, by outcome", Family::default()),
            approval_wait: add(registry, "approval_wait_seconds", "How long people took to decide", decisions),
            notifications: add(registry, "notifications", "Notices sent, by notifier and outcome", Family::default()),
        }
    }
}

impl LogMetrics {
    fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name, help| add(registry, name, help, Gauge::default());
        let bytes = gauge("incident_log_bytes", "Size of the active segment");
        let last_seq = gauge("incident_log_last_seq", "Number of the last durable record");
        let head52 = gauge("incident_log_head52", "First 52 bits of the hash of the last durable record");
        let poisoned = gauge("incident_log_poisoned", "Whether a failed write has closed the log until a restart");
        let stalled = gauge("incident_log_stalled", "Whether a write to the log is taking too long");
        Self {
            written: add(registry, "incident_log_written", "Records written", Counter::default()),
            write_errors: add(registry, "incident_log_write_errors", "Writes that failed", Counter::default()),
            last_write: add(
                registry,
                "incident_log_last_write_timestamp_seconds",
                "When the last record became durable",
                FloatGauge::default(),
            ),
            bytes,
            last_seq,
            head52,
            poisoned,
            stalled,
        }
    }
}

impl Metrics {
    /// Registers everything. `started_at` is when the process started, in seconds since 1970.
    #[must_use]
    pub fn new(build: &BuildInfo, started_at: f64) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process { started_at }));
        let ours = registry.sub_registry_with_prefix("sickbay");
        let builds =
            add(ours, "build_info", "Always 1; the labels say which build runs", Family::<_, Gauge>::default());
        builds.get_or_create(build).set(1);
        let webhook = WebhookMetrics::register(ours);
        let runs = RunMetrics::register(ours);
        let log = LogMetrics::register(ours);
        let docker_requests = add(ours, "docker_requests", "Docker API calls, by host and answer", Family::default());
        let docker_calls_allowed =
            add(ours, "docker_call_allowed", "Whether a Docker API call gets past the proxies", Family::default());
        let alertmanager_requests =
            add(ours, "alertmanager_requests", "Alertmanager API calls, by answer", Family::default());
        let docker_last_contact =
            add(ours, "docker_last_contact_timestamp_seconds", "When each Docker last answered", Family::default());
        let docker_up =
            add(ours, "docker_up", "Whether each Docker answered the last time it was asked", Family::default());
        let paused = add(ours, "paused", "Pauses that stand, by the kind of what they hold back", Family::default());
        let config_success_timestamp = add(
            ours,
            "config_last_reload_success_timestamp_seconds",
            "When settings and playbooks were last taken",
            FloatGauge::default(),
        );
        let mut gauge = |name, help| add(ours, name, help, Gauge::default());
        Self {
            paused,
            config_success_timestamp,
            config_successful: gauge("config_last_reload_successful", "Whether the last attempt to reload succeeded"),
            breakers_open: gauge("breakers_open", "Targets that nothing is done to because runs did not help"),
            approvals_pending: gauge("approvals_pending", "Plans that people are asked about"),
            storm_frozen: gauge("storm_frozen", "Whether nothing is done because of a storm of alerts"),
            docker_up,
            queue_length: gauge("queue_length", "Events that wait for the dispatcher"),
            open_episodes: gauge("open_episodes", "Alerts whose episode is open"),
            incidents_open: gauge("incidents_open", "Incidents that are open"),
            playbooks_loaded: gauge("playbooks_loaded", "Playbooks that are loaded"),
            webhook,
            runs,
            log,
            docker_requests,
            docker_calls_allowed,
            alertmanager_requests,
            docker_last_contact,
            registry,
        }
    }

    /// A webhook request was answered.
    pub fn webhook_answered(&self, code: u16) {
        self.webhook.requests.get_or_create(&Code { code }).inc();
    }

    /// So many more requests named somebody, and came from no proxy that is believed.
    pub fn identities_ignored(&self, count: u64) {
        self.webhook.identities_ignored.inc_by(count);
    }

    /// What `web.config_file` names was taken; the certificate, if there is one, ends then.
    pub fn web_config_taken(&self, certificate_ends: Option<u64>) {
        self.webhook.web_config_successful.get_or_create(&[]).set(1);
        if let Some(ends) = certificate_ends {
            self.webhook.certificate_expires.get_or_create(&[]).set(i64::try_from(ends).unwrap_or(i64::MAX));
        }
    }

    /// What `web.config_file` names has changed and cannot be taken: what was there before stays.
    pub fn web_config_refused(&self) {
        self.webhook.web_config_successful.get_or_create(&[]).set(0);
    }

    /// A click in Slack, or what claims to be one, was dealt with.
    pub fn slack_clicked(&self, outcome: &'static str) {
        self.webhook.slack_requests.get_or_create(&Clicked { outcome }).inc();
    }

    /// A request with a signed link or a code was dealt with.
    pub fn link_used(&self, outcome: &'static str) {
        self.webhook.link_requests.get_or_create(&Clicked { outcome }).inc();
    }

    /// Alerts of a delivery: how many firing, resolved, unreadable, and left out by the sender.
    pub fn webhook_alerts(&self, firing: u64, resolved: u64, rejected: u64, truncated: u64) {
        for (status, count) in [("firing", firing), ("resolved", resolved), ("rejected", rejected)] {
            if count > 0 {
                self.webhook.alerts.get_or_create(&Status { status }).inc_by(count);
            }
        }
        self.webhook.truncated.inc_by(truncated);
    }

    /// An alert met a playbook: `matched`, `no_match` or a reason's code.
    pub fn evaluated(&self, playbook: &str, result: &'static str) {
        self.runs.evaluations.get_or_create(&PlaybookResult { playbook: playbook.to_owned(), result }).inc();
    }

    /// An incident closed with this verdict.
    pub fn run_ended(&self, playbook: &str, outcome: &'static str, dry_run: bool) {
        self.runs.runs.get_or_create(&Run { playbook: playbook.to_owned(), outcome, dry_run }).inc();
    }

    /// An action came to its end.
    pub fn action_ended(&self, action: &'static str, outcome: &'static str, took: Duration) {
        self.runs.actions.get_or_create(&ActionOutcome { action, outcome }).inc();
        self.runs.action_duration.get_or_create(&Action { action }).observe(took.as_secs_f64());
    }

    /// An incident opened another one, and why.
    pub fn incident_opened(&self, playbook: &str, cause: &'static str) {
        self.runs.opened.get_or_create(&PlaybookCause { playbook: playbook.to_owned(), cause }).inc();
    }

    /// A gate refused.
    pub fn suppressed(&self, playbook: &str, reason: &'static str) {
        self.runs.suppressed.get_or_create(&PlaybookReason { playbook: playbook.to_owned(), reason }).inc();
    }

    /// A notice was delivered, or not.
    pub fn notice_ended(&self, notifier: &str, outcome: &'static str) {
        self.runs.notifications.get_or_create(&NotifierOutcome { notifier: notifier.to_owned(), outcome }).inc();
    }

    /// Records became durable; `at` in seconds since 1970.
    pub fn log_written(&self, records: u64, at: f64) {
        self.log.written.inc_by(records);
        self.log.last_write.set(at);
    }

    /// Where the log stands now: the last durable record, its hash, and the active segment's size.
    pub fn log_position(&self, last_seq: u64, head: &[u8; 32], bytes: u64) {
        let [first, second, third, fourth, fifth, sixth, seventh, ..] = *head;
        let first_56_bits = i64::from_be_bytes([0, first, second, third, fourth, fifth, sixth, seventh]);
        self.log.head52.set(first_56_bits >> 4);
        self.log.last_seq.set(i64::try_from(last_seq).unwrap_or(i64::MAX));
        self.log.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A write to the log failed.
    pub fn log_write_failed(&self) {
        self.log.write_errors.inc();
    }

    /// The log is closed until a restart, because a write failed.
    pub fn log_poisoned(&self, poisoned: bool) {
        self.log.poisoned.set(i64::from(poisoned));
    }

    /// A write to the log takes too long.
    pub fn log_stalled(&self, stalled: bool) {
        self.log.stalled.set(i64::from(stalled));
    }

    /// A call of a host's Docker API came back with this code, or `error` where there was no answer.
    pub fn docker_requested(&self, host: &str, operation: &'static str, code: &str) {
        let request = DockerRequest { host: host.to_owned(), operation, code: code.to_owned() };
        self.docker_requests.get_or_create(&request).inc();
    }

    /// A proxy before a Docker lets a call through, or not.
    pub fn docker_call_allowed(&self, host: &str, operation: &'static str, allowed: bool) {
        let call = DockerCall { host: host.to_owned(), operation };
        self.docker_calls_allowed.get_or_create(&call).set(i64::from(allowed));
    }

    /// Nobody can tell any longer whether a call gets through.
    pub fn docker_call_unknown(&self, host: &str, operation: &'static str) {
        self.docker_calls_allowed.remove(&DockerCall { host: host.to_owned(), operation });
    }

    /// An Alertmanager API call came back with this code, or `error` where there was no answer.
    pub fn alertmanager_requested(&self, operation: &'static str, code: &str) {
        self.alertmanager_requests.get_or_create(&AlertmanagerRequest { operation, code: code.to_owned() }).inc();
    }

    /// A host's Docker answered at this time (seconds since 1970).
    pub fn docker_answered(&self, host: &str, at: f64) {
        let host = DockerHost { host: host.to_owned() };
        self.docker_up.get_or_create(&host).set(1);
        self.docker_last_contact.get_or_create(&host).set(at);
    }

    /// A host's Docker did not answer.
    pub fn docker_silent(&self, host: &str) {
        self.docker_up.get_or_create(&DockerHost { host: host.to_owned() }).set(0);
    }

    /// How many events wait for the dispatcher.
    pub fn queue_length(&self, length: usize) {
        self.queue_length.set(count(length));
    }

    /// How many episodes are open.
    pub fn open_episodes(&self, open: usize) {
        self.open_episodes.set(count(open));
    }

    /// How many incidents are open.
    pub fn incidents_open(&self, open: usize) {
        self.incidents_open.set(count(open));
    }

    /// Settings and so many playbooks were taken, at the start or by a reload.
    pub fn config_loaded(&self, playbooks: usize, at: f64) {
        self.playbooks_loaded.set(count(playbooks));
        self.config_successful.set(1);
        self.config_success_timestamp.set(at);
    }

    /// A reload found a mistake: what was loaded stays.
    pub fn config_rejected(&self) {
        self.config_successful.set(0);
    }

    /// How many pauses stand on a kind of scope: `all`, `host`, `playbook` or `target`.
    pub fn paused(&self, scope: &'static str, standing: usize) {
        self.paused.get_or_create(&Scope { scope }).set(count(standing));
    }

    /// How many breakers are open, and whether a storm holds everything back.
    pub fn brakes(&self, breakers_open: usize, storm_frozen: bool) {
        self.breakers_open.set(count(breakers_open));
        self.storm_frozen.set(i64::from(storm_frozen));
    }

    /// How many plans people are asked about.
    pub fn approvals_pending(&self, pending: usize) {
        self.approvals_pending.set(count(pending));
    }

    /// An approval ended, so long after people were asked.
    pub fn approval_ended(&self, playbook: &str, outcome: &'static str, took: Duration) {
        self.runs.approvals.get_or_create(&PlaybookOutcome { playbook: playbook.to_owned(), outcome }).inc();
        self.runs.approval_wait.observe(took.as_secs_f64());
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn openmetrics(&self) -> String {
        let mut written = String::with_capacity(16 * 1024);
        text::encode(&mut written, &self.registry).expect("a String takes every write");
        written
    }

    /// Everything in the classic text format.
    #[must_use]
    pub fn plain(&self) -> String {
        exposition::plain(&self.openmetrics())
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// Metrics of which every one has a value.
    fn busy() -> Metrics {
        let build = |text: &str| text.to_owned();
        let build = BuildInfo { version: build("0.1.0"), revision: build("abc"), rustversion: build("1.95") };
        let metrics = Metrics::new(&build, 1_795_000_000.5);
        metrics.webhook_answered(200);
        metrics.webhook_alerts(3, 2, 1, 4);
        metrics.evaluated("restart \"web\"\n", "matched");
        metrics.run_ended("web", "recovered", false);
        metrics.action_ended("container.restart", "succeeded", Duration::from_millis(1500));
        metrics.suppressed("web", "cooldown");
        metrics.incident_opened("web", "resolved");
        metrics.notice_ended("log", "delivered");
        metrics.log_written(2, 1_795_000_001.25);
        metrics.log_position(41, &[0xff; 32], 4096);
        metrics.log_write_failed();
        metrics.log_poisoned(true);
        metrics.log_stalled(false);
        metrics.docker_requested("local", "container.inspect", "200");
        metrics.alertmanager_requested("alerts", "error");
        metrics.docker_answered("local", 1_795_000_002.0);
        metrics.queue_length(1);
        metrics.open_episodes(2);
        metrics.incidents_open(3);
        metrics.config_loaded(4, 1_795_000_003.0);
        metrics.paused("all", 1);
        metrics.brakes(2, true);
        metrics.approvals_pending(1);
        metrics.approval_ended("web", "denied", Duration::from_secs(200));
        metrics
    }

    #[test]
    fn promtool_accepts_what_a_plain_scrape_gets() {
        let spawned = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut promtool = spawned.expect("promtool is missing: apt-get install prometheus");
        promtool.stdin.take().unwrap().write_all(busy().plain().as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }

    #[test]
    fn the_values_are_the_ones_told() {
        let plain = busy().plain();
        for line in [
            "# TYPE sickbay_webhook_requests_total counter",
            "sickbay_build_info{version=\"0.1.0\",revision=\"abc\",rustversion=\"1.95\"} 1",
            "sickbay_webhook_requests_total{code=\"200\"} 1",
            "sickbay_webhook_alerts_total{status=\"rejected\"} 1",
            "sickbay_webhook_truncated_alerts_total 4",
            "sickbay_evaluations_total{playbook=\"restart \\\"web\\\"\\n\",result=\"matched\"} 1",
            "sickbay_runs_total{playbook=\"web\",outcome=\"recovered\",dry_run=\"false\"} 1",
            "sickbay_action_duration_seconds_bucket{le=\"2.5\",action=\"container.restart\"} 1",
            "sickbay_incidents_opened_total{playbook=\"web\",cause=\"resolved\"} 1",
            "sickbay_paused{scope=\"all\"} 1",
            "sickbay_playbooks_loaded 4",
            "sickbay_config_last_reload_successful 1",
            "sickbay_config_last_reload_success_timestamp_seconds 1795000003.0",
            "sickbay_breakers_open 2",
            "sickbay_storm_frozen 1",
            "sickbay_approvals_pending 1",
            "sickbay_approvals_total{playbook=\"web\",outcome=\"denied\"} 1",
            "sickbay_approval_wait_seconds_bucket{le=\"300.0\"} 1",
            "sickbay_incident_log_last_seq 41",
            "sickbay_incident_log_head52 4503599627370495",
            "sickbay_incident_log_poisoned 1",
            "sickbay_docker_last_contact_timestamp_seconds{host=\"local\"} 1795000002.0",
            "process_start_time_seconds 1795000000.5",
        ] {
            assert!(plain.lines().any(|known| known == line), "{line}\n{plain}");
        }
        for own in ["process_resident_memory_bytes ", "process_open_fds ", "process_cpu_seconds_total "] {
            let value = plain.lines().find_map(|line| line.strip_prefix(own)).expect(own);
            assert!(value.parse::<f64>().unwrap() > 0.0, "{own}{value}");
        }
    }

    #[test]
    fn openmetrics_ends_with_its_mark_and_plain_text_does_not() {
        assert!(busy().openmetrics().ends_with("# EOF\n"));
        assert!(!busy().plain().contains("# EOF"));
    }
}
