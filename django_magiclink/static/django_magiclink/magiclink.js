/*
 * The approval page: asks the phone, waits and tells the outcome in place. The forms
 * work without it; it presses them for the user, moves data-state and fills in words.
 */

const main = document.querySelector("[data-magiclink]");
const words = main?.dataset;
const find = (selector) => main?.querySelector(selector);
const startForm = find("[data-start]");
const cancelForm = find("[data-cancel]");
// Its fields are the host's, and one named "submit" hides the form's own submit(): use
// nothing of this form but what its prototype has.
const repeatForm = find("[data-repeat]");
const { submit, checkValidity } = HTMLFormElement.prototype;

let statusUrl = words?.statusUrl;
let cancelUrl = cancelForm?.getAttribute("action");
let timer;
let turn = 0; // of two looks under way only the later one counts
let endsAt = 0;
let asking = false;
let leaving = false;
let mayRepeat = true; // by itself, once for each approval

function run() {
  main.classList.add("magiclink-js");
  main.addEventListener("submit", onSubmit);
  find("[data-check]").hidden = false;
  find("[data-check]").addEventListener("click", onCheck);
  find("[data-back]")?.addEventListener("click", onBack);
  document.addEventListener("visibilitychange", wake);
  addEventListener("online", wake);
  addEventListener("pageshow", onPageShow);
  setInterval(tick, 500);
  // For the pages after this one: see stepsBack().
  if (repeatForm) window.navigation?.updateCurrentEntry({ state: { magiclink: true } });
  if (words.state === "waiting") look();
  else if (words.autostart === "yes") whenSeen(() => words.state === "ask" && start());
}

function onSubmit(event) {
  if (event.target === startForm) start();
  else if (event.target === cancelForm) cancel();
  else if (words.state === "waiting") look();
  else if (!leaving) return leave(); // "Continue": the browser sends it
  event.preventDefault();
}

function onCheck(event) {
  if (words.state !== "waiting") return; // a link to follow
  event.preventDefault();
  look();
}

function onBack(event) {
  if (history.length < 2) return;
  event.preventDefault();
  history.go(-stepsBack());
}

function wake() {
  if (!document.hidden && words.state === "waiting") look();
}

/* Back on a page that had gone on already: look, but repeat nothing unasked. */
function onPageShow(event) {
  if (!event.persisted) return;
  leaving = main.classList.toggle("magiclink-leaving", false);
  if (words.state === "waiting" || words.state === "accepted") look();
}

async function start() {
  if (asking || leaving) return;
  asking = main.classList.toggle("magiclink-asking", true);
  const [response, body] = await post(startForm.getAttribute("action"), startForm);
  asking = main.classList.toggle("magiclink-asking", false);
  if (response?.ok && body?.status_url) started(body);
  else refused(response?.status, body);
}

function started(body) {
  statusUrl = body.status_url;
  cancelUrl = body.cancel_url;
  mayRepeat = true;
  words.outcome = body.status;
  fill("code", body.code);
  show("waiting");
  count(body.expires_in);
  look();
}

function refused(status, body) {
  // Too old: the guarded request brings a new page. A 403 that is not JSON is the CSRF
  // check's, which would refuse a form as well.
  const stale = status === 403 && !body;
  if (body?.reason === "expired" || (stale && !repeatForm)) return repeat();
  const later = body?.reason === "limited" || body?.reason === "busy";
  const wait = body?.retry_after;
  const retry = new Date(Date.now() + 1000 * wait);
  fill("retry", wait && retry.toLocaleTimeString(document.documentElement.lang));
  words.outcome = "failed";
  show(later ? "later" : "ended", body?.title ?? (stale ? words.stale : words.unanswered));
}

async function look() {
  const mine = nextTurn();
  const [response, body] = await ask(statusUrl);
  if (mine !== turn) return;
  if (body && (response.ok || response.status === 404)) return told(body);
  show(words.state, words.offline);
  lookAfter(4);
}

async function cancel() {
  mayRepeat = false; // what is accepted in spite of this waits for "Continue"
  const mine = nextTurn();
  const [response, body] = await post(cancelUrl, cancelForm);
  if (mine !== turn) return;
  if (response?.ok && body) told(body);
  else look();
}

function told(body) {
  words.outcome = body.status ?? "failed";
  if (body.final === false) {
    show("waiting", body.message);
    count(body.expires_in);
    lookAfter(body.poll_after);
  } else if (body.status === "accepted") {
    show("accepted", body.message);
    // Files cannot travel: they are chosen again, now or while waiting.
    if (mayRepeat && (!repeatForm || checkValidity.call(repeatForm))) repeat();
  } else {
    show("ended", body.message ?? body.title ?? words.unanswered);
  }
}

function repeat() {
  if (leaving) return;
  leave();
  if (repeatForm) return submit.call(repeatForm);
  const url = new URL(words.path, location.href);
  const here = url.pathname + url.search === location.pathname + location.search;
  if (here) location.reload();
  else location.replace(url.href + location.hash);
}

function leave() {
  leaving = main.classList.toggle("magiclink-leaving", true);
  mayRepeat = false;
}

function nextTurn() {
  clearTimeout(timer);
  return (turn += 1);
}

function lookAfter(seconds) {
  timer = setTimeout(look, 1000 * (seconds || 2));
}

function show(state, message = "") {
  const focused = document.activeElement;
  words.state = state;
  const shown = find("[data-message]");
  // Only what is new: a screen reader says it each time it is set.
  if (shown.textContent !== message) {
    shown.textContent = message;
    if (message) document.title = [message, words.site].filter(Boolean).join(" · ");
  }
  // Focus moves only when what had it has vanished.
  if (main.contains(focused) && !focused.getClientRects().length) find("h1").focus();
}

function fill(name, text) {
  const part = find(`[data-${name}]`);
  part.textContent = text;
  part.parentNode.hidden = !text;
}

function count(seconds) {
  const end = Date.now() + 1000 * seconds;
  // The server's clock, but not its rounding to whole seconds.
  if (Math.abs(end - endsAt) > 1500) endsAt = end;
  tick();
}

function tick() {
  const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
  if (words.state === "waiting") fill("countdown", left);
}

/* How many entries of the history are pages like this one: the form is before them. */
function stepsBack() {
  const entries = window.navigation?.entries() ?? [];
  let index = window.navigation?.currentEntry?.index;
  let steps = 1;
  while (entries[--index]?.getState()?.magiclink) steps += 1;
  return steps;
}

/* A page that is only prepared, or opened behind another, must not ring a phone. */
function whenSeen(action) {
  const hidden = document.hidden && "visibilitychange";
  const change = document.prerendering ? "prerenderingchange" : hidden;
  if (!change) return action();
  document.addEventListener(change, () => whenSeen(action), { once: true });
}

/* The response and its JSON, or neither where the site did not answer. */
async function ask(url, options) {
  const headers = { Accept: "application/json" };
  const signal = AbortSignal.timeout?.(20000);
  try {
    const response = await fetch(url, { cache: "no-store", headers, signal, ...options });
    return [response, await response.json().catch(() => null)];
  } catch {
    return [];
  }
}

function post(url, form) {
  const body = new URLSearchParams(new FormData(form));
  body.delete("_approval_fields"); // the page keeps them
  return ask(url, { method: "POST", body });
}

if (startForm) run();
