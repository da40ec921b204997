"""As many rounds as an image needs: when a network stops, what it says then, and who may ask for it."""

import json

import pytest
import torch

import drumhead as dh
from conftest import call
from drumhead.cli.hearing import rounds_of
from drumhead.networks.still import UntilStill, Walk
from test_rounds import ROUNDS


def expected(model, image, still, most):
    """Run one image in every number of rounds, and stop by the rule in words."""
    answers = [None, *(walked(model, image, most))]
    for number in range(still + 1, most + 1):
        labels = [answers[n].argmax(1) for n in range(number - still, number + 1)]
        if all(torch.equal(labels[0], other) for other in labels[1:]):
            return number, False, answers[number]
    return most, True, answers[most]


def walked(model, image, rounds):
    walk = Walk(model, image)
    return [walk.round() for _ in range(rounds)]


@torch.no_grad()
@pytest.mark.parametrize("name", ROUNDS)
def test_a_walk_is_what_the_network_answers_in_so_many_rounds(name):
    model, images = dh.build(ROUNDS[name]).eval(), torch.rand(2, 1, 16, 24)
    for number, logits in enumerate(walked(model, images, 5), 1):
        if number > 1:
            torch.testing.assert_close(logits, model.in_rounds(number)(images))


@torch.no_grad()
@pytest.mark.parametrize(("still", "most"), [(1, 30), (2, 30), (4, 12), (5, 200), (3, 4)])
def test_each_image_stops_by_itself_by_the_rule(still, most):
    # In double precision: products of a batch are rounded otherwise than those of an image, and rounds multiply that.
    model = dh.load("wires").double()
    images = dh.to_images(dh.tasks.wires.arrays("test", length=60, count=6)[0]).double()
    found = model.train().until_still(images, still=still, most=most)
    assert model.training
    model.eval()
    for number, image in enumerate(images):
        rounds, changing, logits = expected(model, image[None], still, most)
        assert found.rounds[number] == rounds
        assert found.changing[number] == changing
        torch.testing.assert_close(found.logits[number : number + 1], logits)
        assert torch.equal(found.labels[number], found.logits[number].argmax(0))
    if most == 200:
        assert len(set(found.rounds.tolist())) > 1  # images differ in what they need


def test_nothing_to_see_is_still_at_once():
    found = dh.load("wires").until_still(torch.zeros(1, 1, 32, 32), still=4)
    assert (found.rounds.tolist(), found.labels.unique().tolist(), found.changing.tolist()) == ([5], [0], [False])
    stops = UntilStill(dh.load("wires"), most=6)
    stops(torch.zeros(2, 1, 32, 32))
    assert stops.summary() == {"rounds_mean": 6, "rounds_median": 6, "still_changing": 0}


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("wires-stack", {}, "this stack runs its layers once, not in rounds"),
        ("tetrominoes-fast", {}, "this nwm runs its layers once"),
        ("wires", {"still": 0}, "still=0: a whole number of at least 1"),
        ("wires", {"still": True}, "still=True: a whole number"),
        ("wires", {"most": 1}, "most=1: a whole number of at least 2"),
        ("wires", {"still": 6, "most": 6}, "most=6: more than still=6 rounds are needed"),
    ],
)
def test_what_is_refused(model, options, message):
    model = dh.load(model)
    with pytest.raises(dh.DrumheadError, match=message):
        model.until_still(torch.zeros(1, model.config.image_channels, 32, 32), **options)


def test_images_of_other_values_are_refused():
    with pytest.raises(dh.DrumheadError, match="not finite or far beyond"):
        dh.load("wires").until_still(torch.full((1, 1, 32, 32), 255.0))


def test_the_commands_say_how_many_rounds_it_took(tmp_path, capsys):
    where = tmp_path / "a.json"
    assert call("evaluate", "wires", "--limit", 4, "--until-still", "--confidence", "--json-out", where) == 0
    found = json.loads(where.read_text())
    assert 6 < found["rounds_mean"] < 40
    assert found["still_changing"] == 0
    assert found["foreground_accuracy"] > 0.99
    assert "until still" in capsys.readouterr().out
    assert (found["still"], found["most"]) == (5, 200)
    assert call("evaluate", "wires", "--limit", 4, "--until-still", "--rounds", 6, "--json-out", where) == 0
    found = json.loads(where.read_text())
    assert (found["rounds_mean"], found["still_changing"], found["rounds"]) == (6, 1, 6)
    capsys.readouterr()
    assert call("evaluate", "wires", "--limit", 4, "--until-still", "--rounds", 3) == 2
    assert "--rounds 3: with --until-still more than 5 are needed" in capsys.readouterr().err
    assert call("segment", "--model", "wires", "--until-still", "--no-pictures") == 0
    assert "rounds" in capsys.readouterr().out
    assert call("evaluate", "wires", "--limit", 2, "--until-still", "--over-time") == 2
    assert "which stops by itself, would ignore --over-time" in capsys.readouterr().err
    assert call("evaluate", "wires", "--limit", 2, "--over-time") == 2
    assert "wires runs in rounds: --until-still gives each image as many" in capsys.readouterr().err
    for command in (("segment", "--model", "tetrominoes", "--no-pictures"), ("evaluate", "mnist", "--limit", 2)):
        assert call(*command, "--until-still") == 2
        assert "runs its layers once" in capsys.readouterr().err


def test_pictures_show_the_rounds_that_were_taken(tmp_path):
    assert call("segment", "--model", "wires", "--until-still", "--out", tmp_path / "out") == 0
    assert len([*(tmp_path / "out").glob("*-waves.gif")]) == 3


def test_a_movie_shows_what_was_heard_after_each_round_in_it():
    network, x = dh.load("wires"), dh.to_images(dh.tasks.wires.arrays("test", length=60, count=1)[0])
    parts = rounds_of(network.in_rounds(9), x, [0, 3, 8])
    assert [*parts] == ["round 1 of 9", "round 4 of 9", "round 9 of 9"]
    for rounds, labels in zip((4, 9), [*parts.values()][1:], strict=True):
        assert torch.equal(torch.from_numpy(labels), network.in_rounds(rounds).segment(x)[0])
    two = dh.build(ROUNDS["two layers"]).eval()
    assert [(name, labels is None) for name, labels in rounds_of(two, x, [2, 5]).items()] == [
        ("round 2 of 3, layer 1", True),
        ("round 3 of 3, layer 2", False),
    ]
    assert rounds_of(dh.load("wires-stack"), x, [0]) is None


def test_tiles_stop_one_by_one():
    from drumhead.networks.tiles import Tiles, answer

    model, image = dh.load("wires"), torch.zeros(1, 1, 96, 96)
    image[..., 40:44, 10:80] = 1
    stops = UntilStill(model, still=3)
    answer(stops, image, Tiles(64, 0))
    assert len(stops.took) > 1
    assert stops.summary()["rounds_mean"] == pytest.approx(sum(stops.took) / len(stops.took))
