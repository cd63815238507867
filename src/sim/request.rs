//! Other systems: requests that playbooks send, and URLs that are only looked at.
//!
//! A URL whose host is a container's name is answered by that container, as well as it is; every other one answers well.
//! While messages are lost, requests are too: they arrive, and their answer does not.

use super::world::{Pending, SentRequest, World};
use crate::engine::effect::RequestPermit;
use crate::engine::event::Event;
use crate::model::container::{ContainerState, Health};
use crate::model::request::RequestOutcome;
use std::time::Duration;

/// How long a request takes.
const REQUEST_TAKES: Duration = Duration::from_millis(30);

/// Why nobody answers.
const NOBODY: &str = "connection refused";

impl World {
    /// Sends a request, once.
    pub(super) fn request(&mut self, permit: RequestPermit, waited: Duration) {
        let incident = permit.act().incident;
        let (act, request, deadline) = match permit.redeem_after(waited) {
            Ok(permitted) => permitted,
            Err(late) => return self.ends_at_once(incident, *late),
        };
        let (sent, durable) = (self.clock.now(), self.disk.durable());
        self.tell(|| format!("{act} is sent: {} {}", request.method, request.url));
        let lost = sent < self.weather.notices_lost || deadline < REQUEST_TAKES;
        let (after, outcome) = if !lost {
            let answered = |status: u16| RequestOutcome::Answered {
                status,
                expected: request.expect.contains(&status),
                detail: if status == 200 { "ok".to_owned() } else { format!("status {status}") },
            };
            let nobody = || RequestOutcome::Failed { error: NOBODY.to_owned() };
            (REQUEST_TAKES, self.status().map_or_else(nobody, answered))
        } else if request.only_asks() {
            (deadline, RequestOutcome::Failed { error: "timed out".to_owned() })
        } else {
            (deadline, RequestOutcome::Unknown { error: "timed out".to_owned() })
        };
        self.seen.requests.push(SentRequest { act, request, sent, durable });
        self.later(after, Pending::Returned(incident, Event::RequestReturned { act, outcome }));
    }

    /// With which status other systems answer now; `None`: nobody is there.
    fn status(&self) -> Option<u16> {
        let (until, status) = self.weather.requests;
        if self.clock.now() < until { status } else { Some(200) }
    }

    /// What a URL answers to whoever looks at it.
    pub(super) fn probe(&self, url: &str) -> Result<String, String> {
        let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host);
        let Some(container) = self.docker.by_name(host).map(super::container::SimContainer::shown) else {
            let refused = |status: u16| format!("answered {status}");
            return match self.status() {
                Some(status) if (200..300).contains(&status) => Ok(status.to_string()),
                Some(status) => Err(refused(status)),
                None => Err(NOBODY.to_owned()),
            };
        };
        match (&container.state, &container.health) {
            (ContainerState::Running, None | Some(Health::Healthy)) => Ok("200".to_owned()),
            (ContainerState::Running, Some(_)) => Err("answered 503".to_owned()),
            (
                ContainerState::Created
                | ContainerState::Paused
                | ContainerState::Restarting
                | ContainerState::Removing
                | ContainerState::Exited
                | ContainerState::Dead
                | ContainerState::Other(_),
                _,
            ) => Err("connection refused".to_owned()),
        }
    }
}
