#!/usr/bin/env python3
"""The pages in headless Chromium, against the real daemon and a real Docker engine, with a script and without one.

Needs Debian's `chromium`, and `playwright` and `axe-playwright-python` from PyPI. `make browser` runs it. With SCREENSHOTS=DIR
it leaves pictures there.
"""

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

BINARY = os.environ.get("SICKBAY", "target/debug/sickbay")
SCREENSHOTS = os.environ.get("SCREENSHOTS")
PREFIX = os.environ.get("SICKBAY_TEST_PREFIX", "sickbay-test")
PORT = 20000 + secrets.randbelow(12000)
URL = f"http://127.0.0.1:{PORT}"
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

SETTINGS = f"""
web: {{listen_address: "127.0.0.1:{PORT}"}}
storage: {{path: data}}
docker: {{hands_off: 0s}}
limits: {{global: [{{runs: 1000, per: 1h}}], max_parallel: 10}}
people:
  - {{name: ada, groups: [sre], password_hash_file: hash}}
  - {{name: bob, groups: [sre], roles: [approve, operate], password_hash_file: hash}}
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


def dead_container(image):
    name = f"{PREFIX}-browser-{secrets.token_hex(4)}"
    docker("run", "-d", "--name", name, "--network", "none", "--label", "sickbay.enable=true", image, "sleep", "1000000")
    docker("kill", name)
    return name


def alarm(container, alertname="Down"):
    now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    labels = {"alertname": alertname, "container": container}
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": now, "endsAt": "0001-01-01T00:00:00Z"}
    body = {"version": "4", "groupKey": "{}", "receiver": "sickbay", "status": "firing", "alerts": [alert],
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


def with_a_script(browser, image):
    container = dead_container(image)
    ada, bob = Person(browser, "ada"), Person(browser, "bob")
    assert bob.page.get_by_text("Nobody is asked anything.").is_visible()
    alarm(container)
    until("people are asked", lambda: get("/api/v1/approvals")["approvals"])
    began = time.time()
    bob.question(container).wait_for(timeout=5000)
    print(f"shown without being loaded anew after {time.time() - began:.1f} s")
    assert "POST /containers/" in bob.question(container).inner_text()
    incident = get("/api/v1/approvals")["approvals"][0]["incident"]
    ada.page.goto(URL + "/")
    picture(ada.page, "pending")
    ada.question(container).get_by_label("Comment").fill("looked at it")
    ada.question(container).get_by_role("button", name="Approve").click()
    ada.page.get_by_text("counted: 1 of 2 agreed").wait_for()
    bob.page.get_by_text("ada agreed").wait_for(timeout=5000)
    # What somebody is writing is not taken from them.
    bob.question(container).get_by_label("Comment").fill("me too")
    time.sleep(2.5)
    assert bob.question(container).get_by_label("Comment").input_value() == "me too"
    bob.question(container).get_by_role("button", name="Approve").click()
    bob.page.get_by_text("approved: it is carried out now").wait_for()
    until("it runs again", lambda: docker("inspect", "-f", "{{.State.Running}}", container) == "true")
    bob.page.get_by_text("Nobody is asked anything.").wait_for(timeout=60000)
    the_incident(ada.page, incident)
    ada.close(), bob.close()


def the_incident(page, incident):
    """One incident as it went, with a script or without."""
    ended = page.locator("main > p", has_text="Ended as recovered")
    until("it is over", lambda: page.goto(f"{URL}/incidents/{incident}") and ended.is_visible())
    course = page.locator("ol.course > li")
    told = "\n".join(course.all_inner_texts())
    order = [told.index(word) for word in ["alert", "ada said yes by web", "bob said yes by web", "succeeded", "recovered, seen for"]]
    assert order == sorted(order), told
    assert "POST /containers/" in told, told
    page.get_by_text("What each gate said").last.click()
    assert page.get_by_text("blast_radius yes").last.is_visible()
    page.get_by_text("Its text, without secrets").click()
    assert page.get_by_text("- restart: {start_if_stopped: true, stop_timeout: 1s}").is_visible()
    assert page.get_by_text("It is loaded with this text now.").is_visible()
    picture(page, "incident")
    page.get_by_role("link", name="As plain text").click()
    assert "every gate said yes" in page.inner_text("body")


def text_from_outside(browser, image):
    container = dead_container(image)
    alarm(container, EVIL)
    asked = until("people are asked", lambda: get("/api/v1/approvals")["approvals"])
    incident = "/incidents/" + asked[0]["incident"]
    for scheme in ["light", "dark"]:
        for width in [1280, 360]:
            viewport = {"width": width, "height": 800}
            ada = Person(browser, "bob", viewport=viewport, color_scheme=scheme)
            shown = ada.question(container).inner_text()
            assert "<script>alert(2)</script>" in shown and "\\u{202e}" in shown and "\u202e" not in shown, shown
            for path in ["/", incident, "/incidents", "/playbooks", "/status", "/login"]:
                ada.page.goto(URL + path)
                if path == incident:
                    ada.page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
                    shown = ada.page.inner_text("main")
                    assert "<script>alert(2)</script>" in shown and "\\u{202e}" in shown and "\u202e" not in shown, shown
                    assert "name: look-at-what-is-odd" in shown, shown
                no_barriers(ada.page, f"{path} {scheme} {width}")
                wide = ada.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{path} is {wide} wide on a screen of {width}"
                picture(ada.page, f"{'incident' if path == incident else path.strip('/') or 'question'}-{scheme}-{width}")
            ada.close()


def without_a_script(browser, image):
    bob = Person(browser, "bob", java_script_enabled=False)
    question = bob.page.locator("article", has_text="look-at-what-is-odd")
    question.get_by_label("Comment").fill("not today")
    question.get_by_role("button", name="Deny").click()
    bob.page.get_by_text("denied: it is not carried out").wait_for()
    container = dead_container(image)
    alarm(container)
    asked = until("people are asked", lambda: get("/api/v1/approvals")["approvals"])
    for name in ["ada", "bob"]:
        person = Person(browser, name, java_script_enabled=False)
        person.page.goto(URL + "/")
        person.question(container).get_by_role("button", name="Approve").click()
        person.close()
    until("it runs again", lambda: docker("inspect", "-f", "{{.State.Running}}", container) == "true")
    the_incident(bob.page, asked[0]["incident"])
    bob.page.goto(URL + "/status")
    bob.page.get_by_label("Reason").fill("moving")
    bob.page.get_by_role("button", name="Pause").click()
    bob.page.get_by_text("paused all by bob: moving").wait_for()
    bob.page.get_by_label("Reason").first.fill("moved")
    bob.page.get_by_role("button", name="Resume all").click()
    bob.page.get_by_text("resumed all by bob").wait_for()
    bob.page.get_by_role("button", name="Log out").click()
    bob.page.get_by_text("logged out").wait_for()
    bob.page.goto(URL + "/")
    assert bob.page.get_by_role("button", name="Approve").count() == 0
    bob.close()


def under_the_pointer(browser, image):
    first, second = dead_container(image), dead_container(image)
    alarm(first)
    until("people are asked", lambda: get("/api/v1/approvals")["approvals"])
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


def main():
    image = box()
    with tempfile.TemporaryDirectory() as home:
        hashed = subprocess.run([BINARY, "hash-password"], input="sesame\n", check=True, capture_output=True, text=True)
        for name, text in [("rules.yaml", RULES), ("sickbay.yml", SETTINGS + "rules: {paths: [rules.yaml]}\n"), ("hash", hashed.stdout)]:
            (pathlib.Path(home) / name).write_text(text)
        log = open(pathlib.Path(home) / "stderr", "w")
        daemon = subprocess.Popen([os.path.abspath(BINARY), "--config.file=sickbay.yml"], cwd=home, stderr=log)
        try:
            until("it is ready", lambda: urllib.request.urlopen(URL + "/-/ready").status == 200)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                for test in [with_a_script, text_from_outside, without_a_script, under_the_pointer]:
                    test(browser, image)
                    print(f"ok: {test.__name__}")
                browser.close()
        except BaseException:
            print((pathlib.Path(home) / "stderr").read_text(), file=sys.stderr)
            raise
        finally:
            daemon.terminate()
            daemon.wait()
            for name in docker("ps", "-aq", "--filter", f"name={PREFIX}-browser-").split():
                docker("rm", "-f", "-v", name)


main()
