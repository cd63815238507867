#!/usr/bin/env python3
"""The pages in headless Chromium, against the real daemon and a real Docker engine, with a script and without one.

Needs Debian's `chromium`, and `playwright` and `axe-playwright-python` from PyPI. tests/browser/main.rs runs it, once for each of
its stories: pages.py STORY. With SCREENSHOTS=DIR it leaves pictures there.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

BINARY = os.path.abspath(os.environ.get("SICKBAY", "target/debug/sickbay"))
SCREENSHOTS = os.path.abspath(os.environ["SCREENSHOTS"]) if "SCREENSHOTS" in os.environ else None
PREFIX = os.environ.get("SICKBAY_TEST_PREFIX", "sickbay-test")
PORT = 20000 + secrets.randbelow(12000)
URL = f"http://127.0.0.1:{PORT}"
LINK_SECRET = secrets.token_hex(16)
EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script> \u202etxt.exe'

RULES = """
version: 1
playbooks:
  - name: restart-shop
    matchers: ['alertname = "Down"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    approval: {required: 2, from: [sre], timeout: 10m}
    steps:
      - restart: {start_if_stopped: true, stop_timeout: 1s}
      - verify: {within: 30s, every: 1s, stable_for: 1s}
    on_failure:
      - notify: {to: [log], message: 'failed'}
  - name: look-at-what-is-odd
    matchers: ['alertname != "Down"']
    target: {container: '{{ labels.container }}'}
    limits: {runs: 1000, per: 1h, cooldown: 0s}
    approval: {from: [sre], timeout: 10m}
    steps:
      - restart: {start_if_stopped: true, stop_timeout: 1s}
      - verify: {within: 30s, every: 1s, stable_for: 1s}
    on_failure:
      - notify: {to: [log], message: 'failed'}
"""

# The same, for people who do not say anything.
HURRIED = RULES.replace("timeout: 10m", "timeout: 8s")

SETTINGS = f"""
web: {{listen_address: "127.0.0.1:{PORT}", external_url: "{URL}/"}}
approvals: {{link_secret: "{LINK_SECRET}"}}
notifiers: [{{name: joe-mail, http: {{url: "http://127.0.0.1:9/"}}}}]
storage: {{path: data}}
docker: {{hands_off: 0s}}
limits: {{global: [{{runs: 1000, per: 1h}}], max_parallel: 10}}
people:
  - {{name: ada, groups: [sre], password_hash_file: hash}}
  - {{name: bob, groups: [sre], roles: [approve, operate], password_hash_file: hash}}
  - {{name: joe, groups: [sre], link_notifier: joe-mail}}
"""


def docker(*args):
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout.strip()


def get(path):
    with urllib.request.urlopen(URL + path) as answer:
        return json.load(answer)


def until(what, look):
    deadline = time.time() + 90
    while time.time() < deadline:
        try:
            seen = look()
        except (urllib.error.URLError, ConnectionError):
            seen = None
        if seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"waited in vain until {what}")


def box():
    """An image that is made of the machine's static busybox, as the other tests make theirs."""
    tag = f"{PREFIX}-box:1"
    build = """
        set -e
        docker image inspect "$2" >/dev/null 2>&1 && exit 0
        mkdir -p "$1/bin" && cp /bin/busybox "$1/bin/busybox" && ln -sf busybox "$1/bin/sleep"
        tar -C "$1" -c . | docker import -c 'ENV PATH=/bin' - "$2"
    """
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["sh", "-c", build, "sh", root, tag], check=True, capture_output=True)
    return tag


# The containers that this story has made.
MADE = []


def dead_container(image, name=None):
    name = name or f"{PREFIX}-browser-{secrets.token_hex(4)}"
    MADE.append(name)
    docker("run", "-d", "--name", name, "--network", "none", "--label", "sickbay.enable=true", image, "sleep", "1000000")
    docker("kill", name)
    return name


# When each alert began, by its container and name.
BEGAN = {}


def alarm(container, alertname="Down", status="firing"):
    now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    labels = {"alertname": alertname, "container": container}
    began = BEGAN.setdefault((container, alertname), now)
    ends = "0001-01-01T00:00:00Z" if status == "firing" else now
    alert = {"status": status, "labels": labels, "annotations": {}, "startsAt": began, "endsAt": ends}
    body = {"version": "4", "groupKey": "{}", "receiver": "sickbay", "status": status, "alerts": [alert],
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0}
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(URL + "/webhook", json.dumps(body).encode(), headers))


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, browser, name, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.said = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append("a dialog: " + dialog.message))
        self.page.goto(URL + "/login")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill("sesame")
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def question(self, text):
        return self.page.locator("article", has_text=text)

    def close(self):
        assert self.said == [], f"the console is not clean: {self.said}"
        self.context.close()


