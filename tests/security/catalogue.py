"""What must hold: the requirements, and the attacks that must fail."""

REQUIREMENTS = {
    "R01": "Only HTTP 200 with a JSON object whose code is exactly TOUCH_ACCEPTED "
    "approves anything.",
    "R02": "Whatever fails on the way, the guarded view does not run, and no setting "
    "changes that.",
    "R03": "An answer counts only until the deadline of its approval.",
    "R04": "An approval counts only for the user, session, phone, endpoint and action "
    "that it was asked for.",
    "R05": "An approval for a single use lets exactly one request pass, of any number "
    "at once.",
    "R06": "The age of an approval counts from the phone's answer, by the server's "
    "clock.",
    "R07": "A phone is asked one thing at a time, whoever asks.",
    "R08": "A phone rests after a prompt that was not accepted, and prompts are "
    "capped; neither a new start nor a success forgets a failure.",
    "R09": "Limits count by number and by user, and believe no header that anyone can "
    "send.",
    "R10": "What strangers do keeps no signed-in user from an approval for long.",
    "R11": "Every way to an approval passes the same limits and leaves the same row.",
    "R12": "A decline is final: nothing asks again without a new POST.",
    "R13": "Only a POST with a CSRF token makes a phone ring.",
    "R14": "The id of an approval cannot be guessed, and is a 404 to any other user or "
    "session.",
    "R15": "The status is read-only: a small fixed body that no cache keeps, without "
    "anything personal.",
    "R16": "Nothing of ours leads to another host, whatever the client sends.",
    "R17": "The guarded request is stored nowhere on the server; the browser repeats "
    "it, and it must be the same.",
    "R18": "The server makes the text on the phone of the action, and one changed "
    "parameter asks again.",
    "R19": "Our pages are not framed, not cached, tell other sites no address and have "
    "nothing inline.",
    "R20": "The session's key changes at login, and an approval outlives a changed "
    "key.",
    "R21": "Logout, a new password, deactivation and another phone end what was "
    "approved.",
    "R22": "Users change their number only with an approval on the old one.",
    "R23": "A number counts only once it was proved to be the user's.",
    "R24": "Behind a rule for the login no view but the exempt ones runs for a session "
    "before its phone has approved.",
    "R25": "No other way to log in leads past that second step.",
    "R26": "A login with the phone alone looks and takes the same for a number that is "
    "known and for one that is not.",
    "R27": "A login with the phone alone is one factor: no guard and no second factor "
    "takes it.",
    "R28": "Whether the user is active is looked at when the phone is asked, when it "
    "is about to ring and at every guard.",
    "R29": "A guard changes nothing by looking and denies by default; a token without "
    "a session is refused as RFC 9470 says.",
    "R30": "Every kind of view is guarded, by every method, sync and async.",
    "R31": "A rule guards the view that was resolved, whatever the spelling of the "
    "path.",
    "R32": "The API key turns up nowhere: no page, log, dump, message, cache or error.",
    "R33": "A key is replaced by who has the permission and has approved it, or given "
    "the password where no phone can be asked; it is never shown again.",
    "R34": "Field keys are a setting of their own; a wrong one is an error at "
    "deployment and opens nothing, and a command encrypts anew.",
    "R35": "The key may come from the environment and then is in no database.",
    "R36": "No error report of Django's holds the key or a number.",
    "R37": "Calls go by HTTPS to the configured host only: no redirect is followed, no "
    "proxy of the machine used, no certificate left unchecked.",
    "R38": "A call ends at its total deadline, however slowly bytes come.",
    "R39": "A body is cut at 64 KiB and never decompressed.",
    "R40": "Nothing is sent again once it may have left.",
    "R41": "Two calls share no cookie and no connection.",
    "R42": "Number, texts and endpoint name reach the server exactly as they are, and "
    "lead nowhere else.",
    "R43": "Logs hold ids and masked numbers only, at any level.",
    "R44": "A phone is asked only once the row is committed, and a job that nobody "
    "takes ends the approval at once.",
    "R45": "A job that is delivered again does not ring again.",
    "R46": "Whoever waits for a phone holds no database connection.",
    "R47": "Waits are bounded, and beyond that the user is told at once.",
    "R48": "Forked workers wait as others do, and a process that is ended is gone in "
    "seconds.",
    "R49": "What nobody finished reads as expired, whoever died.",
    "R50": "A queue carries the approval's id alone; one that blocks is an error.",
    "R51": "Each thing that happens is one event: when, who, what, from where, and "
    "what came of it.",
    "R52": "Nobody changes the audit trail in the admin, a superuser included.",
    "R53": "No cell of an export is a formula, numbers are masked, and each export is "
    "permitted and logged.",
    "R54": "No control character reaches a line of the log.",
    "R55": "Old approvals are purged in batches, and none that is live.",
    "R56": "The site is told of what its users should hear: declined prompts, locks "
    "and changed phones.",
    "R57": "A sandbox is refused where the site is for real users.",
}

