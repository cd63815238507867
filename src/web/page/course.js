// Shows what happens in an open incident as it happens. Without it, the page shows the same when it is loaded anew. `times.js`
// comes first.
"use strict";
const course = document.querySelector("ol.course[data-open]");
if (course) {
  const [told, state, heading] = ["told", "state", "heading"].map((id) => document.getElementById(id));
  const plain = { createHTML: (text) => text };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("sickbay", plain) : plain;
  const parsed = (text) => new DOMParser().parseFromString(policy.createHTML(text), "text/html");
  // As they were sent; those that the page came with are not known any more as such.
  const sent = [];
  // What happened stays where it is, with all that somebody has opened in it; what is new comes below.
  const show = (page) => {
    const [now, next] = [page.querySelector("ol.course"), page.getElementById("state")];
    if (!now || !next) return;
    const items = [...now.children];
    const news = [];
    items.forEach((item, index) => {
      const [is, was, here] = [item.innerHTML, sent[index], course.children[index]];
      sent[index] = is;
      if (here && (was === undefined || was === is)) return;
      if (here) here.replaceWith(item);
      else course.append(item);
      news.push(item.querySelector("h3").textContent);
      showTimes(item);
    });
    while (course.children.length > items.length) course.lastElementChild.remove();
    if (state.textContent !== next.textContent) {
      state.replaceChildren(...next.childNodes);
      heading.textContent = page.getElementById("heading").textContent;
    }
    const ended = !("open" in now.dataset);
    if (news.length || ended) told.textContent = `${news.join("; ")}. ${state.textContent}`;
    if (ended) delete course.dataset.open;
  };
  const look = async () => {
    const [began, stop] = [performance.now(), new AbortController()];
    const late = setTimeout(() => stop.abort(), 10000);
    let out = false;
    try {
      const asks = { headers: { accept: "text/html" }, cache: "no-store", credentials: "same-origin", signal: stop.signal };
      const answer = document.hidden ? null : await fetch(location.href, asks);
      out = answer !== null && answer.status === 401;
      if (answer && answer.ok) show(parsed(await answer.text()));
    } catch (gone) {
      // The daemon is away: what is shown stays, and is asked for again.
    }
    clearTimeout(late);
    if (out) state.textContent = "You are logged out: what happens from here on is not shown.";
    // A long log takes long to read, and is read the less often.
    else if ("open" in course.dataset) setTimeout(look, Math.max(800, 10 * (performance.now() - began)));
  };
  setTimeout(look, 800);
}
