/* Stops standing orders: magiclink.fetch() asks the phone, and sends the request again. */

const section = document.querySelector("#orders");
const status = section.querySelector("[data-status]");
const token = section.querySelector("[name=csrfmiddlewaretoken]").value;

// A click before this script is there would be lost.
for (const button of section.querySelectorAll("button")) button.disabled = false;

section.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const row = button.closest("li");
  const payee = row.querySelector("strong").textContent;
  button.disabled = true;
  try {
    const response = await window.magiclink.fetch(row.dataset.url, {
      method: "DELETE",
      headers: { "X-CSRFToken": token },
    });
    if (response.ok) row.remove();
    status.textContent = response.ok ? `${payee} is stopped.` : `${payee} is still paid.`;
  } catch {
    status.textContent = "The bank did not answer. Load the page again.";
  }
  button.disabled = false;
});