ATTACKS = {
    "A01": "Another user repeats what one user approved: asked for an approval of "
    "their own, the first one's untouched.",
    "A02": "A thief of the password uses from a second browser what was approved in "
    "the first: 404, and no grant.",
    "A03": "What was approved for one action is used for another: asked again.",
    "A04": "A transfer is approved and sent again with another amount: asked again.",
    "A05": "A used approval is used again by Back or reload: never.",
    "A06": "The phone accepts after the deadline: recorded, and grants nothing.",
    "A07": "The server says nearly TOUCH_ACCEPTED: other case, nested, a list.",
    "A08": "TOUCH_ACCEPTED comes with another HTTP status than 200.",
    "A09": "The server says a code that nobody knows.",
    "A10": "A rule asks for an approval after the login: no other page, the admin or "
    "the API runs before it.",
    "A11": "The password is changed while the phone rings: what it then accepts grants "
    "nothing.",
    "A12": "The session was fixed by an attacker before the login: the attacker's "
    "cookie is not logged in and has no grant.",
    "A13": "A password reset logs in at once: a rule for all still asks.",
    "A14": "A login by the admin's own form, by a token or by a password in a header: "
    "none passes by a guard.",
    "A15": "The user is deactivated while a grant is live: the next request is "
    "refused.",
    "A16": "There is no phone, no endpoint, a disabled one or an expired key: refused "
    "with a page that says so.",
    "A17": "Whoever logged in with the phone alone opens what wants an approval: the "
    "phone is asked once more.",
    "A18": "Our pages are put into a frame: the browser is told not to.",
    "A19": "Another site posts to the start or leads to it: nothing rings.",
    "A20": "A hostile target is smuggled in by path, Referer or header: nothing leads "
    "off the host.",
    "A21": "An async view, a class, a HEAD request: the body does not run.",
    "A22": "An API client has a token and no session: 401 as in RFC 9470.",
    "A23": "A thief of the password starts again and again: the phone rings a few "
    "times, and then it is locked.",
    "A24": "Many starts at one moment: the phone rings once.",
    "A25": "After a decline the next start follows at once: not before a pause, and "
    "after three a lock that a success does not lift.",
    "A26": "A stranger walks through numbers: without a login nothing rings.",
    "A27": "X-Forwarded-For changes with each request: the count stays the same.",
    "A28": "A stranger keeps a number busy: its owner is not locked out.",
    "A29": "The cache is flushed: all limits still hold.",
    "A30": "A stranger tells by status, size, time or polls which numbers are known: "
    "all look alike.",
    "A31": "The status is asked for without pause: one cheap query, no write.",
    "A32": "The server redirects to another host: not followed, the key not sent "
    "there.",
    "A33": "Proxies, CA bundles and .netrc of the machine: ignored.",
    "A34": "The server drips body or headers, or stalls in the TLS handshake: left at "
    "the deadline.",
    "A35": "A bomb, a huge or an endless body: cut, and no memory taken.",
    "A36": "The connection is reset after the request was sent: a failure, and sent "
    "once.",
    "A37": "Unknown name, nobody listening, a certificate that is bad: a quick "
    "failure, and no request.",
    "A38": "A proxy in front gives up early: a failure, and the phone counts as "
    "ringing on.",
    "A39": "Each documented answer has its own state and its own words.",
    "A39b": "BAD_REQUEST: not tried again, told to the user and to the log, without "
    "the key.",
    "A39c": "An exception in the client shows the user no address, number or "
    "traceback.",
    "A40": "A touch-timeout outside of 15 to 300 s: refused, never sent.",
    "A41": "A server address that is no place for a key: refused when it is entered "
    "and when it is called.",
    "A42": "An endpoint name that climbs or adds parameters: the server sees no other "
    "path.",
    "A43": "The process that waits is killed: expired at the deadline, nothing rings "
    "again, no grant.",
    "A44": "The database is down when the phone has accepted: no grant.",
    "A45": "A view with ATOMIC_REQUESTS fails after its start: no row, and nothing "
    "rings.",
    "A46": "The queue is down: the approval fails at once, and can be asked for again.",
    "A47": "The queue delivers a job again: the phone rings once.",
    "A48": "The server forks its workers after loading: each of them can wait.",
    "A49": "SIGTERM while phones ring: the process is gone in seconds, and nothing "
    "rings again.",
    "A50": "Hundreds of waits: the database has connections left.",
    "A51": "SQLite is locked: refused or tried again, never a grant.",
    "A52": "A dispatcher that blocks the request, in production: an error of the "
    "system check.",
    "A53": "A row has a state of another release: it grants nothing.",
    "A54": "Dumps, pages of the admin, its log, values, pickles and error reports: the "
    "key is in none.",
    "A55": "The field key is wrong or gone: an error, and nothing is sent.",
    "A56": "Ciphertext of one key is copied into another's row: it does not open.",
    "A57": "Staff who may only look: no key, no export, no figures, also by address.",
    "A58": "A superuser posts a state to the audit trail: refused.",
    "A59": "A name or text that is a formula is exported: inert text, and logged.",
    "A60": "A user agent or a user name with CR, LF and ESC: the log keeps its lines.",
    "A61": "A purge while approvals live, killed midway, or with a clock a day ahead: "
    "the live ones stay.",
    "A62": "A user is deleted: the rows stay, without anything personal.",
    "A63": "A sandbox is configured on a site for real users: an error at deployment, "
    "and its calls are refused.",
}

CATALOGUE = REQUIREMENTS | ATTACKS
