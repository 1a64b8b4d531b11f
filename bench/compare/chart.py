"""Draws the results as an SVG: a bar for each server of each case."""

from xml.sax.saxutils import escape

from cases import CASES, EMPTY, OURS

COLOURS = {OURS: "#2a6fb0", EMPTY: "#9aa5b1"}
PEER_COLOUR = "#d08a3c"
WIDTH, NAMES, NUMBERS = 760, 150, 110
BAR, GAP, HEAD = 16, 5, 30
STYLE = ("text { font: 12px sans-serif; fill: #222 } .title { font-size: 14px;"
         " font-weight: bold } .range { stroke: #222 }")


def text(x, y, words, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{escape(words)}</text>'


def bars_of(results, case, servers):
    """(server, least, median, most). The numbers are decisions per second of
    the server's processor time."""
    for server in servers:
        median = results.median(case.name, server.name, "cpu_us")
        if median:
            times = results.values(case.name, server.name, "cpu_us")
            yield (server, 1e6 / max(times), 1e6 / median,
                   1e6 / max(min(times), 1e-9))


def panel(case, bars, scale, top):
    yield text(0, top + 18, case.title, ' class="title"')
    for number, (server, least, median, most) in enumerate(bars):
        y = top + HEAD + number * (BAR + GAP)
        line = y + BAR / 2
        colour = COLOURS.get(server.kind, PEER_COLOUR)
        yield text(0, y + BAR - 4, server.name)
        yield (f'<rect x="{NAMES}" y="{y}" width="{median * scale:.1f}"'
               f' height="{BAR}" fill="{colour}"/>')
        yield (f'<line class="range" x1="{NAMES + least * scale:.1f}"'
               f' y1="{line}" x2="{NAMES + most * scale:.1f}" y2="{line}"/>')
        yield text(NAMES + most * scale + 6, y + BAR - 4, f"{median:,.0f}")


def svg(results, servers, facts):
    panels = [(case, bars) for case in CASES.values()
              if not case.open_loop
              if (bars := list(bars_of(results, case, servers)))]
    longest = max((bar[3] for _, bars in panels for bar in bars), default=1)
    scale = (WIDTH - NAMES - NUMBERS) / longest
    shapes, top = [text(0, 16, "Decisions per second of the server's"
                       " processor time; median and range")], 24
    for case, bars in panels:
        shapes += panel(case, bars, scale, top)
        top += HEAD + len(bars) * (BAR + GAP) + 10
    for name, value in facts:
        top += 16
        shapes.append(text(0, top, f"{name}: {value}"))
    height = top + 12
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 20}"'
        f' height="{height}" viewBox="-10 0 {WIDTH + 20} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect x="-10" width="{WIDTH + 20}" height="{height}" fill="#fff"/>',
        *shapes, "</svg>")) + "\n"
