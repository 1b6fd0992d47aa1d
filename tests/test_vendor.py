import re
from hashlib import sha256

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from .test_docs import ROOT

STATIC = ROOT / "django_magiclink/static"
VENDOR = STATIC / "django_magiclink/vendor"
SUMS = (VENDOR / "SHA256SUMS").read_text()
README = (VENDOR / "README.md").read_text()


def sum_of(content):
    return sha256(content).hexdigest()


@pytest.mark.parametrize("line", SUMS.splitlines())
def test_a_file_of_others_is_as_it_came(line):
    wanted, name = line.split("  ")

    assert sum_of((VENDOR / name).read_bytes()) == wanted


def test_each_file_of_others_has_a_sum_and_a_licence():
    names = {path.name for path in VENDOR.iterdir()}

    scripts = {name for name in names if name.endswith(".js")}

    assert scripts == {line.split("  ")[1] for line in SUMS.splitlines()}
    assert names == scripts | {"README.md", "SHA256SUMS", "chart.LICENSE.md"}


def test_the_chart_library_is_the_published_one_but_for_the_line_of_its_map():
    script = (VENDOR / "chart.umd.min.js").read_bytes()
    [published] = re.findall(r"^(\w{64})  dist/chart.umd.min.js$", README, re.M)
    [version] = re.findall(r"Chart\.js (4\.\d+\.\d+)", README)

    assert f"Chart.js v{version}".encode() in script[:100]
    line = b"//# sourceMappingURL=chart.umd.min.js.map\n"
    assert sum_of(script + line) == published


def test_a_storage_that_follows_what_files_name_takes_them_all(tmp_path, settings):
    settings.DEBUG = False
    storage = ManifestStaticFilesStorage(location=tmp_path)
    paths = [path for path in STATIC.rglob("*") if path.is_file()]
    names = {str(path.relative_to(STATIC)): path for path in paths}
    source = FileSystemStorage(location=STATIC)

    for name, path in names.items():
        storage.save(name, ContentFile(path.read_bytes()))
    done = list(storage.post_process({name: (source, name) for name in names}))

    assert [each for each in done if isinstance(each[2], Exception)] == []
    assert storage.url("django_magiclink/vendor/chart.umd.min.js").count(".") == 4
