import ast
import re
from collections import Counter
from pathlib import Path

from django_magiclink.conf import AppSettings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "django_magiclink"
#: Classes that Django's own pages have, or that are put together.
OTHERS_CLASSES = {
    "column-text",
    "errorlist",
    "field-text",
    "magiclink-state-bad",
    "magiclink-state-good",
    "magiclink-state-open",
}
#: Templates that Django's admin finds by their names, and a page that is told which.
FOUND_BY_NAME = {
    "admin/django_magiclink/app_index.html",
    "admin/django_magiclink/approval/change_form.html",
    "admin/django_magiclink/approval/change_list.html",
    "admin/django_magiclink/approval/change_list_object_tools.html",
    "admin/django_magiclink/endpoint/change_form.html",
    "django_magiclink/challenge.html",
}
#: What Django finds by itself, and what stands there for its makemessages alone.
FOUND_BY_OTHERS = {"MagicLinkConfig", "BUTTONS"}


def read(*endings):
    """Return the text of all files of the package that we have written."""
    return "\n".join(
        path.read_text()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in endings and "vendor" not in path.parts
    )


def names_defined(statement):
    """Return the names that a statement gives; what is decorated is used by that."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [] if statement.decorator_list else [statement.name]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        nodes = ast.walk(statement)
        return [
            node.id
            for node in nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
    return []


def test_every_setting_is_read():
    settings = {name for name in vars(AppSettings) if name.isupper()}

    read_ones = set(re.findall(r"app_settings\.(\w+)", read(".py")))

    assert settings - read_ones == set()


def test_every_class_in_a_stylesheet_is_on_a_page():
    sheets = re.sub(r"/\*.*?\*/", "", read(".css"), flags=re.S)
    selectors = "\n".join(re.findall(r"[^{}]+(?=\{)", sheets))
    classes = set(re.findall(r"\.([a-z][\w-]*)", selectors))

    words = set(re.findall(r"[\w-]+", read(".html", ".js", ".py")))

    assert classes - words == OTHERS_CLASSES


def test_every_template_and_static_file_is_named_somewhere():
    folders = [PACKAGE / "templates", PACKAGE / "static"]
    files = {
        str(path.relative_to(folder))
        for folder in folders
        for path in folder.rglob("*.*")
        if path.suffix in {".css", ".html", ".js"}
    }

    text = read(".html", ".py")

    unnamed = {name for name in files if name not in text}
    assert unnamed == FOUND_BY_NAME | {"django_magiclink/magiclink.src.js"}


def test_every_name_of_a_module_is_used_or_documented():
    modules = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    names = {
        name
        for module in modules
        for statement in module.body
        for name in names_defined(statement)
    }
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    text = read(".py", ".html") + "".join(page.read_text() for page in pages)

    often = Counter(re.findall(r"\w+", text))

    assert len(names) > 500
    assert {name for name in names if often[name] < 2} == FOUND_BY_OTHERS
