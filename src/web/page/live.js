// Shows what has changed within a second. Without it, the pages show the same when they are loaded anew.
"use strict";
const live = document.getElementById("live");
if (live) {
  const held = document.getElementById("held");
  const plain = { createHTML: (text) => text };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("sickbay", plain) : plain;
  const parsed = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template;
  };
  // What only counts down is no news.
  const news = (html) => html.replace(/\d+ s left/g, "");
  let shown = news(live.innerHTML);
  let moved = 0;
  live.addEventListener("pointermove", () => (moved = Date.now()));
  const moves = (within) => Date.now() - moved < within;
  // Nothing moves under somebody's pointer, under their keys, or while they are on their way to a button. A pointer that was
  // left lying somewhere is nobody's.
  const busy = () =>
    live.contains(document.activeElement) ||
    (live.querySelector("form:hover") !== null && moves(30000)) ||
    (live.matches(":hover") && moves(1000)) ||
    [...live.querySelectorAll("input[name=comment]")].some((input) => input.value !== "");
  // A finger that was on its way when something changed must not press another button.
  const settle = () => {
    const forms = live.querySelectorAll("form");
    forms.forEach((form) => (form.inert = true));
    setTimeout(() => forms.forEach((form) => (form.inert = false)), 600);
  };
  const look = async () => {
    try {
      const answer = await fetch(live.dataset.path, { cache: "no-store", credentials: "same-origin" });
      if (answer.status === 401 && !busy()) {
        // Who is shown anything has to log in again.
        location.reload();
      } else if (answer.ok) {
        const next = parsed(await answer.text());
        if (news(next.innerHTML) === shown) {
          const left = next.content.querySelectorAll(".left");
          live.querySelectorAll(".left").forEach((span, place) => (span.textContent = left[place].textContent));
          held.hidden = true;
        } else if (busy()) {
          held.hidden = false;
        } else {
          shown = news(next.innerHTML);
          live.replaceChildren(next.content);
          held.hidden = true;
          settle();
        }
      }
    } catch (gone) {
      // The daemon is away: what is shown stays, and is asked for again.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}
