/**
 * Like the browser's `fetch()`. Where a view of this site wants an approval, it asks for
 * it in a dialog and then sends the same request again.
 *
 * Resolves to the response of the view, or to the 401 with the problem
 * `urn:django-magiclink:approval-required` if the approval was declined or given up. A
 * body that is a stream cannot be sent twice.
 *
 * With the module on the page, `<form data-magiclink>` and htmx do the same.
 */
export function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

declare global {
  interface Window {
    magiclink: { fetch: typeof fetch };
  }
}
