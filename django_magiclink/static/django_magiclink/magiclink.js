/*
 * Asks the phone, waits and tells the outcome in place. The page works without this
 * script too: all it does is press the forms for the user, and move data-state.
 */

const HEADERS = { Accept: "application/json" };
/** Seconds until a look is given up, and between looks while the site is away. */
const PATIENCE = 20;
const LONGEST_PAUSE = 30;

class ApprovalPage {
  constructor(main) {
    this.main = main;
    this.words = main.dataset;
    this.statusUrl = this.words.statusUrl;
    this.startForm = this.find("[data-start]");
    this.cancelForm = this.find("[data-cancel]");
    this.cancelUrl = this.cancelForm?.getAttribute("action");
    // Its fields are the host's, and one called "submit" or "querySelector" hides what
    // the form itself has by that name: use nothing of it but what prototypes have.
    this.repeatForm = this.find("[data-repeat]");
    this.turn = 0; // of two answers under way only the newer counts
    this.misses = 0;
    this.endsAt = 0;
    this.asking = false;
    this.mayRepeat = true; // at most once for each approval
    this.leaving = false;
  }

  find(selector) {
    return this.main.querySelector(selector);
  }

  get state() {
    return this.words.state;
  }

  run() {
    if (!this.startForm) return; // nothing can be asked here
    this.main.classList.add("magiclink-js");
    this.find("[data-check]").hidden = false;
    this.main.addEventListener("submit", (event) => this.submitted(event));
    this.main.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
    addEventListener("pageshow", (event) => event.persisted && this.restored());
    setInterval(() => this.tick(), 500);
    // So that "Back to your form" finds its way past pages like this one.
    if (this.repeatForm) navigation()?.updateCurrentEntry({ state: { magiclink: true } });
    const retry = this.find("[data-retry]").dateTime;
    if (retry) this.showRetry(new Date(retry));
    if (this.state === "waiting") this.look();
    else if (this.words.autostart === "yes") whenSeen(() => this.state === "ask" && this.start());
  }

  submitted(event) {
    if (event.target === this.startForm) this.start();
    else if (event.target === this.cancelForm) this.cancel();
    else if (this.state === "waiting") this.look();
    else if (!this.leaving) return this.leave(); // "Continue": the browser sends it
    event.preventDefault();
  }

  clicked(event) {
    const pressed = event.target.closest("[data-check], [data-back]");
    if (!pressed) return;
    const back = pressed.matches("[data-back]");
    if (back ? history.length < 2 : this.state !== "waiting") return; // just a link
    event.preventDefault();
    if (back) history.go(-stepsBack());
    else this.look();
  }

  wake() {
    if (!document.hidden && this.state === "waiting") this.look();
  }

  /* Back from the page that the request brought: never send it again unasked. */
  restored() {
    this.leaving = false;
    this.main.classList.remove("magiclink-leaving");
    if (this.state === "waiting" || this.state === "accepted") this.look();
  }

  async start() {
    if (this.asking || this.leaving) return;
    this.asking = true;
    this.main.classList.add("magiclink-asking");
    const turn = this.nextTurn();
    const [response, body] = await post(this.startForm.getAttribute("action"), this.startForm);
    this.asking = false;
    this.main.classList.remove("magiclink-asking");
    if (turn !== this.turn) return;
    if (response?.ok && body) this.started(body);
    else this.refused(response?.status, body);
  }

  started(body) {
    this.statusUrl = body.status_url;
    this.cancelUrl = body.cancel_url;
    this.mayRepeat = true;
    this.words.outcome = body.status;
    this.find("[data-code]").textContent = body.code ?? "";
    this.find(".magiclink-code").hidden = !body.code;
    this.endsAt = 0;
    this.count(body.expires_in);
    this.show("waiting", "");
    this.look();
  }

  refused(status, body) {
    // Too old: the guarded request itself brings a new page. A refusal that is not ours
    // is the CSRF check's, which would refuse a form as well.
    if (body?.reason === "expired" || (status === 403 && !body && !this.repeatForm)) {
      return this.repeat();
    }
    this.words.outcome = "failed";
    if (["limited", "busy"].includes(body?.reason)) {
      this.showRetry(body.retry_after && new Date(Date.now() + 1000 * body.retry_after));
      this.show("later", body.title);
    } else {
      const unanswered = status === 403 ? this.words.stale : this.words.unanswered;
      this.show("ended", body?.title ?? unanswered);
    }
  }

