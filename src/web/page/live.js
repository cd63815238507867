// Shows what has changed within a second. Without it, the page shows the same when it is loaded anew. `times.js` comes first.
"use strict";
const live = document.getElementById("live");
if (live) {
  const [held, told] = ["held", "told"].map((id) => document.getElementById(id));
  const plain = { createHTML: (text) => text };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("sickbay", plain) : plain;
  const parsed = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template.content;
  };
  // What only counts down is no news.
  const timeless = (content) => {
    const copy = document.createElement("div");
    copy.append(...[...content.childNodes].map((node) => node.cloneNode(true)));
    copy.querySelectorAll(".left").forEach((left) => left.remove());
    return copy.innerHTML;
  };
  const articles = (within) => [...within.querySelectorAll("article")];
  const titles = (within) => new Map(articles(within).map((one) => [one.dataset.id, one.querySelector("h2").textContent]));
  let shown = timeless(live);
  let tag = "";
  let moved = 0;
  live.addEventListener("pointermove", () => (moved = Date.now()));
  const moves = (within) => Date.now() - moved < within;
  // Nothing moves under somebody's pointer, under their keys, or while they are on their way to a button. A pointer that was
  // left lying somewhere is nobody's.
  const busy = () =>
    live.querySelector("form:focus-within") !== null ||
    (live.querySelector("form:hover") !== null && moves(30000)) ||
    (live.matches(":hover") && moves(1000)) ||
    [...live.querySelectorAll("input[name=comment]")].some((input) => input.value !== "");
  // A finger that was on its way when something changed must not press another button.
  const settle = () => {
    const forms = live.querySelectorAll("form");
    forms.forEach((form) => (form.inert = true));
    setTimeout(() => forms.forEach((form) => (form.inert = false)), 600);
  };
  // It is spoken whenever it becomes another text.
  const say = (place, text) => {
    if (place.textContent !== text) place.textContent = text;
  };
  const listed = (names) => (names.length > 3 ? `${names.length} questions` : names.join("; "));
  const missing = (from, others) => [...from].filter(([id]) => !others.has(id)).map(([, title]) => title);
  const changes = (next) => {
    const [before, now] = [titles(live), titles(next)];
    const [come, gone] = [missing(now, before), missing(before, now)];
    return [come.length && `New: ${listed(come)}.`, gone.length && `No longer asked: ${listed(gone)}.`].filter(Boolean).join(" ");
  };
  // Whoever reads goes on reading where they were.
  const replace = (next) => {
    const read = articles(live).find((one) => one.getBoundingClientRect().bottom > 0);
    const top = read && read.getBoundingClientRect().top;
    const link = live.contains(document.activeElement) && document.activeElement.getAttribute("href");
    const linked = link && document.activeElement.closest("article");
    live.replaceChildren(next);
    const again = (one) => one && articles(live).find((other) => other.dataset.id === one.dataset.id);
    if (scrollY > 0 && again(read)) scrollBy(0, again(read).getBoundingClientRect().top - top);
    const same = again(linked) && [...again(linked).querySelectorAll("a")].find((other) => other.getAttribute("href") === link);
    if (same) same.focus({ preventScroll: true });
  };
  const recount = (next) => {
    const counts = new Map(articles(next).map((one) => [one.dataset.id, one.querySelector(".left")]));
    for (const one of articles(live)) {
      const [left, now] = [one.querySelector(".left"), counts.get(one.dataset.id)];
      if (left && now) endsIn(left, now.dataset.seconds);
    }
    countDown();
  };
  const show = (next) => {
    const news = timeless(next);
    recount(next);
    if (news === shown) {
      say(held, "");
    } else if (busy()) {
      say(held, `Something has changed. ${changes(next)} It is shown when you have finished writing, and your pointer is elsewhere.`);
      tag = "";
      return;
    } else {
      say(told, changes(next) || "A question has changed.");
      say(held, "");
      shown = news;
      replace(next);
      countDown();
      showTimes(live);
      settle();
    }
  };
  let answered = new Date();
  let asked = Date.now();
  let asks = 0;
  const look = async () => {
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), 5000);
    // Counted anew now and then, and after this machine has slept.
    asks += 1;
    if (asks % 30 === 0 || Math.abs(Date.now() - asked) > 6000) tag = "";
    asked = Date.now();
    try {
      const path = live.dataset.path + (live.dataset.person ? "?as=" + encodeURIComponent(live.dataset.person) : "");
      const answer = await fetch(path, {
        headers: tag ? { "if-none-match": tag } : {},
        cache: "no-store",
        credentials: "same-origin",
        signal: stop.signal,
      });
      if (answer.status === 401) {
        answered = new Date();
        // Loading this page anew could send its form again, with the password in it.
        if (!busy()) location.assign(live.dataset.home);
        say(held, "You are logged out: nothing that you send from here counts. Log in again to decide.");
      } else if (answer.status === 304) {
        answered = new Date();
        say(held, "");
      } else if (answer.ok) {
        const text = await answer.text();
        answered = new Date();
        tag = answer.headers.get("etag") || "";
        show(parsed(text));
      }
    } catch (gone) {
      // The daemon is away: what is shown stays, and is asked for again.
    }
    clearTimeout(late);
    if (Date.now() - answered > 4000) {
      say(held, `sickbay has not answered since ${clock(answered)}. What is shown here may no longer be so.`);
    }
    setTimeout(look, 800);
  };
  setTimeout(look, 800);
}
