//! All loaded playbooks, in order, with an index so that an alert only meets those that could match it.
//!
//! The index never changes which playbook is chosen: it only leaves out those that an equality on one label rules out.
//! Read [`Playbooks::select`] first.

use super::definition::Playbook;
use crate::model::label::Labels;
use std::collections::HashMap;
use std::sync::Arc;

/// Positions in the order of the files, ascending.
type Positions = Vec<usize>;

/// The loaded playbooks: files in the order of their paths, entries in the order of their file.
#[derive(Clone, Debug, Default)]
pub struct Playbooks {
    all: Vec<Arc<Playbook>>,
    by_name: HashMap<Arc<str>, usize>,
    /// By label name, then by value: the enabled playbooks that demand this value.
    demanding: HashMap<Box<str>, HashMap<Box<str>, Positions>>,
    /// The enabled playbooks that demand no value of any label.
    undemanding: Positions,
}

impl Playbooks {
    /// Builds the index.
    #[must_use]
    pub fn new(all: Vec<Playbook>) -> Self {
        let all: Vec<Arc<Playbook>> = all.into_iter().map(Arc::new).collect();
        let mut by_name = HashMap::new();
        let mut demanding: HashMap<Box<str>, HashMap<Box<str>, Positions>> = HashMap::new();
        let mut undemanding = Positions::new();
        let demand_counts = count_demands(&all);
        for (position, playbook) in all.iter().enumerate() {
            by_name.entry(Arc::clone(&playbook.name)).or_insert(position);
            if !playbook.enabled {
                continue;
            }
            // The rarest demand leaves the fewest playbooks to look at; among equals `alertname` reads best.
            let rarest =
                demands(playbook).min_by_key(|demand| (demand_counts.get(demand).copied(), demand.0 != "alertname"));
            match rarest {
                Some((name, value)) => {
                    demanding.entry(name.into()).or_default().entry(value.into()).or_default().push(position);
                }
                None => undemanding.push(position),
            }
        }
        Self { all, by_name, demanding, undemanding }
    }

    /// All playbooks, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        self.all.iter()
    }

    /// The playbook of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Playbook>> {
        self.by_name.get(name).and_then(|position| self.all.get(*position))
    }

    /// The first enabled playbook all of whose matchers match.
    #[must_use]
    pub fn select(&self, labels: &Labels) -> Option<&Arc<Playbook>> {
        let mut first: Option<usize> = None;
        for positions in self.candidates(labels) {
            // Within one list the first match is the earliest, and nothing behind the best so far can be.
            let earlier = positions.iter().take_while(|position| first.is_none_or(|first| **position < first));
            first = earlier.copied().find(|position| self.takes(*position, labels)).or(first);
        }
        self.all.get(first?)
    }

    /// Every enabled playbook all of whose matchers match, in order: the first is the one that [`Self::select`] gives.
    #[must_use]
    pub fn matching(&self, labels: &Labels) -> Vec<&Arc<Playbook>> {
        let candidates = self.candidates(labels).flatten().copied();
        let mut positions: Positions = candidates.filter(|position| self.takes(*position, labels)).collect();
        positions.sort_unstable();
        positions.into_iter().filter_map(|position| self.all.get(position)).collect()
    }

    /// The lists that hold every playbook that could match. No playbook is on two of them.
    fn candidates<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a Positions> {
        let demanded = labels.iter().filter_map(|(name, value)| self.demanding.get(name)?.get(value));
        demanded.chain(std::iter::once(&self.undemanding))
    }

    fn takes(&self, position: usize, labels: &Labels) -> bool {
        self.all.get(position).is_some_and(|playbook| playbook.mismatch(labels).is_none())
    }
}

/// The values a playbook demands. An empty value demands an absent label, which no lookup by label can find.
fn demands(playbook: &Playbook) -> impl Iterator<Item = (&str, &str)> {
    playbook.matchers.iter().filter_map(|matcher| matcher.equality()).filter(|(_, value)| !value.is_empty())
}

