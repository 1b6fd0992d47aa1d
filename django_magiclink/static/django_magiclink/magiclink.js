/* The page that asks, waits and tells the outcome. */

const JSON_ONLY = { Accept: "application/json" };

class ApprovalPage {
  constructor(main) {
    this.main = main;
    this.timer = null;
    this.statusUrl = main.dataset.statusUrl;
    this.cancelUrl = this.find("[data-cancel]")?.getAttribute("action");
    this.endsAt = 0;
  }

  find(selector) {
    return this.main.querySelector(selector);
  }

  run() {
    if (!this.find("[data-start]")) return;
    this.main.classList.add("magiclink-js");
    this.find("[data-check]").hidden = false;
    this.on("[data-start]", "submit", () => this.start());
    this.on("[data-cancel]", "submit", () => this.cancel());
    this.on("[data-check]", "click", () => this.look());
    this.on("[data-back]", "click", () => history.back());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state === "waiting") this.look();
    });
    setInterval(() => this.tick(), 250);
    if (this.state === "waiting") this.look();
    else if (this.main.dataset.autostart === "yes") whenSeen(() => this.start());
  }

  on(selector, event, action) {
    this.find(selector)?.addEventListener(event, (happened) => {
      happened.preventDefault();
      action();
    });
  }

  get state() {
    return this.main.dataset.state;
  }

  show(state, message) {
    this.main.dataset.state = state;
    if (message !== undefined) this.find("[data-message]").textContent = message;
  }

  async start() {
    const form = this.find("[data-start]");
    if (this.starting) return;
    this.starting = true;
    try {
      const sent = new URLSearchParams();
      for (const name of ["challenge", "csrfmiddlewaretoken"])
        sent.set(name, form.querySelector(`[name=${name}]`).value);
      const response = await post(form.getAttribute("action"), sent);
      const body = await response.json();
      if (response.ok) this.started(body);
      else this.refused(body);
    } catch {
      this.show("ended", this.main.dataset.offline);
    } finally {
      this.starting = false;
    }
  }

  started(body) {
    this.statusUrl = body.status_url;
    this.cancelUrl = body.cancel_url;
    this.main.dataset.outcome = body.status;
    const code = this.find("[data-code]");
    code.textContent = body.code ?? "";
    code.hidden = this.find(".magiclink-code-label").hidden = !body.code;
    this.count(body.expires_in);
    this.show("waiting");
    this.look();
  }

  refused(body) {
    // A challenge that is too old: the guarded request itself brings a new one.
    if (body.reason === "expired") return this.repeat();
    if (body.retry_after) {
      const again = new Date(Date.now() + 1000 * body.retry_after);
      this.find("[data-retry]").textContent = again.toLocaleTimeString();
    }
    this.main.dataset.outcome = "";
    this.show(body.retry_after ? "later" : "ended", body.title);
  }

  async look() {
    clearTimeout(this.timer);
    let next = 2;
    try {
      const response = await fetch(this.statusUrl, { headers: JSON_ONLY });
      if (response.ok || response.status === 404) next = this.told(await response.json());
      else this.show("waiting", this.main.dataset.offline);
    } catch {
      this.show("waiting", this.main.dataset.offline);
    }
    if (next) this.timer = setTimeout(() => this.look(), 1000 * next);
  }

  told(body) {
    if (this.state !== "waiting") return null;
    this.main.dataset.outcome = body.status ?? "failed";
    if (body.status === "accepted") {
      this.show("accepted", body.message);
      this.repeat();
    } else {
      this.show(body.final === false ? "waiting" : "ended", body.message ?? body.title);
      this.count(body.expires_in);
    }
    return body.poll_after;
  }

  async cancel() {
    const token = this.find("[data-cancel] [name=csrfmiddlewaretoken]").value;
    try {
      await post(this.cancelUrl, new URLSearchParams({ csrfmiddlewaretoken: token }));
    } finally {
      this.look();
    }
  }

  repeat() {
    const form = this.find("[data-repeat]");
    if (form?.querySelector("[type=file]")) return;
    // Not form.submit(): a field of the host may be called "submit".
    if (form) HTMLFormElement.prototype.submit.call(form);
    else if (location.pathname + location.search === this.main.dataset.path) location.reload();
    else location.replace(this.main.dataset.path);
  }

  count(seconds) {
    this.endsAt = Date.now() + 1000 * (seconds ?? 0);
    this.tick();
  }

  tick() {
    const left = Math.max(0, Math.round((this.endsAt - Date.now()) / 1000));
    if (this.state === "waiting") this.find("[data-countdown]").textContent = left;
  }
}

function post(url, body) {
  return fetch(url, { method: "POST", body, headers: JSON_ONLY });
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
