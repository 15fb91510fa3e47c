"""One call gives the look of the house; Chinese survives ``sns.set_theme()``; a missing glyph fails."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as MplFigure

from qbase.core import UsageError
from qbase.core.markup import shown_language
from qbase.core.shown.fonts import FAMILY
from qbase.figures import house_rc, use_theme


@pytest.fixture(autouse=True)
def _settings_as_before(monkeypatch: pytest.MonkeyPatch):
    # monkeypatch first, so that the variable set by use_theme is taken back
    monkeypatch.setenv("QBASE_LANG", "zh")
    with mpl.rc_context(), warnings.catch_warnings():
        yield


def draw(title: str, kind: str = "png") -> bytes:
    fig = MplFigure(figsize=(3, 2))
    ax = fig.add_subplot()
    ax.plot([1, 2], [-1, 1], label="合格率")
    ax.set_title(title)
    buffer = io.BytesIO()
    fig.savefig(buffer, format=kind)
    return buffer.getvalue()


def test_without_the_theme_chinese_would_be_boxes() -> None:
    mpl.rcdefaults()
    with pytest.warns(UserWarning, match="missing from"):
        draw("产业集群")


def test_chinese_and_the_true_minus_are_drawn() -> None:
    use_theme()
    assert draw("产业集群 −1.2").startswith(b"\x89PNG")
    assert f"'{FAMILY}'" in draw("产业集群", "svg").decode()


def test_it_survives_seaborn() -> None:
    import seaborn as sns

    use_theme()
    sns.set_theme()
    with pytest.raises(UserWarning, match="missing from"):
        draw("产业集群")
    use_theme()
    assert draw("产业集群 −1.2").startswith(b"\x89PNG")
    mpl.rcdefaults()
    sns.set_theme(rc=house_rc())
    assert draw("产业集群 −1.2").startswith(b"\x89PNG")
    ax = sns.lineplot(x=[1, 2, 3], y=[1, 3, 2], label="合格率")
    ax.set_title("合格率")
    ax.figure.canvas.draw()
    assert ax.lines[0].get_color() == house_rc()["axes.prop_cycle"].by_key()["color"][0]


def test_a_box_instead_of_a_letter_fails() -> None:
    use_theme()
    with pytest.raises(UserWarning, match="missing from"):
        draw("\U00012000")


def test_the_language_of_previews() -> None:
    use_theme("en")
    assert shown_language() == "en"
    use_theme()
    assert shown_language() == "en"
    with pytest.raises(UsageError) as error:
        use_theme("fr")  # type: ignore[arg-type]
    assert error.value.code == "QB700"


def test_the_package_costs_no_matplotlib_and_the_theme_no_seaborn() -> None:
    code = (
        "import sys, qbase.figures; assert 'matplotlib' not in sys.modules;"
        "qbase.figures.tabulate_checks; assert 'matplotlib' not in sys.modules;"
        "qbase.figures.use_theme(); assert 'seaborn' not in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
