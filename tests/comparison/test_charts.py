"""Learning curves as SVG, as PNG and in the characters of a terminal."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from poetgen.comparison.axes import axes_of
from poetgen.comparison.charts import COLOURS, DARK, LIGHT, chart, picture, save_plot, style
from poetgen.comparison.curves import curves_of
from poetgen.comparison.text_chart import SIGNS, draw_text
from poetgen.errors import SettingError
from poetgen.terminal import display_width
from tests.comparison.verdicts import MARKUP, chinese, english

SVG = "{http://www.w3.org/2000/svg}"
# What dichromats see of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear RGB."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def luminance(colour):
    return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("paper", [0, 1], ids=["light", "dark"])
def test_any_two_colours_are_apart_for_every_kind_of_colour_vision(paper, vision):
    seen = [lab(VISION[vision] @ linear(pair[paper])) for pair in COLOURS]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 20


@pytest.mark.parametrize("paper", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_as_text(paper):
    ground = luminance((LIGHT, DARK)[paper])
    for pair in COLOURS:
        low, high = sorted([ground, luminance(pair[paper])])
        assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2, level AA


def elements(svg, name):
    return list(ElementTree.fromstring(svg).iter(SVG + name))


def points_of(element):
    return [tuple(map(float, point.split(","))) for point in element.get("points").split()]


@pytest.mark.parametrize("against", ["tokens", "seconds"])
def test_lines_go_through_the_numbers(tmp_path, against):
    verdict = chinese(tmp_path)
    curves = curves_of(verdict, against)
    across, up = axes_of(curves, against)
    lines = elements(chart(verdict, against).svg(), "polyline")
    drawn = [np.array(points_of(line)) for line in lines]
    wanted = [
        np.array([(across.place(x), up.place(y)) for x, y in zip(line.x, line.y, strict=True)])
        for curve in curves
        for line in curve.lines
    ]
    assert len(drawn) == len(wanted)
    # One scale and one offset for all, to the rounding of the picture.
    for axis in (0, 1):
        values = np.concatenate([line[:, axis] for line in wanted])
        places = np.concatenate([line[:, axis] for line in drawn])
        fit = np.polynomial.Polynomial.fit(values, places, 1)
        assert np.abs(fit(values) - places).max() < 0.15


def test_several_seeds_have_a_band_and_one_has_none(tmp_path):
    verdict = chinese(tmp_path)
    bands = elements(chart(verdict, "tokens").svg(), "polygon")
    assert len(bands) == 2
    assert len(points_of(bands[0])) == 2 * len(curves_of(verdict, "tokens")[0].mean.x)
    assert not elements(chart(english(tmp_path), "tokens").svg(), "polygon")


def test_a_run_without_figures_is_dotted(tmp_path):
    lines = elements(chart(chinese(tmp_path), "tokens").svg(), "polyline")
    assert [line.get("class") for line in lines].count("line lost") == 1


def test_a_run_with_one_validation_is_a_dot(tmp_path):
    verdict = english(tmp_path)
    run = verdict.contenders[0].runs[0]
    one = replace(verdict.contenders[0], runs=[replace(run, curve=run.curve[:1])])
    found = chart(replace(verdict, contenders=[one]), "tokens")
    assert len(elements(found.svg(), "circle")) == 1
    assert not elements(found.svg(), "polyline")
    drawn = draw_text(replace(verdict, contenders=[one]), "tokens", 80, signs=True)
    assert [piece for row in drawn for piece, place in row if place == 0].count(SIGNS[0]) == 1


def test_every_curve_has_its_name_inside_the_picture(tmp_path):
    for verdict in (chinese(tmp_path), english(tmp_path)):
        for width in (600, 360):
            found = chart(verdict, "tokens", width)
            texts = {text.text: text for text in elements(found.svg(), "text")}
            for curve in curves_of(verdict, "tokens"):
                assert float(texts[curve.name].get("x")) + 7 * len(curve.name) < width
                assert float(texts[curve.name].get("y")) < found.height


def test_names_are_text_and_not_markup(tmp_path):
    verdict = chinese(tmp_path)
    strange = replace(verdict.contenders[0], name=MARKUP)
    svg = picture(replace(verdict, contenders=[strange]))
    assert "<script" not in svg
    assert MARKUP in {text.text for text in elements(svg, "text")}


def test_a_picture_needs_nothing_else_and_knows_the_dark(tmp_path):
    svg = picture(chinese(tmp_path))
    ElementTree.fromstring(svg)
    assert set(re.findall(r"https?://[^\"]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in svg
    assert "prefers-color-scheme:dark" in svg
    assert svg.count('role="img"') == 2
    for number, pair in enumerate(COLOURS):
        assert f".c{number} :is(" in style()
        assert all(colour in style() for colour in pair)


def test_without_curves_nothing_is_drawn_and_that_is_said(tmp_path):
    verdict = chinese(tmp_path)
    untrained = replace(verdict, contenders=verdict.contenders[2:])
    assert picture(untrained) == ""
    assert chart(untrained, "tokens") is None
    assert draw_text(untrained, "tokens", 80) == []
    (note,) = save_plot(untrained, tmp_path / "curves.svg")
    assert "no learning curves" in note
    assert not list(tmp_path.iterdir())


def test_a_plot_is_svg_or_png_by_its_name(tmp_path):
    pytest.importorskip("matplotlib")
    verdict = chinese(tmp_path)
    assert save_plot(verdict, tmp_path / "a.svg") == []
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == picture(verdict)
    assert save_plot(verdict, tmp_path / "a.png") == []
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_in_dollars_is_not_a_formula(tmp_path):
    pytest.importorskip("matplotlib")
    verdict = chinese(tmp_path)
    strange = replace(verdict.contenders[0], name=r"_$\frac{$")
    assert save_plot(replace(verdict, contenders=[strange]), tmp_path / "a.png") == []


def test_png_without_matplotlib_is_refused_and_svg_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("poetgen.plotting.find_spec", lambda name: None)
    with pytest.raises(SettingError, match="matplotlib") as caught:
        save_plot(chinese(tmp_path), tmp_path / "a.png")
    assert ".svg" in caught.value.advice
    assert save_plot(chinese(tmp_path), tmp_path / "a.svg") == []


@pytest.mark.parametrize("signs", [False, True], ids=["braille", "signs"])
@pytest.mark.parametrize("width", [40, 79, 139])
@pytest.mark.parametrize("make", [chinese, english])
def test_a_terminal_shows_each_curve_with_its_name_in_the_width_it_has(
    tmp_path, make, width, signs
):
    verdict = make(tmp_path)
    curves = curves_of(verdict, "tokens")
    rows = draw_text(verdict, "tokens", width, signs=signs)
    lines = ["".join(piece for piece, _ in row) for row in rows]
    if width > 60:
        assert max(map(display_width, lines)) <= width
    for curve in curves:
        of_curve = [piece for row in rows for piece, place in row if place == curve.place]
        assert any(curve.name[:10] in piece for piece in of_curve)
        assert len(of_curve) > 5
        if signs:
            assert SIGNS[curve.place] in of_curve
    if signs:
        assert not re.search("[\u2800-\u28ff]", "".join(lines))


def test_a_falling_curve_falls_in_the_terminal(tmp_path):
    rows = draw_text(english(tmp_path), "tokens", 80, signs=True)
    heights = {}
    for number, row in enumerate(rows):
        column = 0
        for piece, place in row:
            if piece == SIGNS[0] and place == 0:
                heights.setdefault(column, number)
            column += len(piece)
    first, last = min(heights), max(heights)
    assert heights[first] + 8 < heights[last]


def test_a_level_is_on_the_row_of_its_name(tmp_path):
    rows = draw_text(chinese(tmp_path), "tokens", 100)
    (row,) = [row for row in rows if ("tang", 3) in row]
    assert len([piece for piece, place in row if place == 3]) > 20


@pytest.mark.parametrize("width", [80, 120])
def test_every_name_has_a_row_of_its_own_however_close_the_curves(tmp_path, width):
    verdict = chinese(tmp_path)
    for count in (*range(2, 12), 15, 31):
        same = [replace(verdict.contenders[place % 2], name=f"n{place}") for place in range(count)]
        rows = draw_text(replace(verdict, contenders=same), "tokens", width, height=14)
        names = [row[-1][0] for row in rows if row[-1][0].startswith("n")]
        assert sorted(names) == sorted(contender.name for contender in same)
