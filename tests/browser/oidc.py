#!/usr/bin/env python3
"""Logging in by a provider of OpenID Connect, in headless Chromium: the real daemon, and a provider that others have written
(`oidc-provider-mock` from PyPI) at another site, so that the browser's own rules for cookies hold.
"""

import logging
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request

from axe_playwright_python.sync_playwright import Axe
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import sync_playwright

BINARY = os.environ.get("SICKBAY", "target/debug/sickbay")
PORT = 20000 + secrets.randbelow(12000)
# Two sites: a browser tells `localhost` from an address.
URL = f"http://127.0.0.1:{PORT}"

RULES = """
version: 1
playbooks:
  - name: restart-shop
    matchers: ['alertname = "Down"']
    target: {container: '{{ labels.container }}'}
    steps: [{restart: {}}, {verify: {}}]
"""

SETTINGS = """
web:
  listen_address: "127.0.0.1:%d"
  external_url: %s/
  oidc: {issuer: "http://localhost:%d", client_id: sickbay, client_secret: any, claim: email, name: Example}
storage: {path: data}
rules: {paths: [rules.yaml]}
people:
  - {name: ada, groups: [sre], roles: [approve, operate], oidc_user: ada@example.org}
"""


def until(what, look):
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            if look():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"waited in vain until {what}")


class Person:
    def __init__(self, browser, **options):
        # Who comes by a proxy is no program of this machine, and has to log in to look.
        self.context = browser.new_context(extra_http_headers={"X-Forwarded-For": "192.0.2.7"}, **options)
        self.page = self.context.new_page()
        self.said = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def log_in(self, user):
        self.page.get_by_role("link", name="Log in with Example").click()
        self.page.get_by_placeholder("sub").fill(user)
        self.page.get_by_role("button", name="Authorize").click()

    def close(self):
        # What the provider's pages say is theirs, and so is the answer with 401 or 403 that was wanted.
        theirs = ["Failed to load resource", "localhost", "Autofocus processing"]
        said = [text for text in self.said if not any(words in text for words in theirs)]
        assert said == [], f"the console is not clean: {said}"
        self.context.close()


def there_and_back(browser):
    for javascript in [True, False]:
        one_goes_there_and_back(browser, javascript)


def one_goes_there_and_back(browser, javascript):
    ada = Person(browser, java_script_enabled=javascript)
    ada.page.goto(URL + "/status")
    assert ada.page.get_by_label("Password").count() == 0, "nobody has a password"
    ada.log_in("ada")
    # The page after the login goes on by itself, to where she was going, with the cookie that no other site has sent.
    ada.page.wait_for_url(URL + "/status")
    ada.page.get_by_role("button", name="Log out").wait_for()
    kept = {cookie["name"]: cookie for cookie in ada.context.cookies(URL)}
    assert list(kept) == ["sickbay_session"], kept
    assert kept["sickbay_session"]["sameSite"] == "Strict" and kept["sickbay_session"]["httpOnly"], kept
    ada.page.get_by_label("Reason").fill("moving")
    ada.page.get_by_role("button", name="Pause").click()
    ada.page.get_by_text("paused all by ada: moving").wait_for()
    ada.page.get_by_label("Reason").first.fill("moved")
    ada.page.get_by_role("button", name="Resume all").click()
    ada.page.get_by_text("resumed all by ada").wait_for()
    ada.page.get_by_role("button", name="Log out").click()
    ada.page.get_by_text("logged out").wait_for()
    ada.page.goto(URL + "/status")
    assert ada.page.get_by_role("button", name="Log out").count() == 0
    ada.close()


def nobody_of_ours(browser):
    for user, want in [("zoe", "not in this daemon's people"), ("eve", "the mail address is verified")]:
        somebody = Person(browser)
        somebody.page.goto(URL + "/")
        somebody.log_in(user)
        somebody.page.get_by_text(want).wait_for()
        assert somebody.page.get_by_role("button", name="Log out").count() == 0
        assert all(cookie["name"] != "sickbay_session" for cookie in somebody.context.cookies(URL))
        somebody.close()
    ada = Person(browser)
    ada.page.goto(URL + "/login")
    found = Axe().run(ada.page).response["violations"]
    assert found == [], found
    ada.page.get_by_role("link", name="Log in with Example").click()
    ada.page.get_by_role("button", name="Deny").click()
    # This provider leaves `state` out of a no: then it is the answer to no login.
    ada.page.get_by_text("this answer does not belong to the login").wait_for()
    assert ada.page.get_by_role("button", name="Log out").count() == 0
    ada.close()


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    people = [
        User(sub="ada", claims={"email": "ada@example.org", "email_verified": True}),
        User(sub="zoe", claims={"email": "zoe@example.org", "email_verified": True}),
        User(sub="eve", claims={"email": "ada@example.org", "email_verified": False}),
    ]
    with tempfile.TemporaryDirectory() as home, run_server_in_thread(user_claims=people, require_nonce=True) as provider:
        settings = SETTINGS % (PORT, URL, provider.server_port)
        for name, text in [("rules.yaml", RULES), ("sickbay.yml", settings)]:
            (pathlib.Path(home) / name).write_text(text)
        log = open(pathlib.Path(home) / "stderr", "w")
        daemon = subprocess.Popen([os.path.abspath(BINARY), "--config.file=sickbay.yml"], cwd=home, stderr=log)
        try:
            until("it is alive", lambda: urllib.request.urlopen(URL + "/-/healthy").status == 200)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                for story in [there_and_back, nobody_of_ours]:
                    if sys.argv[1:] in [[], [story.__name__]]:
                        story(browser)
                        print(f"ok: {story.__name__}")
                browser.close()
        except BaseException:
            print((pathlib.Path(home) / "stderr").read_text(), file=sys.stderr)
            raise
        finally:
            daemon.terminate()
            daemon.wait()


main()