def picture(page, name):
    if SCREENSHOTS:
        page.screenshot(path=str(pathlib.Path(SCREENSHOTS) / f"{name}.png"), full_page=True)


def no_barriers(page, where):
    found = Axe().run(page).response["violations"]
    told = [(violation["id"], [node["any"][0]["message"] + node["html"] for node in violation["nodes"]]) for violation in found]
    assert found == [], f"{where}: {told}"


def asked_about(container, alertname="Down"):
    """Tells of a fault, and waits until people are asked about it."""
    alarm(container, alertname)
    return until("people are asked", lambda: [asked for asked in get("/api/v1/approvals")["approvals"] if asked["target"] == container])[0]


def is_running(container):
    return docker("inspect", "-f", "{{.State.Running}}", container) == "true"


def records(kind):
    """The records of this kind, of all that the log holds."""
    segments = [path for path in sorted(pathlib.Path("data").glob("**/*.jsonl")) if not path.is_symlink()]
    lines = [line for path in segments for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def done_once_and_verified():
    """One restart was meant, one was done, and it has helped."""
    closed = until("the incident is closed", lambda: records("incident.closed"))
    assert [record["verdict"] for record in closed] == ["recovered"], closed
    assert [record["op"] for record in records("action.intent")] == ["container.restart"], records("action.intent")
    assert len(records("action.outcome")) == 1, records("action.outcome")


def never_done(container):
    assert records("action.intent") == [] and not is_running(container)


def the_incident(page, incident):
    """One incident as it went, with a script or without."""
    page.goto(f"{URL}/incidents/{incident}")
    page.get_by_text("Ended as recovered").wait_for()
    told = "\n".join(page.locator("ol.course > li").all_inner_texts())
    order = [told.index(words) for words in ["taken by playbook", "ada said yes by web", "bob said yes by web", "succeeded", "recovered, seen for"]]
    assert order == sorted(order) and "POST /containers/" in told, told
    page.get_by_text("What each gate said").last.click()
    page.get_by_text("blast_radius yes").last.wait_for()
    page.get_by_text("Its text, without secrets").click()
    page.get_by_text("- restart: {start_if_stopped: true, stop_timeout: 1s}").wait_for()
    assert page.get_by_text("It is loaded with this text now.").is_visible()
    picture(page, "incident")
    page.get_by_role("link", name="As plain text").click()
    page.get_by_text("every gate said yes").wait_for()


def the_second_of_two_people_has_it_done_once_and_watches(browser, image):
    container = dead_container(image)
    ada, bob = Person(browser, "ada"), Person(browser, "bob")
    assert bob.page.get_by_text("Nobody is asked anything.").is_visible()
    incident = asked_about(container)["incident"]
    began = time.time()
    bob.question(container).wait_for(timeout=5000)
    print(f"shown without being loaded anew after {time.time() - began:.1f} s")
    shown = bob.question(container).inner_text()
    for want in ["POST /containers/", "State: exited with code 137.", f"playbook ({container}): ", "left, 0 of "]:
        assert want in shown, f"{want}: {shown}"
    ada.page.goto(URL + "/")
    picture(ada.page, "pending")
    ada.question(container).get_by_label("Comment").fill("looked at it")
    ada.question(container).get_by_role("button", name="Approve").click()
    ada.page.get_by_text("counted: 1 of 2 agreed").wait_for()
    bob.page.get_by_text("ada agreed").wait_for(timeout=5000)
    never_done(container)
    # What somebody is writing is not taken from them.
    bob.question(container).get_by_label("Comment").fill("me too")
    time.sleep(2.5)
    assert bob.question(container).get_by_label("Comment").input_value() == "me too"
    ada.page.goto(f"{URL}/incidents/{incident}")
    ada.page.get_by_text("Still open.").wait_for()
    assert "bob said yes" not in ada.page.inner_text("ol.course")
    ada.page.locator("ol.course summary").first.click()
    bob.question(container).get_by_role("button", name="Approve").click()
    bob.page.get_by_text("approved: it is carried out now").wait_for()
    # Her page of the incident goes on by itself, to its end, and leaves open what she has opened.
    ada.page.locator("ol.course", has_text="bob said yes by web").wait_for(timeout=5000)
    ada.page.get_by_text("Ended as recovered").first.wait_for(timeout=60000)
    assert ada.page.locator("ol.course details").first.evaluate("(details) => details.open")
    no_barriers(ada.page, "an incident that went on by itself")
    followed = ada.page.locator("ol.course > li > h3").all_inner_texts()
    ada.page.reload()
    assert ada.page.locator("ol.course > li > h3").all_inner_texts() == followed
    until("it runs again", lambda: is_running(container))
    bob.page.get_by_text("Nobody is asked anything.").wait_for(timeout=60000)
    bob.page.goto(URL + "/playbooks")
    bob.page.locator("tr", has_text=container).first.wait_for()
    assert "What is left of their limits" in bob.page.inner_text("main")
    done_once_and_verified()
    the_incident(ada.page, incident)
    assert "looked at it" in ada.page.inner_text("body")
    ada.close(), bob.close()


def two_people_have_it_done_without_a_script(browser, image):
    container = dead_container(image)
    incident = asked_about(container)["incident"]
    for name in ["ada", "bob"]:
        person = Person(browser, name, java_script_enabled=False)
        person.page.goto(URL + "/")
        never_done(container)
        assert "POST /containers/" in person.question(container).inner_text()
        person.question(container).get_by_role("button", name="Approve").click()
        person.page.get_by_text("1 of 2 agreed" if name == "ada" else "approved: it is carried out now").wait_for()
        person.close()
    until("it runs again", lambda: is_running(container))
    done_once_and_verified()
    bob = Person(browser, "bob", java_script_enabled=False)
    bob.page.goto(URL + "/incidents")
    bob.page.get_by_text("recovered").first.wait_for()
    the_incident(bob.page, incident)
    bob.close()


def a_no_is_a_no(browser, image, **options):
    container = dead_container(image)
    ada, bob = Person(browser, "ada", **options), Person(browser, "bob", **options)
    asked_about(container)
    for person in [ada, bob]:
        person.page.goto(URL + "/")
    ada.question(container).get_by_role("button", name="Approve").click()
    ada.page.get_by_text("1 of 2 agreed").wait_for()
    bob.question(container).get_by_label("Comment").fill("not today")
    bob.question(container).get_by_role("button", name="Deny").click()
    bob.page.get_by_text("denied: it is not carried out").wait_for()
    ada.page.goto(URL + "/")
    ada.page.get_by_text("Nobody is asked anything.").wait_for()
    until("the incident is closed", lambda: records("incident.closed"))
    ended = records("approval.denied")
    assert len(ended) == 1 and any(vote.get("comment") == "not today" for vote in records("approval.vote")), ended
    never_done(container)
    ada.close(), bob.close()


def a_no_is_a_no_without_a_script(browser, image):
    a_no_is_a_no(browser, image, java_script_enabled=False)


def silence_is_a_no(browser, image):
    """Nobody says anything in time. Whoever has the old page before them comes too late."""
    container = dead_container(image)
    watching, late = Person(browser, "ada"), Person(browser, "bob", java_script_enabled=False)
    asked_about(container)
    late.page.goto(URL + "/")
    watching.question(container).wait_for(timeout=5000)
    counted = watching.page.locator(".left")
    first = counted.inner_text()
    until("it counts down", lambda: counted.count() == 1 and counted.inner_text() != first)
    watching.page.get_by_text("Nobody is asked anything.").wait_for(timeout=20000)
    too_late(late, container)
    assert len(records("approval.expired")) == 1
    never_done(container)
    watching.close(), late.close()


def too_late(person, container):
    """Agrees to what the page still shows, and is told that it is over."""
    person.question(container).get_by_role("button", name="Approve").click()
    person.page.get_by_text("is not open any more").wait_for()
    # A page that answers with a status of its own is told in the console too; by the browser, that is.
    assert all("404 (Not Found)" in said for said in person.said), person.said
    person.said.clear()


def what_has_ended_meanwhile_is_asked_no_more(browser, image):
    container = dead_container(image)
    watching, late = Person(browser, "ada"), Person(browser, "bob", java_script_enabled=False)
    asked_about(container)
    late.page.goto(URL + "/")
    watching.question(container).wait_for(timeout=5000)
    alarm(container, status="resolved")
    watching.page.get_by_text("Nobody is asked anything.").wait_for(timeout=20000)
    too_late(late, container)
    assert len(records("approval.cancelled")) == 1
    never_done(container)
    watching.close(), late.close()


def another_container_is_another_question(browser, image):
    """What was agreed to is for the container that was seen. One that has taken its name is asked about anew."""
    container = dead_container(image)
    ada, bob = Person(browser, "ada"), Person(browser, "bob")
    seen = asked_about(container)
    ada.page.goto(URL + "/")
    ada.question(container).get_by_role("button", name="Approve").click()
    ada.page.get_by_text("counted: 1 of 2 agreed").wait_for()
    docker("rm", "-f", container)
    dead_container(image, container)
    bob.page.goto(URL + "/")
    bob.question(container).get_by_role("button", name="Approve").click()
    bob.page.get_by_text("approved: it is carried out now").wait_for()
    asked = until("people are asked anew", lambda: [asked for asked in get("/api/v1/approvals")["approvals"] if asked["plan"] != seen["plan"]])[0]
    assert asked["yes"] == [], asked
    assert asked["target_id"] == asked["evidence"]["container"] != seen["target_id"], asked
    never_done(container)
    bob.page.get_by_text("nobody agreed yet").wait_for(timeout=5000)
    assert "Nobody looked into the target" not in bob.question(container).inner_text()
    assert f"plan {asked['plan'][:12]}" in bob.question(container).inner_text()
    for person in [ada, bob]:
        person.page.goto(URL + "/")
        person.question(container).get_by_role("button", name="Approve").click()
        person.page.locator("main").get_by_text("agreed").or_(person.page.get_by_text("approved:")).first.wait_for()
    until("it runs again", lambda: is_running(container))
    done_once_and_verified()
    ada.close(), bob.close()


def text_from_outside_is_text_and_nobody_meets_a_barrier(browser, image):
    container = dead_container(image)
    incident = "/incidents/" + asked_about(container, EVIL)["incident"]
    for scheme in ["light", "dark"]:
        for width in [1280, 360, 320]:
            viewport = {"width": width, "height": 800}
            ada = Person(browser, "bob", viewport=viewport, color_scheme=scheme)
            shown = ada.question(container).inner_text()
            assert "<script>alert(2)</script>" in shown and "\\u{202e}" in shown and "\u202e" not in shown, shown
            records = "/incidents?match=kind%3D~%22.%2B%22"
            for path in ["/", incident, "/incidents", records, "/playbooks", "/status", "/login", "/nothing", "/incidents?page=x"]:
                ada.page.goto(URL + path)
                if path == incident:
                    ada.page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
                    shown = ada.page.inner_text("main")
                    assert "<script>alert(2)</script>" in shown and "\\u{202e}" in shown and "\u202e" not in shown, shown
                    assert "name: look-at-what-is-odd" in shown, shown
                no_barriers(ada.page, f"{path} {scheme} {width}")
                wide = ada.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{path} is {wide} wide on a screen of {width}"
                name = path.strip("/").replace("?", "-").replace("/", "-") or "question"
                picture(ada.page, f"{'incident' if path == incident else name}-{scheme}-{width}")
            assert all(said.endswith(("404 (Not Found)", "400 (Bad Request)")) for said in ada.said), ada.said
            ada.said.clear()
            ada.close()


def people_pause_and_resume_without_a_script(browser, image):
    bob = Person(browser, "bob", java_script_enabled=False)
    bob.page.goto(URL + "/status")
    bob.page.get_by_label("Reason").fill("moving")
    bob.page.get_by_role("button", name="Pause").click()
    bob.page.get_by_text("paused all by bob: moving").wait_for()
    bob.page.get_by_label("Reason").first.fill("moved")
    bob.page.get_by_role("button", name="Resume all").click()
    bob.page.get_by_text("resumed all by bob").wait_for()
    container = dead_container(image)
    asked_about(container)
    bob.page.get_by_role("button", name="Log out").click()
    bob.page.get_by_text("logged out").wait_for()
    bob.page.goto(URL + "/")
    assert bob.page.get_by_role("button", name="Approve").count() == 0
    bob.close()


def nothing_moves_under_the_pointer(browser, image):
    first, second = dead_container(image), dead_container(image)
    asked_about(first)
    bob = Person(browser, "bob")
    bob.page.goto(URL + "/")
    button = bob.question(first).get_by_role("button", name="Deny")
    button.hover()
    place = button.bounding_box()
    alarm(second)
    bob.page.locator("#held").wait_for(timeout=5000)
    assert bob.question(second).count() == 0 and button.bounding_box() == place
    bob.page.mouse.move(0, 0)
    bob.question(second).wait_for(timeout=5000)
    assert not bob.page.locator("#held").is_visible()
    # What is pressed is the button that was seen: just after a change none can be.
    for container in [first, second]:
        bob.question(container).get_by_role("button", name="Deny").click()
        bob.page.get_by_text("denied: it is not carried out").wait_for()
    bob.close()


def enter_in_a_comment_says_nothing(browser, image):
    """Who presses Enter while writing has pressed no button, with a script or without."""
    container = dead_container(image)
    asked_about(container)
    for script in [True, False]:
        ada = Person(browser, "ada", java_script_enabled=script)
        ada.page.goto(URL + "/")
        comment = ada.question(container).get_by_label("Comment")
        comment.fill("no: the backup still runs")
        comment.press("Enter")
        time.sleep(0.5)
        assert comment.input_value() == "no: the backup still runs"
        assert records("approval.vote") == []
        ada.close()


def who_is_out_in_one_tab_is_out_in_all(browser, image):
    """The page after a login was the answer to a password: it must not be sent once more."""
    bob = Person(browser, "bob")
    other = bob.context.new_page()
    other.goto(URL + "/")
    other.get_by_role("button", name="Log out").click()
    other.get_by_text("logged out").wait_for()
    bob.page.get_by_role("link", name="Log in").wait_for(timeout=10000)
    assert bob.page.url == URL + "/"
    other.goto(URL + "/status")
    assert other.get_by_role("button", name="Log out").count() == 0
    assert all("401 (Unauthorized)" in said for said in bob.said), bob.said
    bob.said.clear()
    # What a vote has left in the address bar can be loaded again, and votes nothing.
    other.goto(URL + "/approvals/i2.1")
    other.get_by_role("heading", name="What people are asked").wait_for()
    bob.close()


def an_old_page_says_that_it_is_old(browser, image):
    first, second = dead_container(image), dead_container(image)
    bob = Person(browser, "bob", timezone_id="Asia/Tokyo", locale="ja-JP")
    told, held, left = bob.page.locator("#told"), bob.page.locator("#held"), bob.page.locator(".left")
    until_when = asked_about(first)["until"]
    bob.question(first).wait_for(timeout=5000)
    assert told.inner_text() == f"New: restart-shop on {first}."
    local = datetime.fromtimestamp(datetime.fromisoformat(until_when.replace("Z", "+00:00")).timestamp() + 9 * 3600, timezone.utc)
    assert f"{until_when} (" in bob.question(first).inner_text() and f"{local:%H:%M:%S} your time)" in bob.question(first).inner_text()
    # What is held back is said, and the time goes on.
    bob.question(first).get_by_label("Comment").fill("x")
    asked_about(second)
    held.get_by_text(f"New: restart-shop on {second}.").wait_for(timeout=5000)
    before = left.inner_text()
    until("it counts down", lambda: left.count() == 1 and left.inner_text() != before)
    # So is silence.
    bob.context.set_offline(True)
    held.get_by_text("sickbay has not answered since").wait_for(timeout=15000)
    before = left.inner_text()
    until("it counts down", lambda: left.inner_text() != before)
    bob.context.set_offline(False)
    bob.question(first).get_by_label("Comment").fill("")
    bob.page.get_by_role("heading", name="What people are asked").click()
    bob.question(second).wait_for(timeout=10000)
    until("it is no longer said", lambda: held.inner_text() == "")
    # Who reads further down goes on reading there.
    bob.page.set_viewport_size({"width": 1280, "height": 400})
    bob.question(second).scroll_into_view_if_needed()
    bob.page.evaluate("document.querySelectorAll('article')[1].scrollIntoView()")
    place = bob.question(second).bounding_box()["y"]
    alarm(first, status="resolved")
    until("it is gone", lambda: bob.question(first).count() == 0)
    assert abs(bob.question(second).bounding_box()["y"] - place) < 2
    assert told.inner_text() == f"No longer asked: restart-shop on {first}."
    assert all("net::ERR_INTERNET_DISCONNECTED" in said for said in bob.said), bob.said
    bob.said.clear()
    bob.close()


def link_for_joe(asked):
    """What his mail would hold: the link, and the code."""
    until = str(int(datetime.fromisoformat(asked["until"].replace("Z", "+00:00")).timestamp()))
    text = "|".join(["approve/v1", asked["id"], asked["plan"], "joe", until])
    proof = hmac.new(LINK_SECRET.encode(), text.encode(), hashlib.sha256).digest()
    token = f"joe.{until}." + base64.urlsafe_b64encode(proof).decode().rstrip("=")
    bits = int.from_bytes(proof[:7], "big")
    code = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[bits >> (51 - 5 * place) & 31] for place in range(10))
    return f"{URL}/a/{asked['id']}#{token}", code


