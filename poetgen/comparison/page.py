"""The report of a verdict as one HTML file, which loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from poetgen.characters import mostly_han
from poetgen.comparison.charts import COLOURS, chart, style
from poetgen.comparison.curves import Against
from poetgen.comparison.labels import labels_of
from poetgen.comparison.results import Verdict
from poetgen.comparison.rows import pair_rows, run_rows, sections
from poetgen.comparison.samples import samples_title, shown_lines
from poetgen.comparison.sentences import (
    conditions,
    early_ends,
    findings,
    meanings,
    reading_curves,
    title_of,
)
from poetgen.terminal import visible

_WIDE, _NARROW = 600, 360
# A table may be wider than the page; with a keyboard it can be scrolled, too.
_SCROLL = '<div class="scroll" role="region" aria-label="table" tabindex="0">'
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(verdict: Verdict) -> str:
    """Return the report as HTML, with the figures as a table, the curves as SVG, and the poems."""
    title = title_of(verdict)
    parts = [
        f"<header><p class=kind>poetgen compare</p><h1>{_breakable(title)}</h1></header>",
        *_found(verdict),
        *_figures(verdict),
        *_curves(verdict),
        *_poems(verdict),
        *_table("Pairs", pair_rows(verdict)),
        *_table("Runs", run_rows(verdict)),
        *_about(verdict),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{_text(title)}</title>",
            f"<style>{_STYLE}{_swatches()}{style()}</style>",
            "</head>",
            "<body>",
            *parts,
            "</body>",
            "</html>",
            "",
        ]
    )


def _found(verdict: Verdict) -> Iterator[str]:
    for kind, sentences in (("found", findings(verdict)), ("ended", early_ends(verdict))):
        if sentences:
            items = "".join(f"<li>{_breakable(sentence)}</li>" for sentence in sentences)
            yield f'<ul class="{kind}">{items}</ul>'


def _figures(verdict: Verdict) -> Iterator[str]:
    heads = "".join(f"<th scope=col>{name}</th>" for name in _names(verdict))
    yield f'{_SCROLL}<table class="figures">'
    yield f"<thead><tr><td></td>{heads}</tr></thead>"
    for section in sections(verdict):
        span = 1 + len(verdict.contenders)
        yield f"<tbody><tr class=section><th scope=rowgroup colspan={span}>"
        yield f"<span>{_text(section.title)}</span></th></tr>"
        for row in section.rows:
            yield f"<tr><th scope=row>{_text(row.label)}</th>{_cells(row.cells)}</tr>"
        yield "</tbody>"
    yield "</table></div>"


def _curves(verdict: Verdict) -> Iterator[str]:
    kinds: tuple[Against, ...] = ("tokens", "seconds")
    shown = [
        (name, found.svg())
        for kind in kinds
        for name, width in (("wide", _WIDE), ("narrow", _NARROW))
        if (found := chart(verdict, kind, width))
    ]
    if shown:
        yield "<h2>Learning curves</h2><div class=charts>"
        yield from (f'<div class="{name}">{svg}</div>' for name, svg in shown)
        yield "</div>"
        yield f"<p class=note>{_text(' '.join(reading_curves(verdict)))}</p>"


def _poems(verdict: Verdict) -> Iterator[str]:
    names = _names(verdict)
    writers = [place for place, one in enumerate(verdict.contenders) if one.poems]
    if not writers:
        return
    yield f"<h2>{samples_title(verdict)}</h2>"
    for number in range(max(len(verdict.contenders[i].poems) for i in writers)):
        yield "<div class=poems>"
        for i in writers:
            for poem in verdict.contenders[i].poems[number : number + 1]:
                language = ' lang="zh"' if mostly_han(poem) else ""
                lines = _text("\n".join(shown_lines(poem)))
                yield f"<figure><figcaption>{names[i]}</figcaption>"
                yield f"<p{language}>{lines}</p></figure>"
        yield "</div>"


def _table(title: str, table: tuple[Sequence[str], Sequence[Sequence[str]]]) -> Iterator[str]:
    heads, rows = table
    if rows:
        yield f"<h2>{title}</h2>"
        yield f'{_SCROLL}<table class="runs"><thead><tr>'
        yield "".join(f"<th scope=col>{_text(head)}</th>" for head in heads)
        yield "</tr></thead><tbody>"
        for name, *cells in rows:
            yield f"<tr><th scope=row>{_text(name)}</th>{_cells(cells)}</tr>"
        yield "</tbody></table></div>"


def _about(verdict: Verdict) -> Iterator[str]:
    yield "<h2>How it was measured</h2><ul>"
    yield from (f"<li>{_breakable(one)}</li>" for one in (*conditions(verdict), *meanings(verdict)))
    yield f"</ul><p>The command:</p><pre><code>{_text(verdict.command)}</code></pre>"


def _names(verdict: Verdict) -> list[str]:
    """Return the names of the contenders with their colours."""
    return [
        f'<i class="swatch s{place % len(COLOURS)}"></i>{_breakable(label)}'
        for place, label in enumerate(labels_of(verdict.contenders).values())
    ]


def _cells(cells: Sequence[str]) -> str:
    return "".join(f"<td>{_text(cell)}</td>" for cell in cells)


def _text(text: str) -> str:
    return escape(visible(text))


def _breakable(text: str) -> str:
    """Return text in which the long name of a contender can be broken between its settings."""
    return _text(text).replace(",", ",<wbr>")


def _swatches() -> str:
    light, dark = (
        "".join(f".s{place}{{background:{pair[i]}}}" for place, pair in enumerate(COLOURS))
        for i in (0, 1)
    )
    return f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"


_STYLE = """
:root{--paper:#fff;--ink:#1d2127;--soft:#5a616b;--rule:#dfe2e7;--tint:#f5f6f8}
@media (prefers-color-scheme:dark){
:root{--paper:#15181d;--ink:#e6e9ee;--soft:#a2aab5;--rule:#2f353d;--tint:#1c2026}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem clamp(1rem,4vw,3rem) 4rem;max-width:84rem;background:var(--paper);
color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.5rem 0 .75rem}
.kind{margin:0;color:var(--soft);font-size:.9rem}
ul{padding-left:1.2rem;margin:.5rem 0}li{margin:.2rem 0;overflow-wrap:anywhere}
.ended{color:var(--soft)}
.note{color:var(--soft);font-size:.875rem;max-width:44rem}
.scroll{overflow-x:auto;margin-top:1.25rem}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .8rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th{font-weight:400;text-align:left;color:var(--soft)}
thead th{font-weight:600;color:var(--ink);white-space:normal;vertical-align:bottom}
.figures thead th{text-align:right;min-width:6.5rem;max-width:11rem}
th:first-child,td:first-child{padding-left:0;position:sticky;left:0;background:var(--paper)}
.section th{padding-top:1.1rem;font-weight:600;color:var(--ink)}
.section span{position:sticky;left:0}
.runs :is(th,td){padding-right:.55rem;padding-left:.55rem}
.runs :is(th,td):first-child{padding-left:0;white-space:normal;max-width:14rem}
.runs thead th{text-align:right}.runs thead th:first-child{text-align:left}
.swatch{display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.45em}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
.charts svg{display:block;width:100%;height:auto}.narrow{display:none}
.poems{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15.5rem),1fr));gap:.75rem;
margin-bottom:.75rem}
figure{margin:0;padding:.9rem 1rem;background:var(--tint);border-radius:.5rem;min-width:0}
figcaption{color:var(--soft);font-size:.8rem;overflow-wrap:anywhere}
figure p{margin:.4rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6}
figure p[lang=zh]{font-family:"Noto Serif CJK SC","Source Han Serif SC","Songti SC",SimSun,serif}
pre{padding:.8rem 1rem;background:var(--tint);border-radius:.5rem;white-space:pre-wrap;
overflow-wrap:anywhere;font-size:.875rem}
@media (max-width:34rem){.wide{display:none}.narrow{display:block}h1{font-size:1.3rem}
td,th{padding-right:.6rem;padding-left:.6rem}.runs :is(th,td):first-child{max-width:6.5rem}
.figures{width:100%}.figures :is(td,thead th){text-align:left;padding-left:0}
.figures thead th{min-width:5rem}.figures tbody td{padding-top:1.6rem}
.figures tr:not(.section)>:first-child{width:0;max-width:0;padding-right:0;vertical-align:top}}
"""
