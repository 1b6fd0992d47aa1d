/*
 * magiclink.js is made of this: python -m docs.make_script
 *
 * Approvals in the browser, which keeps the request and repeats it. The card asks the
 * phone, waits and tells the outcome: in our own page, whose forms work without this, or
 * in a dialog for what fetch(), <form data-magiclink> and htmx send. See magiclink.d.ts.
 */

const { submit, checkValidity, requestSubmit, getAttribute } = HTMLFormElement.prototype;
// A form's field named "submit" hides its own submit(), so only the prototype's is used.

/* Run a card. "go" repeats the request; "mayStart" says that the user sent it. */
function run(card, go, mayStart) {
  const isPage = card.localName === "main";
  const words = card.dataset;
  const find = (selector) => card.querySelector(selector);
  const startForm = find("[data-start]");
  const cancelForm = find("[data-cancel]");
  const repeatForm = find("[data-repeat]");
  const typeForm = find("[data-type]");
  const reportForms = [...card.querySelectorAll("[data-report]")];
  const isOpen = () => words.state === "waiting" || words.state === "confirming";
  let statusUrl = words.statusUrl;
  let liveUrl = words.liveUrl;
  let stream; // says when to look
  let hears = false; // something came through it
  let cancelUrl = cancelForm?.getAttribute("action");
  let timer;
  let turn = 0; // of two looks under way only the later one counts
  let endsAt = 0;
  let asking = false;
  let leaving = false;
  let mayRepeat = true; // by itself, once for each approval

  if (!startForm) return () => {};
  card.classList.add("magiclink-js");
  card.addEventListener("submit", onSubmit);
  find("[data-check]").hidden = false;
  find("[data-check]").addEventListener("click", onCheck);
  document.addEventListener("visibilitychange", onVisibility);
  addEventListener("online", wake);
  addEventListener("pageshow", onPageShow);
  const clock = setInterval(tick, 500);
  if (isOpen()) look();
  else if (words.state === "accepted" && !isPage) repeat();
  else if (words.autostart === "yes" && mayStart) whenSeen(start);
  return cancel;

  function onSubmit(event) {
    if (event.target === startForm) start();
    else if (event.target === cancelForm) cancel();
    else if (event.target === typeForm) type();
    else if (reportForms.includes(event.target)) report(event.target);
    else if (words.state === "waiting") look();
    else if (!leaving) return leave(); // "Continue": the browser sends it
    event.preventDefault();
  }

  function onCheck(event) {
    if (words.state !== "waiting") return; // a link to follow
    event.preventDefault();
    look();
  }

  function wake() {
    if (!document.hidden && isOpen()) look();
  }

  function onVisibility() {
    listen();
    wake();
  }

  /* Back on a page that had gone on already: look, but repeat nothing unasked. */
  function onPageShow(event) {
    if (!event.persisted) return;
    leaving = card.classList.toggle("magiclink-leaving", false);
    if (isOpen() || words.state === "accepted") look();
  }

  async function start() {
    if (asking || leaving) return;
    asking = card.classList.toggle("magiclink-asking", true);
    const [response, body] = await post(startForm.getAttribute("action"), startForm);
    asking = card.classList.toggle("magiclink-asking", false);
    if (response?.ok && body?.status_url) started(body);
    else refused(response?.status, body);
  }

  function started(body) {
    // The dialog was closed meanwhile, and nobody waits for an answer any more.
    if (!card.isConnected) return post(body.cancel_url, cancelForm);
    statusUrl = body.status_url;
    cancelUrl = body.cancel_url;
    liveUrl = body.live_url;
    mayRepeat = true;
    words.outcome = body.status;
    fill("code", body.code);
    const own = find("[data-own]");
    // It is of the approval before this one.
    own?.querySelector("form").removeAttribute("action");
    if (own) own.hidden = false;
    show("waiting", words.asking);
    count(body.expires_in);
    look();
  }

  function refused(status, body) {
    // Too old: the guarded request brings a new card. A 403 that is not JSON is the CSRF
    // check's, which would refuse a form as well.
    const stale = status === 403 && !body;
    if (body?.reason === "expired" || (stale && !repeatForm)) return repeat("stale");
    const later = body?.reason === "limited" || body?.reason === "busy";
    const wait = body?.retry_after;
    const retry = new Date(Date.now() + 1000 * wait);
    fill("retry", wait && retry.toLocaleTimeString(card.lang || undefined));
    words.outcome = "failed";
    show(later ? "later" : "ended", body?.title ?? (stale ? words.stale : words.unanswered));
  }

  async function look() {
    const mine = nextTurn();
    const [response, body] = await ask(statusUrl);
    if (mine !== turn || !card.isConnected) return;
    if (body && (response.ok || response.status === 404)) return told(body);
    show(words.state, words.offline);
    lookAfter(parseInt(response?.headers.get("Retry-After")) || 4);
  }

  /* Open only while it is of use: a browser has six connections for all its tabs. */
  function listen() {
    const useful = liveUrl && words.state === "waiting" && card.isConnected;
    if (!useful || leaving || document.hidden) {
      stream = stream?.close();
      hears = false;
    } else if (!stream) {
      stream = new EventSource(liveUrl);
      stream.onmessage = ({ data }) => {
        hears = data === "waiting";
        if (hears) return;
        liveUrl = ""; // it has nothing more to say
        look();
      };
      // The browser tries again by itself.
      stream.onerror = () => {
        if (hears) look();
        hears = false;
      };
    }
  }

  async function cancel() {
    if (!isOpen()) return;
    mayRepeat = false; // what is accepted in spite of this waits for "Continue"
    const mine = nextTurn();
    const [response, body] = await post(cancelUrl, cancelForm);
    if (mine !== turn) return;
    if (response?.ok && body) told(body);
    else look();
  }

  /* One try: while it is under way nothing else is looked at. */
  async function type() {
    const mine = nextTurn();
    const [response, body] = await post(statusUrl, typeForm);
    if (mine !== turn) return;
    typeForm.reset();
    if (response?.ok && body) told(body);
    else look();
  }

  async function report(form) {
    const url = form.getAttribute("action") ?? `${statusUrl}report/`;
    const [response, body] = await post(url, form);
    form.parentNode.hidden = Boolean(response?.ok);
    show(words.state, body?.message ?? words.offline);
  }

  function told(body) {
    words.outcome = body.status ?? "failed";
    if (body.final === false) {
      const typing = body.status === "confirming";
      const before = words.state;
      show(typing ? "confirming" : "waiting", body.message);
      if (typing && before !== words.state) typeForm.elements.code.focus();
      count(body.expires_in);
      lookAfter(hears ? 15 : body.poll_after);
    } else if (body.status === "accepted") {
      show("accepted", body.message);
      // Files cannot travel: they are chosen again, now or while waiting.
      if (mayRepeat && (!repeatForm || checkValidity.call(repeatForm))) repeat();
    } else {
      show("ended", body.message ?? body.title ?? words.unanswered);
    }
  }

  function repeat(why = "approved") {
    if (leaving) return;
    leave();
    if (repeatForm) submit.call(repeatForm);
    else go(why);
  }

  function leave() {
    leaving = card.classList.toggle("magiclink-leaving", true);
    mayRepeat = false;
  }

  function nextTurn() {
    clearTimeout(timer);
    return (turn += 1);
  }

  function lookAfter(seconds) {
    timer = setTimeout(() => document.hidden || look(), 1000 * (seconds || 2));
  }

  function show(state, message = "") {
    const focused = document.activeElement;
    words.state = state;
    const shown = find("[data-message]");
    // Only what is new: a screen reader says it each time it is set.
    if (shown.textContent !== message) {
      shown.textContent = message;
      const title = [message, words.site].filter(Boolean).join(" · ");
      if (message && isPage) document.title = title;
    }
    // Focus moves only when what had it has vanished.
    if (card.contains(focused) && !focused.getClientRects().length) find("h1").focus();
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
    if (isOpen()) fill("countdown", left);
    listen();
    if (!card.isConnected) clearInterval(clock);
  }
}

