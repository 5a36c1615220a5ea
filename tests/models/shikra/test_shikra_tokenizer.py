"""The tokenizer on random texts, compared with SentencePiece itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sentencepiece

from lcl_lab.models.shikra import build_shikra_tokenizer
from tests.models.convert.factories import slow_llama_ids

TEXT = "the user is  asked    what is in the image\nthere is a pike in the image, there are bars USER: ASSISTANT:\n"
LLAMA = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
}


@pytest.mark.parametrize("settings", [LLAMA, {}], ids=["llama", "defaults"])
def test_ids_are_those_of_sentencepiece(settings: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 3)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=330,
        model_type="bpe",
        byte_fallback=True,
        **settings,
    )
    model = tmp_path / "tokenizer.model"
    tokenizer = build_shikra_tokenizer(model, ["<im_patch>", "<im_start>", "<im_end>"])
    fragments = [*TEXT, " ", "  ", " " * 5, "é", "☃", "\t", *TEXT.split(), "<im_start>", "<im_patch>", "<s>", "</s>"]
    generator = random.Random(0)
    for _ in range(500):
        text = "".join(generator.choices(fragments, k=generator.randint(1, 30)))
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == slow_llama_ids(model, text), text


def test_an_answer_is_decoded_as_it_was_written(released: tuple[Path, Path]) -> None:
    tokenizer = build_shikra_tokenizer(released[0] / "tokenizer.model", ["<im_patch>"])
    ids = tokenizer('<s> USER: x? ASSISTANT: there is "Ägypten" in the image.</s>', add_special_tokens=False)[
        "input_ids"
    ]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert text.strip() == 'USER: x? ASSISTANT: there is "Ägypten" in the image.'
