"""The grammar of text commands: what is understood, and that nothing crashes it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.worldtracing_addon.core.commands import EXAMPLES, Command, parse, usage

NAMES = ("mug", "Chair", "lamp", "red vase", "blue vase", "object 1", "object 12", "my.mug-2")


def read(text, **options):
    return parse(text, NAMES, **options)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("remove the mug", Command("remove", ("mug",))),
        ("Delete MUG!", Command("remove", ("mug",))),
        ("select all", Command("select", NAMES)),
        ("hide chair", Command("hide", ("Chair",))),
        ("unhide the chair", Command("show", ("Chair",))),
        ("put back the red vase", Command("put back", ("red vase",))),
        ("repaint the red vase", Command("repaint", ("red vase",))),
        ("move the chair left 0.5 m", Command("move", ("Chair",), (-0.5, 0, 0))),
        ("move the chair 50cm left", Command("move", ("Chair",), (-0.5, 0, 0))),
        ("move chair by 2 feet to the right", Command("move", ("Chair",), (0.6096, 0, 0))),
        ("move chair right 1 meter and up 20 cm", Command("move", ("Chair",), (1, 0, 0.2))),
        ("move it closer 1/2 metres", Command("move", ("mug",), (0, -0.5, 0))),
        ("move mug farther 1,5", Command("move", ("mug",), (0, 1.5, 0), metric=False)),
        ("rotate the lamp left 30 degrees", Command("rotate", ("lamp",), degrees=30)),
        ("turn the lamp 30° clockwise", Command("rotate", ("lamp",), degrees=-30)),
        ("scale mug by 1.5", Command("scale", ("mug",), factor=1.5)),
        ("scale the mug to 50 %", Command("scale", ("mug",), factor=0.5)),
        ("duplicate the mug", Command("duplicate", ("mug",))),
        ("copy object 12 up 10 mm", Command("duplicate", ("object 12",), (0, 0, 0.01))),
        ("remove object 1", Command("remove", ("object 1",))),
        ('remove "object 12"', Command("remove", ("object 12",))),
        ("replace the lamp with the red vase", Command("replace", ("lamp",), other="red vase")),
        ("swap lamp for Suzanne", Command("replace", ("lamp",), other="Suzanne")),
        ("remove blue", Command("remove", ("blue vase",))),
        ('remove "my.mug-2"', Command("remove", ("my.mug-2",))),
    ],
)
def test_understood(text, command):
    found = read(text, selected=("mug",), others=("Suzanne",))
    assert found.offset == pytest.approx(command.offset)
    assert found == Command(**{**vars(command), "offset": found.offset})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "WT-SCENE-COMMAND", "empty"),
        ("dance", "WT-SCENE-COMMAND", "'dance' is no command"),
        ("remove", "WT-SCENE-COMMAND", "which object"),
        ("remove the teapot", "WT-SCENE-NAME", "no object called 'teapot'"),
        ("remove the vase", "WT-SCENE-NAME", "red vase, blue vase"),
        ("remove the mug quickly", "WT-SCENE-COMMAND", "'quickly'"),
        ("move the mug", "WT-SCENE-COMMAND", "where to"),
        ("move the mug 1 m", "WT-SCENE-COMMAND", "left, right"),
        ("move the mug left", "WT-SCENE-COMMAND", "how much"),
        ("move the mug left lots", "WT-SCENE-COMMAND", "'lots' is no number"),
        ("move the mug left 1 m and up 2", "WT-SCENE-COMMAND", "unit"),
        ("move the mug left 1/0 m", "WT-SCENE-COMMAND", "too much"),
        ("scale the mug by 0", "WT-SCENE-COMMAND", "nothing"),
        ("scale the mug by 2 m", "WT-SCENE-COMMAND", "'m'"),
        ("rotate the mug left right 3", "WT-SCENE-COMMAND", "both ways"),
        ("replace the mug", "WT-SCENE-COMMAND", "replace it with"),
        ("replace the mug with the mug", "WT-SCENE-COMMAND", "one other"),
        ("replace the mug with all", "WT-SCENE-COMMAND", "one other"),
    ],
)
def test_what_is_not_understood_says_why_and_what_would_be(text, code, said):
    with pytest.raises(WorldTracingError) as caught:
        read(text)
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.fix.startswith("Write")


def test_each_example_is_understood():
    names = ("mug", "chair", "lamp", "vase")
    assert {parse(text, names).verb for text in EXAMPLES.values()} == set(EXAMPLES)
    assert all(text in usage() for text in EXAMPLES.values())


words = st.sampled_from(
    [
        *EXAMPLES,
        "the",
        "mug",
        "red",
        "with",
        "left",
        "up",
        "by",
        "all",
        "it",
        "0.5",
        "-3",
        "1e9",
        "1/0",
        *"m%°'\"/,.\0é",
    ]
)


@given(st.one_of(st.text(), st.lists(words).map(" ".join)), st.lists(st.text(), max_size=4))
@example("replace with", [])
@example('select "', ['"'])
@example("select '' ''", ["", "''"])
@example("replace mug with all", ["mug", "a"])
def test_no_line_crashes_the_parser(text, names):
    try:
        command = parse(text, names, names[:1], names[1:])
    except WorldTracingError as error:
        assert error.code in ("WT-SCENE-COMMAND", "WT-SCENE-NAME") and error.fix
    else:
        assert command.verb in EXAMPLES and set(command.names) <= set(names)


@given(st.sampled_from(NAMES), st.floats(-100, 100).map(lambda value: round(value, 3)))
def test_lengths_are_read_as_written(name, length):
    command = read(f"move {name} right {length:.3f} m")
    assert command.names == (name,) and command.offset[0] == pytest.approx(length)


@pytest.mark.parametrize(
    ("text", "asked", "command"),
    [
        ("remove the teapot", ["teapot"], Command("remove", ("found 1",))),
        ("remove the red mug on the left, please", ["red mug on the left"], Command("remove", ("found 1",))),
        ("move the teapot left 1 m", ["teapot"], Command("move", ("found 1",), (-1, 0, 0))),
        ("scale the teapot by 2", ["teapot"], Command("scale", ("found 1",), factor=2)),
        ("replace the teapot with the fork", ["teapot", "fork"], Command("replace", ("found 1",), other="found 2")),
        ('hide "Salt and Pepper"', ["salt and pepper"], Command("hide", ("found 1",))),
        ("remove blue", [], Command("remove", ("blue vase",))),
        ("remove the mug", [], Command("remove", ("mug",))),
    ],
)
def test_words_that_are_no_name_may_describe_an_object(text, asked, command):
    words = []

    def describe(phrase):
        words.append(phrase)
        return f"found {len(words)}"

    assert read(text, describe=describe) == command
    assert words == asked


@pytest.mark.parametrize("text", ["show the teapot", "put back the teapot", "remove it", "remove", "remove 99"])
def test_what_describes_nothing_is_not_looked_for(text):
    def describe(phrase):
        raise AssertionError(phrase)

    with pytest.raises(WorldTracingError):
        read(text, describe=describe)
