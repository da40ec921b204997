"""`drumhead cite`: whole BibTeX, and exactly the works behind what a run used."""

import json
from dataclasses import replace

import pytest
import torch

import drumhead as dh
from drumhead import cli, tasks
from drumhead.networks.timed import Timed
from drumhead.settings.citations import TASKS, cited, references
from drumhead.settings.config import RunConfig, TrainConfig
from drumhead.settings.presets import PRESETS, get_preset
from drumhead.settings.text import to_toml

bibtexparser = pytest.importorskip("bibtexparser")


def entries(text):
    """Return the entries of BibTeX text by key, read by a parser that is not ours."""
    library = bibtexparser.parse_string(text)
    assert not library.failed_blocks
    return library.entries_dict


def printed(source, capsys):
    cli.main(["cite", *([source] if source else [])])
    return entries(capsys.readouterr().out)


def test_every_reference_is_whole_and_some_run_rests_on_it():
    found = entries("\n\n".join(references().values()))
    assert list(found) == list(references())
    for entry in found.values():
        assert {"author", "title", "year"} <= {field.key for field in entry.fields}
        assert entry.fields_dict.keys() & {"doi", "eprint"}
    used = {key for name in PRESETS for key in cited(PRESETS[name].model, PRESETS[name].train, PRESETS[name].task)}
    used |= {*cited(dh.UNet(start="he"), TrainConfig(precision="bf16-mixed"))}
    used |= {*cited(dh.NWM(waves=(dh.Waves(boundary="absorbing"),)))}
    assert used == {*references()}


@pytest.mark.parametrize("name", dh.presets("wires/*"))
def test_what_a_network_is_made_of_is_cited(name):
    model = dh.build(name)
    keys = cited(model.config)
    kinds = [type(part) for part in model.modules()]
    assert ("ioffe2015" in keys) == (torch.nn.BatchNorm2d in kinds)
    assert ("jacobs2025" in keys) == isinstance(model, Timed)
    words = {"lstm": "shi2015", "gru": "ballas2016", "unet": "ronneberger2015", "resnet": "he2016"}
    assert words.values() & keys.keys() == {words[word] for word in words if model.config.family == word}


def test_a_training_cites_what_it_used():
    adam = cited(dh.CNN(), TrainConfig())
    assert list(adam) == ["kingma2015", "paszke2019"]
    all_of_it = TrainConfig(optimizer="adamw", schedule="cosine", warmup=0.1, clip=1.0)
    assert {*cited(dh.CNN(), all_of_it)} - {*adam} == {"loshchilov2019", "loshchilov2017", "goyal2017", "pascanu2013"}
    assert all("linsley2018" in cited(dh.UNet(), task=name) for name in tasks.names() if name.startswith("pathf"))
    assert cited(dh.NWM(), task="polygons")["jacobs2025"] == ["Neural Wave Machine", "the polygons"]


def test_tasks_are_named_as_they_are():
    assert {*TASKS} <= {*tasks.names()}


def test_a_run_says_the_version_that_it_was_made_with(tmp_path, capsys):
    config = get_preset("mnist/unet-4")
    (tmp_path / "config.toml").write_text(to_toml(replace(config, train=TrainConfig(clip=1.0))))
    (tmp_path / "environment.json").write_text(json.dumps({"drumhead": "0.0.7"}))
    found = printed(str(tmp_path), capsys)
    assert found["drumhead"]["version"] == "0.0.7"
    assert {*found} == {
        "drumhead",
        "ronneberger2015",
        "ioffe2015",
        "lecun1998",
        "kingma2015",
        "pascanu2013",
        "paszke2019",
    }


def test_presets_weights_and_nothing(tmp_path, capsys):
    assert {*printed("", capsys)} == {"drumhead", "jacobs2025"}
    assert printed("", capsys)["drumhead"]["version"] == dh.__version__
    whole, weights = printed("wires/nwm-stack", capsys), printed("wires-stack", capsys)
    assert {*whole} - {*weights} == {"kingma2015", "loshchilov2019", "loshchilov2017", "goyal2017", "pascanu2013"}
    dh.save(dh.build("tetrominoes/gru-last"), tmp_path / "gru.safetensors")
    assert {*printed(str(tmp_path / "gru.safetensors"), capsys)} == {
        "drumhead",
        "jacobs2025",
        "ballas2016",
        "paszke2019",
    }


@pytest.mark.parametrize(("source", "why"), [("nothing", "no weights at 'nothing'"), ("", "holds neither config.toml")])
def test_what_cannot_be_cited(tmp_path, capsys, source, why):
    with pytest.raises(SystemExit) as stop:
        cli.main(["cite", source or str(tmp_path)])
    assert stop.value.code == 2
    assert why in capsys.readouterr().err


def test_configs_without_weights_are_enough(tmp_path, capsys):
    (tmp_path / "config.toml").write_text(to_toml(RunConfig()))
    assert printed(str(tmp_path / "config.toml"), capsys).keys() == printed(str(tmp_path), capsys).keys()
