"""Which season a title and the lines of a poem tell of."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.corpus import decode_poems
from poetgen.verse.seasons import SEASONS, count_colliding, seasons_of_title


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("山高水长流，云起日西沉", 0),
        ("春来水长流，春去日西沉", 0),
        ("春来水长流，秋去日西沉", 1),
        ("春来冬水流，夏去夜秋沉", 3),
        # Years, and not two seasons.
        ("春秋水长流，云起日西沉", 0),
        ("春秋水长流，秋去日西沉", 0),
        # The end of a line and the beginning of the next are no word.
        ("水流一夜春，秋去日西沉", 1),
        # 蝉 is of summer and autumn, 荷 too, 杏 of spring alone.
        ("蝉声水长流，荷气日西沉", 0),
        ("蝉声水长流，杏花日西沉", 1),
        ("蝉声荷气凉，杏花日西沉", 1),
        # Words count as well, over no end of a line.
        ("三月水长流，九月日西沉", 1),
        ("水流一夜九，月照日西沉", 0),
        ("", 0),
    ],
)
def test_signs_of_two_seasons_collide(text, count):
    assert count_colliding(text.split("，")) == count


@pytest.mark.parametrize(
    ("title", "seasons"),
    [
        ("除夕", "冬"),
        ("夏日", "夏"),
        ("九日登高", "秋"),
        ("春雪", "春冬"),
        ("登楼", ""),
        ("春秋", ""),
    ],
)
def test_a_title_tells_its_season(title, seasons):
    assert seasons_of_title(title) == set(seasons)


def test_a_title_decides_which_signs_collide():
    lines = ["凉风起天末", "鸿雁几时到"]
    assert count_colliding(lines, "秋") == 0
    assert count_colliding(lines, "冬") == 1
    assert count_colliding(lines, "春冬") == 1
    assert count_colliding(["九月天初霁"], "春") == 1


@given(st.lists(st.text("春夏秋冬蝉雁菊莺雪山水", max_size=9)), st.sets(st.sampled_from(SEASONS)))
def test_a_season_that_is_asked_for_never_makes_less_collide(lines, seasons):
    free, asked = count_colliding(lines), count_colliding(lines, seasons)
    assert 0 <= free <= asked <= len(set("".join(lines)))
    assert count_colliding(lines, SEASONS) == free


def test_poets_hardly_write_a_sign_in_the_seasons_that_it_is_kept_out_of(tang_corpus):
    texts = decode_poems(tang_corpus.splits["train"], tang_corpus.vocabulary)
    num_poems, num_with = Counter[str](), Counter[tuple[str, str]]()
    for text, about in zip(texts, tang_corpus.about("train"), strict=True):
        seasons = seasons_of_title(about.title)
        if len(seasons) == 1:
            (season,) = seasons
            num_poems[season] += 1
            num_with.update((season, char) for char in set(text))
    for sign in "莺杏絮桃燕蝶梅雪冰雁暖韶牡虫荷蝉暑炎萤蟋簟凉蛩砧杵菊萸霜腊炉":
        rates = {season: num_with[season, sign] / num_poems[season] for season in SEASONS}
        for season in SEASONS:
            if count_colliding([sign], season):
                assert rates[season] < 0.4 * max(rates.values()), (sign, season)