/// How many enabled playbooks make each demand.
fn count_demands(all: &[Arc<Playbook>]) -> HashMap<(&str, &str), usize> {
    let mut counts = HashMap::new();
    for demand in all.iter().filter(|playbook| playbook.enabled).flat_map(|playbook| demands(playbook)) {
        *counts.entry(demand).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::Limits;
    use crate::model::matcher::parse_matchers;
    use crate::model::time_interval::Schedule;
    use crate::playbook::definition::Attempts;
    use proptest::prelude::*;

    fn playbook(name: &str, enabled: bool, matchers: &str) -> Playbook {
        Playbook {
            name: name.into(),
            revision: "0".into(),
            text: "".into(),
            source: String::new(),
            description: String::new(),
            enabled,
            dry_run: false,
            matchers: parse_matchers(matchers).unwrap().matchers,
            schedule: Schedule::default(),
            condition: None,
            target: None,
            limits: Limits::default(),
            attempts: Attempts::only(Vec::new()),
            approval: None,
            on_failure: Vec::new(),
            on_denied: Vec::new(),
            on_resolved: Vec::new(),
            not_executed: Vec::new(),
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[test]
    fn the_first_enabled_match_in_file_order_is_chosen() {
        let playbooks = Playbooks::new(vec![
            playbook("off", false, r#"alertname="A""#),
            playbook("by-host", true, r#"host="h1",env="x""#),
            playbook("regex", true, r#"alertname=~"A|B",host="h2""#),
            playbook("by-name", true, r#"alertname="A""#),
            playbook("fallback", true, r#"alertname=~".+""#),
        ]);
        let chosen =
            |pairs: &[(&str, &str)]| playbooks.select(&labels(pairs)).map(|playbook| playbook.name.to_string());
        assert_eq!(chosen(&[("alertname", "A")]).as_deref(), Some("by-name"));
        assert_eq!(chosen(&[("alertname", "A"), ("host", "h2")]).as_deref(), Some("regex"));
        assert_eq!(chosen(&[("alertname", "A"), ("host", "h1"), ("env", "x")]).as_deref(), Some("by-host"));
        assert_eq!(chosen(&[("alertname", "A"), ("host", "h1")]).as_deref(), Some("by-name"));
        assert_eq!(chosen(&[("alertname", "C")]).as_deref(), Some("fallback"));
        assert_eq!(chosen(&[("host", "h2")]), None);
        let all = playbooks.matching(&labels(&[("alertname", "A"), ("host", "h2")]));
        let names: Vec<&str> = all.iter().map(|playbook| &*playbook.name).collect();
        assert_eq!(names, ["regex", "by-name", "fallback"]);
        assert!(playbooks.get("off").is_some() && playbooks.get("on").is_none());
        assert_eq!(playbooks.iter().count(), 5);
    }

    #[test]
    fn a_demand_for_an_absent_label_is_not_looked_up_by_label() {
        let playbooks = Playbooks::new(vec![playbook("no-severity", true, r#"severity="""#)]);
        assert!(playbooks.select(&labels(&[("alertname", "A")])).is_some());
        assert!(playbooks.select(&labels(&[("severity", "page")])).is_none());
    }

    #[test]
    fn the_rarest_demand_is_indexed() {
        let many = (0..100).map(|i| playbook(&format!("p{i}"), true, &format!(r#"alertname="Down",container="c{i}""#)));
        let playbooks = Playbooks::new(many.collect());
        let alert = labels(&[("alertname", "Down"), ("container", "c7")]);
        assert_eq!(playbooks.candidates(&alert).map(Vec::len).sum::<usize>(), 1);
        assert_eq!(&*playbooks.select(&alert).unwrap().name, "p7");
    }

    fn any_playbooks() -> impl Strategy<Value = Vec<Playbook>> {
        let values = vec!["", "a", "b", "ab", "a.*", ".+", ".*"];
        let operators = vec!["=", "=", "!=", "=~", "!~"];
        let matcher = (0..3usize, prop::sample::select(operators), prop::sample::select(values))
            .prop_map(|(label, op, value)| format!(r#"l{label}{op}"{value}""#));
        let one = (prop::collection::vec(matcher, 0..4), prop::bool::weighted(0.9));
        prop::collection::vec(one, 0..12).prop_map(|entries| {
            let named = entries.into_iter().enumerate();
            named.map(|(i, (matchers, enabled))| playbook(&format!("p{i}"), enabled, &matchers.join(","))).collect()
        })
    }

    proptest! {
        #[test]
        fn the_index_chooses_what_a_walk_through_all_would(
            all in any_playbooks(),
            pairs in prop::collection::vec((0..3usize, "[ab]{0,2}"), 0..4),
        ) {
            let playbooks = Playbooks::new(all);
            let alert: Labels = pairs.into_iter().map(|(label, value)| (format!("l{label}"), value)).collect();
            let walk: Vec<&Arc<Playbook>> = playbooks
                .iter()
                .filter(|playbook| playbook.enabled && playbook.matchers.iter().all(|matcher| matcher.matches(&alert)))
                .collect();
            let names = |found: &[&Arc<Playbook>]| found.iter().map(|p| p.name.to_string()).collect::<Vec<_>>();
            prop_assert_eq!(names(&playbooks.matching(&alert)), names(&walk));
            let first = walk.first().map(|playbook| playbook.name.to_string());
            prop_assert_eq!(playbooks.select(&alert).map(|playbook| playbook.name.to_string()), first);
        }
    }
}