/* The card in a page of our own, at the guarded address. */
function runPage(card) {
  // For the pages after this one: see stepsBack().
  if (card.querySelector("[data-repeat]")) {
    window.navigation?.updateCurrentEntry({ state: { magiclink: true } });
  }
  card.querySelector("[data-back]")?.addEventListener("click", (event) => {
    if (history.length < 2) return;
    event.preventDefault();
    history.go(-stepsBack());
  });
  run(card, () => turnPage(card.dataset.path), true);
}

function turnPage(path) {
  const url = new URL(path, location.href);
  const here = url.pathname + url.search === location.pathname + location.search;
  if (here) location.reload();
  else location.replace(url.href + location.hash);
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

let questions = Promise.resolve();
let open = 0;

/*
 * One question at a time. What has waited for its turn is "late": the request is sent
 * again first, as the approval before it may have changed what the guard answers.
 */
function askInDialog(problem, mayStart, signal) {
  const late = open > 0;
  open += 1;
  const answer = questions
    .then(() => (late ? "late" : openDialog(problem.card, mayStart, signal)))
    .finally(() => (open -= 1));
  questions = answer.catch(() => {});
  return answer;
}

/* Resolves to "approved", "stale" if the request needs a new challenge, or "". */
async function openDialog(html, mayStart, signal) {
  if (signal?.aborted) return "";
  const dialog = document.createElement("dialog");
  dialog.className = "magiclink magiclink-dialog";
  dialog.innerHTML = html;
  const style = dialog.querySelector("link");
  // The policy of this page knows its own nonce only.
  if (style) style.nonce = document.querySelector("[nonce]")?.nonce ?? "";
  document.body.append(dialog);
  await new Promise((ready) => {
    if (!style || style.sheet) return ready();
    style.onload = style.onerror = ready;
  });
  let watch; // for who takes the dialog out of the page
  const answer = await new Promise((resolve) => {
    dialog.ariaLabel = dialog.querySelector("h1").textContent;
    dialog.showModal();
    const cancel = run(dialog.querySelector("[data-magiclink-card]"), resolve, mayStart);
    const giveUp = () => {
      cancel();
      resolve("");
    };
    dialog.addEventListener("cancel", giveUp);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    watch = setInterval(() => dialog.isConnected || giveUp(), 500);
    for (const button of dialog.querySelectorAll("[data-close]")) {
      button.hidden = false;
      button.addEventListener("click", () => resolve(""));
    }
  });
  clearInterval(watch);
  dialog.close();
  dialog.remove();
  return answer;
}

const isOurs = (url) => new URL(url, document.baseURI).origin === location.origin;
const hasUser = () => navigator.userActivation?.isActive ?? true;

/* Another site that was led to could put its own HTML into a card. */
function isProblem(status, type, url) {
  return status === 401 && type?.startsWith("application/problem+json") && isOurs(url);
}

async function problemOf(response) {
  const type = response.headers.get("Content-Type");
  if (!isProblem(response.status, type, response.url)) return null;
  const problem = await response.clone().json();
  return problem.card && problem;
}

/* fetch() that asks for the approval that is missing, and then sends the same again. */
async function fetchApproved(input, init = {}, mayStart = hasUser(), onQuestion) {
  if (!isOurs(input.url ?? input)) return fetch(input, init);
  const headers = new Headers(init.headers ?? input.headers);
  headers.set("X-Approval-Dialog", "1");
  const method = (init.method ?? input.method ?? "GET").toUpperCase();
  let send = () => fetch(input.clone?.() ?? input, { ...init, headers });
  // Guards may stand behind each other, but not many.
  for (let rounds = 0; ; ) {
    const response = await send();
    const problem = await problemOf(response);
    if (!problem || rounds === 3) return response;
    if (response.redirected) send = () => fetch(...ledTo(response.url, problem));
    onQuestion?.();
    const answer = await askInDialog(problem, mayStart, init.signal ?? input.signal);
    if (!answer) return response;
    if (answer !== "late") rounds += 1;
  }

  /* What led there may have been carried out: only what the guard refused is sent. */
  function ledTo(url, problem) {
    if (problem.method !== method) return [url, { headers, signal: init.signal }];
    return [input.clone ? new Request(url, input.clone()) : url, { ...init, headers }];
  }
}

const cleared = new WeakSet();

/* <form data-magiclink>: asks before the browser submits, so that files survive. */
async function onFormSubmit(event) {
  const { target: form, submitter } = event;
  const option = (name) =>
    submitter?.getAttribute(`form${name}`) ?? getAttribute.call(form, name);
  const url = new URL(option("action") || location.href, document.baseURI);
  const named = option("method")?.toLowerCase();
  const method = ["post", "dialog"].includes(named) ? named : "get";
  if (getAttribute.call(form, "data-magiclink") === null || !isOurs(url)) return;
  if (event.defaultPrevented || method === "dialog" || cleared.delete(form)) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    const data = new FormData(form, submitter);
    if (await clear(url, method, data, option("enctype"))) {
      cleared.add(form);
      requestSubmit.call(form, submitter);
    }
  } catch (error) {
    // It may have been carried out, so nothing is sent again.
    alert(error.message);
  }
  form.ariaBusy = "false";
}

