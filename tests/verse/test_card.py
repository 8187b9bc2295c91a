"""Poems as pictures: what stands where, as SVG and as PNG."""

import io
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.errors import SettingError
from poetgen.verse.card import Card, layout_card, seal_of, svg
from poetgen.verse.columns import BLANK, columns
from poetgen.verse.picture import SCALE, find_fonts, png

QUATRAIN = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
SEALS = ["詩", "唐詩", "宋詞集", "全唐詩集"]
TEXTS = st.text("床前明月光𠮷a<&>，。？ \n", max_size=60)
SVG = "{http://www.w3.org/2000/svg}"


def make_card(text=QUATRAIN, title="静夜思", seal="詩") -> Card:
    return layout_card(text, title=title, seal=seal, imprint="poetgen · a&b")


@given(TEXTS, st.sampled_from(["", "静夜思"]), st.sampled_from(SEALS))
def test_an_svg_is_xml_with_every_character_once_and_in_order(text, title, seal):
    card = make_card(text, title=title, seal=seal)
    root = ElementTree.fromstring(svg(card))
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    poem = "".join(columns(text)).replace(BLANK, "")
    assert "".join(texts) == title + poem + seal + "poetgen · a&b"


@given(TEXTS, st.sampled_from(SEALS))
def test_everything_stands_on_the_paper_and_nothing_on_something_else(text, seal):
    card = make_card(text, seal=seal)
    glyphs = [glyph for column in card.texts for glyph in column]
    for glyph in glyphs:
        assert glyph.size / 2 <= glyph.x <= card.width - glyph.size / 2
        assert 0 <= glyph.y <= card.height - glyph.size
    for place, one in enumerate(glyphs):
        for other in glyphs[:place]:
            beside = abs(one.x - other.x) >= 0.99 * (one.size + other.size) / 2
            assert beside or abs(one.y - other.y) >= 0.99 * min(one.size, other.size)


@given(TEXTS)
def test_columns_go_from_right_to_left_and_down(text):
    *poem, _ = make_card(text).texts
    for one, other in pairwise(poem):
        assert one[0].x > other[0].x
    for column in poem:
        assert len({glyph.x for glyph in column}) == 1
        assert all(one.y < other.y for one, other in pairwise(column))


@pytest.mark.parametrize("seal", SEALS)
def test_a_seal_is_read_from_the_right_and_lies_on_its_red(seal):
    card = make_card(seal=seal)
    signs, red = card.texts[-1], card.boxes[-2]
    assert [sign.char for sign in signs] == [*seal]
    assert signs == tuple(sorted(signs, key=lambda sign: (-sign.x, sign.y)))
    for sign in signs:
        assert red.x <= sign.x - sign.size / 2
        assert sign.x + sign.size / 2 <= red.x + red.width
        assert red.y <= sign.y
        assert sign.y + sign.size <= red.y + red.height


def test_a_seal_has_the_chinese_characters_of_a_name():
    assert seal_of("唐诗-lstm") == "唐诗"
    assert seal_of("全唐诗五言-2") == "全唐诗五"
    assert seal_of("tang") == "詩"


# With a font that has the poem's characters, made here: a machine may have none.


def write_font(path, chars):
    """Write a font whose characters are bars, each of another length."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def bar(length):
        pen = TTGlyphPen(None)
        corners = [(100, -100), (100, 100 + length), (900, 100 + length), (900, -100)]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    names = {ord(char): f"u{ord(char):x}" for char in sorted(set(chars))}
    order = [".notdef", *names.values()]
    font = FontBuilder(1000)
    font.setupGlyphOrder(order)
    font.setupCharacterMap(names)
    font.setupGlyf({name: bar(10 * place) for place, name in enumerate(order)})
    font.setupHorizontalMetrics(dict.fromkeys(order, (1000, 100)))
    font.setupHorizontalHeader(ascent=880, descent=-120)
    font.setupOS2()
    font.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    font.save(path)


@pytest.fixture
def font_folder(tmp_path, monkeypatch):
    """An empty folder of fonts, the only one that this machine seems to have."""
    if sys.platform in ("darwin", "win32"):
        pytest.skip("the folders of fonts cannot be moved there")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    return tmp_path / "fonts"


def test_a_png_has_the_promised_size_and_every_character_in_its_place(font_folder):
    from PIL import Image, ImageColor

    write_font(font_folder / "ukai.ttc", QUATRAIN + "静夜思詩" + "poetgen ·a&b")
    card = make_card()
    data, lacking = png(card, find_fonts())
    assert lacking == ""
    image = Image.open(io.BytesIO(data))
    assert image.size == (round(card.width * SCALE), round(card.height * SCALE))
    for glyph in (glyph for column in card.texts for glyph in column):
        # Its bar lies across the baseline.
        place = round(glyph.x * SCALE), round((glyph.y + 0.88 * glyph.size) * SCALE)
        assert image.getpixel(place) == ImageColor.getrgb(glyph.colour), glyph


def test_a_character_is_drawn_by_the_first_font_that_has_it(font_folder):
    write_font(font_folder / "ukai.ttc", "床前明月光")
    write_font(font_folder / "uming.ttc", "床疑是")
    fonts = find_fonts()
    assert fonts.font("床", 9).path.endswith("ukai.ttc")
    assert fonts.font("疑", 9).path.endswith("uming.ttc")
    assert [fonts.has(char) for char in "床疑霜"] == [True, True, False]
    assert png(make_card("床前，疑霜。", title="", seal="詩"), fonts)[1] == "詩霜"


def test_without_a_chinese_font_the_error_names_a_package(font_folder):
    with pytest.raises(SettingError) as caught:
        find_fonts()
    assert "font" in caught.value.problem
    assert "fonts-lxgw-wenkai" in caught.value.advice


def test_without_pillow_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("poetgen.verse.picture.find_spec", lambda name: None)
    with pytest.raises(SettingError) as caught:
        find_fonts()
    assert "poetgen[card]" in caught.value.advice
