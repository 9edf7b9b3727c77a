// The remote: sends the page's forms without leaving the page, takes in the
// parts that the hub sends, lets the position run, and keeps its hands off a
// slider that a finger is on. Without it the page works by plain forms.
"use strict";

(() => {
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  const quiet = matchMedia("(prefers-reduced-motion: reduce)");
  root.classList.add("js");

  // ---- what the hub sends ----

  const latest = new Map(); // newest HTML of every part
  const held = new Set(); // sliders that belong to the finger at present
  let source, again, doubt;

  function open() {
    close();
    const from = new URLSearchParams(location.search).get("from");
    source = new EventSource(from ? "/live?from=" + encodeURIComponent(from) : "/live");
    source.addEventListener("build", (e) => {
      if (e.data !== root.dataset.build) location.reload();
    });
    source.addEventListener("parts", (e) => {
      online(true);
      take(e.data);
    });
    source.onerror = () => {
      online(false);
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 3000);
    };
  }

  function close() {
    clearTimeout(again);
    if (source) source.close();
  }

  // A lost stream is said, for what is shown may be old; a short one is not.
  function online(yes) {
    clearTimeout(doubt);
    if (yes) by("offline").textContent = "";
    else doubt = setTimeout(() => (by("offline").textContent = by("offline").dataset.text), 1500);
  }

  function take(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    for (const part of [...box.content.children]) {
      latest.set(part.id, part.outerHTML);
      if (part.id === "now") anchor(part);
      morph(part.id, part.outerHTML);
    }
  }

  function morph(id, html) {
    const old = by(id);
    if (!old) return;
    Idiomorph.morph(old, html, {
      morphStyle: "outerHTML",
      callbacks: { beforeNodeMorphed: (node) => !held.has(node) },
    });
  }

  // ---- what people do ----

  function say(text) {
    by("said").textContent = text;
  }

  async function send(url, data) {
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "X-Remote": "1" },
        body: new URLSearchParams(data),
      });
      say(answer.ok ? "" : await answer.text());
    } catch {
      say(by("said").dataset.failed);
    }
  }

  document.addEventListener("submit", (e) => {
    const form = e.target;
    const key = e.submitter;
    const url = key && key.hasAttribute("formaction") ? key.formAction : form.action;
    if (!new URL(url).pathname.startsWith("/do/")) return;
    e.preventDefault();
    if (navigator.vibrate && !quiet.matches) navigator.vibrate(8);
    send(url, new FormData(form, key));
  });

  // ---- sliders ----

  // push sends a slider's newest value, one request at a time and at most ten
  // a second; what was passed over in between nobody misses.
  const pushing = new Map();

  async function push(slider) {
    if (pushing.has(slider)) {
      pushing.set(slider, true);
      return;
    }
    do {
      pushing.set(slider, false);
      const pause = new Promise((done) => setTimeout(done, 100));
      await send(slider.form.action, new FormData(slider.form));
      await pause;
    } while (pushing.get(slider));
    pushing.delete(slider);
    release(slider);
  }

  let finger = null; // the slider that is pressed

  // release gives a slider back to the hub, which says where it really stands.
  function release(slider) {
    if (finger === slider || pushing.has(slider)) return;
    held.delete(slider);
    const part = slider.closest("section");
    if (part && latest.has(part.id)) morph(part.id, latest.get(part.id));
    tick();
  }

  document.addEventListener("pointerdown", (e) => {
    if (e.target.matches("input[type=range]")) finger = e.target;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      const slider = finger;
      finger = null;
      if (slider) setTimeout(() => release(slider), 0); // behind its change event
    });
  }
  document.addEventListener("input", (e) => {
    const slider = e.target;
    if (!slider.matches("input[type=range]")) return;
    held.add(slider);
    if (slider.matches("[data-volume]")) push(slider);
    else showPlace(slider, Number(slider.value), true);
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-seek]")) push(e.target);
  });

  // ---- the position runs ----

  let start = 0; // position in ms when the hub last said it, and when that was
  let since = 0;

  // anchor takes the position from a part that has just come, not from one
  // that is shown again: that one's time is past.
  function anchor(part) {
    const seek = part.querySelector("#seek");
    if (!seek) return;
    start = Number(seek.getAttribute("value"));
    since = performance.now();
  }

  const two = (n) => String(n).padStart(2, "0");

  function clock(ms) {
    const s = Math.floor(ms / 1000);
    if (s < 3600) return Math.floor(s / 60) + ":" + two(s % 60);
    return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  }

  function showPlace(seek, ms, speak) {
    by("passed").textContent = clock(ms);
    if (!speak) return;
    const text = seek.dataset.place.replace("{0}", clock(ms)).replace("{1}", clock(Number(seek.max)));
    seek.setAttribute("aria-valuetext", text);
  }

  function tick() {
    const seek = by("seek");
    if (!seek || held.has(seek) || seek.dataset.running !== "true") return;
    const ms = Math.min(Number(seek.max), start + performance.now() - since);
    seek.value = ms;
    showPlace(seek, ms, document.activeElement !== seek);
  }
  setInterval(tick, 250);

  // ---- coming and going ----

  // A sleeping page holds no stream; a page that wakes is told everything.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (e) => e.persisted && open());

  // A used code has no business in the address, the history or a bookmark.
  if (new URLSearchParams(location.search).has("code")) history.replaceState(null, "", "/");

  anchor(document);
  if (!document.hidden) open();
})();
