/* Sends what a test has put into window.sent, by a click or without. */
const answer = document.querySelector("#answer");
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;

async function send() {
  const headers = { "X-CSRFToken": token };
  const responses = await Promise.all(
    window.sent.map(([url, init]) =>
      window.magiclink.fetch(url, { ...init, headers: { ...headers, ...init?.headers } })
    )
  );
  const lines = await Promise.all(
    responses.map(async (response) => `${response.status} ${await response.text()}`)
  );
  answer.textContent = lines.join("\n");
}

document.querySelector("#send").addEventListener("click", send);

const path = new URLSearchParams(location.search).get("auto");
if (path) {
  window.sent = [[path]];
  send();
}
