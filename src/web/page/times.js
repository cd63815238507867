// Times by this machine's clock beside those in UTC, and how long there is left. Without it, the pages show what was so when they
// were loaded.
"use strict";
const two = (number) => String(number).padStart(2, "0");
const clock = (at) => [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
const day = (at) => [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
// Where the clock here shows what is written, nothing is added.
const showTimes = (within) => {
  for (const time of within.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (time.textContent === time.dateTime && at.getTimezoneOffset()) {
      const date = time.dateTime.startsWith(day(at)) ? "" : day(at) + " ";
      time.append(` (${date}${clock(at)} your time)`);
    }
  }
};
const span = (seconds) => {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min ${seconds % 60} s`;
  return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
};
// The daemon says how long, and not until when: the clock here may be wrong.
const ends = new WeakMap();
const endsIn = (left, seconds) => ends.set(left, performance.now() + seconds * 1000);
const countDown = () => {
  for (const left of document.querySelectorAll(".left")) {
    if (!ends.has(left)) endsIn(left, left.dataset.seconds);
    const seconds = Math.max(0, Math.ceil((ends.get(left) - performance.now()) / 1000));
    left.textContent = seconds ? `${span(seconds)} left` : "the time is over";
  }
};
countDown();
setInterval(countDown, 1000);
showTimes(document);
