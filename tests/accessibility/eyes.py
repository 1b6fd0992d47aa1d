"""What is wrong with a page for people who see, read or move in other ways."""

from functools import cache
from importlib.resources import files

#: WCAG 2.2 AA and what it builds on, and what axe calls best practice.
TAGS = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"),
    "best-practice",
]
#: What Django's admin makes itself on pages of ours too, and axe finds fault with: days
#: and times without labels of their own, hints, the search, and filters below 24 px.
DJANGOS = [".vDateField", ".vTimeField", ".help-tooltip", "#searchbar"]
DJANGOS += ["#changelist-filter"]
#: A window of 1280 by 1024 at 400 %.
ZOOMED = {"width": 320, "height": 256}
USUAL = {"width": 1280, "height": 800}

_AXE = """async ([part, rules, exclude]) => {
    // Of colours that change slowly, the last ones count.
    for (const each of document.getAnimations())
        if (each instanceof CSSTransition) each.finish();
    const context = { include: [part], exclude };
    const found = await axe.run(context, { ...rules, resultTypes: ["violations"] });
    const told = ({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`);
    return found.violations.flatMap(told);
}"""
#: What reaches out of the window, or of a box that does not let it be scrolled to.
_CUT = """part => {
    const width = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth > width && part === "body";
    const found = wide ? ["the page is wide"] : [];
    for (const each of document.querySelectorAll(`${part}, ${part} *`)) {
        const style = getComputedStyle(each);
        const hides = /hidden|clip/.test(style.overflowX + style.overflowY);
        const small = each.clientWidth <= 1 || each.clientHeight <= 1;
        const over =
            each.scrollWidth > each.clientWidth + 1 ||
            each.scrollHeight > each.clientHeight + 1;
        if (each.closest("svg")) continue;
        if (hides && !small && over) found.push(each.outerHTML);
        if (part !== "body" && each.getBoundingClientRect().right > width + 1)
            found.push(each.outerHTML);
    }
    return found.map(each => `cut: ${each.slice(0, 200)}`);
}"""
_WIDE = """async () => {
    // Charts are drawn anew a moment later.
    for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame);
    const { clientWidth, scrollWidth } = document.documentElement;
    const reaches = each => each.getBoundingClientRect().right > clientWidth + 1;
    return scrollWidth <= clientWidth ? [] : [...document.querySelectorAll("body *")]
        .filter(reaches)
        .map(each => `wide: ${each.outerHTML.slice(0, 200)}`);
}"""
#: WCAG 1.4.12, as its understanding document has it. A page's policy allows no style
#: element; this is none.
_SPACE = """on => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
        * {
            letter-spacing: 0.12em !important;
            line-height: 1.5 !important;
            word-spacing: 0.16em !important;
        }
        p { margin-bottom: 2em !important; }`);
    document.adoptedStyleSheets = on ? [sheet] : [];
}"""
_MOVING = """() => document.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().duration > 0)
    .filter(({ transitionProperty }) => !/color|filter/.test(transitionProperty))
    .map(({ animationName, transitionProperty, effect: { target } }) =>
        `moves: ${animationName ?? transitionProperty} of ${target.className}`)"""
#: What has no edge left, as forced colours take away fills and shadows, and what is
#: drawn in a colour of its own.
_EDGELESS = """part => {
    const find = kind => [...document.querySelectorAll(`${part} ${kind}`)]
        .filter(each => each.checkVisibility());
    const buttons = find(":is(button, input:not([type=hidden]), .magiclink-button)");
    const edgeless = buttons.filter(each => {
        const { borderTopWidth, borderTopStyle } = getComputedStyle(each);
        return borderTopStyle === "none" || parseFloat(borderTopWidth) < 1;
    });
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "CanvasText";
    const { color } = getComputedStyle(probe);
    probe.remove();
    const drawn = find("svg").filter(each => getComputedStyle(each).stroke !== color);
    const told = each => `no edge: ${each.outerHTML.slice(0, 200)}`;
    return [...edgeless, ...drawn].map(told);
}"""


@cache
def axe():
    """The source of axe-core."""
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def faults(page, part="body"):
    """Return what is wrong with ``part`` of ``page``: by axe, zoomed in, and calm."""
    found = _by_axe(page, part)
    page.emulate_media(reduced_motion="reduce")
    found += page.evaluate(_MOVING)
    page.emulate_media(forced_colors="active")
    found += page.evaluate(_EDGELESS, part)
    page.emulate_media(forced_colors="none")
    return found + _zoomed(page, part)


def faults_in_admin(page, part="#content"):
    """Return what is wrong with what we have made of a page of Django's admin."""
    found = _by_axe(page, part, DJANGOS)
    page.set_viewport_size(ZOOMED)
    found += page.evaluate(_WIDE)
    page.set_viewport_size(USUAL)
    return found


def _by_axe(page, part, leave=()):
    page.evaluate(axe())
    every = {"runOnly": {"type": "tag", "values": TAGS}}
    contrast = {"runOnly": ["color-contrast", "link-in-text-block"]}
    page.emulate_media(color_scheme="dark")
    found = page.evaluate(_AXE, [part, contrast, leave])
    page.emulate_media(color_scheme="light")
    return [f"dark: {each}" for each in found] + page.evaluate(
        _AXE, [part, every, leave]
    )


def _zoomed(page, part):
    page.set_viewport_size(ZOOMED)
    found = page.evaluate(_CUT, part)
    page.evaluate(_SPACE, True)
    found += [f"spaced: {each}" for each in page.evaluate(_CUT, part)]
    page.evaluate(_SPACE, False)
    page.set_viewport_size(USUAL)
    return found