/* Tell whether a guard says that the form may be submitted. */
async function clear(url, method, data, enctype) {
  const mayStart = hasUser();
  const fields = new URLSearchParams();
  for (const [name, value] of data) fields.append(name, value.name ?? value);
  const headers = { "X-Approval-Preflight": "1", "X-Approval-Dialog": "1" };
  const init = { method, headers };
  if (method === "get") url.search = fields;
  else init.body = enctype === "multipart/form-data" ? data : fields;
  for (let rounds = 0; rounds < 3; ) {
    const response = await fetch(url, init);
    const problem = !response.redirected && (await problemOf(response));
    const passes = response.headers.get("X-Approval") === "pass";
    if (!problem) return (passes && !response.redirected) || present(response);
    const answer = await askInDialog(problem, mayStart);
    if (answer === "approved" || !answer) return answer;
    if (answer !== "late") rounds += 1;
  }
}

/* No guard was there, so the view has run: show what it has answered. */
async function present(response) {
  const header = (name) => response.headers.get(name) ?? "";
  const kept = header("Content-Disposition").startsWith("attachment");
  const isPage = header("Content-Type").startsWith("text/html");
  // What is shown here has the rights of this page.
  const apart = header("Content-Security-Policy").includes("sandbox");
  if (response.redirected) location.assign(response.url);
  else if (isPage && response.status !== 204 && !kept && !apart) {
    const html = await response.text();
    history.pushState(null, "", response.url);
    const { pathname, search } = location;
    document.open();
    document.write(html);
    document.close();
    boot();
    addEventListener("popstate", () => {
      if (location.pathname + location.search !== pathname + search) location.reload();
    });
  } else if (response.status !== 204) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    const named = /filename="?([^";]+)/.exec(header("Content-Disposition"));
    link.download = named?.[1] ?? "";
    link.click();
  }
}

