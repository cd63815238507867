// Shows what a signed link is about, and sends the answer of whoever presses a button. Its token stands behind the # of the
// address, which no browser sends by itself. Without this script, the code beside the link does the same.
// `times.js` comes first.
"use strict";
const question = document.getElementById("question");
const said = document.getElementById("said");
const byCode = document.getElementById("by-code");
const plain = { createHTML: (text) => text };
const policy = window.trustedTypes ? window.trustedTypes.createPolicy("sickbay", plain) : plain;
const here = location.pathname;
let token = location.hash.slice(1);
try {
  token = decodeURIComponent(token);
} catch (odd) {
  // It is sent as it stands, and does not fit.
}
const tell = (text, good) => {
  said.className = good ? "said good" : "said no-good";
  said.hidden = false;
  said.textContent = text;
};
const send = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
    credentials: "same-origin",
  });
const away = "sickbay cannot be reached. Nothing is known to have been decided; try again.";
const why = async (answer) => {
  try {
    return (await answer.json()).error || away;
  } catch (odd) {
    return away;
  }
};
const show = async () => {
  byCode.hidden = true;
  try {
    const answer = await send(here + "/show", { token });
    if (answer.ok) {
      const template = document.createElement("template");
      template.innerHTML = policy.createHTML(await answer.text());
      question.replaceChildren(template.content);
      countDown();
      showTimes(question);
      return;
    }
    tell(await why(answer), false);
    // What does not fit is asked for once, and the code may.
    history.replaceState(null, "", here);
    token = "";
  } catch (gone) {
    tell(away, false);
  }
  byCode.hidden = false;
};
const decide = async (form, decision) => {
  const buttons = form.querySelectorAll("button[name]");
  buttons.forEach((button) => (button.disabled = true));
  try {
    const answer = await send(here, { token, decision, reason: form.elements.reason.value });
    if (answer.ok) {
      question.replaceChildren();
      tell((await answer.json()).message, true);
      return;
    }
    tell(await why(answer), false);
  } catch (gone) {
    tell(away, false);
  }
  buttons.forEach((button) => (button.disabled = false));
};
question.addEventListener("submit", (event) => {
  if (token !== "") {
    event.preventDefault();
    decide(event.target, event.submitter.value);
  }
});
window.addEventListener("hashchange", () => location.reload());
if (token !== "" && byCode) {
  show();
}
