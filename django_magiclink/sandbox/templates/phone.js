async function refresh() {
  if (document.hidden) return;
  const response = await fetch(location.href).catch(() => null);
  if (!response) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const shown of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(shown.id);
    if (!fresh) continue;
    if (fresh.dataset.live !== shown.dataset.live) {
      const focused = document.activeElement.id;
      shown.innerHTML = fresh.innerHTML;
      shown.dataset.live = fresh.dataset.live;
      document.getElementById(focused)?.focus();
    }
  }
  for (const shown of document.querySelectorAll("[data-tick]")) {
    const fresh = page.getElementById(shown.id);
    if (fresh?.localName === "progress") shown.value = fresh.value;
    else if (fresh) shown.textContent = fresh.textContent;
  }
}
if (document.querySelector("[data-live]")) setInterval(refresh, 1000);
