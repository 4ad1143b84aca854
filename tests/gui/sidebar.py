"""Finds and clicks buttons and panel titles of the add-on's tab, wherever fonts and versions have put them."""

import bpy
from hand import PATIENCE, click, copied, leave, viewport, wait_until

HEADER = 15
"""Pixels from the sidebar's top to the title of its first panel."""
TITLE = 28
"""Pixels from the title of a folded panel to the next title."""
EDGE = 4
"""Pixels to which a button's edges are found."""
PANELS = ("WT_PT_trace", "WT_PT_world", "WT_PT_edit", "WT_PT_mesh", "WT_PT_views")
"""The tab's panels from top to bottom."""
ROW = 18
"""Pixels from one try to the next; less than a button's height, so that none is missed."""

_drawn = []


def find_button(command, shares=(0.2,), below=None):
    """The place of the sidebar's button that runs `command`, the beginning of what it copies, without a click.

    Args:
        shares: where to look, in shares of the sidebar's width.
        below: the window coordinate y to begin at; None begins at the top.
    """
    sidebar = viewport()[2]
    found = set()
    places = [
        (sidebar.x + int(share * sidebar.width), y)
        for y in range(below or sidebar.y + sidebar.height - HEADER, sidebar.y, -ROW)
        for share in shares
    ]
    for index, place in enumerate(places):
        text = yield from copied(*place)
        if text == "nothing":  # Blender was drawing: then the mouse has come, but is over no button yet
            yield 0.2
            text = yield from copied(*place)
        found.add(text)
        if _runs(text, command):
            for other in reversed(places[max(0, index - 3) : index + 1]):  # on a busy machine, the answer comes late
                yield 0.3
                if _runs((yield from copied(*other)), command):
                    return other
    raise AssertionError(f"no button in the sidebar runs {command}; there are {sorted(found)}")


def _runs(text, command):
    return text.startswith(f"bpy.ops.{command}")


def find_middle(command, below=None):
    """The middle of the sidebar's button that runs `command`."""
    x, y = yield from find_button(command, below=below)
    ends = []
    for step in (EDGE, -EDGE):
        end = y
        while _runs((yield from copied(x, end + step)), command):
            end += step
        ends.append(end)
    return x, sum(ends) // 2


def press_button(command, seen, what, shares=(0.2,), below=None):
    """Find a button of the open panels, click it, and wait for what it does; returns its place."""
    place = yield from find_button(command, shares, below)
    click(*place)
    yield from wait_until(seen, PATIENCE, what)
    leave()
    return place


def watch_panels():
    """Have the sidebar and the add-on's panels say when they are drawn, which the panels are while they are open."""
    bpy.types.SpaceView3D.draw_handler_add(lambda: _drawn.append("sidebar"), (), "UI", "POST_PIXEL")
    for name in dir(bpy.types):
        if name.startswith("WT_PT_"):
            getattr(bpy.types, name).append(lambda _panel, _context, name=name: _drawn.append(name))


def open_panels():
    yield 0.3  # they move for a moment
    _drawn.clear()
    viewport()[1].tag_redraw()
    yield from wait_until(lambda: "sidebar" in _drawn, PATIENCE, "a redraw of the sidebar")
    return set(_drawn)


def unfold(panel):
    """Open one panel of the tab and fold the others, so that its buttons are near the top; returns its title's y."""
    opened = yield from open_panels()
    for index, other in enumerate(PANELS):
        if other != panel and other in opened:
            yield from _toggle(other, index)
    if panel not in opened:
        yield from _toggle(panel, PANELS.index(panel))
    return _title(PANELS.index(panel))[1]


def _title(folded):
    """The place of a panel's title below `folded` folded ones."""
    sidebar = viewport()[2]
    return sidebar.x + 60, sidebar.y + sidebar.height - HEADER - folded * TITLE


def _toggle(panel, folded):
    x, y = _title(folded)
    yield from click_title(panel, [(x, y + up) for up in (0, -ROW // 2, ROW // 2, -ROW, ROW)])


def unfold_within(panel, button, title):
    """Open a sub-panel of the open panel; its own title is somewhere below `button`, that below `title`."""
    if panel in (yield from open_panels()):
        return
    x, y = yield from find_middle(button, below=title)
    likely, others = range(35, 170, 26), range(26, 220, ROW)
    yield from click_title(panel, [(x, y - below) for below in (*likely, *others)])


def click_title(panel, places):
    """Click down until the panel opens, or folds; another one that did is put back."""
    before = yield from open_panels()
    for x, y in places:
        click(x, y)
        after = yield from open_panels()
        if (panel in after) != (panel in before):
            return
        if after != before:
            click(x, y)
            yield from open_panels()
    raise AssertionError(f"no title of {panel} was found")