def a_link_shows_the_question_and_a_button_decides(browser, image):
    container = dead_container(image)
    link, code = link_for_joe(asked_about(container, "Odd"))
    for scheme, width in [("light", 1280), ("dark", 390)]:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(link)
        question = page.locator("article", has_text=container)
        question.wait_for()
        assert "POST /containers/" in question.inner_text() and "joe" in question.inner_text()
        assert not page.get_by_label("Code").is_visible()
        no_barriers(page, f"a link, {scheme}")
        picture(page, f"link-{scheme}")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} pixels too wide"
        # Who presses Enter while writing has pressed no button.
        question.get_by_label("Reason").fill("by mail")
        question.get_by_label("Reason").press("Enter")
        time.sleep(0.5)
        assert records("approval.vote") == [] and page.locator("article").count() == 1
        if scheme == "dark":
            question.get_by_role("button", name="Approve").click()
            page.get_by_text("approved: it is carried out now").wait_for()
            assert page.locator("article").count() == 0
        assert said == [], f"the console is not clean: {said}"
        context.close()
    until("it runs again", lambda: is_running(container))
    done_once_and_verified()
    votes = [(vote["by"], vote["channel"], vote["comment"]) for vote in records("approval.vote")]
    assert votes == [("joe", "link", "by mail")], votes