/* htmx 2 sends by XMLHttpRequest: the very same one is opened and sent again. */
const bodies = new WeakMap();

function keepBody({ detail: { xhr } }) {
  xhr.send = (body) => {
    bodies.set(xhr, body);
    XMLHttpRequest.prototype.send.call(xhr, body);
  };
}

const asked = new WeakSet();

async function onLoad(event) {
  const { xhr, requestConfig: config } = event.detail;
  const type = xhr.getResponseHeader("Content-Type");
  if (!isProblem(xhr.status, type, xhr.responseURL)) return;
  const problem = JSON.parse(xhr.response);
  if (!problem.card) return;
  event.preventDefault();
  // One that polls goes on behind the dialog.
  if (asked.has(config.elt)) return;
  asked.add(config.elt);
  const mayStart = hasUser() && Boolean(config.triggeringEvent?.isTrusted);
  const answer = await askInDialog(problem, mayStart);
  asked.delete(config.elt);
  if (!answer) return;
  // What led to another method may have been carried out.
  const same = problem.method === config.verb.toUpperCase();
  xhr.open(problem.method, xhr.responseURL);
  for (const name in config.headers) setHeader(xhr, name, config.headers[name]);
  xhr.send(same ? bodies.get(xhr) : null);
}

function setHeader(xhr, name, value) {
  if (value === null) return;
  try {
    xhr.setRequestHeader(name, value);
  } catch {
    // As htmx itself does with what no header can hold.
    xhr.setRequestHeader(name, encodeURIComponent(value));
    xhr.setRequestHeader(`${name}-URI-AutoEncoded`, "true");
  }
}

/* htmx 4 takes the fetch it is given. */
function giveFetch({ detail: { ctx } }) {
  ctx.fetch = async (url, init) => {
    const mayStart = hasUser() && Boolean(ctx.sourceEvent?.isTrusted);
    const wait = () => clearTimeout(ctx.requestTimeout);
    const response = await fetchApproved(url, init, mayStart, wait);
    if (await problemOf(response)) ctx.swap = "none";
    return response;
  };
}

function boot() {
  document.addEventListener("submit", onFormSubmit);
  document.addEventListener("htmx:configRequest", ({ detail: { headers, path } }) => {
    if (isOurs(path)) headers["X-Approval-Dialog"] = "1";
  });
  document.addEventListener("htmx:beforeSend", keepBody);
  document.addEventListener("htmx:beforeOnLoad", onLoad);
  document.addEventListener("htmx:before:request", giveFetch);
  const card = document.querySelector("main[data-magiclink-card]");
  if (card) runPage(card);
}

const publicFetch = (input, init) => fetchApproved(input, init);

export { publicFetch as fetch };
// A second address of this file, such as one with a hash, is another module.
if (typeof window.magiclink?.fetch !== "function") {
  window.magiclink = { fetch: publicFetch };
  boot();
}