  async look() {
    const turn = this.nextTurn();
    const [response, body] = await ask(this.statusUrl);
    if (turn !== this.turn) return;
    if (body && (response.ok || response.status === 404)) return this.told(body);
    this.misses += 1;
    this.show(this.state, this.words.offline);
    this.lookAfter(Math.min(2 ** this.misses, LONGEST_PAUSE));
  }

  async cancel() {
    // What is accepted in spite of this waits for "Continue".
    this.mayRepeat = false;
    const turn = this.nextTurn();
    const [response, body] = await post(this.cancelUrl, this.cancelForm);
    if (turn !== this.turn) return;
    if (response?.ok && body) this.told(body);
    else this.look();
  }

  /* A final state has come, or the time to look again. */
  told(body) {
    this.misses = 0;
    this.words.outcome = body.status ?? "failed";
    if (body.status === "accepted") return this.accepted(body.message);
    if (body.final !== false) return this.show("ended", body.message ?? body.title);
    this.count(body.expires_in);
    this.show("waiting", body.message);
    this.lookAfter(body.poll_after);
  }

  accepted(message) {
    this.show("accepted", message);
    // Files cannot travel: the user chooses them again, or has done so while waiting.
    const valid = HTMLFormElement.prototype.checkValidity;
    if (this.mayRepeat && (!this.repeatForm || valid.call(this.repeatForm))) this.repeat();
  }

  repeat() {
    if (this.leaving) return;
    this.leave();
    if (this.repeatForm) return HTMLFormElement.prototype.submit.call(this.repeatForm);
    const target = new URL(this.words.path, location.href);
    if (target.pathname + target.search === location.pathname + location.search) {
      location.reload();
    } else {
      location.replace(target.href + location.hash);
    }
  }

  leave() {
    this.leaving = true;
    this.mayRepeat = false;
    this.main.classList.add("magiclink-leaving");
  }

  nextTurn() {
    clearTimeout(this.timer);
    return (this.turn += 1);
  }

  lookAfter(seconds) {
    this.timer = setTimeout(() => this.look(), 1000 * (seconds || 2));
  }

  show(state, message = "") {
    const focused = document.activeElement;
    this.words.state = state;
    const shown = this.find("[data-message]");
    // Only a change: a screen reader would say it again at each look.
    if (shown.textContent !== message) {
      shown.textContent = message;
      if (message) document.title = [message, this.words.site].filter(Boolean).join(" · ");
    }
    // Focus moves only where what had it has vanished.
    if (this.main.contains(focused) && !focused.getClientRects().length) this.find("h1").focus();
  }

  showRetry(time) {
    const shown = this.find("[data-retry]");
    shown.parentNode.hidden = !time;
    if (time) shown.textContent = time.toLocaleTimeString(document.documentElement.lang);
  }

  count(seconds) {
    const endsAt = Date.now() + 1000 * (seconds ?? 0);
    // The server's seconds are whole ones: follow its clock, not its rounding.
    if (Math.abs(endsAt - this.endsAt) > 1500) this.endsAt = endsAt;
    this.tick();
  }

  tick() {
    const left = Math.max(0, Math.round((this.endsAt - Date.now()) / 1000));
    const shown = this.find("[data-countdown]");
    shown.textContent = left;
    shown.parentNode.hidden = !left;
  }
}

/* Returns the response and its JSON, or neither: a site that is away throws nothing. */
async function ask(url, options) {
  const signal = AbortSignal.timeout?.(1000 * PATIENCE);
  try {
    const response = await fetch(url, { cache: "no-store", headers: HEADERS, signal, ...options });
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

function navigation() {
  return window.navigation;
}

/* How many entries of the history are pages like this, this one included. */
function stepsBack() {
  const entries = navigation()?.entries() ?? [];
  let index = navigation()?.currentEntry?.index ?? 0;
  let steps = 1;
  while (entries[--index]?.getState()?.magiclink) steps += 1;
  return steps;
}

/* A page that is only prepared, or opened behind another, must not ring a phone. */
function whenSeen(action) {
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", () => whenSeen(action), { once: true });
  } else if (document.hidden) {
    document.addEventListener("visibilitychange", () => whenSeen(action), { once: true });
  } else action();
}

const main = document.querySelector("[data-magiclink]");
if (main) new ApprovalPage(main).run();
