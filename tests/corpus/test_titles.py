"""What is left of what a source writes as title, author and dynasty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.titles import clean_dynasty, clean_origin, clean_title

# Half of the ways of writing that the rules know, mixed at random.
ODD = st.text(
    "春夜秋兴其之一二十○首并序作者题目无無唐代《》（）()[]〖〗【】「」{}⿰□"
    "：:，。、· \u3000\t\n①1.ab\udc00"
)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        # A title is left as it is.
        ("春晓", "春晓"),
        ("送元二使安西", "送元二使安西"),
        ("九日", "九日"),
        ("三、四月作", "三、四月作"),
        ("题《秋山图》", "题《秋山图》"),
        ("相和歌辞 从军行", "相和歌辞 从军行"),
        ("Sonnet 18", "Sonnet 18"),
        ("The Tyger (1794)", "The Tyger (1794)"),
        # Marks around it, numbers of a list, labels.
        ("《春晓》", "春晓"),
        ("【春晓】", "春晓"),
        ("“春晓”", "春晓"),
        ("（阙题）", "阙题"),
        ("1．《春晓》", "春晓"),
        ("12、春晓", "春晓"),
        ("一、静夜思", "静夜思"),
        ("(3) 春晓", "春晓"),
        ("题目：静夜思", "静夜思"),
        # Parts of a series have one form.
        ("秋兴八首 一", "秋兴八首 其一"),
        ("秋兴八首  其一", "秋兴八首 其一"),
        ("秋兴八首其一", "秋兴八首 其一"),
        ("秋兴八首之一", "秋兴八首 其一"),
        ("《秋兴》八首（其一）", "秋兴八首 其一"),
        ("过墓（二首） 一", "过墓二首 其一"),
        ("秋兴（一）", "秋兴 其一"),
        ("宫词  其四○", "宫词 其四〇"),
        ("颂古一○一首  其七九", "颂古一〇一首 其七九"),
        ("敦煌廿咏（并序） 四、贰师泉咏", "敦煌廿咏 贰师泉咏"),
        ("占鸟第二十二（京本作占飞禽） 二十七", "占鸟第二十二 其二十七"),
        # Notes and what belongs to the page.
        ("长恨歌（并序）", "长恨歌"),
        ("琵琶行并序", "琵琶行"),
        ("秋日二首並序 一", "秋日二首 其一"),
        ("赠王正己（题拟）", "赠王正己"),
        ("及第后（下缺", "及第后"),
        ("决绝[词]三首 三", "决绝词三首 其三"),
        ("夜泊〖1〗", "夜泊"),
        ("游子吟①", "游子吟"),
        ("献用《封安》。", "献用《封安》"),
        # Widths, blanks, invisible characters, dots.
        ("\u3000春\u200b晓\xa0", "春晓"),
        ("酹江月・念奴娇", "酹江月·念奴娇"),
        ("２月", "2月"),
        # A character that cannot be written leaves one mark.
        ("黄{口馬}", "黄□"),
        ("黄⿰木養花", "黄□花"),
        # No title.
        ("", ""),
        ("□□", ""),
        ("无标题", ""),
        ("不详", ""),
        ("None", ""),
    ],
)
def test_titles(written, title):
    assert clean_title(written) == title
    assert clean_title(title) == title


@pytest.mark.parametrize(
    ("written", "author", "dynasty"),
    [
        ("李白", "李白", ""),
        ("[唐] 李白", "李白", "唐"),
        ("（唐代）李白", "李白", "唐"),
        ("唐·李白", "李白", "唐"),
        ("唐代：李白", "李白", "唐"),
        ("唐代李白", "李白", "唐"),
        ("宋 欧阳修", "欧阳修", "宋"),
        ("李白〔唐〕", "李白", "唐"),
        ("李白（唐朝）", "李白", "唐"),
        ("作者：李白", "李白", ""),
        ("李白（701—762）", "李白", ""),
        ("by Robert Frost", "Robert Frost", ""),
        # Those who are called like a dynasty.
        ("宋玉", "宋玉", ""),
        ("宋 玉", "宋玉", ""),
        ("元稹", "元稹", ""),
        ("唐寅", "唐寅", ""),
        # One poet, and several.
        ("李 白", "李白", ""),
        ("道镜\u3000善导", "道镜、善导", ""),
        ("李白, 杜甫", "李白、杜甫", ""),
        ("王炎2", "王炎", ""),
        ("清尚〖1〗", "清尚", ""),
        ("耿[湋]", "耿湋", ""),
        ("《靖康小雅》作者", "《靖康小雅》作者", ""),
        ("陈□谅", "陈□谅", ""),
        # Nobody.
        ("", "", ""),
        ("佚名", "", ""),
        ("（唐）无名氏", "", "唐"),
        ("不詳", "", ""),
        ("Anonymous", "", ""),
        ("□□", "", ""),
    ],
)
def test_authors(written, author, dynasty):
    assert clean_origin(written) == (author, dynasty)
    assert clean_origin(author, dynasty) == (author, dynasty)


def test_a_dynasty_of_its_own_counts_more_than_one_beside_the_author():
    assert clean_origin("（唐）李煜", "五代") == ("李煜", "五代")


@pytest.mark.parametrize(
    ("written", "dynasty"),
    [
        *(
            (name, "唐")
            for name in ("唐", "唐代", "唐朝", "[唐]", "〔唐〕", "Tang", "tang dynasty")
        ),
        *((name, name) for name in ("先唐", "先秦", "五代", "南北朝", "南朝宋", "现代", "近代")),
        ("宋代", "宋"),
        ("朝代：宋", "宋"),
        ("南朝·梁", "南朝梁"),
        ("唐（618—907）", "唐"),
        ("五代十国", "五代十国"),
        ("Victorian", "Victorian"),
        ("不详", ""),
        ("", ""),
    ],
)
def test_dynasties(written, dynasty):
    assert clean_dynasty(written) == dynasty
    assert clean_dynasty(dynasty) == dynasty


@given(ODD)
def test_whatever_is_written_becomes_text_of_one_line(text):
    for cleaned in (clean_title(text), *clean_origin(text), clean_dynasty(text)):
        assert cleaned == " ".join(cleaned.split())
        cleaned.encode()