def a_code_does_the_same_without_a_script(browser, image):
    container = dead_container(image)
    link, code = link_for_joe(asked_about(container, "Odd"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    no_scripts = page.get_by_label("Code")
    no_scripts.fill("0000000000")
    page.get_by_role("button", name="Show the question").click()
    page.get_by_text("does not fit this approval").wait_for()
    page.get_by_label("Code").fill(code.lower())
    page.get_by_role("button", name="Show the question").click()
    question = page.locator("article", has_text=container)
    assert "POST /containers/" in question.inner_text()
    question.get_by_label("Code").fill(code)
    question.get_by_role("button", name="Deny").click()
    page.get_by_text("denied: it is not carried out").wait_for()
    assert code not in page.content()
    context.close()
    until("the incident is closed", lambda: records("incident.closed"))
    never_done(container)


STORIES = {
    story.__name__: (story, rules)
    for story, rules in [
        (the_second_of_two_people_has_it_done_once_and_watches, RULES),
        (two_people_have_it_done_without_a_script, RULES),
        (a_no_is_a_no, RULES),
        (a_no_is_a_no_without_a_script, RULES),
        (silence_is_a_no, HURRIED),
        (what_has_ended_meanwhile_is_asked_no_more, RULES),
        (another_container_is_another_question, RULES),
        (text_from_outside_is_text_and_nobody_meets_a_barrier, RULES),
        (people_pause_and_resume_without_a_script, RULES),
        (nothing_moves_under_the_pointer, RULES),
        (enter_in_a_comment_says_nothing, RULES),
        (who_is_out_in_one_tab_is_out_in_all, RULES),
        (an_old_page_says_that_it_is_old, RULES),
        (a_link_shows_the_question_and_a_button_decides, RULES),
        (a_code_does_the_same_without_a_script, RULES),
    ]
}


def main(name):
    story, rules = STORIES[name]
    image = box()
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        hashed = subprocess.run([BINARY, "hash-password"], input="sesame\n", check=True, capture_output=True, text=True)
        for file, text in [("rules.yaml", rules), ("sickbay.yml", SETTINGS + "rules: {paths: [rules.yaml]}\n"), ("hash", hashed.stdout)]:
            pathlib.Path(file).write_text(text)
        daemon = subprocess.Popen([BINARY, "--config.file=sickbay.yml"], stderr=open("stderr", "w"))
        try:
            until("it is ready", lambda: urllib.request.urlopen(URL + "/-/ready").status == 200)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                story(browser, image)
                browser.close()
        except BaseException:
            print(pathlib.Path("stderr").read_text(), file=sys.stderr)
            raise
        finally:
            daemon.terminate()
            daemon.wait()
            os.chdir("/")
            for container in MADE:
                subprocess.run(["docker", "rm", "-f", "-v", container], capture_output=True)


if len(sys.argv) != 2 or sys.argv[1] not in STORIES:
    sys.exit("usage: pages.py STORY, one of:\n" + "\n".join(STORIES))
main(sys.argv[1])
